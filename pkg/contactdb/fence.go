package contactdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
)

// endLimit is how long a fence waits for the backend of an older merge to end.
const endLimit = 10 * time.Second

// Backend is a session of the database server.
type Backend struct {
	PID   int32
	Start time.Time // tells it from a later one with the same number
}

// Job is a job that is to be applied, under the token of its claim.
type Job struct {
	Account, ID uuid.UUID
	Number      int64 // within the account
	Token       int64
}

// Applied is what is written with a job that took effect.
type Applied struct {
	Rows, Added, Updated, Unchanged, Duplicate, Unmatched, Invalid, Conflict, Held, Suppressed int64

	OutcomesName   string
	OutcomesSize   int64
	OutcomesSHA256 string // hex

	FirstMade, LastMade uuid.NullUUID // between these lie the ids of the contacts it made
}

// Backend is the session that the transaction runs in.
func (m *Merges) Backend(ctx context.Context, tx pgx.Tx) (Backend, error) {
	var b Backend
	if err := tx.QueryRow(ctx, m.sql.OwnBackend).Scan(&b.PID, &b.Start); err != nil {
		return b, fmt.Errorf("read own backend: %w", err)
	}
	return b, nil
}

// Raise puts up the job's fence in a transaction of its own: from its commit on no merge of the account with an older
// token can commit. A merge that is at work under an older token, or under the same one on another session, is ended.
// The error is Stale if there is a newer token.
func (m *Merges) Raise(ctx context.Context, j Job, own Backend) error {
	err := m.db.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) error {
		var token int64
		var at Backend
		err := tx.QueryRow(ctx, m.sql.ReadFence, j.Account).Scan(&token, &at.PID, &at.Start)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return fmt.Errorf("read fence: %w", err)
		case token > j.Token:
			return stale(j)
		case at.PID != own.PID || !at.Start.Equal(own.Start):
			// It may hold the lock of the fence's row, and if its client is frozen it holds it for good.
			if err := m.end(ctx, tx, at); err != nil {
				return err
			}
		}
		if err := m.Settings(ctx, tx); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, m.sql.RaiseFence, j.Account, j.Token, j.ID, j.Number, own.PID, own.Start)
		if err != nil {
			return fmt.Errorf("raise fence: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return stale(j)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fence of account %s: %w", j.Account, err)
	}
	return nil
}

// end ends a backend and waits until it is gone; one that is gone already is no error.
func (m *Merges) end(ctx context.Context, tx pgx.Tx, b Backend) error {
	var gone bool
	err := tx.QueryRow(ctx, m.sql.EndBackend, b.PID, b.Start, endLimit.Milliseconds()).Scan(&gone)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end older merge: %w", err)
	}
	if !gone {
		return fault.New(fault.Aborted, "older-merge-at-work", "an older merge of the account does not end")
	}
	return nil
}

// Hold locks the fence until the transaction ends; Stale if it is no longer the job's. What is done after it, nobody can
// overtake.
func (m *Merges) Hold(ctx context.Context, tx pgx.Tx, j Job) error {
	var token int64
	if err := tx.QueryRow(ctx, m.sql.LockFence, j.Account).Scan(&token); err != nil {
		return fmt.Errorf("lock fence: %w", err)
	}
	if token != j.Token {
		return stale(j)
	}
	return nil
}

// Overtaken is Stale if a newer token has raised the fence. It locks nothing, so the answer may be old at once: it saves
// work, and [Merges.Hold] decides.
func (m *Merges) Overtaken(ctx context.Context, tx pgx.Tx, j Job) error {
	var token int64
	var at Backend
	if err := tx.QueryRow(ctx, m.sql.ReadFence, j.Account).Scan(&token, &at.PID, &at.Start); err != nil {
		return fmt.Errorf("read fence: %w", err)
	}
	if token != j.Token {
		return stale(j)
	}
	return nil
}

// Find looks a job up among those that took effect; false if it did not. Only behind a fence is that the last word.
func (m *Merges) Find(ctx context.Context, tx pgx.Tx, account, job uuid.UUID) (Applied, bool, error) {
	var a Applied
	err := tx.QueryRow(ctx, m.sql.ReadApplied, account, job).Scan(&a.Rows, &a.Added, &a.Updated, &a.Unchanged, &a.Duplicate, &a.Unmatched,
		&a.Invalid, &a.Conflict, &a.Held, &a.Suppressed, &a.OutcomesName, &a.OutcomesSize, &a.OutcomesSHA256,
		&a.FirstMade, &a.LastMade)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, false, nil
	}
	if err != nil {
		return a, false, fmt.Errorf("look up applied job: %w", err)
	}
	return a, true, nil
}

// Settle ends a session whose answer to COMMIT was lost, and then tells whether the job took effect.
func (m *Merges) Settle(ctx context.Context, j Job, own Backend) (a Applied, found bool, err error) {
	err = m.db.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) error {
		if err := m.end(ctx, tx, own); err != nil {
			return err
		}
		a, found, err = m.Find(ctx, tx, j.Account, j.ID)
		return err
	})
	return a, found, err
}

// Write writes that the job took effect. Counts that do not add up are refused by the database.
func (m *Merges) Write(ctx context.Context, tx pgx.Tx, j Job, a Applied) error {
	_, err := tx.Exec(ctx, m.sql.WriteApplied, j.Account, j.ID, j.Token, a.Rows, a.Added, a.Updated, a.Unchanged, a.Duplicate, a.Unmatched,
		a.Invalid, a.Conflict, a.Held, a.Suppressed, a.OutcomesName, a.OutcomesSize, a.OutcomesSHA256,
		a.FirstMade, a.LastMade)
	if err != nil {
		return fmt.Errorf("write applied job: %w", err)
	}
	return nil
}

func stale(j Job) error {
	return fault.New(fault.Stale, "stale", "token %d is no longer the newest", j.Token)
}
