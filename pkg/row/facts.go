package row

import (
	"encoding/binary"
	"fmt"
	"io"
)

// maxFactSets bounds how many distinct sets of facts an object holds by reference; those beyond it are written out again.
const maxFactSets = 1 << 16

// FactsWriter writes a facts object: what the provider says of rows, in the file's order. Rows it says nothing of are left out.
// Sets of facts repeat between rows and are written once.
type FactsWriter struct {
	f    *writer
	sets map[string]uint64
	last int64
}

// NewFactsWriter begins an object.
func NewFactsWriter(w io.Writer) *FactsWriter {
	return &FactsWriter{f: newWriter(w, kindFacts), sets: map[string]uint64{}, last: -1}
}

// Append writes the facts on a row's phone and email: JSON objects, nil for none. Rows come in growing order.
func (w *FactsWriter) Append(row int64, phone, email []byte) error {
	if row <= w.last {
		return fmt.Errorf("write facts of row %d: row %d was written already", row, w.last)
	}
	p, err := w.set(phone)
	if err != nil {
		return err
	}
	e, err := w.set(email)
	if err != nil {
		return err
	}
	b := append(w.f.begin(), 'r')
	b = binary.AppendUvarint(b, uint64(row-w.last))
	b = binary.AppendUvarint(b, p)
	b = binary.AppendUvarint(b, e)
	w.last = row
	return w.f.end(b)
}

// set returns 1 + the number of a set, which it defines if it is new; 0 for none.
func (w *FactsWriter) set(json []byte) (uint64, error) {
	if len(json) == 0 {
		return 0, nil
	}
	if n, ok := w.sets[string(json)]; ok {
		return n, nil
	}
	if len(w.sets) == maxFactSets {
		clear(w.sets)
		if err := w.f.end(append(w.f.begin(), 'x')); err != nil {
			return 0, err
		}
	}
	n := uint64(len(w.sets)) + 1
	w.sets[string(json)] = n
	return n, w.f.end(append(append(w.f.begin(), 's'), json...))
}

// Close ends the object; it is whole only if nil is returned.
func (w *FactsWriter) Close() error { return w.f.close() }

// FactsReader reads a facts object.
type FactsReader struct {
	f    *reader
	sets [][]byte
	last int64
}

// NewFactsReader opens an object.
func NewFactsReader(r io.Reader) (*FactsReader, error) {
	f, err := newReader(r, kindFacts)
	if err != nil {
		return nil, fmt.Errorf("open facts: %w", err)
	}
	return &FactsReader{f: f, last: -1}, nil
}

// Next returns the number of the next row that has facts, and what is said of its phone and its email: JSON objects that
// may be kept and not changed, nil for none. io.EOF after the last.
func (r *FactsReader) Next() (row int64, phone, email []byte, err error) {
	for {
		b, err := r.f.next()
		if err != nil {
			return 0, nil, nil, err
		}
		c := cursor{b: b}
		switch c.byte() {
		case 's':
			if len(r.sets) == maxFactSets {
				return 0, nil, nil, fmt.Errorf("read facts record %d: %w", r.f.rows-1, ErrFormat)
			}
			r.sets = append(r.sets, append([]byte(nil), c.b...))
			continue
		case 'x':
			r.sets = nil
			continue
		case 'r':
			r.last += int64(c.uvarint())
			phone, email = r.get(&c), r.get(&c)
		default:
			c.bad = true
		}
		return r.last, phone, email, c.end("facts", r.f.rows)
	}
}

func (r *FactsReader) get(c *cursor) []byte {
	n := c.uvarint()
	if n == 0 {
		return nil
	}
	if n > uint64(len(r.sets)) {
		c.bad = true
		return nil
	}
	return r.sets[n-1]
}
