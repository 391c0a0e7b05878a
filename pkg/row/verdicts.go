package row

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// wideKeys is added to the relation if the verdict has keys beyond the eighth, which then take two bytes each.
const wideKeys = 0x80

// VerdictsWriter writes a verdicts object: one verdict for every row of the job, in the file's order.
type VerdictsWriter struct{ f *writer }

// NewVerdictsWriter begins an object.
func NewVerdictsWriter(w io.Writer) *VerdictsWriter {
	return &VerdictsWriter{newWriter(w, kindVerdicts)}
}

// Append writes the verdict on the next row.
func (w *VerdictsWriter) Append(v *Verdict) error {
	all := v.Keys
	for _, c := range v.Several {
		all |= c.Keys
	}
	wide := all > 0xff
	b := append(w.f.begin(), byte(v.Relation)|flag(wide)*wideKeys)
	switch v.Relation {
	case One, Other:
		b = appendKeys(append(b, v.Contact[:]...), v.Keys, wide)
	case Repeat:
		b = binary.AppendUvarint(appendKeys(b, v.Keys, wide), uint64(v.First))
		b = binary.AppendUvarint(b, uint64(v.FirstLine))
	case Several:
		b = binary.AppendUvarint(b, uint64(len(v.Several)))
		for _, c := range v.Several {
			b = appendKeys(append(b, c.Contact[:]...), c.Keys, wide)
		}
	}
	return w.f.end(b)
}

// Close ends the object; it is whole only if nil is returned.
func (w *VerdictsWriter) Close() error { return w.f.close() }

// VerdictsReader reads a verdicts object.
type VerdictsReader struct {
	f *reader
	v Verdict
}

// NewVerdictsReader opens an object.
func NewVerdictsReader(r io.Reader) (*VerdictsReader, error) {
	f, err := newReader(r, kindVerdicts)
	if err != nil {
		return nil, fmt.Errorf("open verdicts: %w", err)
	}
	return &VerdictsReader{f: f}, nil
}

// Next returns the verdict on the next row, valid until the call after it; io.EOF after the last.
func (r *VerdictsReader) Next() (*Verdict, error) {
	b, err := r.f.next()
	if err != nil {
		return nil, err
	}
	c := cursor{b: b}
	v := &r.v
	h := c.byte()
	wide := h&wideKeys != 0
	*v = Verdict{Relation: Relation(h &^ wideKeys), Several: v.Several[:0]}
	switch v.Relation {
	case None, Bad, Erased:
	case One, Other:
		v.Contact, v.Keys = id(&c), keys(&c, wide)
	case Repeat:
		v.Keys, v.First, v.FirstLine = keys(&c, wide), int64(c.uvarint()), int64(c.uvarint())
	case Several:
		for n := c.uvarint(); n > 0 && !c.bad; n-- {
			v.Several = append(v.Several, Candidate{id(&c), keys(&c, wide)})
		}
	default:
		c.bad = true
	}
	return v, c.end("verdicts", r.f.rows)
}

func appendKeys(b []byte, k uint16, wide bool) []byte {
	if b = append(b, byte(k)); wide {
		b = append(b, byte(k>>8))
	}
	return b
}

func keys(c *cursor, wide bool) uint16 {
	k := uint16(c.byte())
	if wide {
		k |= uint16(c.byte()) << 8
	}
	return k
}

func id(c *cursor) (u uuid.UUID) {
	copy(u[:], c.bytes(16))
	return u
}
