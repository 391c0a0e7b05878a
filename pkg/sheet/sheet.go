// Package sheet turns the bytes of a file into records: what the file is, how it is written, where its records begin and
// end, and what their cells hold. It reads text tables in every dialect and encoding, workbooks (xlsx, ods), and either
// in gzip or zip (package unpack). It is pure and bounded: it holds a few blocks, never a file.
//
// A file is read in two steps, so that the second can run on many workers. Open looks at the head, settles the dialect
// and reads the heading; Blocks then cuts the rest into blocks that end where a record ends. A Parser reads the records
// of one block without an allocation. Both go by the same rules, and any size of block gives the same records:
//
//   - The encoding is what was given, or what a byte order mark says, or UTF-16 where zero bytes stand as in it, or ISO
//     2022 by its escapes, or UTF-8 where at least as many letters beyond ASCII are valid UTF-8 as are not, or else the
//     legacy charset: a guess, with a warning and samples. If the head is ASCII and what follows decides for the legacy
//     charset, the blocks end with ErrReopen. Bytes that are no character make their row invalid; no U+FFFD is put in.
//   - Delimiter: sep= line, else the one of , ; TAB | that makes the records most alike; two that do so alike are refused.
//   - Quoting is that of RFC 4180, as strictly as encoding/csv reads it; what that accepts comes out the same here. Single
//     quotes, none, or quotes escaped by backslashes are taken only where those rules break records or leave the heading
//     in quotes, and the others break none.
//   - CR LF inside quotes becomes LF. In a file whose lines end in CR, or in a mixture that fits better so, every CR does.
//   - The heading is the first record that is not blank, unless that is a title: narrower than the file, or as good as
//     empty, with a record of the file's width below that can name columns. Titles are counted and warned of.
//   - A record that breaks a rule costs that record, not the file: a quote in the middle of a cell, or one that is opened
//     and not closed within the limit of a record. Reading resumes at the line after the one where the trouble began; if a
//     cell of several lines, their ends escaped, meets a quote, at the line of the quote.
//   - Blank lines, and records whose cells are all empty, are counted and not returned; so are rows that a workbook leaves
//     out. Line numbers are physical lines of the file, from 1, the heading's among them, or row numbers of the sheet.
//   - Of a workbook the sheet that was named is read, or the only one with values; hidden ones count if no other has any.
//   - Nothing of a file that is packed is final before its end: checksums stand behind the data.
package sheet

import (
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Code is a finding's code; see package finding for the catalogue.
type Code = finding.Code

// LineEnd is how the lines of a file end.
type LineEnd uint8

const (
	AnyLineEnd LineEnd = iota // to be detected
	LF
	CRLF
	CR
	Mixed // of all three
)

func (e LineEnd) String() string {
	switch e {
	case LF:
		return "LF"
	case CRLF:
		return "CRLF"
	case CR:
		return "CR"
	case Mixed:
		return "mixed"
	}
	return "unknown"
}

// NoQuote as a quote says that cells are never quoted.
const NoQuote byte = 0xff

// Doubled as an escape says that quotes inside cells are doubled, whatever the file looks like.
const Doubled byte = 0xfe

// Format is what kind of table a file holds.
type Format string

const (
	AnyFormat  Format = "" // to be detected
	FormatText Format = "text"
	FormatXLSX Format = "xlsx"
	FormatODS  Format = "ods"
)

// Container is what stands around a file.
type Container string

const (
	NoContainer Container = ""
	Gzip        Container = "gzip"
	Zip         Container = "zip"
)

// Dialect is how a file is written. The zero value of a field given to Open asks for its detection; any other value
// overrides it.
type Dialect struct {
	Format    Format
	Container Container // as found; one given is not asked for

	Encoding    string // lower-case name as of the web's encoding index, such as utf-8, utf-16le or windows-1252
	Delimiter   byte
	Quote       byte    // usually '"'; NoQuote for none
	Escape      byte    // '\\' if it takes the special meaning of what follows; 0: quotes inside cells are doubled. Doubled asks for that
	LineEnd     LineEnd // LF also reads CRLF, CR as Mixed reads all
	BOM         bool    // the file begins with a byte order mark
	Separator   bool    // the first line is sep=, which names the delimiter
	HeadingLine int64   // physical line, or row of a workbook, of the heading, from 1

	Sheet string // name of the sheet of a workbook
}

// Candidate is what speaks for one delimiter: the figures of the head's records read with it.
type Candidate struct {
	Delimiter byte
	Columns   int // of the heading
	Records   int // read after the heading
	Fitting   int // of them, with as many columns as the heading
	Broken    int // of them, with broken quotes
}

// Limits bound what is read. Every one is named in the refusal that it causes. Zero asks for the published limit.
type Limits struct {
	FileBytes   int64 // as it comes
	Unpacked    int64 // bytes that come out of gzip, zip or a workbook
	RecordBytes int
	CellBytes   int // a larger cell is a finding on its row, not a refusal
	Columns     int
	Records     int64
	BlockBytes  int // how much a block holds; not a limit of the file
}

// DefaultLimits are the published limits.
func DefaultLimits() Limits {
	return Limits{
		FileBytes:   2 << 30,
		Unpacked:    8 << 30,
		RecordBytes: 1 << 20,
		CellBytes:   64 << 10,
		Columns:     256,
		Records:     10_000_000,
		BlockBytes:  256 << 10,
	}
}

// filled puts the published limit wherever none is set.
func (l Limits) filled() Limits {
	d := DefaultLimits()
	if l.FileBytes <= 0 {
		l.FileBytes = d.FileBytes
	}
	if l.Unpacked <= 0 {
		l.Unpacked = d.Unpacked
	}
	if l.RecordBytes <= 0 {
		l.RecordBytes = d.RecordBytes
	}
	if l.CellBytes <= 0 {
		l.CellBytes = d.CellBytes
	}
	if l.Columns <= 0 {
		l.Columns = d.Columns
	}
	if l.Records <= 0 {
		l.Records = d.Records
	}
	if l.BlockBytes <= 0 {
		l.BlockBytes = d.BlockBytes
	}
	return l
}

// CheckRecords refuses a file that has more records than the limit. Records are counted by whoever parses the blocks.
func (l Limits) CheckRecords(n int64) error {
	if limit := l.filled().Records; n > limit {
		return &Refusal{Code: finding.TooManyRecords, Limit: "records", Value: limit}
	}
	return nil
}

// Refusal says that a file is not taken at all, and why.
type Refusal = finding.FileRefusal
