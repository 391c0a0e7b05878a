package sheet_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
)

// row is what a test looks at of a record.
type row struct {
	Cells   []string
	Line    int64
	Code    sheet.Code
	At      int64
	Column  int
	Warning sheet.Code
	Raw     string
}

type table struct {
	Heading []string
	Rows    []row
	Blank   int64
}

// read reads a whole file with blocks of the given size; raw keeps the raw text of broken records.
func read(r io.Reader, d sheet.Dialect, limits sheet.Limits) (table, error) {
	f, err := sheet.Open(r, sheet.Options{Dialect: d, Limits: limits})
	if err != nil {
		return table{}, err
	}
	return readFrom(f)
}

func asRefusal(err error, r **sheet.Refusal) bool { return errors.As(err, r) }

func readFrom(f *sheet.File) (table, error) { return readBy(f, f.Parser()) }

func readBy(f *sheet.File, p *sheet.Parser) (table, error) {
	t := table{Heading: f.Heading}
	for b, err := range f.Blocks() {
		if err != nil {
			return t, err
		}
		p.Reset(b)
		for rec := p.Next(); rec != nil; rec = p.Next() {
			one := row{Line: rec.Line, Code: rec.Code, At: rec.At, Column: rec.Column, Warning: rec.Warning}
			for _, c := range rec.Cells {
				one.Cells = append(one.Cells, string(c))
			}
			if rec.Code != "" {
				one.Raw = string(rec.Raw)
			}
			t.Rows = append(t.Rows, one)
		}
		if p.Err() != nil {
			return t, p.Err()
		}
		t.Blank += p.Blank()
		b.Release()
	}
	return t, nil
}

func limitsOf(block, record int) sheet.Limits {
	l := sheet.DefaultLimits()
	l.BlockBytes, l.RecordBytes = block, record
	return l
}

var comma = sheet.Dialect{Delimiter: ','}

// Where cells are never quoted, the byte that stands for that means nothing in the text.
func TestNoQuoteIsNoByte(t *testing.T) {
	t.Parallel()
	d := comma
	d.Encoding, d.Quote = "utf-8", sheet.NoQuote
	got, err := read(strings.NewReader("a,b\n\xff1,2\xff\n3\xff,\xff4\n\"5,6\"\n"), d, limitsOf(1<<20, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	want := table{Heading: []string{"a", "b"}, Rows: []row{
		{Cells: []string{"\xff1", "2\xff"}, Line: 2, At: 2, Code: finding.InvalidUTF8, Column: 1, Raw: "\xff1,2\xff"},
		{Cells: []string{"3\xff", "\xff4"}, Line: 3, At: 3, Code: finding.InvalidUTF8, Column: 1, Raw: "3\xff,\xff4"},
		{Cells: []string{`"5`, `6"`}, Line: 4, At: 4}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want table
	}{
		"plain": {"a,b\n1,2\r\n3,4", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 2, At: 2}, {Cells: []string{"3", "4"}, Line: 3, At: 3}}}},
		"quoted": {"a,b\n\"1,\"\"x\",\"two\r\nlines\"\n3,4\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{`1,"x`, "two\nlines"}, Line: 2, At: 2}, {Cells: []string{"3", "4"}, Line: 4, At: 4}}}},
		"blank lines count": {"\na,b\n\n1,2\r\n\r\n,\n \t, \n\"\",\n3,4\n\n", table{Heading: []string{"a", "b"}, Blank: 6, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 4, At: 4}, {Cells: []string{"3", "4"}, Line: 9, At: 9}}}},
		"short and long": {"a,b\n1\n1,2,\n1,2,,x\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", ""}, Line: 2, At: 2, Warning: finding.RowShort},
			{Cells: []string{"1", "2"}, Line: 3, At: 3},
			{Cells: []string{"1", "2", "", "x"}, Line: 4, At: 4, Code: finding.RowLong, Column: 4, Raw: "1,2,,x"}}}},
		"quotes astray": {"a,b\nx\"y,1\n\"x\"y,2\n \"x\",3\n4,5\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Line: 2, At: 2, Code: finding.QuoteStray, Column: 1, Raw: `x"y,1`},
			{Line: 3, At: 3, Code: finding.QuoteStray, Column: 1, Raw: `"x"y,2`},
			{Line: 4, At: 4, Code: finding.QuoteStray, Column: 1, Raw: ` "x",3`},
			{Cells: []string{"4", "5"}, Line: 5, At: 5}}}},
		"quotes astray behind good ones": {"a,b\n\"1\",\"x\"\"y\"\n\"2\",\"p\r\nq\"\n3\"\n4,5\n" + strings.Repeat(" ", 600), table{Heading: []string{"a", "b"}, Blank: 1, Rows: []row{
			{Cells: []string{"1", `x"y`}, Line: 2, At: 2}, {Cells: []string{"2", "p\nq"}, Line: 3, At: 3},
			{Line: 5, At: 5, Code: finding.QuoteStray, Column: 1, Raw: `3"`}, {Cells: []string{"4", "5"}, Line: 6, At: 6}}}},
		"blanks behind a quote": {"a,b\n\"1\" ,\"2\"\t\r\n\"3\"  ,\"4\" ", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 2, At: 2}, {Cells: []string{"3", "4"}, Line: 3, At: 3}}}},
		"open quote to the end": {"a,b\n1,\"open\n2,x\n3,y", table{Heading: []string{"a", "b"}, Rows: []row{
			{Line: 2, At: 2, Code: finding.QuoteOpen, Column: 2, Raw: `1,"open`},
			{Cells: []string{"2", "x"}, Line: 3, At: 3}, {Cells: []string{"3", "y"}, Line: 4, At: 4}}}},
		"open quote met by another": {"a,b\n1,\"open\n2,\"x, y\"\n3,y\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Line: 2, At: 2, Code: finding.QuoteOpen, Column: 2, Raw: `1,"open`},
			{Cells: []string{"2", "x, y"}, Line: 3, At: 3}, {Cells: []string{"3", "y"}, Line: 4, At: 4}}}},
		"open quote in a later line of a record": {"a,b\n\"1\n2\",\"open\n3,4\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Line: 2, At: 3, Code: finding.QuoteOpen, Column: 2, Raw: "\"1\n2\",\"open"},
			{Cells: []string{"3", "4"}, Line: 4, At: 4}}}},
		"open quote in the last line": {"a,b\n1,2\n3,\"", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 2, At: 2}, {Line: 3, At: 3, Code: finding.QuoteOpen, Column: 2, Raw: `3,"`}}}},
		"CR alone": {"a,b\r1,2\r\"3\r4\",5\r", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 2, At: 2}, {Cells: []string{"3\n4", "5"}, Line: 3, At: 3}}}},
		"BOM, sep, Ctrl-Z": {"\ufeffsep=,\r\na,b\r\n1,2\r\n\x1a", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 3, At: 3}}}},
		"bad bytes": {"a,b\n1,\xff\n\x00,2\n3,é\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "\xff"}, Line: 2, At: 2, Code: finding.InvalidUTF8, Column: 2, Raw: "1,\xff"},
			{Cells: []string{"\x00", "2"}, Line: 3, At: 3, Code: finding.NULByte, Column: 1, Raw: "\x00,2"},
			{Cells: []string{"3", "é"}, Line: 4, At: 4}}}},
		"heading again": {"a,b\n1,2\na,b\n3,4\n", table{Heading: []string{"a", "b"}, Rows: []row{
			{Cells: []string{"1", "2"}, Line: 2, At: 2},
			{Cells: []string{"a", "b"}, Line: 3, At: 3, Code: finding.HeadingRepeated, Raw: "a,b"},
			{Cells: []string{"3", "4"}, Line: 4, At: 4}}}},
		"heading only": {"a,b", table{Heading: []string{"a", "b"}}},
	} {
		for _, block := range []int{1, 2, 3, 5, 8, 1 << 20} {
			got, err := read(strings.NewReader(c.in), comma, limitsOf(block, 1<<20))
			if err != nil {
				t.Errorf("%s, blocks of %d: %v", name, block, err)
				continue
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, blocks of %d (-want +got):\n%s", name, block, diff)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	small := sheet.DefaultLimits()
	small.BlockBytes, small.RecordBytes, small.Columns, small.FileBytes = 64, 100, 4, 2000
	for name, c := range map[string]struct {
		in    string
		code  sheet.Code
		line  int64
		limit string
	}{
		"empty":              {"", finding.FileEmpty, 0, ""},
		"BOM only":           {"\ufeff", finding.FileEmpty, 0, ""},
		"newlines only":      {"\n\r\n\n", finding.FileEmpty, 0, ""},
		"commas only":        {",,\n,,\n", finding.NoHeading, 0, ""},
		"sep line only":      {"sep=,\n", finding.NoHeading, 0, ""},
		"broken heading":     {"a,\"b\n1,2\n", finding.HeadingBroken, 1, ""},
		"wide heading":       {"a,b,c,d,e\n", finding.TooManyColumns, 1, "columns"},
		"wide row":           {"a,b\n1,2\n1,2,3,4,5\n", finding.TooManyColumns, 3, "columns"},
		"wide quoted row":    {"a,b\n1,2\n\"1\",2,3,4,5\n", finding.TooManyColumns, 3, "columns"},
		"long record":        {"a,b\n1,2\n1," + strings.Repeat("x", 200) + "\n", finding.RecordTooLong, 3, "record bytes"},
		"long record at end": {"a,b\n1,2\n1," + strings.Repeat("x", 120), finding.RecordTooLong, 3, "record bytes"},
		"long quoted record": {"a,b\n1,\"" + strings.Repeat("x", 1000), finding.RecordTooLong, 2, "record bytes"},
		"long heading":       {strings.Repeat("x", 1000), finding.RecordTooLong, 1, "record bytes"},
		"large file":         {"a,b\n" + strings.Repeat("1,2\n", 1000), finding.FileTooLarge, 0, "file bytes"},
		"zip":                {"PK\x03\x04\x14\x00 something", finding.NeedsRoom, 0, ""},
		"xlsx":               {"PK\x03\x04\x14\x00[Content_Types].xml", finding.NeedsRoom, 0, ""},
		"xls":                {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", finding.FileIsOldExcel, 0, ""},
		"gzip":               {"\x1f\x8b\x08\x00", finding.ArchiveDamaged, 0, ""},
		"pdf":                {"%PDF-1.7", finding.FileIsPDF, 0, ""},
		"png":                {"\x89PNG\r\n\x1a\n", finding.FileIsImage, 0, ""},
		"elf":                {"\x7fELF\x02\x01", finding.FileIsProgram, 0, ""},
		"html":               {" \n<!DOCTYPE html><p>", finding.FileIsMarkup, 0, ""},
		"utf-32 without BOM": {"a\x00\x00\x00,\x00\x00\x00b\x00\x00\x00", finding.EncodingUTF32, 0, ""},
		"binary":             {strings.Repeat("\x01\x02\x03\x04abc", 20), finding.NotATable, 0, ""},
		"json":               {`[{"a":1},{"a":2}]`, finding.NotATable, 0, ""},
	} {
		_, err := read(strings.NewReader(c.in), sheet.Dialect{}, small)
		refusal, ok := errors.AsType[*sheet.Refusal](err)
		if !ok {
			t.Errorf("%s: got %v, want a refusal", name, err)
			continue
		}
		if refusal.Code != c.code || refusal.Line != c.line || refusal.Limit != c.limit {
			t.Errorf("%s: got %+v, want %s, line %d, limit %q", name, refusal, c.code, c.line, c.limit)
		}
		if refusal.Hint() == "" || refusal.Error() == "" {
			t.Errorf("%s: no text or hint", name)
		}
	}
	if err := sheet.DefaultLimits().CheckRecords(10_000_001); err == nil || !strings.Contains(err.Error(), "10000000") {
		t.Errorf("10,000,001 records: %v, want a refusal that names the limit", err)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in        string
		delimiter byte
		end       sheet.LineEnd
		code      sheet.Code
	}{
		"comma":                  {"a,b\n1,2\n", ',', sheet.LF, ""},
		"semicolon":              {"a;b\r\n1,5;2\r\n", ';', sheet.CRLF, ""},
		"tab":                    {"a\tb\n1\t2\n", '\t', sheet.LF, ""},
		"pipe":                   {"a|b\n1|2\n", '|', sheet.LF, ""},
		"sep":                    {"sep=^\na^b\n1^2\n", '^', sheet.LF, ""},
		"sep quoted":             {"\"sep=;\"\na;b\n", ';', sheet.LF, ""},
		"one column":             {"email\na@example.com\n", ',', sheet.LF, ""},
		"semicolons with commas": {"name;street, city\nann;main st 1, york\n", ';', sheet.LF, finding.DelimiterAmbiguous},
		"more columns win":       {"name;street, city;x\nann;main st 1, york;1\n", ';', sheet.LF, ""},
		"rows decide":            {"name;x,y\nann;a\nbob;b\n", ';', sheet.LF, ""},
		"comma in quotes":        {"\"a,b,c\";\"d\"\n\"1,2,3\";4\n", ';', sheet.LF, ""},
		"CR":                     {"a;b\r1;2\r", ';', sheet.CR, ""},
	} {
		f, err := sheet.Open(strings.NewReader(c.in), sheet.Options{})
		if refusal, ok := errors.AsType[*sheet.Refusal](err); ok {
			if refusal.Code != c.code {
				t.Errorf("%s: refused with %s, want %q", name, refusal.Code, c.code)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d := f.Dialect
		if c.code != "" || d.Delimiter != c.delimiter || d.LineEnd != c.end || d.Quote != '"' {
			t.Errorf("%s: got %q %v %v, want %q %v %q", name, d.Delimiter, d.LineEnd, f.Evidence, c.delimiter, c.end, c.code)
		}
	}
}

// A reader that fails in the middle must never pass for the end of a file.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("lost")} {
		r := io.MultiReader(strings.NewReader("a,b\n1,2\n3,4\n"), iotest.ErrReader(cause))
		if got, err := read(r, comma, limitsOf(4, 100)); !errors.Is(err, cause) {
			t.Errorf("got %v with %d rows, want %v", err, len(got.Rows), cause)
		}
	}
	if _, err := read(iotest.OneByteReader(strings.NewReader("a,b\n1,2\n")), comma, limitsOf(4, 100)); err != nil {
		t.Error(err)
	}
}

// Line ends that a read cuts in two are one all the same.
func TestLineEndsAcrossReads(t *testing.T) {
	t.Parallel()
	in := "a,b\r\n" + strings.Repeat("1,2\r3,4\r\n5,6\n", 20_000)
	got, err := read(iotest.OneByteReader(strings.NewReader(in)), sheet.Dialect{}, limitsOf(1000, 1<<20))
	if err != nil || len(got.Rows) != 60_000 || got.Blank != 0 || got.Rows[59_999].Line != 60_001 {
		t.Errorf("%d rows, %d blank, %v", len(got.Rows), got.Blank, err)
	}
}

// Where lines end in CR, the line feeds inside quotes cut nothing, though their pieces be as many cells wide as each other.
func TestFeedsInsideQuotesEndNoLines(t *testing.T) {
	t.Parallel()
	const heading = "'Name','Note','City'\r"
	for name, c := range map[string]struct {
		in   string
		want []string // of the row with the line feed
	}{
		"single quotes":        {heading + "'Ann, 1','x','York'\r'Bob, 2','two\nlines','York'\r'Cid, 3','x','York'\r'Dan, 4','x','York'\r", []string{"Bob, 2", "two\nlines", "York"}},
		"single and escaped":   {heading + "'\"q\" \\'A, 1','x','York'\r'\\'B, 2','two\nlines','York'\r'\\'C, 3','x','York'\r'\\'D, 4','x','York'\r", []string{"'B, 2", "two\nlines", "York"}},
		"double and escaped":   {"Name;Note;City\r\"\\\"q\\\"A;1\";x;York\r\"\\\"q\\\"B;2\";\"two\nlines\";York\r\"C;3\";x;York\r\"\\\"q\\\"D;4\";x;York\r", []string{`"q"B;2`, "two\nlines", "York"}},
		"one in the last cell": {"Name,Note\rAnn,x\rBob,\"two\nlines\"\rCid,x\r", []string{"Bob", "two\nlines"}},
		"one column":           {"'Note'\r'x'\r'two\nlines'\r", []string{"two\nlines"}},
	} {
		for _, given := range []bool{false, true} { // a delimiter that is given leaves the rest to be found
			d := sheet.Dialect{}
			if given {
				d.Delimiter = ','
				if strings.Contains(c.in, ";") {
					d.Delimiter = ';'
				}
			}
			got, err := read(strings.NewReader(c.in), d, sheet.Limits{})
			if err != nil {
				t.Errorf("%s, delimiter given %v: %v", name, given, err)
				continue
			}
			if at := slices.IndexFunc(got.Rows, func(r row) bool { return cmp.Equal(r.Cells, c.want) }); at < 0 {
				t.Errorf("%s, delimiter given %v: no row %q in %+v", name, given, c.want, got)
			}
		}
	}
}

// What a file is found to be does not hang on how much of it each read brings.
func TestReadsDecideNothing(t *testing.T) {
	t.Parallel()
	const tail = "\n2,0\r0"
	for behind := range 24 { // so far the file goes on behind its head
		in := "\ufeff,0\r0\n" + strings.Repeat(" ", 64<<10-len("\ufeff,0\r0\n")-len(tail)+behind) + tail
		var all []sheet.Dialect
		for _, r := range []io.Reader{strings.NewReader(in), iotest.HalfReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			f, err := sheet.Open(r, sheet.Options{})
			if err != nil {
				t.Fatalf("%d bytes: %v", len(in), err)
			}
			all = append(all, f.Dialect)
		}
		if all[0] != all[1] || all[0] != all[2] {
			t.Errorf("%d bytes at once: %+v, by halves: %+v, with the end at once: %+v", len(in), all[0], all[1], all[2])
		}
	}
}

// A Ctrl-Z that ended a file once is no part of it, wherever the reads end.
func TestCtrlZBehindTheHead(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n", "\r"} {
		in := "a,b" + end + strings.Repeat("1,2"+end, 20_000) + "\x1a"
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			got, err := read(r, sheet.Dialect{}, limitsOf(1000, 1<<20))
			if err != nil || len(got.Rows) != 20_000 || got.Rows[19_999].Code != "" || got.Rows[19_999].Warning != "" {
				t.Errorf("lines that end in %q: %d rows, %v", end, len(got.Rows), err)
			}
		}
	}
}

// A record without end is refused in every dialect.
func TestBrokenLinesHaveALimit(t *testing.T) {
	t.Parallel()
	for _, escape := range []byte{0, '\\'} {
		for _, unit := range []string{"\"\r\r", "\\", "x\"", "\\\"", ","} {
			d := sheet.Dialect{Delimiter: ',', Quote: '"', Escape: escape, LineEnd: sheet.LF}
			if _, err := read(strings.NewReader("a,b\n"+strings.Repeat(unit, 3<<20/len(unit))), d, sheet.Limits{}); !refusedWith(err, finding.RecordTooLong) && !refusedWith(err, finding.TooManyColumns) {
				t.Errorf("%q without end, escape %q: %v", unit, escape, err)
			}
		}
	}
}

// endless repeats a text for ever and counts what was taken of it.
type endless struct {
	start, text string
	taken       int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.start)
	e.start = e.start[n:]
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	e.taken += n
	return n, nil
}

// Hostile input is refused by its limit after a bounded look at it.
func TestHostileInputIsRefusedEarly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   endless
		code sheet.Code
	}{
		"commas without end":         {endless{"a,b\n", ",,,,,,,,,,,,,,,,", 0}, finding.RecordTooLong},
		"commas from the first byte": {endless{"", ",,,,,,,,,,,,,,,,", 0}, finding.RecordTooLong},
		"a quote without line end":   {endless{"a,b\n1,\"", "xxxxxxxxxxxxxxxx", 0}, finding.RecordTooLong},
		"quotes without line end":    {endless{"a,b\n1,\"", "\"\"\"\"\"\"\"\"", 0}, finding.RecordTooLong},
		"a cell without end":         {endless{"", "xxxxxxxxxxxxxxxx", 0}, finding.RecordTooLong},
		"columns":                    {endless{"a,b\n" + strings.Repeat(",", 1000) + "x\n", "1,2\n", 0}, finding.TooManyColumns},
		"spaces":                     {endless{"a\n", "   \n", 0}, finding.FileTooLarge},
	} {
		limits := sheet.DefaultLimits()
		limits.FileBytes = 16 << 20
		_, err := read(&c.in, sheet.Dialect{}, limits)
		refusal, ok := errors.AsType[*sheet.Refusal](err)
		if !ok || refusal.Code != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
		if c.code != finding.FileTooLarge && c.in.taken > 4<<20 {
			t.Errorf("%s: %d bytes were read before the refusal", name, c.in.taken)
		}
	}
}

// Files made to be scanned again and again take time in proportion to their size only.
func TestOpenQuotesDoNotMultiplyWork(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"1,\"open\n", "\"\"\"\n", "1,2\n"} {
		in := "a,b\n" + strings.Repeat("1,\"open\n"+strings.Repeat("x,y\n", 20), 2_000) + line
		got, err := read(strings.NewReader(in), comma, sheet.DefaultLimits())
		if err != nil || len(got.Rows) < 40_000 {
			t.Errorf("%d rows, %v", len(got.Rows), err)
		}
	}
}

// Lines that run into each other by escapes, up to one that breaks them, are not read again from each of them.
func TestEscapedLineEndsDoNotMultiplyWork(t *testing.T) {
	t.Parallel()
	const run = 300_000
	d := sheet.Dialect{Delimiter: ',', Quote: '"', Escape: '\\', LineEnd: sheet.LF}
	in := "a,b\n" + strings.Repeat(strings.Repeat("\\\n", run)+"\"1\",2\n", 3)
	got, err := read(strings.NewReader(in), d, sheet.DefaultLimits())
	if err != nil || len(got.Rows) != 6 || got.Rows[0].Code != finding.QuoteStray || got.Rows[1].Line != run+2 || got.Rows[1].Code != "" {
		t.Errorf("%d rows, %v; want 3 with a stray quote, a good one behind each", len(got.Rows), err)
	}
}

// One open quote costs its own record, however large the file and wherever the blocks end.
func TestOpenQuoteCostsOneRecord(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("id,name\n1,\"open\n")
	const rows = 200_000
	for i := 2; i <= rows; i++ {
		fmt.Fprintf(&b, "%d,name %d\n", i, i)
	}
	got, err := read(strings.NewReader(b.String()), sheet.Dialect{}, sheet.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for _, r := range got.Rows {
		if r.Code != "" {
			bad++
		}
	}
	if len(got.Rows) != rows || bad != 1 || got.Rows[0].Code != finding.QuoteOpen || got.Rows[0].At != 2 {
		t.Errorf("%d rows, %d bad, first %+v; want %d, 1, quote-open on line 2", len(got.Rows), bad, got.Rows[0], rows)
	}
}

// What a person says of escapes goes before what the file looks like.
func TestEscapesThatWereRuledOut(t *testing.T) {
	t.Parallel()
	const text = "a,b\n1,\"c:\\\"\n2,\"d:\\\"\n"
	for escape, want := range map[byte]byte{0: 0, '\\': '\\', sheet.Doubled: 0} {
		f, err := sheet.Open(strings.NewReader(text), sheet.Options{Dialect: sheet.Dialect{Escape: escape}})
		if err != nil {
			t.Fatalf("escape %q: %v", escape, err)
		}
		if f.Dialect.Escape != want {
			t.Errorf("escape %q was read as %q, want %q", escape, f.Dialect.Escape, want)
		}
	}
	const escaped = "a,b\n1,\"x \\\"y\\\" z\"\n2,z\n"
	f, err := sheet.Open(strings.NewReader(escaped), sheet.Options{Dialect: sheet.Dialect{Escape: sheet.Doubled}})
	if err != nil || f.Dialect.Escape != 0 {
		t.Errorf("doubled quotes were asked for, the escape is %q, %v", f.Dialect.Escape, err)
	}
}
