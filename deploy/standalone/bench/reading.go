package bench

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/xuri/excelize/v2"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// workbookRows is how many rows the workbook has that both readers read; excelize takes some 30 s for a million.
const workbookRows = 100_000

// reading measures the readers on one core, each against what people would use instead, in turns on the same bytes.
func reading(o options, file string, out, errs io.Writer) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	fmt.Fprintln(errs, "reading CSV")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	quoted, err := requoted(content)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		what string
		data []byte
	}{{"CSV", content}, {"CSV, every cell quoted", quoted}} {
		ours, theirs, err := duel(func() (int, error) { return readTable(f.data) }, func() (int, error) { return readStandard(f.data) })
		if err != nil {
			return err
		}
		mb := float64(len(f.data)) / 1e6
		fmt.Fprintf(out, "%s, framed and parsed on one core: %.0f MB/s = %.2f x encoding/csv (%.0f MB/s)\n", f.what, mb/ours.Seconds(), theirs.Seconds()/ours.Seconds(), mb/theirs.Seconds())
	}
	fmt.Fprintln(errs, "reading phones")
	if err := phones(content, out); err != nil {
		return err
	}
	fmt.Fprintln(errs, "reading a workbook")
	name := filepath.Join(o.state, "small.xlsx")
	if err := writeWorkbook(name, content, workbookRows); err != nil {
		return err
	}
	book, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	ours, theirs, err := duel(func() (int, error) { return readWorkbook(book) }, func() (int, error) { return readExcelize(book) })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "XLSX of %d rows on one core: %.0f rows/s = %.2f x excelize's Rows (%.0f rows/s)\n", workbookRows, workbookRows/ours.Seconds(), theirs.Seconds()/ours.Seconds(), workbookRows/theirs.Seconds())
	return nil
}

// duel runs two readers in turns and returns the best time of each; both have to find as many rows.
func duel(a, b func() (int, error)) (fastA, fastB time.Duration, err error) {
	for range 3 {
		for _, one := range []struct {
			read func() (int, error)
			best *time.Duration
			rows int
		}{{a, &fastA, 0}, {b, &fastB, 0}} {
			runtime.GC()
			begun := time.Now()
			if _, err := one.read(); err != nil {
				return 0, 0, err
			}
			if took := time.Since(begun); *one.best == 0 || took < *one.best {
				*one.best = took
			}
		}
	}
	na, err := a()
	if err != nil {
		return 0, 0, err
	}
	nb, err := b()
	if err != nil {
		return 0, 0, err
	}
	if na != nb {
		return 0, 0, fmt.Errorf("one reader found %d rows, the other %d", na, nb)
	}
	return fastA, fastB, nil
}

func readTable(data []byte) (int, error) {
	f, err := sheet.Open(bytes.NewReader(data), sheet.Options{})
	if err != nil {
		return 0, err
	}
	p, n := f.Parser(), 0
	for b, err := range f.Blocks() {
		if err != nil {
			return 0, err
		}
		p.Reset(b)
		for r := p.Next(); r != nil; r = p.Next() {
			n++
		}
		if err := p.Err(); err != nil {
			return 0, err
		}
		b.Release()
	}
	return n, nil
}

func readStandard(data []byte) (int, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	for n := -1; ; n++ {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

func requoted(content []byte) ([]byte, error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.ReuseRecord = true
	out := bytes.NewBuffer(make([]byte, 0, len(content)*5/4))
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		for i, c := range row {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteByte('"')
			out.WriteString(strings.ReplaceAll(c, `"`, `""`))
			out.WriteByte('"')
		}
		out.WriteByte('\n')
	}
}

// phones measures numbers as the file has them, good and bad, with a country that is there for those without one.
func phones(content []byte, out io.Writer) error {
	r := csv.NewReader(bytes.NewReader(content))
	head, err := r.Read()
	if err != nil {
		return err
	}
	at := -1
	for i, h := range head {
		if h == "Phone number" {
			at = i
		}
	}
	var numbers [][]byte
	for len(numbers) < 20_000 {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		numbers = append(numbers, []byte(row[at]))
	}
	own, us := contact.NewPhones(), contact.CountryByCode("US")
	var dst []byte
	dst, _ = own.Append(dst, []byte("+12022243121"), us) // builds its tables
	ours, theirs, err := duel(func() (n int, _ error) {
		for range 10 {
			n = 0
			for _, c := range numbers {
				var code contact.Code
				if dst, code = own.Append(dst[:0], c, us); !code.Failed() {
					n++
				}
			}
		}
		return n, nil
	}, func() (n int, _ error) {
		for _, c := range numbers {
			if p, err := phonenumbers.Parse(string(c), "US"); err == nil && phonenumbers.IsValidNumber(p) {
				dst = append(dst[:0], phonenumbers.Format(p, phonenumbers.E164)...)
				n++
			}
		}
		return n, nil
	})
	if err != nil {
		return fmt.Errorf("phones: %w", err)
	}
	each := func(d time.Duration, times int) float64 {
		return float64(d.Nanoseconds()) / float64(len(numbers)*times)
	}
	fmt.Fprintf(out, "phones with a country on one core: %.0f ns = %.1f x the library (%.0f ns)\n", each(ours, 10), each(theirs, 1)/each(ours, 10), each(theirs, 1))
	return nil
}

// writeWorkbook writes so many rows of a CSV file as a workbook, from its beginning again where it has fewer.
func writeWorkbook(name string, content []byte, rows int) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	w, err := book.NewStreamWriter(book.GetSheetName(0))
	if err != nil {
		return err
	}
	r := csv.NewReader(bytes.NewReader(content))
	for n := 1; n <= rows+1; n++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			r = csv.NewReader(bytes.NewReader(content))
			if _, err = r.Read(); err == nil { // the heading
				row, err = r.Read()
			}
		}
		if err != nil {
			return err
		}
		cells := make([]any, len(row))
		for i, c := range row {
			cells[i] = c
		}
		if err := w.SetRow(fmt.Sprintf("A%d", n), cells); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	b := bufio.NewWriterSize(f, 1<<20)
	if err := book.Write(b); err != nil {
		return err
	}
	return b.Flush()
}

func readWorkbook(book []byte) (int, error) {
	w, err := xlsx.Open(bytes.NewReader(book), int64(len(book)), xlsx.Limits{})
	if err != nil {
		return 0, err
	}
	rows, err := w.Rows(0)
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		if _, err := rows.Next(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

func readExcelize(book []byte) (n int, err error) {
	f, err := excelize.OpenReader(bytes.NewReader(book), excelize.Options{RawCellValue: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rows, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if _, err := rows.Columns(); err != nil {
			return 0, err
		}
		n++
	}
	return n, rows.Error()
}
