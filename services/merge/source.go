package merge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
)

// source reads the rows of a job in their order: what validation, matching and enrichment say of each. Cells and keys
// are read chunk by chunk, one of each open at a time.
type source struct {
	worker *worker
	job    *job
	ctx    context.Context // of one reading

	chunk    int // the next to open
	cells    *row.CellsReader
	keys     *row.KeysReader
	verdicts *row.VerdictsReader
	facts    *row.FactsReader
	open     []io.Closer // of the chunk
	whole    []io.Closer // of the job

	n      int64 // rows read
	factOf int64 // the row that the facts at hand are of, -1 for none left
	phone  []byte
	email  []byte
}

// record is a row with all that is said of it, valid until the next is read.
type record struct {
	n       int64
	cells   *row.Cells // nil unless asked for
	keys    *row.Keys
	verdict *row.Verdict
	asked   bool // the provider was asked about it
	known   bool // and knows it
	phone   []byte
	email   []byte
}

// read opens the objects. withCells tells whether cells are wanted; keys and verdicts always are.
func (w *worker) read(ctx context.Context, j *job) (*source, error) {
	s := &source{worker: w, job: j, ctx: ctx, factOf: -1}
	r, err := s.get(j.verdicts, &s.whole)
	if err != nil {
		return nil, err
	}
	if s.verdicts, err = row.NewVerdictsReader(r); err != nil {
		s.close()
		return nil, fmt.Errorf("read verdicts: %w", err)
	}
	if j.facts == nil {
		return s, nil
	}
	if r, err = s.get(*j.facts, &s.whole); err == nil {
		if s.facts, err = row.NewFactsReader(r); err == nil {
			err = s.nextFacts()
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("read facts: %w", err)
	}
	return s, nil
}

func (s *source) get(o blob.Object, keep *[]io.Closer) (io.Reader, error) {
	r, err := s.worker.blob.ReadVerified(s.ctx, o)
	if err != nil {
		return nil, err
	}
	*keep = append(*keep, r)
	return r, nil
}

func (s *source) close() {
	for _, c := range append(s.open, s.whole...) {
		_ = c.Close() // read to its end or given up
	}
	s.open, s.whole = nil, nil
}

// nextKeys returns the next row with its keys and verdict only; io.EOF after the last.
func (s *source) nextKeys(r *record) error { return s.next(r, false) }

// nextRow returns the next row whole; io.EOF after the last.
func (s *source) nextRow(r *record) error { return s.next(r, true) }

// next must be asked alike for all rows of a source.
func (s *source) next(r *record, cells bool) error {
	keys, err := s.advance(cells)
	if errors.Is(err, io.EOF) {
		return s.end()
	}
	if err != nil {
		return err
	}
	*r = record{n: s.n, keys: keys}
	if cells {
		if r.cells, err = s.cells.Next(); err != nil {
			return s.short("cells", err)
		}
	}
	if r.verdict, err = s.verdicts.Next(); err != nil {
		return s.short("verdicts", err)
	}
	if s.factOf == s.n {
		r.asked, r.known, r.phone, r.email = true, says(s.phone) || says(s.email), s.phone, s.email
		if err := s.nextFacts(); err != nil {
			return fmt.Errorf("read facts: %w", err)
		}
	}
	s.n++
	return nil
}

// advance returns the next row's keys, from the next chunk if this one is at its end.
func (s *source) advance(cells bool) (*row.Keys, error) {
	for {
		if s.keys != nil {
			k, err := s.keys.Next()
			if err == nil {
				return k, nil
			}
			if !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("read keys of row %d: %w", s.n, err)
			}
			if cells {
				// reading on to the end verifies what was read
				if _, err := s.cells.Next(); !errors.Is(err, io.EOF) {
					return nil, s.short("cells", err)
				}
			}
		}
		if err := s.nextChunk(cells); err != nil {
			return nil, err
		}
	}
}

func (s *source) nextChunk(cells bool) error {
	for _, c := range s.open {
		_ = c.Close() // read to its end
	}
	s.open, s.keys, s.cells = s.open[:0], nil, nil
	if s.chunk == len(s.job.chunks) {
		return io.EOF
	}
	c := s.job.chunks[s.chunk]
	s.chunk++
	r, err := s.get(c.keys, &s.open)
	if err != nil {
		return err
	}
	if s.keys, err = row.NewKeysReader(r); err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if !cells {
		return nil
	}
	if r, err = s.get(c.cells, &s.open); err != nil {
		return err
	}
	if s.cells, err = row.NewCellsReader(r); err != nil {
		return fmt.Errorf("read cells: %w", err)
	}
	if have, want := len(s.cells.Header.Mapped()), len(s.job.fields); have != want {
		return fault.New(fault.DataLoss, "rows-differ", "a chunk has %d mapped columns, validation left %d", have, want)
	}
	return nil
}

// says tells facts from the empty object of a value that was asked about and is not known.
func says(facts []byte) bool { return len(facts) > len("{}") }

func (s *source) nextFacts() error {
	n, phone, email, err := s.facts.Next()
	if errors.Is(err, io.EOF) {
		s.factOf = -1
		return nil
	}
	s.factOf, s.phone, s.email = n, phone, email
	return err
}

// end is io.EOF if every object ended where it should.
func (s *source) end() error {
	if s.n != s.job.rows {
		return fault.New(fault.DataLoss, "rows-differ", "validation left %d rows, %d were found", s.job.rows, s.n)
	}
	if _, err := s.verdicts.Next(); !errors.Is(err, io.EOF) {
		return s.short("verdicts", err)
	}
	return io.EOF
}

// short is the error of an object that has fewer or more rows than the others.
func (s *source) short(what string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return fault.New(fault.DataLoss, "rows-differ", "the %s at row %d have another number of rows than the keys", what, s.n)
	}
	return fmt.Errorf("read %s of row %d: %w", what, s.n, err)
}
