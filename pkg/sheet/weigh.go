package sheet

import (
	"bytes"
	"slices"
)

// reading is the head of a file as one dialect reads it.
type reading struct {
	Candidate
	dialect  Dialect
	heading  int64 // its line, 0 if there is none
	named    bool  // all cells of the heading stand in quotes
	broken   int
	enclosed int // cells in quotes
}

// fits tells whether nearly all records have the heading's width.
func (r reading) fits() bool { return r.Fitting*10 >= r.Records*9 }

// shape is what a record looks like.
type shape struct {
	line     int64
	width    int
	filled   int // cells that are not blank
	last     int // the last of them, from 1
	enclosed int // cells in quotes, about
	broken   bool
	wordy    bool // each filled cell could be the name of a column, and no two are alike
	data     bool // some cell could not, being a number, an address or the like
}

const (
	// weighed is how many records of the head are read in each dialect.
	weighed = 200

	// titles is among how many records the heading is looked for.
	titles = 30
)

// weigh reads the head in one dialect. A record that the head cuts off does not count.
func weigh(head []byte, complete bool, d Dialect, limits Limits) reading {
	r := reading{dialect: d, Candidate: Candidate{Delimiter: d.Delimiter}}
	shapes := survey(head, complete, d, limits)
	at := headingOf(shapes, d.HeadingLine)
	if at < 0 { // the heading is longer than the head: its delimiters are what there is to go by
		if len(shapes) == 0 {
			r.Columns = 1 + bytes.Count(head, []byte{d.Delimiter})
		}
		r.heading = d.HeadingLine
		return r
	}
	h := shapes[at]
	r.heading, r.Columns, r.named = h.line, h.width, h.enclosed == h.width
	if h.broken {
		r.Columns, r.broken = 0, 1
	}
	r.enclosed = h.enclosed
	for _, s := range shapes[at+1:] {
		r.Records++
		r.enclosed += s.enclosed
		switch {
		case s.broken:
			r.Broken++
		case s.width == h.width, s.width > h.width && s.last <= h.width:
			r.Fitting++
		}
	}
	r.broken += r.Broken
	return r
}

// survey reads the records of the head that are not blank.
func survey(head []byte, complete bool, d Dialect, limits Limits) []shape {
	scan := newScanner(d, limits)
	var shapes []shape
	var found cells
	line := int64(1)
	for pos := 0; pos < len(head) && len(shapes) < weighed; {
		found.list, found.dirty = found.list[:0], found.dirty[:0]
		next, v, _, _ := scan.record(head, pos, complete, &found)
		if v == more || v == tooLong || next == pos {
			break
		}
		raw := head[pos:next]
		s := shape{line: line, width: len(found.list), broken: v != whole}
		line += int64(bytes.Count(raw, newline))
		if !(s.line == 1 && d.Separator) {
			s.look(found.list, len(shapes) < titles)
			if d.Quote != NoQuote {
				s.enclosed = bytes.Count(raw, []byte{d.Delimiter, d.Quote})
				if raw[0] == d.Quote {
					s.enclosed++
				}
			}
			if s.broken || s.filled > 0 {
				shapes = append(shapes, s)
			}
		}
		pos = next
	}
	return shapes
}

// look fills in what the cells tell; with names, whether they could name columns.
func (s *shape) look(list [][]byte, names bool) {
	s.wordy = names
	for i, cell := range list {
		if empty(cell) {
			continue
		}
		s.filled++
		s.last = i + 1
		if !names {
			continue
		}
		cell = bytes.TrimSpace(cell)
		named := len(cell) <= 100 && bytes.IndexByte(cell, '@') < 0 && (isYear(cell) || len(bytes.Trim(cell, "0123456789 .,:;/+-()%$")) > 0)
		s.data = s.data || !named
		s.wordy = s.wordy && named && !slices.ContainsFunc(list[:i], func(c []byte) bool { return bytes.EqualFold(bytes.TrimSpace(c), cell) })
	}
}

// isYear tells a year, as which columns are named at times.
func isYear(cell []byte) bool {
	return len(cell) == 4 && (cell[0] == '1' && cell[1] == '9' || cell[0] == '2' && cell[1] == '0') && len(bytes.Trim(cell, "0123456789")) == 0
}

// headingOf finds the heading: the first record, or, if that is a title, the first that has the file's width and could
// name columns. A record is a title if it is narrower than most, or as good as empty.
func headingOf(shapes []shape, given int64) int {
	if given > 0 {
		return slices.IndexFunc(shapes, func(s shape) bool { return s.line >= given })
	}
	if len(shapes) == 0 {
		return -1
	}
	widths, usual := map[int]int{}, 0
	widest, data := 0, false
	for i, s := range shapes {
		if s.broken {
			continue
		}
		widths[s.width]++
		if n := widths[s.width]; n > widths[usual] || n == widths[usual] && s.width > usual {
			usual = s.width
		}
		if i > 0 {
			widest, data = max(widest, s.last), data || s.data
		}
	}
	first := shapes[0]
	narrow := first.broken || first.width < usual && widest > first.width
	sparse := usual > 2 && first.filled*2 <= usual
	padded := first.width >= usual && sparse
	if !narrow && !padded || usual < 2 || !sparse && !data { // where all is words, only as good as nothing is a title
		return 0
	}
	for i, s := range shapes[:min(len(shapes), titles)] {
		switch {
		case i == 0 || s.broken || s.width < usual:
		case s.filled*2 <= s.width:
		case s.wordy && (narrow || s.filled >= usual), first.width == 1 && usual > 2 && widths[usual]*5 > len(shapes)*4:
			return i
		default:
			return 0
		}
	}
	return 0
}
