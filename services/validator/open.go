package validator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

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
	t.File, err = sheet.Open(src, sheet.Options{Dialect: j.dialect, Limits: j.limits, Legacy: j.c.Work.Account.GetLegacyEncoding(), Spool: func() (sheet.Spool, error) {
		s, err := newSpool(j.s.cfg.Dir)
		if err == nil {
			t.closers = append(t.closers, s)
		}
		return s, err
	}})
	if err != nil {
		return nil, err
	}
	t.closers = append(t.closers, t.File)
	return t, nil
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

// ended turns what kept a file from being read into its result, if the file or its sender can do something about it.
func ended(err error) (*ingestv1.ValidateResult, error) {
	var refused *sheet.Refusal
	if !errors.As(err, &refused) {
		return nil, err
	}
	if q := askFile(refused); q != nil {
		return &ingestv1.ValidateResult{Question: q}, nil
	}
	return &ingestv1.ValidateResult{Rejected: &ingestv1.Problem{Code: string(refused.Code), Message: refused.Error(), Hint: refused.Hint()}}, nil
}

// askFile is what a person can say so that a refused file can be read; nil if nothing helps.
func askFile(r *sheet.Refusal) *ingestv1.Question {
	switch r.Code {
	case finding.DelimiterAmbiguous:
		return &ingestv1.Question{Code: "delimiter", Message: sentence(r), Hint: `Say what stands between the cells: contactmill jobs answer JOB --delimiter ";" (or another character, \t for a tab).`}
	case finding.SheetAmbiguous, finding.SheetUnknown:
		return &ingestv1.Question{Code: "sheet", Message: sentence(r), Hint: `Say which sheet is meant: contactmill jobs answer JOB --sheet "NAME". contactmill inspect FILE shows their names.`}
	}
	return nil
}

// sentence is why a file is refused.
func sentence(r *sheet.Refusal) string {
	s := r.Error()
	if s == "" {
		return s
	}
	return string(s[0]&^0x20) + s[1:] + "."
}
