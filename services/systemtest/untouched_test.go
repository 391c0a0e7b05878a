package systemtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kept is every row of an account in the database as text, by table. What tells of jobs, events and notices themselves
// (schema ingest, mails) is left out.
func (s *target) kept(t *testing.T, account string) map[string][]string {
	t.Helper()
	type table struct{ Schema, Name string }
	all := map[string][]string{}
	for _, tab := range rows[table](t, s, `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
			join pg_attribute a on a.attrelid = c.oid and a.attname = 'account_id' and not a.attisdropped
		where c.relkind in ('r', 'p') and n.nspname in ('accounts', 'contacts', 'enrichment') order by 1, 2`) {
		name := tab.Schema + "." + tab.Name
		type line struct{ Row string }
		for _, l := range rows[line](t, s, fmt.Sprintf(`select r::text as row from %s r where account_id = $1 order by 1`, name), account) {
			all[name] = append(all[name], l.Row)
		}
	}
	return all
}

// untouched shows that something leaves an account's contacts, provider ledger and settings as they are, to the byte.
func untouched(t *testing.T, s *target, a *tenant, what string, do func()) {
	t.Helper()
	before := s.kept(t, a.id)
	if len(before["contacts.contacts"]) == 0 || len(before["accounts.accounts"]) == 0 {
		var names []string
		for n := range before {
			names = append(names, n)
		}
		t.Fatalf("there is nothing to be left alone: %s", strings.Join(names, ", "))
	}
	do()
	if diff := cmp.Diff(before, s.kept(t, a.id)); diff != "" {
		t.Errorf("%s changed the database (-before +after):\n%s", what, diff)
	}
}
