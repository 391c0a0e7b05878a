package xlsx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
	"github.com/google/go-cmp/cmp"
)

func TestReadsCells(t *testing.T) {
	t.Parallel()
	dates := parts{"xl/styles.xml": styles([]string{"00000", "000-00-0000", "yyyy-mm-dd", "[h]:mm:ss", `0.00" m"`, `"day "0`, "[$-409]00000", "[Red]d/m/yy;@"}, 0, 14, 22, 20, 2)}
	for _, c := range []struct {
		name   string
		rows   string
		others parts
		want   []string
	}{
		{"nothing", ``, nil, nil},
		{"numbers", `<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>-0</v></c><c r="C1"><v>0.10</v></c><c r="D1"><v>3.1400000000000001</v></c><c r="E1"><v>1.5551234567E10</v></c><c r="F1"><v>1E-7</v></c><c r="G1"><v> 007 </v></c></row>`, nil,
			[]string{"1: number 1 | number 0 | number 0.1 | number 3.14 | number 15551234567 | number 0.0000001 | number 7"}},
		{"digits that were lost", `<row r="1"><c r="A1"><v>999999999999999</v></c><c r="B1"><v>1234567890123450</v></c><c r="C1"><v>1E+20</v></c><c r="D1"><v>-1e15</v></c></row>`, nil,
			[]string{"1: number 999999999999999 | rounded 1234567890123450 | rounded 100000000000000000000 | rounded -1000000000000000"}},
		{"no numbers", `<row r="1"><c r="A1"><v>NaN</v></c><c r="B1"><v>1e400</v></c><c r="C1"><v>0x10</v></c><c r="D1"><v>1_000</v></c></row>`, nil,
			[]string{"1: NaN | 1e400 | 0x10 | 1_000"}},
		{"texts", `<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="inlineStr"><is><t>in &amp; line</t></is></c><c r="C1" t="str"><f>A1</f><v>made &#x41;&lt;</v></c><c r="D1" t="s"><v> 0 </v></c></row>`,
			parts{"xl/sharedStrings.xml": stringTable(`<si><t xml:space="preserve"> first </t></si>`, `<si><r><rPr><b/></rPr><t>Rich</t></r><r><t xml:space="preserve"> text</t></r><rPh sb="0" eb="1"><t>rich</t></rPh><phoneticPr fontId="1"/></si>`)},
			[]string{"1: Rich text | in & line | made A< |  first "}},
		{"escapes, once", `<row r="1"><c r="A1" t="inlineStr"><is><t>a_x000D_b</t></is></c><c r="B1" t="inlineStr"><is><t>_x005F_x000D_ _x41_ _xZZZZ_ _xD83D__xDE00_ _xD83D_</t></is></c></row>`, nil,
			[]string{"1: a\rb | _x000D_ _x41_ _xZZZZ_ \U0001F600 _xD83D_"}},
		{"texts in the wrong place", `<row r="1"><c r="A1" t="inlineStr"><v>one</v></c><c r="B1" t="inlineStr"><v>two</v></c><c r="C1"><is><t>three</t></is></c><c r="D1" t="inlineStr"><is><t/></is></c></row>`, nil,
			[]string{"1: one | two | three"}},
		{"truth and errors", `<row r="1"><c r="A1" t="b"><v>1</v></c><c r="B1" t="b"><f>1=2</f><v>0</v></c><c r="C1" t="e"><v>#N/A</v></c><c r="D1" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>`, nil,
			[]string{"1: bool TRUE | bool FALSE | failed #N/A | failed #DIV/0!"}},
		{"formulas", `<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f>1+1</f></c><c r="C1"><f>1+1</f><v/></c><c r="D1" t="str"><f>""</f><v></v></c><c r="E1" t="str"><f>WEBSERVICE("http://localhost/")</f></c><c r="F1"><f t="shared" si="0"/><v>3</v></c></row>`, nil,
			[]string{"1: number 2 | no value | no value |  | no value | number 3"}},
		{"dates", `<row r="1"><c r="A1" s="9"><v>45322</v></c><c r="B1" s="10"><v>45322.572916666664</v></c><c r="C1" s="9"><v>59</v></c><c r="D1" s="9"><v>60</v></c><c r="E1" s="9"><v>61</v></c><c r="F1" s="9"><v>0</v></c><c r="G1" s="9"><v>-1</v></c><c r="H1" s="9"><v>2958465</v></c><c r="I1" s="9"><v>2958466</v></c><c r="J1" s="7"><v>1</v></c><c r="K1" s="2"><v>45322.572916666664</v></c><c r="L1" s="10"><v>45322</v></c></row>`, dates,
			[]string{"1: date 2024-01-31 | date 2024-01-31T13:45:00 | date 1900-02-28 | date 1900-02-29 | date 1900-03-01 | date 1900-01-00 | number -1 | date 9999-12-31 | number 2958466 | date 1900-01-01 | date 2024-01-31 | date 2024-01-31"}},
		{"dates of the 1904 system", `<row r="1"><c r="A1" s="9"><v>43860</v></c><c r="B1" s="9"><v>0</v></c></row>`,
			parts{"xl/styles.xml": dates["xl/styles.xml"], "xl/workbook.xml": strings.Replace(bookPart, "<workbookPr/>", `<workbookPr date1904="1"/>`, 1)},
			[]string{"1: date 2024-01-31 | date 1904-01-01"}},
		{"times", `<row r="1"><c r="A1" s="11"><v>0.572916666666667</v></c><c r="B1" s="3"><v>1.5</v></c><c r="C1" s="11"><v>0.0000115740740740741</v></c></row>`, dates,
			[]string{"1: 13:45:00 | 36:00:00 | 00:00:01"}},
		{"dates in ISO 8601", `<row r="1"><c r="A1" t="d"><v>2024-01-31T00:00:00Z</v></c><c r="B1" t="d"><v>2024-01-31T13:45:00</v></c><c r="C1" t="d"><v>13:45:00</v></c></row>`, nil,
			[]string{"1: date 2024-01-31 | date 2024-01-31T13:45:00 | 13:45:00"}},
		{"padding", `<row r="1"><c r="A1" s="0"><v>1234</v></c><c r="B1" s="1"><v>12345678</v></c><c r="C1" s="0"><v>123456</v></c><c r="D1" s="0"><v>1.5</v></c><c r="E1" s="4"><v>7</v></c><c r="F1" s="6"><v>42</v></c><c r="G1" s="0"><v>-5</v></c><c r="H1" s="12"><v>0.125</v></c></row>`, dates,
			[]string{"1: 01234 | 012-34-5678 | 123456 | number 1.5 | number 7 | 00042 | number -5 | number 0.125"}},
		{"gaps", `<row r="2"><c r="C2"><v>1</v></c></row><row r="9"/><row r="1000"><c r="A1000"/><c r="B1000" t="inlineStr"><is><t>x</t></is></c><c r="XFD1000" s="3"/></row>`, nil,
			[]string{"2:  |  | number 1", "9: ", "1000:  | x"}},
		{"no references", `<row><c><v>1</v></c><c><v>2</v></c></row><row><c r="B2"><v>3</v></c><c><v>4</v></c></row>`, nil,
			[]string{"1: number 1 | number 2", "2:  | number 3 | number 4"}},
		{"cells in another order", `<row r="1"><c r="C1"><v>3</v></c><c r="A1"><v>1</v></c></row>`, nil,
			[]string{"1: number 1 |  | number 3"}},
		{"hidden rows", `<row r="1" hidden="1"><c r="A1"><v>1</v></c></row>`, nil, []string{"1: number 1"}},
		{"foreign elements", `<row r="1"><x:c xmlns:x="urn:x" r="A1"><x:v>9</x:v></x:c><c r="A1"><v>1</v><extLst><ext><v>5</v></ext></extLst></c></row>`, nil, []string{"1: number 1"}},
		{"CDATA, comments and instructions", `<!-- <row/> --><row r="1"><?x y?><c r="A1" t="inlineStr"><is><t><![CDATA[<a> & ]]>b<!-- c -->d</t></is></c></row>`, nil, []string{"1: <a> & bd"}},
		{"ends of lines", "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>a\r\nb\rc\nd&#13;e</t></is></c></row>", nil, []string{"1: a\nb\nc\nd\re"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, workbook(t, c.rows, c.others), xlsx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadsOtherWriters reads what is the same workbook in other clothes.
func TestReadsOtherWriters(t *testing.T) {
	t.Parallel()
	row := `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>7</v></c></row>`
	table := parts{"xl/sharedStrings.xml": stringTable(`<si><t>Ärger</t></si>`)}
	prefixed := strings.NewReplacer("</", "</x:", "<", "<x:", "xmlns=", "xmlns:x=")
	strict := strings.NewReplacer(mainSpace, "http://purl.oclc.org/ooxml/spreadsheetml/main", relSpace, "http://purl.oclc.org/ooxml/officeDocument/relationships")
	utf16 := func(s string) string {
		var b strings.Builder
		b.WriteString("\xff\xfe")
		for _, r := range s {
			b.WriteByte(byte(r))
			b.WriteByte(byte(r >> 8))
		}
		return b.String()
	}
	base := sheetParts(row, table)
	for name, change := range map[string]func(parts){
		"prefixes": func(p parts) {
			for _, part := range []string{"xl/sharedStrings.xml", "xl/workbook.xml"} {
				p[part] = prefixed.Replace(p[part])
			}
		},
		"strict": func(p parts) {
			for part := range p {
				p[part] = strict.Replace(p[part])
			}
		},
		"UTF-16": func(p parts) {
			p["xl/sharedStrings.xml"] = utf16(`<?xml version="1.0" encoding="UTF-16"?>` + p["xl/sharedStrings.xml"])
		},
		"Latin 1": func(p parts) {
			p["xl/sharedStrings.xml"] = `<?xml version="1.0" encoding="ISO-8859-1"?>` + strings.ReplaceAll(p["xl/sharedStrings.xml"], "Ä", "\xc4")
		},
		"byte order mark": func(p parts) { p["xl/sharedStrings.xml"] = "\xef\xbb\xbf" + p["xl/sharedStrings.xml"] },
		"other names": func(p parts) {
			p["xl/S.xml"], p["xl/sharedStrings.xml"] = p["xl/sharedStrings.xml"], ""
			p["xl/_rels/workbook.xml.rels"] = strings.Replace(p["xl/_rels/workbook.xml.rels"], "/xl/sharedStrings.xml", "../XL/./s.XML", 1)
		},
		"backslashes": func(p parts) {
			p[`xl\worksheets\sheet1.xml`], p["xl/worksheets/sheet1.xml"] = p["xl/worksheets/sheet1.xml"], ""
		},
		"macros": func(p parts) {
			p["[Content_Types].xml"] = strings.Replace(p["[Content_Types].xml"], "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main", "vnd.ms-excel.sheet.macroEnabled.main", 1)
			p["xl/vbaProject.bin"] = "\xd0\xcf\x11\xe0"
		},
		"no styles": func(p parts) { p["xl/styles.xml"] = "" },
		"a dimension that lies": func(p parts) {
			p["xl/worksheets/sheet1.xml"] = strings.Replace(p["xl/worksheets/sheet1.xml"], "<sheetData>", `<dimension ref="A1:XFD1048576"/><sheetData>`, 1)
		},
		"external links": func(p parts) {
			p["xl/_rels/workbook.xml.rels"] = strings.Replace(p["xl/_rels/workbook.xml.rels"], "</Relationships>", `<Relationship Id="rId0" TargetMode="External" Type="`+relSpace+`/sharedStrings" Target="http://localhost/strings.xml"/></Relationships>`, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parts{}
			for part, text := range base {
				p[part] = text
			}
			change(p)
			got, err := read(t, pack(t, p), xlsx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"1: Ärger | number 7"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestListsSheets(t *testing.T) {
	t.Parallel()
	book := `<workbook xmlns="` + mainSpace + `" xmlns:r="` + relSpace + `"><sheets><sheet name="Cover" sheetId="9" r:id="rId7"/><sheet name="A &amp; B" sheetId="1" r:id="rId1"/><sheet name="Deep" sheetId="2" state="veryHidden" r:id="rId1"/></sheets></workbook>`
	rels := strings.Replace(bookRels, "</Relationships>", `<Relationship Id="rId7" Type="`+relSpace+`/chartsheet" Target="chartsheets/sheet1.xml"/></Relationships>`, 1)
	w := open(t, workbook(t, "", parts{"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": rels}), xlsx.Limits{})
	want := []xlsx.Sheet{{Name: "A & B", Index: 0}, {Name: "Deep", Hidden: true, Index: 1}}
	if diff := cmp.Diff(want, w.Sheets()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := w.Rows(2); err == nil {
		t.Error("a third sheet was opened")
	}
}

// TestReadsStringsAsFarAsNeeded shows that the head of a sheet does not cost the whole table of strings, and that both
// are verified at the end.
func TestReadsStringsAsFarAsNeeded(t *testing.T) {
	t.Parallel()
	items := make([]string, 200_000)
	for i := range items {
		items[i] = fmt.Sprintf("<si><t>string %d of many, each one different</t></si>", i)
	}
	const limit = 2 << 20 // too little for all
	file := workbook(t, `<row r="1"><c r="A1" t="s"><v>70</v></c></row>`, parts{"xl/sharedStrings.xml": stringTable(items...)})
	rows, err := open(t, file, xlsx.Limits{StringBytes: limit}).Rows(0)
	if err != nil {
		t.Fatal(err)
	}
	row, err := rows.Next()
	if err != nil || string(row.Cells[0].Text) != "string 70 of many, each one different" {
		t.Fatalf("first row: %v, error %v", row, err)
	}
	_, err = rows.Next()
	wantRefusal(t, err, finding.WorkbookTooLarge, "string bytes")

	broken := bytes.Clone(file)
	at := bytes.Index(broken, []byte("xl/sharedStrings.xml")) + 50_000
	broken[at] ^= 0x10
	if _, err := read(t, broken, xlsx.Limits{}); err == nil {
		t.Error("a table of strings with a changed bit was believed")
	}
}

func TestCheckEndsReading(t *testing.T) {
	t.Parallel()
	stop := errors.New("the time is over")
	calls := 0
	row := `<row><c t="inlineStr"><is><t>` + strings.Repeat("words of no weight ", 50) + `</t></is></c></row>`
	_, err := read(t, workbook(t, strings.Repeat(row, 6000)), xlsx.Limits{Check: func() error {
		if calls++; calls == 3 {
			return stop
		}
		return nil
	}})
	if !errors.Is(err, stop) || calls != 3 {
		t.Errorf("error %v after %d checks, want %v after 3", err, calls, stop)
	}
}

// brokenSource is a source whose bytes end to come.
type brokenSource struct {
	*bytes.Reader
	after int64
}

var errSource = errors.New("the store is away")

func (b brokenSource) ReadAt(p []byte, at int64) (int, error) {
	if at >= b.after && at < b.Size()-64 {
		return 0, errSource
	}
	return b.Reader.ReadAt(p, at)
}

// TestSourceErrorsAreNoDamage shows that an error of the source is passed on, wherever it comes.
func TestSourceErrorsAreNoDamage(t *testing.T) {
	t.Parallel()
	file := workbook(t, strings.Repeat(`<row><c><v>1</v></c></row>`, 1000))
	for after := int64(0); after < int64(len(file))-100; after += 40 {
		err := func() error {
			w, err := xlsx.Open(brokenSource{bytes.NewReader(file), after}, int64(len(file)), xlsx.Limits{})
			if err != nil {
				return err
			}
			rows, err := w.Rows(0)
			for err == nil {
				_, err = rows.Next()
			}
			return err
		}()
		if !errors.Is(err, errSource) && err != io.EOF {
			t.Fatalf("source breaks at %d: error is %v, want %v", after, err, errSource)
		}
	}
}
