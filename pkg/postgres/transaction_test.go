package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// Last commits what came before and its own batch, or, if the server refuses any of it, nothing.
func TestLast(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	held := func(account uuid.UUID) (n int) {
		b := &pgx.Batch{}
		b.Queue(count).QueryRow(func(r pgx.Row) error { return r.Scan(&n) })
		if err := db.Read(t.Context(), account, b); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, c := range map[string]struct {
		first bool
		last  []string
		want  int
		kind  fault.Kind
	}{
		"alone":           {false, []string{"y"}, 1, fault.Internal},
		"behind others":   {true, []string{"y", "z"}, 3, fault.Internal},
		"empty":           {true, nil, 1, fault.Internal},
		"refused":         {true, []string{"y", "x", "z"}, 0, fault.Exists},
		"refused, alone":  {false, []string{"y", "y"}, 0, fault.Exists},
		"broken, earlier": {true, []string{"y", strings.Repeat("x", 20)}, 0, fault.Internal},
	} {
		account := id()
		err := db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			if c.first {
				if _, err := tx.Exec(ctx, insert, account, id(), "x"); err != nil {
					return err
				}
			}
			return postgres.Last(ctx, tx, inserts(account, c.last...))
		})
		if n := held(account); n != c.want || (err == nil) != (c.want > 0) || err != nil && fault.Of(err) != c.kind || errors.Is(err, postgres.ErrCommitUnknown) {
			t.Errorf("%s: %d rows, want %d; error %v", name, n, c.want, err)
		}
	}

	// What its answers are read by cannot keep the COMMIT from happening, so that it is not said to have.
	account := id()
	mine := errors.New("mine")
	err := db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		b := inserts(account, "x")
		b.Queue(count).QueryRow(func(pgx.Row) error { return mine })
		return postgres.Last(ctx, tx, b)
	})
	if n := held(account); n != 1 || !errors.Is(err, postgres.ErrCommitUnknown) || !errors.Is(err, mine) {
		t.Errorf("an answer that cannot be read: %d rows, error %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		cancel()
		return postgres.Last(ctx, tx, inserts(account, "y"))
	})
	if n := held(account); n != 1 || fault.Of(err) != fault.Cancelled {
		t.Errorf("cancelled before it: %d rows, error %v", n, err)
	}
	if s := db.Pool().Stat(); s.AcquiredConns() != 0 {
		t.Errorf("%d connections were not given back", s.AcquiredConns())
	}
}

// Read sees one account, and leaves nothing of it with the connection.
func TestRead(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	one, two := id(), id()
	add(t, db, one, "x")
	for account, want := range map[uuid.UUID]int{one: 1, two: 0} {
		n := -1
		b := &pgx.Batch{}
		b.Queue(count).QueryRow(func(r pgx.Row) error { return r.Scan(&n) })
		if err := db.Read(t.Context(), account, b); err != nil || n != want {
			t.Errorf("%d rows, want %d: %v", n, want, err)
		}
		if err := db.Pool().QueryRow(t.Context(), count).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows are seen without an account: %v", n, err)
		}
	}
	if err := db.Read(t.Context(), one, inserts(one, "y")); err == nil {
		t.Error("a reading wrote")
	}
	if err := db.Read(t.Context(), uuid.Nil, &pgx.Batch{}); err == nil {
		t.Error("a reading without account was let through")
	}
}

func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	for _, role := range []string{"mill", "mill_hand"} {
		db := d.Open(t, role, "mill")
		one, two := id(), id()
		add(t, db, one, role+" 1")
		add(t, db, one, role+" 2")
		add(t, db, two, role+" 3")

		var n int
		if err := db.InAccount(t.Context(), one, counted(&n)); err != nil || n != 2 {
			t.Errorf("%s in its account sees %d rows, want 2: %v", role, n, err)
		}
		if err := db.Snapshot(t.Context(), two, counted(&n)); err != nil || n != 1 {
			t.Errorf("%s in a snapshot sees %d rows, want 1: %v", role, n, err)
		}
		if err := db.Across(t.Context(), counted(&n)); err != nil || n < 3 {
			t.Errorf("%s across accounts sees %d rows, want all: %v", role, n, err)
		}
		// the same connections again, without account: after InAccount the setting is '' there, not NULL
		for range 10 {
			if err := db.Pool().QueryRow(t.Context(), count).Scan(&n); err != nil || n != 0 {
				t.Fatalf("%s without an account sees %d rows, want 0: %v", role, n, err)
			}
		}
	}
}

func TestForeignRowsCannotBeWritten(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	mine, other := id(), id()
	add(t, db, other, "x")
	err := db.InAccount(t.Context(), mine, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, other, id(), "y")
		return err
	})
	if fault.Of(err) != fault.Internal {
		t.Errorf("insert into another account: %v", err)
	}
	err = db.InAccount(t.Context(), mine, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "update job set name = 'z'")
		if tag.RowsAffected() != 0 {
			t.Errorf("update touched %d rows of another account", tag.RowsAffected())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.InAccount(t.Context(), uuid.Nil, counted(new(int))); err == nil {
		t.Error("a transaction without account was let through")
	}
}

func TestSnapshotMayNotWrite(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	account := id()
	err := db.Snapshot(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, account, id(), "x")
		return err
	})
	if err == nil {
		t.Error("a snapshot wrote")
	}
}

func TestFailureAndPanicRollBack(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	account := id()
	mine := errors.New("mine")
	put := func(ctx context.Context, tx pgx.Tx, then func() error) error {
		if _, err := tx.Exec(ctx, insert, account, id(), "x"); err != nil {
			return err
		}
		return then()
	}
	err := db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		return put(ctx, tx, func() error { return mine })
	})
	if !errors.Is(err, mine) {
		t.Errorf("got %v, want the function's own error", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			return put(ctx, tx, func() error { panic("bug") })
		})
	}()
	ctx, cancel := context.WithCancel(t.Context())
	err = db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		return put(ctx, tx, func() error { cancel(); return nil })
	})
	if fault.Of(err) != fault.Cancelled {
		t.Errorf("cancelled before commit: %v", err)
	}
	var n int
	if err := db.InAccount(t.Context(), account, counted(&n)); err != nil || n != 0 {
		t.Errorf("%d rows are left, want 0: %v", n, err)
	}
	if s := db.Pool().Stat(); s.AcquiredConns() != 0 {
		t.Errorf("%d connections were not given back", s.AcquiredConns())
	}
}

func TestSessionEndedByTheServer(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	db := d.Open(t, "mill", "mill")
	account := id()
	owner, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.Background())
	err = db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := owner.Exec(ctx, "select pg_terminate_backend($1, 5000)", tx.Conn().PgConn().PID()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, insert, account, id(), "x")
		return err
	})
	if fault.Of(err) != fault.Unavailable || errors.Is(err, postgres.ErrCommitUnknown) {
		t.Errorf("statement on an ended session: kind %s: %v", fault.Of(err), err)
	}

	// noticed by a function that lets it pass: nothing was sent, so nothing is unknown
	err = db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := owner.Exec(ctx, "select pg_terminate_backend($1, 5000)", tx.Conn().PgConn().PID()); err != nil {
			return err
		}
		_, _ = tx.Exec(ctx, insert, account, id(), "x")
		return nil
	})
	if fault.Of(err) != fault.Unavailable || errors.Is(err, postgres.ErrCommitUnknown) {
		t.Errorf("no session to commit on: kind %s: %v", fault.Of(err), err)
	}

	// ended between the last statement and COMMIT: the answer does not tell whether it came before or after
	for name, end := range map[string]func(context.Context, pgx.Tx) error{
		"COMMIT of its own":    func(context.Context, pgx.Tx) error { return nil },
		"COMMIT behind others": func(ctx context.Context, tx pgx.Tx) error { return postgres.Last(ctx, tx, inserts(account, "y")) },
	} {
		err = db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, insert, account, id(), "x"); err != nil {
				return err
			}
			if _, err := owner.Exec(ctx, "select pg_terminate_backend($1, 5000)", tx.Conn().PgConn().PID()); err != nil {
				return err
			}
			return end(ctx, tx)
		})
		if fault.Of(err) != fault.Unavailable || !errors.Is(err, postgres.ErrCommitUnknown) {
			t.Errorf("%s on an ended session: kind %s, unknown %t: %v", name, fault.Of(err), errors.Is(err, postgres.ErrCommitUnknown), err)
		}
	}
	var n int
	if err := db.InAccount(t.Context(), account, counted(&n)); err != nil || n != 0 {
		t.Errorf("%d rows are left, want 0: %v", n, err)
	}
}

// A transaction that stands still lets go of what it has locked; whoever waits for it goes on. One that only reads may stand.
func TestATransactionThatStandsStill(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	frozen, other := d.Impatient(t, "mill", "mill", 200*time.Millisecond), d.Open(t, "mill", "mill")
	account, row := id(), id()
	write := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, account, row, "x")
		return err
	}
	wrote := make(chan struct{})
	done := make(chan struct{})
	stood := make(chan error, 1)
	go func() {
		stood <- frozen.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			err := write(ctx, tx)
			close(wrote)
			<-done
			return err
		})
	}()
	<-wrote
	err := other.InAccount(t.Context(), account, write) // waits for whoever wrote the same row first
	close(done)
	if err != nil {
		t.Errorf("who came second: %v", err)
	}
	if err := <-stood; fault.Of(err) != fault.Unavailable {
		t.Errorf("who stood still: kind %s: %v", fault.Of(err), err)
	}

	for what, c := range map[string]struct {
		limit string
		in    func(context.Context, uuid.UUID, func(context.Context, pgx.Tx) error) error
	}{"InAccount": {"10s", other.InAccount}, "Snapshot": {"0", other.Snapshot}} {
		var limit string
		err := c.in(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, "show idle_in_transaction_session_timeout").Scan(&limit)
		})
		if err != nil || limit != c.limit {
			t.Errorf("%s may stand still for %q, want %q: %v", what, limit, c.limit, err)
		}
	}
}

func BenchmarkInAccount(b *testing.B) {
	d := postgrestest.DB(b, mill())
	db := d.Open(b, "mill", "mill")
	account := id()
	for b.Loop() {
		if err := db.InAccount(b.Context(), account, func(context.Context, pgx.Tx) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
