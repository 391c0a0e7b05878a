package xlsx

import (
	"bytes"
	"errors"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
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
	t     *tokens
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
	r.t.bound("bytes between rows", maxSkippedBytes)
	for {
		kind, err := r.t.next()
		if err != nil {
			return err
		}
		switch {
		case kind == endElement && r.inData && r.t.depth() == 1:
			r.inData = false
		case kind != startElement:
		case !r.inData && r.t.is("sheetData") && r.t.depth() == 2:
			r.inData = true
		case r.inData && r.t.is("row"):
			return r.readRow()
		case r.inData:
			if err := r.t.skip(); err != nil {
				return err
			}
		}
	}
}

func (r *Rows) readRow() error {
	if err := r.beginRow(r.t.attr("r")); err != nil {
		return err
	}
	r.t.bound("row bytes", maxRowBytes)
	column := 0 // of the next cell that does not say where it stands
	for {
		kind, err := r.t.next()
		if err != nil {
			return cut(err)
		}
		switch {
		case kind == endElement:
			r.row.Cells = r.cells
			return nil
		case kind != startElement:
		case r.t.is("c"):
			if column, err = r.readCell(column); err != nil {
				return err
			}
		default:
			if err := r.t.skip(); err != nil {
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
			return errSyntax
		}
		n = said
	}
	if n > maxRows {
		return errSyntax
	}
	r.row.Number = int64(n)
	r.cells, r.arena, r.size = r.cells[:0], r.arena[:0], 0
	return nil
}

// readCell reads the cell that has just begun and returns the column behind it.
func (r *Rows) readCell(column int) (int, error) {
	var ref, style, kind []byte
	for i := range r.t.attrs {
		if a := &r.t.attrs[i]; len(a.prefix) == 0 && len(a.name) == 1 {
			switch a.name[0] {
			case 'r':
				ref = a.value
			case 's':
				style = a.value
			case 't':
				kind = a.value
			}
		}
	}
	if len(ref) > 0 {
		var ok bool
		if column, ok = r.column(ref); !ok {
			return 0, errSyntax
		}
	}
	if column >= maxColumns {
		return 0, errSyntax
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
			return errSyntax // given twice
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
	format  *format
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
		kind, err := r.t.next()
		if err != nil {
			return cut(err)
		}
		switch {
		case kind == endElement:
			return nil
		case kind != startElement:
			continue
		case r.t.is("v"):
			c.valued, c.inline = true, false
			err = r.readValue(c)
		case r.t.is("is"):
			c.valued, c.inline = true, true
			from := len(r.arena)
			r.arena, err = appendString(r.arena, r.t)
			c.value = r.arena[from:len(r.arena):len(r.arena)]
		case r.t.is("f"):
			c.formula = true
			err = r.t.skip()
		default:
			err = r.t.skip()
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
		kind, err := r.t.next()
		if err != nil {
			return cut(err)
		}
		switch kind {
		case endElement:
			c.value = r.value
			return nil
		case startElement:
			return errSyntax
		}
		if r.value, err = r.t.appendText(r.value); err != nil {
			return err
		}
		if len(r.value) > maxTokenBytes {
			return tooLarge("token bytes", maxTokenBytes)
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
		return Cell{}, errSyntax
	}
	return r.number(c), nil
}

// text is a cell of text, which a format can add to where it is shown.
func (r *Rows) text(c *cellContent, s []byte) Cell {
	if !r.shown || c.format == nil {
		return Cell{Text: s}
	}
	from := len(r.arena)
	r.arena = c.format.appendShownText(r.arena, s)
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
	return Cell{}, errSyntax
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
	if r.shown {
		return r.shownNumber(c.format, value)
	}
	if c.format != nil {
		if cell, ok := r.formatted(c.format, value); ok {
			return cell
		}
	}
	var kind Kind
	r.arena, kind = appendNumber(r.arena, value)
	return Cell{Text: r.since(from), Kind: kind}
}

// formatted makes a date, a time or a padded number of a stored one, if its format makes it so.
func (r *Rows) formatted(f *format, value []byte) (Cell, bool) {
	first := &f.sections[0]
	if !first.padded && !first.date && !first.clock && !first.elapsed {
		return Cell{}, false
	}
	number, ok := parseNumber(value)
	if !ok {
		return Cell{}, false
	}
	from := len(r.arena)
	if first.padded {
		var kind Kind
		if r.arena, kind = appendNumber(r.arena, value); kind != Number || len(bytes.Trim(r.arena[from:], "0123456789")) > 0 {
			r.arena = r.arena[:from]
			return Cell{}, false
		}
		digits := r.since(from)
		from = len(r.arena)
		r.arena = first.padTo(r.arena, digits)
		return Cell{Text: r.since(from)}, true
	}
	var kind Kind
	if r.arena, kind, ok = appendTime(r.arena, number, first, r.book.date1904); !ok {
		return Cell{}, false
	}
	return Cell{Text: r.since(from), Kind: kind}, true
}

// shownNumber makes a cell of what a number looks like.
func (r *Rows) shownNumber(f *format, value []byte) Cell {
	number, ok := parseNumber(value)
	if !ok {
		return Cell{Text: r.own(value)}
	}
	from := len(r.arena)
	if f == nil {
		r.arena = appendGeneral(r.arena, number)
	} else {
		r.arena = f.appendShown(r.arena, number, r.book.date1904)
	}
	return Cell{Text: r.since(from), Kind: Number}
}
