package repeat

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/row"
)

// slow is the rule as it is told: look at every earlier accepted row.
func slow(rows []row.Keys) (firsts []int64, keys []uint8) {
	accepted := make([]bool, len(rows))
	for i := range rows {
		first, mask := int64(-1), uint8(0)
		for j := range i {
			if !accepted[j] || rows[i].Invalid || mask != 0 {
				continue
			}
			for n := range row.KeyCount - 1 {
				if rows[i].Mask&rows[j].Mask&(1<<n) != 0 && rows[i].Hash[n] == rows[j].Hash[n] {
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

func TestSameAsTheSlowRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []row.Keys
		for i := range rapid.IntRange(0, 40).Draw(t, "rows") {
			k := row.Keys{Line: int64(i)*2 + 5, Invalid: rapid.IntRange(0, 5).Draw(t, "invalid") == 0, Mask: rapid.Byte().Draw(t, "mask")}
			for n := range k.Hash {
				k.Hash[n][0] = byte(rapid.IntRange(0, 12).Draw(t, "value"))
			}
			rows = append(rows, k)
		}
		f := New(int64(len(rows)), 3)
		for i := range rows {
			f.See(&rows[i])
		}
		firsts, keys := slow(rows)
		for i := range rows {
			first, line, mask := f.First(int64(i), &rows[i])
			if mask != keys[i] || mask != 0 && (first != firsts[i] || line != rows[first].Line) {
				t.Fatalf("row %d: first %d line %d keys %b, want first %d keys %b", i, first, line, mask, firsts[i], keys[i])
			}
		}
	})
}

func BenchmarkMillionRows(b *testing.B) {
	const n = 1_000_000
	rows := make([]row.Keys, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		rows[i].Mask = 0b1110
		for k := 1; k <= 3; k++ {
			binary.LittleEndian.PutUint64(rows[i].Hash[k][:], r.Uint64())
		}
		if i > 0 && i%50 == 0 {
			rows[i].Hash = rows[r.IntN(i)].Hash
		}
	}
	for b.Loop() {
		f := New(n, 3)
		for i := range rows {
			f.See(&rows[i])
		}
		repeats := 0
		for i := range rows {
			if _, _, k := f.First(int64(i), &rows[i]); k != 0 {
				repeats++
			}
		}
		b.ReportMetric(float64(repeats), "repeats")
		b.ReportMetric(float64(len(f.accepted)), "remembered")
	}
}
