package ods

import (
	"errors"
	"io"
	"strconv"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

const (
	maxRows         = 1 << 20 // of a sheet
	maxRepeats      = 1 << 24 // of a row or cell; more is no number that a program writes
	maxRowBytes     = 16 << 20
	maxSkippedBytes = 64 << 20
)

// Rows reads the rows of a sheet. Each call of Next reads a bounded piece of it.
type Rows struct {
	book *Workbook
	t    *markup.Reader
	in   io.Closer

	row     xlsx.Row
	at      int64 // the row that was read last, with its repeats
	repeats int64 // of the row still to come
	cells   []xlsx.Cell
	arena   []byte // texts of the row
	shown   []byte // text of the cell that is being read
	size    int    // of the row's texts
	given   int64  // bytes of repeated rows
	ended   bool
	err     error
}

// Rows reads a sheet as values are taken in.
func (w *Workbook) Rows(sheet int) (*Rows, error) {
	if sheet < 0 || sheet >= len(w.sheets) {
		return nil, errors.New("no such sheet in the workbook")
	}
	t, in, err := w.open()
	if err != nil {
		return nil, err
	}
	t.Bound("unpacked bytes", w.limits.UnpackedBytes)
	for before := sheet; ; {
		kind, err := t.Next()
		if err != nil {
			return nil, errors.Join(markup.Unexpected(err), in.Close())
		}
		if kind != markup.Start || !t.In(tableSpace, "table") || t.Depth() != tableDepth {
			continue
		}
		if before == 0 {
			return &Rows{book: w, t: t, in: in}, nil
		}
		before--
		if err := t.Skip(); err != nil {
			return nil, errors.Join(err, in.Close())
		}
	}
}

// Close ends reading before the last row.
func (r *Rows) Close() error {
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	return r.in.Close()
}

// Next returns the next row of the sheet that is not empty. io.EOF comes behind the last one, once all of the file was
// found undamaged.
func (r *Rows) Next() (*xlsx.Row, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := r.next(); err != nil {
		r.err = r.atRow(err)
		return nil, r.err
	}
	return &r.row, nil
}

// atRow adds the row to a refusal.
func (r *Rows) atRow(err error) error {
	if refusal, ok := errors.AsType[*finding.FileRefusal](err); ok && refusal.Line == 0 {
		at := *refusal
		at.Line = r.at
		return &at
	}
	return err
}

func (r *Rows) next() error {
	if r.repeats > 0 {
		return r.again()
	}
	r.t.Bound("bytes between rows", maxSkippedBytes)
	for !r.ended {
		kind, err := r.t.Next()
		if err != nil {
			return markup.Unexpected(err)
		}
		switch {
		case kind == markup.End && r.t.Depth() < tableDepth:
			r.ended = true
		case kind != markup.Start:
		case r.t.In(tableSpace, "table-row"):
			if full, err := r.readRow(); full || err != nil {
				return err
			}
		case r.t.In(tableSpace, "table-rows"), r.t.In(tableSpace, "table-header-rows"), r.t.In(tableSpace, "table-row-group"):
		default:
			if err := r.t.Skip(); err != nil {
				return err
			}
		}
	}
	return r.verify()
}

// verify reads the rest of the file, as its checksum stands behind it. It ends with io.EOF.
func (r *Rows) verify() error {
	r.t.Bound("unpacked bytes", r.book.limits.UnpackedBytes)
	for {
		if _, err := r.t.Next(); err != nil {
			return err
		}
	}
}

// again gives the row once more.
func (r *Rows) again() error {
	r.repeats--
	r.row.Number++
	if r.given += int64(r.size) + 1; r.given > r.book.limits.UnpackedBytes {
		return markup.TooLarge("unpacked bytes", r.book.limits.UnpackedBytes)
	}
	return nil
}

// readRow reads a row and reports whether it holds anything.
func (r *Rows) readRow() (full bool, err error) {
	repeats, ok := repeated(r.t.AttrIn(tableSpace, "number-rows-repeated"))
	if !ok {
		return false, markup.ErrDamaged
	}
	first := r.at + 1
	r.at += repeats
	r.cells, r.arena, r.size = r.cells[:0], r.arena[:0], 0
	r.t.Bound("row bytes", maxRowBytes)
	column := 0
	for {
		kind, err := r.t.Next()
		if err != nil {
			return false, markup.Unexpected(err)
		}
		switch {
		case kind == markup.End:
			r.t.Bound("bytes between rows", maxSkippedBytes)
			if len(r.cells) == 0 {
				return false, nil
			}
			if r.at > maxRows {
				return false, markup.ErrDamaged
			}
			r.row = xlsx.Row{Number: first, Cells: r.cells}
			r.repeats = repeats - 1
			return true, nil
		case kind != markup.Start:
		case r.t.In(tableSpace, "table-cell"), r.t.In(tableSpace, "covered-table-cell"):
			if column, err = r.readCell(column); err != nil {
				return false, err
			}
		default:
			if err := r.t.Skip(); err != nil {
				return false, err
			}
		}
	}
}

// place puts a cell into the row, as often as it is repeated.
func (r *Rows) place(column int, repeats int64, cell xlsx.Cell) error {
	columns, longest := r.book.limits.Columns, r.book.limits.RecordBytes
	if int64(column)+repeats > int64(columns) {
		return &finding.FileRefusal{Code: finding.TooManyColumns, Limit: "columns", Value: int64(columns)}
	}
	if r.size += len(cell.Text) * int(repeats); r.size > longest {
		return &finding.FileRefusal{Code: finding.RecordTooLong, Limit: "record bytes", Value: int64(longest)}
	}
	for len(r.cells) < column {
		r.cells = append(r.cells, xlsx.Cell{})
	}
	for range repeats {
		r.cells = append(r.cells, cell)
	}
	return nil
}

// repeated reads how often a row or cell stands in the sheet.
func repeated(count []byte) (int64, bool) {
	if count == nil {
		return 1, true
	}
	n, err := strconv.ParseInt(string(count), 10, 32)
	return n, err == nil && 1 <= n && n <= maxRepeats
}
