package contact

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// AppendFolded appends a name in the form names are compared by: NFKC, full case folding, accents stripped, letters
// that no accent makes (ø, ł, đ, ı, æ, œ, þ, ð) spelled in Latin, and everything but letters and digits left out.
// "O'Brien" and "OBRIEN", "Müller" and "muller" come out alike; "Mueller" does not.
//
// The result is hashed and stored as part of a key: a change here makes old keys unreachable.
func AppendFolded(dst, name []byte) []byte {
	base := len(dst)
	for _, c := range name {
		switch {
		case c >= utf8.RuneSelf:
			return appendFoldedUnicode(dst[:base], name)
		case c-'A' < 26:
			dst = append(dst, c+'a'-'A')
		case c-'a' < 26, c-'0' < 10:
			dst = append(dst, c)
		}
	}
	return dst
}

func appendFoldedUnicode(dst, name []byte) []byte {
	folded := cases.Fold().Bytes(norm.NFKC.Bytes(name))
	for _, r := range string(norm.NFKD.Bytes(folded)) {
		switch r {
		case 'ø':
			dst = append(dst, 'o')
		case 'ł':
			dst = append(dst, 'l')
		case 'đ', 'ð':
			dst = append(dst, 'd')
		case 'ı':
			dst = append(dst, 'i')
		case 'æ':
			dst = append(dst, "ae"...)
		case 'œ':
			dst = append(dst, "oe"...)
		case 'þ':
			dst = append(dst, "th"...)
		default:
			if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.In(r, unicode.Mc) {
				dst = utf8.AppendRune(dst, r)
			}
		}
	}
	return dst
}

// AppendNameBirthZip appends the text of the fall-back key: folded first and last name, birth date and zip, set apart
// by unit separators. It reports false, and appends nothing, when one of them is missing: three of four would bring
// strangers together. zip is a normal form; of a nine-digit US code the first five digits count.
func AppendNameBirthZip(dst, first, last []byte, birth Date, zip []byte) ([]byte, bool) {
	base := len(dst)
	if len(zip) == 0 {
		return dst, false
	}
	dst = AppendFolded(dst, first)
	n := len(dst)
	dst = append(dst, 0x1f)
	dst = AppendFolded(dst, last)
	if n == base || len(dst) == n+1 {
		return dst[:base], false
	}
	dst = append(dst, 0x1f)
	dst = birth.AppendISO(dst)
	dst = append(dst, 0x1f)
	if len(zip) == 10 && zip[5] == '-' && allDigits(zip[:5]) && allDigits(zip[6:]) {
		zip = zip[:5]
	}
	return AppendFolded(dst, zip), true
}
