// Package xlsx reads workbooks of Excel and of the programs that write the same format (ECMA-376, transitional and
// strict), as a stream of rows. It is pure and bounded: it holds the shared strings, up to a limit, and one row.
//
// What of a workbook is read, and how:
//
//   - A row is one of the sheet's XML; its number is the sheet's row number. Rows that are not there are gaps in the
//     numbers, cells that are not there are empty. Hidden rows, columns and sheets are read like others, filters and the
//     declared dimension are ignored. Of merged cells the file holds the value of the top left one. Rows out of order and
//     cells given twice are refused.
//   - Text is that of shared, inline and formula strings; runs are joined, phonetic guides dropped, _x000D_ escapes
//     decoded once. Errors are Failed, with the error's name.
//   - A number is the shortest decimal that is exactly the stored value, never in scientific notation; an integer of more
//     than 15 digits is Rounded, as the program that wrote it kept 15. A number whose format only pads it with zeros
//     and fixed marks (00000, 000-00-0000) is the Text that a person sees.
//   - A number with a date format is a Date in ISO 8601: 2024-01-31, or 2024-01-31T13:45:00 if the format shows a time of
//     day and it is not midnight; to the second, or to the millisecond if the format shows fractions; in both date systems. Day 60 of the 1900 system is 1900-02-29, which never was, and day 0 1900-01-00; other numbers
//     that are no date stay Numbers. A time of day alone and a duration are Text, 13:45:00.
//   - A formula is its cached value; without one it is NoValue. Nothing is calculated, fetched or run: external links,
//     macros, connections and pictures are never opened.
//   - Parts are found through the package's content types and relationships, never by their names.
//   - XML with document types or other entities than the five, deep nesting and endless tokens are refused.
//
// Nothing of a sheet is final before its last row: the checksum stands behind the data. A Workbook and its Rows are for
// one goroutine at a time. Errors that the source of the bytes returns are passed on; all others are *finding.FileRefusal.
package xlsx

import (
	"errors"
	"io"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/numfmt"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
)

// Kind is what a workbook says of a cell.
type Kind uint8

const (
	Text    Kind = iota
	Number       // exact
	Rounded      // an integer of more than 15 digits: some were lost when it was written
	Date         // ISO 8601
	Bool         // TRUE or FALSE
	Failed       // an error such as #N/A
	NoValue      // a formula whose result is not in the file
)

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

var kindNames = [...]string{"text", "number", "rounded", "date", "bool", "failed", "no value"}

// Cell is one cell. One that is missing or empty is the zero Cell.
type Cell struct {
	Text []byte
	Kind Kind
}

// Row is one row of a sheet. It is valid until the next call.
type Row struct {
	Number int64  // from 1
	Cells  []Cell // by column, from A to the last one that is not empty
}

// Limits bound what is read. Every one is named in the refusal that it causes. Zero asks for the published limit.
type Limits struct {
	unpack.Limits
	RecordBytes int // text of a row
	Columns     int // a cell with a value beyond is refused
	StringBytes int // memory for shared strings

	// Check, if set, is called about every MiB of what is unpacked. Its error ends the reading and is passed on.
	Check func() error
}

// DefaultLimits are the published limits.
func DefaultLimits() Limits {
	return Limits{Limits: unpack.DefaultLimits(), RecordBytes: 1 << 20, Columns: 256, StringBytes: 112 << 20}
}

// Filled puts the published limit wherever none is set.
func (l Limits) Filled() Limits {
	d := DefaultLimits()
	l.Limits = l.Limits.Filled()
	if l.RecordBytes <= 0 {
		l.RecordBytes = d.RecordBytes
	}
	if l.Columns <= 0 {
		l.Columns = d.Columns
	}
	if l.StringBytes <= 0 {
		l.StringBytes = d.StringBytes
	}
	return l
}

// Workbook is an open workbook.
type Workbook struct {
	pack     *pack
	limits   Limits
	sheets   []Sheet
	parts    []string // of the sheets
	date1904 bool
	styles   []*numfmt.Format // by style index
	strings  *sharedStrings
}

// Sheet is one worksheet. Chart, dialog and macro sheets hold no rows and are not listed.
type Sheet struct {
	Name   string
	Hidden bool // in whatever way
	Index  int  // what Rows takes
}

// Open reads what must be known of the workbook of that size before its rows. An archive that is no workbook is refused
// with finding.FileIsZIP.
func Open(r io.ReaderAt, size int64, l Limits) (*Workbook, error) {
	l = l.Filled()
	if err := foreign(r, size); err != nil {
		return nil, err
	}
	p, err := openPack(r, size, l)
	if err != nil {
		return nil, err
	}
	w := &Workbook{pack: p, limits: l}
	main, err := p.mainPart()
	if err != nil {
		return nil, err
	}
	related, err := p.relations(main)
	if err != nil {
		return nil, err
	}
	if err := w.readWorkbook(main, related); err != nil {
		return nil, err
	}
	if part := related.ofType("/styles"); part != "" {
		if err := w.readStyles(part); err != nil {
			return nil, err
		}
	}
	w.strings = newSharedStrings(p, related.ofType("/sharedStrings"), l.StringBytes)
	return w, nil
}

// Close gives back what reading rows holds.
func (w *Workbook) Close() error { return w.strings.close() }

// Sheets lists the worksheets in the workbook's order.
func (w *Workbook) Sheets() []Sheet { return append([]Sheet(nil), w.sheets...) }

// Rows reads a sheet as values are taken in.
func (w *Workbook) Rows(sheet int) (*Rows, error) { return w.rows(sheet, false) }

// ShownRows reads a sheet as the spreadsheet program shows it, number formats and all.
func (w *Workbook) ShownRows(sheet int) (*Rows, error) { return w.rows(sheet, true) }

func (w *Workbook) readWorkbook(part string, related relations) error {
	t, in, err := w.pack.open(part, "workbook")
	if err != nil {
		return err
	}
	defer in.Close()
	listed := false
	err = each(t, func() error {
		switch {
		case t.Is("workbookPr"):
			w.date1904 = isTrue(t.Attr("date1904"))
		case t.Is("sheet"):
			listed = true
			return w.addSheet(t, related)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !listed:
		return markup.ErrDamaged
	case len(w.sheets) == 0:
		return &finding.FileRefusal{Code: finding.FileEmpty} // charts alone
	}
	return nil
}

func (w *Workbook) addSheet(t *markup.Reader, related relations) error {
	name, err := t.Decoded("name")
	if err != nil {
		return err
	}
	id, err := t.DecodedIn(relationsSpace, "id")
	if err != nil {
		return err
	}
	r, ok := related[id]
	if !ok || !strings.HasSuffix(r.kind, "/worksheet") || r.external {
		return nil
	}
	if len(w.sheets) == maxSheets {
		return markup.TooLarge("sheets", maxSheets)
	}
	if !w.pack.has(r.target) {
		return markup.ErrDamaged
	}
	state := string(t.Attr("state"))
	hidden := state == "hidden" || state == "veryHidden"
	w.sheets = append(w.sheets, Sheet{Name: string(appendEscaped(nil, []byte(name))), Hidden: hidden, Index: len(w.sheets)})
	w.parts = append(w.parts, r.target)
	return nil
}

const maxSheets = 10_000

// each calls visit at the beginning of every element of a part, whatever its depth.
func each(t *markup.Reader, visit func() error) error {
	for {
		kind, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if kind == markup.Start {
			if err := visit(); err != nil {
				return err
			}
		}
	}
}

func isTrue(value []byte) bool {
	switch string(value) {
	case "1", "true", "on":
		return true
	}
	return false
}
