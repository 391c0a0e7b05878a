package numfmt

import (
	"math"
	"strconv"
)

// exactDigits is how many digits a spreadsheet program keeps and shows.
const exactDigits = 15

// decimal is a number as a spreadsheet program shows it: not negative, of at most 15 digits, 0.digits x 10^exponent.
type decimal struct {
	digits   []byte // without zeros at either end; none for 0
	exponent int
}

func toDecimal(v float64) decimal {
	if v == 0 {
		return decimal{}
	}
	text := strconv.AppendFloat(nil, math.Abs(v), 'e', exactDigits-1, 64) // d.dddddddddddddde±dd
	exponent, _ := strconv.Atoi(string(text[exactDigits+2:]))
	d := decimal{digits: append(text[:1:1], text[2:exactDigits+1]...), exponent: exponent + 1}
	d.trim()
	return d
}

func (d *decimal) trim() {
	for len(d.digits) > 0 && d.digits[len(d.digits)-1] == '0' {
		d.digits = d.digits[:len(d.digits)-1]
	}
	if len(d.digits) == 0 {
		d.exponent = 0
	}
}

// round rounds half up to that many places behind the point, which may be negative.
func (d *decimal) round(places int) {
	keep := d.exponent + places
	if keep >= len(d.digits) {
		return
	}
	if keep < 0 {
		*d = decimal{}
		return
	}
	up := d.digits[keep] >= '5'
	d.digits = d.digits[:keep]
	for i := keep - 1; up && i >= 0; i-- {
		if d.digits[i]++; d.digits[i] <= '9' {
			up = false
		} else {
			d.digits[i] = '0'
		}
	}
	if up {
		d.digits = append([]byte{'1'}, d.digits...)
		d.exponent++
	}
	d.trim()
}

// whole returns the digits before the point, none for 0.
func (d *decimal) whole() []byte {
	if d.exponent <= 0 {
		return nil
	}
	out := make([]byte, d.exponent)
	for i := range out {
		out[i] = d.at(i)
	}
	return out
}

// at is the digit at a place of digits, 0 beyond its ends.
func (d *decimal) at(i int) byte {
	if i < 0 || i >= len(d.digits) {
		return '0'
	}
	return d.digits[i]
}

// behind is the digit at a place behind the point, from 0.
func (d *decimal) behind(i int) byte { return d.at(d.exponent + i) }

// AppendGeneral appends a number as the format General shows it: in at most 11 characters and a sign.
func AppendGeneral(dst []byte, v float64) []byte {
	if v < 0 {
		dst = append(dst, '-')
	}
	d := toDecimal(v)
	if len(d.digits) == 0 {
		return append(dst, '0')
	}
	const width = 11
	if d.exponent <= width {
		fixed := d
		fixed.digits = append([]byte(nil), d.digits...)
		before := max(d.exponent, 1)
		fixed.round(min(max(width-1-before, 0), 9))
		exact := len(fixed.digits) > 0 && (d.exponent > -4 || len(fixed.digits) == len(d.digits))
		if exact && fixed.exponent <= width {
			return fixed.appendPlain(dst)
		}
	}
	d.round(6 - d.exponent)
	return d.appendScientific(dst)
}

func (d *decimal) appendPlain(dst []byte) []byte {
	if d.exponent <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, d.whole()...)
	}
	for i := 0; d.exponent+i < len(d.digits); i++ {
		if i == 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, d.behind(i))
	}
	return dst
}

func (d *decimal) appendScientific(dst []byte) []byte {
	dst = append(dst, d.at(0))
	if len(d.digits) > 1 {
		dst = append(append(dst, '.'), d.digits[1:]...)
	}
	exponent, sign := d.exponent-1, byte('+')
	if exponent < 0 {
		exponent, sign = -exponent, '-'
	}
	return appendPadded(append(dst, 'E', sign), exponent, 2)
}
