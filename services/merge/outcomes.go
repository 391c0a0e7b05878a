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
		read := w.contacts.Changed
		if s.job.planning {
			read = w.contacts.Planned
		}
		if changed, err = read(ctx, tx, s.change(h)); err != nil {
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
	planned, err := s.worker.plan(ctx, s.job)
	if err != nil {
		return err
	}
	defer planned.close()
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
		applied := false
		switch {
		case p.action == row.Nothing:
			s.job.explain(&e, v)
		case p.action == row.AddContact && !p.held:
			e.Contact = s.ids.at(news)
			news++
			applied = true
		case p.action == row.UpdateContact:
			e.Contact = v.Contact
			if applied = !p.held; !applied {
				break
			}
			did, err := changed.Of(int64(n))
			if err != nil {
				return err
			}
			if !did.Changed {
				e.Outcome = row.Unchanged
			}
			if len(did.Kept) > 0 {
				s.job.withheld(&e, did.Kept)
			}
			e.Effect = did.Effect
		}
		if other, ok := blocked[int64(n)]; ok {
			e = row.Ended{Outcome: row.Conflict, Contact: other, Reason: reasonDuplicate, Detail: fmt.Sprintf("contact %s has one of its keys", other)}
			applied = false
		}
		was, err := planned.next()
		switch {
		case err != nil:
			return err
		case was == nil:
		case applied && e.Outcome != was.Outcome:
			return fault.New(fault.Internal, "plan-missed", "row %d was applied and not as planned", n)
		case !applied && (p.held || blocked[int64(n)] != uuid.Nil):
			e = heldFor(was, &e)
		}
		if err := fn(&e); err != nil {
			return err
		}
	}
	if err := planned.end(); err != nil {
		return err
	}
	if _, err := verdicts.Next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read verdicts to their end: %w", s.source.short("verdicts", err))
	}
	return nil
}
