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
