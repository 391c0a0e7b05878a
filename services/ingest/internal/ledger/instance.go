package ledger

import (
	"context"
	"fmt"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// StartInstance begins a life of an instance: it ends the leases that earlier lives of it still hold, and returns how
// many. From then on an earlier life claims nothing. Idempotent; a life that was itself superseded is Stale.
func (l *Ledger) StartInstance(ctx context.Context, life Life) (ended int, err error) {
	if err := life.check(); err != nil {
		return 0, err
	}
	// First no claim of an earlier life can succeed any more, then those that had are looked for: each claim locks its
	// life's row at its end.
	superseded := false
	err = pgx.BeginFunc(ctx, l.db.Pool(), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(l.sql.LockInstance, life.Instance)
		b.Queue(l.sql.StartLife, life.Instance, life.Incarnation).QueryRow(func(r pgx.Row) error { return r.Scan(&superseded) })
		if err := send(ctx, tx, b); err != nil || superseded {
			return err
		}
		b = &pgx.Batch{}
		b.Queue(l.sql.Supersede, life.Instance, life.Incarnation)
		b.Queue(l.sql.ForgetLives)
		return send(ctx, tx, b)
	})
	if err != nil {
		return 0, fmt.Errorf("start instance %s: %w", life.Instance, postgres.Map(err))
	}
	if superseded {
		return 0, errSuperseded()
	}
	held, err := acrossAccounts[jobKey](ctx, l, l.across.HeldByEarlierLives, life.Instance, life.Incarnation)
	if err != nil {
		return 0, fmt.Errorf("find leases of earlier lives of %s: %w", life.Instance, err)
	}
	for _, k := range held {
		n := 0
		_, err := l.withJob(ctx, k.Account, Ref{ID: k.Job}, loads{}, func(c *change) error {
			for _, s := range c.stages {
				if s.State == claimed && *s.Instance == life.Instance && *s.Incarnation != life.Incarnation {
					n++
					if err := c.loseInstance(s); err != nil {
						return err
					}
				}
			}
			if n == 0 {
				return errNothing
			}
			return nil
		})
		if err != nil {
			return ended, fmt.Errorf("end leases of earlier lives of %s on job %s: %w", life.Instance, k.Job, err)
		}
		ended += n
	}
	return ended, nil
}

// jobKey names a job of any account.
type jobKey struct {
	Account uuid.UUID `db:"account_id"`
	Job     uuid.UUID `db:"job_id"`
}

func (f Life) check() error {
	if f.Instance == "" || len(f.Instance) > 255 || f.Incarnation == uuid.Nil {
		return fault.New(fault.Invalid, "bad-instance", "an instance has a name of up to 255 bytes and an incarnation")
	}
	return nil
}

func (s *stageRow) life() *Life {
	return &Life{Instance: *s.Instance, Incarnation: *s.Incarnation}
}

func errSuperseded() error {
	return fault.New(fault.Stale, "instance-superseded", "a later life of this instance has started")
}

// acrossAccounts runs one of the listed queries that see every account.
func acrossAccounts[T any](ctx context.Context, l *Ledger, sql string, args ...any) ([]T, error) {
	var found []T
	err := l.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
		return err
	})
	return found, err
}
