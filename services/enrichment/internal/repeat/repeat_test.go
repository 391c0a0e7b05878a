package repeat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/row"
)

// slow is the rule as it is told: look at every earlier accepted row.
func slow(rows []row.Keys) (firsts []int64, keys []uint16) {
	accepted := make([]bool, len(rows))
	for i := range rows {
		first, mask := int64(-1), uint16(0)
		for j := range i {
			if !accepted[j] || rows[i].Invalid || mask != 0 {
				continue
			}
			for n := range row.KeyCount {
				if n != 7 && rows[i].Mask&rows[j].Mask&(1<<n) != 0 && rows[i].Hash[n] == rows[j].Hash[n] {
					mask |= 1 << n
					first = int64(j)
				}
			}
		}
		accepted[i] = !rows[i].Invalid && mask == 0
		firsts, keys = append(firsts, first), append(keys, mask)
	}
	return firsts, keys
}

// file reads rows made by a function, and counts those read again.
func file(rows int64, read *int64, at func(number int64, k *row.Keys)) Rows {
	return func(_ context.Context, from int64, f func(int64, *row.Keys) (bool, error)) error {
		var k row.Keys
		for n := from; n < rows; n++ {
			*read++
			at(n, &k)
			if more, err := f(n, &k); !more || err != nil {
				return err
			}
		}
		return nil
	}
}

func TestSameAsTheSlowRule(t *testing.T) {
	for _, most := range []int{row.KeyCount, 3 * row.KeyCount, maxEntries} {
		t.Run(fmt.Sprintf("windows of %d keys", most), func(t *testing.T) {
			moved := 0
			rapid.Check(t, func(t *rapid.T) {
				var rows []row.Keys
				values := rapid.IntRange(1, 60).Draw(t, "values")
				for i := range rapid.IntRange(0, 60).Draw(t, "rows") {
					k := row.Keys{Line: int64(i)*2 + 5, Invalid: rapid.IntRange(0, 5).Draw(t, "invalid") == 0, Mask: rapid.Uint16().Draw(t, "mask")}
					for n := range k.Hash {
						k.Hash[n][0] = byte(rapid.IntRange(0, values).Draw(t, "value"))
					}
					rows = append(rows, k)
				}
				var read int64
				f := New(int64(len(rows)), 3, file(int64(len(rows)), &read, func(n int64, k *row.Keys) { *k = rows[n] }))
				f.most = most
				for i := range rows {
					f.See(&rows[i])
				}
				firsts, keys := slow(rows)
				for i := range rows {
					first, line, mask, err := f.First(t.Context(), int64(i), &rows[i])
					if err != nil {
						t.Fatal(err)
					}
					if mask != keys[i] || mask != 0 && (first != firsts[i] || line != rows[first].Line) {
						t.Fatalf("row %d: first %d line %d keys %b, want first %d keys %b", i, first, line, mask, firsts[i], keys[i])
					}
				}
				if f.table.n > max(most, row.KeyCount) {
					t.Fatalf("%d keys are remembered, want at most %d", f.table.n, most)
				}
				if read > 0 {
					moved++
				}
			})
			if (moved > 0) == (most == maxEntries) {
				t.Errorf("the window moved in %d files", moved)
			}
		})
	}
}

func TestAFileThatCannotBeReadAgain(t *testing.T) {
	broken := errors.New("broken")
	f := New(100, 3, func(context.Context, int64, func(int64, *row.Keys) (bool, error)) error { return broken })
	f.most = row.KeyCount
	k := row.Keys{Line: 1, Mask: Unique}
	f.See(&k)
	f.See(&k)
	var err error
	for n := range int64(10) {
		if _, _, _, err = f.First(t.Context(), n, &k); err != nil {
			break
		}
	}
	if !errors.Is(err, broken) {
		t.Errorf("%v, want what reading said", err)
	}
}

// people makes rows of three keys; one in every (0: none) repeats a key of the row so far before it.
func people(every, back int64) func(number int64, k *row.Keys) {
	return func(number int64, k *row.Keys) {
		k.Line, k.Mask = number+2, 0b1110
		for n := 1; n <= 3; n++ {
			who := number
			if every > 0 && number >= back && number%every == 0 {
				who = number - back
			}
			r := rand.NewPCG(uint64(who), uint64(n))
			binary.LittleEndian.PutUint64(k.Hash[n][:], r.Uint64())
			binary.LittleEndian.PutUint64(k.Hash[n][8:], r.Uint64())
		}
	}
}

// find runs a file through and returns its repeats, rows read again, keys remembered, and the bytes held at the worst.
func find(tb testing.TB, rows int64, most int, at func(int64, *row.Keys)) (repeats, read int64, remembered int, held uint64) {
	tb.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	look := func() {
		runtime.GC()
		runtime.ReadMemStats(&now)
		held = max(held, now.HeapAlloc-min(before.HeapAlloc, now.HeapAlloc))
	}
	f := New(rows, 3, file(rows, &read, at))
	f.most = most
	var k row.Keys
	for n := range rows {
		at(n, &k)
		f.See(&k)
	}
	look()
	for n := range rows {
		at(n, &k)
		_, _, keys, err := f.First(tb.Context(), n, &k)
		if err != nil {
			tb.Fatal(err)
		}
		if keys != 0 {
			repeats++
		}
		remembered = max(remembered, f.table.n)
		if n%(rows/4) == rows/8 {
			look()
		}
	}
	runtime.KeepAlive(f)
	return repeats, read, remembered, held
}

// What a file costs is bounded by the filter and the table, whatever repeats in it.
func TestMemoryIsBounded(t *testing.T) {
	const rows, most = 60_000, 50_000
	for name, c := range map[string]struct {
		at      func(int64, *row.Keys)
		repeats int64
		again   bool
	}{
		"no repeats":       {people(0, 0), 0, false},
		"all rows repeat":  {people(1, rows/2), rows / 2, true},
		"one of 50 repeat": {people(50, 1001), rows/50 - 21, false},
	} {
		t.Run(name, func(t *testing.T) {
			repeats, read, remembered, held := find(t, rows, most, c.at)
			if repeats != c.repeats || (read > 0) != c.again {
				t.Errorf("%d repeats and %d rows read again, want %d and %v", repeats, read, c.repeats, c.again)
			}
			if remembered > most || held > 8<<20 {
				t.Errorf("%d keys are remembered in %d MiB", remembered, held>>20)
			}
			if !c.again && remembered > rows/5 {
				t.Errorf("%d keys of %d rows are remembered", remembered, rows)
			}
		})
	}
}

// The sizes of the largest file that is taken; run it for what the package comment says.
func BenchmarkTenMillionRows(b *testing.B) {
	const rows = 10_000_000
	for name, at := range map[string]func(int64, *row.Keys){"no repeats": people(0, 0), "one in 50": people(50, 1001), "all twice": people(1, rows/2)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				repeats, read, remembered, held := find(b, rows, maxEntries, at)
				b.ReportMetric(float64(repeats), "repeats")
				b.ReportMetric(float64(read)/rows, "times-read-again")
				b.ReportMetric(float64(remembered), "remembered")
				b.ReportMetric(float64(held>>20), "MiB")
			}
		})
	}
}

func BenchmarkMillionRows(b *testing.B) {
	const rows = 1_000_000
	at := people(50, 1001)
	file := make([]row.Keys, rows)
	for i := range file {
		at(int64(i), &file[i])
	}
	for b.Loop() {
		f := New(rows, 3, nil)
		for i := range file {
			f.See(&file[i])
		}
		for i := range file {
			if _, _, _, err := f.First(b.Context(), int64(i), &file[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
