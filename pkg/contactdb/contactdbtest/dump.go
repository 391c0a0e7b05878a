// Package contactdbtest helps tests look into the contact database.
package contactdbtest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// tables are those that say what an account holds, each with the columns that are history, not contents.
var tables = []struct{ name, history, order string }{
	{"contacts", "updated_at", "contact_id"},
	{"contact_keys", "", "hash"},
	{"contact_fallbacks", "", "hash, contact_id"},
	{"holdings", "key_version", "account_id"},
	{"lists", "last_position", "list_id"},
	{"list_members", "", "list_id, position"},
	{"suppressions", "", "hash"},
}

// Dump is all that an account holds, a line of text for each row of each table, in a settled order; history is left out: the
// journal, jobs that were applied, contacts that were removed, and when and how often something changed. owner sees everything.
func Dump(t testing.TB, owner *pgx.Conn, account uuid.UUID) []string {
	t.Helper()
	var all []string
	for _, table := range tables {
		sql := fmt.Sprintf("select '%[1]s ' || (to_jsonb(x) - $2::text - 'account_id')::text from contacts.%[1]s x where account_id = $1 order by %[2]s", table.name, table.order)
		rows, err := owner.Query(t.Context(), sql, account, table.history)
		if err != nil {
			t.Fatalf("dump %s: %v", table.name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("dump %s: %v", table.name, err)
		}
		all = append(all, lines...)
	}
	return all
}
