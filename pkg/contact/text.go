package contact

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"golang.org/x/text/unicode/norm"
)

// AppendText appends one line of text: trimmed of white space of any script, in NFC. NUL, line breaks and tabs are refused;
// other control characters are kept, with a remark. maxRunes and maxBytes bound the result; 0 means no bound.
func AppendText(dst, cell []byte, maxRunes, maxBytes int) ([]byte, Code) {
	return appendText(dst, cell, maxRunes, maxBytes, false)
}

// AppendLines is AppendText for values of several lines: line breaks are kept, CR LF and CR as LF, tabs become spaces.
func AppendLines(dst, cell []byte, maxRunes, maxBytes int) ([]byte, Code) {
	return appendText(dst, cell, maxRunes, maxBytes, true)
}

func appendText(dst, cell []byte, maxRunes, maxBytes int, lines bool) ([]byte, Code) {
	dst, code, _ := appendTextRemark(dst, cell, maxRunes, maxBytes, lines)
	return dst, code
}

// appendTextRemark tells beside if the text is everyday writing, which holds nothing that cannot be seen.
func appendTextRemark(dst, cell []byte, maxRunes, maxBytes int, lines bool) (out []byte, code Code, everyday bool) {
	cell = trim(cell, true)
	if maxBytes > 0 && len(cell) > 4*maxBytes {
		return dst, finding.TooLong, true // before any work: normal forms shrink text by less than that
	}
	base := len(dst)
	runes := len(cell)
	if everyday = printable(cell); everyday {
		dst = append(dst, cell...)
	} else if runes, everyday = everydayText(cell); everyday {
		dst = append(dst, cell...)
	} else {
		if dst, code = appendUnicode(dst, cell, lines); code.Failed() {
			return dst[:base], code, false
		}
		runes = utf8.RuneCount(dst[base:])
	}
	if maxRunes > 0 && runes > maxRunes || maxBytes > 0 && len(dst)-base > maxBytes {
		return dst[:base], finding.TooLong, everyday
	}
	return dst, code, everyday
}

// printable reports whether all bytes are printable ASCII.
func printable(s []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		d := w ^ 0x7f*ones
		if (w|(w-' '*ones)&^w|(d-ones)&^d)&tops != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// everydayText counts the runes of text that is printable ASCII and whole letters of Latin, Greek, Cyrillic, Kana, Han and
// Hangul: each of these is its own normal form whatever stands beside it. It reports false when there is anything else.
func everydayText(s []byte) (runes int, ok bool) {
	for i := 0; i < len(s); runes++ {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return 0, false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case r >= 0xC0 && r < 0x300, r >= 0x38E && r < 0x483, r >= 0x48A && r < 0x530, r >= 0x1E00 && r < 0x1F00, r >= 0x3041 && r < 0x3097,
			r >= 0x30A1 && r < 0x30FF, r >= 0x4E00 && r < 0xA000, r >= 0xAC00 && r < 0xD7A4:
		default:
			return 0, false
		}
		i += size
	}
	return runes, true
}

func appendUnicode(dst, cell []byte, lines bool) ([]byte, Code) {
	base, code := len(dst), Code("")
	for i := 0; i < len(cell); {
		r, size := utf8.DecodeRune(cell[i:])
		if r == utf8.RuneError && size < 2 {
			return dst, finding.InvalidUTF8
		}
		if unicode.IsControl(r) && !(lines && (r == '\n' || r == '\t' || r == '\r')) {
			if r == 0 || unicode.IsSpace(r) {
				return dst, controlCode(byte(r))
			}
			code = finding.ControlKept
		}
		i += size
	}
	dst = appendNFC(dst, cell)
	if !lines {
		return dst, code
	}
	w := base
	for i := base; i < len(dst); i++ {
		c := dst[i]
		switch c {
		case '\t':
			c = ' '
		case '\r':
			if i+1 < len(dst) && dst[i+1] == '\n' {
				continue
			}
			c = '\n'
		}
		dst[w] = c
		w++
	}
	return dst[:w], code
}

// appendNFC keeps what is appended from combining with what dst ends in: a cell may begin with a combining mark.
func appendNFC(dst, cell []byte) []byte {
	switch {
	case norm.NFC.IsNormal(cell):
		return append(dst, cell...)
	case norm.NFC.Properties(cell).BoundaryBefore():
		return norm.NFC.Append(dst, cell...)
	}
	return append(dst, norm.NFC.Bytes(cell)...)
}

func controlCode(c byte) Code {
	if c == 0 {
		return finding.NULByte
	}
	return finding.ControlCharacter
}

// AppendID appends an identifier that somebody else gave: an external id or an account number. Trimmed, NFC, case kept,
// inner spaces kept; invisible characters (zero width, byte order mark, soft hyphen) are removed wherever they stand, and
// spaces of fixed width made plain ones, for an id that was pasted with one would otherwise make a second contact.
func AppendID(dst, cell []byte, maxRunes, maxBytes int) ([]byte, Code) {
	base := len(dst)
	dst, code, everyday := appendTextRemark(dst, cell, 0, maxBytes, false)
	if code == finding.ControlKept {
		return dst[:base], finding.ControlCharacter
	}
	if code != "" {
		return dst, code
	}
	if everyday {
		if maxRunes > 0 && len(dst)-base > maxRunes && utf8.RuneCount(dst[base:]) > maxRunes {
			return dst[:base], finding.TooLong
		}
		return dst, ""
	}
	w := base
	for i := base; i < len(dst); {
		if dst[i] < utf8.RuneSelf {
			dst[w] = dst[i]
			w, i = w+1, i+1
			continue
		}
		r, size := utf8.DecodeRune(dst[i:])
		switch {
		case r == 0xA0 || r == 0x2007 || r == 0x202F:
			dst[w] = ' '
			w++
		case !invisible(r):
			w += copy(dst[w:], dst[i:i+size])
		}
		i += size
	}
	if w < len(dst) { // what stood on both sides may combine, or be a space at the edge
		code = finding.InvisibleCharacter
		dst = appendNFC(dst[:base], bytes.Clone(trim(dst[base:w], true)))
		if len(dst) == base {
			return dst, "" // there was nothing else
		}
	}
	if maxRunes > 0 && len(dst)-base > maxRunes && utf8.RuneCount(dst[base:]) > maxRunes {
		return dst[:base], finding.TooLong
	}
	return dst, code
}

// AppendContactID appends a contact's own id, a UUID, in the lower-case form with hyphens. Braces are not taken.
func AppendContactID(dst, cell []byte) ([]byte, Code) {
	cell = trim(cell, false)
	base := len(dst)
	if len(cell) != 36 && len(cell) != 32 {
		return dst, finding.ContactIDInvalid
	}
	for i, c := range cell {
		if len(cell) == 36 && (i == 8 || i == 13 || i == 18 || i == 23) {
			if c != '-' {
				return dst[:base], finding.ContactIDInvalid
			}
			continue
		}
		switch {
		case c-'0' < 10, c-'a' < 6:
		case c-'A' < 6:
			c += 'a' - 'A'
		default:
			return dst[:base], finding.ContactIDInvalid
		}
		if n := len(dst) - base; n == 8 || n == 13 || n == 18 || n == 23 {
			dst = append(dst, '-')
		}
		dst = append(dst, c)
	}
	return dst, ""
}

// Blank reports whether a cell holds nothing but white space and invisible characters. A blank cell never changes
// anything.
func Blank(cell []byte) bool {
	return len(cell) == 0 || (cell[0] <= ' ' || cell[0] >= utf8.RuneSelf) && len(trim(cell, true)) == 0
}

// trim cuts white space of any script and invisible characters off both ends; CR and LF only when breaks is set.
func trim(s []byte, breaks bool) []byte {
	for len(s) > 0 {
		c := s[0]
		if c < utf8.RuneSelf {
			if c == ' ' || c == '\t' || breaks && (c == '\n' || c == '\r' || c == '\v' || c == '\f') {
				s = s[1:]
				continue
			}
			break
		}
		r, size := utf8.DecodeRune(s)
		if !unicode.IsSpace(r) && !blankRune(r) {
			break
		}
		s = s[size:]
	}
	for len(s) > 0 {
		c := s[len(s)-1]
		if c < utf8.RuneSelf {
			if c == ' ' || c == '\t' || breaks && (c == '\n' || c == '\r' || c == '\v' || c == '\f') {
				s = s[:len(s)-1]
				continue
			}
			break
		}
		r, size := utf8.DecodeLastRune(s)
		if !unicode.IsSpace(r) && !blankRune(r) {
			break
		}
		s = s[:len(s)-size]
	}
	return s
}

// blankRune names what looks like nothing at the edge of a cell without being white space to Unicode.
func blankRune(r rune) bool {
	switch r {
	case 0x200B, 0x2060, 0xFEFF:
		return true
	}
	return false
}

// invisible names the characters that show nothing and have no business inside a key.
func invisible(r rune) bool {
	switch {
	case r == 0xAD, r == 0x34F, r == 0x61C, r == 0x180E, r == 0xFEFF:
		return true
	case r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
		return true
	}
	return false
}

// asciiOf brings a cell of digits, Latin letters and punctuation to ASCII: full width as plain, the dashes and slashes of
// typography as '-' and '/', spaces of all widths as ' ', invisible characters dropped. It reports false when anything else
// is left, digits of other scripts, raised ones and fractions for some. ASCII comes back as it is, without a copy.
func asciiOf(cell []byte) ([]byte, bool) {
	i := 0
	for i < len(cell) && cell[i] < utf8.RuneSelf {
		i++
	}
	if i == len(cell) {
		return cell, true
	}
	if !utf8.Valid(cell) || len(cell) > 1024 {
		return nil, false
	}
	plain := make([]byte, 0, len(cell))
	for i := 0; i < len(cell); {
		r, size := utf8.DecodeRune(cell[i:])
		i += size
		switch {
		case r < utf8.RuneSelf:
		case invisible(r):
			continue
		case r >= 0xFF01 && r <= 0xFF5E:
			r -= 0xFF01 - '!'
		case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0x2043, r == 0x30FC, r == 0xFF70, r == 0xFE63, r == 0xFE58:
			r = '-'
		case r == 0x2044, r == 0x2215:
			r = '/'
		case unicode.IsSpace(r):
			r = ' '
		default:
			return nil, false
		}
		plain = append(plain, byte(r))
	}
	return trim(plain, false), true
}
