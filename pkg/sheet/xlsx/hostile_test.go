package xlsx_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

func TestRefusesHostileWorkbooks(t *testing.T) {
	t.Parallel()
	cell := `<row r="1"><c r="A1"><v>1</v></c></row>`
	shared := `<row r="1"><c r="A1" t="s"><v>0</v></c></row>`
	text := func(s string) string {
		return `<row r="1"><c r="A1" t="inlineStr"><is><t>` + s + `</t></is></c></row>`
	}
	for _, c := range []struct {
		name  string
		rows  string
		other parts
		code  finding.Code
		limit string
	}{
		{"a document type", cell, parts{"xl/worksheets/sheet1.xml": `<!DOCTYPE worksheet>` + sheet(cell)}, finding.WorkbookUnsafe, ""},
		{"an external entity", shared, parts{"xl/sharedStrings.xml": `<!DOCTYPE sst [<!ENTITY x SYSTEM "file:///etc/passwd">]><sst><si><t>&x;</t></si></sst>`}, finding.WorkbookUnsafe, ""},
		{"a billion laughs", cell, parts{"xl/workbook.xml": `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>` + bookPart}, finding.WorkbookUnsafe, ""},
		{"an unknown entity", text("&lol;"), nil, finding.WorkbookUnsafe, ""},
		{"an entity without end", text("a & b"), nil, finding.WorkbookDamaged, ""},
		{"a reference to NUL", text("&#0;"), nil, finding.WorkbookDamaged, ""},
		{"a reference beyond Unicode", text("&#x110000;"), nil, finding.WorkbookDamaged, ""},
		{"a deep nest", text(strings.Repeat("<a>", 2_000_000)), nil, finding.WorkbookTooLarge, "element depth"},
		{"a deep nest beside the rows", cell + strings.Repeat("<a>", 100), nil, finding.WorkbookTooLarge, "element depth"},
		{"a tag of attributes", `<row ` + strings.Repeat(`a="1" `, 1000) + `/>`, nil, finding.WorkbookTooLarge, "attributes"},
		{"an endless attribute", `<row r="` + strings.Repeat("1", 3<<20) + `"/>`, nil, finding.WorkbookTooLarge, "token bytes"},
		{"an endless text", text(strings.Repeat("x", 3<<20)), nil, finding.WorkbookTooLarge, "token bytes"},
		{"an endless text in pieces", text(strings.Repeat(strings.Repeat("x", 1000)+"<!-- -->", 3000)), nil, finding.WorkbookTooLarge, "token bytes"},
		{"a row too long", `<row r="1">` + strings.Repeat(`<c t="inlineStr"><is><t>`+strings.Repeat("x", 30000)+`</t></is></c>`, 50) + `</row>`, nil, finding.RecordTooLong, "record bytes"},
		{"a string too often in a row", `<row r="1">` + strings.Repeat(`<c t="s"><v>0</v></c>`, 50) + `</row>`, parts{"xl/sharedStrings.xml": stringTable(`<si><t>` + strings.Repeat("x", 30000) + `</t></si>`)}, finding.RecordTooLong, "record bytes"},
		{"formulas without end", `<row r="1"><c>` + strings.Repeat(`<f>`+strings.Repeat("A", 8000)+`</f>`, 2200) + `</c></row>`, nil, finding.WorkbookTooLarge, "row bytes"},
		{"too many columns", `<row r="1"><c r="IW1"><v>1</v></c></row>`, nil, finding.TooManyColumns, "columns"},
		{"an index out of range", `<row r="1"><c r="A1" t="s"><v>1</v></c></row>`, parts{"xl/sharedStrings.xml": stringTable(`<si><t>a</t></si>`)}, finding.WorkbookDamaged, ""},
		{"a negative index", `<row r="1"><c r="A1" t="s"><v>-1</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"an index that is no number", `<row r="1"><c r="A1" t="s"><v>x</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"no strings at all", shared, parts{"xl/sharedStrings.xml": "", "xl/_rels/workbook.xml.rels": strings.ReplaceAll(bookRels, "/sharedStrings\"", "/else\"")}, finding.WorkbookDamaged, ""},
		{"a part for strings that is missing", shared, parts{"xl/sharedStrings.xml": ""}, finding.WorkbookDamaged, ""},
		{"a reference beyond the sheet", `<row r="1"><c r="ZZZ9999999"><v>1</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"a column beyond the sheet", `<row r="1"><c r="XFE1"><v>1</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"a row beyond the sheet", `<row r="1048577"/>`, nil, finding.WorkbookDamaged, ""},
		{"a reference to another row", `<row r="1"><c r="A2"><v>1</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"a reference without row", `<row r="1"><c r="A"><v>1</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"row 0", `<row r="0"/>`, nil, finding.WorkbookDamaged, ""},
		{"rows out of order", `<row r="2"/><row r="1"/>`, nil, finding.WorkbookDamaged, ""},
		{"a row given twice", `<row r="2"/><row r="2"/>`, nil, finding.WorkbookDamaged, ""},
		{"a cell given twice", `<row r="1"><c r="A1"/><c r="A1"><v>1</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"a truth that is none", `<row r="1"><c r="A1" t="b"><v>2</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"a type that is none", `<row r="1"><c r="A1" t="q"><v>2</v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"an element in a value", `<row r="1"><c r="A1"><v>1<b/></v></c></row>`, nil, finding.WorkbookDamaged, ""},
		{"an end of something else", `<row r="1"><c r="A1"><v>1</c></v></row>`, nil, finding.WorkbookDamaged, ""},
		{"a part cut short", cell, parts{"xl/worksheets/sheet1.xml": sheet(cell)[:200]}, finding.WorkbookDamaged, ""},
		{"two roots", cell, parts{"xl/worksheets/sheet1.xml": sheet(cell) + "<worksheet/>"}, finding.WorkbookDamaged, ""},
		{"text behind the root", cell, parts{"xl/worksheets/sheet1.xml": sheet(cell) + "x"}, finding.WorkbookDamaged, ""},
		{"a sheet in a namespace of its own", cell, parts{"xl/worksheets/sheet1.xml": strings.Replace(sheet(cell), mainSpace, "urn:else", 1)}, finding.WorkbookDamaged, ""},
		{"a part that is something else", cell, parts{"xl/worksheets/sheet1.xml": `<html/>`}, finding.WorkbookDamaged, ""},
		{"no XML", cell, parts{"xl/worksheets/sheet1.xml": "{}"}, finding.WorkbookDamaged, ""},
		{"an unknown encoding", cell, parts{"xl/worksheets/sheet1.xml": `<?xml version="1.0" encoding="klingon"?><worksheet/>`}, finding.WorkbookDamaged, ""},
		{"a sheet that is not there", cell, parts{"xl/worksheets/sheet1.xml": ""}, finding.WorkbookDamaged, ""},
		{"a workbook without sheets", cell, parts{"xl/workbook.xml": `<workbook/>`}, finding.WorkbookDamaged, ""},
		{"a workbook of charts", cell, parts{"xl/_rels/workbook.xml.rels": strings.Replace(bookRels, "/worksheet\"", "/chartsheet\"", 1)}, finding.FileEmpty, ""},
		{"no workbook", cell, parts{"xl/workbook.xml": ""}, finding.WorkbookDamaged, ""},
		{"a binary workbook", cell, parts{"[Content_Types].xml": strings.Replace(contentType, "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml", "vnd.ms-excel.sheet.binary.macroEnabled.main", 1)}, finding.WorkbookBinary, ""},
		{"a letter", cell, parts{"[Content_Types].xml": strings.Replace(contentType, "spreadsheetml.sheet", "wordprocessingml.document", 1)}, finding.FileIsDocument, ""},
		{"an archive of something", cell, parts{"[Content_Types].xml": ""}, finding.FileIsZIP, ""},
		{"an OpenDocument sheet", cell, parts{"[Content_Types].xml": "", "mimetype": "application/vnd.oasis.opendocument.spreadsheet"}, finding.FileIsODS, ""},
		{"an encrypted OpenDocument sheet", cell, parts{"[Content_Types].xml": "", "mimetype": "application/vnd.oasis.opendocument.spreadsheet", "META-INF/manifest.xml": `<manifest><encryption-data/></manifest>`}, finding.WorkbookProtected, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// the ratio of these small inputs is not what is shown here
			_, err := read(t, workbook(t, c.rows, c.other), xlsx.Limits{Limits: unpack.Limits{Ratio: 10_000}})
			wantRefusal(t, err, c.code, c.limit)
		})
	}
}

func TestRefusesWhatIsNoWorkbook(t *testing.T) {
	t.Parallel()
	ole := append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 2000)...)
	for name, c := range map[string]struct {
		file []byte
		code finding.Code
	}{
		"nothing":                {nil, finding.FileEmpty},
		"text":                   {[]byte("Email,Phone\n"), finding.WorkbookDamaged},
		"an old workbook":        {ole, finding.FileIsOldExcel},
		"a very old workbook":    {[]byte("\x09\x08\x08\x00\x00\x05\x05\x00"), finding.FileIsOldExcel},
		"the head of a workbook": {workbook(t, "")[:500], finding.ArchiveDamaged},
		"an empty archive":       {pack(t, nil), finding.FileIsZIP},
	} {
		_, err := read(t, c.file, xlsx.Limits{})
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		t.Run(name, func(t *testing.T) { wantRefusal(t, err, c.code, "") })
	}
}

// TestBombs unpacks what is far larger than it looks, within a bound of memory.
func TestBombs(t *testing.T) {
	bomb := func(part, head, body, tail string, size int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
		all := sheetParts(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`, parts{part: ""})
		for name, text := range all {
			if text == "" {
				continue
			}
			f, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(f, text)
		}
		f, err := z.Create(part)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, head)
		chunk := strings.Repeat(body, 1<<16)
		for n := 0; n < size; n += len(chunk) {
			io.WriteString(f, chunk)
		}
		io.WriteString(f, tail)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const little, most = 8 << 20, 72 << 20
	for _, c := range []struct {
		name  string
		file  []byte
		limit xlsx.Limits
		code  finding.Code
		named string
	}{
		{"strings without end", bomb("xl/sharedStrings.xml", `<sst><si><t>`, "x", `</t></si></sst>`, most), xlsx.Limits{}, finding.ArchiveTooLarge, "ratio"},
		{"a string without end", bomb("xl/sharedStrings.xml", `<sst><si><t>`, "x", `</t></si></sst>`, little), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "token bytes"},
		{"strings of spaces", bomb("xl/sharedStrings.xml", `<sst>`, " ", `</sst>`, little), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "token bytes"},
		{"very many strings", bomb("xl/sharedStrings.xml", `<sst>`, "<si/>", `</sst>`, most), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}, StringBytes: 48 << 20}, finding.WorkbookTooLarge, "string bytes"},
		{"a sheet of comments", bomb("xl/worksheets/sheet1.xml", `<worksheet><sheetData>`, "<!-- -->", `</sheetData></worksheet>`, most), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "bytes between rows"},
		{"a sheet of columns", bomb("xl/worksheets/sheet1.xml", `<worksheet><cols>`, "<col/>", `</cols><sheetData/></worksheet>`, most), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "bytes between rows"},
		{"styles without end", bomb("xl/styles.xml", `<styleSheet><cellXfs>`, "<xf/>", `</cellXfs></styleSheet>`, little), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "cell styles"},
		{"types without end", bomb("[Content_Types].xml", `<Types>`, `<Default Extension="a"/>`, `</Types>`, most), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "part bytes"},
		{"a book of sheets", bomb("xl/workbook.xml", strings.Replace(bookPart, "</sheets></workbook>", "", 1), `<sheet/>`, `</sheets></workbook>`, most), xlsx.Limits{Limits: unpack.Limits{Ratio: 2000}}, finding.WorkbookTooLarge, "part bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Now()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, err := read(t, c.file, c.limit)
			runtime.ReadMemStats(&after)
			wantRefusal(t, err, c.code, c.named)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 128<<20 {
				t.Errorf("memory grew by %d MiB, want at most 128", grown>>20)
			}
			t.Logf("%v, %d MiB allocated", time.Since(begin).Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}

// TestTakesWorkbooksOfThePOIProject reads workbooks that other readers stumbled over.
func TestTakesWorkbooksOfThePOIProject(t *testing.T) {
	files := append(corpora(t, "poi_xlsx/*.xlsx"), corpora(t, "poi_xlsx/*.xlsm")...)
	refused := map[string]finding.Code{
		"protected_passtika.xlsx":                  finding.WorkbookProtected,
		"sample-beta.xlsx":                         finding.WorkbookDamaged, // in the namespaces of a format before the standard
		"xlsx-corrupted.xlsx":                      finding.WorkbookDamaged,
		"duplicate-filename.xlsx":                  finding.ArchiveUnsafe,
		"duplicate-filename-case-insensitive.xlsx": finding.ArchiveUnsafe,
	}
	opened := takeAll(t, files, refused)
	t.Logf("score: %d of %d workbooks read whole, %d refused as they must be", opened, len(files), len(refused))
	if opened != len(files)-len(refused) {
		t.Errorf("%d workbooks were read whole, want %d", opened, len(files)-len(refused))
	}
}

func TestTakesWorkbooksOfTheExcelizeProject(t *testing.T) {
	files := corpora(t, "excelize/*.xlsx")
	refused := map[string]finding.Code{
		"BadWorkbook.xlsx": finding.WorkbookDamaged, // it lists no sheet
		"encryptAES.xlsx":  finding.WorkbookProtected,
		"encryptSHA1.xlsx": finding.WorkbookProtected,
	}
	opened := takeAll(t, files, refused)
	t.Logf("score: %d of %d workbooks read whole, %d refused as they must be", opened, len(files), len(refused))
	if opened != len(files)-len(refused) {
		t.Errorf("%d workbooks were read whole, want %d", opened, len(files)-len(refused))
	}
}

// takeAll reads every sheet of every file, in both ways, and counts the files that were read whole.
func takeAll(t *testing.T, files []string, refused map[string]finding.Code) int {
	t.Helper()
	opened := 0
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := processorTime(t)
		err = takeBook(file)
		runtime.ReadMemStats(&after)
		if spent := processorTime(t) - begin; spent > 10*time.Second {
			t.Errorf("%s: took %v of a processor, want at most 10 s", base, spent)
		}
		if grown := int64(after.Sys) - int64(before.Sys); grown > 128<<20 {
			t.Errorf("%s: memory grew by %d MiB, want at most 128", base, grown>>20)
		}
		if code, ok := refused[base]; ok {
			wantRefusal(t, err, code, "")
		} else if err != nil {
			t.Errorf("%s: %v", base, err)
		} else {
			opened++
		}
	}
	return opened
}

// processorTime is what the process has used of its processors: unlike the clock it does not depend on what else runs.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func takeBook(file []byte) error {
	w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), wide())
	if err != nil {
		return err
	}
	defer w.Close()
	for _, s := range w.Sheets() {
		for _, read := range []func(int) (*xlsx.Rows, error){w.Rows, w.ShownRows} {
			rows, err := read(s.Index)
			for err == nil {
				_, err = rows.Next()
			}
			if err != io.EOF {
				return err
			}
			rows.Close()
		}
	}
	return nil
}
