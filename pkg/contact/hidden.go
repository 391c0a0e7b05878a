package contact

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// hidden names what looks like a plain space, or like nothing, and is neither.
func hidden(r rune) bool {
	switch r {
	case 0xA0, 0xAD, 0x2007, 0x200B, 0x202F, 0x2060, 0xFEFF:
		return true
	}
	return false
}

// anyHidden reports whether there is something in a text that cannot be seen, marks of the direction of writing included.
func anyHidden(s []byte) bool {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if hidden(r) || r >= 0x200E && r <= 0x200F || r >= 0x202A && r <= 0x202E {
			return true
		}
		i += size
	}
	return false
}

// hiddenEdges reports whether cutting the cell down to inner cut off more than plain white space.
func hiddenEdges(cell, inner []byte) bool {
	if len(cell) == len(inner) || len(inner) == 0 {
		return false
	}
	start := bytes.Index(cell, inner)
	return !ascii(cell[:start]) || !ascii(cell[start+len(inner):])
}

// plainText is the cell without characters that show nothing and with plain spaces for those of fixed width; false when it
// has none of them. Marks of the direction of writing are kept in addresses, which are refused for them; fixed spaces in
// numbers, where they stand between the thousands.
func plainText(t Type, cell []byte) ([]byte, bool) {
	drops := func(r rune) bool {
		return r >= utf8.RuneSelf && (hidden(r) && (t != TypeNumber || !unicode.IsSpace(r)) || t != TypeEmail && invisible(r))
	}
	if ascii(cell) || bytes.IndexFunc(cell, drops) < 0 {
		return cell, false
	}
	out := make([]byte, 0, len(cell))
	for i := 0; i < len(cell); {
		r, size := utf8.DecodeRune(cell[i:])
		switch {
		case !drops(r):
			out = append(out, cell[i:i+size]...)
		case unicode.IsSpace(r):
			out = append(out, ' ')
		}
		i += size
	}
	return out, true
}

func ascii(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s)&0x8080808080808080 != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
