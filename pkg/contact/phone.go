package contact

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/nyaruka/phonenumbers"
)

// Phones normalises phone numbers to E.164. Most numbers are decided by automata that are compiled from the metadata
// of libphonenumber, region by region when first needed; the rest goes to the library itself, which is the measure of
// both: what the automata take, it takes, with the same result, and what they refuse it refuses. One Phones serves any number of goroutines and is
// worth sharing: it compiles for a tenth of a second, all told, and holds less than a megabyte.
type Phones struct {
	plans plans
}

// NewPhones returns a normaliser of phone numbers without having compiled anything yet.
func NewPhones() *Phones { return &Phones{} }

// maxPhoneText is the longest cell that is looked at; libphonenumber has the same.
const maxPhoneText = 250

// Append appends a phone number as + and digits. country is assumed for numbers without a country code; 0 demands one.
// Letters of vanity numbers become digits. A number that is possible but in no range that is given out is invalid; so
// is a cell with two numbers. A number with an extension is refused as such: E.164 has no place for it, and without it
// all of a company's people would have one phone.
func (p *Phones) Append(dst, cell []byte, country Country) ([]byte, Code) {
	p.plans.load()
	switch out, v := p.plans.append(dst, cell, country); v {
	case valid:
		return out, ""
	case invalid:
		return dst, finding.PhoneInvalid
	}
	return p.slow(dst, cell, country)
}

// slow asks the library, after the cell has been brought to ASCII and the forms have been refused that it would read
// too kindly.
func (p *Phones) slow(dst, cell []byte, country Country) ([]byte, Code) {
	s, ok := asciiOf(trim(cell, false))
	if !ok || len(s) > maxPhoneText {
		if !utf8.Valid(cell) {
			return dst, finding.InvalidUTF8
		}
		return dst, finding.PhoneInvalid
	}
	digits := 0
	for _, c := range s {
		if c < ' ' || c == 0x7f {
			return dst, controlCode(c)
		}
		if c-'0' < 10 {
			digits++
		}
	}
	if digits < 2 || !phoneStart(s) {
		return dst, finding.PhoneInvalid
	}
	region := "ZZ"
	if p.plans.known(country) {
		region = country.String()
	} else if bytes.IndexByte(s, '+') < 0 {
		return dst, finding.PhoneNoCountry
	}
	number, err := phonenumbers.Parse(string(s), region)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return dst, finding.PhoneInvalid
	}
	if number.GetExtension() != "" {
		return dst, finding.PhoneExtension
	}
	if bytes.ContainsAny(s, ",;&|") || bytes.LastIndexByte(s, '+') > bytes.IndexAny(s, "0123456789") {
		return dst, finding.PhoneInvalid // the library would keep the first of two numbers
	}
	return append(dst, phonenumbers.Format(number, phonenumbers.E164)...), ""
}

// phoneStart reports whether what stands before the first digit or plus is nothing but punctuation or a word for
// telephone.
func phoneStart(s []byte) bool {
	first := bytes.IndexAny(s, "+0123456789")
	if first < 0 {
		return false
	}
	switch strings.ToLower(string(bytes.Trim(s[:first], " .:([-"))) {
	case "", "tel", "phone", "ph", "t", "p", "m", "mob", "mobile", "cell", "telephone", "fon", "telefon":
		return true
	}
	return false
}

// keepsZero reports whether a leading zero belongs to numbers of the country.
func (p *Phones) keepsZero(country Country) bool {
	p.plans.load()
	if !p.plans.known(country) {
		return false
	}
	one := p.plans.regions[country].compile()
	return one.valid.next[1][0] != 0
}
