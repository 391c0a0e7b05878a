package validator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// blockBytes is how much of a file makes a chunk; smaller files make one of their size.
	blockBytes = 4 << 20
	leastBlock = 64 << 10

	// A file is refused as a whole when more than one record in brokenShare is broken, and not only a few are.
	brokenShare = 100
	brokenFew   = 100
)

// validate reads the job's file into chunks.
func (s *Service) validate(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	r, err := s.read(ctx, c)
	var refused *sheet.Refusal
	if errors.As(err, &refused) {
		r, err = &ingestv1.ValidateResult{Rejected: &ingestv1.Problem{Code: string(refused.Code), Message: refused.Error(), Hint: refused.Hint()}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Validated{Validated: r}}, nil
}

func (s *Service) read(ctx context.Context, c *stage.Claim) (*ingestv1.ValidateResult, error) {
	src, err := s.openFile(ctx, c)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	limits := sheet.DefaultLimits()
	limits.BlockBytes = int(min(max(c.Work.File.Size, leastBlock), blockBytes))
	file, err := sheet.Open(src, sheet.Options{Limits: limits})
	if err != nil {
		return nil, err
	}
	settings := c.Work.Job.Settings
	columns, question, problem := mapColumns(file.Heading, settings.Mapping)
	if problem != nil || question != nil {
		return &ingestv1.ValidateResult{Columns: toColumns(columns, nil), Question: named(question, c), Rejected: problem}, nil
	}
	p := newPlan(c.Account, c.Job, columns)
	p.adds, p.drop = row.Mode(settings.Mode) == row.Add, c.Work.Account.DropBadCells
	p.home, p.today = contact.CountryByCode(c.Work.Account.Country), day(c.Work.Job.CreatedAt.AsTime())
	job := &reading{s: s, c: c, plan: p, file: file, limits: limits, total: tally{filled: make([]int64, len(columns))}}
	if question, err = job.run(ctx, settings.DateOrder); err != nil {
		return nil, err
	}
	t := &job.total
	result := &ingestv1.ValidateResult{Columns: toColumns(columns, t.filled), Rows: t.rows, Blank: t.blank, Invalid: t.invalid, Warnings: t.warnings, Keys: uint32(t.keys), Chunks: job.chunks, Question: named(question, c)}
	return result, nil
}

// named says in the hint which job is to be answered.
func named(q *ingestv1.Question, c *stage.Claim) *ingestv1.Question {
	if q != nil {
		q.Hint = strings.ReplaceAll(q.Hint, "answer JOB", fmt.Sprintf("answer %d", c.Work.Job.Number))
	}
	return q
}

// openFile reads the upload, every byte of it held against its checksum.
func (s *Service) openFile(ctx context.Context, c *stage.Claim) (io.ReadCloser, error) {
	o, err := stage.FromObject(blob.RawPrefix(c.Account), c.Work.File)
	if err != nil {
		return nil, err
	}
	return s.blob.ReadVerified(ctx, o)
}

// reading is one job's file on its way into chunks.
type reading struct {
	s      *Service
	c      *stage.Claim
	plan   *plan
	file   *sheet.File
	limits sheet.Limits

	done   atomic.Int64 // rows
	total  tally
	chunks []*ingestv1.Chunk
}

// chunk is what a worker made of a block.
type chunk struct {
	index int
	tally tally
	*ingestv1.Chunk
}

// run settles the order of dates by the first block, then reads all blocks, many at once.
func (j *reading) run(ctx context.Context, said ingestv1.DateOrder) (*ingestv1.Question, error) {
	g, gctx := errgroup.WithContext(ctx)
	blocks, chunks := make(chan *sheet.Block), make(chan chunk, j.s.workers)
	var question *ingestv1.Question
	g.Go(func() error {
		defer close(blocks)
		first := true
		for b, err := range j.file.Blocks() {
			if err != nil {
				return fmt.Errorf("read the file: %w", err)
			}
			if first {
				first = false
				if question, err = j.dates(gctx, said, b); question != nil || err != nil {
					b.Release()
					return err
				}
			}
			select {
			case blocks <- b:
			case <-gctx.Done():
				b.Release()
				return context.Cause(gctx)
			}
		}
		return nil
	})
	workers, wctx := errgroup.WithContext(gctx)
	for range j.s.workers {
		workers.Go(func() error { return j.work(wctx, blocks, chunks) })
	}
	g.Go(func() error { defer close(chunks); return workers.Wait() })
	g.Go(func() error {
		for c := range chunks {
			j.total.add(&c.tally)
			for len(j.chunks) <= c.index {
				j.chunks = append(j.chunks, nil)
			}
			j.chunks[c.index] = c.Chunk
			if err := j.limits.CheckRecords(j.total.rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if t := &j.total; t.broken > brokenFew && t.broken*brokenShare > t.rows {
		return nil, &sheet.Refusal{Code: finding.TooManyBroken, Limit: "broken records", Value: t.rows / brokenShare}
	}
	var at int64
	for _, c := range j.chunks {
		c.FirstRow = at
		at += c.Rows
	}
	return question, nil
}

// work makes chunks of blocks until there are no more.
func (j *reading) work(ctx context.Context, blocks <-chan *sheet.Block, chunks chan<- chunk) error {
	w := &worker{plan: j.plan, parser: j.file.Parser(), normaliser: j.s.normaliser, seal: j.s.keys, hasher: j.s.keys.Hasher(), tally: tally{filled: make([]int64, len(j.plan.columns))}}
	for b := range blocks {
		index := b.Index
		cells, keys, err := w.read(b)
		b.Release()
		if err != nil {
			return err
		}
		made := chunk{index: index, tally: w.tally, Chunk: &ingestv1.Chunk{Rows: w.rows}}
		made.tally.filled = append([]int64(nil), w.filled...)
		if made.Cells, err = j.put(ctx, fmt.Sprintf("cells-%06d", index), cells); err != nil {
			return err
		}
		if made.Keys, err = j.put(ctx, fmt.Sprintf("keys-%06d", index), keys); err != nil {
			return err
		}
		j.c.Progress(j.done.Add(w.rows), 0)
		select {
		case chunks <- made:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (j *reading) put(ctx context.Context, what string, b []byte) (*ingestv1.Object, error) {
	o, err := j.s.blob.Put(ctx, j.c.Object(what), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", what, err)
	}
	return stage.ToObject(o), nil
}

// dates settles the order of dates: by what the submitter said, by the first block, or, where that leaves it open, by the
// whole file. What is open even then is asked.
func (j *reading) dates(ctx context.Context, said ingestv1.DateOrder, first *sheet.Block) (*ingestv1.Question, error) {
	columns := j.plan.columns
	if !slices.ContainsFunc(columns, column.dated) {
		return nil, nil
	}
	v := make([]votes, len(columns))
	copied := first.Clone() // parsing spends a block
	if err := poll(columns, j.file.Parser(), copied, v); err != nil {
		return nil, err
	}
	if decide(columns, said, v) < 0 {
		return nil, nil
	}
	src, err := j.s.openFile(ctx, j.c)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	file, err := sheet.Open(src, sheet.Options{Dialect: j.file.Dialect, Limits: j.limits})
	if err != nil {
		return nil, err
	}
	clear(v)
	parser := file.Parser()
	for b, err := range file.Blocks() {
		if err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		err = poll(columns, parser, b, v)
		b.Release()
		if err != nil {
			return nil, err
		}
	}
	if open := decide(columns, said, v); open >= 0 {
		return askDates(columns[open]), nil
	}
	return nil, nil
}

// day is the date of a moment in UTC.
func day(t time.Time) contact.Date {
	y, m, d := t.UTC().Date()
	date, _ := contact.DateOf(y, int(m), d) // of this millennium
	return date
}
