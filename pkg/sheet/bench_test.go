package sheet_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/sheet"
)

// invented makes a file of n contacts: without quotes, with a few, mixed with letters beyond ASCII, or with all cells in
// quotes.
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
		case quotes != "plain" && quotes != "quoted" && i%20 == 0:
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

// BenchmarkRead reads whole files on one core, turn by turn with encoding/csv, so that both meet the same neighbours. The
// metrics are of the median turn: MB a second of the core's time, and how many times as fast.
func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	for _, quotes := range []string{"plain", "few-quotes", "mixed", "quoted"} {
		b.Run(quotes, func(b *testing.B) {
			file := invented(rows, quotes)
			var ours, frames, theirs []float64
			turn := func(times *[]float64, read func([]byte) (int, error)) {
				runtime.GC() // what the other one left
				start := processor(b)
				for range 2 {
					if n, err := read(file); err != nil || n != 8*rows {
						b.Fatal(n, err)
					}
				}
				*times = append(*times, (processor(b)-start).Seconds()/2)
			}
			for b.Loop() {
				turn(&ours, readCells)
				turn(&theirs, readTheirs)
				turn(&frames, func(file []byte) (int, error) { return 8 * rows, readFrames(file) })
			}
			median := func(times []float64) float64 {
				slices.Sort(times)
				return times[len(times)/2]
			}
			size := float64(len(file)) / 1e6
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(size/median(ours), "MB/s")
			b.ReportMetric(size/median(frames), "frames-MB/s")
			b.ReportMetric(size/median(theirs), "encoding/csv-MB/s")
			b.ReportMetric(median(theirs)/median(ours), "times-encoding/csv")
		})
	}
}

func readTheirs(file []byte) (int, error) {
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
}

func readFrames(file []byte) error {
	f, err := sheet.Open(bytes.NewReader(file), sheet.Options{})
	if err != nil {
		return err
	}
	for block, err := range f.Blocks() {
		if err != nil {
			return err
		}
		block.Release()
	}
	return f.Close()
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
