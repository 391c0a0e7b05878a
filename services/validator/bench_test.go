package validator

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/sheet"
)

// people is a file of as many invented people, like those that the whole platform is measured with.
func people(rows int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	var b bytes.Buffer
	b.WriteString("External id,First name,Last name,Email,Phone number,Date of birth,Address,City,Zip code,Company\n")
	areas := []int{202, 212, 646, 718, 617, 312, 773, 713, 303, 206, 503, 404, 305, 602, 213, 619, 214, 313, 314}
	for i := range rows {
		first := pick("Ada", "Alan", "Barbara", "Carlos", "Chiara", "Dmitri", "Edith", "Emre", "Fatima", "Noah")
		last := pick("Al", "Ber", "Cor", "Dan", "El", "Fen", "Gar", "Hol") + pick("wick", "yar", "zel", "ros") + pick("ov", "sen", "stein", "ton", "field")
		number := []string{"+1%03d%03d%04d", "+1%03d%03d%04d", "+1%03d%03d%04d", "+1%03d%03d%04d", "+1%03d%03d%04d", "+1%03d%03d%04d", "+1%03d%03d%04d",
			"(%03d) %03d-%04d", "%03d.%03d.%04d", "1-%03d-%03d-%04d"}[r.IntN(10)]
		company := ""
		if r.IntN(3) == 0 {
			company = pick("Alder & Co", "Blue Kiln", "Copperline", "Dawn Works")
		}
		fmt.Fprintf(&b, "C%08d,%s,%s,%s.%s%d@%s,%s,%04d-%02d-%02d,%d %s,%s,%05d,%s\n", (i*61803399)%99_999_989, first, last, strings.ToLower(first), strings.ToLower(last), i,
			pick("example.com", "example.net", "example.org"), fmt.Sprintf(number, areas[i%len(areas)], 220+i%600, i%10_000), 1940+r.IntN(65), 1+r.IntN(12), 1+r.IntN(28),
			1+r.IntN(980), pick("Alder Way", "Birch Street", "Harbor Drive"), pick("Washington", "Boston", "Miami"), 20001+r.IntN(900), company)
	}
	return b.Bytes()
}

// cpuTime is what this process has used of the cores.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRead is the whole of validation on one worker, without the objects' way to the store. Beside the rows a second it
// tells those a second of a core's time, which holds on a busy machine too.
func BenchmarkRead(b *testing.B) {
	file := people(100_000)
	ring, err := keyring.New()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	rows := int64(0)
	var w *worker
	var used time.Duration
	for b.Loop() {
		began := cpuTime(b)
		f, err := sheet.Open(bytes.NewReader(file), sheet.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if w == nil {
			w = reader(b, f, ring, nil, nil, nil)
		}
		w.parser = f.Parser()
		for block, err := range f.Blocks() {
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := w.read(nil, block); err != nil {
				b.Fatal(err)
			}
			if w.invalid > 0 {
				b.Fatalf("%d rows are invalid", w.invalid)
			}
			rows += w.rows
			block.Release()
		}
		used += cpuTime(b) - began
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/used.Seconds(), "rows/core-s")
}
