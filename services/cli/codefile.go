package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/sheet"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// Limits of a file of codes: ten times what a field may have, as the export holds the codes of all fields.
const (
	codeFileBytes    = 32 << 20
	codeFileUnpacked = 256 << 20
	codeFileRecords  = 100_000
)

// codeColumns are the columns that a file of codes may have, as the export writes them. All but the first may be missing.
var codeColumns = [...]string{"code", "label", "retired", "field"}

const (
	codeColumn = iota
	labelColumn
	retiredColumn
	fieldColumn
)

// codeFile is a file of codes that is being read.
type codeFile struct {
	*sheet.File
	name  string
	field string                // whose codes are wanted
	at    [len(codeColumns)]int // where the columns are; -1 for one that the file has not

	codes  []*accountsv1.Code
	lines  map[string]int64 // of the codes
	others int              // codes of other fields, where the file tells
}

// readCodes reads the codes of a field from a table of any kind: a heading row with code and, if there are, label, retired
// and field; a code each below it. What is wrong with it is told with line and column, and then none of it counts.
func readCodes(in io.ReaderAt, size int64, name, field string, d sheet.Dialect) (_ *codeFile, err error) {
	f := &codeFile{name: filepath.Base(name), field: field, lines: map[string]int64{}}
	l := sheet.Limits{FileBytes: codeFileBytes, Unpacked: codeFileUnpacked, Records: codeFileRecords}
	if f.File, err = sheet.OpenAt(in, size, sheet.Options{Dialect: d, Limits: l}); f.File != nil {
		defer func() { err = errors.Join(err, f.Close()) }()
	}
	if err != nil {
		return nil, f.refused(err)
	}
	if f.Evidence == sheet.EvidenceDefault {
		return nil, f.refused(sheet.ErrReopen)
	}
	if err := f.heading(); err != nil {
		return nil, err
	}
	if err := f.read(l); err != nil {
		return nil, err
	}
	if len(f.codes) == 0 {
		return nil, fault.New(fault.Invalid, "no-codes", "%s has no codes of the field %s", f.name, field)
	}
	return f, nil
}

// refused is why the file is not read, in words of the command line.
func (f *codeFile) refused(err error) error {
	if errors.Is(err, sheet.ErrReopen) {
		return fault.New(fault.Invalid, "encoding-unknown", "%s is not in UTF-8, and its charset cannot be told", f.name).
			Hint("say it: --encoding windows-1252, or as the web names the one it is in; or save the file as UTF-8")
	}
	r, ok := errors.AsType[*sheet.Refusal](err)
	if !ok {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	refusal, hint := fault.New(fault.Invalid, string(r.Code), "%s: %s", f.name, r.Error()), r.Hint()
	switch r.Code {
	case finding.SheetAmbiguous, finding.SheetUnknown:
		var names []string
		for _, s := range f.Sheets[:min(len(f.Sheets), 10)] {
			names = append(names, fmt.Sprintf("%q", shortened(s.Name, listName)))
		}
		hint = "say --sheet NAME; it has " + strings.Join(names, ", ")
	case finding.DelimiterAmbiguous:
		hint = `say --delimiter ";", or the character that it is`
	}
	return refusal.Hint("%s", hint)
}

// heading finds the columns.
func (f *codeFile) heading() error {
	line := f.Dialect.HeadingLine
	f.at = [len(codeColumns)]int{-1, -1, -1, -1}
	for i, h := range f.Heading {
		what := slices.Index(codeColumns[:], strings.ToLower(strings.TrimSpace(h)))
		switch {
		case what >= 0 && f.at[what] < 0:
			f.at[what] = i
		case what >= 0:
			return f.wrong(line, i, fmt.Sprintf("it is the second column %s", codeColumns[what]), "")
		default:
			return f.wrong(line, i, "there is no such column in a file of codes",
				"a heading row with code comes first, and may have label, retired and field; other words that files have for a code are said when one is imported: --value FIELD:FILEVALUE=CODE")
		}
	}
	if f.at[codeColumn] < 0 {
		return fault.New(fault.Invalid, "no-code-column", "%s, line %d: there is no column code", f.name, line)
	}
	return nil
}

func (f *codeFile) read(l sheet.Limits) error {
	parser, records := f.Parser(), int64(0)
	for b, err := range f.Blocks() {
		if err != nil {
			return f.refused(err)
		}
		parser.Reset(b)
		for r := parser.Next(); r != nil; r = parser.Next() {
			if err := f.take(r); err != nil {
				return err
			}
		}
		records += parser.Records()
		b.Release()
		if err := errors.Join(parser.Err(), l.CheckRecords(records)); err != nil {
			return f.refused(err)
		}
	}
	return nil
}

// take reads a record into a code, unless it is of another field.
func (f *codeFile) take(r *sheet.Record) error {
	switch {
	case r.Code != "":
		return f.found(r.At, r.Column-1, r.Code)
	case r.Warning == finding.CharacterLost:
		return f.found(r.Line, slices.IndexFunc(r.Cells, func(c []byte) bool { return bytes.ContainsRune(c, utf8.RuneError) }), r.Warning)
	}
	var cells [len(codeColumns)]string
	for what, at := range f.at {
		if at < 0 {
			continue
		}
		if r.Kinds != nil {
			if err := f.kind(r, at); err != nil {
				return err
			}
		}
		cells[what] = string(bytes.TrimSpace(sheet.Strip(r.Cells[at])))
	}
	if f.at[fieldColumn] >= 0 && cells[fieldColumn] != f.field {
		f.others++
		return nil
	}
	c := &accountsv1.Code{Code: cells[codeColumn], Label: cells[labelColumn]}
	if c.Code == "" {
		return f.wrong(r.Line, f.at[codeColumn], "the code is missing", "")
	}
	if before, twice := f.lines[c.Code]; twice {
		return f.wrong(r.Line, f.at[codeColumn], fmt.Sprintf("the code %q is on line %d already", c.Code, before), "")
	}
	if s := cells[retiredColumn]; s != "" {
		v, code := contact.AppendBoolean(nil, []byte(s))
		if code.Failed() {
			return f.found(r.Line, f.at[retiredColumn], code)
		}
		c.Retired = string(v) == "true"
	}
	f.lines[c.Code] = r.Line
	f.codes = append(f.codes, c)
	return nil
}

// kind refuses a cell of a workbook that is not what somebody wrote into it.
func (f *codeFile) kind(r *sheet.Record, at int) error {
	switch r.Kinds[at] {
	case sheet.Failed:
		return f.found(r.Line, at, finding.SpreadsheetError)
	case sheet.NoValue:
		return f.found(r.Line, at, finding.FormulaWithoutValue)
	case sheet.Rounded:
		return f.found(r.Line, at, finding.DigitsLost)
	case sheet.Date:
		return f.wrong(r.Line, at, "the workbook has made a date of it", "format the column as text, write it again and save")
	}
	return nil
}

// found is an error of the catalogue.
func (f *codeFile) found(line int64, column int, code finding.Code) error {
	e, ok := code.Entry()
	if !ok {
		e.Text = string(code)
	}
	return f.wrong(line, column, e.Text, e.Hint)
}

// wrong names the place of an error; column counts from 0, and is -1 for a matter of the whole line.
func (f *codeFile) wrong(line int64, column int, text, hint string) error {
	place := fmt.Sprintf("%s, line %d", f.name, line)
	if column >= 0 {
		place += fmt.Sprintf(", column %d", column+1)
	}
	if column >= 0 && column < len(f.Heading) {
		place += fmt.Sprintf(" (%s)", shortened(f.Heading[column], listName))
	}
	return fault.New(fault.Invalid, "bad-code-file", "%s: %s", place, text).Hint("%s", hint)
}

// placed adds to what the server says of codes the lines on which those that it names stand.
func (f *codeFile) placed(err error) error {
	var lines []int64
	for code, line := range f.lines {
		if strings.Contains(err.Error(), strconv.Quote(code)) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	place := f.name
	switch len(lines) {
	case 0:
	case 1:
		place += fmt.Sprintf(", line %d", lines[0])
	default: // it is about two codes at most
		place += fmt.Sprintf(", lines %d and %d", lines[0], lines[1])
	}
	return fault.Wrap(fault.Of(err), fault.Code(err), err, "%s", place).Hint("%s", fault.HintOf(err))
}
