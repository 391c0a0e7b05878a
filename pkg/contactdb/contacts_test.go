package contactdb

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

func TestEveryStatementOfContactsIsValidForItsRole(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, Schema).Open(t, "contacts", "contacts")
	all, err := postgres.Statements(contactsQueries, "queries")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range all {
		run := func(fn func(ctx context.Context, tx pgx.Tx) error) error {
			return db.InAccount(t.Context(), uuid.New(), fn)
		}
		if name == "job_at_work" {
			run = func(fn func(ctx context.Context, tx pgx.Tx) error) error { return db.Across(t.Context(), fn) }
		}
		err := run(func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Prepare(ctx, "check_"+name, text)
			return err
		})
		if err != nil {
			t.Errorf("%s.sql: %v", name, err)
		}
	}
}

// some fills the tables: 20 accounts of 1,000 contacts each, and 2,000 accounts with a list and holdings.
const some = `
insert into contacts.contacts (account_id, contact_id, created_job, external_id, external_id_hash, email, email_hash, phone, phone_hash, name_birth_zip_hash)
	select md5('a' || i % 20)::uuid, md5('c' || i)::uuid, md5('j' || i % 100)::uuid, i, md5('x' || i)::uuid, i, md5('e' || i)::uuid, i, md5('p' || i)::uuid, md5('n' || i)::uuid
	from generate_series(0, 19999) i;
insert into contacts.applied (account_id, job_id, token, number, rows, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held, suppressed,
	outcomes_name, outcomes_size, outcomes_sha256, first_made, last_made)
	select md5('a' || i % 20)::uuid, md5('j' || i)::uuid, 1, i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, '', md5('c' || i)::uuid, md5('c' || i)::uuid from generate_series(0, 19999) i;
insert into contacts.contact_keys (account_id, hash, key, contact_id)
	select account_id, v.hash, v.key, contact_id from contacts.contacts, lateral (values (external_id_hash, 1), (email_hash, 2), (phone_hash, 3)) v (hash, key);
insert into contacts.contact_fallbacks (account_id, hash, contact_id) select account_id, name_birth_zip_hash, contact_id from contacts.contacts;
insert into contacts.holdings (account_id, held) select md5('a' || i)::uuid, 1000 from generate_series(0, 1999) i;
insert into contacts.lists (account_id, list_id, name, members, last_position)
	select md5('a' || i)::uuid, md5('l' || i)::uuid, 'list', 1000, 20000 from generate_series(0, 1999) i;
insert into contacts.list_members (account_id, list_id, contact_id, position)
	select md5('a' || i % 20)::uuid, md5('l' || i % 20)::uuid, md5('c' || i)::uuid, i from generate_series(0, 19999) i;
insert into contacts.journal (account_id, job_id, contact_id, line, fields, updated_at)
	select md5('a' || i % 20)::uuid, md5('j' || i)::uuid, md5('c' || i)::uuid, 1, 2, now() from generate_series(0, 19999) i;
insert into contacts.restored (account_id, job_id, contact_id, whole) select account_id, job_id, contact_id, true from contacts.journal;
insert into contacts.suppressions (account_id, hash, key) select md5('a' || i % 20)::uuid, md5('s' || i)::uuid, 1 from generate_series(0, 19999) i;
insert into contacts.key_changes (account_id, version, hash, key, contact_id) select md5('a' || i % 20)::uuid, i, md5('s' || i)::uuid, 1, md5('c' || i)::uuid from generate_series(0, 19999) i;
analyze;
`

// Under row-level security a query finds its index only if every operator in its way is leakproof: whatever reads a
// table of contacts by anything else reads them all.
func TestEveryQueryFindsItsIndex(t *testing.T) {
	t.Parallel()
	database := postgrestest.DB(t, Schema)
	owner, err := pgx.Connect(t.Context(), database.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	if _, err := owner.Exec(t.Context(), some); err != nil {
		t.Fatal(err)
	}
	id := func(text string) (u uuid.UUID) {
		if err := owner.QueryRow(t.Context(), "select md5($1)::uuid", text).Scan(&u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	account, one, list, job := id("a0"), id("c0"), id("l0"), id("j0")
	ids := make([]uuid.UUID, 20)
	for i := range ids {
		ids[i] = id("c" + string(rune('0'+i)))
	}
	args := map[string][]any{
		"places_of_all":          {account, one, 100},
		"places_of_job":          {account, one, 100, job},
		"places_of_list":         {account, list, 5, 100},
		"places_of_list_and_job": {account, list, 5, 100, job},
		"count_of_job":           {account, job},
		"unenriched_of_job":      {account, one, 100, job},
		"write_facts":            {account, ids, ids, make([]*string, len(ids)), ids, make([]*string, len(ids))},
		"count_of_list_and_job":  {account, list, job},
		"contacts_by_id":         {account, ids},
		"contacts_of_keys":       {account, ids},
		"contacts_of_fallback":   {account, one, 20},
		"lists_of_contacts":      {account, ids},
		"lists":                  {account},
		"list_by_name":           {account, "list"},
		"take_position":          {account, "list"},
		"holdings":               {account},
		"lock_holdings":          {account},
		"share_holdings":         {account},
		"update_holdings":        {account, 1, 1},
		"insert_change":          {account, job, one, 2, []string{}, job},
		"changes_of_contact":     {account, one, 100},
		"restored_contact":       {account, one},
		"jobs_of_numbers":        {account, []int64{1, 2, 3}},
		"job_by_id":              {account, job},
		"lock_contact":           {account, one},
		"delete_keys":            {account, one, ids},
		"delete_fallback":        {account, one, one},
		"suppressed":             {account, ids},
		"match_keys":             {account, ids},
		"match_fallbacks":        {account, ids},
		"match_contacts":         {account, ids},
		"match_spans":            {account, ids[:10], ids[10:]},
	}
	args["update_contact"] = append([]any{account, one}, make([]any, 35)...)
	args["update_contact"][36] = false
	// what only inserts, sets something or looks at catalogues
	without := []string{"insert_contact", "insert_keys", "insert_fallback", "insert_key_changes", "insert_list", "insert_member", "make_holdings",
		"set_lock_wait", "keep_edits_out", "keep_merges_out", "plan_for_any", "export_snapshot", "job_at_work"}

	// what may read all rows that an account has in a table: its holdings and its lists
	wholeAccount := []string{"holdings", "lock_holdings", "share_holdings", "update_holdings", "lists", "lists_of_contacts"}

	all, err := postgres.Statements(contactsQueries, "queries")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, ok := args[name]; !ok && !slices.Contains(without, name) {
			t.Errorf("%s.sql is neither explained here nor excused", name)
		}
	}
	db := database.Open(t, "contacts", "contacts")
	rollback := errors.New("rolled back on purpose")
	for name, given := range args {
		for _, forAny := range []bool{false, true} {
			err := db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
				plan, err := explain(ctx, tx, forAny, all[name], given)
				if err != nil {
					return err
				}
				if strings.Contains(plan, "Seq Scan") || accountOnly.MatchString(plan) && !slices.Contains(wholeAccount, name) {
					t.Errorf("%s.sql reads a whole table or account (planned for any arguments: %v):\n%s", name, forAny, plan)
				}
				return rollback
			})
			if !errors.Is(err, rollback) {
				t.Errorf("explain %s.sql: %v", name, err)
			}
		}
	}
}

// accountOnly is an index that is used for nothing but the account: row-level security alone brings that about.
var accountOnly = regexp.MustCompile(`Index Cond: \(account_id = [^()]*(\('[^']*'::\w+\)|'[^']*'::\w+)?\)(\n|$)`)

// explain is the plan of a statement as lines of text: for these arguments, or for any.
func explain(ctx context.Context, tx pgx.Tx, forAny bool, text string, args []any) (string, error) {
	sql := "explain " + text
	if forAny {
		if _, err := tx.Exec(ctx, "set local plan_cache_mode = force_generic_plan"); err != nil {
			return "", err
		}
		if _, err := tx.Exec(ctx, "prepare explained as "+text); err != nil {
			return "", err
		}
		defer tx.Conn().Exec(context.WithoutCancel(ctx), "deallocate explained")
		sql = "explain execute explained (" + strings.TrimSuffix(strings.Repeat("null, ", len(args)), ", ") + ")"
		args = nil
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
}
