// Package report writes what became of a job's rows as CSV, from the cells that validation left and the outcomes that the
// merge left, read side by side. Nothing is kept: a report is made anew each time it is asked for.
//
// The file is UTF-8 without a byte order mark, comma separated, with a heading, lines ended by LF (so that line breaks
// within cells stay what they were). First come the columns of the file as they were handed in, in the file's order,
// secret cells masked; then line, outcome, reason, contact_id and job. A job without a file has the latter alone. Every cell
// is inert (see appendCell). By line and job a corrected report is known again when it is handed in: of its columns those
// are left out that an earlier report had added.
package report

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
)

// bufferSize is how much is gathered before it is written on.
const bufferSize = 64 << 10

// Source is what a report is made of.
type Source struct {
	Number   int64    // of the job
	Headings []string // of every column of the file, in its order
	Omit     []bool   // columns that are left out, parallel to Headings; nil for none
	Chunks   []Chunk  // in the file's order
	Outcomes blob.Object
	Foreseen bool // of a check or a plan: contacts that would be ADDED have no id yet; those that an undo makes again have theirs
	NoFile   bool // an undo has neither headings nor chunks: its outcomes name their lines
}

// Chunk is a run of rows.
type Chunk struct {
	Rows  int64
	Cells blob.Object
}

// Write writes the rows with the given outcome, or all rows for 0. Objects that are not those that were stored, or that
// do not fit each other, are DataLoss: then what was written is not whole.
func Write(ctx context.Context, w io.Writer, store *blob.Store, s Source, only row.Outcome) error {
	out := &writer{out: bufio.NewWriterSize(w, bufferSize), job: strconv.FormatInt(s.Number, 10), headings: s.Headings, omit: s.Omit, foreseen: s.Foreseen && !s.NoFile, only: only}
	if err := out.heading(); err != nil {
		return err
	}
	raw, err := store.ReadVerified(ctx, s.Outcomes)
	if err != nil {
		return fmt.Errorf("open outcomes: %w", err)
	}
	defer raw.Close()
	outcomes, err := row.NewOutcomesReader(raw)
	if err != nil {
		return broken(err)
	}
	if s.NoFile {
		if err := out.bare(outcomes); err != nil {
			return err
		}
	}
	for _, c := range s.Chunks {
		if err := out.chunk(ctx, store, c, outcomes); err != nil {
			return fmt.Errorf("report rows of %s: %w", c.Cells.Name, err)
		}
	}
	if err := ended(raw, func() error { _, err := outcomes.Next(); return err }); err != nil {
		return fmt.Errorf("end outcomes %s: %w", s.Outcomes.Name, err)
	}
	return out.out.Flush()
}

type writer struct {
	out      *bufio.Writer
	job      string
	headings []string
	omit     []bool
	foreseen bool
	only     row.Outcome
	line     []byte // one line, reused
	text     []byte // one reason, reused
}

// heading writes the first line. A heading of ours that the file has already gets a number.
func (w *writer) heading() error {
	taken := make(map[string]bool, len(w.headings))
	w.line = w.line[:0]
	for i, h := range w.headings {
		if w.omitted(i) {
			continue
		}
		taken[strings.ToLower(strings.TrimSpace(h))] = true
		w.line = append(appendCell(w.line, []byte(h)), ',')
	}
	for i, h := range mapping.ReportColumns {
		name := h
		for n := 2; taken[name]; n++ {
			name = h + "_" + strconv.Itoa(n)
		}
		taken[name] = true
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = append(w.line, name...)
	}
	w.line = append(w.line, '\n')
	_, err := w.out.Write(w.line)
	return err
}

func (w *writer) omitted(i int) bool { return i < len(w.omit) && w.omit[i] }

func (w *writer) chunk(ctx context.Context, store *blob.Store, c Chunk, outcomes *row.OutcomesReader) error {
	raw, err := store.ReadVerified(ctx, c.Cells)
	if err != nil {
		return err
	}
	defer raw.Close()
	cells, err := row.NewCellsReader(raw)
	if err != nil {
		return broken(err)
	}
	for range c.Rows {
		r, err := cells.Next()
		if err != nil {
			return broken(noEOF(err))
		}
		e, err := outcomes.Next()
		if err != nil {
			return broken(noEOF(err))
		}
		if w.only != 0 && e.Outcome != w.only {
			continue
		}
		if err := w.row(r, e); err != nil {
			return err
		}
	}
	return ended(raw, func() error { _, err := cells.Next(); return err })
}

// bare writes the rows of a job without a file.
func (w *writer) bare(outcomes *row.OutcomesReader) error {
	for {
		e, err := outcomes.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if w.only != 0 && e.Outcome != w.only {
			continue
		}
		if err := w.row(&row.Cells{Line: e.Line}, e); err != nil {
			return err
		}
	}
}

// row writes one line. A row shorter than the heading is filled up; cells beyond it have no column and are left out, which
// its reason says.
func (w *writer) row(r *row.Cells, e *row.Ended) error {
	w.line = w.line[:0]
	for i := range w.headings {
		if w.omitted(i) {
			continue
		}
		if i < len(r.Cells) {
			w.line = appendCell(w.line, r.Cells[i])
		}
		w.line = append(w.line, ',')
	}
	w.line = append(appendLine(w.line, r.Line), ',')
	w.line = append(append(w.line, e.Outcome.String()...), ',')
	w.text = w.appendReason(w.text[:0], r, e)
	w.line = append(appendCell(w.line, w.text), ',')
	if e.Contact != uuid.Nil && !(w.foreseen && e.Outcome == row.Added) {
		w.line = append(w.line, e.Contact.String()...)
	}
	w.line = append(append(append(w.line, ','), w.job...), '\n')
	_, err := w.out.Write(w.line)
	return err
}

// appendLine appends the number of a line, nothing for one that is not known.
func appendLine(b []byte, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(b, n, 10)
}

// ended makes sure that an object holds nothing more: that next says io.EOF and that its bytes, read to their end, are
// those that were stored.
func ended(raw io.Reader, next func() error) error {
	switch err := next(); {
	case err == nil:
		return fault.New(fault.DataLoss, "objects-differ", "cells and outcomes are not of the same rows")
	case !errors.Is(err, io.EOF):
		return broken(err)
	}
	_, err := io.Copy(io.Discard, raw)
	return err
}

// broken gives an object that cannot be read its kind; an object that could not be fetched has one already.
func broken(err error) error {
	if fault.Of(err) != fault.Internal {
		return err
	}
	return fault.Wrap(fault.DataLoss, "object-broken", err, "a stored object of the job cannot be read")
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
