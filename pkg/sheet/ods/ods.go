// Package ods reads spreadsheets in OpenDocument format (ODF 1.0 to 1.4), as LibreOffice and others write them, as a
// stream of rows, in the words of package xlsx and under its limits: a cell is what a workbook's cell would be. It is pure
// and bounded: it holds one row.
//
//   - Values are those that the file stores, not those that it shows: numbers as their shortest decimal, dates in ISO 8601,
//     with a time of day only where one is shown. A number that is shown with zeros before it or with fixed marks in it is
//     the Text that a person sees. Times of day and durations are Text, 13:45:00.
//   - Rows and cells that are repeated are given as often, up to what may be unpacked of a file; empty ones are passed over.
//     Hidden rows, columns and sheets are read like others. Of merged cells the covered ones are empty.
//   - Text is that of all paragraphs of a cell, one a line; notes, pictures and readings of characters are dropped.
//   - A formula is its cached value; without one it is NoValue. Scripts and links are never opened.
package ods

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// parts of the archive.
const (
	typePart     = "mimetype"
	manifestPart = "META-INF/manifest.xml"
	contentPart  = "content.xml"
)

const (
	sheetType = "application/vnd.oasis.opendocument.spreadsheet"
	maxSheets = 10_000
)

// namespaces of the elements that are read.
const (
	officeSpace = markup.MainSpace + 1 + iota
	tableSpace
	textSpace
	styleSpace
	extensionSpace // of LibreOffice
)

var spaces = map[string]markup.Space{
	"urn:oasis:names:tc:opendocument:xmlns:office:1.0":                     officeSpace,
	"urn:oasis:names:tc:opendocument:xmlns:table:1.0":                      tableSpace,
	"urn:oasis:names:tc:opendocument:xmlns:text:1.0":                       textSpace,
	"urn:oasis:names:tc:opendocument:xmlns:style:1.0":                      styleSpace,
	"urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0": extensionSpace,
}

// Workbook is an open spreadsheet. It is for one goroutine at a time.
type Workbook struct {
	archive *unpack.Archive
	content unpack.Member
	limits  xlsx.Limits
	sheets  []xlsx.Sheet
}

// Open lists the sheets of the spreadsheet of that size, for which it reads the file once. An archive that is no
// OpenDocument file is refused with finding.FileIsZIP.
func Open(r io.ReaderAt, size int64, l xlsx.Limits) (*Workbook, error) {
	l = l.Filled()
	archive, err := unpack.OpenArchive(r, size, l.Limits)
	if err != nil {
		return nil, err
	}
	w := &Workbook{archive: archive, limits: l}
	if err := w.settle(); err != nil {
		return nil, err
	}
	t, in, err := w.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return w, w.list(t)
}

// Close ends the reading.
func (w *Workbook) Close() error { return nil }

// Sheets lists the sheets in their order.
func (w *Workbook) Sheets() []xlsx.Sheet { return append([]xlsx.Sheet(nil), w.sheets...) }

// settle makes sure that the archive is a spreadsheet that can be read.
func (w *Workbook) settle() error {
	kind, err := w.head(typePart, 256)
	if err != nil {
		return err
	}
	switch {
	case !bytes.HasPrefix(kind, []byte("application/vnd.oasis.opendocument.")):
		return &finding.FileRefusal{Code: finding.FileIsZIP}
	case !bytes.HasPrefix(kind, []byte(sheetType)):
		return &finding.FileRefusal{Code: finding.FileIsDocument}
	}
	manifest, err := w.head(manifestPart, 1<<20)
	if err != nil {
		return err
	}
	if bytes.Contains(manifest, []byte("encryption-data")) {
		return &finding.FileRefusal{Code: finding.WorkbookProtected}
	}
	var ok bool
	if w.content, ok = w.archive.Find(contentPart); !ok {
		return markup.ErrDamaged
	}
	return nil
}

// head returns the first bytes of a part, nothing if there is none.
func (w *Workbook) head(part string, n int64) ([]byte, error) {
	m, ok := w.archive.Find(part)
	if !ok {
		return nil, nil
	}
	in, err := w.archive.Open(m)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, n))
}

// open reads the content from behind the begin of its root element.
func (w *Workbook) open() (*markup.Reader, io.Closer, error) {
	in, err := w.archive.Open(w.content)
	if err != nil {
		return nil, nil, err
	}
	t := markup.NewReader(markup.Watch(in, w.limits.Check), spaces)
	if _, err := t.Next(); err != nil {
		return nil, nil, markup.Unexpected(err)
	}
	if !t.In(officeSpace, "document-content") {
		return nil, nil, markup.ErrDamaged
	}
	return t, in, nil
}

// tableDepth is how many elements are open within a sheet: content, body, spreadsheet and the sheet's table.
const tableDepth = 4

// list finds the sheets, and the styles that hide them.
func (w *Workbook) list(t *markup.Reader) error {
	t.Bound("unpacked bytes", w.limits.UnpackedBytes)
	hiding := map[string]bool{}
	style := ""
	for {
		kind, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && len(w.sheets) == 0:
			return markup.ErrDamaged
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case kind != markup.Start:
		case t.In(styleSpace, "style"):
			style = string(t.AttrIn(styleSpace, "name"))
		case t.In(styleSpace, "table-properties") && string(t.AttrIn(tableSpace, "display")) == "false":
			if len(hiding) < maxSheets {
				hiding[style] = true
			}
		case t.In(tableSpace, "table") && t.Depth() == tableDepth:
			name, err := t.DecodedIn(tableSpace, "name")
			if err != nil {
				return err
			}
			if len(w.sheets) == maxSheets {
				return markup.TooLarge("sheets", maxSheets)
			}
			hidden := hiding[string(t.AttrIn(tableSpace, "style-name"))]
			w.sheets = append(w.sheets, xlsx.Sheet{Name: strings.TrimSpace(name), Hidden: hidden, Index: len(w.sheets)})
			if err := t.Skip(); err != nil {
				return err
			}
		}
	}
}
