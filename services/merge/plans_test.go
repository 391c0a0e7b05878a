package merge

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
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

	w.everything(t, n, 100)

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

// everything runs jobs of all kinds with k rows each, by hand what people do, and undos, in an account of n contacts, such as the bench
// makes; n is five times k at least. Undone are jobs that made contacts and a list, changed keys, parts of the fallback key and own fields,
// and undos of these.
func (w *world) everything(t *testing.T, n, k int) {
	t.Helper()
	rows := func(from int, cells func(i int) []string) (all [][]string) {
		for i := from; i < from+k; i++ {
			all = append(all, cells(i))
		}
		return all
	}
	people := func(from, round int) [][]string {
		return rows(from, func(i int) (line []string) {
			cells, _ := person(nil, nil, i, round)
			for _, c := range cells {
				line = append(line, string(c))
			}
			return line
		})
	}
	// two rows for every second contact, that have no key in common
	meeting := func(city string, more ...string) [][]string {
		return rows(3*k, func(i int) []string {
			cells, _ := person(nil, nil, i-i%2, 0)
			if i%2 == 0 {
				return append([]string{string(cells[3]), "", city}, more...)
			}
			return append([]string{"", string(cells[4]), "not " + city}, make([]string, len(more))...)
		})
	}
	clubs := func(club, mail string) [][]string {
		return rows(4*k, func(i int) []string {
			if club != "UNSET" || i%2 == 0 {
				return []string{fmt.Sprintf("C%08d", i), club + strconv.Itoa(i), mail}
			}
			return []string{fmt.Sprintf("C%08d", i), club, mail}
		})
	}
	const known = 1 // the range of contacts that nothing but updates of their city and company meet
	run := func(f file) { t.Helper(); w.run(t, f) }
	before := w.number.Load()
	run(file{mode: row.Upsert, head: benchHead, rows: people(n, 0), list: "plans"})
	run(file{mode: row.Upsert, head: benchHead, rows: people(n, 0)})
	run(file{mode: row.Update, head: benchHead, rows: people(known*k, 7)})
	run(file{mode: row.Update, head: []string{"external_id", "phone", "zip"}, rows: rows(2*k, func(i int) []string {
		return []string{fmt.Sprintf("C%08d", i), fmt.Sprintf("+1212%07d", i+2_000_000), fmt.Sprintf("%05d", 10_000+i%80_000)}
	})})
	run(file{mode: row.Update, head: []string{"email", "phone", "city"}, rows: meeting("A")})
	own := []*accountsv1.Field{{Name: "club", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: int32(contact.FirstCustom), Unique: true, Key: 8},
		{Name: "mail_ok", Type: accountsv1.FieldType_FIELD_TYPE_AUTHORISATION, Number: int32(contact.FirstCustom) + 1}}
	owned := []string{"external_id", "club", "mail_ok"}
	run(file{mode: row.Upsert, head: owned, own: own, rows: clubs("A", "True")})
	run(file{mode: row.Upsert, head: owned, own: own, rows: clubs("UNSET", "False")})
	w.asks(t, known*k)
	// what is not followed: by rules, and in an account that people edit
	newest := rules(map[string]accountsv1.FieldRule{fields.AllOthers: accountsv1.FieldRule_FIELD_RULE_NEWEST, "phone": accountsv1.FieldRule_FIELD_RULE_NEVER, "zip": accountsv1.FieldRule_FIELD_RULE_IF_EMPTY})
	run(file{mode: row.Update, head: benchHead, rows: people(known*k, 8), policies: newest, day: 1})
	keep := &accountsv1.Policies{HandMade: accountsv1.HandMade_HAND_MADE_KEEP}
	for i, p := range []*accountsv1.Policies{nil, keep, newest} {
		run(file{mode: row.Update, head: benchHead, rows: people(known*k, 9+i), policies: p})
		run(file{mode: row.Update, head: []string{"email", "phone", "city", "changed_at"}, rows: meeting(fmt.Sprint("C", i), "2026-01-01T00:00:00Z"), policies: p})
		run(file{mode: row.Upsert, head: owned, own: own, rows: clubs(fmt.Sprint("B", i, "-"), "True"), policies: p})
	}
	// jobs under review
	for i, f := range []file{{mode: row.Update, head: benchHead, rows: people(known*k, 20)}, {mode: row.Update, head: benchHead, rows: people(known*k, 21), policies: keep},
		{mode: row.Update, head: []string{"email", "phone", "city"}, rows: meeting("E")}, {mode: row.Upsert, head: owned, own: own, rows: clubs("F", "True")}} {
		c, _ := w.plans(t, f)
		if _, err := w.owner.Exec(t.Context(), "update contacts.contacts set city = $2, own = own || '{\"257\": \"False\"}' where account_id = $1 and external_id = any ($3)", w.account, fmt.Sprint("else ", i),
			[]string{fmt.Sprintf("C%08d", known*k+1), fmt.Sprintf("C%08d", 3*k), fmt.Sprintf("C%08d", 4*k)}); err != nil {
			t.Fatal(err)
		}
		if r := w.carryOut(t, c); r.Counts.Held == 0 && len(f.own) == 0 {
			t.Errorf("no row is held: %v", r.Counts)
		}
	}
	for _, nth := range []int64{1, 3, 4, 6, 7} {
		of := before + nth
		for range 3 {
			for _, preview := range []bool{true, false} {
				if _, err := w.once(t, w.prepareUndo(t, of, preview, own...), nil); err != nil {
					t.Fatal(err)
				}
			}
			of = w.number.Load()
		}
	}
}

// rowsOf is what a node of a plan gave, and how often it was run.
var rowsOf = regexp.MustCompile(`actual rows=([\d.]+) loops=(\d+)`)

// An account that came a moment ago is one of those that the planner knows nothing of: it takes it for as small as the others are, or,
// if it knows of one account alone, for empty. What its jobs run must not go over all pairs of a row and a contact for that.
func TestNoStatementGoesOverAllPairs(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]string{"small accounts": others, "one account": strings.ReplaceAll(others, "md5('a' || i % 2000)", "md5('a')")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goesOverFew(t, known)
		})
	}
}

func goesOverFew(t *testing.T, known string) {
	const n, k = 20_000, 2_000
	w := newWorld(t)
	for _, table := range w.query(t, "select relname from pg_class where relnamespace = 'contacts'::regnamespace and relkind = 'r'") {
		if _, err := w.owner.Exec(t.Context(), "alter table contacts."+pgx.Identifier{table}.Sanitize()+" set (autovacuum_enabled = off)"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.owner.Exec(t.Context(), strings.ReplaceAll(known, "$1", "'"+w.account.String()+"'")+"; analyze"); err != nil {
		t.Fatal(err)
	}
	p := &planned{plans: map[string][]string{}}
	w.explained(t, p, "auto_explain.log_analyze = on", "auto_explain.log_timing = off")
	if _, err := w.once(t, w.prepareMany(t, n, row.Upsert, 0, benchHead, nil), nil); err != nil {
		t.Fatal(err)
	}
	for _, round := range []int{0, 1} { // all of them again, and two fields of all
		if _, err := w.once(t, w.prepareMany(t, n, row.Upsert, round, benchHead, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := w.once(t, w.prepareUndo(t, w.number.Load(), false), nil); err != nil {
			t.Fatal(err)
		}
	}
	w.everything(t, n, k)
	for text, plans := range p.plans {
		for _, plan := range plans {
			most := 0.0
			for _, m := range rowsOf.FindAllStringSubmatch(plan, -1) {
				rows, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				times, err := strconv.ParseFloat(m[2], 64)
				if err != nil {
					t.Fatal(err)
				}
				most = max(most, rows*times)
			}
			if most > 50*n {
				t.Errorf("%s\ngoes over %.0f rows:\n%s", text, most, plan)
				break
			}
		}
	}
	t.Logf("%d statements", len(p.plans))
}

// explained opens the databases anew, with a server that tells the plan of every statement.
func (w *world) explained(t *testing.T, p *planned, more ...string) {
	t.Helper()
	var name string
	if err := w.owner.QueryRow(t.Context(), "select current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, set := range append(more, "session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_level = 'notice'", "auto_explain.log_nested_statements = on") {
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

// asks does by hand what people do; contact first is one such as the bench makes.
func (w *world) asks(t *testing.T, first int) {
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
	made := parse(w.query(t, "select created_job::text from contacts.contacts where external_id = $2 and account_id = $1", w.account, fmt.Sprintf("C%08d", first))[0])
	left, err := w.edits.Unenriched(t.Context(), w.account, made, uuid.Nil, 100)
	must(err)
	var facts []contactdb.FactsOf
	for _, u := range left {
		facts = append(facts, contactdb.FactsOf{Contact: u.ID, Phone: contactdb.SaidOf{Hash: u.PhoneHash, JSON: []byte("{}")}})
	}
	n, err := w.edits.WriteFacts(t.Context(), w.account, facts)
	must(err)
	if n == 0 {
		t.Error("no facts were written")
	}
	must(w.edits.Match(t.Context(), w.account, func(context.Context, *contactdb.Matching) error { return nil }))
}
