package xlsx

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

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
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return uint16(n), err == nil
}

// unescapedInPlace resolves the _xHHHH_ escapes in what was appended to dst behind from.
func unescapedInPlace(dst []byte, from int) []byte {
	if !bytes.Contains(dst[from:], []byte("_x")) {
		return dst
	}
	return appendEscaped(dst[:from], bytes.Clone(dst[from:]))
}

func trimmed(value []byte) []byte { return bytes.Trim(value, " \t\r\n") }
