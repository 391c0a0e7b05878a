package xlsx

import (
	"errors"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/markup"
)

const (
	maxRows    = 1 << 20 // of a sheet
	maxColumns = 1 << 14 // of a sheet

	// maxRowBytes bounds the XML of one row, formulas and styles included; maxSkippedBytes that of what is no row.
	maxRowBytes     = 16 << 20
	maxSkippedBytes = 64 << 20
)

// Rows reads the rows of a sheet. Each call of Next reads a bounded piece of it.
type Rows struct {
	book  *Workbook
	t     *markup.Reader
	in    io.Closer
	shown bool

	row   Row
	cells []Cell
	seen  []int64 // by column: the row that had a cell there last
	arena []byte  // texts of the row that are not in the shared strings
	value []byte  // of the cell that is being read
	size  int     // of the row's texts

	inData bool
	err    error
}

func (w *Workbook) rows(sheet int, shown bool) (*Rows, error) {
	if sheet < 0 || sheet >= len(w.parts) {
		return nil, errors.New("no such sheet in the workbook")
	}
	t, in, err := w.pack.open(w.parts[sheet], "worksheet")
	if err != nil {
		return nil, err
	}
	return &Rows{book: w, t: t, in: in, shown: shown, seen: make([]int64, w.limits.Columns)}, nil
}

// Close ends reading before the last row.
func (r *Rows) Close() error {
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	return r.in.Close()
}

// Next returns the next row of the sheet, empty ones too. io.EOF comes behind the last one, once all of the sheet was
// found undamaged.
func (r *Rows) Next() (*Row, error) {
	if r.err != nil {
		return nil, r.err
	}
	err := r.next()
	if errors.Is(err, io.EOF) {
		err = r.book.strings.verify()
	}
	if err != nil {
		r.err = r.atRow(err)
		return nil, r.err
	}
	return &r.row, nil
}

// atRow adds the row to a refusal.
func (r *Rows) atRow(err error) error {
	if refusal, ok := errors.AsType[*finding.FileRefusal](err); ok && refusal.Line == 0 {
		at := *refusal
		at.Line = r.row.Number
		return &at
	}
	return err
}

func (r *Rows) next() error {
	r.t.Bound("bytes between rows", maxSkippedBytes)
	for {
		kind, err := r.t.Next()
		if err != nil {
			return err
		}
		switch {
		case kind == markup.End && r.inData && r.t.Depth() == 1:
			r.inData = false
		case kind != markup.Start:
		case !r.inData && r.t.Is("sheetData") && r.t.Depth() == 2:
			r.inData = true
		case r.inData && r.t.Is("row"):
			return r.readRow()
		case r.inData:
			if err := r.t.Skip(); err != nil {
				return err
			}
		}
	}
}

func (r *Rows) readRow() error {
	if err := r.beginRow(r.t.Attr("r")); err != nil {
		return err
	}
	r.t.Bound("row bytes", maxRowBytes)
	column := 0 // of the next cell that does not say where it stands
	for {
		kind, err := r.t.Next()
		if err != nil {
			return markup.Unexpected(err)
		}
		switch {
		case kind == markup.End:
			r.row.Cells = r.cells
			return nil
		case kind != markup.Start:
		case r.t.Is("c"):
			if column, err = r.readCell(column); err != nil {
				return err
			}
		default:
			if err := r.t.Skip(); err != nil {
				return err
			}
		}
	}
}

// beginRow settles the row's number: the one it says, which must be higher than that before, or the next.
func (r *Rows) beginRow(number []byte) error {
	n := int(r.row.Number) + 1
	if len(number) > 0 {
		said, ok := small(number)
		if !ok || said < n {
			return markup.ErrDamaged
		}
		n = said
	}
	if n > maxRows {
		return markup.ErrDamaged
	}
	r.row.Number = int64(n)
	r.cells, r.arena, r.size = r.cells[:0], r.arena[:0], 0
	return nil
}

// readCell reads the cell that has just begun and returns the column behind it.
func (r *Rows) readCell(column int) (int, error) {
	var ref, style, kind []byte
	for i := range r.t.Attributes {
		if a := &r.t.Attributes[i]; len(a.Prefix) == 0 && len(a.Name) == 1 {
			switch a.Name[0] {
			case 'r':
				ref = a.Value
			case 's':
				style = a.Value
			case 't':
				kind = a.Value
			}
		}
	}
	if len(ref) > 0 {
		var ok bool
		if column, ok = r.column(ref); !ok {
			return 0, markup.ErrDamaged
		}
	}
	if column >= maxColumns {
		return 0, markup.ErrDamaged
	}
	c := cellContent{kind: cellKind(kind), format: r.book.style(style)}
	if err := r.readContent(&c); err != nil {
		return 0, err
	}
	cell, err := r.resolve(&c)
	if err != nil {
		return 0, err
	}
	return column + 1, r.place(column, cell)
}

// column reads the reference of a cell, which must be in this row.
func (r *Rows) column(ref []byte) (int, bool) {
	column, i := 0, 0
	for ; i < len(ref) && i < 4; i++ {
		c := ref[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			break
		}
		column = column*26 + int(c-'A') + 1
	}
	row, ok := small(ref[i:])
	return column - 1, ok && i > 0 && column <= maxColumns && int64(row) == r.row.Number
}

// place puts a cell into the row. Empty ones leave no trace, so that styles far to the right make no row long.
func (r *Rows) place(column int, cell Cell) error {
	if column < len(r.seen) {
		if r.seen[column] == r.row.Number {
			return markup.ErrDamaged // given twice
		}
		r.seen[column] = r.row.Number
	}
	if len(cell.Text) == 0 && cell.Kind == Text {
		return nil
	}
	if column >= len(r.seen) {
		return &finding.FileRefusal{Code: finding.TooManyColumns, Limit: "columns", Value: int64(len(r.seen))}
	}
	if r.size += len(cell.Text); r.size > r.book.limits.RecordBytes {
		return &finding.FileRefusal{Code: finding.RecordTooLong, Limit: "record bytes", Value: int64(r.book.limits.RecordBytes)}
	}
	for len(r.cells) <= column {
		r.cells = append(r.cells, Cell{})
	}
	r.cells[column] = cell
	return nil
}
