package merge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
)

// holdBatch is how many rows are taken out of a job at once: so many, as all rows are gone through for each batch, and that where
// another job has changed everything between plan and approval, all of them are held, while the account waits.
const holdBatch = 1 << 20

// plan reads what was approved, row by row.
type plan struct {
	src  io.Closer
	rows *row.OutcomesReader
	n    int64
}

// plan opens the job's plan; nil if it has none.
func (w *worker) plan(ctx context.Context, j *job) (*plan, error) {
	if j.plan == nil {
		return nil, nil
	}
	src, err := w.blob.ReadVerified(ctx, *j.plan)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	rows, err := row.NewOutcomesReader(src)
	if err != nil {
		_ = src.Close() // nothing was read
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return &plan{src: src, rows: rows}, nil
}

// next is what was planned for the next row, valid until the call after it; nil if there is no plan.
func (p *plan) next() (*row.Ended, error) {
	if p == nil {
		return nil, nil
	}
	e, err := p.rows.Next()
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.DataLoss, "rows-differ", "the plan ends before row %d", p.n)
	}
	if err != nil {
		return nil, fmt.Errorf("read plan of row %d: %w", p.n, err)
	}
	p.n++
	return e, nil
}

// end is the error of a plan that goes on where the rows end.
func (p *plan) end() error {
	if p == nil {
		return nil
	}
	if _, err := p.rows.Next(); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read plan to its end: %w", err)
	}
	return fault.New(fault.DataLoss, "rows-differ", "the plan has more than %d rows", p.n)
}

func (p *plan) close() {
	if p != nil {
		_ = p.src.Close() // read to its end or given up
	}
}

// agrees tells whether matching finds for a row what was planned. Whether it changes its contact is seen only there, and whether
// the provider knows it was not asked before the plan was made.
func (p pair) agrees(planned *row.Ended, v *row.Verdict) bool {
	switch {
	case p.action == row.UpdateContact:
		return (planned.Outcome == row.Updated || planned.Outcome == row.Unchanged) && planned.Contact == v.Contact
	case p.action == row.AddContact || p.reason == reasonNoProvider:
		return planned.Outcome == row.Added
	}
	return planned.Outcome == p.outcome && planned.Contact == found(v)
}

// found is the contact that a row left alone is about.
func found(v *row.Verdict) uuid.UUID {
	if v.Relation == row.One || v.Relation == row.Other {
		return v.Contact
	}
	return uuid.Nil
}

// hold takes out the rows of whose contacts something else would become than was planned.
func (s *staging) hold(ctx context.Context, tx pgx.Tx, c contactdb.Change, d contactdb.Difference) (contactdb.Difference, error) {
	if s.job.plan == nil || s.known == 0 {
		return d, nil
	}
	planned, err := s.worker.plan(ctx, s.job)
	if err != nil {
		return d, err
	}
	defer planned.close()
	effects, err := s.worker.contacts.Effects(ctx, tx, c)
	if err != nil {
		return d, err
	}
	var rows []int64
	for n := range int64(len(s.fates.of)) {
		was, err := planned.next()
		if err != nil {
			return d, err
		}
		p := s.fates.pairs[s.fates.of[n]]
		if p.held || p.action != row.UpdateContact {
			continue
		}
		is, err := effects.Of(ctx, n)
		if err != nil {
			return d, err
		}
		if is.Changes == (was.Outcome == row.Updated) && is.Hash == was.Effect {
			continue
		}
		if !is.Changes {
			p.outcome = row.Unchanged
			if s.fates.of[n], err = s.fates.fate(p); err != nil {
				return d, err
			}
		}
		rows = append(rows, n)
		if len(rows) == holdBatch {
			if err := s.holdRows(ctx, tx, rows); err != nil {
				return d, err
			}
			rows = rows[:0]
		}
	}
	if err := errors.Join(planned.end(), effects.Close(ctx)); err != nil {
		return d, err
	}
	if err := s.holdRows(ctx, tx, rows); err != nil {
		return d, err
	}
	return s.worker.contacts.Left(ctx, tx, d)
}

// holdRows takes rows out, with those that meet them at a contact.
func (s *staging) holdRows(ctx context.Context, tx pgx.Tx, rows []int64) error {
	held, err := s.worker.contacts.Hold(ctx, tx, rows)
	if err != nil {
		return err
	}
	for _, n := range held {
		p := s.fates.pairs[s.fates.of[n]]
		p.held = true
		if s.fates.of[n], err = s.fates.fate(p); err != nil {
			return err
		}
	}
	return nil
}

// heldFor is what becomes of a row of which now something else would become than was planned.
func heldFor(planned, now *row.Ended) row.Ended {
	e := row.Ended{Outcome: row.Held, Reason: reasonPlan, Contact: now.Contact}
	was := *planned
	if was.Outcome == row.Added {
		was.Contact = uuid.Nil // the contact to be made was not
	}
	if e.Contact == uuid.Nil {
		e.Contact = was.Contact
	}
	if was.Outcome == now.Outcome && was.Contact == now.Contact {
		e.Detail = fmt.Sprintf("planned %s, now with other values", inWords(&was))
	} else {
		e.Detail = fmt.Sprintf("planned %s, now %s", inWords(&was), inWords(now))
	}
	return e
}

// inWords is "UPDATED contact 0190...".
func inWords(e *row.Ended) string {
	if e.Contact == uuid.Nil {
		return e.Outcome.String()
	}
	return fmt.Sprintf("%s contact %s", e.Outcome, e.Contact)
}
