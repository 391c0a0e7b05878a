package sheet_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/sheet"
)

// invented makes a file of n contacts: without quotes, with some or with all cells in quotes.
func invented(n int, quotes string) []byte {
	var b bytes.Buffer
	form := strings.Repeat("%s,", 7) + "%s\n"
	if quotes == "quoted" {
		form = strings.Repeat("\"%s\",", 7) + "\"%s\"\n"
	}
	fmt.Fprintf(&b, form, "first_name", "last_name", "phone", "email", "birth_date", "account_number", "zip", "address")
	for i := range n {
		address := fmt.Sprintf("%d Invented Street Apt %d", i%900+1, i%70)
		switch {
		case quotes == "mixed" && i%20 == 0:
			address = fmt.Sprintf("\"%d Invented Street, Apt \"\"%d\"\"\"", i%900+1, i%70)
		case quotes == "mixed" && i%3 == 0:
			address = fmt.Sprintf("\"%d Große Straße, Apt %d\"", i%900+1, i%70)
		}
		fmt.Fprintf(&b, form, fmt.Sprintf("First%d", i%1000), fmt.Sprintf("Last%d", i), fmt.Sprintf("(202) 555-%04d", i%10000),
			fmt.Sprintf("person.%d@example.com", i), fmt.Sprintf("%d-%02d-%02d", 1940+i%60, i%12+1, i%28+1), fmt.Sprintf("AC-%08d", i),
			fmt.Sprintf("%05d", i%99999), address)
	}
	return b.Bytes()
}

// processor is the time that this process has had of its cores, which says more than the clock where others work beside it.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRead reads a file whole, on one core; the third one is the measure. MB/core-s is what counts.
func BenchmarkRead(b *testing.B) {
	const rows = 200_000
	each := func(b *testing.B, file []byte, read func() (int, error)) {
		b.SetBytes(int64(len(file)))
		b.ReportAllocs()
		start := processor(b)
		for b.Loop() {
			if n, err := read(); err != nil || n != 8*rows {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(file))/1e6/(processor(b)-start).Seconds(), "MB/core-s")
	}
	for _, quotes := range []string{"plain", "mixed", "quoted"} {
		file := invented(rows, quotes)
		b.Run(quotes+"/sheet", func(b *testing.B) {
			each(b, file, func() (int, error) { return readCells(file) })
		})
		b.Run(quotes+"/frames-only", func(b *testing.B) {
			each(b, file, func() (int, error) {
				f, err := sheet.Open(bytes.NewReader(file), sheet.Options{})
				if err != nil {
					return 0, err
				}
				for block, err := range f.Blocks() {
					if err != nil {
						return 0, err
					}
					block.Release()
				}
				return 8 * rows, f.Close()
			})
		})
		b.Run(quotes+"/encoding-csv", func(b *testing.B) {
			each(b, file, func() (int, error) {
				r := csv.NewReader(bytes.NewReader(file))
				r.ReuseRecord = true
				n := -8
				for {
					record, err := r.Read()
					if err == io.EOF {
						return n, nil
					}
					if err != nil {
						return n, err
					}
					n += len(record)
				}
			})
		})
	}
}

func readCells(file []byte) (int, error) {
	f, err := sheet.Open(bytes.NewReader(file), sheet.Options{})
	if err != nil {
		return 0, err
	}
	p, n := f.Parser(), 0
	for block, err := range f.Blocks() {
		if err != nil {
			return n, err
		}
		p.Reset(block)
		for rec := p.Next(); rec != nil; rec = p.Next() {
			n += len(rec.Cells)
		}
		block.Release()
	}
	return n, f.Close()
}

func TestParserAllocatesNothing(t *testing.T) {
	file := invented(2000, "mixed")
	f, err := sheet.Open(bytes.NewReader(file), sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := f.Parser()
	for block, err := range f.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		data := block.Data
		fresh := make([]byte, len(data))
		run := func() {
			copy(fresh, data)
			block.Data = fresh
			p.Reset(block)
			for rec := p.Next(); rec != nil; rec = p.Next() {
			}
		}
		run()
		if n := testing.AllocsPerRun(5, run); n != 0 {
			t.Errorf("%v allocations a block, want 0", n)
		}
	}
}
