// Package repeat finds the rows of a file that have a unique key of an earlier accepted row.
//
// A row is accepted unless it is INVALID or itself a repeat, so rows must be looked at in their order. What makes it cheap
// is that nearly no key occurs twice: a first pass over all keys fills a filter of two bits a key, and only keys that the
// filter has seen twice are remembered exactly in the second pass.
package repeat

import (
	"encoding/binary"
	"math/bits"

	"github.com/contactmill/contactmill/pkg/row"
)

// Unique is the set of keys that tell one contact from another: all but the fallback of name, birth date and zip.
const Unique = 1<<(row.KeyCount-1) - 1

const (
	// bitsPerKey makes about one key in ten that occurs once look as if it occurred twice.
	bitsPerKey = 8

	// maxBits bounds the filter: twice 32 MiB.
	maxBits = 1 << 28
)

// Finder takes the rows of a file twice: first all through See, then all again, in order, through First.
type Finder struct {
	seen, twice []uint64
	mask        uint64
	accepted    map[key]place
}

type key struct {
	hash [16]byte
	kind uint8
}

type place struct{ row, line int64 }

// New returns a Finder for about so many rows with so many keys each.
func New(rows int64, keys int) *Finder {
	n := uint64(max(rows, 1)) * uint64(max(keys, 1)) * bitsPerKey
	size := min(max(uint64(1)<<bits.Len64(n-1), 1<<10), maxBits)
	return &Finder{seen: make([]uint64, size/64), twice: make([]uint64, size/64), mask: size - 1, accepted: map[key]place{}}
}

// See takes a row's keys into the filter.
func (f *Finder) See(k *row.Keys) {
	if k.Invalid {
		return
	}
	for m := k.Mask & Unique; m != 0; m &= m - 1 {
		w, b := f.bit(bits.TrailingZeros8(m), &k.Hash)
		if f.seen[w]&b != 0 {
			f.twice[w] |= b
		}
		f.seen[w] |= b
	}
}

// First tells whether a row repeats an earlier accepted one: that row's number and line, the earliest if there are several,
// and the keys by which. Otherwise the row is accepted from now on.
func (f *Finder) First(number int64, k *row.Keys) (first, line int64, keys uint8) {
	if k.Invalid {
		return 0, 0, 0
	}
	var mine uint8
	for m := k.Mask & Unique; m != 0; m &= m - 1 {
		n := bits.TrailingZeros8(m)
		if w, b := f.bit(n, &k.Hash); f.twice[w]&b == 0 {
			continue
		}
		p, ok := f.accepted[key{k.Hash[n], uint8(n)}]
		switch {
		case !ok:
			mine |= 1 << n
		case keys == 0 || p.row < first:
			first, line, keys = p.row, p.line, 1<<n
		case p.row == first:
			keys |= 1 << n
		}
	}
	if keys == 0 {
		for m := mine; m != 0; m &= m - 1 {
			n := bits.TrailingZeros8(m)
			f.accepted[key{k.Hash[n], uint8(n)}] = place{number, k.Line}
		}
	}
	return first, line, keys
}

// bit is where a key stands in the filter. Hashes are uniform, so any of their bits will do; the kind sets the same value
// of two kinds apart.
func (f *Finder) bit(n int, hash *[row.KeyCount][16]byte) (word uint64, bit uint64) {
	h := (binary.LittleEndian.Uint64(hash[n][:]) + uint64(n)*0x9E3779B97F4A7C15) & f.mask
	return h / 64, 1 << (h % 64)
}
