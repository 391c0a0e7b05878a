package row

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// VerdictsWriter writes a verdicts object: one verdict for every row of the job, in the file's order.
type VerdictsWriter struct{ f *writer }

// NewVerdictsWriter begins an object.
func NewVerdictsWriter(w io.Writer) *VerdictsWriter {
	return &VerdictsWriter{newWriter(w, kindVerdicts)}
}

// Append writes the verdict on the next row.
func (w *VerdictsWriter) Append(v *Verdict) error {
	b := append(w.f.begin(), byte(v.Relation))
	switch v.Relation {
	case One, Other:
		b = append(append(b, v.Contact[:]...), v.Keys)
	case Repeat:
		b = binary.AppendUvarint(append(b, v.Keys), uint64(v.First))
		b = binary.AppendUvarint(b, uint64(v.FirstLine))
	case Several:
		b = binary.AppendUvarint(b, uint64(len(v.Several)))
		for _, c := range v.Several {
			b = append(append(b, c.Contact[:]...), c.Keys)
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
	*v = Verdict{Relation: Relation(c.byte()), Several: v.Several[:0]}
	switch v.Relation {
	case None, Bad, Erased:
	case One, Other:
		v.Contact, v.Keys = id(&c), c.byte()
	case Repeat:
		v.Keys, v.First, v.FirstLine = c.byte(), int64(c.uvarint()), int64(c.uvarint())
	case Several:
		for n := c.uvarint(); n > 0 && !c.bad; n-- {
			v.Several = append(v.Several, Candidate{id(&c), c.byte()})
		}
	default:
		c.bad = true
	}
	return v, c.end("verdicts", r.f.rows)
}

func id(c *cursor) (u uuid.UUID) {
	copy(u[:], c.bytes(16))
	return u
}
