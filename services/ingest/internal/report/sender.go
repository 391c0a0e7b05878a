package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
)

// ReturnToSender writes the values that are newer here than in the file, and the consents that stay withdrawn, so that
// whoever sent the file can correct it: line, contact_id, field, value_in_file, value_here, since, reason. What a rule kept is
// not among them: there nobody knows better. Phones come first, as they are what people call; then the other values row by
// row, emails before the rest. The rows are read twice for that, rather than held.
//
// value_in_file is the cell as it was handed in, value_here the value as it is kept; both masked where secret. Errors are
// those of Write.
func ReturnToSender(ctx context.Context, w io.Writer, store *blob.Store, s Source, only row.Outcome) error {
	out := &writer{out: bufio.NewWriterSize(w, bufferSize), only: only}
	if _, err := out.out.WriteString("line,contact_id,field,value_in_file,value_here,since,reason\n"); err != nil {
		return err
	}
	if !s.NoFile {
		for _, fields := range [][]pick{{isPhone}, {isEmail, isOther}} {
			if err := out.returned(ctx, store, s, fields); err != nil {
				return err
			}
		}
	}
	return out.out.Flush()
}

// pick chooses kept values.
type pick func(*row.Kept) bool

func isPhone(k *row.Kept) bool { return returns(k) && contact.Field(k.Field) == contact.FieldPhone }
func isEmail(k *row.Kept) bool { return returns(k) && contact.Field(k.Field) == contact.FieldEmail }
func isOther(k *row.Kept) bool { return returns(k) && !isPhone(k) && !isEmail(k) }

func returns(k *row.Kept) bool {
	return k.Reason == string(finding.NewerHere) || k.Reason == string(finding.ConsentKept)
}

// returned writes the chosen values of all rows. Chunks without any are not opened.
func (w *writer) returned(ctx context.Context, store *blob.Store, s Source, fields []pick) error {
	raw, err := store.ReadVerified(ctx, s.Outcomes)
	if err != nil {
		return fmt.Errorf("open outcomes: %w", err)
	}
	defer raw.Close()
	outcomes, err := row.NewOutcomesReader(raw)
	if err != nil {
		return broken(err)
	}
	for _, c := range s.Chunks {
		if err := w.returnedOf(ctx, store, c, outcomes, fields); err != nil {
			return fmt.Errorf("report values of %s: %w", c.Cells.Name, err)
		}
	}
	if err := ended(raw, func() error { _, err := outcomes.Next(); return err }); err != nil {
		return fmt.Errorf("end outcomes %s: %w", s.Outcomes.Name, err)
	}
	return nil
}

func (w *writer) returnedOf(ctx context.Context, store *blob.Store, c Chunk, outcomes *row.OutcomesReader, fields []pick) error {
	rows := &cellsAt{store: store, of: c.Cells}
	defer rows.close()
	for n := range c.Rows {
		e, err := outcomes.Next()
		if err != nil {
			return broken(noEOF(err))
		}
		if w.only != 0 && e.Outcome != w.only {
			continue
		}
		for _, field := range fields {
			for i := range e.Kept {
				if !field(&e.Kept[i]) {
					continue
				}
				r, err := rows.at(ctx, n)
				if err != nil {
					return err
				}
				if err := w.value(r, rows.cells.Header, e, i); err != nil {
					return err
				}
			}
		}
	}
	return rows.end(ctx, c.Rows)
}

// value writes the line of a kept value.
func (w *writer) value(r *row.Cells, h row.Header, e *row.Ended, i int) error {
	k := &e.Kept[i]
	name := fieldNames(e)[i]
	w.line = append(appendLine(w.line[:0], r.Line), ',')
	if e.Contact != uuid.Nil {
		w.line = append(w.line, e.Contact.String()...)
	}
	w.line = append(appendCell(append(w.line, ','), []byte(name)), ',')
	w.line = append(appendCell(w.line, cellOf(r, h, name)), ',')
	w.line = append(appendCell(w.line, k.Value), ',')
	if k.Since != 0 {
		w.line = time.Unix(k.Since, 0).UTC().AppendFormat(w.line, time.RFC3339)
	}
	w.line = append(append(append(w.line, ','), k.Reason...), '\n')
	_, err := w.out.Write(w.line)
	return err
}

// cellOf is the row's cell for a field: the first that is filled, where several columns are.
func cellOf(r *row.Cells, h row.Header, field string) []byte {
	for i, c := range h.Columns {
		if c.Field == field && i < len(r.Cells) && len(r.Cells[i]) > 0 {
			return r.Cells[i]
		}
	}
	return nil
}

// cellsAt opens a chunk once a row of it is asked for. Rows are asked for in their order, each as often as one likes.
type cellsAt struct {
	store *blob.Store
	of    blob.Object

	raw   io.ReadCloser
	cells *row.CellsReader
	row   *row.Cells // the last that was read
	next  int64
}

func (c *cellsAt) at(ctx context.Context, n int64) (*row.Cells, error) {
	if c.raw == nil {
		var err error
		if c.raw, err = c.store.ReadVerified(ctx, c.of); err != nil {
			return nil, err
		}
		if c.cells, err = row.NewCellsReader(c.raw); err != nil {
			return nil, broken(err)
		}
	}
	for ; c.next <= n; c.next++ {
		var err error
		if c.row, err = c.cells.Next(); err != nil {
			return nil, broken(noEOF(err))
		}
	}
	return c.row, nil
}

// end makes sure that what was opened is what was stored, and has so many rows.
func (c *cellsAt) end(ctx context.Context, rows int64) error {
	if c.raw == nil {
		return nil
	}
	if _, err := c.at(ctx, rows-1); err != nil {
		return err
	}
	return ended(c.raw, func() error { _, err := c.cells.Next(); return err })
}

func (c *cellsAt) close() {
	if c.raw != nil {
		c.raw.Close()
	}
}
