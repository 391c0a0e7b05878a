package xlsx_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

const (
	mainSpace   = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	relSpace    = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	rootRels    = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + relSpace + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	contentType = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`
	bookRels    = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + relSpace + `/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="` + relSpace + `/sharedStrings" Target="/xl/sharedStrings.xml"/><Relationship Id="rId3" Type="` + relSpace + `/styles" Target="styles.xml"/></Relationships>`
	bookPart    = `<workbook xmlns="` + mainSpace + `" xmlns:r="` + relSpace + `"><workbookPr/><sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>`
)

// parts are the parts of a workbook; one that is empty is left out.
type parts map[string]string

// workbook makes a workbook of one sheet with these rows in XML. Further parts replace those that are made.
func workbook(t testing.TB, rows string, others ...parts) []byte {
	t.Helper()
	return pack(t, sheetParts(rows, others...))
}

func sheetParts(rows string, others ...parts) parts {
	all := parts{
		"[Content_Types].xml":        contentType,
		"_rels/.rels":                rootRels,
		"xl/workbook.xml":            bookPart,
		"xl/_rels/workbook.xml.rels": bookRels,
		"xl/worksheets/sheet1.xml":   sheet(rows),
		"xl/sharedStrings.xml":       `<sst xmlns="` + mainSpace + `"/>`,
		"xl/styles.xml":              styles(nil, 0),
	}
	for _, o := range others {
		for name, text := range o {
			all[name] = text
		}
	}
	return all
}

func pack(t testing.TB, all parts) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range all {
		if text == "" {
			continue
		}
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sheet(rows string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<worksheet xmlns="` + mainSpace + `" xmlns:r="` + relSpace + `"><sheetData>` + rows + `</sheetData></worksheet>`
}

// styles makes cell styles 0, 1, ... of number formats: own ones by their codes, then those of the numbers.
func styles(codes []string, numbers ...int) string {
	var formats, cells strings.Builder
	for i, code := range codes {
		code = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;").Replace(code)
		fmt.Fprintf(&formats, `<numFmt numFmtId="%d" formatCode="%s"/>`, 164+i, code)
		fmt.Fprintf(&cells, `<xf numFmtId="%d"/>`, 164+i)
	}
	for _, n := range numbers {
		fmt.Fprintf(&cells, `<xf numFmtId="%d"/>`, n)
	}
	return `<styleSheet xmlns="` + mainSpace + `"><numFmts>` + formats.String() + `</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>` + cells.String() + `</cellXfs></styleSheet>`
}

func stringTable(items ...string) string {
	return `<sst xmlns="` + mainSpace + `">` + strings.Join(items, "") + `</sst>`
}

// read returns the rows of a workbook's first sheet, each as "number: cell | cell", a cell's kind before it unless it
// is text.
func read(t testing.TB, file []byte, l xlsx.Limits) ([]string, error) {
	t.Helper()
	w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), l)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	rows, err := w.Rows(0)
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

// wantRefusal checks that an error is a refusal with this code, and with this limit if one is given.
func wantRefusal(t testing.TB, err error, code finding.Code, limit string) {
	t.Helper()
	refusal, ok := errors.AsType[*finding.FileRefusal](err)
	if !ok || refusal.Code != code || refusal.Limit != limit {
		t.Errorf("error is %v, want a refusal %q with limit %q", err, code, limit)
	}
}
