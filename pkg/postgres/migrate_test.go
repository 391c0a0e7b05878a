package postgres_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

func TestMigrateBySeveralAtOnce(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t) // an empty one
	other := postgrestest.DB(t)
	var g errgroup.Group
	for range 3 {
		for _, url := range []string{d.OwnerURL, other.OwnerURL} {
			g.Go(func() error {
				return postgres.Migrate(t.Context(), url, mill(), postgres.Schema{Name: "second", FS: second()})
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	d.Admit(t, mill())
	if err := postgres.CheckVersion(t.Context(), d.Open(t, "mill", "mill"), mill()); err != nil {
		t.Error(err)
	}
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	db := d.Open(t, "mill", "mill")
	newer := mill()
	newer.FS = overlay(t, "00002_more.sql", "-- +goose Up\nCREATE TABLE more (id uuid);\n")

	if err := postgres.CheckVersion(t.Context(), db, mill()); err != nil {
		t.Errorf("same version: %v", err)
	}
	if err := postgres.CheckVersion(t.Context(), db, newer); fault.Code(err) != "schema-old" || fault.HintOf(err) != "run the migration first" {
		t.Errorf("older database: %v", err)
	}
	if err := postgres.Migrate(t.Context(), d.OwnerURL, newer); err != nil {
		t.Fatal(err)
	}
	if err := postgres.CheckVersion(t.Context(), db, newer); err != nil {
		t.Errorf("after the migration: %v", err)
	}
	if err := postgres.CheckVersion(t.Context(), db, mill()); fault.Code(err) != "schema-new" {
		t.Errorf("newer database: %v", err)
	}
	if err := postgres.CheckVersion(t.Context(), db, postgres.Schema{Name: "second", FS: second()}); fault.Code(err) != "schema-old" {
		t.Errorf("no schema at all: %v", err)
	}
}

func TestCheckVersionRefusesTheOwner(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	owner, err := postgres.Open(t.Context(), d.OwnerURL, postgres.Options{Schema: "mill"})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if err := postgres.CheckVersion(t.Context(), owner, mill()); fault.Code(err) != "login-too-mighty" {
		t.Errorf("as superuser: %v", err)
	}
}

func TestFailedMigrationLeavesTheEarlierOnes(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t)
	bad := mill()
	bad.FS = overlay(t, "00002_bad.sql", "-- +goose Up\nCREATE TABLE more (id uuid);\nCREATE TABLE more (id uuid);\n")
	if err := postgres.Migrate(t.Context(), d.OwnerURL, bad); err == nil {
		t.Fatal("a bad migration went through")
	}
	conn, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var version int
	var more *string
	if err := conn.QueryRow(t.Context(), "select max(version_id), to_regclass('mill.more')::text from mill.schema_version").Scan(&version, &more); err != nil {
		t.Fatal(err)
	}
	if version != 1 || more != nil {
		t.Errorf("version %d, table %v, want version 1 and no table", version, more)
	}
	if err := postgres.Migrate(t.Context(), d.OwnerURL, postgres.Schema{Name: "empty", FS: os.DirFS(t.TempDir())}); err == nil {
		t.Error("a schema without migrations went through")
	}
}

func TestOwnerThatIsNoSuperuser(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t)
	super, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(t.Context())
	for _, sql := range []string{
		"create role " + d.Name + "_owner createrole login password 'test'",
		"grant create on database " + d.Name + " to " + d.Name + "_owner",
	} {
		if _, err := super.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s := postgres.Schema{Name: d.Name + "_s", FS: second()}
	if err := postgres.Migrate(t.Context(), d.URL(d.Name+"_owner"), s); err != nil {
		t.Errorf("migrate as a plain owner: %v", err)
	}
	if err := postgres.SetPasswords(t.Context(), d.URL(d.Name+"_owner"), map[string]string{s.Name: "test"}); err != nil {
		t.Errorf("set a password as a plain owner: %v", err)
	}
	if err := postgres.CheckVersion(t.Context(), d.Open(t, s.Name, s.Name), s); err != nil {
		t.Error(err)
	}
}

func TestSetPasswordsRefuses(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	for role, password := range map[string]string{"mill": "", "mill_hand": "pä", "a'b": "x"} {
		if err := postgres.SetPasswords(t.Context(), d.OwnerURL, map[string]string{role: password}); fault.Of(err) != fault.Invalid {
			t.Errorf("SetPasswords(%q: %q) = %v, want Invalid", role, password, err)
		}
	}
}

// second is another owner's schema.
func second() fstest.MapFS {
	return fstest.MapFS{"00001_first.sql": {Data: []byte("-- +goose Up\nCREATE TABLE first (id uuid);\n")}}
}
