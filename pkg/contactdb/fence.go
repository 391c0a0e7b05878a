package contactdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
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
	AsOf        time.Time // when the values of its file were so; zero where that is not known
	UndoOf      uuid.UUID // the job that it takes back; uuid.Nil for none
}

// Applied is what is written with a job that took effect.
type Applied struct {
	Rows, Added, Updated, Unchanged, Duplicate, Unmatched, Invalid, Conflict, Held, Suppressed int64

	Removed   int64 // contacts that an undo removed; they are among Updated
	NewerHere int64 // rows with a value that is newer here

	ListID   uuid.NullUUID // of an undo: the list that it removed or made again
	ListName string        // the list that its contacts joined; of an undo, that which it removed

	OutcomesName   string
	OutcomesSize   int64
	OutcomesSHA256 string // hex

	FirstMade, LastMade uuid.NullUUID // between these lie the ids of the contacts it made
}

// startKey is where a connection keeps the start of its backend.
const startKey = "contactdb.start"

// backend is the session that the transaction runs in. It is asked once.
func (m *Merges) backend(ctx context.Context, tx pgx.Tx) (Backend, error) {
	conn := tx.Conn().PgConn()
	if own, ok := conn.CustomData()[startKey].(Backend); ok {
		return own, nil
	}
	var own Backend
	if err := tx.QueryRow(ctx, m.sql.OwnBackend).Scan(&own.PID, &own.Start); err != nil {
		return own, fmt.Errorf("read own backend: %w", err)
	}
	conn.CustomData()[startKey] = own
	return own, nil
}

// mark is the number by which a session at work on an account is known.
func mark(account uuid.UUID) int64 { return int64(binary.BigEndian.Uint64(account[8:])) }

// Raise puts up the job's fence in a transaction of its own: from its commit on no merge of the account with an older
// token can commit. A merge that is at work under an older token, or under the same one on another session, is ended.
// Behind the fence the job is looked up among those that took effect: that is the last word on it. The error is Stale if
// there is a newer token.
func (m *Merges) Raise(ctx context.Context, j Job, own Backend) (a Applied, found bool, err error) {
	a, found, raised, err := m.raiseFree(ctx, j, own)
	if err == nil && !raised || fault.Code(err) == "lock-timeout" {
		a, found, err = m.raiseTaken(ctx, j, own)
	}
	if err != nil {
		return a, false, fmt.Errorf("fence of account %s: %w", j.Account, err)
	}
	return a, found, nil
}

// raiseFree raises the fence of an account that nobody is at work on, in one round trip.
func (m *Merges) raiseFree(ctx context.Context, j Job, own Backend) (a Applied, found, raised bool, err error) {
	var rows int64
	var s script
	s.add("set up fence", m.sql.FenceSettings, j.Account.String())
	s.raise(m, j, own, false, &rows, &a, &found)
	err = postgres.Map(s.run(ctx, m.db.Pool()))
	return a, found, rows == 1, err
}

// raiseTaken raises it after it has ended whoever is at work.
func (m *Merges) raiseTaken(ctx context.Context, j Job, own Backend) (a Applied, found bool, err error) {
	err = m.db.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, m.sql.WorkSettings); err != nil {
			return fmt.Errorf("set up fence: %w", err)
		}
		var token int64
		var at Backend
		err := tx.QueryRow(ctx, m.sql.ReadFence, j.Account).Scan(&token, &at.PID, &at.Start)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return fmt.Errorf("read fence: %w", err)
		case token > j.Token:
			return stale(j)
		case at != own:
			// It may hold the lock of the fence's row, and if its client is frozen it holds it for good.
			if err := m.end(ctx, tx, j.Account, at); err != nil {
				return err
			}
		}
		var rows int64
		var s script
		s.raise(m, j, own, true, &rows, &a, &found)
		if err := s.run(ctx, tx); err != nil {
			return err
		}
		if rows == 0 {
			return stale(j)
		}
		return nil
	})
	return a, found, err
}

// raise is the two statements of a fence. The look-up sees all that was committed before the fence's row was locked, and
// until the fence is committed that lock keeps others from their own.
func (s *script) raise(m *Merges, j Job, own Backend, ended bool, rows *int64, a *Applied, found *bool) {
	s.count("raise fence", rows, m.sql.RaiseFence, j.Account, j.Token, j.ID, j.Number, own.PID, own.Start, ended)
	s.read("look up applied job", a.scan(found), m.sql.ReadApplied, j.Account, j.ID)
}

// end ends a backend that is at work on the account and waits until it is gone; one that is not is no error.
func (m *Merges) end(ctx context.Context, tx pgx.Tx, account uuid.UUID, b Backend) error {
	var gone bool
	err := tx.QueryRow(ctx, m.sql.EndBackend, b.PID, b.Start, endLimit.Milliseconds(), mark(account)).Scan(&gone)
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

// scan reads a job that took effect; found is false if it did not.
func (a *Applied) scan(found *bool) func(pgx.Row) error {
	return func(r pgx.Row) error {
		err := r.Scan(&a.Rows, &a.Added, &a.Updated, &a.Unchanged, &a.Duplicate, &a.Unmatched, &a.Invalid, &a.Conflict, &a.Held, &a.Suppressed,
			&a.OutcomesName, &a.OutcomesSize, &a.OutcomesSHA256, &a.FirstMade, &a.LastMade, &a.Removed, &a.NewerHere, &a.ListID, &a.ListName)
		*found = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	}
}

// Settle ends a session whose answer to COMMIT was lost, and then tells whether the job took effect.
func (m *Merges) Settle(ctx context.Context, j Job, own Backend) (a Applied, found bool, err error) {
	err = m.db.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) error {
		if err := m.end(ctx, tx, j.Account, own); err != nil {
			return err
		}
		return a.scan(&found)(tx.QueryRow(ctx, m.sql.ReadApplied, j.Account, j.ID))
	})
	return a, found, err
}

// Write locks the fence until the transaction ends and writes that the job took effect. What is done after it, nobody can
// overtake. The error is Stale if the fence is no longer the job's; counts that do not add up are refused by the database.
func (m *Merges) Write(ctx context.Context, tx pgx.Tx, j Job, a Applied) error {
	var held int64
	var s script
	s.count("lock fence", &held, m.sql.HoldFence, j.Account, j.Token)
	s.add("write applied job", m.sql.WriteApplied, j.Account, j.ID, j.Token, a.Rows, a.Added, a.Updated, a.Unchanged, a.Duplicate, a.Unmatched,
		a.Invalid, a.Conflict, a.Held, a.Suppressed, a.OutcomesName, a.OutcomesSize, a.OutcomesSHA256, a.FirstMade, a.LastMade,
		j.Number, nullTime(j.AsOf), uuid.NullUUID{UUID: j.UndoOf, Valid: j.UndoOf != uuid.Nil}, a.ListID, a.ListName, a.Removed, a.NewerHere)
	err := s.run(ctx, tx)
	if held == 0 && (err == nil || errors.Is(postgres.Map(err), fault.Exists)) {
		return stale(j) // the newer claim may have written it already
	}
	return err
}

// nullTime is a time as an argument; null for the zero one.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func stale(j Job) error {
	return fault.New(fault.Stale, "stale", "token %d is no longer the newest", j.Token)
}
