package row

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// KeyCount is how many kinds of key there are; their stored numbers are 0 to KeyCount-1.
const KeyCount = 16

// Keys is what one row is recognised by.
type Keys struct {
	Line    int64 // physical line on which the row begins, from 1
	Invalid bool
	Mask    uint16             // the keys it has, bit n for key n
	Hash    [KeyCount][16]byte // keyed hashes; for the contact id the id itself; what Mask lacks is stale
}

// KeysWriter writes a keys object.
type KeysWriter struct{ f *writer }

// NewKeysWriter begins an object.
func NewKeysWriter(w io.Writer) *KeysWriter { return &KeysWriter{newWriter(w, kindKeys)} }

// Reset begins another object with the memory of the one before.
func (k *KeysWriter) Reset(w io.Writer) { k.f.reset(w, kindKeys) }

// Append writes the keys of the next row.
func (k *KeysWriter) Append(r *Keys) error {
	b := append(k.f.begin(), byte(r.Mask), flag(r.Invalid)|flag(r.Mask > 0xff)<<1)
	if r.Mask > 0xff {
		b = append(b, byte(r.Mask>>8))
	}
	b = binary.AppendUvarint(b, uint64(r.Line))
	for m := r.Mask; m != 0; m &= m - 1 {
		b = append(b, r.Hash[bits.TrailingZeros16(m)][:]...)
	}
	return k.f.end(b)
}

// Close ends the object; it is whole only if nil is returned.
func (k *KeysWriter) Close() error { return k.f.close() }

// KeysReader reads a keys object.
type KeysReader struct {
	f   *reader
	row Keys
}

// NewKeysReader opens an object.
func NewKeysReader(r io.Reader) (*KeysReader, error) {
	f, err := newReader(r, kindKeys)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return &KeysReader{f: f}, nil
}

// Next returns the keys of the next row, valid until the call after it; io.EOF after the last.
func (k *KeysReader) Next() (*Keys, error) {
	b, err := k.f.next()
	if err != nil {
		return nil, err
	}
	c := cursor{b: b}
	k.row.Mask = uint16(c.byte())
	flags := c.byte()
	k.row.Invalid = flags&1 != 0
	if flags&2 != 0 {
		k.row.Mask |= uint16(c.byte()) << 8
	}
	k.row.Line = int64(c.uvarint())
	for m := k.row.Mask; m != 0; m &= m - 1 {
		copy(k.row.Hash[bits.TrailingZeros16(m)][:], c.bytes(16))
	}
	return &k.row, c.end("keys", k.f.rows)
}
