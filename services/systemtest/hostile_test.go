package systemtest

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// hostileFile is a file that nobody should send, by its number in the list of promises, and what is to become of it.
type hostileFile struct {
	number  int
	what    string
	content []byte
	flags   []string

	refused string         // code of the job's problem, or
	asked   string         // code of its question, or
	said    string         // what the upload is refused with, or
	rows    counts         // what becomes of its rows
	finding string         // in the reason of every row that is not taken
	line    string         // line of the first of them
	warning string         // code of a warning on the file
	values  map[string]any // of the contact whose external id is X1
}

const hostileHead = "External id,Last name,Email,Company"

// lines is a file of a heading and rows.
func lines(rows ...string) []byte {
	return []byte(hostileHead + "\n" + strings.Join(rows, "\n") + "\n")
}

func utf16of(order binary.AppendByteOrder, mark bool, text string) []byte {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func utf32of(mark bool, text string) []byte {
	var out []byte
	if mark {
		out = binary.LittleEndian.AppendUint32(out, 0xfeff)
	}
	for _, r := range text {
		out = binary.LittleEndian.AppendUint32(out, uint32(r))
	}
	return out
}

// three are three rows that are all right, the first about Zoë.
const three = hostileHead + "\nX1,Zoë,x1@example.com,Ä\nX2,Bob,x2@example.com,B\nX3,Cy,x3@example.com,C\n"

var (
	added3 = counts{Rows: 3, Added: 3}
	zoe    = map[string]any{"last_name": "Zoë", "company": "Ä"}
)

// containersAndEncodings are the numbers 25 to 44.
func containersAndEncodings() []hostileFile {
	good := []byte(three)
	png := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), bytes.Repeat([]byte{1, 0, 2, 0xff}, 500)...)
	cp1252, err := charmap.Windows1252.NewEncoder().String(three)
	must(err)
	sjis, err := japanese.ShiftJIS.NewEncoder().String(strings.NewReplacer("Zoë", "山田", "Ä", "会社").Replace(three))
	must(err)
	mac, err := charmap.Macintosh.NewEncoder().String(three)
	must(err)
	deep := good
	for range 40 {
		deep = zipped(deep)
	}
	var mixed []string
	for i := range 3000 {
		name := "Zoë"
		if i%20 == 3 {
			name = "Zo\xeb"
		}
		mixed = append(mixed, fmt.Sprintf("X%d,%s,x%d@example.com,C", i, name, i))
	}
	many := make([]string, 0, 200_000)
	for i := range 100_000 {
		many = append(many, strconv.Itoa(i), "")
	}
	lying := patched(archive("a.csv", three), func(directory, local []byte) {
		binary.LittleEndian.PutUint32(directory[24:], 5) // size unpacked
	})
	encrypted := patched(archive("a.csv", three), func(directory, local []byte) {
		directory[8] |= 1
		local[6] |= 1
	})
	link := patched(archive("a.csv", three), func(directory, local []byte) {
		directory[5] = 3                                            // made on Unix
		binary.LittleEndian.PutUint32(directory[38:], 0o120777<<16) // a symbolic link
	})
	return []hostileFile{
		{number: 25, what: "PNG", content: png, refused: "file-is-image"},
		{number: 25, what: "ELF", content: append([]byte("\x7fELF\x02\x01\x01\x00"), png...), refused: "file-is-program"},
		{number: 25, what: "PDF", content: append([]byte("%PDF-1.7\n"), png...), refused: "file-is-pdf"},
		{number: 25, what: "HTML", content: []byte("<!DOCTYPE html><html><body>" + three), refused: "file-is-markup"},
		{number: 25, what: "ZIP of a picture", content: archive("a.csv", string(png)), refused: "file-is-image"},
		{number: 26, what: "1 GiB of gzip", content: bomb(1 << 10), refused: "archive-too-large"},
		{number: 27, what: "gzip of gzip", content: zipped(zipped(good)), refused: "archive-nested"},
		{number: 27, what: "40 levels of gzip", content: deep, refused: "archive-nested"},
		{number: 28, what: "gzip cut short", content: zipped(good)[:len(zipped(good))-12], refused: "archive-damaged"},
		{number: 29, what: "gzip with a wrong checksum", content: wrongSum(good), refused: "archive-damaged"},
		{number: 30, what: "gzip of two members", content: append(zipped(good[:40]), zipped(good[40:])...), rows: added3, values: zoe},
		{number: 30, what: "gzip with garbage behind", content: append(zipped(good), "garbage"...), refused: "archive-damaged"},
		{number: 31, what: "gzip with a name of 1 MiB", content: wordy(good), rows: added3, values: zoe},
		{number: 32, what: "ZIP by overlap", content: overlapping(200, bytes.Repeat([]byte("a,b\n"), 1<<18)), refused: "archive-unsafe"},
		{number: 33, what: "ZIP of 100,000 entries", content: archive(many...), refused: "archive-too-large"},
		{number: 33, what: "ZIP whose sizes lie", content: lying, refused: "archive-damaged"},
		{number: 33, what: "encrypted ZIP", content: encrypted, refused: "archive-protected"},
		{number: 33, what: "ZIP with a link", content: link, refused: "archive-unsafe"},
		{number: 33, what: "ZIP with a path upwards", content: archive("../x.csv", three), refused: "archive-unsafe"},
		{number: 33, what: "ZIP with one name twice", content: archive("a.csv", three, "a.csv", three), refused: "archive-unsafe"},
		{number: 33, what: "ZIP whose sizes come behind", content: archive("a.csv", three), rows: added3, values: zoe},
		{number: 34, what: "ZIP in ZIP", content: archive("a.zip", string(archive("a.csv", three))), refused: "archive-nested"},
		{number: 34, what: "workbook in ZIP", content: archive("a.xlsx", string(sheetOf(rowOf(1, "External id", "Last name", "Company")+rowOf(2, "X1", "Zoë", "Ä")))), rows: counts{Rows: 1, Added: 1}, values: zoe},
		{number: 34, what: "workbook in gzip", content: zipped(sheetOf(rowOf(1, "External id", "Last name", "Company") + rowOf(2, "X1", "Zoë", "Ä"))), rows: counts{Rows: 1, Added: 1}, values: zoe},
		{number: 34, what: "workbook in ZIP in gzip", content: zipped(archive("a.xlsx", string(sheetOf(rowOf(1, "External id"))))), refused: "archive-nested"},

		{number: 35, what: "byte order mark", content: append([]byte("\ufeff"), good...), rows: added3, values: zoe},
		{number: 36, what: "UTF-16LE with mark", content: utf16of(binary.LittleEndian, true, three), rows: added3, values: zoe},
		{number: 36, what: "UTF-16BE with mark", content: utf16of(binary.BigEndian, true, three), rows: added3, values: zoe},
		{number: 36, what: "UTF-16LE without mark", content: utf16of(binary.LittleEndian, false, three), rows: added3, values: zoe},
		{number: 36, what: "UTF-16BE without mark", content: utf16of(binary.BigEndian, false, three), rows: added3, values: zoe},
		{number: 36, what: "UTF-32 with mark", content: utf32of(true, three), rows: added3, values: zoe},
		{number: 36, what: "UTF-32 without mark", content: utf32of(false, three), refused: "encoding-utf32"},
		{number: 37, what: "Windows-1252", content: []byte(cp1252), rows: added3, warning: "encoding-assumed", values: zoe},
		{number: 37, what: "Shift JIS, named", content: []byte(sjis), flags: []string{"--encoding", "shift_jis"}, rows: added3, values: map[string]any{"last_name": "山田", "company": "会社"}},
		{number: 37, what: "MacRoman, named", content: []byte(mac), flags: []string{"--encoding", "macintosh"}, rows: added3, values: zoe},
		{number: 38, what: "a cell that is no UTF-8", content: lines("X1,Zoë,x1@example.com,Ä", "X2,B\xff\xfe,x2@example.com,B"), rows: counts{Rows: 2, Added: 1, Invalid: 1}, finding: "invalid-utf8", line: "3", values: zoe},
		{number: 39, what: "a NUL byte", content: lines("X1,Zoë,x1@example.com,Ä", "X2,B\x00b,x2@example.com,B"), rows: counts{Rows: 2, Added: 1, Invalid: 1}, finding: "nul-byte", line: "3", values: zoe},
		{number: 40, what: "overlong UTF-8", content: lines("X1,Zoë,x1@example.com,Ä", "X2,B\xc0\xaf,x2@example.com,B", "X3,B\xed\xa0\x80\xed\xb0\x80,x3@example.com,C", "X4,Zoë,x4@example.com,"+strings.Repeat("äöü", 20)), rows: counts{Rows: 4, Added: 2, Invalid: 2}, finding: "invalid-utf8", line: "3", values: zoe},
		{number: 41, what: "two encodings in one file", content: lines(mixed...), refused: "too-many-broken"},
		{number: 42, what: "a byte order mark and nothing", content: []byte("\ufeff"), refused: "file-empty"},
		{number: 42, what: "newlines alone", content: bytes.Repeat([]byte("\n"), 1000), refused: "file-empty"},
		{number: 42, what: "a heading alone", content: []byte(hostileHead + "\n"), rows: counts{}},
		{number: 43, what: "Ctrl-Z at the end", content: append(bytes.Clone(good), 0x1a), rows: added3, values: zoe},
		{number: 44, what: "5 GB of spaces", said: "larger than the limit of 2147483648 bytes"},
	}
}

// structure are the numbers 45 to 66.
func structure() []hostileFile {
	var open, same []string
	for i := range 20_000 {
		open = append(open, fmt.Sprintf("X%d,Bob,x%d@example.com,B", i+1, i+1))
		same = append(same, "X1,Zoë,x1@example.com,Ä")
	}
	open[1] = `X2,"Bob,x2@example.com,B`
	folded := strings.Repeat("line\n", 10_000)
	return []hostileFile{
		{number: 45, what: "a quote left open", content: lines(open...), rows: counts{Rows: 20_000, Added: 19_999, Invalid: 1}, finding: "quote-open", line: "3"},
		{number: 46, what: "a quote left open, and 64 MiB without an end of line", content: append(lines("X1,A,a@example.com,C"), append([]byte(`X2,"`), bytes.Repeat([]byte("x"), 64<<20)...)...), refused: "record-too-long"},
		{number: 47, what: "20 MB of commas", content: append([]byte(hostileHead+"\n"), bytes.Repeat([]byte(","), 20<<20)...), refused: "record-too-long"},
		{number: 47, what: "500 kB of commas", content: append([]byte(hostileHead+"\n"), bytes.Repeat([]byte(","), 500_000)...), refused: "too-many-columns"},
		{number: 48, what: "a line of 60 kB", content: lines("X1,Zoë,x1@example.com,Ä", "X2,B,x2@example.com,"+strings.Repeat("x", 60_000)), rows: counts{Rows: 2, Added: 1, Invalid: 1}, finding: "too-long", line: "3", values: zoe},
		{number: 49, what: "lines that end in CR", content: []byte(strings.ReplaceAll(three, "\n", "\r")), rows: added3, values: zoe},
		{number: 49, what: "mixed line ends", content: []byte(strings.Replace(strings.Replace(three, "\n", "\r\n", 1), "com,B\n", "com,B\r", 1)), rows: added3, values: zoe},
		{number: 50, what: "CR LF in quotes", content: []byte("External id,Address\r\nX1,\"a\r\nb\"\r\n"), rows: counts{Rows: 1, Added: 1}, values: map[string]any{"address": "a\nb"}},
		{number: 51, what: "quotes in the middle", content: lines(`X1,Zoë,x1@example.com,Ä`, `X2,x"y,x2@example.com,B`, `X3,"x"y,x3@example.com,C`, `X4, "x",x4@example.com,D`, "X5,Eve,x5@example.com,E"), rows: counts{Rows: 5, Added: 2, Invalid: 3}, finding: "quote-stray", line: "3", values: zoe},
		{number: 53, what: "short and long rows", content: lines("X1,Zoë", "X2,B,x2@example.com,C,,", "X3,B,x3@example.com,C,more"), rows: counts{Rows: 3, Added: 2, Invalid: 1}, finding: "row-long", line: "4"},
		{number: 54, what: "semicolons", content: []byte(strings.ReplaceAll(three, ",", ";")), rows: added3, values: zoe},
		{number: 54, what: "tabs", content: []byte(strings.ReplaceAll(three, ",", "\t")), rows: added3, values: zoe},
		{number: 54, what: "pipes", content: []byte(strings.ReplaceAll(three, ",", "|")), rows: added3, values: zoe},
		{number: 54, what: "sep=", content: []byte("sep=;\n" + strings.ReplaceAll(three, ",", ";")), rows: added3, values: zoe},
		{number: 54, what: "two delimiters, alike", content: []byte("External id;Last name,Email\nX1;A,x1@example.com\n"), asked: "delimiter"},
		{number: 55, what: "one heading twice", content: []byte("External id,Email,Email\nX1,a@example.com,b@example.com\n"), asked: "two-columns-for-one-field"},
		{number: 55, what: "one heading in two cases", content: []byte("External id,Email,email\nX1,a@example.com,b@example.com\n"), asked: "two-columns-for-one-field"},
		{number: 55, what: "an empty, a long and an odd heading", content: []byte("External id,Last name,," + strings.Repeat("h", 300) + ",<script>alert(1)</script>,=1+1\nX1,Zoë,1,2,3,4\n"), rows: counts{Rows: 1, Added: 1}, values: map[string]any{"last_name": "Zoë"}},
		{number: 55, what: "a zero width space in a heading", content: []byte("External id,Last\u200b name\nX1,Zoë\n"), rows: counts{Rows: 1, Added: 1}, values: map[string]any{"last_name": "Zoë"}},
		{number: 56, what: "no heading", content: []byte("X1,Zoë,x1@example.com,+1 202 224 3121\nX2,Bob,x2@example.com,+1 202 224 3122\n"), asked: "no-heading"},
		{number: 56, what: "nothing maps", content: []byte("foo,bar,baz\none,two,three\n"), refused: "nothing-maps"},
		{number: 57, what: "the heading again", content: []byte(three + three), rows: counts{Rows: 7, Added: 3, Duplicate: 3, Invalid: 1}, finding: "heading-repeated", line: "5", values: zoe},
		{number: 58, what: "a record over the limit", content: lines("X1,A,x1@example.com,C", "X2,"+strings.Repeat("x", 1<<20)+",x2@example.com,C"), refused: "record-too-long"},
		{number: 59, what: "blank lines", content: []byte(strings.ReplaceAll(three, "com,B\n", "com,B\n\n\n\n") + "X4,Bad,nobody,D\n"), rows: counts{Rows: 4, Added: 3, Invalid: 1, Blank: 3}, finding: "email", line: "8", values: zoe},
		{number: 60, what: "rows of commas", content: []byte(three + ",,,\n,,,\n"), rows: counts{Rows: 3, Added: 3, Blank: 2}, values: zoe},
		{number: 61, what: "lines that begin with #", content: lines("#X1,A,a@example.com,C", "X1,Zoë,x1@example.com,Ä"), rows: counts{Rows: 2, Added: 2}, values: zoe},
		{number: 62, what: "a cell over 64 KiB", content: lines("X1,Zoë,x1@example.com,Ä", "X2,B,x2@example.com,"+strings.Repeat("x", 64<<10+1)), rows: counts{Rows: 2, Added: 1, Invalid: 1}, finding: "cell-too-long", line: "3", values: zoe},
		{number: 62, what: "a cell of 10 MB", content: lines("X1,A,x1@example.com,C", "X2,B,x2@example.com,"+strings.Repeat("x", 10<<20)), refused: "record-too-long"},
		{number: 63, what: "words that mean nothing elsewhere", content: lines(`X1,\N,x1@example.com,\.`, `X2,NULL,x2@example.com,"NULL"`, "X3,nil,x3@example.com,undefined"), rows: added3, values: map[string]any{"last_name": `\N`, "company": `\.`}},
		{number: 64, what: "10,000 lines in a cell", content: lines("X1,Zoë,x1@example.com,Ä", "X2,B,x2@example.com,\""+folded+"\""), rows: counts{Rows: 2, Added: 1, Invalid: 1}, finding: "-", line: "3", values: zoe},
		{number: 65, what: "one key 20,000 times", content: lines(same...), rows: counts{Rows: 20_000, Added: 1, Duplicate: 19_999}, values: zoe},
		{number: 66, what: "other order of columns", content: []byte("Company,Email,External id,Last name\nÄ,x1@example.com,X1,Zoë\n"), rows: counts{Rows: 1, Added: 1}, values: zoe},
	}
}

// workbooks are the numbers 67 to 78.
func workbooks() []hostileFile {
	head := rowOf(1, "External id", "Last name", "Company", "Phone number", "Date of birth", "Zip code")
	one := counts{Rows: 1, Added: 1}
	bad := counts{Rows: 1, Invalid: 1}
	formula := func(f, value string) string { return `<c r="B2" t="str"><f>` + f + `</f>` + value + `</c>` }
	date := func(serial string) string { return `<c r="E2" s="1"><v>` + serial + `</v></c>` }
	number := func(v string) string { return `<c r="D2"><v>` + v + `</v></c>` }
	const ns = ` xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
	bomb := `<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "` + strings.Repeat("x", 1000) + `"><!ENTITY b "` + strings.Repeat("&a;", 1000) + `">]><sst` + ns + `><si><t>&b;</t></si></sst>`
	return []hostileFile{
		{number: 67, what: "entities in entities", content: workbook(map[string]string{"xl/sharedStrings.xml": bomb}, "<sheetData>"+head+rowOf(2, `<c r="A2" t="s"><v>0</v></c>`)+"</sheetData>"), refused: "workbook-"},
		{number: 67, what: "a document type", content: workbook(nil, `<!DOCTYPE x SYSTEM "file:///etc/passwd"><worksheet`+ns+`><sheetData>`+head+rowOf(2, "X1")+`</sheetData></worksheet>`), refused: "workbook-"},
		{number: 68, what: "2,000,000 elements in one another", content: sheetOf(head + strings.Repeat("<a>", 2_000_000)), refused: "workbook-"},
		{number: 69, what: "shared strings without end", content: workbook(map[string]string{"xl/sharedStrings.xml": `<sst` + ns + `><si><t>` + strings.Repeat(" ", 64<<20) + `</t></si></sst>`}, "<sheetData>"+head+rowOf(2, `<c r="A2" t="s"><v>0</v></c>`)+"</sheetData>"), refused: "archive-too-large"},
		{number: 69, what: "a shared string that is not there", content: sheetOf(head + rowOf(2, `<c r="A2" t="s"><v>7</v></c>`)), refused: "workbook-"},
		{number: 69, what: "a shared string below none", content: sheetOf(head + rowOf(2, `<c r="A2" t="s"><v>-1</v></c>`)), refused: "workbook-"},
		{number: 70, what: "a dimension of all cells", content: workbook(nil, `<dimension ref="A1:XFD1048576"/><sheetData>`+rowOf(1, "External id", "Last name", "Company")+rowOf(2, "X1", "Zoë", "Ä")+`</sheetData>`), rows: one, values: zoe},
		{number: 70, what: "a cell beyond all", content: sheetOf(head + rowOf(2, "X1") + `<row r="9999999"><c r="ZZZ9999999"><v>1</v></c></row>`), refused: "workbook-"},
		{number: 71, what: "a gap of 1,000,000 rows", content: sheetOf(head + rowOf(2, "X1", "Zoë", "Ä") + rowOf(1_000_000, "X2", "B", "C")), rows: counts{Rows: 2, Added: 2, Blank: 999_997}, values: zoe},
		{number: 71, what: "a cell twice", content: sheetOf(head + rowOf(2, "X1", `<c r="A2" t="inlineStr"><is><t>X2</t></is></c>`)), refused: "workbook-"},
		{number: 71, what: "rows out of order", content: sheetOf(head + rowOf(3, "X1") + rowOf(2, "X2")), refused: "workbook-"},
		{number: 72, what: "a formula with its value", content: sheetOf(head + rowOf(2, "X1", formula(`WEBSERVICE("http://127.0.0.1/")`, "<v>Zoë</v>"), "Ä")), rows: one, values: zoe},
		{number: 72, what: "a formula without a value", content: sheetOf(head + rowOf(2, "X1", formula("A1", ""), "Ä")), rows: bad, finding: "formula-", line: "2"},
		{number: 73, what: "a date by its style", content: sheetOf(head + rowOf(2, "X1", "A", "B", "", date("32874"))), rows: one, values: map[string]any{"birth_date": "1990-01-01"}},
		{number: 73, what: "a date since 1904", content: workbook(map[string]string{"xl/workbook.xml": `<workbook` + ns + ` xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><workbookPr date1904="1"/><sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>`},
			"<sheetData>"+head+rowOf(2, "X1", "A", "B", "", date("31412"))+"</sheetData>"), rows: one, values: map[string]any{"birth_date": "1990-01-01"}},
		{number: 73, what: "29 February 1900", content: sheetOf(head + rowOf(2, "X1", "A", "B", "", date("60"))), rows: bad, finding: "date", line: "2"},
		{number: 73, what: "a date below zero", content: sheetOf(head + rowOf(2, "X1", "A", "B", "", date("-5"))), rows: bad, finding: "date", line: "2"},
		{number: 73, what: "a time alone", content: sheetOf(head + rowOf(2, "X1", "A", "B", "", date("0.5"))), rows: bad, finding: "date", line: "2"},
		{number: 73, what: "a date as text", content: sheetOf(head + rowOf(2, "X1", "A", "B", "", "1990-01-01")), rows: one, values: map[string]any{"birth_date": "1990-01-01"}},
		{number: 74, what: "a phone as a number", content: sheetOf(head + rowOf(2, "X1", "A", "B", number("1.2022243121E10"))), flags: []string{}, rows: one, values: map[string]any{"phone": "+12022243121"}},
		{number: 74, what: "a phone that was rounded", content: sheetOf(head + rowOf(2, "X1", "A", "B", number("4.9301234567890123E17"))), rows: bad, finding: "-", line: "2"},
		{number: 74, what: "a zip that its style pads", content: sheetOf(head + rowOf(2, "X1", "A", "B", "", "", `<c r="F2" s="2"><v>2134</v></c>`)), rows: one, values: map[string]any{"zip": "02134"}},
		{number: 75, what: "hidden rows", content: sheetOf(head + strings.Replace(rowOf(2, "X1", "Zoë", "Ä"), "<row ", `<row hidden="1" `, 1)), rows: one, values: zoe},
		{number: 76, what: "a workbook of before 2007", content: append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 4096)...), refused: "file-is-old-excel"},
		{number: 77, what: "text in pieces", content: sheetOf(head + rowOf(2, "X1", `<c r="B2" t="inlineStr"><is><r><t>Zo</t></r><r><t>ë</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is></c>`, "Ä")), rows: one, values: zoe},
		{number: 77, what: "escapes", content: sheetOf(rowOf(1, "External id", "Last name", "Address") + rowOf(2, "X1", "Zoë", "a_x000D_\nb _x005F_x0041_")), rows: one, values: map[string]any{"address": "a\nb _x0041_"}},
		{number: 78, what: "an error for a value", content: sheetOf(head + rowOf(2, "X1", `<c r="B2" t="e"><v>#REF!</v></c>`, "Ä")), rows: bad, finding: "spreadsheet-error", line: "2"},
		{number: 78, what: "a truth for a value", content: sheetOf(head + rowOf(2, "X1", `<c r="B2" t="b"><v>1</v></c>`, "Ä")), rows: one, values: map[string]any{"last_name": "TRUE", "company": "Ä"}},
	}
}

// allHostile makes the files once for all topologies.
var allHostile = sync.OnceValue(func() []hostileFile {
	return slices.Concat(containersAndEncodings(), structure(), workbooks())
})

// hostileFiles hands each of them in, to an account of its own or after others, and looks that what is refused changed nothing.
func hostileFiles(t *testing.T, s *target) {
	idle := s.peak(t, "validator")
	a := s.tenant(t, 1_000_000)
	a.imports(t, 0, file(t, "before.csv", table(people(0, 3))), "add")
	before := a.all(t)
	t.Run("files", func(t *testing.T) {
		for _, h := range allHostile() {
			t.Run(fmt.Sprintf("%d/%s", h.number, strings.ReplaceAll(h.what, " ", "_")), func(t *testing.T) {
				t.Parallel()
				h.hand(t, s, a)
			})
		}
	})
	if diff := cmp.Diff(before, a.all(t)); diff != "" {
		t.Errorf("files that were refused changed contacts (-before +after):\n%s", diff)
	}
	if most := s.peak(t, "validator"); idle > 0 {
		t.Logf("the validator's memory: %d MiB before, %d MiB at most", idle>>20, most>>20)
		if most > idle+128<<20 {
			t.Errorf("the validator took %d MiB more than when it was idle, the limit is 128", (most-idle)>>20)
		}
	}
}

// hand hands the file in. refusals is the account for those that are to change nothing.
func (h *hostileFile) hand(t *testing.T, s *target, refusals *tenant) {
	name := filepath.Join(t.TempDir(), "contacts.csv")
	if err := os.WriteFile(name, h.content, 0o600); err != nil {
		t.Fatal(err)
	}
	if h.number == 44 {
		if err := os.Truncate(name, 5e9); err != nil {
			t.Fatal(err)
		}
	}
	if h.refused == "" && h.asked == "" && h.said == "" {
		h.taken(t, s.tenant(t, 1_000_000), name)
		return
	}
	if h.said != "" {
		r := refusals.command(t, "import", name, "--mode", "upsert", "--wait")
		if r.code != 1 || !strings.Contains(r.err, h.said) {
			t.Errorf("want the upload refused as %s, got %v", h.said, r)
		}
		return
	}
	state, code, exit := "REJECTED", h.refused, 1
	if h.asked != "" {
		state, code, exit = "NEEDS_ANSWER", h.asked, 5
	}
	j := refusals.imports(t, exit, name, "upsert", h.flags...)
	p := j.Problem
	if h.asked != "" {
		p = j.Question
		defer refusals.command(t, "jobs", "cancel", j.ID)
	}
	if j.State != state || p == nil || !strings.HasPrefix(p.Code, code) {
		t.Fatalf("the job is %s with %+v and %+v, want %s with %s", j.State, j.Problem, j.Question, state, code)
	}
	if p.Message == "" || p.Hint == "" {
		t.Errorf("%+v does not say what is wrong and what to do", p)
	}
}

// taken hands in a file that has rows to be taken.
func (h *hostileFile) taken(t *testing.T, a *tenant, name string) {
	code := 0
	if h.rows.Invalid > 0 {
		code = 3
	}
	j := a.imports(t, code, name, "upsert", h.flags...)
	if diff := cmp.Diff(h.rows, j.Counts.rows()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if h.warning != "" && !strings.Contains(a.command(t, "jobs", "get", j.ID, "-o", "json").out, h.warning) {
		t.Errorf("the job does not warn of %s", h.warning)
	}
	if h.finding != "" {
		listed := a.report(t, j, "invalid")
		for _, reason := range column(t, listed, "reason") {
			if !strings.Contains(reason, h.finding) {
				t.Errorf("the reason %q does not say %s", reason, h.finding)
			}
		}
		if at := column(t, listed, "line")[0]; at != h.line {
			t.Errorf("the row is said to be on line %s, it is on %s", at, h.line)
		}
	}
	if h.values != nil {
		found := a.all(t, "--external-id", "X1")
		if len(found) != 1 {
			t.Fatalf("%d contacts have the external id X1, want 1", len(found))
		}
		for field, want := range h.values {
			if got := found[0].Values[field]; got != want {
				t.Errorf("%s is %q, want %q", field, got, want)
			}
		}
	}
}

// peak is the most memory that a service has taken, in bytes; 0 where it has no process of its own.
func (s *target) peak(t *testing.T, service string) int {
	if s.replicas == 0 {
		return 0
	}
	most := 0
	for i := range s.replicas {
		pid, err := os.ReadFile(filepath.Join(s.dir, "run", fmt.Sprintf("%s-%d.pid", service, i+1)))
		if err != nil {
			t.Fatal(err)
		}
		status, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "status"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, err := strconv.Atoi(strings.Fields(rest)[0])
				if err != nil {
					t.Fatal(err)
				}
				most = max(most, kib<<10)
			}
		}
	}
	return most
}

// hostileCell is what a cell holds, and the finding it gives or the value that is kept.
type hostileCell struct {
	number  int
	field   string
	cell    string
	finding string
	value   string
}

// hostileCells are the numbers 79 to 96.
func hostileCells() []hostileCell {
	long := strings.Repeat("x", 10_000)
	return []hostileCell{
		{79, "last_name", "=cmd|' /C calc'!A0", "", "=cmd|' /C calc'!A0"}, {79, "last_name", "@SUM(A1)", "", "@SUM(A1)"},
		{79, "last_name", "-2+3", "", "-2+3"}, {79, "last_name", "＝1+1", "", "＝1+1"}, {79, "phone", "+12022243121", "", "+12022243121"},
		{80, "email", "a@b.com\r\nBcc: x@y.com", "email-invalid", ""},
		{81, "email", "Ann <ann@example.com>", "email-invalid", ""}, {81, "email", "ann(c)@example.com", "email-invalid", ""},
		{81, "email", `"a b"@example.com`, "email-invalid", ""}, {81, "email", "ann@[127.0.0.1]", "email-invalid", ""},
		{81, "email", "ann@example", "email", ""}, {81, "email", " ann81@example.com ", "", "ann81@example.com"},
		{81, "email", strings.Repeat("a", 300) + "@example.com", "email-too-long", ""}, {81, "email", "ann@exa mple.com", "email-invalid", ""},
		{82, "email", "ann@bücher.example", "", "ann@xn--bcher-kva.example"}, {82, "email", "ann82@xn--bcher-kva.example", "", "ann82@xn--bcher-kva.example"},
		{83, "email", "A83@EXAMPLE.com", "", "a83@example.com"},
		{84, "last_name", "Jose\u0301", "", "José"}, {84, "external_id", "H\u200b84", "", "H84"}, {84, "last_name", "\u00a0Ann\u00a0", "", "Ann"},
		{85, "ssn", "٠٧٨٠٥١١٢١", "ssn-invalid", ""}, {85, "phone", "+١٢٠٢٢٢٤٣١٢١", "phone-invalid", ""},
		{86, "ssn", "000-12-3456", "ssn-invalid", ""}, {86, "ssn", "666-12-3456", "ssn-invalid", ""}, {86, "ssn", "912-34-5678", "ssn-invalid", ""},
		{86, "ssn", "12345678", "ssn-", ""}, {86, "ssn", "1234567890", "ssn-invalid", ""}, {86, "ssn", "ann@example.com", "ssn-invalid", ""},
		{87, "phone", "+1 202 224 3121 ext. 5", "phone-extension", ""}, {87, "phone", "1-800-FLOWERS", "", "+18003569377"}, {87, "phone", "+", "phone-invalid", ""},
		{87, "phone", "00", "phone-invalid", ""}, {87, "phone", "+12", "phone-invalid", ""}, {87, "phone", "+" + strings.Repeat("1", 40), "phone-invalid", ""},
		{87, "phone", "+1 202 224 3122 / +1 202 224 3123", "phone-", ""},
		{89, "birth_date", "now", "date-invalid", ""}, {89, "birth_date", "infinity", "date-invalid", ""}, {89, "birth_date", "epoch", "date-invalid", ""},
		{89, "birth_date", "0001-01-01 BC", "date-", ""}, {89, "birth_date", "99999-01-01", "date-", ""},
		{90, "birth_date", "2999-01-01", "birth-date-future", ""}, {90, "birth_date", "1850-01-01", "birth-date-too-old", ""},
		{90, "birth_date", "2023-02-29", "date-impossible", ""}, {90, "birth_date", "1990-04-31", "date-impossible", ""}, {90, "birth_date", "1990-01-01T10:00:00Z", "date-with-time", ""},
		{91, "last_name", "X", "", "X"}, {91, "last_name", long, "too-long", ""}, {91, "last_name", "🙂", "", "🙂"}, {91, "last_name", "<script>alert(1)</script>", "", "<script>alert(1)</script>"},
		{91, "last_name", "O'Brien", "", "O'Brien"}, {91, "last_name", "Null", "", "Null"}, {91, "last_name", "True", "", "True"},
		{91, "last_name", "Z" + strings.Repeat("\u0335", 500), "too-long", ""},
		{92, "external_id", strings.Repeat("k", 3000), "too-long", ""}, {92, "account_number", strings.Repeat("k", 3000), "too-long", ""},
		{93, "last_name", `{"$ne":1}`, "", `{"$ne":1}`}, {93, "last_name", "${jndi:ldap://x}", "", "${jndi:ldap://x}"}, {93, "last_name", "{{7*7}}", "", "{{7*7}}"},
		{93, "last_name", "%s%n", "", "%s%n"}, {93, "last_name", "`id`", "", "`id`"}, {93, "last_name", "'; DROP TABLE contacts;--", "", "'; DROP TABLE contacts;--"},
		{94, "last_name", "\x1b[31mred", "", "\x1b[31mred"}, {95, "company", "http://169.254.169.254/", "", "http://169.254.169.254/"},
		{96, "score", "NaN", "number-", ""}, {96, "score", "Infinity", "number-", ""}, {96, "score", "1e400", "scientific-", ""}, {96, "score", "1_000", "number-", ""},
		{96, "score", "0x1F", "number-", ""}, {96, "score", "−5", "number-", ""}, {96, "score", "12.50", "", "12.5"},
	}
}

// hostileRows hands in one file with a cell each in a row that is else all right.
func hostileRows(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	var made struct{ Name string }
	a.ok(t, &made, "fields", "add", "score", "--label", "Score", "--type", "number")
	fields := []string{"external_id", "last_name", "email", "phone", "birth_date", "ssn", "account_number", "company", "score"}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	must(w.Write(append([]string{"row"}, fields...)))
	cells := hostileCells()
	for i, c := range cells {
		row := make([]string, len(fields)+1)
		row[0], row[1] = strconv.Itoa(i), fmt.Sprintf("row-%d", i)
		for k, f := range fields {
			if f == c.field {
				row[k+1] = c.cell
			}
		}
		if c.field == "external_id" {
			row[7] = fmt.Sprintf("account-%d", i)
		}
		must(w.Write(row))
	}
	w.Flush()
	j := a.imports(t, 3, file(t, "cells.csv", b.Bytes()), "upsert", "--ignore", "row", "--date-order", "YMD")
	reasons := map[string]string{}
	if listed := a.report(t, j, "invalid"); len(listed) > 0 {
		numbers := column(t, listed, "row")
		for i, reason := range column(t, listed, "reason") {
			reasons[numbers[i]] = reason
		}
	}
	kept := map[string]map[string]string{}
	for _, c := range a.all(t) {
		kept[c.Values["external_id"]], kept[c.Values["account_number"]] = c.Values, c.Values
	}
	for i, c := range cells {
		shown := c.cell[:min(len(c.cell), 40)]
		reason, refused := reasons[strconv.Itoa(i)]
		id := fmt.Sprintf("row-%d", i)
		if c.field == "external_id" {
			id = fmt.Sprintf("account-%d", i)
		}
		switch {
		case c.finding != "" && (!refused || !strings.Contains(reason, c.finding)):
			t.Errorf("%d: %s %q: reason %q, want %s", c.number, c.field, shown, reason, c.finding)
		case c.finding != "" && c.field == "ssn" && strings.Contains(reason, c.cell):
			t.Errorf("%d: the reason %q shows a secret", c.number, reason)
		case c.finding == "" && (refused || kept[id] == nil || kept[id][c.field] != c.value):
			t.Errorf("%d: %s %q: kept as %q, reason %q, want %q", c.number, c.field, shown, kept[id][c.field], reason, c.value)
		}
	}
}

// hostileMany is number 100: a file that is half good, and then 500,000 bad rows.
func hostileMany(t *testing.T, s *target) {
	a := s.tenant(t, 10_000)
	var b bytes.Buffer
	b.WriteString(hostileHead + "\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "X%d,Bob,x%d@example.com,B\n", i, i)
	}
	for i := range 500_000 {
		fmt.Fprintf(&b, "Y%d,Bob,nobody,B\n", i)
	}
	j := a.imports(t, 3, file(t, "bad.csv", b.Bytes()), "upsert")
	if diff := cmp.Diff(counts{Rows: 501_000, Added: 1000, Invalid: 500_000}, j.Counts.rows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(a.report(t, j, "invalid")); n != 500_001 {
		t.Errorf("the report has %d lines, want 500,001", n)
	}
}
