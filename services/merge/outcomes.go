package merge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/row"
)

// outcomes writes what became of every row, in the order of the file, as one object, and counts. It holds one row at a
// time: what the database changed is read beside the verdicts.
func (w *worker) outcomes(ctx context.Context, tx pgx.Tx, s *staging, h contactdb.Holdings, someBlocked bool, name string) (contactdb.Applied, error) {
	var none contactdb.Applied
	out, err := w.blob.Writer(ctx, name)
	if err != nil {
		return none, err
	}
	defer out.Abort()
	var blocked map[int64]uuid.UUID
	if someBlocked {
		if blocked, err = w.contacts.Blocked(ctx, tx); err != nil {
			return none, err
		}
	}
	changed := &contactdb.RowList{}
	if s.known > 0 {
		if changed, err = w.contacts.Changed(ctx, tx, s.change(h)); err != nil {
			return none, err
		}
	}
	defer changed.Close()
	var counts [row.Suppressed + 1]int64
	var newer int64
	ended := row.NewOutcomesWriter(out)
	err = s.each(ctx, changed, blocked, func(e *row.Ended) error {
		counts[e.Outcome]++
		if newerHere(e) {
			newer++
		}
		return ended.Append(e)
	})
	if err != nil {
		return none, fmt.Errorf("write outcomes: %w", err)
	}
	if err := ended.Close(); err != nil {
		return none, fmt.Errorf("write outcomes: %w", err)
	}
	object, err := out.Close()
	if err != nil {
		return none, err
	}
	a := toApplied(s.job, counts, newer, object)
	if s.new > 0 {
		a.FirstMade, a.LastMade = uuid.NullUUID{UUID: s.ids.at(0), Valid: true}, uuid.NullUUID{UUID: s.ids.at(s.new - 1), Valid: true}
	}
	return a, nil
}

// each calls fn with what became of each row.
func (s *staging) each(ctx context.Context, changed *contactdb.RowList, blocked map[int64]uuid.UUID, fn func(*row.Ended) error) error {
	r, err := s.worker.blob.ReadVerified(ctx, s.job.verdicts)
	if err != nil {
		return err
	}
	defer r.Close()
	verdicts, err := row.NewVerdictsReader(r)
	if err != nil {
		return err
	}
	var news int64
	var e row.Ended
	for n, f := range s.fates.of {
		if n&0xfff == 0 {
			s.progress((s.job.rows+int64(n))/2, s.job.rows)
		}
		v, err := verdicts.Next()
		if err != nil {
			return fmt.Errorf("read verdict of row %d: %w", n, err)
		}
		if o, ok := s.overrides[int64(n)]; ok {
			v = &o
		}
		p := s.fates.pairs[f]
		e = row.Ended{Outcome: p.outcome, Reason: p.reason}
		switch p.action {
		case row.Nothing:
			s.job.explain(&e, v)
		case row.AddContact:
			e.Contact = s.ids.at(news)
			news++
		case row.UpdateContact:
			e.Contact = v.Contact
			did, kept, err := changed.Of(int64(n))
			if err != nil {
				return err
			}
			if !did {
				e.Outcome = row.Unchanged
			}
			if len(kept) > 0 {
				s.job.withheld(&e, kept)
			}
		}
		if other, ok := blocked[int64(n)]; ok {
			e = row.Ended{Outcome: row.Conflict, Contact: other, Reason: reasonDuplicate, Detail: fmt.Sprintf("contact %s has one of its keys", other)}
		}
		if err := fn(&e); err != nil {
			return err
		}
	}
	if _, err := verdicts.Next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read verdicts to their end: %w", s.source.short("verdicts", err))
	}
	return nil
}
