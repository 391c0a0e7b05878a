package contact

import (
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// maxDigits is how many digits a number may have on both sides of its decimal sign.
const maxDigits = 40

// mark is a sign between the digits of a number. Spaces of all widths are ' ', apostrophes of all shapes '\”.
type mark struct {
	sign byte
	at   int // digits before it
}

// AppendNumber appends a decimal number with a point before its decimals and without thousands, zeros that say nothing, plus
// sign or negative zero. Signs between the digits are told apart as people write them: 1,234.5 and 1.234,5 and 1 234,5 and
// 1'234.5 and 12,34,567 can be read in one way each. A single point is taken to stand before decimals, as programs write it.
// A single comma with three digits behind it can be either, and is refused unless decimal, '.' or ',', says what this column
// has before its decimals. Exponents, underscores, hexadecimal digits, words and the minus of typography are refused.
func AppendNumber(dst, cell []byte, decimal byte) ([]byte, Code) {
	s := trim(cell, false)
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	var digits [maxDigits]byte
	var marks [maxDigits]mark
	n, m := 0, 0
	for i := 0; i < len(s); {
		c, size := s[i], 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRune(s[i:])
			switch {
			case r == 0xA0, r == 0x202F, r == 0x2007, r == 0x2009:
				c = ' '
			case r == 0x2019, r == 0x2018, r == 0x02BC:
				c = '\''
			case r >= 0xFF10 && r <= 0xFF19:
				c = '0' + byte(r-0xFF10)
			}
		}
		i += size
		switch {
		case c-'0' < 10:
			if n == len(digits) {
				return dst, finding.TooLong
			}
			digits[n] = c
			n++
		case c == '.' || c == ',' || c == ' ' || c == '\'':
			if m == len(marks) {
				return dst, finding.NumberInvalid
			}
			marks[m] = mark{c, n}
			m++
		default:
			return dst, finding.NumberInvalid
		}
	}
	whole, code := wholeDigits(digits[:n], marks[:m], decimal)
	if code != "" {
		return dst, code
	}
	return appendDecimal(dst, negative, digits[:whole], digits[whole:n]), ""
}

// wholeDigits tells how many digits stand before the decimals.
func wholeDigits(digits []byte, marks []mark, decimal byte) (int, Code) {
	n, m := len(digits), len(marks)
	if n == 0 || m > 0 && marks[m-1].at == n {
		return 0, finding.NumberInvalid
	}
	if m == 0 {
		return n, ""
	}
	last := marks[m-1]
	same := 0
	for _, k := range marks {
		if k.sign == last.sign {
			same++
		}
	}
	switch {
	case last.sign == ' ' || last.sign == '\'' || same > 1:
		if same < m || last.sign == decimal || !grouped(digits, marks) {
			return 0, finding.NumberInvalid
		}
		return n, ""
	case m > 1: // groups of one sign, then decimals after another
		if decimal != 0 && decimal != last.sign || !grouped(digits[:last.at], marks[:m-1]) {
			return 0, finding.NumberInvalid
		}
		return last.at, ""
	case decimal == last.sign || decimal == 0 && last.sign == '.':
		return last.at, ""
	case decimal != 0:
		if !grouped(digits, marks) {
			return 0, finding.NumberInvalid
		}
		return n, ""
	case grouped(digits, marks):
		return 0, finding.NumberAmbiguous
	}
	return last.at, ""
}

// grouped reports whether marks of one sign set off the thousands, or as in India the thousands and then hundreds.
func grouped(digits []byte, marks []mark) bool {
	m := len(marks)
	if m == 0 {
		return true
	}
	first := marks[0].at
	if first < 1 || first > 3 || digits[0] == '0' || len(digits)-marks[m-1].at != 3 {
		return false
	}
	step := 3
	if m > 1 && marks[0].sign == ',' && marks[1].at-first == 2 && first < 3 {
		step = 2
	}
	for i := 1; i < m; i++ {
		if marks[i].sign != marks[0].sign || marks[i].at-marks[i-1].at != step {
			return false
		}
	}
	return true
}

func appendDecimal(dst []byte, negative bool, whole, part []byte) []byte {
	for len(whole) > 0 && whole[0] == '0' {
		whole = whole[1:]
	}
	for len(part) > 0 && part[len(part)-1] == '0' {
		part = part[:len(part)-1]
	}
	if negative && len(whole)+len(part) > 0 {
		dst = append(dst, '-')
	}
	if len(whole) == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, whole...)
	if len(part) > 0 {
		dst = append(append(dst, '.'), part...)
	}
	return dst
}

// NumberEvidence gathers what a column's cells say about the sign before their decimals. The zero value is empty.
type NumberEvidence struct {
	point, comma int64
}

// Add looks at one cell. Only those count that can be read in one way.
func (e *NumberEvidence) Add(cell []byte) {
	var buf [2 * maxDigits]byte
	_, point := AppendNumber(buf[:0], cell, '.')
	_, comma := AppendNumber(buf[:0], cell, ',')
	switch {
	case point == "" && comma != "":
		e.point++
	case comma == "" && point != "":
		e.comma++
	}
}

// Merge adds other evidence of the same column.
func (e *NumberEvidence) Merge(other NumberEvidence) {
	e.point += other.point
	e.comma += other.comma
}

// Decimal is the sign before the column's decimals, '.' or ','; 0 when the cells do not say, or contradict each other.
func (e *NumberEvidence) Decimal() byte {
	switch {
	case e.point > overwhelming*e.comma:
		return '.'
	case e.comma > overwhelming*e.point:
		return ','
	}
	return 0
}
