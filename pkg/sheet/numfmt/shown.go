package numfmt

import (
	"math"
	"strconv"
	"strings"
	"time"
)

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

// appendFraction appends a number as a fraction, with or without its whole part.
func (n *number) appendFraction(dst []byte, l layout) []byte {
	pieces := n.section.pieces
	first := l.slash // where the numerator begins
	for first > 0 && isPlace(pieces[first-1].kind) {
		first--
	}
	last := l.slash + 1 // behind the denominator
	fixed := ""
	for last < len(pieces) && (isPlace(pieces[last].kind) || pieces[last].kind == literal && strings.Trim(pieces[last].text, "0123456789") == "") {
		fixed += pieces[last].text
		if fixed != "" && pieces[last].kind == zero {
			fixed += "0" // of a denominator such as 10
		}
		last++
	}
	mixed := false
	for _, p := range pieces[:first] {
		mixed = mixed || isPlace(p.kind)
	}
	value := n.value
	whole := 0.0
	if mixed {
		whole = math.Floor(value)
		value -= whole
	}
	var over, under int64
	if denominator, err := strconv.ParseInt(fixed, 10, 32); err == nil && denominator > 0 {
		over, under = int64(math.Round(value*float64(denominator))), denominator
	} else {
		over, under = nearest(value, int64(math.Pow10(min(last-l.slash-1, 6)))-1)
	}
	if mixed && over == under {
		whole, over = whole+1, 0
	}
	d := toDecimal(whole)
	inner := number{section: &section{pieces: pieces[:first]}}
	if mixed && whole == 0 && over != 0 {
		for _, p := range pieces[:first] {
			if p.kind == zero {
				dst = append(dst, '0')
			} else if p.kind == literal {
				dst = append(dst, p.text...)
			}
		}
	} else if mixed && whole == 0 {
		dst = append(dst, '0')
		dst = appendLiterals(dst, pieces[:first])
	} else {
		dst = inner.appendPieces(dst, inner.section.layout(), d, "")
	}
	width, lower := l.slash-first, last-l.slash-1
	if mixed && over == 0 {
		return append(dst, strings.Repeat(" ", width+1+max(lower, len(fixed)))...)
	}
	top := strconv.FormatInt(over, 10)
	dst = append(dst, strings.Repeat(" ", max(0, width-len(top)))...)
	dst = append(append(dst, top...), '/')
	bottom := strconv.FormatInt(under, 10)
	dst = append(dst, bottom...)
	if fixed == "" {
		dst = append(dst, strings.Repeat(" ", max(0, lower-len(bottom)))...)
	}
	return appendLiterals(dst, pieces[last:])
}

func appendLiterals(dst []byte, pieces []piece) []byte {
	for _, p := range pieces {
		if p.kind == literal {
			dst = append(dst, p.text...)
		}
	}
	return dst
}

// nearest is the fraction closest to a number not below 0, by continued fractions.
func nearest(v float64, maxUnder int64) (over, under int64) {
	if maxUnder < 1 {
		maxUnder = 9
	}
	var o0, u0, o1, u1 int64 = 0, 1, 1, 0
	for x, i := v, 0; i < 40; i++ {
		a := int64(math.Floor(x))
		if a*u1+u0 > maxUnder {
			break
		}
		o0, u0, o1, u1 = o1, u1, a*o1+o0, a*u1+u0
		rest := x - math.Floor(x)
		if rest < 1e-10 {
			break
		}
		x = 1 / rest
	}
	return o1, max(u1, 1)
}

// appendMoment appends a date, time or duration as the section shows it.
func (s *section) appendMoment(dst []byte, v float64, date1904 bool) []byte {
	unit := s.smallestUnit()
	if unit > 0 {
		v = math.Round(v*dayMillis/unit) * unit / dayMillis
	}
	m, ok := toMoment(v, date1904)
	negative := v < 0 && date1904
	if negative {
		m, ok = toMoment(-v, true)
	}
	if !ok {
		return append(dst, hashes...)
	}
	if negative {
		dst, v = append(dst, '-'), -v
	}
	seconds := int64(math.Floor(v*dayMillis/1000 + 1e-4))
	half := false
	for _, p := range s.pieces {
		half = half || p.kind == halfDay
	}
	for _, p := range s.pieces {
		dst = m.appendPiece(dst, p, half, seconds)
	}
	return dst
}

// smallestUnit is what times are rounded to, in milliseconds: minutes and above are cut off instead, 0.
func (s *section) smallestUnit() float64 {
	unit := 0.0
	for _, p := range s.pieces {
		switch p.kind {
		case second, elapsedSeconds:
			if unit == 0 {
				unit = 1000
			}
		case subsecond:
			unit = math.Pow10(3 - min(p.n, 3))
		}
	}
	return unit
}

func (m moment) appendPiece(dst []byte, p piece, half bool, seconds int64) []byte {
	inHour := m.millis / 60_000 % 60
	switch p.kind {
	case literal:
		return append(dst, p.text...)
	case year:
		if p.n <= 2 {
			return appendPadded(dst, m.year%100, 2)
		}
		return appendPadded(dst, m.year, 4)
	case month:
		name := time.Month(m.month).String()
		switch {
		case p.n <= 2:
			return appendPadded(dst, m.month, p.n)
		case p.n == 3:
			return append(dst, name[:3]...)
		case p.n == 5:
			return append(dst, name[0])
		}
		return append(dst, name...)
	case day:
		switch {
		case p.n <= 2:
			return appendPadded(dst, m.day, p.n)
		case p.n == 3:
			return append(dst, m.weekday.String()[:3]...)
		}
		return append(dst, m.weekday.String()...)
	case hour:
		h := m.millis / 3_600_000
		if half {
			h = (h+11)%12 + 1
		}
		return appendPadded(dst, h, min(p.n, 2))
	case minute:
		return appendPadded(dst, inHour, min(p.n, 2))
	case second:
		return appendPadded(dst, m.millis/1000%60, min(p.n, 2))
	case subsecond:
		fraction := appendPadded(nil, m.millis%1000, 3)
		for len(fraction) < p.n {
			fraction = append(fraction, '0')
		}
		return append(append(dst, '.'), fraction[:p.n]...)
	case halfDay:
		am, pm, _ := strings.Cut(p.text, "/")
		if m.millis < dayMillis/2 {
			return append(dst, am...)
		}
		return append(dst, pm...)
	case elapsedHours:
		return appendPadded(dst, int(seconds/3600), p.n)
	case elapsedMinutes:
		return appendPadded(dst, int(seconds/60), p.n)
	case elapsedSeconds:
		return appendPadded(dst, int(seconds), p.n)
	}
	return dst
}
