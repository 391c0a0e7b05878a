package merge

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/row"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// others fills the tables for other accounts, so that none is so small that it is read whole for that.
const others = `
insert into contacts.contacts (account_id, contact_id, created_job, external_id, external_id_hash)
	select md5('a' || i % 2000)::uuid, md5('c' || i)::uuid, md5('j' || i)::uuid, i, md5('x' || i)::uuid from generate_series(0, 99999) i;
insert into contacts.contact_keys (account_id, hash, key, contact_id) select account_id, external_id_hash, 1, contact_id from contacts.contacts where account_id <> $1;
insert into contacts.contact_fallbacks (account_id, hash, contact_id) select account_id, md5('n' || contact_id)::uuid, contact_id from contacts.contacts;
insert into contacts.holdings (account_id, held) select md5('a' || i)::uuid, 50 from generate_series(0, 1999) i;
insert into contacts.fences (account_id, token, job_id, job_number, backend_pid, backend_start) select md5('a' || i)::uuid, 1, md5('j' || i)::uuid, 1, 1, now() from generate_series(0, 1999) i;
insert into contacts.lists (account_id, list_id, name, members, last_position) select md5('a' || i % 2000)::uuid, md5('l' || i)::uuid, 'list ' || i, 10, 20000 from generate_series(0, 19999) i;
insert into contacts.list_members (account_id, list_id, contact_id, position) select md5('a' || i % 2000)::uuid, md5('l' || i % 20000)::uuid, md5('c' || i)::uuid, i from generate_series(0, 99999) i;
insert into contacts.suppressions (account_id, hash, key) select md5('a' || i % 2000)::uuid, md5('s' || i)::uuid, 1 from generate_series(0, 99999) i;
insert into contacts.key_changes (account_id, version, hash, key, contact_id) select md5('a' || i % 2000)::uuid, i, md5('s' || i)::uuid, 1, md5('c' || i)::uuid from generate_series(0, 99999) i;
insert into contacts.applied (account_id, job_id, token, number, rows, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held, suppressed, outcomes_name, outcomes_size, outcomes_sha256, first_made, last_made)
	select md5('a' || i % 2000)::uuid, md5('j' || i)::uuid, 1, i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, '', md5('c' || i)::uuid, md5('c' || i)::uuid from generate_series(0, 99999) i;
insert into contacts.journal (account_id, job_id, contact_id, line, fields, updated_at) select md5('a' || i % 2000)::uuid, md5('j' || i)::uuid, md5('c' || i)::uuid, 1, 2, now() from generate_series(0, 99999) i;
insert into contacts.removed (account_id, job_id, contact_id) select md5('a' || i % 2000)::uuid, md5('j' || i)::uuid, md5('c' || i)::uuid from generate_series(0, 99999) i;
insert into contacts.restored (account_id, job_id, contact_id, whole) select md5('a' || i % 2000)::uuid, md5('j' || i)::uuid, md5('c' || i)::uuid, true from generate_series(0, 99999) i;
insert into contacts.removed_members (account_id, job_id, list_id, list_name, contact_id, position) select md5('a' || i % 2000)::uuid, md5('j' || i)::uuid, md5('l' || i)::uuid, 'x', md5('c' || i)::uuid, 1 from generate_series(0, 99999) i;
`

// planned is the statements that were run, each with its plans.
type planned struct {
	mu    sync.Mutex
	plans map[string][]string // by the statement's text
}

func (p *planned) take(notice string) {
	_, rest, ok := strings.Cut(notice, "Query Text: ")
	if !ok {
		return
	}
	// The plan begins with the first line that has costs, behind the text.
	lines := strings.Split(rest, "\n")
	for i, l := range lines {
		if strings.Contains(l, "  (cost=") {
			text := strings.Join(lines[:i], "\n")
			p.mu.Lock()
			p.plans[text] = append(p.plans[text], strings.Join(lines[i:], "\n"))
			p.mu.Unlock()
			return
		}
	}
}

var (
	// wholeTable is a scan of a table of all accounts; those of the session's own temporary tables are meant.
	wholeTable = regexp.MustCompile(`Seq Scan on (contacts|contact_keys|contact_fallbacks|holdings|fences|lists|list_members|journal|key_changes|suppressions|applied|removed|removed_members|restored)\b.*`)

	// wholeAccount is a search by the account alone in a table that has a line for each contact.
	wholeAccount = regexp.MustCompile(`on (contacts|contact_keys|contact_fallbacks|list_members|journal|removed|removed_members|restored)\b.*\n\s+Index Cond: \(account_id = [^ ()]+\)(\n|$)`)
)

// In an account of a million contacts, under row-level security, what small jobs, hand edits and questions run must find its
// contacts by index. The plans are those that the server made, as it tells them itself.
func TestStatementsFindTheirIndexes(t *testing.T) {
	t.Parallel()
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	w := newWorld(t)
	if _, err := w.once(t, w.prepareMany(t, n, row.Upsert, 0, benchHead, nil), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.owner.Exec(t.Context(), strings.ReplaceAll(others, "$1", "'"+w.account.String()+"'")+"; analyze"); err != nil {
		t.Fatal(err)
	}
	p := &planned{plans: map[string][]string{}}
	w.explained(t, p)

	small := func(from, round int) [][]string {
		var rows [][]string
		for i := range 100 {
			cells, _ := person(nil, nil, from+i, round)
			var line []string
			for _, c := range cells {
				line = append(line, string(c))
			}
			rows = append(rows, line)
		}
		return rows
	}
	run := func(f file) { t.Helper(); w.run(t, f) }
	run(file{mode: row.Upsert, head: benchHead, rows: small(n, 0), list: "plans"})
	run(file{mode: row.Upsert, head: benchHead, rows: small(n, 0)})
	run(file{mode: row.Update, head: benchHead, rows: small(500, 7)})
	run(file{mode: row.Update, head: []string{"external_id", "phone", "zip"}, rows: [][]string{{"C00000700", "+12125550100", "10001"}, {"C00000701", "+12125550101", "10002"}}})
	run(file{mode: row.Update, head: []string{"email", "phone", "city"}, rows: [][]string{{"user800@example0.com", "", "A"}, {"", "+12010000800", "B"}}}) // two rows that meet
	own := []*accountsv1.Field{{Name: "club", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: int32(contact.FirstCustom), Unique: true, Key: 8},
		{Name: "mail_ok", Type: accountsv1.FieldType_FIELD_TYPE_AUTHORISATION, Number: int32(contact.FirstCustom) + 1}}
	run(file{mode: row.Upsert, head: []string{"external_id", "club", "mail_ok"}, own: own, rows: [][]string{{"C00000900", "A1", "True"}, {"C00000901", "A2", "False"}}})
	run(file{mode: row.Upsert, head: []string{"external_id", "club", "mail_ok"}, own: own, rows: [][]string{{"C00000900", "A3", "False"}, {"C00000901", "UNSET", "True"}}})
	w.asks(t)
	// what is not followed: by rules, and in an account that people edit
	newest := rules(map[string]accountsv1.FieldRule{fields.AllOthers: accountsv1.FieldRule_FIELD_RULE_NEWEST, "phone": accountsv1.FieldRule_FIELD_RULE_NEVER, "zip": accountsv1.FieldRule_FIELD_RULE_IF_EMPTY})
	run(file{mode: row.Update, head: benchHead, rows: small(500, 8), policies: newest, day: 1})
	keep := &accountsv1.Policies{HandMade: accountsv1.HandMade_HAND_MADE_KEEP}
	for _, p := range []*accountsv1.Policies{nil, keep, newest} {
		run(file{mode: row.Update, head: benchHead, rows: small(500, 9), policies: p})
		run(file{mode: row.Update, head: []string{"email", "phone", "city", "changed_at"}, rows: [][]string{{"user800@example0.com", "", "C", "2026-01-01T00:00:00Z"}, {"", "+12010000800", "D", ""}}, policies: p})
		run(file{mode: row.Upsert, head: []string{"external_id", "club", "mail_ok"}, own: own, rows: [][]string{{"C00000900", "A4", "False"}, {"C00000901", "A2", "True"}}, policies: p})
	}
	// jobs under review
	for i, f := range []file{{mode: row.Update, head: benchHead, rows: small(500, 10)}, {mode: row.Update, head: benchHead, rows: small(500, 11), policies: keep},
		{mode: row.Update, head: []string{"email", "phone", "city"}, rows: [][]string{{"user800@example0.com", "", "E"}, {"", "+12010000800", "F"}}},
		{mode: row.Upsert, head: []string{"external_id", "club", "mail_ok"}, own: own, rows: [][]string{{"C00000900", "A5", "False"}, {"C00000901", "A6", "True"}}}} {
		c, _ := w.plans(t, f)
		if _, err := w.owner.Exec(t.Context(), "update contacts.contacts set city = $2, own = own || '{\"257\": \"False\"}' where account_id = $1 and external_id in ('C00000501', 'C00000800', 'C00000900')", w.account, fmt.Sprint("else ", i)); err != nil {
			t.Fatal(err)
		}
		if r := w.carryOut(t, c); r.Counts.Held == 0 && len(f.own) == 0 {
			t.Errorf("no row is held: %v", r.Counts)
		}
	}
	// undos of jobs that made contacts and a list, changed keys, parts of the fallback key and own fields, and undos of these
	for _, of := range []int64{2, 4, 5, 7, 8} {
		for range 3 {
			for _, preview := range []bool{true, false} {
				if _, err := w.once(t, w.prepareUndo(t, of, preview, own...), nil); err != nil {
					t.Fatal(err)
				}
			}
			of = w.number.Load()
		}
	}

	texts := 0
	for text, plans := range p.plans {
		texts++
		for _, plan := range plans {
			if bad := wholeTable.FindString(plan) + wholeAccount.FindString(plan); bad != "" {
				t.Errorf("%s\nreads whole tables: %s\n%s", text, bad, plan)
				break
			}
		}
	}
	if texts < 40 {
		t.Errorf("the plans of %d statements were seen, there are more", texts)
	}
	t.Logf("%d statements", texts)
}

// explained opens the databases anew, with a server that tells the plan of every statement.
func (w *world) explained(t *testing.T, p *planned) {
	t.Helper()
	var name string
	if err := w.owner.QueryRow(t.Context(), "select current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_level = 'notice'", "auto_explain.log_nested_statements = on"} {
		if _, err := w.owner.Exec(t.Context(), fmt.Sprintf("alter database %s set %s", pgx.Identifier{name}.Sanitize(), set)); err != nil {
			t.Fatal(err)
		}
	}
	open := func(url string) *postgres.DB {
		db, err := postgres.Open(t.Context(), url, postgres.Options{Schema: "contacts", MaxConns: 4, OnNotice: p.take})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	var err error
	if w.contacts, err = contactdb.NewMerges(open(w.databaseURL)); err != nil {
		t.Fatal(err)
	}
	if w.edits, err = contactdb.NewContacts(open(w.contactsURL), w.ring, 2*time.Second); err != nil {
		t.Fatal(err)
	}
}

// asks does by hand what people do.
func (w *world) asks(t *testing.T) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) *string { return &s }
	e := func(f contact.Field, v *string) contactdb.Edit {
		return contactdb.Edit{By: uuid.New(), At: time.Now(), Values: map[contact.Field]*string{f: v}}
	}
	id, err := w.edits.Add(t.Context(), w.account, e(contact.FieldPhone, text("+12125550199")), []string{"plans", "by hand"}, 1<<40)
	must(err)
	must(w.edits.Set(t.Context(), w.account, id, e(contact.FieldPhone, text("+12125550198"))))
	must(w.edits.Set(t.Context(), w.account, id, e(contact.FieldCity, text("Rome"))))
	_, err = w.edits.Contact(t.Context(), w.account, id)
	must(err)
	_, err = w.edits.History(t.Context(), w.account, id, nil)
	must(err)
	for _, f := range []contactdb.Filter{{}, {List: "plans"}} {
		_, _, err = w.edits.Page(t.Context(), w.account, f, contactdb.Cursor{}, 100)
		must(err)
		_, err = w.edits.Count(t.Context(), w.account, f)
		must(err)
	}
	made := parse(w.query(t, "select created_job::text from contacts.contacts where external_id = 'C00000500' and account_id = $1", w.account)[0])
	left, err := w.edits.Unenriched(t.Context(), w.account, made, uuid.Nil, 100)
	must(err)
	var facts []contactdb.FactsOf
	for _, u := range left {
		facts = append(facts, contactdb.FactsOf{Contact: u.ID, Phone: contactdb.SaidOf{Hash: u.PhoneHash, JSON: []byte("{}")}})
	}
	n, err := w.edits.WriteFacts(t.Context(), w.account, facts)
	must(err)
	if n != 100 {
		t.Errorf("facts of %d contacts were written, want 100", n)
	}
	must(w.edits.Match(t.Context(), w.account, func(context.Context, *contactdb.Matching) error { return nil }))
}
