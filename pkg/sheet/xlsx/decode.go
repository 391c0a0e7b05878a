package xlsx

import (
	"bytes"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// appendDecoded appends XML text with its entities resolved and its line ends made LF.
func appendDecoded(dst, raw []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return appendLines(dst, raw), nil
		}
		dst = appendLines(dst, raw[:i])
		raw = raw[i+1:]
		end := bytes.IndexByte(raw[:min(len(raw), 12)], ';')
		if end < 1 {
			return dst, errSyntax
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
				return dst, errSyntax
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

// appendEscaped appends s with the _xHHHH_ escapes of spreadsheet strings resolved, once. Surrogates count in pairs.
func appendEscaped(dst, s []byte) []byte {
	for {
		i := bytes.Index(s, []byte("_x"))
		if i < 0 {
			return append(dst, s...)
		}
		unit, ok := escape(s[i:])
		r, n := rune(unit), escapeBytes
		if ok && 0xd800 <= unit && unit < 0xdc00 {
			low, paired := escape(s[i+escapeBytes:])
			ok = paired && 0xdc00 <= low && low < 0xe000
			r, n = (r-0xd800)<<10|(rune(low)-0xdc00)+0x10000, 2*escapeBytes
		}
		if ok = ok && utf8.ValidRune(r); !ok {
			dst = append(dst, s[:i+2]...)
			s = s[i+2:]
			continue
		}
		dst = utf8.AppendRune(append(dst, s[:i]...), r)
		s = s[i+n:]
	}
}

const escapeBytes = len("_x0000_")

// escape reads the escape at the head of s.
func escape(s []byte) (unit uint16, ok bool) {
	if len(s) < escapeBytes || s[0] != '_' || s[1] != 'x' || s[6] != '_' {
		return 0, false
	}
	for _, c := range s[2:6] {
		d := digit(c)
		if d < 0 {
			return 0, false
		}
		unit = unit<<4 | uint16(d)
	}
	return unit, true
}

// unescapedInPlace resolves the _xHHHH_ escapes in what was appended to dst behind from.
func unescapedInPlace(dst []byte, from int) []byte {
	if !bytes.Contains(dst[from:], []byte("_x")) {
		return dst
	}
	return appendEscaped(dst[:from], bytes.Clone(dst[from:]))
}

func trimmed(value []byte) []byte { return bytes.Trim(value, " \t\r\n") }
