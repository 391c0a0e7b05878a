// Package repeat finds the rows of a file that have a unique key of an earlier accepted row.
//
// A row is accepted unless it is INVALID or itself a repeat, so rows must be looked at in their order, and of each key
// there is at most one accepted row. What makes it cheap is that nearly no key occurs twice: a first pass over all keys
// fills a filter, and only the keys that it calls suspicious are remembered exactly in the second pass.
//
// What makes it bounded is the window: when the table of suspicious keys is full, those of the next rows are put into it
// instead, as many as it holds, and the rows before are read again to find who of them was accepted with one. However
// many keys repeat, a file of 10,000,000 rows with three keys takes 60 MiB at most; one whose every key repeats is read
// some twenty times.
package repeat

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/contactmill/contactmill/pkg/row"
)

// Unique is the set of keys that tell one contact from another: all but the fallback of name, birth date and zip.
const Unique = (1<<row.KeyCount - 1) &^ (1 << fallback)

// fallback is the stored number of the fallback key.
const fallback = 7

const (
	seenPerKey  = 8 // bits: about one key in fifty that occurs once looks suspicious
	twicePerKey = 2 // bits
	maxSeen     = 1 << 28
	maxTwice    = 1 << 26
	minFilter   = 1 << 10

	// maxEntries bounds the table of suspicious keys: 32 MiB at four fifths full.
	maxEntries = 1 << 20 * 4 / 5
)

// Rows reads rows again: it calls f for those from a number on, in order, until f says that it is enough. The keys are valid
// for the call.
type Rows func(ctx context.Context, from int64, f func(number int64, k *row.Keys) (more bool, err error)) error

// Finder takes the rows of a file twice: first all through See, then all again, in order and from 0, through First.
type Finder struct {
	spread      spread
	seen, twice filter
	table       table
	most        int // entries of the table
	accepted    []uint64
	again       Rows
	windowed    bool
	end         int64 // windowed: the suspicious keys of the rows before are in the table
}

// New returns a Finder for about so many rows with so many keys each.
func New(rows int64, keys int, again Rows) *Finder {
	n := uint64(max(rows, 1)) * uint64(max(keys, 1))
	f := &Finder{
		spread: spread{rand.Uint64(), rand.Uint64()}, most: maxEntries, again: again,
		seen: newFilter(min(n*seenPerKey, maxSeen)), twice: newFilter(min(n*twicePerKey, maxTwice)),
	}
	f.table.spread = &f.spread
	return f
}

// See takes a row's keys into the filter.
func (f *Finder) See(k *row.Keys) {
	if k.Invalid {
		return
	}
	for m := k.Mask & Unique; m != 0; m &= m - 1 {
		n := bits.TrailingZeros16(m)
		h := f.spread.hash(n, &k.Hash[n])
		if f.seen.add(h) {
			f.twice.add(h)
		}
	}
}

// First tells whether a row repeats an earlier accepted one: that row's number and line, the earliest if there are several,
// and the keys by which. Otherwise the row is accepted from now on. Its errors are those of reading rows again.
func (f *Finder) First(ctx context.Context, number int64, k *row.Keys) (first, line int64, keys uint16, err error) {
	f.seen = nil // it has served
	if f.windowed && number >= f.end || !f.windowed && f.table.n+row.KeyCount > f.most {
		if err := f.move(ctx, number); err != nil {
			return 0, 0, 0, err
		}
	}
	if k.Invalid {
		return 0, 0, 0, nil
	}
	if !f.windowed { // else they are there
		f.table.reserve(row.KeyCount)
	}
	var mine [row.KeyCount]*entry
	free := mine[:0]
	f.suspicious(k, func(n int, h uint64) {
		e := f.table.put(h, n, &k.Hash[n])
		switch owner := int64(e.row); {
		case e.line == 0:
			free = append(free, e)
		case keys == 0 || owner < first:
			first, line, keys = owner, e.line, 1<<n
		case owner == first:
			keys |= 1 << n
		}
	})
	if keys == 0 {
		for _, e := range free {
			e.row, e.line = uint32(number), k.Line
		}
		f.accept(number)
	}
	return first, line, keys, nil
}

// suspicious calls g for each unique key of a row that may occur twice.
func (f *Finder) suspicious(k *row.Keys, g func(n int, h uint64)) {
	for m := k.Mask & Unique; m != 0; m &= m - 1 {
		n := bits.TrailingZeros16(m)
		if h := f.spread.hash(n, &k.Hash[n]); f.twice.has(h) {
			g(n, h)
		}
	}
}

// move puts the window where it begins with a row: as many suspicious keys from there on as the table holds, each with the
// row before that was accepted with it.
func (f *Finder) move(ctx context.Context, start int64) error {
	f.windowed, f.end = true, math.MaxInt64
	f.table.clear()
	err := f.again(ctx, start, func(number int64, k *row.Keys) (bool, error) {
		if f.table.n+row.KeyCount > f.most {
			f.end = number
			return false, nil
		}
		if !k.Invalid {
			f.table.reserve(row.KeyCount)
			f.suspicious(k, func(n int, h uint64) { f.table.put(h, n, &k.Hash[n]) })
		}
		return true, nil
	})
	if err == nil && start > 0 {
		err = f.again(ctx, 0, func(number int64, k *row.Keys) (bool, error) {
			if number >= start {
				return false, nil
			}
			if f.isAccepted(number) {
				f.suspicious(k, func(n int, h uint64) {
					if e := f.table.slot(h, n, &k.Hash[n]); e.kind != 0 {
						e.row, e.line = uint32(number), k.Line
					}
				})
			}
			return true, nil
		})
	}
	if err != nil {
		return fmt.Errorf("read rows again: %w", err)
	}
	return nil
}

func (f *Finder) accept(number int64) {
	for int64(len(f.accepted)) <= number/64 {
		f.accepted = append(f.accepted, 0)
	}
	f.accepted[number/64] |= 1 << (number % 64)
}

func (f *Finder) isAccepted(number int64) bool {
	return number/64 < int64(len(f.accepted)) && f.accepted[number/64]&(1<<(number%64)) != 0
}
