package contact

import (
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// AppendBoolean appends true or false. Read are the words for yes, no, true and false, and their usual letters, in English,
// German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian and Chinese, on and off, 1 and 0, x and the tick and
// cross of a form. Whatever a language does not have for this alone is refused: a French o, for one, looks like a zero.
func AppendBoolean(dst, cell []byte) ([]byte, Code) {
	var buf [32]byte
	word, ok := foldWord(buf[:0], trim(cell, false))
	if !ok {
		return dst, finding.BooleanInvalid
	}
	switch string(word) {
	case "true", "yes", "y", "t", "1", "x", "on", // English
		"ja", "j", "wahr", "oui", "vrai", "si", "s", "v", "verdadero", "vero", "sim", "verdadeiro", "waar", "tak", "prawda",
		"да", "д", "истина", "是", "真", "对", "對", "✓", "✔", "☑", "☒", "✅":
		return append(dst, "true"...), ""
	case "false", "no", "n", "f", "0", "off",
		"nein", "falsch", "non", "faux", "falso", "nao", "nee", "onwaar", "nie", "falsz",
		"нет", "н", "ложь", "否", "假", "错", "錯", "✗", "✘", "☐", "❌":
		return append(dst, "false"...), ""
	}
	return dst, finding.BooleanInvalid
}

// AppendAuthorisation appends what a person allows: True, False, or Empty for a decision that is taken back. The words are
// those of the import template and no others: a consent is never guessed.
func AppendAuthorisation(dst, cell []byte) ([]byte, Code) {
	switch string(trim(cell, false)) {
	case "True", "TRUE", "true", "T", "t":
		return append(dst, "True"...), ""
	case "False", "FALSE", "false", "F", "f":
		return append(dst, "False"...), ""
	case "Empty":
		return append(dst, "Empty"...), ""
	}
	return dst, finding.AuthorisationWord
}

// foldWord appends a single word folded, or a single sign as it is; false for anything longer than a word of these.
func foldWord(dst, cell []byte) ([]byte, bool) {
	if len(cell) > 24 {
		return dst, false
	}
	for i, c := range cell {
		switch {
		case c-'A' < 26:
			c += 'a' - 'A'
		case c-'a' < 26, c-'0' < 10:
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(cell[i:])
			if i == 0 && size == len(cell) && unicode.Is(unicode.So, r) {
				return append(dst[:0], cell...), true
			}
			for _, r := range string(cell) {
				if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
					return dst, false
				}
			}
			return AppendFolded(dst[:0], cell), true
		default:
			return dst, false
		}
		dst = append(dst, c)
	}
	return dst, true
}
