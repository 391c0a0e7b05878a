package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	reconcileEvery = time.Second
	reconcileBatch = 500 // jobs and accounts of one turn
)

// Reconciler ends leases that ran out, and has rung again what nobody came for. Several at once do no harm.
type Reconciler struct {
	ledger   *Ledger
	troubled bool
}

// NewReconciler returns the reconciler of a ledger.
func NewReconciler(l *Ledger) *Reconciler { return &Reconciler{ledger: l} }

// Run reconciles every second until ctx ends; it then returns nil.
func (r *Reconciler) Run(ctx context.Context) error {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		err := r.Once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !r.troubled {
			r.ledger.cfg.Log.Warn("reconciler in trouble", "error", err)
		} else if err == nil && r.troubled {
			r.ledger.cfg.Log.Info("reconciler works again")
		}
		r.troubled = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Once does what Run does every second. One job's trouble does not stop the others.
func (r *Reconciler) Once(ctx context.Context) error {
	l := r.ledger
	var errs []error
	ended, err := acrossAccounts[jobKey](ctx, l, l.across.EndedLeases, reconcileBatch)
	if err != nil {
		errs = append(errs, fmt.Errorf("find ended leases: %w", err))
	}
	for _, k := range ended {
		if err := l.endLeases(ctx, k); err != nil {
			errs = append(errs, fmt.Errorf("end leases of job %s: %w", k.Job, err))
		}
	}
	age := l.cfg.Lease.Seconds()
	if l.ringAll.Swap(false) {
		age = 0
	}
	late, err := acrossAccounts[accountRow](ctx, l, l.across.RungLongAgo, age, reconcileBatch)
	if err != nil {
		errs = append(errs, fmt.Errorf("find rings without an answer: %w", err))
	}
	for _, a := range late {
		if _, err := l.exec(ctx, a.Account, l.sql.RingAgain, a.Account, age); err != nil {
			errs = append(errs, fmt.Errorf("ring again: %w", err))
			continue
		}
		l.wake(wake{account: a.Account})
	}
	if age == 0 && (len(late) == reconcileBatch || len(errs) > 0) {
		l.ringAll.Store(true) // there are more
	}
	return errors.Join(errs...)
}

// endLeases ends the leases of a job that ran out.
func (l *Ledger) endLeases(ctx context.Context, k jobKey) error {
	_, err := l.withJob(ctx, k.Account, Ref{ID: k.Job}, loads{}, func(c *change) error {
		n := 0
		for _, s := range c.stages {
			if c.ended(s) {
				n++
				if err := c.endLease(s); err != nil {
					return err
				}
			}
		}
		if n == 0 {
			return errNothing
		}
		return nil
	})
	return err
}
