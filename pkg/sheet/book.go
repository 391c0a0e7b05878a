package sheet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// workbook is one of any format.
type workbook struct {
	format Format
	sheets []xlsx.Sheet
	open   func(sheet int) (rows, error)
}

// rows is what the readers of workbooks have in common.
type rows interface {
	Next() (*xlsx.Row, error)
	Close() error
}

// book is a workbook's sheet on its way into blocks.
type book struct {
	rows  rows
	ahead []bookRow // read to find the heading, and not yet handed out
	next  int64     // row number that the next block begins with
}

// bookRow is a copy of a row.
type bookRow struct {
	number int64
	cells  []xlsx.Cell
}

// openBook settles the sheet and reads its heading.
func openBook(w workbook, c Container, o Options) (*File, error) {
	f := &File{limits: o.Limits}
	f.Dialect = Dialect{Format: w.format, Container: c, HeadingLine: o.Dialect.HeadingLine, Quote: NoQuote}
	f.scan = newScanner(f.Dialect, f.limits)
	at, err := f.chooseSheet(w, o.Dialect.Sheet)
	if err != nil {
		return f, err
	}
	f.Dialect.Sheet = f.Sheets[at].Name
	rows, err := w.open(w.sheets[at].Index)
	if err != nil {
		return nil, fmt.Errorf("open sheet: %w", err)
	}
	f.book = &book{rows: rows}
	if err := f.bookHeading(); err != nil {
		return f, err
	}
	if f.TitleLines > 0 {
		f.Warnings = append(f.Warnings, Warning{Code: finding.TitleLines, Line: f.Dialect.HeadingLine})
	}
	return f, nil
}

// looked is how many rows of a sheet are looked at to see whether it has any with a value.
const looked = 100

// chooseSheet lists the sheets and takes the named one, or the only one with data. Hidden sheets, which mostly hold lists
// that others refer to, count only where no other has data.
func (f *File) chooseSheet(w workbook, name string) (int, error) {
	var shown, hidden []int
	named := -1
	for i, s := range w.sheets {
		info := SheetInfo{Name: s.Name, Hidden: s.Hidden, Rows: -1}
		if name == "" {
			n, err := rowsIn(w, s.Index)
			if err != nil {
				return 0, err
			}
			info.Rows = n
			switch {
			case n > 0 && s.Hidden:
				hidden = append(hidden, i)
			case n > 0:
				shown = append(shown, i)
			}
		} else if s.Name == name || named < 0 && strings.EqualFold(s.Name, name) {
			named = i
		}
		f.Sheets = append(f.Sheets, info)
	}
	if len(shown) == 0 {
		shown = hidden
	}
	switch {
	case named >= 0:
		return named, nil
	case name != "":
		return 0, &Refusal{Code: finding.SheetUnknown}
	case len(shown) == 0:
		return 0, &Refusal{Code: finding.FileEmpty}
	case len(shown) > 1:
		return 0, &Refusal{Code: finding.SheetAmbiguous}
	}
	return shown[0], nil
}

// rowsIn counts the first rows of a sheet that have a value.
func rowsIn(w workbook, sheet int) (n int64, err error) {
	rows, err := w.open(sheet)
	if err != nil {
		return 0, fmt.Errorf("look into sheet: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for range looked {
		r, err := rows.Next()
		if isEnd(err) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("look into sheet: %w", err)
		}
		if filledIn(r) {
			n++
		}
	}
	return n, nil
}

func filledIn(r *xlsx.Row) bool {
	for _, c := range r.Cells {
		if c.Kind != xlsx.Text || !empty(c.Text) {
			return true
		}
	}
	return false
}

// bookHeading finds the heading as a text's is found.
func (f *File) bookHeading() error {
	var shapes []shape
	var at []int
	size := 0
	for len(shapes) < weighed && size < headBytes {
		r, err := f.book.rows.Next()
		if isEnd(err) {
			break
		}
		if err != nil {
			return err
		}
		kept := bookRow{number: r.Number, cells: append([]xlsx.Cell(nil), r.Cells...)}
		list := make([][]byte, len(r.Cells))
		for i := range kept.cells {
			kept.cells[i].Text = bytes.Clone(r.Cells[i].Text)
			list[i] = kept.cells[i].Text
			size += len(list[i])
		}
		f.book.ahead = append(f.book.ahead, kept)
		s := shape{line: r.Number, width: len(list)}
		s.look(list, len(shapes) < titles)
		if s.filled > 0 {
			s.width = s.last
			shapes, at = append(shapes, s), append(at, len(f.book.ahead)-1)
		}
	}
	h := headingOf(shapes, f.Dialect.HeadingLine)
	if h < 0 {
		return &Refusal{Code: finding.NoHeading}
	}
	f.TitleLines = int64(h)
	row := f.book.ahead[at[h]]
	for _, c := range row.cells[:shapes[h].last] {
		if !utf8.Valid(c.Text) || bytes.IndexByte(c.Text, 0) >= 0 {
			return &Refusal{Code: finding.HeadingBroken, Line: row.number}
		}
		f.Heading = append(f.Heading, string(c.Text))
	}
	f.Dialect.HeadingLine = row.number
	f.book.ahead = f.book.ahead[at[h]+1:]
	f.book.next = row.number + 1
	return nil
}

// nextRows makes a block of rows.
func (f *File) nextRows() (*Block, error) {
	r, ok := f.pool.Get().(*room)
	if !ok {
		r = &room{buf: make([]byte, 0, f.limits.BlockBytes)}
	}
	buf := r.buf[:0]
	b := &Block{Index: f.index, Line: f.book.next, rows: true, room: r, pool: &f.pool}
	for len(buf) < f.limits.BlockBytes {
		number, cells, err := f.book.read()
		if isEnd(err) {
			if len(buf) == 0 {
				return nil, errEnd
			}
			break
		}
		if err != nil {
			return nil, err
		}
		buf = appendRow(buf, number, cells)
		f.book.next = number + 1
	}
	r.buf, b.Data = buf, buf
	f.index++
	return b, nil
}

func (b *book) read() (int64, []xlsx.Cell, error) {
	if len(b.ahead) > 0 {
		r := b.ahead[0]
		b.ahead = b.ahead[1:]
		return r.number, r.cells, nil
	}
	r, err := b.rows.Next()
	if err != nil {
		if !isEnd(err) {
			err = fmt.Errorf("read sheet: %w", err)
		}
		return 0, nil, err
	}
	return r.Number, r.Cells, nil
}

// appendRow writes a row as a parser reads it: its number, the number of its cells, and of each its kind, length and text.
func appendRow(buf []byte, number int64, cells []xlsx.Cell) []byte {
	buf = binary.AppendUvarint(buf, uint64(number))
	buf = binary.AppendUvarint(buf, uint64(len(cells)))
	for _, c := range cells {
		buf = append(buf, byte(c.Kind))
		buf = binary.AppendUvarint(buf, uint64(len(c.Text)))
		buf = append(buf, c.Text...)
	}
	return buf
}

// row reads the next row of a workbook's block. Rows that the sheet leaves out count as blank.
func (p *Parser) row() {
	r := &p.record
	number := int64(p.uvarint())
	p.blank += number - p.line
	r.Line, r.At, r.Raw = number, number, nil
	p.line = number + 1
	p.found.list, p.kinds = p.found.list[:0], p.kinds[:0]
	for range p.uvarint() {
		kind := Kind(p.data[p.pos])
		p.pos++
		n := int(p.uvarint())
		p.found.list = append(p.found.list, p.data[p.pos:p.pos+n:p.pos+n])
		p.kinds = append(p.kinds, kind)
		p.pos += n
	}
	for len(p.found.list) < len(p.heading) { // a sheet has no cells where it has no values
		p.found.list, p.kinds = append(p.found.list, nil), append(p.kinds, Text)
	}
	r.Cells, r.Kinds = p.found.list, p.kinds
}

func (p *Parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.data[p.pos:])
	p.pos += n
	return v
}
