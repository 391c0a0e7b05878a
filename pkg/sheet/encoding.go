package sheet

import (
	"bytes"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const bom = "\ufeff"

// marks of byte order, those of four bytes first, for two of them begin like others.
var boms = [...]struct {
	bytes string
	name  string
}{
	{"\xff\xfe\x00\x00", "utf-32le"},
	{"\x00\x00\xfe\xff", "utf-32be"},
	{"\x84\x31\x95\x33", "gb18030"},
	{bom, "utf-8"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

// recognised is what the head of a file says of its encoding.
type recognised struct {
	charset  *charset
	evidence Evidence
	mark     int // bytes of the byte order mark
}

// recognise settles the encoding: by what was given, by a byte order mark, by where zero bytes stand, by the escape
// sequences of ISO 2022, by being valid UTF-8, and else the legacy charset, which is a guess.
func recognise(head []byte, complete bool, given, legacy string) (recognised, error) {
	if given != "" {
		c, err := charsetOf(given)
		if err != nil {
			return recognised{}, err
		}
		mark := 0
		for _, b := range boms {
			if b.name == c.name && bytes.HasPrefix(head, []byte(b.bytes)) {
				mark = len(b.bytes)
			}
		}
		return recognised{c, EvidenceGiven, mark}, nil
	}
	for _, b := range boms {
		if bytes.HasPrefix(head, []byte(b.bytes)) {
			return named(b.name, EvidenceBOM, len(b.bytes))
		}
	}
	if name := zeros(head, complete); name == "utf-32" {
		return recognised{}, &Refusal{Code: finding.EncodingUTF32}
	} else if name != "" {
		return named(name, EvidenceUTF16, 0)
	}
	good, bad := sequences(head, complete)
	switch {
	case good+bad == 0 && escapes(head):
		return named("iso-2022-jp", EvidenceEscapes, 0)
	case good+bad == 0:
		return named("utf-8", EvidenceASCII, 0)
	case good >= bad: // some rows may be damaged, but no other encoding looks like it
		return named("utf-8", EvidenceUTF8, 0)
	}
	if legacy == "" {
		legacy = defaultLegacy
	}
	return named(legacy, EvidenceDefault, 0)
}

func named(name string, e Evidence, mark int) (recognised, error) {
	c, err := charsetOf(name)
	return recognised{c, e, mark}, err
}

// sequences counts the characters beyond ASCII that are valid UTF-8, and the bytes that are not. One that the head cuts
// off counts for neither.
func sequences(head []byte, complete bool) (good, bad int) {
	for i := 0; i < len(head); {
		if head[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(head[i:])
		switch {
		case r != utf8.RuneError || n > 1:
			good++
		case !complete && !utf8.FullRune(head[i:]):
			return good, bad
		default:
			bad++
		}
		i += n
	}
	return good, bad
}

// escapes tells whether text of seven bits switches to a Japanese charset and back.
func escapes(head []byte) bool {
	to, back := false, false
	for rest := head; ; {
		i := bytes.IndexByte(rest, 0x1b)
		if i < 0 || i+3 > len(rest) {
			return to && back
		}
		switch string(rest[i+1 : i+3]) {
		case "$B", "$@":
			to = true
		case "(B", "(J":
			back = true
		}
		rest = rest[i+1:]
	}
}

// zeros knows UTF-16 without a byte order mark by its zero bytes, which text in other encodings does not have: they stand
// on one side of the pairs, for ASCII and for line ends at least, and read so, all pairs are characters.
func zeros(head []byte, complete bool) string {
	if bytes.IndexByte(head, 0) < 0 {
		return ""
	}
	if len(head)%2 != 0 && complete {
		return ""
	}
	little, big := pairs(head, 1), pairs(head, 0)
	switch units := len(head) / 2; {
	case little.fits(units) && little.ascii > 4*big.ascii:
		return "utf-16le"
	case big.fits(units) && big.ascii > 4*little.ascii:
		return "utf-16be"
	case bytes.Count(head, []byte{0}) > len(head)/2 && len(head) >= 8:
		return "utf-32"
	}
	return ""
}

// reading16 counts what pairs of bytes are when read as UTF-16.
type reading16 struct {
	ascii    int
	feeds    int // of them
	doubled  int // that would be two characters of ASCII
	controls int
	alone    int // halves of surrogates
}

// fits tells whether it can be text: some of it ASCII, nearly nothing that no text has, and not mostly what other text
// makes of its pairs, with a zero byte here and there. The last pair may be half of one.
func (p reading16) fits(units int) bool {
	return p.ascii > 0 && p.ascii >= units/50 && p.controls <= units/1000 && p.alone <= 1+units/1000 && p.doubled <= units*6/10 && (p.feeds > 0 || p.ascii > units/2)
}

func pairs(head []byte, hi int) (p reading16) {
	for i := 0; i+2 <= len(head); i += 2 {
		h, l := head[i+hi], head[i+1-hi]
		if isASCII(h) && isASCII(l) {
			p.doubled++
		}
		switch {
		case h == 0 && l == '\n', h == 0 && l == '\r':
			p.ascii++
			p.feeds++
		case h == 0 && (l >= ' ' && l < 0x7f || l == '\t'):
			p.ascii++
		case h == 0 && l < 0xa0 && l != 0x1a:
			p.controls++
		case h&0xfc == 0xd8:
			if i+4 <= len(head) && head[i+2+hi]&0xfc == 0xdc {
				i += 2
			} else {
				p.alone++
			}
		case h&0xfc == 0xdc, h == 0xff && l >= 0xfe:
			p.alone++
		}
	}
	return p
}

func isASCII(c byte) bool { return c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t' }
