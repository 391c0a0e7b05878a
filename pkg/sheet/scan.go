package sheet

import "bytes"

// scanner finds the end of one record and its cells. Splitter and parser both decide by it, which is why they agree:
// whether a quote is closed depends on the bytes from the record's first to its limit only, never on where a block ends.
type scanner struct {
	delimiter byte
	quote     byte
	escape    byte // 0 for none
	limit     int  // bytes a record may have
	columns   int  // cells it may have
	portable  bool // does without the assembler
	followed  bool // more of the file follows on final data: those of a block before the last
}

func newScanner(d Dialect, l Limits) scanner {
	return scanner{delimiter: d.Delimiter, quote: d.Quote, escape: d.Escape, limit: l.RecordBytes, columns: l.Columns, portable: !vector}
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
// the one where the broken cell began, or a later one if line ends are escaped. column is that cell's number from 0, at
// where it begins. With final, the data end where the file ends or, for a parser, where a splitter has ended a record.
func (s *scanner) record(data []byte, start int, final bool, into *cells) (next int, v verdict, column, at int) {
	if s.escape != 0 {
		return s.escaped(data, start, final, into)
	}
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
