package validator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// packedHead is how many bytes tell whether a file is packed.
const packedHead = 4

// table is a job's file opened as a table.
type table struct {
	*sheet.File
	closers []io.Closer
}

// open opens the upload, every byte of it held against its checksum.
func (j *reading) open(ctx context.Context) (_ *table, err error) {
	t := &table{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	o, err := stage.FromObject(blob.RawPrefix(j.c.Account), j.c.Work.File)
	if err != nil {
		return nil, err
	}
	src, err := j.s.blob.ReadVerified(ctx, o)
	if err != nil {
		return nil, err
	}
	t.closers = append(t.closers, src)
	in := bufio.NewReader(src)
	head, _ := in.Peek(packedHead) // what kept it from being read comes again
	_, packed := unpack.Detect(head)
	j.limits.BlockBytes = blockBytes(j.c.Work.File.Size, packed, j.s.workers)
	t.File, err = sheet.Open(in, j.s.options(ctx, j.dialect, j.limits, j.c.Work.Account.GetLegacyEncoding()))
	if t.File != nil {
		t.closers = append(t.closers, t.File)
	}
	if err != nil {
		return nil, chosen(err, t.File)
	}
	return t, nil
}

// options are those of every file: until ctx ends, with room on disk for what cannot be streamed.
func (s *Service) options(ctx context.Context, d sheet.Dialect, l sheet.Limits, legacy string) sheet.Options {
	return sheet.Options{
		Dialect: d, Limits: l, Legacy: legacy,
		Spool: func() (sheet.Spool, error) { return newSpool(s.cfg.Dir) },
		Check: func() error { return context.Cause(ctx) },
	}
}

// close gives everything back. What was read has been judged by then, so that an error here changes nothing.
func (t *table) close() {
	for i := len(t.closers) - 1; i >= 0; i-- {
		_ = t.closers[i].Close()
	}
}

// begin returns the first block, nil if there is none, and how to get the others.
func begin(f *sheet.File) (first *sheet.Block, next func() (*sheet.Block, error, bool), stop func(), err error) {
	next, stop = iter.Pull2(f.Blocks())
	first, err, ok := next()
	if !ok {
		return nil, next, stop, nil
	}
	if err != nil {
		stop()
		return nil, nil, nil, fmt.Errorf("read the file: %w", err)
	}
	return first, next, stop, nil
}

// sheetError is a refusal of a workbook that a person can settle by naming a sheet.
type sheetError struct {
	error
	format sheet.Format
	sheets []sheet.SheetInfo
}

func (e *sheetError) Unwrap() error { return e.error }

// chosen adds to a refusal the sheets that there are; f may be nil.
func chosen(err error, f *sheet.File) error {
	if f == nil || len(f.Sheets) == 0 {
		return err
	}
	return &sheetError{err, f.Dialect.Format, f.Sheets}
}

// ended turns what kept a file from being read into its result, if the file or its sender can do something about it.
func ended(err error) (*ingestv1.ValidateResult, error) {
	if mixed, ok := errors.AsType[*mixedReport](err); ok {
		return &ingestv1.ValidateResult{Rejected: mixed.problem()}, nil
	}
	refused, ok := errors.AsType[*sheet.Refusal](err)
	if !ok {
		return nil, err
	}
	r := &ingestv1.ValidateResult{}
	if choice, ok := errors.AsType[*sheetError](err); ok {
		r.File = &ingestv1.FileFacts{Format: string(choice.format), Sheets: toSheets(choice.sheets)}
	}
	if r.Question = askFile(refused, r.GetFile().GetSheets()); r.Question == nil {
		r.Rejected = &ingestv1.Problem{Code: string(refused.Code), Message: refused.Error(), Hint: refused.Hint()}
	}
	return r, nil
}

// askFile is what a person can say so that a refused file can be read; nil if nothing helps.
func askFile(r *sheet.Refusal, sheets []*ingestv1.Sheet) *ingestv1.Question {
	switch r.Code {
	case finding.DelimiterAmbiguous:
		return &ingestv1.Question{Code: string(finding.DelimiterAmbiguous), Message: sentence(r), Hint: `Say what stands between the cells: contactmill jobs answer JOB --delimiter ";" (or another character, \t for a tab).`}
	case finding.SheetAmbiguous, finding.SheetUnknown:
		const most = 20
		var names []string
		for _, s := range sheets[:min(len(sheets), most)] {
			names = append(names, strconv.Quote(short(s.GetName())))
		}
		if more := len(sheets) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		return &ingestv1.Question{Code: "sheet", Message: sentence(r) + " It has " + strings.Join(names, ", ") + ".",
			Hint: `Say which sheet is meant: contactmill jobs answer JOB --sheet "NAME".`}
	}
	return nil
}

// sentence is why a file is refused.
func sentence(r *sheet.Refusal) string {
	s := r.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
