package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Schema is what one owner keeps in the database.
type Schema struct {
	Name  string   // of the schema, and of the role that uses it
	Roles []string // further roles that use it
	FS    fs.FS    // goose migrations, *.sql at the root or in migrations/
}

const (
	oldestServer  = 150000
	migrationLock = 0x636d_6d69_6772 // one migration at a time in a database
	lockInterval  = 200 * time.Millisecond
)

// Migrate brings the schemas of a database up to date: their roles, the schema itself, then each migration that was
// not applied yet, in a transaction of its own. Run by several at once, one works and the others wait; run again, it
// does nothing. ownerURL logs in the role that will own every table; it needs CREATEROLE and CREATE on the database.
//
// Row-level security is forced on the owner too: a migration that changes rows does so as <schema>_all.
func Migrate(ctx context.Context, ownerURL string, schemas ...Schema) error {
	cfg, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return fault.New(fault.Invalid, "bad-database-url", "the database address cannot be read")
	}
	configure(cfg, "public")
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect as owner: %w", Map(err))
	}
	defer conn.Close(context.WithoutCancel(ctx)) // ends the session and with it the lock

	if err := checkServer(ctx, conn); err != nil {
		return err
	}
	if err := lock(ctx, conn); err != nil {
		return fmt.Errorf("lock migrations: %w", Map(err))
	}
	for _, s := range schemas {
		if err := s.check(); err != nil {
			return err
		}
		if err := ensure(ctx, conn, s); err != nil {
			return fmt.Errorf("prepare roles of schema %s: %w", s.Name, Map(err))
		}
		if err := migrate(ctx, cfg, s); err != nil {
			return fmt.Errorf("migrate schema %s: %w", s.Name, Map(err))
		}
		if _, err := conn.Exec(ctx, "grant select on "+s.versionTable()+" to "+s.grantees()); err != nil {
			return fmt.Errorf("show version of schema %s: %w", s.Name, Map(err))
		}
	}
	return nil
}

// CheckVersion tells whether the database is at the version that this program was built with, and whether its login
// is one that row-level security binds. A service calls it before it does anything. All its refusals are Precondition.
func CheckVersion(ctx context.Context, db *DB, s Schema) error {
	want, err := s.newest()
	if err != nil {
		return err
	}
	have, err := version(ctx, db, s)
	if err != nil {
		return fmt.Errorf("read version of schema %s: %w", s.Name, err)
	}
	switch {
	case have < want:
		return fault.New(fault.Precondition, "schema-old", "schema %s is at version %d, this program needs %d", s.Name, have, want).
			Hint("run the migration first")
	case have > want:
		return fault.New(fault.Precondition, "schema-new", "schema %s is at version %d, this program knows %d: it is the state of a newer version", s.Name, have, want).
			Hint("start the newer version of the program")
	}
	return db.checkRole(ctx)
}

// version is the newest applied migration, 0 if there was none.
func version(ctx context.Context, db *DB, s Schema) (int64, error) {
	var v int64
	err := db.pool.QueryRow(ctx, "select coalesce(max(version_id), 0) from "+s.versionTable()+" where is_applied").Scan(&v)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "42P01" || e.Code == "3F000" || e.Code == "42501") {
		return 0, nil // no such table, schema, or not shown to us yet
	}
	return v, Map(err)
}

// checkRole refuses a login that sees every account without being asked to.
func (db *DB) checkRole(ctx context.Context) error {
	var free, inherits bool
	err := db.pool.QueryRow(ctx, `select rolsuper or rolbypassrls, pg_has_role(current_user, $1, 'USAGE') from pg_roles where rolname = current_user`,
		db.schema+"_all").Scan(&free, &inherits)
	if err != nil {
		return fmt.Errorf("read rights of the database login: %w", Map(err))
	}
	if free || inherits {
		return fault.New(fault.Precondition, "login-too-mighty", "the database login of schema %s is not bound by row-level security", db.schema).
			Hint("log in as the role that the migration made for it, not as owner or superuser")
	}
	return nil
}

func migrate(ctx context.Context, cfg *pgx.ConnConfig, s Schema) error {
	cfg = cfg.Copy()
	configure(cfg, s.Name)
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	files, err := s.files()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(s.versionTable()),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// lock asks again and again, as a waiting pg_advisory_lock would hold a snapshot that CREATE INDEX CONCURRENTLY waits for.
func lock(ctx context.Context, conn *pgx.Conn) error {
	for {
		var got bool
		if err := conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", int64(migrationLock)).Scan(&got); err != nil || got {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockInterval/2 + rand.N(lockInterval)):
		}
	}
}

func checkServer(ctx context.Context, conn *pgx.Conn) error {
	var v int
	if err := conn.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&v); err != nil {
		return fmt.Errorf("read version of the server: %w", Map(err))
	}
	if v < oldestServer {
		return fault.New(fault.Precondition, "server-old", "the server is PostgreSQL %d, the oldest that will do is 15", v/10000)
	}
	return nil
}

// files are the migrations at the root of what is returned.
func (s Schema) files() (fs.FS, error) {
	for _, dir := range []string{".", "migrations"} {
		if found, err := fs.Glob(s.FS, path.Join(dir, "*.sql")); err != nil {
			return nil, err
		} else if len(found) > 0 {
			return fs.Sub(s.FS, dir)
		}
	}
	return nil, fmt.Errorf("schema %s has no migrations", s.Name)
}

// newest is the highest version among the migrations.
func (s Schema) newest() (int64, error) {
	files, err := s.files()
	if err != nil {
		return 0, err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, n := range names {
		v, err := goose.NumericComponent(n)
		if err != nil {
			return 0, fmt.Errorf("migration %s of schema %s: %w", n, s.Name, err)
		}
		newest = max(newest, v)
	}
	return newest, nil
}

func (s Schema) versionTable() string { return s.Name + ".schema_version" }
