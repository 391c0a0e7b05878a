package merge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// three is what accounts hold before most tests: a has all unique keys, b a phone, c only name, birth date and zip.
var three = file{mode: row.Add, head: []string{"external_id", "email", "phone", "first_name", "last_name", "birth_date", "zip", "ssn"}, rows: [][]string{
	{"A", "a@x.io", "+12015550101", "Ann", "Ash", "1980-01-02", "10001", "219099999"},
	{"", "", "+12015550102", "Bob", "Birch", "", "", ""},
	{"", "", "", "Cy", "Cedar", "1990-03-04", "10003", ""},
}}

// name replaces contact ids in outcomes by the order in which they were made: a, b, c ...
func (w *world) name(t *testing.T, outcomes []string) []string {
	t.Helper()
	ids := w.query(t, "select contact_id::text from contacts.contacts order by contact_id")
	named := make([]string, len(outcomes))
	for i, o := range outcomes {
		for n, id := range ids {
			o = strings.ReplaceAll(o, id, string(rune('a'+n)))
		}
		named[i] = o
	}
	return named
}

func TestOutcomesByMode(t *testing.T) {
	t.Parallel()
	f := file{head: []string{"external_id", "email", "phone", "city", "first_name", "last_name", "birth_date", "zip"}, rows: [][]string{
		{"A", "", "", "Rome", "", "", "", ""},                           // a by external id
		{"A", "", "", "Oslo", "", "", "", ""},                           // repeats it
		{"", "", "+12015550102", "", "Bob", "", "", ""},                 // b, nothing new
		{"B", "", "+12015550102", "", "", "", "", ""},                   // repeats the phone
		{"Z", "a@x.io", "", "", "", "", "", ""},                         // another external id than a's
		{"", "a@x.io", "+12015550102", "", "", "", "", ""},              // a's email is an earlier row's too
		{"N1", "", "", "Kyiv", "New", "One", "", ""},                    // nobody
		{"!email-invalid", "", "", "", "", "", "", ""},                  // invalid
		{"", "", "", "Bern", "Cy", "Cedar", "1990-03-04", "10003"},      // c by the fallback key
		{"N2", "n2@x.io", "+12015550199", "Lima", "New", "Two", "", ""}, // nobody
		{"N3", "n2@x.io", "", "", "", "", "", ""},                       // repeats the email
	}}
	for _, c := range []struct {
		mode   row.Mode
		want   []string
		counts []int64 // added, updated, unchanged, duplicate, unmatched, invalid, conflict
	}{
		{row.Add, []string{
			"DUPLICATE known-contact (contact a by external_id) a",
			"DUPLICATE repeats-row (line 2)",
			"DUPLICATE known-contact (contact b by phone) b",
			"DUPLICATE repeats-row (line 4)",
			"DUPLICATE duplicate-contact (contact a by email) a",
			"DUPLICATE repeats-row (line 4)",
			"ADDED d",
			"INVALID email-invalid",
			"DUPLICATE known-contact (contact c by name_birth_zip) c",
			"ADDED e",
			"DUPLICATE repeats-row (line 11)",
		}, []int64{2, 0, 0, 8, 0, 1, 0}},
		{row.Update, []string{
			"UPDATED a",
			"DUPLICATE repeats-row (line 2)",
			"UNCHANGED b",
			"DUPLICATE repeats-row (line 4)",
			"CONFLICT duplicate-contact (contact a by email) a",
			"DUPLICATE repeats-row (line 4)",
			"UNMATCHED no-contact",
			"INVALID email-invalid",
			"UPDATED c",
			"UNMATCHED no-contact",
			"DUPLICATE repeats-row (line 11)",
		}, []int64{0, 2, 1, 4, 2, 1, 1}},
		{row.Upsert, []string{
			"UPDATED a",
			"DUPLICATE repeats-row (line 2)",
			"UNCHANGED b",
			"DUPLICATE repeats-row (line 4)",
			"CONFLICT duplicate-contact (contact a by email) a",
			"DUPLICATE repeats-row (line 4)",
			"ADDED d",
			"INVALID email-invalid",
			"UPDATED c",
			"ADDED e",
			"DUPLICATE repeats-row (line 11)",
		}, []int64{2, 2, 1, 4, 0, 1, 1}},
	} {
		t.Run([]string{"", "add", "update", "upsert"}[c.mode], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, three)
			g := f
			g.mode, g.list = c.mode, "spring"
			check := g
			check.check = true
			planned, plan := w.run(t, check)
			if n := w.query(t, "select count(*)::text from contacts.lists"); n[0] != "0" {
				t.Errorf("a check made %s lists", n[0])
			}
			r, got := w.run(t, g)
			if diff := cmp.Diff(c.want, w.name(t, got)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			for i, p := range plan { // ids of contacts to be made differ
				if word, _, _ := strings.Cut(p, " "); !strings.HasPrefix(got[i], word) {
					t.Errorf("row %d was planned to be %s and is %s", i, p, got[i])
				}
			}
			n, p := r.Counts, planned.Counts
			counts := []int64{n.Added, n.Updated, n.Unchanged, n.Duplicate, n.Unmatched, n.Invalid, n.Conflict}
			if diff := cmp.Diff(c.counts, counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(counts, []int64{p.Added, p.Updated, p.Unchanged, p.Duplicate, p.Unmatched, p.Invalid, p.Conflict}); diff != "" {
				t.Errorf("counts (-applied +planned):\n%s", diff)
			}
			if n.Rows != int64(len(f.rows)) {
				t.Errorf("%d rows counted, want %d", n.Rows, len(f.rows))
			}
			// who was added, updated or unchanged is on the list, in the order of the file
			var want []string
			for _, o := range w.name(t, got) {
				switch word, rest, _ := strings.Cut(o, " "); word {
				case "ADDED", "UPDATED", "UNCHANGED":
					want = append(want, rest)
				}
			}
			if diff := cmp.Diff(want, w.name(t, w.query(t, "select contact_id::text from contacts.list_members order by position"))); diff != "" {
				t.Errorf("members of the list (-want +got):\n%s", diff)
			}
			w.sound(t)
		})
	}
}

func TestTheSameFileAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	before := w.query(t, "select c::text from contacts.contacts c order by contact_id")
	again := three
	again.mode = row.Upsert
	r, _ := w.run(t, again)
	if r.Counts.Unchanged != 3 || r.Counts.Rows != 3 {
		t.Errorf("counts %v, want 3 unchanged", r.Counts)
	}
	if diff := cmp.Diff(before, w.query(t, "select c::text from contacts.contacts c order by contact_id")); diff != "" {
		t.Errorf("contacts (-before +after):\n%s", diff)
	}
	w.sound(t)
}

func TestValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	_, got := w.run(t, file{mode: row.Update, head: []string{"external_id", "email", "phone", "first_name", "city", "ssn", "zip", "birth_date"}, rows: [][]string{
		{"A", "new@x.io", "UNSET", "", "Rome", "219099998", "10009", "1980-01-02"},
	}})
	if want := "UPDATED"; len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Fatalf("outcomes %v, want %s", got, want)
	}
	one := func(sql string, want string) {
		t.Helper()
		if got := w.query(t, sql); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n got %v\nwant %s", sql, got, want)
		}
	}
	one(`select concat_ws(' ', external_id, email, coalesce(phone, 'none'), first_name, last_name, city, zip, birth_date) from contacts.contacts where external_id = 'A'`,
		"A new@x.io none Ann Ash Rome 10009 1980-01-02")
	one(`select origins::text from contacts.contacts where external_id = 'A'`, `{"jobs": [[8880, 2, 2]]}`)
	one(`select concat_ws(' ', j.fields, j.line, j.email, j.phone, coalesce(j.city, 'none'), j.zip, coalesce(j.first_name, 'none'), j.phone_hash is not null, j.ssn is not null, j.origins is null)
		from contacts.journal j`, "8880 2 a@x.io +12015550101 none 10001 none t t t")
	w.sound(t)

	// a second change of some of the fields covers only those
	w.run(t, file{mode: row.Upsert, head: []string{"external_id", "city", "last_name"}, rows: [][]string{{"A", "Oslo", "UNSET"}}})
	one(`select origins::text from contacts.contacts where external_id = 'A'`, `{"jobs": [[688, 2, 2], [8196, 3, 2]]}`)
	w.run(t, file{mode: row.Upsert, head: []string{"external_id", "city", "last_name"}, rows: [][]string{{"A", "Bonn", "Oak"}}})
	one(`select origins::text from contacts.contacts where external_id = 'A'`, `{"jobs": [[688, 2, 2], [8196, 4, 2]]}`)
	w.sound(t)

	// the SSN opens for its contact
	var id, sealed []string
	id, sealed = w.query(t, `select contact_id::text from contacts.contacts where external_id = 'A'`), w.query(t, `select encode(ssn, 'hex') from contacts.contacts where external_id = 'A'`)
	if got := w.openSSN(t, id[0], sealed[0]); got != "219099998" {
		t.Errorf("ssn is %q", got)
	}
}

func TestFactsAreBoundToTheirValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, head: []string{"email", "phone"}, rows: [][]string{{"a@x.io", "+12015550101"}, {"b@x.io", "+12015550102"}, {"", "+12015550103"}},
		facts: map[int64][2]string{0: {`{"line_type":"mobile"}`, `{"domain":"x.io"}`}, 2: {`{"line_type":"fixed"}`, ""}}}
	_, got := w.run(t, f)
	if diff := cmp.Diff([]string{"ADDED a", "ADDED b", "ADDED c"}, w.name(t, got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	facts := `select concat_ws(' ', case when phone_facts_hash = phone_hash then phone_facts ->> 'line_type' end, case when email_facts_hash = email_hash then email_facts ->> 'domain' end)
		from contacts.contacts order by contact_id`
	if diff := cmp.Diff([]string{"mobile x.io", "", "fixed"}, w.query(t, facts)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	w.run(t, file{mode: row.Upsert, head: []string{"email", "phone"}, rows: [][]string{{"a@x.io", "+12015550109"}}})
	if diff := cmp.Diff([]string{"x.io", "", "fixed"}, w.query(t, facts)); diff != "" {
		t.Errorf("facts after the phone changed (-want +got):\n%s", diff)
	}
}

func TestContactsUnknownToTheProviderAreKeptOutByPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, keep: true, head: []string{"email"}, rows: [][]string{{"a@x.io"}, {"b@x.io"}}, facts: map[int64][2]string{1: {"", `{"domain":"x.io"}`}}}
	_, got := w.run(t, f)
	if diff := cmp.Diff([]string{"UNMATCHED unknown-to-provider", "ADDED a"}, w.name(t, got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.sound(t)
}

// A value that was asked about and is not known has the empty object for facts. Where rows were left to be asked about later, those
// without any are not unknown yet.
func TestWhatWasAskedAboutIsKept(t *testing.T) {
	t.Parallel()
	for later, want := range map[int64][]string{
		0: {"UNMATCHED unknown-to-provider", "ADDED a", "UNMATCHED unknown-to-provider", "UNMATCHED unknown-to-provider"},
		1: {"UNMATCHED unknown-to-provider", "ADDED a", "ADDED b", "UNMATCHED unknown-to-provider"},
	} {
		t.Run(fmt.Sprintf("%d later", later), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := file{mode: row.Upsert, keep: true, head: []string{"email", "phone", "external_id"}, rows: [][]string{
				{"a@x.io", "+12015550101", ""}, {"b@x.io", "+12015550102", ""}, {"c@x.io", "+12015550103", ""}, {"", "", "X"},
			}, facts: map[int64][2]string{0: {"{}", "{}"}, 1: {"{}", `{"domain":"x.io"}`}}}
			c := w.prepare(t, f)
			c.Work.Enriched.Later = later
			r, err := w.once(t, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, w.name(t, w.outcomesOf(t, r))); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if r.Counts.EnrichedLater != later {
				t.Errorf("%d rows are counted as enriched later, want %d", r.Counts.EnrichedLater, later)
			}
			got := w.query(t, "select concat_ws(' ', email, phone_facts, phone_facts_hash = phone_hash, email_facts, email_facts_hash = email_hash) from contacts.contacts order by contact_id")
			kept := []string{`b@x.io {} t {"domain":"x.io"} t`, "c@x.io"}[:1+later]
			if diff := cmp.Diff(kept, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			w.sound(t)
		})
	}
}

func TestRowsThatMeetAtOneContactAreAppliedInTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	f := file{mode: row.Update, head: []string{"external_id", "email", "phone", "city"}, rows: [][]string{
		{"A", "", "", "Rome"},
		{"", "a@x.io", "", "Rome"},       // the same contact, and by then nothing new
		{"", "", "+12015550101", "Oslo"}, // the same contact
		{"", "", "+12015550102", "Bern"}, // b
	}}
	_, got := w.run(t, f)
	if diff := cmp.Diff([]string{"UPDATED a", "UNCHANGED a", "UPDATED a", "UPDATED b"}, w.name(t, got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Oslo", "Bern", "none"}, w.query(t, "select coalesce(city, 'none') from contacts.contacts order by contact_id")); diff != "" {
		t.Errorf("cities (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"none 2", "none 5"}, w.query(t, "select coalesce(city, 'none') || ' ' || line from contacts.journal order by contact_id")); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	w.sound(t)
}

func TestARowThatWouldTakeAnothersKeyIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	ids := w.query(t, "select contact_id::text from contacts.contacts order by contact_id")
	none := row.Verdict{Relation: row.None}
	// what matching left is wrong: the rows' keys are taken
	f := file{mode: row.Upsert, list: "l", head: []string{"external_id", "email", "city"}, rows: [][]string{
		{"N1", "a@x.io", ""},   // a's email
		{"N2", "n2@x.io", ""},  // free
		{"N3", "n2@x.io", ""},  // the row before's email
		{"", "a@x.io", "Rome"}, // b is to get a's email
		{"A", "", "Oslo"},      // a, no key changes
	}, match: map[int64]row.Verdict{0: none, 1: none, 2: none, 3: {Relation: row.One, Contact: parse(ids[1]), Keys: 8}}}
	c := w.prepare(t, f)
	// the harness finds repeats, which this test does not want
	c.Work.Matched.Verdicts = w.verdicts(t, c, []row.Verdict{none, none, none, {Relation: row.One, Contact: parse(ids[1]), Keys: 8}, {Relation: row.One, Contact: parse(ids[0]), Keys: 2}})
	r, err := w.once(t, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CONFLICT duplicate-contact (contact a has one of its keys) a",
		"ADDED d",
		"CONFLICT duplicate-contact (contact d has one of its keys) d",
		"CONFLICT duplicate-contact (contact a has one of its keys) a",
		"UPDATED a",
	}
	if diff := cmp.Diff(want, w.name(t, w.outcomesOf(t, r))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d", "a"}, w.name(t, w.query(t, "select contact_id::text from contacts.list_members order by position"))); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	w.sound(t)
}

func TestAPackageThatIsTooSmallRejectsAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	w.most.Store(4)
	before := w.query(t, "select count(*)::text from contacts.applied")
	f := file{mode: row.Upsert, list: "new", head: []string{"external_id", "city"}, rows: [][]string{{"A", "Rome"}, {"X", ""}, {"Y", ""}}}
	check := f
	check.check = true
	for what, f := range map[string]file{"check": check, "merge": f} {
		r, got := w.run(t, f)
		want := &ingestv1.Problem{Code: "package-too-small", Message: "The package allows 4 contacts; the account holds 3 and the file brings 2 new ones.",
			Hint: "Enlarge the package or hand in fewer new contacts, then retry the job."}
		if diff := cmp.Diff(want, r.Rejected, protocmp.Transform()); diff != "" {
			t.Errorf("%s: rejected (-want +got):\n%s", what, diff)
		}
		if len(got) > 0 {
			t.Errorf("%s: outcomes %v, want none", what, got)
		}
	}
	state := w.query(t, `select count(*)::text from contacts.applied union all select count(*)::text from contacts.lists union all select count(*)::text from contacts.contacts where city is not null`)
	if diff := cmp.Diff(append(before, "0", "0"), state); diff != "" {
		t.Errorf("applied jobs, lists, cities (-want +got):\n%s", diff)
	}
	w.most.Store(5)
	if r, _ := w.run(t, check); r.Rejected != nil || r.Counts.Added != 2 {
		t.Errorf("check with room for both: %v", r)
	}
	if r, _ := w.run(t, f); r.Rejected != nil || r.Counts.Added != 2 {
		t.Errorf("with room for both: %v", r)
	}
	w.sound(t)
}

// A hostile file: all rows belong to one contact by its name, birth date and zip, and each has another email. Row by row
// is what it reads like, and must not be what it costs.
func TestManyRowsThatMeetAtOneContactTakeBoundedTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	const n = 20_000
	f := file{mode: row.Upsert, list: "l", head: []string{"email", "first_name", "last_name", "birth_date", "zip", "city", "phone"}, match: map[int64]row.Verdict{}}
	cy := row.Verdict{Relation: row.One, Contact: parse(w.query(t, "select contact_id::text from contacts.contacts where first_name = 'Cy'")[0]), Keys: 1 << contact.NameBirthZip}
	for i := range n {
		city := ""
		if i == 1 || i == 5 {
			city = "Rome"
		}
		f.rows = append(f.rows, []string{fmt.Sprintf("cy%d@x.io", i), "Cy", "Cedar", "1990-03-04", "10003", city, ""})
		f.match[int64(i)] = cy
	}
	f.rows[3][6], f.rows[7][6] = "+12015550177", "UNSET"
	f.rows[9] = []string{"", "Cy", "Cedar", "1990-03-04", "10003", "Rome", ""}
	c := w.prepare(t, f)
	before := w.sizes(t)
	r, err := w.once(t, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Counts.Updated != n-1 || r.Counts.Unchanged != 1 {
		t.Errorf("counts %v, want all but one of %d updated", r.Counts, n)
	}
	// The proof is in what the server did, not in how long it took: a version of the contact or a journal line for each
	// row would be there to see.
	if made := w.sizes(t) - before; made > 64<<10 {
		t.Errorf("%d bytes were written for one contact", made)
	}
	for sql, want := range map[string]string{
		"select concat_ws('|', email, city, coalesce(phone, 'none'), origins) from contacts.contacts where first_name = 'Cy'": fmt.Sprintf("cy%d@x.io|Rome|none|%s", n-1,
			fmt.Sprintf(`{"jobs": [[8192, 2, 3], [32, 2, %d]]}`, n+1)),
		"select concat_ws('|', line, fields, coalesce(email, 'none')) from contacts.journal": "2|8224|none",
		"select count(*)::text from contacts.list_members":                                   "1",
	} {
		if got := w.query(t, sql); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n got %v\nwant %s", sql, got, want)
		}
	}
	w.sound(t)
}

// sizes is the bytes of contacts and journal.
func (w *world) sizes(t *testing.T) (n int64) {
	t.Helper()
	if err := w.owner.QueryRow(t.Context(), "select pg_relation_size('contacts.contacts') + pg_relation_size('contacts.journal') + pg_relation_size('contacts.contact_keys')").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
