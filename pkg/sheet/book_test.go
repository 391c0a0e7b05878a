package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
)

// parts of the least workbook there is.
const (
	contentTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`
	rootRels     = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`
)

// tab is a sheet of a test's workbook: its rows as XML.
type tab struct {
	name, rows string
	hidden     bool
}

// workbook makes a workbook of sheets.
func workbook(t testing.TB, tabs ...tab) []byte {
	t.Helper()
	parts := map[string]string{"[Content_Types].xml": contentTypes, "_rels/.rels": rootRels}
	var sheets, rels strings.Builder
	for i, s := range tabs {
		state := ""
		if s.hidden {
			state = ` state="hidden"`
		}
		fmt.Fprintf(&sheets, `<sheet name="%s" sheetId="%d" r:id="r%d"%s/>`, s.name, i+1, i+1, state)
		fmt.Fprintf(&rels, `<Relationship Id="r%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = `<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + s.rows + `</sheetData></worksheet>`
	}
	parts["xl/workbook.xml"] = `<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>` + sheets.String() + `</sheets></workbook>`
	parts["xl/_rels/workbook.xml.rels"] = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + rels.String() + `</Relationships>`
	return zipped(t, parts)
}

func zipped(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range parts {
		p, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// text makes a row of texts.
func text(number int, cells ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<row r="%d">`, number)
	for i, c := range cells {
		if c != "" {
			fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+i, number, c)
		}
	}
	return b.String() + "</row>"
}

func TestWorkbooks(t *testing.T) {
	t.Parallel()
	people := text(1, "People") + text(3, "name", "phone", "ok", "sum") + text(4, "Ann", "1") +
		`<row r="6"><c r="A6" t="inlineStr"><is><t>Bob</t></is></c><c r="B6"><v>12025550100</v></c><c r="C6" t="b"><v>1</v></c><c r="D6" t="e"><v>#N/A</v></c></row>` +
		`<row r="7"><c r="D7"><f>A1</f></c></row>` + text(8, "", " ") + text(9, "Cy", "", "", "", "beyond")
	book := workbook(t, tab{name: "people", rows: people}, tab{name: "lists", rows: text(1, "x"), hidden: true}, tab{name: "empty"})
	for name, file := range map[string][]byte{"bare": book, "gzip": []byte(gzipped(string(book))), "zip": zipped(t, map[string]string{"people.xlsx": string(book)})} {
		f, err := sheet.Open(bytes.NewReader(file), sheet.Options{Spool: spoolIn(t), Limits: sheet.Limits{BlockBytes: 40}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Dialect.Format != sheet.FormatXLSX || f.Dialect.Sheet != "people" || f.Dialect.HeadingLine != 3 || f.TitleLines != 1 || string(f.Dialect.Container) != strings.TrimPrefix(name, "bare") {
			t.Errorf("%s: %+v, %d title lines", name, f.Dialect, f.TitleLines)
		}
		if diff := cmp.Diff([]sheet.SheetInfo{{Name: "people", Rows: 6}, {Name: "lists", Hidden: true, Rows: 1}, {Name: "empty"}}, f.Sheets); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		type one struct {
			Line    int64
			Cells   string
			Kinds   []sheet.Kind
			Code    sheet.Code
			Column  int
			Warning sheet.Code
		}
		var got []one
		blank := int64(0)
		p := f.Parser()
		for b, err := range f.Blocks() {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			twice := b.Clone()
			for _, b := range []*sheet.Block{b, twice} {
				p.Reset(b)
				n := 0
				for r := p.Next(); r != nil; r = p.Next() {
					if b == twice {
						n++
						continue
					}
					got = append(got, one{r.Line, string(bytes.Join(r.Cells, []byte("|"))), append([]sheet.Kind(nil), r.Kinds...), r.Code, r.Column, r.Warning})
				}
				if b == twice && int64(n) != p.Records() {
					t.Errorf("%s: %d records in the copy of a block, want %d", name, n, p.Records())
				}
			}
			blank += p.Blank()
			b.Release()
		}
		want := []one{
			{Line: 4, Cells: "Ann|1||", Kinds: []sheet.Kind{0, 0, 0, 0}},
			{Line: 6, Cells: "Bob|12025550100|TRUE|#N/A", Kinds: []sheet.Kind{0, sheet.Number, sheet.Bool, sheet.Failed}},
			{Line: 7, Cells: "|||", Kinds: []sheet.Kind{0, 0, 0, sheet.NoValue}},
			{Line: 9, Cells: "Cy||||beyond", Kinds: []sheet.Kind{0, 0, 0, 0, 0}, Code: finding.RowLong, Column: 5},
		}
		if diff := cmp.Diff(want, got); diff != "" || blank != 2 {
			t.Errorf("%s: %d blank, want 2 (-want +got):\n%s", name, blank, diff)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSheetsAreChosen(t *testing.T) {
	t.Parallel()
	two := workbook(t, tab{name: "One", rows: text(1, "a")}, tab{name: "Two", rows: text(1, "b") + text(2, "c")})
	for name, c := range map[string]struct {
		book  []byte
		sheet string
		want  string
		code  sheet.Code
	}{
		"two with data":      {book: two, code: finding.SheetAmbiguous},
		"named":              {book: two, sheet: "Two", want: "Two"},
		"letter case":        {book: two, sheet: "two", want: "Two"},
		"unknown":            {book: two, sheet: "three", code: finding.SheetUnknown},
		"the hidden one":     {book: workbook(t, tab{name: "a"}, tab{name: "b", rows: text(1, "x"), hidden: true}), want: "b"},
		"not the hidden":     {book: workbook(t, tab{name: "a", rows: text(1, "y")}, tab{name: "b", rows: text(1, "x"), hidden: true}), want: "a"},
		"nothing anywhere":   {book: workbook(t, tab{name: "a"}, tab{name: "b", rows: text(1, " ")}), code: finding.FileEmpty},
		"nothing where said": {book: workbook(t, tab{name: "a"}, tab{name: "b", rows: text(1, "x")}), sheet: "a", code: finding.NoHeading},
	} {
		f, err := sheet.OpenAt(bytes.NewReader(c.book), int64(len(c.book)), sheet.Options{Dialect: sheet.Dialect{Sheet: c.sheet}})
		if c.code != "" {
			if !refusedWith(err, c.code) {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
			if asked := c.code == finding.SheetAmbiguous || c.code == finding.SheetUnknown; asked && (f == nil || len(f.Sheets) != 2 || f.Close() != nil) {
				t.Errorf("%s: no list of sheets", name)
			}
			continue
		}
		if err != nil || f.Dialect.Sheet != c.want {
			t.Errorf("%s: %v, want sheet %s", name, err, c.want)
		}
	}
}

func TestPackedTables(t *testing.T) {
	t.Parallel()
	csv := "a;b\n1;2\n"
	for name, c := range map[string]struct {
		file  []byte
		code  sheet.Code
		noway bool // without a spool
	}{
		"gzip":              {file: []byte(gzipped(csv))},
		"zip":               {file: zipped(t, map[string]string{"t.csv": csv})},
		"zip, no room":      {file: zipped(t, map[string]string{"t.csv": csv}), noway: true, code: finding.NeedsRoom},
		"zip of two":        {file: zipped(t, map[string]string{"t.csv": csv, "u.csv": csv}), code: finding.ArchiveNotOneFile},
		"zip in zip":        {file: zipped(t, map[string]string{"t.zip": string(zipped(t, map[string]string{"t.csv": csv}))}), code: finding.ArchiveNested},
		"gzip in zip":       {file: zipped(t, map[string]string{"t.gz": gzipped(csv)}), code: finding.ArchiveNested},
		"zip in gzip":       {file: []byte(gzipped(string(zipped(t, map[string]string{"t.csv": csv})))), code: finding.ArchiveNested},
		"image in gzip":     {file: []byte(gzipped("\x89PNG\r\n")), code: finding.FileIsImage},
		"nothing in gzip":   {file: []byte(gzipped("")), code: finding.FileEmpty},
		"gzip of a bomb":    {file: []byte(gzipped("a,b\n" + strings.Repeat("1,2\n", 3<<20))), code: finding.ArchiveTooLarge},
		"gzip with garbage": {file: append([]byte(gzipped(csv)), "garbage"...), code: finding.ArchiveDamaged},
	} {
		o := sheet.Options{Spool: spoolIn(t)}
		if c.noway {
			o.Spool = nil
		}
		for _, at := range []bool{false, true} {
			var f *sheet.File
			var err error
			if at && !c.noway {
				f, err = sheet.OpenAt(bytes.NewReader(c.file), int64(len(c.file)), o)
			} else {
				f, err = sheet.Open(bytes.NewReader(c.file), o)
			}
			var got table
			if err == nil {
				got, err = readFrom(f)
				err = errors.Join(err, f.Close())
			}
			switch {
			case c.code != "" && !refusedWith(err, c.code):
				t.Errorf("%s: %v with %d rows, want %s", name, err, len(got.Rows), c.code)
			case c.code == "" && (err != nil || len(got.Rows) != 1 || got.Rows[0].Cells[1] != "2"):
				t.Errorf("%s: %+v, %v", name, got.Rows, err)
			}
		}
	}
}

// What is inspected is not read further than its first block.
func TestInspectionReadsLittle(t *testing.T) {
	t.Parallel()
	name := t.TempDir() + "/large.csv"
	if err := os.WriteFile(name, bytes.Repeat([]byte("a,b\n1,2\n"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	at := &counting{r: r}
	f, err := sheet.OpenAt(at, 8<<20, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range f.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		b.Release()
		break
	}
	if at.n > 512<<10 {
		t.Errorf("%d bytes were read for the first block", at.n)
	}
}

type counting struct {
	r *os.File
	n int
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.r.ReadAt(p, at)
	c.n += n
	return n, err
}
