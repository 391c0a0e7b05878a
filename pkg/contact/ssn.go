package contact

import "github.com/contactmill/contactmill/pkg/contact/finding"

// AppendSSN appends a United States social security number as nine digits. Taken are NNNNNNNNN, NNN-NN-NNNN and
// NNN NN NNNN. Refused are numbers that were never issued: area 000, 666 and 900-999, group 00, serial 0000, and the
// few that are known from advertisements and forms. Source: Social Security Administration, "Social Security Number
// Randomization".
func AppendSSN(dst, cell []byte) ([]byte, Code) {
	base := len(dst)
	s, ok := asciiOf(trim(cell, false))
	if !ok {
		return dst, finding.SSNInvalid
	}
	switch len(s) {
	case 9:
		dst = append(dst, s...)
	case 11:
		if s[3] != s[6] || s[3] != '-' && s[3] != ' ' {
			return dst, finding.SSNInvalid
		}
		dst = append(append(append(dst, s[:3]...), s[4:6]...), s[7:]...)
	default:
		return dst, finding.SSNInvalid
	}
	n := dst[base:]
	for _, c := range n {
		if c-'0' > 9 {
			return dst[:base], finding.SSNInvalid
		}
	}
	if n[0] == '9' || string(n[:3]) == "000" || string(n[:3]) == "666" || string(n[3:5]) == "00" || string(n[5:]) == "0000" {
		return dst[:base], finding.SSNInvalid
	}
	switch string(n) {
	case "078051120", "219099999", "457555462", "123456789", "111111111", "333333333":
		return dst[:base], finding.SSNInvalid
	}
	return dst, ""
}
