// Package postgrestest gives each test a database of its own, in a fraction of a second: a clone of a template that
// the first test migrated.
package postgrestest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/postgres"
)

const (
	// Env names the address of a throw-away server, with a superuser's login.
	Env = "CONTACTMILL_TEST_POSTGRES"

	password     = "test"
	format       = "1" // of the templates; raise it when the way they are made changes
	templateLock = 0x636d_7465_7374
	limit        = time.Minute // for making or dropping a database on a busy machine
)

// Database is one test's own. It is dropped when the test ends.
type Database struct {
	Name     string
	OwnerURL string // superuser; sees all rows
	base     *url.URL
}

// DB makes a database with the schemas migrated and every role of theirs able to log in. Needs Env.
func DB(t testing.TB, schemas ...postgres.Schema) *Database {
	t.Helper()
	base := server(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	admin := connect(ctx, t, base.String())
	defer admin.Close(ctx)

	template := "template_" + hash(t, schemas)
	if !exists(ctx, t, admin, template) {
		migrated(ctx, t, admin, base, template, schemas)
	}
	d := &Database{Name: "test_" + strings.ToLower(rand.Text()[:16]), base: base}
	d.OwnerURL = in(base, d.Name).String()
	exec(ctx, t, admin, "create database "+d.Name+" template "+template)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		admin := connect(ctx, t, base.String())
		defer admin.Close(ctx)
		exec(ctx, t, admin, "drop database "+d.Name+" with (force)")
	})
	return d
}

// URL is the address for a role of one of the schemas.
func (d *Database) URL(role string) string {
	u := in(d.base, d.Name)
	u.User = url.UserPassword(role, password)
	return u.String()
}

// Admit lets the roles of schemas log in that a test migrates itself. Roles are the server's: without it they may only because
// another test has let them.
func (d *Database) Admit(t testing.TB, schemas ...postgres.Schema) {
	t.Helper()
	admit(t.Context(), t, d.OwnerURL, schemas)
}

func admit(ctx context.Context, t testing.TB, owner string, schemas []postgres.Schema) {
	t.Helper()
	passwords := map[string]string{}
	for _, s := range schemas {
		for _, role := range s.Users() {
			passwords[role] = password
		}
	}
	if err := postgres.SetPasswords(ctx, owner, passwords); err != nil {
		t.Fatalf("let roles log in: %v", err)
	}
}

// Open opens the database as a role, and closes it before the database is dropped.
func (d *Database) Open(t testing.TB, role, schema string) *postgres.DB {
	t.Helper()
	return open(t, d.URL(role), schema)
}

// Impatient is as Open, with sessions that end when they do nothing in a transaction for so long.
func (d *Database) Impatient(t testing.TB, role, schema string, limit time.Duration) *postgres.DB {
	t.Helper()
	u, err := url.Parse(d.URL(role))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("idle_in_transaction_session_timeout", fmt.Sprintf("%dms", limit.Milliseconds()))
	u.RawQuery = q.Encode()
	return open(t, u.String(), schema)
}

func open(t testing.TB, address, schema string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), address, postgres.Options{Schema: schema, MaxConns: 8})
	if err != nil {
		t.Fatalf("open test database for schema %s: %v", schema, err)
	}
	t.Cleanup(db.Close)
	return db
}

// PrepareAll prepares each .sql file of a directory as the service's role would. The statements of the files named in
// first (without .sql) are executed before, in that order, for those that make what others need, say a temporary table.
func PrepareAll(t testing.TB, db *postgres.DB, files fs.FS, dir string, first ...string) {
	t.Helper()
	texts, err := postgres.Statements(files, dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	tx, err := db.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for _, n := range first {
		if texts[n] == "" {
			t.Fatalf("there is no statement %s.sql", n)
		}
		if _, err := tx.Exec(ctx, texts[n]); err != nil {
			t.Fatalf("execute %s.sql: %v", n, err)
		}
	}
	for n, text := range texts {
		if slices.Contains(first, n) {
			continue
		}
		nested, err := tx.Begin(ctx) // a savepoint, so that one bad statement does not hide the next
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nested.Prepare(ctx, "check_"+n, text); err != nil {
			t.Errorf("prepare %s.sql: %v", n, err)
		}
		if err := nested.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func server(t testing.TB) *url.URL {
	t.Helper()
	s := os.Getenv(Env)
	if s == "" {
		t.Fatalf("this test needs PostgreSQL, and %s does not say where it is: run it by `make test`, or by `go run ./deploy/standalone/cmd/parts -- go test ...`", Env)
	}
	u, err := url.Parse(s)
	if err != nil {
		t.Fatalf("%s is no address", Env)
	}
	return u
}

// migrated makes the template: it migrates a database under a working name and then renames it, so that a template is complete or not there.
// The lock is that of one server: test programs of several packages run at once.
func migrated(ctx context.Context, t testing.TB, admin *pgx.Conn, base *url.URL, template string, schemas []postgres.Schema) {
	t.Helper()
	exec(ctx, t, admin, fmt.Sprintf("select pg_advisory_lock(%d)", templateLock)) // until admin is closed
	if exists(ctx, t, admin, template) {
		return
	}
	work := template + "_work"
	exec(ctx, t, admin, "drop database if exists "+work+" with (force)")
	exec(ctx, t, admin, "create database "+work+" template template0")
	owner := in(base, work).String()
	if err := postgres.Migrate(ctx, owner, schemas...); err != nil {
		t.Fatalf("migrate template: %v", err)
	}
	admit(ctx, t, owner, schemas)
	exec(ctx, t, admin, "alter database "+work+" rename to "+template)
	exec(ctx, t, admin, fmt.Sprintf("select pg_advisory_unlock(%d)", templateLock))
}

// hash names a set of migrations by what they contain.
func hash(t testing.TB, schemas []postgres.Schema) string {
	t.Helper()
	h := sha256.New()
	fmt.Fprintln(h, format)
	for _, s := range schemas {
		fmt.Fprintln(h, s.Name, s.Roles)
		err := fs.WalkDir(s.FS, ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := fs.ReadFile(s.FS, name)
			fmt.Fprintf(h, "%s %d %s\n", name, len(b), b)
			return err
		})
		if err != nil {
			t.Fatalf("read migrations of schema %s: %v", s.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func in(base *url.URL, database string) *url.URL {
	u := *base
	u.Path = "/" + database
	return &u
}

func connect(ctx context.Context, t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect to the server of %s: %v", Env, err)
	}
	return conn
}

func exists(ctx context.Context, t testing.TB, conn *pgx.Conn, database string) bool {
	t.Helper()
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&there); err != nil {
		t.Fatalf("look for database %s: %v", database, err)
	}
	return there
}

func exec(ctx context.Context, t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
