package xlsx_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
	"github.com/xuri/excelize/v2"
)

// people makes a workbook of people as Excel writes one: of ten columns, seven texts in the table of strings, three
// numbers, one of them a date.
func people(t testing.TB, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 2) })
	for name, text := range sheetParts("", parts{"xl/worksheets/sheet1.xml": "", "xl/sharedStrings.xml": "", "xl/styles.xml": styles(nil, 0, 14)}) {
		if text == "" {
			continue
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	w, err := z.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	var table bytes.Buffer
	index := map[string]int{}
	cell := func(column byte, row int, value string) {
		i, ok := index[value]
		if !ok {
			i = len(index)
			index[value] = i
			fmt.Fprintf(&table, "<si><t>%s</t></si>", value)
		}
		fmt.Fprintf(out, `<c r="%c%d" t="s"><v>%d</v></c>`, column, row, i)
	}
	out.WriteString(`<worksheet xmlns="` + mainSpace + `" xmlns:x14ac="urn:x14ac"><sheetData>`)
	for i := 1; i <= rows; i++ {
		fmt.Fprintf(out, `<row r="%d" spans="1:10" x14ac:dyDescent="0.25">`, i)
		cell('A', i, fmt.Sprintf("First%d", i%5000))
		cell('B', i, fmt.Sprintf("Last%d", i%20000))
		cell('C', i, fmt.Sprintf("first.last%d@example.com", i))
		cell('D', i, fmt.Sprintf("+1555%07d", i))
		fmt.Fprintf(out, `<c r="E%d"><v>%d</v></c><c r="F%d" s="1"><v>%d</v></c>`, i, 20000+i%60000, i, 20000+i%20000)
		cell('G', i, fmt.Sprintf("%d Main Street", i%9000))
		cell('H', i, "Springfield")
		fmt.Fprintf(out, `<c r="I%d"><v>%d.25</v></c>`, i, i)
		cell('J', i, "US")
		out.WriteString(`</row>`)
	}
	out.WriteString(`</sheetData></worksheet>`)
	out.Flush()
	if w, err = z.Create("xl/sharedStrings.xml"); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, `<sst xmlns="%s" count="%d" uniqueCount="%d">`, mainSpace, 7*rows, len(index))
	table.WriteTo(w)
	io.WriteString(w, `</sst>`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func countRows(t testing.TB, file []byte) (rows, cells int) {
	t.Helper()
	w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), xlsx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	in, err := w.Rows(0)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := in.Next()
		if err == io.EOF {
			return rows, cells
		}
		if err != nil {
			t.Fatal(err)
		}
		rows++
		cells += len(row.Cells)
	}
}

// BenchmarkRows reads the same workbook here and by excelize's Rows.
func BenchmarkRows(b *testing.B) {
	const rows = 200_000
	file := people(b, rows)
	b.Run("here", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n, cells := countRows(b, file); n != rows || cells != 10*rows {
				b.Fatalf("%d rows, %d cells", n, cells)
			}
		}
		b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("excelize", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := excelize.OpenReader(bytes.NewReader(file), excelize.Options{RawCellValue: true})
			if err != nil {
				b.Fatal(err)
			}
			in, err := f.Rows("People")
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for in.Next() {
				if _, err := in.Columns(); err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != rows {
				b.Fatalf("%d rows, error %v", n, in.Error())
			}
			in.Close()
			f.Close()
		}
		b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkHead opens a workbook of 200,000 rows and reads its first 100.
func BenchmarkHead(b *testing.B) {
	file := people(b, 200_000)
	b.ReportAllocs()
	for b.Loop() {
		w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), xlsx.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		in, err := w.Rows(0)
		for n := 0; n < 100 && err == nil; n++ {
			_, err = in.Next()
		}
		if err != nil {
			b.Fatal(err)
		}
		in.Close()
		w.Close()
	}
}

// BenchmarkMillionRows reads 1,000,000 rows and tells the most memory that was held at any of them.
func BenchmarkMillionRows(b *testing.B) {
	const rows = 1_000_000
	file := people(b, rows)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	idle, most := memory.HeapInuse, uint64(0)
	for b.Loop() {
		w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), xlsx.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		in, err := w.Rows(0)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ; err == nil; n++ {
			if _, err = in.Next(); n%100_000 == 99_999 {
				runtime.ReadMemStats(&memory)
				most = max(most, memory.HeapInuse)
			}
		}
		if err != io.EOF || n != rows+1 {
			b.Fatalf("%d rows, error %v", n-1, err)
		}
		w.Close()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(int64(most)-int64(idle))/(1<<20), "MiB-above-idle")
	b.ReportMetric(float64(len(file))/(1<<20), "MiB-file")
}
