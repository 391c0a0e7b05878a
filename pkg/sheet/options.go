package sheet

import (
	"errors"
	"fmt"
	"io"
)

// Options say how a file is to be read.
type Options struct {
	Dialect Dialect
	Limits  Limits

	// Legacy is the charset of text that is neither UTF-8 nor UTF-16; "" is windows-1252.
	Legacy string

	// Spool makes room for a file that cannot be read as a stream, such as a workbook that is uploaded; it is closed with
	// the file. Without it such a file is refused; OpenAt needs none for a file that is not compressed.
	Spool func() (Spool, error)

	// Check, if set, is called about every MiB of a workbook. Its error ends the reading and is passed on: the way to
	// honour a deadline.
	Check func() error
}

// Spool keeps a file that has to be read out of order.
type Spool interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// Evidence says how an encoding was found.
type Evidence string

const (
	EvidenceGiven   Evidence = "given"
	EvidenceBOM     Evidence = "bom"
	EvidenceUTF16   Evidence = "utf-16-test"     // where its zero bytes and line ends stand
	EvidenceEscapes Evidence = "iso-2022-test"   // seven bits with the escape sequences of ISO 2022
	EvidenceUTF8    Evidence = "utf-8"           // letters beyond ASCII that are valid UTF-8
	EvidenceASCII   Evidence = "ascii"           // nothing beyond ASCII so far
	EvidenceDefault Evidence = "account-default" // a guess
)

// Sample is a piece of decoded text, by which a person sees whether the encoding is right.
type Sample struct {
	Line   int64 // physical line
	Column int   // from 1; the heading's cells tell which is secret
	Text   string
}

// SheetInfo is a sheet of a workbook.
type SheetInfo struct {
	Name   string
	Hidden bool
	Rows   int64 // rows with a value as far as they were looked at; -1 if they were not
}

// Warning is a remark on a file that is read all the same.
type Warning struct {
	Code  Code
	Line  int64  // 0 if it is no matter of a line
	Shown string // what it is about, such as the name of a charset
}

// ErrReopen ends the blocks of a file whose head was only ASCII and which turns out to be in a legacy charset: the file is
// to be opened again with the encoding that the error, a *Reopen, names.
var ErrReopen = errors.New("the file is not in UTF-8")

// Reopen says with which encoding a file is to be opened again, and shows what it makes of the text.
type Reopen struct {
	Encoding string
	Warning  Warning
	Samples  []Sample
}

func (r *Reopen) Error() string {
	return fmt.Sprintf("%v: read it again as %s", ErrReopen, r.Encoding)
}

func (r *Reopen) Unwrap() error { return ErrReopen }

// Kind is what a workbook knows of a cell.
type Kind uint8

const (
	Text    Kind = iota
	Number       // the text is the exact number, never in scientific notation
	Rounded      // a number of more than fifteen digits: whatever wrote it lost some
	Date         // the text is an ISO date, or one with a time
	Bool         // TRUE or FALSE
	Failed       // an error, such as #N/A
	NoValue      // a formula whose value was not stored
)
