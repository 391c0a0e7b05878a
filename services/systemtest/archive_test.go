package systemtest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// sheetOf is a workbook with one sheet of the given rows in XML, the first a heading.
func sheetOf(rows string) []byte { return workbook(nil, `<sheetData>`+rows+`</sheetData>`) }

// workbook is a workbook of one sheet; parts replace its other parts, or add some.
func workbook(parts map[string]string, sheet string) []byte {
	const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	const main = `http://schemas.openxmlformats.org/spreadsheetml/2006/main`
	const office = `http://schemas.openxmlformats.org/officeDocument/2006/relationships`
	all := map[string]string{
		"[Content_Types].xml": head + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
			`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>`,
		"_rels/.rels":     head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + office + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml": head + `<workbook xmlns="` + main + `" xmlns:r="` + office + `"><sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` + office + `/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="` + office + `/styles" Target="styles.xml"/><Relationship Id="rId3" Type="` + office + `/sharedStrings" Target="sharedStrings.xml"/></Relationships>`,
		// style 1 is a date, style 2 pads with zeros
		"xl/styles.xml":        head + `<styleSheet xmlns="` + main + `"><numFmts count="1"><numFmt numFmtId="164" formatCode="00000"/></numFmts><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>`,
		"xl/sharedStrings.xml": head + `<sst xmlns="` + main + `"><si><t>shared</t></si></sst>`,
	}
	if !strings.HasPrefix(sheet, "<?xml") && !strings.HasPrefix(sheet, "<!DOCTYPE") {
		sheet = head + `<worksheet xmlns="` + main + `">` + sheet + `</worksheet>`
	}
	all["xl/worksheets/sheet1.xml"] = sheet
	for name, content := range parts {
		all[name] = content
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range all {
		part, err := w.Create(name)
		must(err)
		_, err = io.WriteString(part, content)
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// row is a row of inline strings, from column A on; a cell that begins with < is taken as it stands.
func rowOf(number int, cells ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<row r="%d">`, number)
	for i, c := range cells {
		if strings.HasPrefix(c, "<") {
			b.WriteString(c)
			continue
		}
		fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+i, number, c)
	}
	return b.String() + "</row>"
}

// archive is a ZIP of files; names and contents take turns.
func archive(namesAndContents ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(namesAndContents); i += 2 {
		f, err := w.Create(namesAndContents[i])
		must(err)
		_, err = io.WriteString(f, namesAndContents[i+1])
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// overlapping is a ZIP whose entries, all of them, are one and the same piece of the file.
func overlapping(entries int, content []byte) []byte {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	f, err := w.Create("a.csv")
	must(err)
	_, err = f.Write(content)
	must(err)
	must(w.Close())
	whole := packed.Bytes()
	start := bytes.Index(whole, []byte("PK\x01\x02"))
	end := bytes.Index(whole, []byte("PK\x05\x06"))
	entry := whole[start:end]
	out := bytes.Clone(whole[:start])
	for i := range entries {
		e := bytes.Clone(entry)
		copy(e[46:], fmt.Sprintf("%05d", i)) // the name is five bytes long
		out = append(out, e...)
	}
	tail := bytes.Clone(whole[end:])
	binary.LittleEndian.PutUint16(tail[8:], uint16(entries))
	binary.LittleEndian.PutUint16(tail[10:], uint16(entries))
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(entry)*entries))
	return append(out, tail...)
}

// patched is a ZIP with a change to the first header of its directory, and to that of the file.
func patched(whole []byte, change func(directory, local []byte)) []byte {
	out := bytes.Clone(whole)
	change(out[bytes.Index(out, []byte("PK\x01\x02")):], out[bytes.Index(out, []byte("PK\x03\x04")):])
	return out
}

// zipped is a gzip member.
func zipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	must(err)
	must(w.Close())
	return b.Bytes()
}

// bomb is so many mebibytes of rows in gzip, made without them: it is the same member again and again.
func bomb(mebibytes int) []byte {
	piece := zipped(bytes.Repeat([]byte("X1,Bob,x1@example.com,B\n"), 1<<20/24))
	return append(zipped([]byte(hostileHead+"\n")), bytes.Repeat(piece, mebibytes)...)
}

// wordy is a gzip member whose header has a name and a comment of a mebibyte, and a time far from now.
func wordy(content []byte) []byte {
	plain := zipped(content)
	long := bytes.Repeat([]byte("x"), 1<<20)
	head := []byte{0x1f, 0x8b, 8, 8 | 16, 0xff, 0xff, 0xff, 0xff, 0, 255}
	out := append(append(append(append(head, long...), 0), long...), 0)
	return append(out, plain[10:]...)
}

// wrongSum is a gzip member with the checksum of something else.
func wrongSum(content []byte) []byte {
	whole := zipped(content)
	binary.LittleEndian.PutUint32(whole[len(whole)-8:], crc32.ChecksumIEEE([]byte("something else")))
	return whole
}

func must(err error) {
	if err != nil {
		panic(err) // buffers take everything
	}
}

// fillWorkbook writes values under their headings into the second row of the first sheet, in place of what stands there.
func fillWorkbook(t *testing.T, content []byte, values map[string]string) []byte {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	sheet := book.GetSheetName(0)
	rows, err := book.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for i, heading := range rows[0] {
		cell, err := excelize.CoordinatesToCellName(i+1, 2)
		must(err)
		must(book.SetCellValue(sheet, cell, values[heading]))
	}
	var b bytes.Buffer
	must(book.Write(&b))
	return b.Bytes()
}
