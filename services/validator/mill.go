package validator

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// A file is refused as a whole when more than one record in brokenShare is broken, and not only a few are.
	brokenShare = 100
	brokenFew   = 100
)

// milling is the reading of all rows, many blocks at once.
type milling struct {
	*reading
	plan *plan
	file *sheet.File
	lead *sheet.Record // a row before the first block; nil for none

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

// all reads the first block, nil for none, and those that come next.
func (j *milling) all(ctx context.Context, first *sheet.Block, next func() (*sheet.Block, error, bool)) error {
	g, gctx := errgroup.WithContext(ctx)
	blocks, chunks := make(chan *sheet.Block), make(chan chunk, j.s.workers)
	g.Go(func() error {
		defer close(blocks)
		b, more := first, first != nil
		if !more && j.lead != nil {
			b, more = &sheet.Block{}, true
		}
		for more {
			select {
			case blocks <- b:
			case <-gctx.Done():
				b.Release()
				return context.Cause(gctx)
			}
			var err error
			if b, err, more = next(); err != nil {
				return fmt.Errorf("read the file: %w", err)
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
			if err := j.take(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if t := &j.total; t.broken > brokenFew && t.broken*brokenShare > t.rows {
		return &sheet.Refusal{Code: finding.TooManyBroken, Limit: "broken records", Value: t.rows / brokenShare}
	}
	var at int64
	for _, c := range j.chunks {
		c.FirstRow = at
		at += c.Rows
	}
	return nil
}

// take puts a chunk in its place.
func (j *milling) take(c chunk) error {
	j.total.add(&c.tally)
	for len(j.chunks) <= c.index {
		j.chunks = append(j.chunks, nil)
	}
	j.chunks[c.index] = c.Chunk
	return j.limits.CheckRecords(j.total.rows)
}

// work makes chunks of blocks until there are no more.
func (j *milling) work(ctx context.Context, blocks <-chan *sheet.Block, chunks chan<- chunk) error {
	w := &worker{plan: j.plan, parser: j.file.Parser(), normaliser: j.s.normaliser, seal: j.s.keys, hasher: j.s.keys.Hasher(), tally: newTally(len(j.plan.columns))}
	if c := j.plan.correction; c != nil && c.rows != nil {
		w.originals = c.rows.reader()
	}
	for b := range blocks {
		index := b.Index
		var before *sheet.Record
		if index == 0 {
			before = j.lead
		}
		cells, keys, err := w.read(before, b)
		b.Release()
		if err != nil {
			return err
		}
		made := chunk{index: index, tally: w.tally.clone(), Chunk: &ingestv1.Chunk{Rows: w.rows}}
		var puts errgroup.Group // both are flushed to disk, side by side
		puts.Go(func() (err error) {
			made.Cells, err = j.put(ctx, fmt.Sprintf("cells-%06d", index), cells)
			return err
		})
		puts.Go(func() (err error) {
			made.Keys, err = j.put(ctx, fmt.Sprintf("keys-%06d", index), keys)
			return err
		})
		if err := puts.Wait(); err != nil {
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

func (j *milling) put(ctx context.Context, what string, b []byte) (*ingestv1.Object, error) {
	o, err := j.s.blob.PutBytes(ctx, j.c.Object(what), b)
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", what, err)
	}
	return stage.ToObject(o), nil
}
