package sheet

import "bytes"

// escaped is record for a dialect with an escape: it takes the special meaning of a quote, a delimiter, a line end or
// itself; before anything else it is a character like others. Doubled quotes are read as well. A stray quote behind escaped
// line ends costs the lines before its own: that one may be good, and no line is read more than twice.
func (s *scanner) escaped(data []byte, start int, final bool, into *cells) (next int, v verdict, column, at int) {
	last := start + s.limit
	limit := min(last, len(data))
	for pos := start; ; column++ {
		if into != nil && column >= s.columns {
			return s.broken(data, start, pos, final, tooWide, column)
		}
		quoted := s.quote != NoQuote && pos < len(data) && data[pos] == s.quote
		from := pos
		if quoted {
			from++
		}
		end, dirty := from, false
	cell:
		for ; ; end++ {
			if end >= limit {
				switch {
				case limit < last && !final:
					return start, more, column, pos
				case quoted:
					return s.broken(data, start, pos, final, open, column)
				case len(data) <= last && !final:
					return start, more, column, pos
				case end == len(data) && end <= last && s.followed: // by the quote that had a block end here
					return end, stray, column, pos
				case end == len(data) && end <= last, end == last && data[end] == '\n':
					break cell
				}
				return start, tooLong, column, pos
			}
			switch c := data[end]; {
			case c == s.escape:
				if end+1 == len(data) && !final {
					return start, more, column, pos
				}
				dirty = true
				if end+1 < len(data) && s.special(data[end+1]) {
					end++
				}
			case quoted && c == s.quote:
				if end+1 == len(data) && !final {
					return start, more, column, pos
				}
				if end+1 == len(data) || data[end+1] != s.quote {
					break cell
				}
				dirty = true
				end++
			case quoted:
				dirty = dirty || c == '\r'
			case c == s.delimiter || c == '\n':
				break cell
			case c == s.quote && s.quote != NoQuote:
				if i := bytes.LastIndexByte(data[pos:end], '\n'); i >= 0 {
					return pos + i + 1, stray, column, pos
				}
				return s.broken(data, start, pos, final, stray, column)
			}
		}
		behind := end
		if quoted {
			for behind++; behind < limit && (data[behind] == ' ' || data[behind] == '\t') && data[behind] != s.delimiter; behind++ {
			}
			if behind+1 < len(data) && data[behind] == '\r' && data[behind+1] == '\n' || final && behind+1 == len(data) && data[behind] == '\r' {
				behind++
			}
			switch {
			case behind == len(data) && !final, behind+1 == len(data) && data[behind] == '\r':
				return start, more, column, pos
			case behind < len(data) && data[behind] != s.delimiter && data[behind] != '\n':
				v := stray
				if bytes.IndexByte(data[pos:end], '\n') >= 0 {
					v = open
				}
				return s.broken(data, start, pos, final, v, column)
			}
		}
		ended := behind == len(data) || data[behind] == '\n'
		if !quoted && ended && end > from && data[end-1] == '\r' {
			end--
		}
		if into != nil {
			if dirty {
				into.dirty = append(into.dirty, len(into.list))
			}
			into.list = append(into.list, data[from:end:end])
		}
		if ended {
			return min(behind+1, len(data)), whole, 0, 0
		}
		pos = behind + 1
	}
}

// special tells whether an escape before c takes its meaning.
func (s *scanner) special(c byte) bool {
	return c == s.escape || c == s.quote && s.quote != NoQuote || c == s.delimiter || c == '\n' || c == '\r'
}

// broken is the verdict on a record whose cell at pos breaks the rules; the next one begins on the line after.
func (s *scanner) broken(data []byte, start, pos int, final bool, v verdict, column int) (int, verdict, int, int) {
	end, found := s.lineEnd(data, start, pos, final)
	if found != whole {
		return start, found, column, pos
	}
	return min(end+1, len(data)), v, column, pos
}

// clean puts a cell right in place: doubled quotes become one, CR LF becomes LF, escapes go.
func (s *scanner) clean(cell []byte) []byte {
	w := 0
	for i := 0; i < len(cell); i++ {
		c := cell[i]
		if i+1 < len(cell) {
			if s.escape != 0 && c == s.escape && s.special(cell[i+1]) {
				i++
				if c = cell[i]; c == '\r' && i+1 < len(cell) && cell[i+1] == '\n' {
					i++
					c = '\n'
				}
			} else if c == s.quote && cell[i+1] == s.quote && s.quote != NoQuote || c == '\r' && cell[i+1] == '\n' {
				i++
				c = cell[i]
			}
		}
		cell[w] = c
		w++
	}
	return cell[:w]
}
