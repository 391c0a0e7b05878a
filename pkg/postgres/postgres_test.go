package postgres_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mill is a schema as services have them; its second role stands for merge.
func mill() postgres.Schema {
	return postgres.Schema{Name: "mill", Roles: []string{"mill_hand"}, FS: os.DirFS("testdata/mill")}
}

func id() uuid.UUID { return uuid.Must(uuid.NewV7()) }

const (
	insert = "insert into job (account_id, id, name) values ($1, $2, $3)"
	count  = "select count(*) from job"
)

func add(t *testing.T, db *postgres.DB, account uuid.UUID, name string) {
	t.Helper()
	err := db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, account, id(), name)
		return err
	})
	if err != nil {
		t.Fatalf("add %s: %v", name, err)
	}
}

func counted(n *int) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, count).Scan(n) }
}

// inserts is a batch of one row for each name.
func inserts(account uuid.UUID, names ...string) *pgx.Batch {
	b := &pgx.Batch{}
	for _, name := range names {
		b.Queue(insert, account, id(), name)
	}
	return b
}

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

func TestErrorsTellNoValues(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	account := id()
	const secret = "ada@example.com"
	add(t, db, account, secret)
	for name, c := range map[string]struct {
		sql        string
		args       []any
		kind       fault.Kind
		constraint string
	}{
		"unique":      {insert, []any{account, id(), secret}, fault.Exists, "job_name_once"},
		"check":       {insert, []any{account, id(), secret + secret}, fault.Internal, "job_name_short"},
		"not null":    {"insert into job (account_id, id, name, done) values ($1, null, $2, null)", []any{account, secret}, fault.Internal, ""},
		"bad text":    {"select $1::text::uuid", []any{secret}, fault.Internal, ""},
		"bad date":    {"update job set done = name::date", nil, fault.Internal, ""},
		"bad encode":  {"select $1::int", []any{secret + "\n" + secret}, fault.Internal, ""},
		"no table":    {"select * from no_such_table", nil, fault.Internal, ""},
		"lock failed": {"do $$ begin raise exception using errcode = '55P03', detail = '" + secret + "'; end $$", nil, fault.Aborted, ""},
	} {
		err := db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, c.sql, c.args...)
			if err != nil {
				err = wrap{"try it: ", err}
			}
			return err
		})
		if fault.Of(err) != c.kind || postgres.Constraint(err) != c.constraint {
			t.Errorf("%s: kind %s, constraint %q, want %s, %q: %v", name, fault.Of(err), postgres.Constraint(err), c.kind, c.constraint, err)
		}
		if strings.Contains(err.Error(), "ada@") || !strings.Contains(err.Error(), "try it") {
			t.Errorf("%s: the text tells a value or has lost its context: %v", name, err)
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Detail != "" || e.Where != "" || strings.Contains(e.Message, "ada@")) {
			t.Errorf("%s: the server's error is there with its values", name)
		}
	}
}

type wrap struct {
	text string
	err  error
}

func (w wrap) Error() string { return w.text + w.err.Error() }
func (w wrap) Unwrap() error { return w.err }

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

func TestForeignNetworkErrorIsNotTheDatabases(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, mill()).Open(t, "mill", "mill")
	err := db.InAccount(t.Context(), id(), func(context.Context, pgx.Tx) error { return io.ErrUnexpectedEOF })
	if !errors.Is(err, io.ErrUnexpectedEOF) || fault.Of(err) != fault.Internal {
		t.Errorf("got %v of kind %s, want the error as it was", err, fault.Of(err))
	}
}

func TestOpenSaysWhy(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	for name, c := range map[string]struct {
		url, schema string
		kind        fault.Kind
	}{
		"bad url":        {"postgres://mill:secret@:bad:/x", "mill", fault.Invalid},
		"bad schema":     {d.URL("mill"), "mill; drop", fault.Invalid},
		"nobody there":   {"postgres://mill:secret@127.0.0.1:1/x", "mill", fault.Unavailable},
		"wrong password": {strings.Replace(d.URL("mill"), ":test@", ":secret@", 1), "mill", fault.Unavailable},
		"no database":    {strings.Replace(d.URL("mill"), d.Name, "no_such", 1), "mill", fault.Unavailable},
	} {
		db, err := postgres.Open(t.Context(), c.url, postgres.Options{Schema: c.schema})
		if err == nil {
			if name != "wrong password" { // a server that trusts everybody takes any
				t.Errorf("%s: opened", name)
			}
			db.Close()
			continue
		}
		if fault.Of(err) != c.kind || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: kind %s, want %s: %v", name, fault.Of(err), c.kind, err)
		}
	}
}

func TestStatementPreparedBeforeAMigration(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	db, err := postgres.Open(t.Context(), d.URL("mill"), postgres.Options{Schema: "mill", MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := func() error {
		return db.InAccount(t.Context(), id(), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "select * from job where account_id = $1", id())
			return err
		})
	}
	if err := all(); err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.Background())
	if _, err := owner.Exec(t.Context(), "alter table mill.job add more text"); err != nil {
		t.Fatal(err)
	}
	if err := all(); fault.Of(err) != fault.Aborted {
		t.Errorf("first use after it: %v, want Aborted", err)
	}
	if err := all(); err != nil {
		t.Errorf("tried again: %v", err)
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

func TestMapOfStates(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]fault.Kind{
		"23505": fault.Exists, "40001": fault.Aborted, "40P01": fault.Aborted, "55P03": fault.Aborted, "57P01": fault.Unavailable,
		"57P03": fault.Unavailable, "53300": fault.Unavailable, "53100": fault.Exhausted, "08006": fault.Unavailable, "57014": fault.Deadline,
		"42601": fault.Internal, "23503": fault.Internal, "": fault.Internal,
	} {
		if got := fault.Of(postgres.Map(&pgconn.PgError{Code: code, Severity: "ERROR"})); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
	if err := postgres.Map(pgx.ErrNoRows); err != pgx.ErrNoRows {
		t.Errorf("Map(ErrNoRows) = %v", err)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	files := os.DirFS("testdata")
	type all struct{ InsertJob, JobByID, CreateStaging, CountStaging string }
	q, err := postgres.Queries[all](files, "sql")
	if err != nil || !strings.HasPrefix(q.JobByID, "SELECT name") || !strings.HasPrefix(q.InsertJob, "INSERT") {
		t.Errorf("Queries = %+v, %v", q, err)
	}
	type more struct{ InsertJob, JobByID, CreateStaging, CountStaging, Missing string }
	if _, err := postgres.Queries[more](files, "sql"); err == nil || !strings.Contains(err.Error(), "missing.sql") {
		t.Errorf("a field without its file: %v", err)
	}
	type fewer struct{ InsertJob, JobByID, CreateStaging string }
	if _, err := postgres.Queries[fewer](files, "sql"); err == nil || !strings.Contains(err.Error(), "count_staging.sql") {
		t.Errorf("a file without its field: %v", err)
	}
	if _, err := postgres.Statements(fstest.MapFS{"sql/a.sql": {Data: []byte(" \n")}}, "sql"); err == nil {
		t.Error("an empty file was taken")
	}
	if _, err := postgres.Statements(files, "nowhere"); err == nil {
		t.Error("a directory without statements was taken")
	}
	postgrestest.PrepareAll(t, postgrestest.DB(t, mill()).Open(t, "mill", "mill"), files, "sql", "create_staging")
}

// overlay is the migrations of mill and one more.
func overlay(t *testing.T, name, sql string) fs.FS {
	t.Helper()
	first, err := os.ReadFile("testdata/mill/00001_jobs.sql")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"migrations/00001_jobs.sql": {Data: first}, "migrations/" + name: {Data: []byte(sql)}}
}
