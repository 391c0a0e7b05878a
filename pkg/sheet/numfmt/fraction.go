package numfmt

import (
	"math"
	"strconv"
	"strings"
)

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
