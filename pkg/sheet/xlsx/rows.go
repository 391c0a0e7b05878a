package xlsx

import (
	"bytes"
	"errors"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/numfmt"
)

const (
	maxRows    = 1 << 20 // of a sheet
	maxColumns = 1 << 14 // of a sheet

	// maxRowBytes bounds the XML of one row, formulas and styles included; maxSkippedBytes that of what is no row.
	maxRowBytes     = 16 << 20
	maxSkippedBytes = 128 << 20
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

// cellContent is what a cell's element holds.
type cellContent struct {
	kind    cellType
	format  *numfmt.Format
	value   []byte // of v or is
	formula bool
	valued  bool // there is a v or is
	inline  bool // the value is that of is
}

type cellType uint8

const (
	numberCell cellType = iota
	sharedCell
	inlineCell
	stringCell // of a formula
	boolCell
	errorCell
	dateCell
	unknownCell
)

func cellKind(t []byte) cellType {
	switch string(t) {
	case "", "n":
		return numberCell
	case "s":
		return sharedCell
	case "inlineStr":
		return inlineCell
	case "str":
		return stringCell
	case "b":
		return boolCell
	case "e":
		return errorCell
	case "d":
		return dateCell
	}
	return unknownCell
}

// readContent reads up to the end of the cell.
func (r *Rows) readContent(c *cellContent) error {
	for {
		kind, err := r.t.Next()
		if err != nil {
			return markup.Unexpected(err)
		}
		switch {
		case kind == markup.End:
			return nil
		case kind != markup.Start:
			continue
		case r.t.Is("v"):
			c.valued, c.inline = true, false
			err = r.readValue(c)
		case r.t.Is("is"):
			c.valued, c.inline = true, true
			from := len(r.arena)
			r.arena, err = appendString(r.arena, r.t)
			c.value = r.arena[from:len(r.arena):len(r.arena)]
		case r.t.Is("f"):
			c.formula = true
			err = r.t.Skip()
		default:
			err = r.t.Skip()
		}
		if err != nil {
			return err
		}
	}
}

// readValue reads the text of v.
func (r *Rows) readValue(c *cellContent) error {
	r.value = r.value[:0]
	c.value = r.value
	for {
		kind, err := r.t.Next()
		if err != nil {
			return markup.Unexpected(err)
		}
		switch kind {
		case markup.End:
			c.value = r.value
			return nil
		case markup.Start:
			return markup.ErrDamaged
		}
		if r.value, err = r.t.AppendText(r.value); err != nil {
			return err
		}
		if len(r.value) > markup.MaxTokenBytes {
			return markup.TooLarge("token bytes", markup.MaxTokenBytes)
		}
	}
}

// resolve makes the cell of what its element holds.
func (r *Rows) resolve(c *cellContent) (Cell, error) {
	if c.kind == inlineCell && c.inline {
		return r.text(c, c.value), nil
	}
	if c.kind != stringCell && c.kind != inlineCell && len(trimmed(c.value)) == 0 {
		if c.formula {
			return Cell{Kind: NoValue}, nil
		}
		return Cell{}, nil
	}
	switch c.kind {
	case sharedCell:
		s, err := r.book.strings.at(c.value)
		if err != nil {
			return Cell{}, err
		}
		return r.text(c, s), nil
	case stringCell, inlineCell:
		if c.formula && !c.valued {
			return Cell{Kind: NoValue}, nil
		}
		from := len(r.arena)
		r.arena = unescapedInPlace(append(r.arena, c.value...), from)
		return r.text(c, r.since(from)), nil
	case boolCell:
		return boolValue(trimmed(c.value))
	case errorCell:
		return Cell{Text: r.own(trimmed(c.value)), Kind: Failed}, nil
	case dateCell:
		value := isoDate(trimmed(c.value))
		kind := Date
		if bytes.IndexByte(value, '-') < 0 {
			kind = Text // a time of day alone
		}
		return Cell{Text: r.own(value), Kind: kind}, nil
	case unknownCell:
		return Cell{}, markup.ErrDamaged
	}
	return r.number(c), nil
}

// text is a cell of text, which a format can add to where it is shown.
func (r *Rows) text(c *cellContent, s []byte) Cell {
	if !r.shown || c.format == nil {
		return Cell{Text: s}
	}
	from := len(r.arena)
	r.arena = c.format.AppendShownText(r.arena, s)
	return Cell{Text: r.since(from)}
}

// own copies text that is valid for the token only into the row.
func (r *Rows) own(s []byte) []byte {
	from := len(r.arena)
	r.arena = append(r.arena, s...)
	return r.since(from)
}

func (r *Rows) since(from int) []byte { return r.arena[from:len(r.arena):len(r.arena)] }

func boolValue(value []byte) (Cell, error) {
	switch string(value) {
	case "1", "true":
		return Cell{Text: []byte("TRUE"), Kind: Bool}, nil
	case "0", "false":
		return Cell{Text: []byte("FALSE"), Kind: Bool}, nil
	}
	return Cell{}, markup.ErrDamaged
}

// isoDate drops a time of day that is midnight.
func isoDate(value []byte) []byte {
	day, clock, ok := bytes.Cut(value, []byte("T"))
	if ok && bytes.Equal(bytes.TrimRight(clock, "0:.Z"), nil) {
		return day
	}
	return value
}

// number makes a cell of a stored number by its format.
func (r *Rows) number(c *cellContent) Cell {
	from := len(r.arena)
	value := trimmed(c.value)
	if c.format == nil && !r.shown {
		var kind Kind
		r.arena, kind = appendNumber(r.arena, value)
		return Cell{Text: r.since(from), Kind: kind}
	}
	number, ok := parseNumber(value)
	if !ok {
		return Cell{Text: r.own(value)}
	}
	if r.shown {
		r.arena = c.format.AppendShown(r.arena, number, r.book.date1904)
		return Cell{Text: r.since(from), Kind: Number}
	}
	var reading numfmt.Reading
	r.arena, reading = c.format.AppendRead(r.arena, number, r.book.date1904)
	kind := Date
	switch reading {
	case numfmt.AsText:
		kind = Text
	case numfmt.AsNumber:
		r.arena, kind = appendNumber(r.arena, value)
	}
	return Cell{Text: r.since(from), Kind: kind}
}
