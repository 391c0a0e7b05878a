package ods_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/ods"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
	"github.com/google/go-cmp/cmp"
)

const head = `<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:draw="urn:draw" xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">`

// content makes the content of a spreadsheet with one sheet.
func content(rows string) string {
	return head + `<office:body><office:spreadsheet><table:table table:name="People"><table:table-column table:number-columns-repeated="3"/>` + rows + `</table:table></office:spreadsheet></office:body></office:document-content>`
}

func pack(t testing.TB, content string, others ...string) []byte {
	t.Helper()
	return packAs(t, "application/vnd.oasis.opendocument.spreadsheet", content, others...)
}

func packAs(t testing.TB, kind, content string, others ...string) []byte {
	t.Helper()
	parts := append([]string{"mimetype", kind, "content.xml", content}, others...)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, parts[i+1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns the rows of a sheet, each as "number: cell | cell", a cell's kind before it unless it is text.
func read(file []byte, sheet int, l xlsx.Limits) ([]string, error) {
	w, err := ods.Open(bytes.NewReader(file), int64(len(file)), l)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	rows, err := w.Rows(sheet)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for {
		row, err := rows.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		var cells []string
		for _, c := range row.Cells {
			cell := string(c.Text)
			if c.Kind != xlsx.Text {
				cell = strings.TrimSpace(c.Kind.String() + " " + cell)
			}
			cells = append(cells, cell)
		}
		all = append(all, fmt.Sprintf("%d: %s", row.Number, strings.Join(cells, " | ")))
	}
}

func cell(attributes, text string) string {
	if text != "" {
		text = "<text:p>" + text + "</text:p>"
	}
	return "<table:table-cell " + attributes + ">" + text + "</table:table-cell>"
}

func row(cells ...string) string {
	return "<table:table-row>" + strings.Join(cells, "") + "</table:table-row>"
}

func TestReadsCells(t *testing.T) {
	t.Parallel()
	float := func(value, shown string) string {
		return cell(`office:value-type="float" office:value="`+value+`"`, shown)
	}
	for _, c := range []struct {
		name string
		rows string
		want []string
	}{
		{"nothing", "", nil},
		{"numbers", row(float("3.1400000000000001", "3.14"), float("1.5551234567E10", "1.56E+10"), float("1234567890123450", "1.23E+15"), float("1234", "1,234"), cell(`office:value-type="currency" office:value="5"`, "5 €"), cell(`office:value-type="percentage" office:value="0.5"`, "50%")),
			[]string{"1: number 3.14 | number 15551234567 | rounded 1234567890123450 | number 1234 | number 5 | number 0.5"}},
		{"padding", row(float("1234", "01234"), float("12345678", "012-34-5678"), float("123456789", "123-45-6789"), float("-5", "(5)"), float("0.5", "1/2"), float("1234", "1 234")),
			[]string{"1: 01234 | 012-34-5678 | 123-45-6789 | number -5 | number 0.5 | number 1234"}},
		{"texts", row(cell(`office:value-type="string"`, "Ann &amp; <text:span>Bob</text:span>"), cell(`office:value-type="string"`, "a<text:s text:c=\"3\"/>b<text:tab/>c<text:line-break/>d"), cell("", "  one \n  two "), cell(`office:value-type="string"`, "one</text:p><text:p>two"), cell(`office:value-type="string" office:string-value="kept"`, "shown")),
			[]string{"1: Ann & Bob | a   b\tc\nd | one two  | one\ntwo | kept"}},
		{"what is no text", row(`<table:table-cell><office:annotation><text:p>note</text:p></office:annotation><text:p>x<text:note><text:p>foot</text:p></text:note><text:ruby><text:ruby-base>base</text:ruby-base><text:ruby-text>reading</text:ruby-text></text:ruby></text:p><draw:frame><text:p>picture</text:p></draw:frame></table:table-cell>`),
			[]string{"1: xbase"}},
		{"dates and times", row(cell(`office:value-type="date" office:date-value="2024-01-31"`, "31.01.24"), cell(`office:value-type="date" office:date-value="2024-01-31T13:45:00.500000000"`, "31.01.24 13:45"), cell(`office:value-type="date" office:date-value="2024-01-31T13:45:00"`, "31.01.24"), cell(`office:value-type="date" office:date-value="2024-01-31T00:00:00"`, "31.01.24 00:00"), cell(`office:value-type="time" office:time-value="PT13H45M00S"`, "13:45"), cell(`office:value-type="time" office:time-value="PT36H00M01.500S"`, "36:00")),
			[]string{"1: date 2024-01-31 | date 2024-01-31T13:45:00.5 | date 2024-01-31 | date 2024-01-31 | 13:45:00 | 36:00:01.5"}},
		{"truth, errors and formulas", row(cell(`office:value-type="boolean" office:boolean-value="true"`, "WAHR"), cell(`office:value-type="string" calcext:value-type="error" table:formula="of:=1/0"`, "#DIV/0!"), cell(`table:formula="of:=1+1"`, ""), cell(`office:value-type="float" office:value="2" table:formula="of:=1+1"`, "2"), cell(`office:value-type="string" table:formula="of:=&quot;&quot;"`, "")),
			[]string{"1: bool TRUE | failed #DIV/0! | no value | number 2"}},
		{"repeats", `<table:table-row table:number-rows-repeated="5"><table:table-cell table:number-columns-repeated="1024"/></table:table-row>` +
			`<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="2"/>` + cell(`table:number-columns-repeated="2"`, "x") + `<table:table-cell table:number-columns-repeated="16000"/></table:table-row>` +
			row(cell("", "end")) + `<table:table-row table:number-rows-repeated="1048568"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>`,
			[]string{"6:  |  | x | x", "7:  |  | x | x", "8: end"}},
		{"groups and merged cells", `<table:table-header-rows>` + row(cell("", "Name")) + `</table:table-header-rows><table:table-row-group table:display="false"><table:table-row-group>` + row(cell(`table:number-columns-spanned="2"`, "wide"), `<table:covered-table-cell/>`, cell("", "next")) + `</table:table-row-group></table:table-row-group>`,
			[]string{"1: Name", "2: wide |  | next"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(pack(t, content(c.rows)), 0, xlsx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestListsSheets(t *testing.T) {
	t.Parallel()
	file := pack(t, head+`<office:automatic-styles><style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style></office:automatic-styles><office:body><office:spreadsheet><table:table table:name="A &amp; B" table:style-name="ta1">`+row(cell("", "one"))+`</table:table><table:table table:name="Deep" table:style-name="ta2">`+row(cell("", "two"))+`</table:table></office:spreadsheet></office:body></office:document-content>`)
	w, err := ods.Open(bytes.NewReader(file), int64(len(file)), xlsx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []xlsx.Sheet{{Name: "A & B", Index: 0}, {Name: "Deep", Hidden: true, Index: 1}}
	if diff := cmp.Diff(want, w.Sheets()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, want := range []string{"1: one", "1: two"} {
		if got, err := read(file, i, xlsx.Limits{}); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("sheet %d: %q, error %v, want %q", i, got, err, want)
		}
	}
	if _, err := w.Rows(2); err == nil {
		t.Error("a third sheet was opened")
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	one := content(row(cell("", "x")))
	for _, c := range []struct {
		name  string
		file  []byte
		code  finding.Code
		limit string
	}{
		{"an encrypted file", pack(t, "no XML", "META-INF/manifest.xml", `<manifest:encryption-data/>`), finding.WorkbookProtected, ""},
		{"a letter", packAs(t, "application/vnd.oasis.opendocument.text", one), finding.FileIsDocument, ""},
		{"an archive of something", packAs(t, "text/plain", one), finding.FileIsZIP, ""},
		{"no content", pack(t, "", "content2.xml", one), finding.WorkbookDamaged, ""},
		{"a document type", pack(t, `<!DOCTYPE x>`+one), finding.WorkbookUnsafe, ""},
		{"an unknown entity", pack(t, content(row(cell("", "&x;")))), finding.WorkbookUnsafe, ""},
		{"no sheet", pack(t, head+`<office:body/></office:document-content>`), finding.WorkbookDamaged, ""},
		{"a file cut short", pack(t, one[:len(one)-40]), finding.WorkbookDamaged, ""},
		{"a deep nest", pack(t, content(strings.Repeat("<a>", 100))), finding.WorkbookTooLarge, "element depth"},
		{"too many columns", pack(t, content(row(cell(`table:number-columns-repeated="257"`, "x")))), finding.TooManyColumns, "columns"},
		{"a column too far", pack(t, content(row(cell(`table:number-columns-repeated="256"`, ""), cell("", "x")))), finding.TooManyColumns, "columns"},
		{"a row too far", pack(t, content(`<table:table-row table:number-rows-repeated="1048576"/>`+row(cell("", "x")))), finding.WorkbookDamaged, ""},
		{"repeats that are none", pack(t, content(`<table:table-row table:number-rows-repeated="0"/>`)), finding.WorkbookDamaged, ""},
		{"a row too long", pack(t, content(row(cell(`table:number-columns-repeated="200"`, strings.Repeat("x", 10000))))), finding.RecordTooLong, "record bytes"},
		{"spaces without end", pack(t, content(row(cell("", `<text:s text:c="2000000000"/>`)))), finding.WorkbookTooLarge, "token bytes"},
		{"rows that swell", pack(t, content(`<table:table-row table:number-rows-repeated="1000000">`+cell("", strings.Repeat("x", 100000))+`</table:table-row>`)), finding.WorkbookTooLarge, "unpacked bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(c.file, 0, xlsx.Limits{Limits: unpack.Limits{UnpackedBytes: 64 << 20}})
			if refusal, ok := errors.AsType[*finding.FileRefusal](err); !ok || refusal.Code != c.code || refusal.Limit != c.limit {
				t.Errorf("error is %v, want a refusal %q with limit %q", err, c.code, c.limit)
			}
		})
	}
}

// TestReadsRealSheets reads the spreadsheets of a corpus of open data whole.
func TestReadsRealSheets(t *testing.T) {
	t.Parallel()
	root := os.Getenv("CONTACTMILL_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	files, err := filepath.Glob(filepath.Join(root, "messytables/horror/*.ods"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("CORPUS ABSENT, NOTHING PROVEN HERE: set CONTACTMILL_CORPORA to the folder that holds messytables")
	}
	counts := map[string]int{}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := read(file, 0, xlsx.Limits{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
		counts[filepath.Base(name)] = len(rows)
		t.Logf("%s: %d rows, such as %.200q", filepath.Base(name), len(rows), rows[:min(len(rows), 3)])
	}
	want := map[string]int{"blank_line.ods": 4, "large.ods": 23761, "loffice-4.4.1.2.ods": 4, "multilineods.ods": 1, "ods_formats.ods": 6, "simple.ods": 4}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// FuzzContent reads whatever the content of a spreadsheet is.
func FuzzContent(f *testing.F) {
	f.Add(content(row(cell(`office:value-type="float" office:value="1"`, "01"), cell("", "a<text:s/>b"))))
	f.Add(content(`<table:table-row table:number-rows-repeated="3"><table:covered-table-cell table:number-columns-repeated="2"/>` + cell(`office:value-type="time" office:time-value="PT1H"`, "") + `</table:table-row>`))
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 1<<16 {
			return
		}
		_, err := read(pack(t, content), 0, xlsx.Limits{Limits: unpack.Limits{UnpackedBytes: 1 << 20}, Columns: 16, RecordBytes: 1 << 10})
		if _, refused := errors.AsType[*finding.FileRefusal](err); err != nil && !refused {
			t.Fatalf("error is no refusal: %v", err)
		}
	})
}
