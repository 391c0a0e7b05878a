package numfmt

import "math"

// hashes are what a spreadsheet program shows for a date that it cannot show.
const hashes = "########"

// AppendShown appends a number as the format shows it; nil shows it as General does.
func (f *Format) AppendShown(dst []byte, v float64, date1904 bool) []byte {
	if f == nil || f.general {
		return AppendGeneral(dst, v)
	}
	s, unsigned := f.pick(v)
	switch {
	case s == nil:
		return append(dst, hashes...)
	case s.date || s.clock || s.elapsed:
		return s.appendMoment(dst, v, date1904)
	}
	n := number{section: s, negative: v < 0 && !unsigned, value: math.Abs(v)}
	return n.appendTo(dst)
}

// AppendShownText appends text as the format shows it.
func (f *Format) AppendShownText(dst, text []byte) []byte {
	last := &f.sections[len(f.sections)-1]
	if !last.text && len(f.sections) < 4 {
		return append(dst, text...)
	}
	for _, p := range last.pieces {
		switch p.kind {
		case literal:
			dst = append(dst, p.text...)
		case wholeText, asGeneral:
			dst = append(dst, text...)
		}
	}
	return dst
}

// number is a number on its way through a section.
type number struct {
	section  *section
	value    float64
	negative bool
}

func isPlace(k pieceKind) bool { return k == zero || k == hash || k == blank }

// layout is where a section puts the digits of a number.
type layout struct {
	point    int // index of the piece, len(pieces) if there is none
	exponent int // likewise
	slash    int // likewise
	before   int // places before the point
	behind   int // places behind it
	percents int
	scale    int  // thousands
	grouped  bool // by commas
	places   bool
	general  bool
}

func (s *section) layout() layout {
	end := len(s.pieces)
	l := layout{point: end, exponent: end, slash: end}
	commas := 0
	for i, p := range s.pieces {
		switch {
		case p.kind == point && l.point == end && l.exponent == end:
			l.point = i
			l.scale, commas = l.scale+commas, 0
		case p.kind == exponent && l.exponent == end:
			l.exponent = i
		case p.kind == slash && l.places && l.slash == end:
			l.slash = i
		case p.kind == percent:
			l.percents++
		case p.kind == comma && l.places:
			commas++
		case p.kind == asGeneral:
			l.general = true
		case isPlace(p.kind) && l.exponent == end:
			l.places = true
			if commas > 0 && l.point == end {
				l.grouped = true
			}
			commas = 0
			if l.point == end {
				l.before++
			} else {
				l.behind++
			}
		}
	}
	l.scale += commas
	return l
}

func (n *number) appendTo(dst []byte) []byte {
	l := n.section.layout()
	if n.negative {
		dst = append(dst, '-')
	}
	switch {
	case l.slash < len(n.section.pieces):
		return n.appendFraction(dst, l)
	case l.exponent < len(n.section.pieces):
		return n.appendExponent(dst, l)
	}
	d := toDecimal(n.value)
	if len(d.digits) > 0 {
		d.exponent += 2*l.percents - 3*l.scale
	}
	d.round(l.behind)
	return n.appendPieces(dst, l, d, "")
}

// appendPieces appends the section with the digits of d in its places.
func (n *number) appendPieces(dst []byte, l layout, d decimal, power string) []byte {
	whole := d.whole()
	missing := l.before - len(whole)
	left := max(l.before, len(whole)) // digits and fillers still to come before the point
	started := false
	behind := 0
	for i, p := range n.section.pieces {
		switch {
		case p.kind == literal:
			dst = append(dst, p.text...)
		case p.kind == percent:
			dst = append(dst, '%')
		case p.kind == asGeneral, p.kind == wholeText:
			dst = AppendGeneral(dst, n.value)
		case p.kind == point && i == l.point:
			if l.before == 0 && len(whole) > 0 {
				dst = appendGrouped(dst, whole, 0, l.grouped)
			}
			dst = append(dst, '.')
		case p.kind == exponent && i == l.exponent:
			dst = append(dst, power...)
		case isPlace(p.kind) && i < l.point && i < l.exponent:
			if missing > 0 {
				missing--
				left--
				switch p.kind {
				case zero:
					started = true
					dst = append(dst, '0')
					if l.grouped && left > 0 && left%3 == 0 {
						dst = append(dst, ',')
					}
				case blank:
					dst = append(dst, ' ')
					if l.grouped && left > 0 && left%3 == 0 {
						dst = append(dst, ' ')
					}
				}
				continue
			}
			take := 1
			if !started {
				take = max(1, len(whole)-l.before+1)
				started = true
			}
			if missing <= 0 && len(whole) > 0 && left > l.before {
				take = left - l.before + 1
			}
			left -= take
			dst = appendGrouped(dst, whole[:take], left, l.grouped)
			whole = whole[take:]
		case isPlace(p.kind) && i > l.point && i < l.exponent:
			rest := d.exponent+behind < len(d.digits)
			switch {
			case rest || p.kind == zero:
				dst = append(dst, d.behind(behind))
			case p.kind == blank:
				dst = append(dst, ' ')
			}
			behind++
		}
	}
	return dst
}

// appendGrouped appends digits behind which that many others stand, with commas between thousands.
func appendGrouped(dst, digits []byte, behind int, grouped bool) []byte {
	for i, c := range digits {
		dst = append(dst, c)
		if rest := len(digits) - 1 - i + behind; grouped && rest > 0 && rest%3 == 0 {
			dst = append(dst, ',')
		}
	}
	return dst
}

// appendExponent appends a number in scientific notation; the exponent is a multiple of the places before the point.
func (n *number) appendExponent(dst []byte, l layout) []byte {
	d := toDecimal(n.value)
	step := max(l.before, 1)
	power := 0
	for range 2 { // rounding can add a digit
		power = 0
		if len(d.digits) > 0 {
			power = d.exponent - 1
			if step > 1 {
				power = int(math.Floor(float64(power)/float64(step))) * step
			} else if l.before == 0 {
				power++
			}
		}
		d.round(l.behind - power)
	}
	d.exponent -= power
	if len(d.digits) == 0 {
		d.exponent = 0
	}
	width := 0
	for _, p := range n.section.pieces[l.exponent:] {
		width += btoi(isPlace(p.kind))
	}
	mark := "E"
	if power < 0 {
		mark = "E-"
	} else if n.section.pieces[l.exponent].n == 1 {
		mark = "E+"
	}
	return n.appendPieces(dst, l, d, mark+string(appendPadded(nil, max(power, -power), width)))
}
