package row

import (
	"fmt"
	"io"

	"github.com/google/uuid"
)

// Ended is what became of a row.
type Ended struct {
	Outcome Outcome
	Contact uuid.UUID // the contact made, changed, found or in the way; uuid.Nil for none
	Reason  string    // stable code, e.g. "phone-invalid", "repeats-row", "duplicate-contact"; empty for none
	Detail  string    // ids and line numbers for people, never contact data
}

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
	r.e = Ended{Outcome: Outcome(h >> 3)}
	if h&1 != 0 {
		r.e.Contact = id(&c)
	}
	if h&2 != 0 {
		r.e.Reason = string(c.text())
	}
	if h&4 != 0 {
		r.e.Detail = string(c.text())
	}
	if r.e.Outcome < Added || r.e.Outcome > Suppressed {
		c.bad = true
	}
	return &r.e, c.end("outcomes", r.f.rows)
}
