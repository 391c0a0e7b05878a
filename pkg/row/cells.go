package row

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Column is a column of the file.
type Column struct {
	Heading string
	Field   string // name of the field it is mapped to; empty where it is ignored
	Secret  bool   // its cells are masked and its values sealed
}

// Header opens a cells object.
type Header struct {
	Columns []Column
}

// Mapped lists the positions of the columns that are mapped to a field, in the file's order: what Cells.Values is parallel to.
func (h Header) Mapped() []int {
	var m []int
	for i, c := range h.Columns {
		if c.Field != "" {
			m = append(m, i)
		}
	}
	return m
}

// secrets is how many of the columns are mapped and secret: what Cells.Secrets is parallel to.
func (h Header) secrets() int {
	n := 0
	for _, c := range h.Columns {
		if c.Field != "" && c.Secret {
			n++
		}
	}
	return n
}

// Finding is an error or a warning on a row.
type Finding struct {
	Code     string // stable, e.g. "phone-invalid"
	Column   int    // position from 0; -1 for the whole row
	Warning  bool
	Value    string // the cell, masked where secret, cut to a sensible length; for a whole row what it is about; empty for none
	Repaired string // what the cell was taken for, masked and cut likewise; empty where it was taken as it stands, or not at all
}

// ValueKind says what a cell means for its field.
type ValueKind uint8

// The kinds of value.
const (
	Empty  ValueKind = iota // changes nothing
	AsCell                  // the normalised value is the cell to the byte
	AsText                  // the normalised value is another, or sealed
	Unset                   // clears the field
)

// Value is what a cell means for its field. Text is filled by the reader for AsCell too.
type Value struct {
	Kind ValueKind
	Text []byte
}

// Cells is one row of a file.
type Cells struct {
	Line     int64 // physical line on which it begins, from 1
	Invalid  bool  // the row is INVALID: it has no values but for secret ones
	Findings []Finding
	Cells    [][]byte // as in the file, by column; may be fewer or more than there are columns
	Values   []Value  // parallel to Header.Mapped; nil if invalid

	// Secrets are the secret values of an INVALID row, parallel to the mapped secret columns, nil if it has none: its cells
	// show them masked alone, and whoever corrects the row does not write them anew. They are Empty, AsText and sealed, or Unset.
	Secrets []Value
}

// CellsWriter writes a cells object.
type CellsWriter struct {
	f       *writer
	mapped  []int
	secrets int
	header  Header
}

// cellsVersion is that of objects without secret columns.
const cellsVersion = 2

// NewCellsWriter begins an object with its header.
func NewCellsWriter(w io.Writer, h Header) (*CellsWriter, error) {
	c := &CellsWriter{mapped: h.Mapped(), secrets: h.secrets(), header: h}
	if c.secrets > 0 {
		c.f = newWriter(w, kindCells)
	} else {
		c.f = newWriterOf(w, kindCells, cellsVersion)
	}
	return c, c.begin()
}

// Reset begins another object with the same header, and with the memory of the one before.
func (c *CellsWriter) Reset(w io.Writer) error {
	c.f.reset(w, kindCells)
	return c.begin()
}

func (c *CellsWriter) begin() error {
	b := c.f.begin()
	b = binary.AppendUvarint(b, uint64(len(c.header.Columns)))
	for _, col := range c.header.Columns {
		b = appendText(b, col.Heading)
		b = appendText(b, col.Field)
		b = append(b, flag(col.Secret))
	}
	return c.f.end(b)
}

// Append writes the next row. It keeps nothing of it.
func (c *CellsWriter) Append(r *Cells) error {
	b := c.f.begin()
	b = binary.AppendUvarint(b, uint64(r.Line))
	hidden := r.Invalid && len(r.Secrets) > 0
	b = append(b, flag(r.Invalid)|flag(len(r.Findings) > 0)<<1|flag(hidden)<<2)
	if len(r.Findings) > 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Findings)))
		for _, f := range r.Findings {
			b = appendText(b, f.Code)
			b = binary.AppendUvarint(b, uint64(f.Column+1))
			b = append(b, flag(f.Warning)|flag(f.Repaired != "")<<1)
			b = appendText(b, f.Value)
			if f.Repaired != "" {
				b = appendText(b, f.Repaired)
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Cells)))
	for _, v := range r.Cells {
		b = appendText(b, v)
	}
	if !r.Invalid {
		if len(r.Values) != len(c.mapped) {
			return fmt.Errorf("write row of line %d: %d values for %d mapped columns", r.Line, len(r.Values), len(c.mapped))
		}
		for i, v := range r.Values {
			if v.Kind == AsCell && c.mapped[i] >= len(r.Cells) {
				return fmt.Errorf("write row of line %d: value %d is as a cell that is not there", r.Line, i)
			}
			b = append(b, byte(v.Kind))
			if v.Kind == AsText {
				b = appendText(b, v.Text)
			}
		}
	}
	if hidden {
		if len(r.Secrets) != c.secrets {
			return fmt.Errorf("write row of line %d: %d secret values for %d secret columns", r.Line, len(r.Secrets), c.secrets)
		}
		for _, v := range r.Secrets {
			b = append(b, byte(v.Kind))
			if v.Kind == AsText {
				b = appendText(b, v.Text)
			}
		}
	}
	return c.f.end(b)
}

// Close ends the object; it is whole only if nil is returned.
func (c *CellsWriter) Close() error { return c.f.close() }

// CellsReader reads a cells object.
type CellsReader struct {
	Header Header

	f       *reader
	mapped  []int
	secrets int
	row     Cells
}

// NewCellsReader reads the header.
func NewCellsReader(r io.Reader) (*CellsReader, error) {
	f, err := newReader(r, kindCells)
	if err != nil {
		return nil, fmt.Errorf("open cells: %w", err)
	}
	b, err := f.next()
	if err != nil {
		return nil, fmt.Errorf("open cells: %w", noEOF(err))
	}
	c := cursor{b: b}
	h := Header{}
	for n := c.uvarint(); n > 0 && !c.bad; n-- {
		h.Columns = append(h.Columns, Column{Heading: string(c.text()), Field: string(c.text()), Secret: c.byte() != 0})
	}
	if err := c.end("cells", f.rows); err != nil {
		return nil, err
	}
	return &CellsReader{Header: h, f: f, mapped: h.Mapped(), secrets: h.secrets()}, nil
}

// Next returns the next row, valid until the call after it; io.EOF after the last.
func (c *CellsReader) Next() (*Cells, error) {
	b, err := c.f.next()
	if err != nil {
		return nil, err
	}
	k := cursor{b: b}
	r := &c.row
	r.Line = int64(k.uvarint())
	flags := k.byte()
	r.Invalid = flags&1 != 0
	r.Findings, r.Cells, r.Values, r.Secrets = r.Findings[:0], r.Cells[:0], r.Values[:0], r.Secrets[:0]
	if flags&2 != 0 {
		for n := k.uvarint(); n > 0 && !k.bad; n-- {
			f := Finding{Code: string(k.text()), Column: int(k.uvarint()) - 1}
			flags := k.byte()
			f.Warning, f.Value = flags&1 != 0, string(k.text())
			if flags&2 != 0 {
				f.Repaired = string(k.text())
			}
			r.Findings = append(r.Findings, f)
		}
	}
	for n := k.uvarint(); n > 0 && !k.bad; n-- {
		r.Cells = append(r.Cells, k.text())
	}
	if !r.Invalid {
		for _, col := range c.mapped {
			v := Value{Kind: ValueKind(k.byte())}
			switch {
			case v.Kind == AsText:
				v.Text = k.text()
			case v.Kind == AsCell && col < len(r.Cells):
				v.Text = r.Cells[col]
			case v.Kind == AsCell || v.Kind > Unset:
				k.bad = true
			}
			r.Values = append(r.Values, v)
		}
	}
	if flags&4 != 0 {
		for range c.secrets {
			v := Value{Kind: ValueKind(k.byte())}
			switch v.Kind {
			case AsText:
				v.Text = k.text()
			case AsCell:
				k.bad = true
			default:
				k.bad = k.bad || v.Kind > Unset
			}
			r.Secrets = append(r.Secrets, v)
		}
	}
	return r, k.end("cells", c.f.rows)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
