package sheet

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// charset is an encoding by its name.
type charset struct {
	name   string
	form   form
	table  *[256][]byte // of a charset of single bytes: what each is in UTF-8; nil where there is no character
	ascii  bool         // the lower half of the table is ASCII
	double encoding.Encoding
}

// form is how the bytes of an encoding make characters.
type form uint8

const (
	asUTF8 form = iota
	asUTF16LE
	asUTF16BE
	asUTF32LE
	asUTF32BE
	asSingle
	asDouble // of one or more, by x/text
)

// defaultLegacy is the charset of text that is neither UTF-8 nor UTF-16 where the account says nothing.
const defaultLegacy = "windows-1252"

// unicodes are the forms of Unicode.
var unicodes = map[string]form{"utf-8": asUTF8, "utf-16le": asUTF16LE, "utf-16be": asUTF16BE, "utf-32le": asUTF32LE, "utf-32be": asUTF32BE}

// otherwise are names that people use and neither the web's index nor IANA's has in this sense.
var otherwise = map[string]string{
	"utf8": "utf-8", "utf-8-sig": "utf-8", "utf16": "utf-16le", "utf-16": "utf-16le", "utf16le": "utf-16le", "utf16be": "utf-16be", "unicode": "utf-16le",
	"utf32": "utf-32le", "utf-32": "utf-32le", "utf32le": "utf-32le", "utf32be": "utf-32be", "ascii": "utf-8", "us-ascii": "utf-8",
	"ansi": defaultLegacy, "mac-roman": "macintosh", "macroman": "macintosh", "mac-cyrillic": "x-mac-cyrillic", "maccyrillic": "x-mac-cyrillic",
	"mac-latin2": macCentralEurope, "maccentraleurope": macCentralEurope, "x-mac-ce": macCentralEurope, "x-mac-centraleurope": macCentralEurope,
	"sjis": "shift_jis", "cp932": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5", "hz-gb-2312": "hz-gb-2312",
}

const macCentralEurope = "mac-centraleurope"

// centralEurope are the characters of bytes 0x80 to 0xff of Apple's charset for Central Europe, which x/text lacks.
const centralEurope = "ÄĀāÉĄÖÜáąČäčĆćéŹźĎíďĒēĖóėôöõúĚěü†°Ę£§•¶ß®©™ę¨≠ģĮįĪ≤≥īĶ∂∑łĻļĽľĹĺŅņŃ¬√ńŇ∆«»…\u00a0ňŐÕőŌ–—“”‘’÷◊ōŔŕŘ‹›řŖŗŠ‚„šŚśÁŤťÍŽžŪÓÔūŮÚůŰűŲųÝýķŻŁżĢˇ"

// charsetOf finds an encoding by any of its names.
func charsetOf(name string) (*charset, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if n, ok := otherwise[name]; ok {
		name = n
	}
	if f, ok := unicodes[name]; ok {
		return &charset{name: name, form: f}, nil
	}
	if name == macCentralEurope {
		t := new([256][]byte)
		for c := range 0x80 {
			t[c] = []byte{byte(c)}
		}
		c := 0x80
		for _, r := range centralEurope {
			t[c] = []byte(string(r))
			c++
		}
		return &charset{name: name, form: asSingle, table: t, ascii: true}, nil
	}
	e, err := encodingOf(name)
	if err != nil || e == nil {
		return nil, &Refusal{Code: finding.EncodingNotRead}
	}
	if canonical, err := htmlindex.Name(e); err == nil {
		name = canonical
	}
	if f, ok := unicodes[name]; ok {
		return &charset{name: name, form: f}, nil
	}
	if m, ok := e.(*charmap.Charmap); ok {
		t := tableOf(m, strings.HasPrefix(name, "windows-"))
		ascii := true
		for c := range utf8.RuneSelf {
			ascii = ascii && string(t[c]) == string(rune(c))
		}
		return &charset{name: name, form: asSingle, table: t, ascii: ascii}, nil
	}
	return &charset{name: name, form: asDouble, double: e}, nil
}

// encodingOf looks in the web's index, which knows what people mean, then in IANA's. Encodings that only stand for a
// refusal, or depend on a byte order mark, are none.
func encodingOf(name string) (encoding.Encoding, error) {
	if name == "hz-gb-2312" {
		return simplifiedchinese.HZGB2312, nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		for _, index := range []*ianaindex.Index{ianaindex.IANA, ianaindex.MIME} {
			if e, err = index.Encoding(name); err == nil && e != nil {
				break
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if e == encoding.Replacement || e == charmap.XUserDefined || e == encoding.Nop {
		return nil, nil
	}
	if e == unicode.UTF8 {
		return unicode.UTF8, nil
	}
	return e, nil
}

// tableOf makes a table of a charset. The web reads the bytes that a Windows charset does not have as control characters;
// here they are none.
func tableOf(m *charmap.Charmap, windows bool) *[256][]byte {
	t := new([256][]byte)
	for c := range 256 {
		r := m.DecodeByte(byte(c))
		if r == utf8.RuneError || windows && r >= 0x80 && r < 0xa0 {
			continue
		}
		t[c] = []byte(string(r))
	}
	return t
}
