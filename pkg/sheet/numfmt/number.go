package numfmt

import (
	"math"
	"strconv"
)

// AppendNumber appends the shortest decimal of a stored number. What is no number is appended as it is, AsText.
func AppendNumber(dst, raw []byte) ([]byte, Reading) {
	if plain, ok := appendPlain(dst, raw); ok {
		return plain, AsNumber
	}
	value, ok := Parse(raw)
	switch {
	case !ok:
		return append(dst, raw...), AsText
	case value == 0:
		return append(dst, '0'), AsNumber // without a minus
	case math.Abs(value) >= 1e15:
		return strconv.AppendFloat(dst, value, 'f', -1, 64), AsRounded
	}
	return strconv.AppendFloat(dst, value, 'f', -1, 64), AsNumber
}

// appendPlain appends a number of at most 15 digits and without exponent, which is its own shortest decimal but for zeros
// at its ends.
func appendPlain(dst, raw []byte) ([]byte, bool) {
	i, from := 0, len(dst)
	negative := len(raw) > 0 && raw[0] == '-'
	if negative {
		i++
	}
	for i+1 < len(raw) && raw[i] == '0' && raw[i+1] != '.' {
		i++
	}
	start, point := i, -1
	for ; i < len(raw); i++ {
		if c := raw[i]; c == '.' && point < 0 {
			point = i
		} else if c < '0' || c > '9' {
			return dst, false
		}
	}
	digits := i - start
	if point >= 0 {
		digits--
	}
	if digits < 1 || digits > exactDigits {
		return dst, false
	}
	end := i
	if point >= 0 {
		for end > point && (raw[end-1] == '0' || raw[end-1] == '.') {
			end--
			if raw[end] == '.' {
				break
			}
		}
	}
	if negative {
		dst = append(dst, '-')
	}
	if start == end || raw[start] == '.' {
		dst = append(dst, '0')
	}
	dst = append(dst, raw[start:end]...)
	if string(dst[from:]) == "-0" {
		dst = append(dst[:from], '0')
	}
	return dst, true
}

// Parse reads a stored number: decimal, with or without exponent, and finite.
func Parse(raw []byte) (float64, bool) {
	for _, c := range raw {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	value, err := strconv.ParseFloat(string(raw), 64)
	return value, err == nil
}
