package contact

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// restore undoes what is certain without asking the type's own rules: quotes around the cell, scientific notation, the .0 of
// a number that has no decimals. A code that fails says that there is no value, or that digits are lost.
func restore(t Type, s []byte) ([]byte, Code) {
	var code Code
	for bare, ok := unquote(t, s); ok; bare, ok = unquote(t, s) {
		s, code = bare, finding.QuotesRemoved
	}
	if len(s) == 0 || spreadsheetError(s) {
		return s, finding.SpreadsheetError
	}
	if !digital(t) || len(s) < 3 {
		return s, code
	}
	if whole, ok := bytes.CutSuffix(s, []byte(".0")); ok && t != TypeNumber && allDigits(bytes.TrimPrefix(whole, []byte("+"))) {
		if len(whole) > maxExact {
			return s, finding.DigitsLost
		}
		return whole, finding.PointZeroRemoved
	}
	digits, fraction, exponent, ok := scientific(s)
	if !ok || t != TypeNumber && fraction == 0 && bytes.IndexByte(s, '+') < 0 {
		return s, code // 7E10 may be a name as well as a number
	}
	if fraction != exponent || len(digits) > maxExact {
		return s, finding.ScientificRounded
	}
	return digits, finding.ScientificRepaired
}

// maxExact is how many digits a spreadsheet keeps of a number.
const maxExact = 15

// digital names the types that are digits first of all, and that spreadsheets therefore take for numbers.
func digital(t Type) bool {
	switch t {
	case TypeID, TypePhone, TypeSSN, TypeZip, TypeVAT, TypeNumber, TypeBirthDate, TypeDate, TypeBoolean, TypeCriterion:
		return true
	}
	return false
}

// scientific takes apart a number such as 1.5551234567E+10: one digit, perhaps decimals, and a positive exponent. fraction
// is how many decimals there are; when they are as many as the exponent, no digit was dropped.
func scientific(s []byte) (digits []byte, fraction, exponent int, ok bool) {
	e := bytes.IndexAny(s, "eE")
	if e < 1 || e == 2 || e > 40 || e+1 == len(s) || s[0]-'0' > 9 {
		return nil, 0, 0, false
	}
	power := s[e+1:]
	if power[0] == '+' {
		power = power[1:]
	}
	if len(power) == 0 || len(power) > 3 || !allDigits(power) {
		return nil, 0, 0, false
	}
	for _, c := range power {
		exponent = exponent*10 + int(c-'0')
	}
	digits = append(digits, s[0])
	if e > 1 {
		if s[1] != '.' && s[1] != ',' || !allDigits(s[2:e]) {
			return nil, 0, 0, false
		}
		digits = append(digits, s[2:e]...)
	}
	return digits, e - min(e, 2), exponent, true
}

// unquote takes off what text programs put around a value to keep a spreadsheet's hands off it, or leave there by mistake:
// ="0123", quotes of any shape on both sides, an apostrophe before it.
func unquote(t Type, s []byte) ([]byte, bool) {
	if len(s) > 3 && s[0] == '=' && s[1] == '"' && s[len(s)-1] == '"' && bytes.IndexByte(s[2:len(s)-1], '"') < 0 {
		return trim(s[2:len(s)-1], true), true
	}
	if len(s) < 2 {
		return s, false
	}
	first, a := utf8.DecodeRune(s)
	last, z := utf8.DecodeLastRune(s)
	if a+z <= len(s) {
		closes := false
		switch first {
		case '"', '\'':
			closes = last == first
		case 0x201C:
			closes = last == 0x201D
		case 0x201E:
			closes = last == 0x201C || last == 0x201D
		case 0x2018:
			closes = last == 0x2019
		case 0x201A:
			closes = last == 0x2018 || last == 0x2019
		case 0xAB:
			closes = last == 0xBB
		}
		if inside := s[a : len(s)-z]; closes && !bytes.ContainsRune(inside, first) && !bytes.ContainsRune(inside, last) {
			return trim(inside, true), true
		}
	}
	if (first == '\'' || first == 0x2019) && t != TypeEmail {
		return trim(s[a:], true), true
	}
	return s, false
}

// restoreZip puts a zero before a code that is one digit shorter than all codes of its country, where some begin with it, and
// two where all begin with two.
func restoreZip(dst, cell []byte, rules Rules) ([]byte, bool) {
	s := trim(cell, false)
	lengths, zeros := zeroZips(rules.Country)
	if len(s) == 0 || len(s) > 10 || lengths == 0 || s[0] == '0' {
		return dst, false
	}
	digits := len(s)
	if i := bytes.IndexByte(s, '-'); i >= 0 && lengths == 5 && len(s)-i == 5 { // 2138-0001
		digits = i
	}
	nine := lengths == 5 && digits == 9-zeros && rules.Cell == CellNumber // 21380001
	if digits != lengths-zeros && !nine || !allDigits(s[:digits]) {
		return dst, false
	}
	var buf [16]byte
	out, code := AppendZip(dst, append(append(buf[:0], "00"[:zeros]...), s...), rules.Country)
	return out, code == ""
}

// restorePhone puts a zero before bare digits that are no number of the country without it: in Italy, for one, it belongs to
// the number. The library decides about both.
func (n *Normaliser) restorePhone(dst, cell []byte, rules Rules) ([]byte, bool) {
	s := trim(cell, false)
	if len(s) < 5 || len(s) > maxExact || s[0] == '0' || !allDigits(s) || !n.Phones.keepsZero(rules.Country) {
		return dst, false
	}
	var buf [maxExact + 1]byte
	out, code := n.Phones.Append(dst, append(append(buf[:0], '0'), s...), rules.Country)
	return out, code == ""
}

// restoreCode finds the only code of the book that is a number cell's digits with zeros before them.
func restoreCode(dst []byte, spec *Spec, cell []byte, rules Rules) ([]byte, bool) {
	if rules.Cell != CellNumber || !allDigits(cell) {
		return dst, false
	}
	found := -1
	for i, e := range spec.Codes {
		if len(e.Code) <= len(cell) || e.Retired {
			continue
		}
		if zeros := e.Code[:len(e.Code)-len(cell)]; e.Code[len(zeros):] == string(cell) && strings.Trim(zeros, "0") == "" {
			if found >= 0 {
				return dst, false
			}
			found = i
		}
	}
	if found < 0 {
		return dst, false
	}
	return append(dst, spec.Codes[found].Code...), true
}

// monthAndNumber reports whether a value is what a spreadsheet shows of a code such as 1-2 or MAR1 that it took for a day.
func monthAndNumber(s []byte) bool {
	if len(s) < 5 || len(s) > 6 {
		return false
	}
	number, month, ok := bytes.Cut(s, []byte("-"))
	if ok && len(month) == 2 {
		number, month = month, number
	}
	if !ok || len(month) != 3 || month[0]-'A' >= 26 || !allDigits(number) {
		return false
	}
	switch string(month) {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mrz", "Mai", "Okt", "Dez":
		return true
	}
	return false
}
