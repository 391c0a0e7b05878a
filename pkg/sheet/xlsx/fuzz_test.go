package xlsx_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// small keeps what the fuzzer finds from taking long.
func small() xlsx.Limits {
	return xlsx.Limits{Limits: unpack.Limits{UnpackedBytes: 1 << 20, PackedBytes: 1 << 20, Members: 50}, RecordBytes: 1 << 10, Columns: 16, StringBytes: 4 << 20}
}

// takeSmall reads every sheet in both ways and checks what always holds.
func takeSmall(t *testing.T, file []byte) {
	t.Helper()
	w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), small())
	if err != nil {
		wantAnyRefusal(t, err)
		return
	}
	defer w.Close()
	for _, s := range w.Sheets() {
		for _, read := range []func(int) (*xlsx.Rows, error){w.Rows, w.ShownRows} {
			rows, err := read(s.Index)
			last := int64(0)
			for err == nil {
				var row *xlsx.Row
				if row, err = rows.Next(); err != nil {
					break
				}
				if row.Number <= last || row.Number > 1<<20 || len(row.Cells) > 16 {
					t.Fatalf("row %d of %d cells after row %d", row.Number, len(row.Cells), last)
				}
				last = row.Number
				for _, c := range row.Cells {
					if c.Kind == xlsx.NoValue && len(c.Text) > 0 || c.Kind > xlsx.NoValue {
						t.Fatalf("cell %q of kind %v", c.Text, c.Kind)
					}
				}
			}
			if err != io.EOF {
				wantAnyRefusal(t, err)
			}
		}
	}
}

func wantAnyRefusal(t *testing.T, err error) {
	t.Helper()
	if _, refused := errors.AsType[*finding.FileRefusal](err); !refused {
		t.Fatalf("error is no refusal: %v", err)
	}
}

// FuzzOpen reads whatever comes as a workbook.
func FuzzOpen(f *testing.F) {
	f.Add(workbook(f, `<row r="1"><c r="A1" t="s"><v>0</v></c></row>`, parts{"xl/sharedStrings.xml": stringTable(`<si><t>a</t></si>`)}))
	f.Add([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	f.Add([]byte("PK\x03\x04"))
	f.Add(pack(f, nil))
	f.Fuzz(func(t *testing.T, file []byte) { takeSmall(t, file) })
}

// FuzzParts reads whatever the parts of a workbook hold.
func FuzzParts(f *testing.F) {
	cells := `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>45322.5</v></c><c r="C1" t="inlineStr"><is><r><t>a_x000D_&amp;</t></r></is></c><c t="str"><f>1</f><v>x</v></c><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c></row>`
	f.Add(sheet(cells), stringTable(`<si><t>a</t></si>`), styles([]string{"00000", "yyyy"}, 14), bookPart)
	f.Add(sheet(`<row><c><v>1</v></c></row>`), `<sst/>`, styles([]string{`[<1]0.0?/?;[Red]-#,##0%;"x"@;E+0`}), bookPart)
	f.Fuzz(func(t *testing.T, sheet, table, style, book string) {
		if len(sheet)+len(table)+len(style)+len(book) > 1<<16 {
			return
		}
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, part := range [...][2]string{
			{"[Content_Types].xml", contentType}, {"_rels/.rels", rootRels}, {"xl/_rels/workbook.xml.rels", bookRels},
			{"xl/worksheets/sheet1.xml", sheet}, {"xl/sharedStrings.xml", table}, {"xl/styles.xml", style}, {"xl/workbook.xml", book},
		} {
			w, err := z.CreateHeader(&zip.FileHeader{Name: part[0], Method: zip.Store})
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, part[1])
		}
		z.Close()
		takeSmall(t, b.Bytes())
	})
}
