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
	mostBlock  = 2 << 20
	leastBlock = 64 << 10
	// inFlight bounds the blocks of a job that are held at once, one by each worker and two on their way to them: with many
	// workers they are smaller, down to fewBlock, below which storing the objects would take the time.
	inFlight = 8 << 20
	fewBlock = 1 << 20
)

// blockBytes is how much of a file of size bytes makes a chunk when so many workers read it. What is packed comes too slowly
// to be held up by the storing of objects, and a workbook needs the memory for its strings.
func blockBytes(size int64, packed bool, workers int) int {
	most := int64(mostBlock)
	if packed {
		most = fewBlock
	}
	return int(min(max(size, leastBlock), most, int64(max(inFlight/(workers+2), fewBlock))))
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
	policies, err := fields.PoliciesOf(c.Work.Job.GetPolicies(), schema)
	if err != nil {
		return nil, err
	}
	j := &reading{s: s, c: c, schema: schema, policies: policies, limits: sheet.DefaultLimits(), dialect: dialect(c.Work.Job.Settings.GetReading())}
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
	s        *Service
	c        *stage.Claim
	schema   *contact.Schema
	policies fields.Policies
	limits   sheet.Limits
	dialect  sheet.Dialect
	reopen   *sheet.Reopen // why this is the second pass
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
	settings := j.c.Work.Job.Settings
	said := mapping.Request{Schema: j.schema, Said: settings.Mapping, Keys: j.policies.Keys, Compared: j.policies.Compares()}
	found, before, err := mapped(t.File, first, said, func(key []byte) (remembered, error) { return j.c.RecallMapping(ctx, key) })
	if err != nil {
		return nil, err
	}
	columns := columnsOf(found, j.schema, values(before.GetValues(), settings.Values))
	facts := toFacts(t.File, columns, found.Warnings)
	settledBy(facts, j.reopen, columns)
	r := &ingestv1.ValidateResult{File: facts, Columns: toColumns(columns, nil), Question: toQuestion(found.Question, columns), Rejected: toProblem(found.Problem)}
	if r.Question != nil || r.Rejected != nil {
		return r, nil
	}
	if r.Question, err = j.look(ctx, t.File, columns, first, before.GetDateOrder()); err != nil || r.Question != nil {
		return r, err
	}
	p := newPlan(j.c.Account, j.c.Job, j.schema, columns)
	p.mode, p.drop = row.Mode(settings.Mode), j.c.Work.Account.DropBadCells
	p.by = newKeyChoice(j.policies.Keys, j.schema)
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

// remembered is what was said earlier of files with the same columns.
type remembered interface {
	GetMapping() map[string]string
	GetDateOrder() ingestv1.DateOrder
	GetValues() map[string]*ingestv1.ValueMap
}

// mapped finds the fields of a file's columns: by their headings, what their first rows hold, what is said of them, and what
// was said of such files before.
func mapped(f *sheet.File, first *sheet.Block, req mapping.Request, recall func(headingsKey []byte) (remembered, error)) (mapping.Result, remembered, error) {
	req.Headings = f.Heading
	if first != nil {
		var err error
		if req.Sample, err = sampleOf(f.Parser(), first.Clone()); err != nil {
			return mapping.Result{}, nil, err
		}
	}
	found := mapping.Map(req)
	before, err := recall(found.HeadingsKey[:])
	if err != nil {
		return mapping.Result{}, nil, fmt.Errorf("recall the mapping: %w", err)
	}
	if len(before.GetMapping()) > 0 {
		req.Remembered = before.GetMapping()
		found = mapping.Map(req)
	}
	return found, before, nil
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
