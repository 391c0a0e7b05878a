package contactdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
)

// script is statements that travel together: what comes after one that fails is not executed.
type script struct {
	batch pgx.Batch
	steps []step
}

type step struct {
	what string
	scan func(pgx.Row) error // nil for a statement that returns nothing
	rows *int64              // if not nil, gets the number of rows affected
	all  *int64              // if not nil, the number of rows that must be affected
}

func (s *script) add(what, sql string, args ...any) { s.count(what, nil, sql, args...) }

// count adds a statement and notes in rows how many it affects.
func (s *script) count(what string, rows *int64, sql string, args ...any) {
	s.steps = append(s.steps, step{what: what, rows: rows})
	s.batch.Queue(sql, args...)
}

// all adds a statement that must affect as many rows as are given.
func (s *script) all(what string, rows int64, sql string, args ...any) {
	s.steps = append(s.steps, step{what: what, all: &rows})
	s.batch.Queue(sql, args...)
}

// read adds a statement whose one row scan gets.
func (s *script) read(what string, scan func(pgx.Row) error, sql string, args ...any) {
	s.steps = append(s.steps, step{what: what, scan: scan})
	s.batch.Queue(sql, args...)
}

// run executes all in one round trip: within a transaction, or as one if it is given a pool.
func (s *script) run(ctx context.Context, on interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}) error {
	if len(s.steps) == 0 {
		return nil
	}
	answers := on.SendBatch(ctx, &s.batch)
	for _, step := range s.steps {
		if err := step.take(answers); err != nil {
			_ = answers.Close() // it says the same
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return answers.Close()
}

func (s step) take(answers pgx.BatchResults) error {
	if s.scan != nil {
		return s.scan(answers.QueryRow())
	}
	tag, err := answers.Exec()
	if err != nil {
		return err
	}
	if s.rows != nil {
		*s.rows = tag.RowsAffected()
	}
	if s.all != nil && *s.all != tag.RowsAffected() {
		return fault.New(fault.Internal, "rows-missing", "%d rows were affected instead of %d", tag.RowsAffected(), *s.all)
	}
	return nil
}
