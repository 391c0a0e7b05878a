package migrate_test

import (
	"errors"
	"os"
	"testing"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/telemetry"
	"github.com/contactmill/contactmill/services/migrate"
)

// The password is the one that all tests use: roles belong to the whole server, and other tests log in meanwhile.
const password = "test"

func TestMigrateMakesEveryDatabaseReady(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t)
	env := []string{"CONTACTMILL_OWNER_URL=" + db.OwnerURL}
	for _, role := range []string{"ACCOUNTS", "INGEST", "ENRICHMENT", "CONTACTS", "MERGE", "EMAIL"} {
		env = append(env, "CONTACTMILL_"+role+"_PASSWORD="+password)
	}
	for _, time := range []string{"first", "second"} {
		s, err := migrate.Process(t.Context(), env, telemetry.New("migrate", "test", os.Stderr))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err != nil {
			t.Fatalf("%s run: %v", time, err)
		}
	}
	for _, schema := range migrate.Schemas() {
		for _, role := range schema.Users() {
			if err := postgres.CheckVersion(t.Context(), db.Open(t, role, schema.Name), schema); err != nil {
				t.Errorf("as %s: %v", role, err)
			}
		}
	}
}

func TestMigrateWantsAnOwner(t *testing.T) {
	t.Parallel()
	_, err := migrate.Process(t.Context(), []string{"CONTACTMILL_INGEST_PASSWORD=" + password}, telemetry.New("migrate", "test", os.Stderr))
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("without an owner's URL: got %v, want an error that says so", err)
	}
}
