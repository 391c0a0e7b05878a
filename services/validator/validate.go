package validator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// mostBlock is how much of a file makes a chunk; smaller files make one of their size.
	mostBlock  = 4 << 20
	leastBlock = 64 << 10
	// inFlight bounds the blocks of a job that are held at once, one by each worker and two on their way to them: with many
	// workers they are smaller, down to fewBlock, below which it is the storing of objects that takes the time.
	inFlight = 16 << 20
	fewBlock = 1 << 20
)

// blockBytes is how much of a file of size bytes makes a chunk when so many workers read it.
func blockBytes(size int64, workers int) int {
	return int(min(max(size, leastBlock), mostBlock, int64(max(inFlight/(workers+2), fewBlock))))
}

// validate reads the job's file into chunks.
func (s *Service) validate(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	r, err := s.read(ctx, c)
	if err != nil {
		if r, err = ended(err); err != nil {
			return nil, err
		}
	}
	r.Question = named(r.Question, c)
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Validated{Validated: r}}, nil
}

func (s *Service) read(ctx context.Context, c *stage.Claim) (*ingestv1.ValidateResult, error) {
	schema, err := fields.SchemaOf(c.Work.Account.GetFields())
	if err != nil {
		return nil, err
	}
	j := &reading{s: s, c: c, schema: schema, limits: sheet.DefaultLimits(), dialect: dialect(c.Work.Job.Settings.GetReading())}
	j.limits.BlockBytes = blockBytes(c.Work.File.Size, s.workers)
	r, err := j.pass(ctx)
	var again *sheet.Reopen
	if errors.As(err, &again) { // the head was ASCII, what follows is not UTF-8: all of it is read anew
		j.reopen, j.dialect.Encoding = again, again.Encoding
		r, err = j.pass(ctx)
	}
	return r, err
}

// named says in the hint which job is to be answered.
func named(q *ingestv1.Question, c *stage.Claim) *ingestv1.Question {
	if q != nil {
		q.Hint = strings.ReplaceAll(q.Hint, "answer JOB", fmt.Sprintf("answer %d", c.Work.Job.Number))
	}
	return q
}

// reading is one job's file on its way into chunks.
type reading struct {
	s       *Service
	c       *stage.Claim
	schema  *contact.Schema
	limits  sheet.Limits
	dialect sheet.Dialect
	reopen  *sheet.Reopen // why this is the second pass
}

// pass reads the file from its beginning to its end, or to a question.
func (j *reading) pass(ctx context.Context) (*ingestv1.ValidateResult, error) {
	t, err := j.open(ctx)
	if err != nil {
		return nil, err
	}
	defer t.close()
	first, next, stop, err := begin(t.File)
	if err != nil {
		return nil, err
	}
	defer stop()
	found, remembered, err := j.mapped(ctx, t.File, first)
	if err != nil {
		return nil, err
	}
	settings := j.c.Work.Job.Settings
	columns := columnsOf(found, j.schema, values(remembered.GetValues(), settings.Values))
	facts := toFacts(t.File, columns, found.Warnings)
	settledBy(facts, j.reopen, columns)
	r := &ingestv1.ValidateResult{File: facts, Columns: toColumns(columns, nil), Question: toQuestion(found.Question, columns), Rejected: toProblem(found.Problem)}
	if r.Question != nil || r.Rejected != nil {
		return r, nil
	}
	if r.Question, err = j.look(ctx, t.File, columns, first, remembered.GetDateOrder()); err != nil || r.Question != nil {
		return r, err
	}
	p := newPlan(j.c.Account, j.c.Job, j.schema, columns)
	p.mode, p.drop = row.Mode(settings.Mode), j.c.Work.Account.DropBadCells
	p.home, p.today = contact.CountryByCode(j.c.Work.Account.Country), day(j.c.Work.Job.CreatedAt.AsTime())
	m := &milling{reading: j, plan: p, file: t.File, total: newTally(len(columns))}
	if found.HeadingIsData {
		m.lead = lead(t.File)
	} else {
		r.HeadingsKey = found.HeadingsKey[:]
	}
	if err := m.all(ctx, first, next); err != nil {
		return nil, err
	}
	total := &m.total
	r.Columns, r.Chunks, r.UnknownValues = toColumns(columns, total.filled), m.chunks, total.unknown.list(columns)
	r.Rows, r.Blank, r.Invalid, r.Warnings, r.Keys = total.rows, total.blank, total.invalid, total.warnings, uint32(total.keys)
	return r, nil
}

// mapped finds the fields of the columns, by what was said of such files before too.
func (j *reading) mapped(ctx context.Context, f *sheet.File, first *sheet.Block) (mapping.Result, *ingestv1.RecallMappingResponse, error) {
	req := mapping.Request{Headings: f.Heading, Schema: j.schema, Said: j.c.Work.Job.Settings.Mapping}
	if first != nil {
		var err error
		if req.Sample, err = sampleOf(f.Parser(), first.Clone()); err != nil {
			return mapping.Result{}, nil, err
		}
	}
	found := mapping.Map(req)
	remembered, err := j.c.RecallMapping(ctx, found.HeadingsKey[:])
	if err != nil {
		return mapping.Result{}, nil, fmt.Errorf("recall the mapping: %w", err)
	}
	if len(remembered.GetMapping()) > 0 {
		req.Remembered = remembered.GetMapping()
		found = mapping.Map(req)
	}
	return found, remembered, nil
}

// values are what was said before and, over it, what is said now.
func values(before, now map[string]*ingestv1.ValueMap) map[string]*ingestv1.ValueMap {
	out := map[string]*ingestv1.ValueMap{}
	for _, m := range []map[string]*ingestv1.ValueMap{before, now} {
		for field, v := range m {
			if out[field] == nil {
				out[field] = &ingestv1.ValueMap{Values: map[string]string{}}
			}
			for from, to := range v.GetValues() {
				out[field].Values[comparedValue([]byte(from))] = to
			}
		}
	}
	return out
}

// look settles how dates and numbers are written: by what the submitter said, by the first block, or, where that leaves it
// open, by the whole file. What is open even then is asked.
func (j *reading) look(ctx context.Context, f *sheet.File, columns []column, first *sheet.Block, remembered ingestv1.DateOrder) (*ingestv1.Question, error) {
	if first == nil || !evident(columns) {
		return nil, nil
	}
	said := j.c.Work.Job.Settings.DateOrder
	e := make(evidence, len(columns))
	if err := e.gather(columns, f.Parser(), first.Clone()); err != nil {
		return nil, err
	}
	open, more := e.settle(columns, said, remembered)
	if more {
		var err error
		if open, err = j.lookAtAll(ctx, columns, remembered); err != nil {
			return nil, err
		}
	}
	if open >= 0 {
		return askDates(&columns[open], open), nil
	}
	return nil, nil
}

// lookAtAll settles by every row of the file.
func (j *reading) lookAtAll(ctx context.Context, columns []column, remembered ingestv1.DateOrder) (open int, err error) {
	t, err := j.open(ctx)
	if err != nil {
		return -1, err
	}
	defer t.close()
	e := make(evidence, len(columns))
	parser := t.Parser()
	for b, err := range t.Blocks() {
		if err != nil {
			return -1, fmt.Errorf("read the file: %w", err)
		}
		err = e.gather(columns, parser, b)
		b.Release()
		if err != nil {
			return -1, err
		}
		if ctx.Err() != nil {
			return -1, context.Cause(ctx)
		}
	}
	open, _ = e.settle(columns, j.c.Work.Job.Settings.DateOrder, remembered)
	return open, nil
}

// lead is the line of headings as the row that it is.
func lead(f *sheet.File) *sheet.Record {
	r := &sheet.Record{Line: f.Dialect.HeadingLine, At: f.Dialect.HeadingLine}
	for _, h := range f.Heading {
		r.Cells = append(r.Cells, []byte(h))
	}
	return r
}

// day is the date of a moment in UTC.
func day(t time.Time) contact.Date {
	y, m, d := t.UTC().Date()
	date, _ := contact.DateOf(y, int(m), d) // of this millennium
	return date
}
