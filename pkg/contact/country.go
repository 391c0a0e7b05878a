package contact

import (
	"bytes"
	"strings"
)

// Country is a country or territory of ISO 3166-1; the zero value is none. Kosovo has its usual XK; Ascension and Tristan da
// Cunha, whose codes are reserved, have numbering plans and zip codes of their own.
type Country uint16

// secondLetters holds, by first letter, the second letters of the assigned codes.
var secondLetters = [26]string{
	"CDEFGILMOQRSTUWXZ", "ABDEFGHIJLMNOQRSTVWYZ", "ACDFGHIKLMNORUVWXYZ", "EJKMOZ", "CEGHRST", "IJKMOR",
	"ABDEFGHILMNPQRSTUWY", "KMNRTU", "DELMNOQRST", "EMOP", "EGHIMNPRWYZ", "ABCIKRSTUVY",
	"ACDEFGHKLMNOPQRSTUVWXYZ", "ACEFGILOPRUZ", "M", "AEFGHKLMNRSTWY", "A", "EOSUW",
	"ABCDEGHIJKLMNORSTVXYZ", "ACDFGHJKLMNORTVWZ", "AGMSYZ", "ACEGINU", "FS", "K", "ET", "AMW",
}

func countryOf(a, b byte) Country {
	if a-'A' >= 26 || b-'A' >= 26 || strings.IndexByte(secondLetters[a-'A'], b) < 0 {
		return 0
	}
	return Country(a-'A')*26 + Country(b-'A') + 1
}

// CountryByCode returns the country with an ISO alpha-2 code, in any case, or 0.
func CountryByCode(code string) Country {
	if len(code) != 2 {
		return 0
	}
	return countryOf(code[0]&^0x20, code[1]&^0x20)
}

// String returns the ISO alpha-2 code, or the empty string for none.
func (c Country) String() string {
	if c == 0 {
		return ""
	}
	return string(c.Append(nil))
}

// Append appends the ISO alpha-2 code; nothing for none.
func (c Country) Append(dst []byte) []byte {
	if c == 0 {
		return dst
	}
	return append(dst, byte('A'+(c-1)/26), byte('A'+(c-1)%26))
}

// countryByCode reads a cell of exactly two letters.
func countryByCode(cell []byte) Country {
	cell = bytes.TrimSpace(cell)
	if len(cell) != 2 {
		return 0
	}
	return countryOf(cell[0]&^0x20, cell[1]&^0x20)
}
