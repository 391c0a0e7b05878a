package sheet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// scanner finds the end of one record and its cells. Splitter and parser both decide by it, which is why they agree:
// whether a quote is closed depends on the bytes from the record's first to its limit only, never on where a block ends.
type scanner struct {
	delimiter byte
	quote     byte
	limit     int // bytes a record may have
	columns   int // cells it may have
}

// verdict is what became of a record.
type verdict uint8

const (
	whole   verdict = iota
	open            // a quote was opened and not closed, or closed on a later line by accident
	stray           // a quote in the middle of a cell
	more            // undecided: the data end too early
	tooLong         // longer than the limit
	tooWide         // more cells than the limit
)

// cells collects the cells of a record as they stand in the data; quoted ones that need their quotes or line breaks
// put right are noted in dirty.
type cells struct {
	list  [][]byte
	dirty []int
}

// record reads the record that begins at start. next is where the next one begins: for a broken record the line after
// the one where the broken cell began. column is that cell's number from 0, at where it begins. With final, the data end
// where the file ends or, for a parser, where a splitter has ended a record.
func (s *scanner) record(data []byte, start int, final bool, into *cells) (next int, v verdict, column, at int) {
	lineEnd, v := s.lineEnd(data, start, start, final)
	if v != whole {
		return start, v, 0, start
	}
	pos := start
	for ; ; column++ {
		if into != nil && column >= s.columns {
			return min(lineEnd+1, len(data)), tooWide, column, pos
		}
		if pos < len(data) && data[pos] == s.quote && s.quote != NoQuote {
			end, behind, dirty, v := s.quoted(data, start, pos, lineEnd, final)
			if v == more {
				return start, more, column, pos
			}
			if v != whole {
				return min(lineEnd+1, len(data)), v, column, pos
			}
			if into != nil {
				if dirty || end > lineEnd {
					into.dirty = append(into.dirty, len(into.list))
				}
				into.list = append(into.list, data[pos+1:end:end])
			}
			switch {
			case behind == len(data):
				return behind, whole, 0, 0
			case data[behind] == '\n':
				return behind + 1, whole, 0, 0
			case data[behind] == '\r':
				return min(behind+2, len(data)), whole, 0, 0
			}
			pos = behind + 1
			if end > lineEnd {
				if lineEnd, v = s.lineEnd(data, start, pos, final); v != whole {
					return start, v, column, pos
				}
			}
			continue
		}
		end, last := lineEnd, true
		if i := bytes.IndexByte(data[pos:lineEnd], s.delimiter); i >= 0 {
			end, last = pos+i, false
		}
		cell := data[pos:end:end]
		if s.quote != NoQuote && bytes.IndexByte(cell, s.quote) >= 0 {
			return min(lineEnd+1, len(data)), stray, column, pos
		}
		if last && len(cell) > 0 && cell[len(cell)-1] == '\r' {
			cell = cell[:len(cell)-1]
		}
		if into != nil {
			into.list = append(into.list, cell)
		}
		if last {
			return min(lineEnd+1, len(data)), whole, 0, 0
		}
		pos = end + 1
	}
}

// line reads the record that begins at pos if it ends at lineEnd and its quoted cells are plain, as nearly all are; for
// any other it reports false without a verdict. It makes a bit of every byte, 64 at a time, and finds what lies inside
// quotes by arithmetic: a branch for each cell, which no processor can guess, would cost more than all of it.
func (s *scanner) line(data []byte, pos, lineEnd int, into *cells) bool {
	n := lineEnd
	if n > pos && data[n-1] == '\r' {
		n--
	}
	if n-pos >= s.limit || n+8 > len(data) || s.quote == NoQuote {
		return false
	}
	var (
		list    [][]byte
		quotes  = lows * uint64(s.quote)
		marks   = lows * uint64(s.delimiter)
		within  uint64     // all ones while a quoted cell goes on from the 64 before
		begins  uint64 = 1 // the lowest bit: a cell begins with these 64
		closed  uint64     // the lowest bit: the byte before these 64 closed a quoted cell
		from    = pos
		columns = s.columns
	)
	if into != nil {
		list = into.list
	}
	for base := pos; base < n; base += 64 {
		var q, d uint64
		for i := 0; i < 64 && base+i < n; i += 8 {
			x := binary.LittleEndian.Uint64(data[base+i:])
			q |= bitsOf(hits(x^quotes)) << i
			d |= bitsOf(hits(x^marks)) << i
		}
		if left := n - base; left < 64 {
			q &= 1<<left - 1
			d &= 1<<left - 1
		}
		inside := q ^ q<<1
		inside ^= inside << 2
		inside ^= inside << 4
		inside ^= inside << 8
		inside ^= inside << 16
		inside ^= inside << 32
		inside ^= within // from an opening quote up to, not including, its closing one
		d &^= inside
		starts := d<<1 | begins
		behind := (q&^inside)<<1 | closed
		if n-base < 64 {
			behind &= 1<<(n-base) - 1
		}
		if q&inside&^starts != 0 || behind&^d != 0 {
			return false // a quote within a cell, doubled or astray
		}
		within, begins, closed = uint64(int64(inside)>>63), d>>63, (q&^inside)>>63
		if into == nil {
			continue
		}
		for ; d != 0; d &= d - 1 {
			end := base + bits.TrailingZeros64(d)
			list = append(list, unquoted(data, from, end, s.quote))
			from = end + 1
		}
		if len(list) >= columns {
			return false
		}
	}
	if within != 0 {
		return false
	}
	if into != nil {
		into.list = append(list, unquoted(data, from, n, s.quote))
	}
	return true
}

// unquoted is a cell without the quotes around it.
func unquoted(data []byte, from, end int, quote byte) []byte {
	if from < end && data[from] == quote {
		from, end = from+1, end-1
	}
	return data[from:end:end]
}

// bitsOf gathers the top bits of the eight bytes of x, which has no others, into one byte.
func bitsOf(x uint64) uint64 { return (x >> 7) * 0x0102040810204080 >> 56 }

// lineEnd finds the line feed at or after from, or the end of final data.
func (s *scanner) lineEnd(data []byte, start, from int, final bool) (int, verdict) {
	end := len(data)
	if i := bytes.IndexByte(data[from:], '\n'); i >= 0 {
		end = from + i
	} else if !final && end-start <= s.limit {
		return 0, more
	}
	if end-start > s.limit {
		return 0, tooLong
	}
	return end, whole
}

// quoted finds the closing quote of the cell that opens at pos, and what ends the cell behind it: a delimiter, the line
// end or the end of the data. Blanks between the two are passed over, as some exports pad their columns.
func (s *scanner) quoted(data []byte, start, pos, lineEnd int, final bool) (end, behind int, dirty bool, v verdict) {
	last := start + s.limit // nothing at or behind it is looked at, but for what follows a quote
	limit := min(last, len(data))
	for q := pos + 1; ; {
		i := -1
		if q < limit {
			i = bytes.IndexByte(data[q:limit], s.quote)
		}
		switch {
		case i < 0 && (final || limit == last):
			return 0, 0, false, open
		case i < 0:
			return 0, 0, false, more
		}
		q += i
		at := q + 1
		if at < len(data) && data[at] == s.quote {
			dirty = true
			q = at + 1
			continue
		}
		for at < limit && (data[at] == ' ' || data[at] == '\t') && data[at] != s.delimiter {
			at++
		}
		switch {
		case at == last && at > q+1:
			return 0, 0, false, open
		case at == len(data) && final:
			return q, at, dirty, whole
		case at == len(data):
			return 0, 0, false, more
		case data[at] == s.delimiter, data[at] == '\n':
			return q, at, dirty, whole
		case data[at] == '\r' && at+1 == len(data):
			if !final {
				return 0, 0, false, more
			}
			return q, at, dirty, whole
		case data[at] == '\r' && data[at+1] == '\n':
			return q, at, dirty, whole
		}
		if q > lineEnd {
			return 0, 0, false, open
		}
		return 0, 0, false, stray
	}
}

// clean puts a quoted cell right in place: doubled quotes become one, CR LF becomes LF.
func (s *scanner) clean(cell []byte) []byte {
	w := 0
	for i := 0; i < len(cell); i++ {
		c := cell[i]
		if i+1 < len(cell) && (c == s.quote && cell[i+1] == s.quote || c == '\r' && cell[i+1] == '\n') {
			i++
			c = cell[i]
		}
		cell[w] = c
		w++
	}
	return cell[:w]
}
