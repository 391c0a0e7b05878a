package repeat

import (
	"encoding/binary"
	"math/bits"
)

// minEntries is the least room of a table.
const minEntries = 1 << 8

// filter is a Bloom filter of two bits a key, both in one word.
type filter []uint64

func newFilter(size uint64) filter {
	return make(filter, max(uint64(1)<<bits.Len64(size-1), minFilter)/64)
}

func (f filter) at(h uint64) (word *uint64, mask uint64) {
	return &f[h>>12&uint64(len(f)-1)], 1<<(h&63) | 1<<(h>>6&63)
}

// add tells whether the key was there, or seems so.
func (f filter) add(h uint64) bool {
	w, m := f.at(h)
	was := *w&m == m
	*w |= m
	return was
}

func (f filter) has(h uint64) bool {
	w, m := f.at(h)
	return *w&m == m
}

// spread hashes keys, kinds apart. It is seeded: contact ids are the submitter's choice, and nobody shall know where they
// come to lie.
type spread [2]uint64

func (s *spread) hash(n int, hash *[16]byte) uint64 {
	const odd = 0x9E3779B97F4A7C15
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(hash[:])^s[0]^uint64(n)*odd, binary.LittleEndian.Uint64(hash[8:])^s[1])
	return hi ^ lo
}

// table holds keys exactly, by open addressing: a power of two of entries, at most four fifths of them used.
type table struct {
	spread  *spread
	entries []entry
	n       int
}

// entry is a key, and the row that was accepted with it: none while line is 0.
type entry struct {
	hash [16]byte
	line int64
	row  uint32 // a file has far fewer
	kind uint8  // 1 + the kind; 0: the entry is free
}

// reserve makes room for so many keys more. Until it is called again entries stay where they are.
func (t *table) reserve(keys int) {
	size := max(len(t.entries), minEntries)
	for t.n+keys > size/5*4 {
		size *= 2
	}
	if size == len(t.entries) {
		return
	}
	old := t.entries
	t.entries = make([]entry, size)
	for i := range old {
		if e := &old[i]; e.kind != 0 {
			n := int(e.kind) - 1
			*t.slot(t.spread.hash(n, &e.hash), n, &e.hash) = *e
		}
	}
}

// clear forgets all keys and keeps the room.
func (t *table) clear() {
	clear(t.entries)
	t.n = 0
}

// put returns the key's entry, made if it has none, for which room was reserved.
func (t *table) put(h uint64, n int, hash *[16]byte) *entry {
	e := t.slot(h, n, hash)
	if e.kind == 0 {
		*e = entry{hash: *hash, kind: uint8(n) + 1}
		t.n++
	}
	return e
}

// slot is where a key is or would be. There is always a free one.
func (t *table) slot(h uint64, n int, hash *[16]byte) *entry {
	for i := h >> 20; ; i++ {
		e := &t.entries[i&uint64(len(t.entries)-1)]
		if e.kind == 0 || e.kind == uint8(n)+1 && e.hash == *hash {
			return e
		}
	}
}
