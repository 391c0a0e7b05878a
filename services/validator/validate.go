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

func (s *Service) read(ctx context.Context, c *stage.Claim) (r *ingestv1.ValidateResult, err error) {
	schema, err := fields.SchemaOf(c.Work.Account.GetFields())
	if err != nil {
		return nil, err
	}
	j := &reading{s: s, c: c, schema: schema, limits: sheet.DefaultLimits(), dialect: dialect(c.Work.Job.Settings.GetReading())}
	defer func() { err = errors.Join(err, j.close()) }()
	r, err = j.pass(ctx)
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

	asked
	correction *correction // of a corrected report
	before     []byte      // the headings key of the file that it corrects
}

// close gives back what a corrected report was read with.
func (j *reading) close() error {
	if j.correction == nil {
		return nil
	}
	return j.correction.rows.close()
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
	sample, err := sampled(t.File, first)
	if err != nil {
		return nil, err
	}
	rejected, err := j.ask(ctx, t.Heading, sample)
	if err != nil || rejected != nil {
		return &ingestv1.ValidateResult{Rejected: rejected}, err
	}
	req := mapping.Request{Headings: j.correction.headings(t.Heading), Schema: j.schema, Said: j.said, Remembered: j.remembered, Sample: sample, Keys: j.policies.Keys, Compared: j.policies.Compares()}
	found, before, err := j.mapped(ctx, req)
	if err != nil {
		return nil, err
	}
	columns := columnsOf(found, j.schema, values(before.GetValues(), j.values))
	r := &ingestv1.ValidateResult{}
	if j.correction != nil {
		j.correction.settle(columns)
		r.Corrects = j.correction.job.GetId()
	}
	r.File = toFacts(t.File, columns, found.Warnings)
	settledBy(r.File, j.reopen, columns)
	r.Columns, r.Question, r.Rejected = toColumns(columns, nil), toQuestion(found.Question, columns), toProblem(found.Problem)
	if r.Question == nil && r.Rejected == nil && j.correction == nil {
		r.Question, r.LikeNumber = j.drift(req, found, before.GetEarlier(), columns)
	}
	if r.Question != nil || r.Rejected != nil {
		return r, nil
	}
	if r.Question, err = j.look(ctx, t.File, columns, first, before.GetDateOrder()); err != nil || r.Question != nil {
		return r, err
	}
	p := newPlan(j.c.Account, j.c.Job, j.schema, columns)
	p.mode, p.drop = row.Mode(j.mode), j.drop
	p.by = newKeyChoice(j.policies.Keys, j.schema)
	p.home, p.today = contact.CountryByCode(j.c.Work.Account.Country), day(j.c.Work.Job.CreatedAt.AsTime())
	if p.correction = j.correction; p.correction != nil {
		p.origins = p.correction.origins(columns)
	}
	m := &milling{reading: j, plan: p, file: t.File, total: newTally(len(columns))}
	if found.HeadingIsData {
		m.lead = lead(t.File)
	} else if j.correction == nil {
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

// look settles how dates and numbers are written: by what the submitter said, by the first block, or, where that leaves it
// open, by the whole file. What is open even then is asked.
func (j *reading) look(ctx context.Context, f *sheet.File, columns []column, first *sheet.Block, remembered ingestv1.DateOrder) (*ingestv1.Question, error) {
	if first == nil || !evident(columns) {
		return nil, nil
	}
	e := make(evidence, len(columns))
	if err := e.gather(columns, f.Parser(), first.Clone()); err != nil {
		return nil, err
	}
	open, more := e.settle(columns, j.order, remembered)
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
	open, _ = e.settle(columns, j.order, remembered)
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
