package report

import (
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/sheet"
)

const hex = "0123456789abcdef"

// appendCell appends a cell of a CSV file: made inert, made UTF-8, quoted where it must be.
//
// Inert: what begins with a character that makes a spreadsheet compute, after any number of apostrophes, gets one
// apostrophe more. An import takes exactly one away again, so every cell comes back as it was. UTF-8: a NUL and a byte
// that is no UTF-8 are written as \x00 and \xHH, for such a file could not be read by anybody; its row is INVALID anyway.
func appendCell(b, cell []byte) []byte {
	inert, quote, escape := sheet.Computes(cell), false, !utf8.Valid(cell)
	for i, c := range cell {
		switch c {
		case '"', ',', '\r', '\n':
			quote = true
		case ' ':
			quote = quote || i == 0 || i == len(cell)-1
		case 0:
			escape = true
		}
	}
	if quote {
		b = append(b, '"')
	}
	if inert {
		b = append(b, '\'')
	}
	switch {
	case !quote && !escape:
		b = append(b, cell...)
	default:
		b = appendEscaped(b, cell)
	}
	if quote {
		b = append(b, '"')
	}
	return b
}

func appendEscaped(b, cell []byte) []byte {
	for i := 0; i < len(cell); {
		r, n := utf8.DecodeRune(cell[i:])
		switch {
		case r == 0 || r == utf8.RuneError && n == 1:
			b = append(b, '\\', 'x', hex[cell[i]>>4], hex[cell[i]&15])
		case r == '"':
			b = append(b, '"', '"')
		default:
			b = append(b, cell[i:i+n]...)
		}
		i += n
	}
	return b
}
