package markup

import (
	"bytes"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// AppendDecoded appends XML text with its entities resolved and its line ends made LF.
func AppendDecoded(dst, raw []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return appendLines(dst, raw), nil
		}
		dst = appendLines(dst, raw[:i])
		raw = raw[i+1:]
		end := bytes.IndexByte(raw[:min(len(raw), 12)], ';')
		if end < 1 {
			return dst, ErrDamaged
		}
		switch name := raw[:end]; {
		case string(name) == "amp":
			dst = append(dst, '&')
		case string(name) == "lt":
			dst = append(dst, '<')
		case string(name) == "gt":
			dst = append(dst, '>')
		case string(name) == "quot":
			dst = append(dst, '"')
		case string(name) == "apos":
			dst = append(dst, '\'')
		case name[0] == '#':
			r, ok := reference(name[1:])
			if !ok {
				return dst, ErrDamaged
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return dst, &finding.FileRefusal{Code: finding.WorkbookUnsafe}
		}
		raw = raw[end+1:]
	}
}

// reference is the character of a numeric reference. NUL and surrogates are none.
func reference(digits []byte) (rune, bool) {
	base := rune(10)
	if len(digits) > 0 && digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	var r rune
	for _, c := range digits {
		d := digit(c)
		if d < 0 || d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, r != 0 && utf8.ValidRune(r)
}

// digit is the value of a hexadecimal digit, -1 for none.
func digit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// appendLines appends text with CR LF and CR made LF, as XML has it.
func appendLines(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\r')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(append(dst, raw[:i]...), '\n')
		raw = raw[i+1:]
		if len(raw) > 0 && raw[0] == '\n' {
			raw = raw[1:]
		}
	}
}

// AppendText appends the current text, decoded.
func (r *Reader) AppendText(dst []byte) ([]byte, error) {
	if r.verbatim {
		return appendLines(dst, r.content), nil
	}
	return AppendDecoded(dst, r.content)
}
