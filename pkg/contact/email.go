package contact

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"golang.org/x/net/idna"
)

const (
	maxEmail  = 254 // RFC 5321, 4.5.3.1.3 less the angle brackets
	maxLocal  = 64
	maxDomain = 253
	maxLabel  = 63
)

// AppendEmail appends an email address in lower case: one bare addr-spec with an ASCII dot-atom before the @ and a
// domain after it, the latter as A-labels. Display names, comments, quoted local parts, address literals, spaces and
// controls inside are refused; spaces around are cut. A domain without a dot is refused unless it is a country's top
// level, which alone may have mail exchangers, and then remarked. The local part is lower-cased too, as every large
// provider treats it so.
func AppendEmail(dst, cell []byte) ([]byte, Code) {
	cell = trim(cell, false)
	base := len(dst)
	at := bytes.IndexByte(cell, '@')
	if at <= 0 || at == len(cell)-1 || len(cell) > 4*maxEmail {
		return dst, finding.EmailInvalid
	}
	dst, ok := appendLocal(dst, cell[:at])
	if !ok {
		return dst[:base], finding.EmailInvalid
	}
	dst = append(dst, '@')
	domain := cell[at+1:]
	dst, kind := appendDomain(dst, domain)
	var code Code
	switch kind {
	case domainForeign:
		if dst, code = appendForeignDomain(dst[:base+at+1], domain); code.Failed() {
			return dst[:base], code
		}
	case domainBad:
		return dst[:base], finding.EmailInvalid
	case domainBare:
		code = finding.EmailNoDot
	}
	if at > maxLocal || len(dst)-base > maxEmail {
		return dst[:base], finding.EmailTooLong
	}
	return dst, code
}

// localBytes is atext of RFC 5322 in lower case, and the dot; 0 for all other bytes.
var localBytes = func() (t [256]byte) {
	for _, c := range []byte("!#$%&'*+-/=?^_`{|}~.0123456789abcdefghijklmnopqrstuvwxyz") {
		t[c] = c
	}
	for c := byte('A'); c <= 'Z'; c++ {
		t[c] = c + 'a' - 'A'
	}
	return t
}()

func appendLocal(dst, s []byte) ([]byte, bool) {
	base := len(dst)
	dst = append(dst, s...)
	prev := byte('.')
	for i, c := range dst[base:] {
		l := localBytes[c]
		if l == 0 || l == '.' && prev == '.' {
			return dst, false
		}
		dst[base+i] = l
		prev = l
	}
	return dst, prev != '.'
}

type domainKind uint8

const (
	domainGood domainKind = iota
	domainBare            // a country's top level, no dot
	domainForeign
	domainBad
)

// hostBytes is the letters, digits, hyphen and dot of a domain in lower case; 0 for all other bytes.
var hostBytes = func() (t [256]byte) {
	for _, c := range []byte("-.0123456789abcdefghijklmnopqrstuvwxyz") {
		t[c] = c
	}
	for c := byte('A'); c <= 'Z'; c++ {
		t[c] = c + 'a' - 'A'
	}
	return t
}()

// appendDomain appends a domain of letters, digits and hyphens in lower case. Anything beyond ASCII, and labels in
// punycode, it leaves to the tables of IDNA.
func appendDomain(dst, s []byte) ([]byte, domainKind) {
	base := len(dst)
	dst = append(dst, s...)
	out := dst[base:]
	label, dots, wordy := 0, 0, false // where the label begins; whether it is more than a number
	prev := byte('.')
	for i, c := range out {
		l := hostBytes[c]
		out[i] = l
		switch {
		case l >= 'a':
			wordy = true
		case l >= '0':
		case l == '-':
			if prev == '.' {
				return dst, domainBad
			}
			if i == label+3 && prev == '-' && out[label] == 'x' && out[label+1] == 'n' {
				return dst, domainForeign
			}
			wordy = true
		case l == '.':
			if prev == '.' || prev == '-' || i-label > maxLabel {
				return dst, domainBad
			}
			label, wordy = i+1, false
			dots++
		case c >= utf8.RuneSelf:
			return dst, domainForeign
		default:
			return dst, domainBad
		}
		prev = l
	}
	switch {
	case prev == '.' || prev == '-' || len(out)-label > maxLabel, !wordy, len(out) > maxDomain:
		return dst, domainBad
	case dots == 0:
		if len(out) != 2 || countryOf(out[0]&^0x20, out[1]&^0x20) == 0 && string(out) != "uk" {
			return dst, domainBad
		}
		return dst, domainBare
	}
	return dst, domainGood
}

// appendForeignDomain appends the A-labels of an internationalised domain (UTS 46, non-transitional).
func appendForeignDomain(dst, s []byte) ([]byte, Code) {
	base := len(dst)
	if !utf8.Valid(s) {
		return dst, finding.InvalidUTF8
	}
	ascii, err := idna.Lookup.ToASCII(string(s))
	if err != nil || len(ascii) > maxDomain {
		return dst, finding.EmailInvalid
	}
	dst = append(dst, ascii...)
	labels, last, dots := 0, base, 0
	for i := base; i <= len(dst); i++ {
		if i < len(dst) && dst[i] != '.' {
			c := dst[i]
			if c-'a' >= 26 && c-'0' >= 10 && c != '-' {
				return dst[:base], finding.EmailInvalid
			}
			labels++
			continue
		}
		if labels == 0 || labels > maxLabel || dst[last] == '-' || dst[i-1] == '-' {
			return dst[:base], finding.EmailInvalid
		}
		if i < len(dst) {
			dots, last = dots+1, i+1
		}
		labels = 0
	}
	if dots == 0 || allDigits(dst[last:]) {
		return dst[:base], finding.EmailInvalid
	}
	shown, err := idna.Lookup.ToUnicode(ascii)
	if err != nil {
		return dst[:base], finding.EmailInvalid
	}
	if mixedScript(shown) {
		return dst, finding.EmailMixedScript
	}
	return dst, ""
}

// mixedScript reports whether a label of the domain draws on several scripts, apart from the mixtures of Japanese and
// Korean (and Latin beside them), which are everyday writing.
func mixedScript(domain string) bool {
	const latin, cyrillic, greek, east, other = 1, 2, 4, 8, 16
	seen := 0
	for _, r := range domain + "." {
		switch {
		case r == '.':
			if seen&(seen-1) != 0 && seen != latin|east {
				return true
			}
			seen = 0
		case r < utf8.RuneSelf && unicode.IsLetter(r), unicode.Is(unicode.Latin, r):
			seen |= latin
		case unicode.Is(unicode.Cyrillic, r):
			seen |= cyrillic
		case unicode.Is(unicode.Greek, r):
			seen |= greek
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo):
			seen |= east
		case unicode.IsLetter(r):
			seen |= other
		}
	}
	return false
}
