package xlsx

import (
	"math"
	"strconv"
)

// exactDigits is how many digits a spreadsheet program keeps.
const exactDigits = 15

// appendNumber appends the shortest decimal of a stored number. What is no number is appended as it is, as Text.
func appendNumber(dst, raw []byte) ([]byte, Kind) {
	if plain, ok := appendPlain(dst, raw); ok {
		return plain, Number
	}
	value, ok := parseNumber(raw)
	if !ok {
		return append(dst, raw...), Text
	}
	kind := Number
	if math.Abs(value) >= 1e15 {
		kind = Rounded
	}
	return appendValue(dst, value), kind
}

// appendValue appends the shortest decimal that is the value.
func appendValue(dst []byte, value float64) []byte {
	if value == 0 {
		return append(dst, '0')
	}
	return strconv.AppendFloat(dst, value, 'f', -1, 64)
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

// parseNumber reads a stored number: decimal, with or without exponent, and finite.
func parseNumber(raw []byte) (float64, bool) {
	for _, c := range raw {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	value, err := strconv.ParseFloat(string(raw), 64)
	return value, err == nil
}
