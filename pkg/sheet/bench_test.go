package sheet_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet"
)

// invented makes a file of n contacts; quoted puts every cell in quotes.
func invented(n int, quoted bool) []byte {
	var b bytes.Buffer
	form := "%s,%s,%s,%s,%s,%s,%s,%s\n"
	if quoted {
		form = "\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"\n"
	}
	fmt.Fprintf(&b, form, "first_name", "last_name", "phone", "email", "birth_date", "account_number", "zip", "address")
	for i := range n {
		address := fmt.Sprintf("%d Invented Street Apt %d", i%900+1, i%70)
		if !quoted && i%20 == 0 {
			address = fmt.Sprintf("\"%d Invented Street, Apt \"\"%d\"\"\"", i%900+1, i%70)
		}
		fmt.Fprintf(&b, form, fmt.Sprintf("First%d", i%1000), fmt.Sprintf("Last%d", i), fmt.Sprintf("(202) 555-%04d", i%10000),
			fmt.Sprintf("person.%d@example.com", i), fmt.Sprintf("%d-%02d-%02d", 1940+i%60, i%12+1, i%28+1), fmt.Sprintf("AC-%08d", i),
			fmt.Sprintf("%05d", i%99999), address)
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	for _, kind := range []struct {
		name string
		file []byte
	}{{"some-quotes", invented(200_000, false)}, {"all-quoted", invented(200_000, true)}} {
		b.Run(kind.name+"/sheet", func(b *testing.B) {
			b.SetBytes(int64(len(kind.file)))
			b.ReportAllocs()
			for b.Loop() {
				f, err := sheet.Open(bytes.NewReader(kind.file), sheet.Options{})
				if err != nil {
					b.Fatal(err)
				}
				p, n := f.Parser(), 0
				for block, err := range f.Blocks() {
					if err != nil {
						b.Fatal(err)
					}
					p.Reset(block)
					for rec := p.Next(); rec != nil; rec = p.Next() {
						n += len(rec.Cells)
					}
					block.Release()
				}
				if n != 8*200_000 {
					b.Fatal(n)
				}
			}
		})
		b.Run(kind.name+"/split-only", func(b *testing.B) {
			b.SetBytes(int64(len(kind.file)))
			for b.Loop() {
				f, err := sheet.Open(bytes.NewReader(kind.file), sheet.Options{})
				if err != nil {
					b.Fatal(err)
				}
				for block, err := range f.Blocks() {
					if err != nil {
						b.Fatal(err)
					}
					block.Release()
				}
			}
		})
		b.Run(kind.name+"/encoding-csv", func(b *testing.B) {
			b.SetBytes(int64(len(kind.file)))
			b.ReportAllocs()
			for b.Loop() {
				r := csv.NewReader(bytes.NewReader(kind.file))
				r.ReuseRecord = true
				for {
					if _, err := r.Read(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func TestParserAllocatesNothing(t *testing.T) {
	file := invented(2000, false)
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
