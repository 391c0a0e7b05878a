package row

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// Ended is what became of a row.
type Ended struct {
	Outcome Outcome
	Contact uuid.UUID // the contact made, changed, found or in the way; uuid.Nil for none
	Reason  string    // stable code, e.g. "phone-invalid", "repeats-row", "duplicate-contact"; empty for none
	Detail  string    // ids, line numbers and names of fields for people, never contact data
	Kept    []Kept    // values that the row would have changed and did not, in the order of the fields
	Line    int64     // of the row, in a job without a file, which has no cells to tell it; 0 for none
	Effect  int64     // in a plan: a hash of what would change at the contact, from what to what; 0 where nothing would
}

// Kept is a value of a contact that a row did not change.
type Kept struct {
	Field  uint16 // number of the field
	Reason string // stable code: newer-here, consent-kept, kept-by-rule
	Value  []byte // what the contact has, masked where secret; nil for none
	Since  int64  // when the contact got it, in seconds since 1970; 0 where that is not known
}

// moreFlag is set in the first byte of a row that a byte of further flags follows.
const moreFlag = 0x80

// The further flags.
const (
	keptFlag   = 1
	lineFlag   = 2
	effectFlag = 4
)

// OutcomesWriter writes an outcomes object: what became of every row of the job, in the file's order.
type OutcomesWriter struct{ f *writer }

// NewOutcomesWriter begins an object.
func NewOutcomesWriter(w io.Writer) *OutcomesWriter {
	return &OutcomesWriter{newWriter(w, kindOutcomes)}
}

// Append writes what became of the next row.
func (w *OutcomesWriter) Append(e *Ended) error {
	b := w.f.begin()
	at := len(b)
	b = append(b, byte(e.Outcome)<<3)
	if more := flag(len(e.Kept) > 0)*keptFlag | flag(e.Line != 0)*lineFlag | flag(e.Effect != 0)*effectFlag; more != 0 {
		b[at] |= moreFlag
		b = append(b, more)
	}
	if e.Contact != uuid.Nil {
		b[at] |= 1
		b = append(b, e.Contact[:]...)
	}
	if e.Reason != "" {
		b[at] |= 2
		b = appendText(b, e.Reason)
	}
	if e.Detail != "" {
		b[at] |= 4
		b = appendText(b, e.Detail)
	}
	if len(e.Kept) > 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Kept)))
		for i := range e.Kept {
			k := &e.Kept[i]
			b = appendText(binary.AppendUvarint(b, uint64(k.Field)), k.Reason)
			b = appendText(binary.AppendVarint(b, k.Since), k.Value)
		}
	}
	if e.Line != 0 {
		b = binary.AppendVarint(b, e.Line)
	}
	if e.Effect != 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Effect))
	}
	return w.f.end(b)
}

// Close ends the object; it is whole only if nil is returned.
func (w *OutcomesWriter) Close() error { return w.f.close() }

// OutcomesReader reads an outcomes object.
type OutcomesReader struct {
	f *reader
	e Ended
}

// NewOutcomesReader opens an object.
func NewOutcomesReader(r io.Reader) (*OutcomesReader, error) {
	f, err := newReader(r, kindOutcomes)
	if err != nil {
		return nil, fmt.Errorf("open outcomes: %w", err)
	}
	return &OutcomesReader{f: f}, nil
}

// Next returns what became of the next row, valid until the call after it; io.EOF after the last.
func (r *OutcomesReader) Next() (*Ended, error) {
	b, err := r.f.next()
	if err != nil {
		return nil, err
	}
	c := cursor{b: b}
	h := c.byte()
	more := byte(0)
	if h&moreFlag != 0 {
		more = c.byte()
	}
	r.e = Ended{Outcome: Outcome(h &^ moreFlag >> 3), Kept: r.e.Kept[:0]}
	if h&1 != 0 {
		r.e.Contact = id(&c)
	}
	if h&2 != 0 {
		r.e.Reason = string(c.text())
	}
	if h&4 != 0 {
		r.e.Detail = string(c.text())
	}
	if more&keptFlag != 0 {
		for n := c.uvarint(); n > 0 && !c.bad; n-- {
			k := Kept{Field: uint16(c.uvarint()), Reason: string(c.text())}
			k.Since = c.varint()
			k.Value = c.text()
			r.e.Kept = append(r.e.Kept, k)
		}
	}
	if more&lineFlag != 0 {
		r.e.Line = c.varint()
	}
	if more&effectFlag != 0 {
		if b := c.bytes(8); b != nil {
			r.e.Effect = int64(binary.LittleEndian.Uint64(b))
		}
	}
	if r.e.Outcome < Added || r.e.Outcome > Suppressed {
		c.bad = true
	}
	return &r.e, c.end("outcomes", r.f.rows)
}
