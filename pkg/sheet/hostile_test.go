package sheet_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
)

// hostile is one file that somebody may send, and what becomes of it.
type hostile struct {
	number  string // in the list of promises
	in      string
	dialect sheet.Dialect
	refused sheet.Code
	rows    []string // each its cells joined by |, or !code and its line
	heading string   // if it is not a|b
	warned  sheet.Code
}

func TestHostileTables(t *testing.T) {
	t.Parallel()
	utf16 := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			b.WriteByte(byte(r))
			b.WriteByte(byte(r >> 8))
		}
		return b.String()
	}
	for _, c := range []hostile{
		{number: "25 png", in: "\x89PNG\r\n\x1a\n", refused: finding.FileIsImage},
		{number: "25 elf", in: "\x7fELF\x02\x01\x01", refused: finding.FileIsProgram},
		{number: "25 pdf", in: "%PDF-1.7\n", refused: finding.FileIsPDF},
		{number: "25 html", in: "<!DOCTYPE html><table>", refused: finding.FileIsMarkup},
		{number: "25 html in UTF-16", in: utf16("\ufeff<html><body>"), refused: finding.FileIsMarkup},
		{number: "25 old excel", in: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", refused: finding.FileIsOldExcel},
		{number: "28 gzip cut short", in: gzipped("a,b\n" + strings.Repeat("1,2\n", 9))[:30], refused: finding.ArchiveDamaged},
		{number: "27 gzip in gzip", in: gzipped(gzipped("a,b\n1,2\n")), refused: finding.ArchiveNested},
		{number: "30 gzip", in: gzipped("a,b\n") + gzipped("1,2\n"), rows: []string{"1|2"}},
		{number: "35 byte order mark", in: "\ufeffa,b\n1,2\n", rows: []string{"1|2"}},
		{number: "35 byte order mark and quotes", in: "\ufeff\"a\",b\n1,2\n", rows: []string{"1|2"}},
		{number: "36 utf-16", in: utf16("a,b\n1,é\n"), rows: []string{"1|é"}},
		{number: "36 utf-32 without mark", in: "a\x00\x00\x00,\x00\x00\x00b\x00\x00\x00", refused: finding.EncodingUTF32},
		{number: "37 windows-1252", in: "a,b\n1,\xe9\n", rows: []string{"1|é"}, warned: finding.EncodingAssumed},
		{number: "38 invalid UTF-8", in: "a,b\né,1\n1,\xe9\n3,4\n", rows: []string{"é|1", "!invalid-utf8 3", "3|4"}},
		{number: "39 NUL", in: "a,b\n1,\x00\n3,4\n", rows: []string{"!nul-byte 2", "3|4"}},
		{number: "40 overlong and surrogates", in: "a,b\né,é\né,é\né,é\n1,\xc0\x80\n2,\xed\xa0\xbd\n", rows: []string{"é|é", "é|é", "é|é", "!invalid-utf8 5", "!invalid-utf8 6"}},
		{number: "42 mark only", in: "\ufeff", refused: finding.FileEmpty},
		{number: "42 line ends only", in: "\r\n\n\n", refused: finding.FileEmpty},
		{number: "42 heading only", in: "a,b", rows: []string{}},
		{number: "43 Ctrl-Z at the end", in: "a,b\n1,2\n\x1a", rows: []string{"1|2"}},
		{number: "43 Ctrl-Z within", in: "a,b\n1,\x1a\n3,4\n", rows: []string{"1|\x1a", "3|4"}},
		{number: "45 open quote", in: "a,b\n1,\"x\n2,y\n3,z\n", rows: []string{"!quote-open 2", "2|y", "3|z"}},
		{number: "46 a record without end", in: "a,b\n1,\"" + strings.Repeat("x", 2<<20), refused: finding.RecordTooLong},
		{number: "47 commas", in: "a,b\n" + strings.Repeat(",", 2<<20), refused: finding.RecordTooLong},
		{number: "47 columns", in: "a,b\n" + strings.Repeat(",", 300) + "\n", refused: finding.TooManyColumns},
		{number: "48 a line of 70 kB", in: "a,b\n1," + strings.Repeat("x", 60<<10) + "\n2,y\n", rows: []string{"1|" + strings.Repeat("x", 60<<10), "2|y"}},
		{number: "49 CR", in: "a,b\r1,2\r3,4", rows: []string{"1|2", "3|4"}},
		{number: "49 mixed ends", in: "a,b\n1,2\r3,4\r\n5,6\r", rows: []string{"1|2", "3|4", "5|6"}},
		{number: "50 CR LF in quotes", in: "a,b\n1,\"x\r\ny\"\n", rows: []string{"1|x\ny"}},
		{number: "51 quotes astray", in: "a,b\nx\"y,1\n\"x\"y,1\n \"x\",1\n3,4\n", rows: []string{"!quote-stray 2", "!quote-stray 3", "!quote-stray 4", "3|4"}},
		{number: "53 short and long", in: "a,b\n1\n1,2,\n1,2,3\n", rows: []string{"1|", "1|2", "!row-long 4"}},
		{number: "54 semicolons", in: "a;b\n1,5;2\n", rows: []string{"1,5|2"}},
		{number: "54 tabs", in: "a\tb\n1\t2\n", rows: []string{"1|2"}},
		{number: "54 pipes", in: "a|b\n1|2\n", rows: []string{"1|2"}},
		{number: "54 sep", in: "sep=;\r\na;b\r\n1;2\r\n", rows: []string{"1|2"}},
		{number: "54 ambiguous", in: "a,b;c\n1,2;3\n", refused: finding.DelimiterAmbiguous},
		{number: "55 headings as they are", in: "Email,email,,<b>,=1\n1,2,3,4,5\n", heading: "Email|email||<b>|=1", rows: []string{"1|2|3|4|5"}},
		{number: "57 heading again", in: "a,b\n1,2\na,b\n3,4\n", rows: []string{"1|2", "!heading-repeated 3", "3|4"}},
		{number: "59 blank lines", in: "a,b\n\n1,2\n\n\n3,\"\n", rows: []string{"1|2", "!quote-open 6"}},
		{number: "60 commas only", in: "a,b\n,\n1,2\n", rows: []string{"1|2"}},
		{number: "61 comments are data", in: "a,b\n#1,2\n", rows: []string{"#1|2"}},
		{number: "62 a cell of 64 KiB and one", in: "a,b\n1," + strings.Repeat("x", 64<<10+1) + "\n2,y\n", rows: []string{"!cell-too-long 2", "2|y"}},
		{number: "62 a cell of 10 MB", in: "a,b\n1," + strings.Repeat("x", 10<<20) + "\n2,y\n", refused: finding.RecordTooLong},
		{number: "63 null words", in: "a,b\n\\N,\\.\nNULL,N/A\n", rows: []string{`\N|\.`, "NULL|N/A"}},
		{number: "64 line feeds in a cell", in: "a,b\n1,\"" + strings.Repeat("\n", 10_000) + "\"\n2,\"\n", rows: []string{"1|" + strings.Repeat("\n", 10_000), "!quote-open 10003"}},
		{number: "title lines", in: "People of 2024\n\na,b\n1,2\n3,4\n", rows: []string{"1|2", "3|4"}, warned: finding.TitleLines},
		{number: "title lines padded", in: "People,,\n,,\nname,phone,city\nann,1,york\n", heading: "name|phone|city", rows: []string{"ann|1|york"}, warned: finding.TitleLines},
		{number: "title said to be the heading", in: "People\na,b\n1,2\n", dialect: sheet.Dialect{HeadingLine: 1, Delimiter: ','}, heading: "People", rows: []string{"!row-long 2", "!row-long 3"}},
		{number: "heading line said", in: "x,y\na,b\n1,2\n", dialect: sheet.Dialect{HeadingLine: 2}, rows: []string{"1|2"}, warned: finding.TitleLines},
		{number: "a heading narrower than its rows", in: "name,city\nann,york,x\nbob,rome,y\n", heading: "name|city", rows: []string{"!row-long 2", "!row-long 3"}},
		{number: "a heading narrower than its numbers", in: "name,city\nann,york,1\nbob,rome,2\n", heading: "name|city", rows: []string{"!row-long 2", "!row-long 3"}},
		{number: "a title of two cells", in: "Report, 2024\nname,phone,city\nann,1,york\n", heading: "name|phone|city", rows: []string{"ann|1|york"}, warned: finding.TitleLines},
		{number: "one column with decimal commas", in: "price\n1,5\n2,7\n3,9\n", heading: "price", rows: []string{"1,5", "2,7", "3,9"}},
		{number: "one column of sentences", in: "notes\nhello, world\nwell, well\n", heading: "notes", rows: []string{"hello, world", "well, well"}},
		{number: "delimiters behind the rows", in: "a,b\n1,2,\n3,4,\n", rows: []string{"1|2", "3|4"}},
		{number: "escapes", in: "a,b\n1,\"x \\\"y\\\" z\"\n2,\"c:\\\\d\"\n", rows: []string{`1|x "y" z`, `2|c:\d`}},
		{number: "a backslash is one", in: "a,b\n1,\"c:\\\"\n2,\"d:\\\"\n", rows: []string{`1|c:\`, `2|d:\`}},
		{number: "single quotes", in: "'a','b'\n'1,x','it''s'\n", rows: []string{"1,x|it's"}},
		{number: "apostrophes", in: "a,b\n'tis,O'Brien\n", rows: []string{"'tis|O'Brien"}},
		{number: "inches", in: "a\tb\n5\"\t2\n6\"\t3\n", rows: []string{`5"|2`, `6"|3`}},
		{number: "an impossible dialect", in: "a,b\n", dialect: sheet.Dialect{Delimiter: '"', Quote: '"'}, refused: finding.DialectImpossible},
	} {
		f, err := sheet.Open(strings.NewReader(c.in), sheet.Options{Dialect: c.dialect})
		var got table
		if err == nil {
			got, err = readFrom(f)
		}
		if err != nil {
			if !refusedWith(err, c.refused) {
				t.Errorf("%s: %v, want %q", c.number, err, c.refused)
			}
			continue
		}
		rows := []string{}
		for _, r := range got.Rows {
			if r.Code != "" {
				rows = append(rows, "!"+string(r.Code)+" "+jsonOf(r.At))
			} else {
				rows = append(rows, strings.Join(r.Cells, "|"))
			}
		}
		heading := c.heading
		if heading == "" {
			heading = "a|b"
		}
		if c.refused != "" || strings.Join(got.Heading, "|") != heading || strings.Join(rows, "\n") != strings.Join(c.rows, "\n") {
			t.Errorf("%s: heading %q, rows %.300q; want %q, %.300q %s", c.number, got.Heading, rows, heading, c.rows, c.refused)
		}
		if warned := len(f.Warnings) > 0; warned != (c.warned != "") || warned && f.Warnings[0].Code != c.warned {
			t.Errorf("%s: warnings %v, want %q", c.number, f.Warnings, c.warned)
		}
	}
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// Cells that a spreadsheet would compute leave inert and come back as they were.
func TestPapaEscapesFormulae(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(corpora(t, "papaparse/papaparse_cases.json")[0])
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string][]struct {
		Config json.RawMessage
		Input  json.RawMessage
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	all, inert := 0, 0
	for _, c := range cases["UNPARSE_TESTS"] {
		if !bytes.Contains(c.Config, []byte("escapeFormulae")) {
			continue
		}
		all++
		var rows []map[string]string
		if err := json.Unmarshal(c.Input, &rows); err != nil {
			t.Fatal(err)
		}
		safe := true
		for _, r := range rows {
			for _, cell := range r {
				out := cell
				if sheet.Computes([]byte(cell)) {
					out = "'" + cell
				}
				safe = safe && !strings.ContainsAny(out[:1], "=+-@\t\r") && string(sheet.Strip([]byte(out))) == cell
			}
		}
		if safe {
			inert++
		}
	}
	t.Logf("%d of %d made inert", inert, all)
	if inert != 8 || all != 8 {
		t.Errorf("%d of %d cases are inert, want 8 of 8", inert, all)
	}
}
