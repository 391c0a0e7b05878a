package sheet

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"pgregory.net/rapid"
)

// written are encodings that tables are written in.
var written = []string{"utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be", "windows-1252", "iso-8859-2", "iso-8859-15", "iso-8859-16", "windows-1250",
	"windows-1251", "windows-1253", "koi8-r", "ibm852", "ibm855", "ibm866", "macintosh", "x-mac-cyrillic", "mac-centraleurope", "shift_jis", "euc-jp",
	"iso-2022-jp", "gbk", "gb18030", "big5", "euc-kr"}

// encode writes a text in an encoding; false means that it has characters that the encoding lacks.
func encode(text, name string) ([]byte, bool) {
	var e encoding.Encoding
	switch name {
	case "utf-8":
		return []byte(text), true
	case "utf-16le":
		e = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case "utf-16be":
		e = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case "utf-32le":
		e = utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)
	case "utf-32be":
		e = utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)
	case "ibm852":
		e = charmap.CodePage852
	case "ibm855":
		e = charmap.CodePage855
	case macCentralEurope:
		var b []byte
		for _, r := range text {
			if r < utf8.RuneSelf {
				b = append(b, byte(r))
			} else if i := slices.Index([]rune(centralEurope), r); i >= 0 {
				b = append(b, byte(0x80+i))
			} else {
				return nil, false
			}
		}
		return b, true
	default:
		var err error
		if e, err = encodingOf(name); err != nil {
			panic(err)
		}
	}
	b, err := e.NewEncoder().Bytes([]byte(text))
	if err != nil {
		return nil, false
	}
	back, err := e.NewDecoder().Bytes(b)
	return b, err == nil && string(back) == text
}

const letters = "abcXYZ 0129-._@éüßÄñœŠžŁąęőЖщюяΩλ日本語漢字カナ中文한글€£«»😀"

// alphabet is what can be written in an encoding.
func alphabet(name string) []rune {
	var all []rune
	for _, r := range letters {
		if _, ok := encode(string(r), name); ok {
			all = append(all, r)
		}
	}
	return all
}

// write makes a file of a table as its dialect has it.
func write(table [][]string, d Dialect, always bool) string {
	var b strings.Builder
	end := map[LineEnd]string{LF: "\n", CRLF: "\r\n", CR: "\r", AnyLineEnd: "\n"}[d.LineEnd]
	special := string(d.Delimiter) + "\r\n"
	if d.Quote != NoQuote {
		special += string(d.Quote)
	}
	if d.Escape != 0 {
		special += string(d.Escape)
	}
	for _, row := range table {
		for i, cell := range row {
			if i > 0 {
				b.WriteByte(d.Delimiter)
			}
			quoted := d.Quote != NoQuote && (always || strings.ContainsAny(cell, special))
			if quoted {
				b.WriteByte(d.Quote)
			}
			for _, r := range cell {
				if d.Escape != 0 && (byte(r) == d.Escape && r < 0x80 || r < 0x80 && strings.ContainsRune(special, r) && !quoted || r == rune(d.Quote)) {
					b.WriteByte(d.Escape)
				} else if quoted && r == rune(d.Quote) {
					b.WriteByte(d.Quote)
				}
				b.WriteRune(r)
			}
			if quoted {
				b.WriteByte(d.Quote)
			}
		}
		b.WriteString(end)
	}
	return b.String()
}

// readAll reads heading and rows; a row with a finding ends the test.
func readAll(t interface {
	Helper()
	Fatalf(string, ...any)
}, r io.Reader, o Options) (*File, [][]string) {
	t.Helper()
	f, err := Open(r, o)
	if err != nil {
		t.Fatalf("open %+v: %v", o.Dialect, err)
	}
	all := [][]string{f.Heading}
	p := f.Parser()
	for b, err := range f.Blocks() {
		if err != nil {
			t.Fatalf("read %+v: %v", f.Dialect, err)
		}
		p.Reset(b)
		for rec := p.Next(); rec != nil; rec = p.Next() {
			if rec.Code != "" || rec.Warning != "" {
				t.Fatalf("line %d: %s%s, column %d in %q of %+v", rec.Line, rec.Code, rec.Warning, rec.Column, rec.Raw, f.Dialect)
			}
			row := []string{}
			for _, c := range rec.Cells {
				row = append(row, string(c))
			}
			all = append(all, row)
		}
		if p.Err() != nil {
			t.Fatalf("parse: %v", p.Err())
		}
		b.Release()
	}
	if err := f.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return f, all
}

func TestWhatIsWrittenComesBack(t *testing.T) {
	t.Parallel()
	alphabets := map[string][]rune{}
	for _, name := range written {
		alphabets[name] = alphabet(name)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(written).Draw(t, "encoding")
		d := Dialect{
			Encoding:    name,
			Delimiter:   rapid.SampledFrom([]byte(",;\t|^~: ")).Draw(t, "delimiter"),
			Quote:       rapid.SampledFrom([]byte{'"', '\'', NoQuote}).Draw(t, "quote"),
			Escape:      rapid.SampledFrom([]byte{0, '\\'}).Draw(t, "escape"),
			LineEnd:     rapid.SampledFrom([]LineEnd{LF, CRLF, CR}).Draw(t, "line end"),
			HeadingLine: 1,
		}
		chars := append([]rune{'"', '\'', '\\', '\n', ',', ';', '\t', '|', '^', '~', ':'}, alphabets[name]...)
		if d.Quote == NoQuote && d.Escape == 0 {
			chars = slices.DeleteFunc(chars, func(r rune) bool { return r == '\n' || r == rune(d.Delimiter) })
		}
		width := rapid.IntRange(1, 6).Draw(t, "width")
		cell := rapid.Custom(func(t *rapid.T) string {
			return string(rapid.SliceOfN(rapid.SampledFrom(chars), 0, 12).Draw(t, "runes"))
		})
		var table [][]string
		for i := range rapid.IntRange(1, 12).Draw(t, "rows") {
			row := rapid.SliceOfN(cell, width, width).Draw(t, "row")
			row[0] = string(rune('A'+i)) + row[0] // no row is blank, none is the heading again
			table = append(table, row)
		}
		text := write(table, d, rapid.Bool().Draw(t, "always quoted"))
		if len(text) > 0 && rapid.Bool().Draw(t, "no last line end") {
			text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		}
		if rapid.Bool().Draw(t, "mark") && strings.HasPrefix(name, "utf-") {
			text = bom + text
		}
		file, ok := encode(text, name)
		if !ok {
			return // iso-2022-jp and the like have pairs that do not come back
		}
		limits := Limits{BlockBytes: rapid.IntRange(1, 200).Draw(t, "block"), RecordBytes: rapid.SampledFrom([]int{0, 2000}).Draw(t, "record")}
		_, got := readAll(t, iotest.HalfReader(bytes.NewReader(file)), Options{Dialect: d, Limits: limits})
		if diff := cmp.Diff(table, got); diff != "" {
			t.Fatalf("%q (-written +read):\n%s", text, diff)
		}
	})
}

// A table as programs export it is read right with nothing said.
func TestDialectsAreFound(t *testing.T) {
	t.Parallel()
	names := []string{"utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be", "windows-1252", "iso-2022-jp"}
	headings := []string{"First name", "Last name", "Email", "Phone", "Größe", "Straße", "Notes", "City"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "encoding")
		d := Dialect{
			Delimiter: rapid.SampledFrom([]byte(",;\t|")).Draw(t, "delimiter"),
			Quote:     rapid.SampledFrom([]byte{'"', '"', '"', '\''}).Draw(t, "quote"),
			LineEnd:   rapid.SampledFrom([]LineEnd{LF, CRLF, CR}).Draw(t, "line end"),
		}
		if rapid.IntRange(0, 3).Draw(t, "escapes") == 0 {
			d.Escape = '\\'
		}
		width := rapid.IntRange(2, len(headings)).Draw(t, "width")
		table := [][]string{headings[:width]}
		sampled := []string{"Ann", "O'Brien", "20 Main St", "a@example.com", "+1 202 555 0100", "1990-01-31", "12345", "Zoë", "Köln", "two\nlines", "said \"so\""}
		if name == "iso-2022-jp" {
			table[0] = []string{"First name", "Last name", "Email", "Phone", "Zip", "Street", "Notes", "City"}[:width]
			sampled = []string{"日本", "Ann", "カナ", "12345", "two\nlines"}
		}
		for i := range rapid.IntRange(3, 40).Draw(t, "rows") {
			row := rapid.SliceOfN(rapid.SampledFrom(sampled), width, width).Draw(t, "row")
			row[0] = string(rune('A'+i)) + string(d.Delimiter) + row[0]
			if d.Escape != 0 {
				row[0] = "\"q\" 'q'" + row[0]
			}
			table = append(table, row)
		}
		text := write(table, d, d.Quote == '\'' || rapid.Bool().Draw(t, "always quoted"))
		if strings.HasPrefix(name, "utf-32") || strings.HasPrefix(name, "utf-") && rapid.Bool().Draw(t, "mark") {
			text = bom + text
		}
		file, ok := encode(text, name)
		if !ok {
			t.Fatalf("%q cannot be written in %s", text, name)
		}
		f, got := readAll(t, bytes.NewReader(file), Options{})
		if diff := cmp.Diff(table, got); diff != "" {
			t.Fatalf("%s %q\n%+v (-written +read):\n%s", name, text, f.Dialect, diff)
		}
	})
}
