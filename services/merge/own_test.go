package merge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/row"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// ownFields are those of the account of these tests; their numbers are 256 to 262, their keys 8 and 15.
var ownFields = []*accountsv1.Field{
	{Name: "customer", Label: "Customer", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: 256, Unique: true, Key: 8},
	{Name: "score", Label: "Score", Type: accountsv1.FieldType_FIELD_TYPE_NUMBER, Number: 257},
	{Name: "newsletter", Label: "Newsletter", Type: accountsv1.FieldType_FIELD_TYPE_AUTHORISATION, Number: 258},
	{Name: "pin", Label: "PIN", Type: accountsv1.FieldType_FIELD_TYPE_SECRET, Number: 259},
	{Name: "tags", Label: "Tags", Type: accountsv1.FieldType_FIELD_TYPE_CRITERIA, Number: 260, Codes: []*accountsv1.Code{{Code: "a"}, {Code: "b"}}},
	{Name: "since", Label: "Since", Type: accountsv1.FieldType_FIELD_TYPE_DATE, Number: 261, Unique: true, Key: 15},
	{Name: "calls", Label: "Calls", Type: accountsv1.FieldType_FIELD_TYPE_AUTHORISATION, Number: 262},
}

// two are what the account holds before most of these tests: a has a value for every field, b has none.
var two = file{mode: row.Add, own: ownFields, head: []string{"email", "customer", "score", "newsletter", "pin", "tags", "since", "calls"}, rows: [][]string{
	{"a@x.io", "C1", "10.5", "True", "4711", "a;b", "2020-02-29", "False"},
	{"b@x.io", "", "", "", "", "", "", ""},
}}

// ownOf are the own values of all contacts in the order in which they were made: name=value of each, pins opened.
func (w *world) ownOf(t *testing.T) []string {
	t.Helper()
	names := map[string]string{}
	for _, f := range ownFields {
		names[fmt.Sprint(f.Number)] = f.Name
	}
	var all []string
	for _, line := range w.query(t, "select contact_id::text || ' ' || coalesce(own::text, '{}') from contacts.contacts order by contact_id") {
		id, text, _ := strings.Cut(line, " ")
		var own map[string]any
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			t.Fatal(err)
		}
		var shown []string
		for _, f := range ownFields {
			switch v := own[fmt.Sprint(f.Number)].(type) {
			case string:
				shown = append(shown, f.Name+"="+v)
			case []any:
				sealed, err := base64.RawStdEncoding.DecodeString(v[1].(string))
				if err != nil {
					t.Fatal(err)
				}
				plain, err := w.ring.Open(sealed, keyring.ForContact(w.account, fmt.Sprint(f.Number), parse(id)))
				if err != nil {
					t.Fatal(err)
				}
				shown = append(shown, f.Name+"=("+string(plain)+")")
			}
		}
		all = append(all, strings.Join(shown, " "))
	}
	return all
}

func (w *world) wantOwn(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.ownOf(t)); diff != "" {
		t.Errorf("own values (-want +got):\n%s", diff)
	}
	w.sound(t)
}

func (w *world) wantOutcomes(t *testing.T, f file, want ...string) {
	t.Helper()
	check := f
	check.check = true
	state := "select md5(string_agg(c::text, '|' order by contact_id)) from contacts.contacts c"
	before := w.query(t, state)
	_, planned := w.run(t, check)
	if diff := cmp.Diff(before, w.query(t, state)); diff != "" {
		t.Errorf("contacts after a check (-before +after):\n%s", diff)
	}
	_, got := w.run(t, f)
	named := w.name(t, got)
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for i := range planned { // ids of contacts to be made differ
		if word, _, _ := strings.Cut(planned[i], " "); !strings.HasPrefix(got[i], word) {
			t.Errorf("row %d was planned to be %s and is %s", i, planned[i], got[i])
		}
	}
}

func TestOwnFieldsByMode(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"a@x.io", "", "11", "", "", "b", "", ""},
		{"b@x.io", "", "", "", "1234", "", "", "True"},
		{"n@x.io", "C9", "1", "False", "", "", "", ""},
	}
	for mode, want := range map[row.Mode]struct{ outcomes, own []string }{
		row.Add: {[]string{"DUPLICATE known-contact (contact a by email) a", "DUPLICATE known-contact (contact b by email) b", "ADDED c"},
			[]string{"customer=C1 score=10.5 newsletter=True pin=(4711) tags=a;b since=2020-02-29 calls=False", "", "customer=C9 score=1 newsletter=False"}},
		row.Update: {[]string{"UPDATED a", "UPDATED b", "UNMATCHED no-contact"},
			[]string{"customer=C1 score=11 newsletter=True pin=(4711) tags=b since=2020-02-29 calls=False", "pin=(1234) calls=True"}},
		row.Upsert: {[]string{"UPDATED a", "UPDATED b", "ADDED c"},
			[]string{"customer=C1 score=11 newsletter=True pin=(4711) tags=b since=2020-02-29 calls=False", "pin=(1234) calls=True", "customer=C9 score=1 newsletter=False"}},
	} {
		t.Run([]string{"", "add", "update", "upsert"}[mode], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, two)
			w.wantOutcomes(t, file{mode: mode, own: ownFields, head: two.head, rows: rows}, want.outcomes...)
			w.wantOwn(t, want.own...)
		})
	}
}

func TestEmptyOwnCellsChangeNothingAndUnsetClears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, two)
	w.wantOutcomes(t, file{mode: row.Upsert, own: ownFields, head: two.head, rows: [][]string{
		{"a@x.io", "", "", "", "", "", "", ""},
		{"b@x.io", "UNSET", "UNSET", "UNSET", "UNSET", "UNSET", "UNSET", "Empty"},
		{"n@x.io", "UNSET", "UNSET", "Empty", "UNSET", "UNSET", "UNSET", "UNSET"},
	}}, "UNCHANGED a", "UNCHANGED b", "ADDED c")
	w.wantOwn(t, "customer=C1 score=10.5 newsletter=True pin=(4711) tags=a;b since=2020-02-29 calls=False", "", "")
	w.wantOutcomes(t, file{mode: row.Update, own: ownFields, head: []string{"email", "customer", "score", "newsletter", "pin"}, rows: [][]string{
		{"a@x.io", "UNSET", "UNSET", "Empty", "UNSET"},
	}}, "UPDATED a")
	w.wantOwn(t, "tags=a;b since=2020-02-29 calls=False", "", "")
	if keys := w.query(t, "select string_agg(key::text, ' ' order by key) from contacts.contact_keys where contact_id = (select min(contact_id::text)::uuid from contacts.contacts)"); keys[0] != "2 15" {
		t.Errorf("the first contact has the keys %s, want email and since", keys[0])
	}
	w.wantOutcomes(t, file{mode: row.Update, own: ownFields, head: []string{"email", "tags", "since"}, rows: [][]string{{"a@x.io", "UNSET", "UNSET"}}}, "UPDATED a")
	w.wantOwn(t, "calls=False", "", "")
}

func TestOwnFieldsTwiceAreAsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, two)
	state := "select c::text || coalesce(k.keys, '') from contacts.contacts c left join lateral (select string_agg(k::text, ' ' order by key) as keys from contacts.contact_keys k where k.contact_id = c.contact_id) k on true order by contact_id"
	before := w.query(t, state)
	again := two
	again.mode = row.Upsert
	w.wantOutcomes(t, again, "UNCHANGED a", "UNCHANGED b")
	change := file{mode: row.Upsert, own: ownFields, head: two.head, rows: [][]string{{"a@x.io", "C2", "UNSET", "False", "9", "UNSET", "", ""}, {"b@x.io", "C3", "", "", "8", "", "", ""}}}
	if diff := cmp.Diff(before, w.query(t, state)); diff != "" {
		t.Errorf("contacts after the same file (-before +after):\n%s", diff)
	}
	w.wantOutcomes(t, change, "UPDATED a", "UPDATED b")
	changed := w.query(t, state)
	w.wantOutcomes(t, change, "UNCHANGED a", "UNCHANGED b")
	if diff := cmp.Diff(changed, w.query(t, state)); diff != "" {
		t.Errorf("contacts after the same change (-before +after):\n%s", diff)
	}
	w.wantOwn(t, "customer=C2 newsletter=False pin=(9) since=2020-02-29 calls=False", "customer=C3 pin=(8)")
}

func TestAUniqueOwnFieldIsAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, two)
	w.wantOutcomes(t, file{mode: row.Upsert, own: ownFields, head: []string{"customer", "since", "email", "city"}, rows: [][]string{
		{"C1", "", "", "Rome"},                 // a by its number
		{"C1", "", "", "Oslo"},                 // repeats it
		{"", "2020-02-29", "", "Kyiv"},         // a by another key
		{"C1", "", "b@x.io", "Bern"},           // repeats the number
		{"", "2020-02-29", "b@x.io", "Lima"},   // repeats the day
		{"C7", "2020-03-01", "n@x.io", "Bonn"}, // nobody
		{"C8", "2020-03-01", "", "Riga"},       // repeats the day
	}}, "UPDATED a", "DUPLICATE repeats-row (line 2)", "UPDATED a", "DUPLICATE repeats-row (line 2)", "DUPLICATE repeats-row (line 4)", "ADDED c", "DUPLICATE repeats-row (line 7)")
	w.wantOutcomes(t, file{mode: row.Upsert, own: ownFields, head: []string{"customer", "since", "email"}, rows: [][]string{
		{"C1", "2020-03-01", ""}, // a and c
		{"C7", "", "b@x.io"},     // c and b
	}}, "CONFLICT several-contacts (contact a by customer; contact c by since)", "CONFLICT several-contacts (contact b by email; contact c by customer)")
	w.wantOutcomes(t, file{mode: row.Add, own: ownFields, head: []string{"customer"}, rows: [][]string{{"C7"}}}, "DUPLICATE known-contact (contact c by customer) c")

	// a key that is given away can be taken in the next file, and one that is taken is a conflict whatever matching said
	none := row.Verdict{Relation: row.None}
	_, got := w.run(t, file{mode: row.Upsert, own: ownFields, head: []string{"email", "customer"}, rows: [][]string{
		{"a@x.io", "C10"}, {"m@x.io", "C7"}, {"b@x.io", "C11"}}, match: map[int64]row.Verdict{1: none}})
	if diff := cmp.Diff([]string{"UPDATED a", "CONFLICT duplicate-contact (contact c has one of its keys) c", "UPDATED b"}, w.name(t, got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.wantOutcomes(t, file{mode: row.Upsert, own: ownFields, head: []string{"customer", "city"}, rows: [][]string{{"C1", "Pisa"}, {"C10", "Graz"}}}, "ADDED d", "UPDATED a")
	w.wantOwn(t, "customer=C10 score=10.5 newsletter=True pin=(4711) tags=a;b since=2020-02-29 calls=False", "customer=C11", "customer=C7 since=2020-03-01", "customer=C1")
}

func TestAWithdrawnAuthorisationIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, two)
	const kept = "consent-kept"
	w.wantOutcomes(t, file{mode: row.Upsert, own: ownFields, head: []string{"email", "newsletter", "calls", "score"}, rows: [][]string{
		{"a@x.io", "False", "True", ""},
		{"b@x.io", "Empty", "UNSET", "3"},
		{"n@x.io", "False", "True", ""},
	}}, "UPDATED consent-kept (calls) a", "UPDATED b", "ADDED c")
	w.wantOutcomes(t, file{mode: row.Update, own: ownFields, head: []string{"email", "newsletter", "calls", "score"}, rows: [][]string{
		{"a@x.io", "True", "UNSET", ""},
		{"b@x.io", "", "", "3"},
		{"n@x.io", "Empty", "False", "4"},
	}}, "UNCHANGED "+kept+" (newsletter, calls) a", "UNCHANGED b", "UPDATED "+kept+" (newsletter) c")
	w.wantOutcomes(t, file{mode: row.Update, own: ownFields, head: []string{"email", "newsletter", "calls"}, rows: [][]string{
		{"a@x.io", "False", "Empty"},
		{"n@x.io", "True", "True"},
	}}, "UNCHANGED "+kept+" (calls) a", "UNCHANGED "+kept+" (newsletter, calls) c")
	w.wantOwn(t, "customer=C1 score=10.5 newsletter=False pin=(4711) tags=a;b since=2020-02-29 calls=False", "score=3", "score=4 newsletter=False calls=False")
}

func TestJournalAndOriginsOfOwnFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, two)
	before := w.query(t, "select own -> '259' ->> 0 from contacts.contacts where email = 'a@x.io'")
	hash := w.query(t, "select own_8_hash::text from contacts.contacts where email = 'a@x.io'")
	w.run(t, file{mode: row.Update, own: ownFields, head: two.head, rows: [][]string{
		{"a@x.io", "C2", "UNSET", "", "99", "a", "", "True"}, {"b@x.io", "", "7", "", "", "", "", ""}}})
	journal := `select concat_ws(' ', j.line, j.fields, j.own - '259', coalesce(j.own -> '259' ->> 0, 'none'), coalesce(j.own_8_hash::text, 'none'), j.own_15_hash is null)
		from contacts.journal j where job_id = (select max(job_id::text)::uuid from contacts.journal) order by line`
	if diff := cmp.Diff([]string{
		`2 281474976710657 {"256": "C1", "257": "10.5", "260": "a;b"} ` + before[0] + " " + hash[0] + " t",
		`3 1 {"257": null} none none t`,
	}, w.query(t, journal)); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	origins := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, w.query(t, "select coalesce(origins::text, 'none') from contacts.contacts order by contact_id")); diff != "" {
			t.Errorf("origins (-want +got):\n%s", diff)
		}
	}
	origins(`{"jobs": [[0, 2, 2, [256, 257, 259, 260]]]}`, `{"jobs": [[0, 2, 3, [257]]]}`)
	// no two entries name the same field
	w.run(t, file{mode: row.Update, own: ownFields, head: []string{"email", "city", "tags"}, rows: [][]string{{"a@x.io", "Rome", "b"}}})
	origins(`{"jobs": [[0, 2, 2, [256, 257, 259]], [8192, 3, 2, [260]]]}`, `{"jobs": [[0, 2, 3, [257]]]}`)
	w.run(t, file{mode: row.Update, own: ownFields, head: []string{"email", "city"}, rows: [][]string{{"a@x.io", "Oslo"}}})
	origins(`{"jobs": [[0, 2, 2, [256, 257, 259]], [0, 3, 2, [260]], [8192, 4, 2]]}`, `{"jobs": [[0, 2, 3, [257]]]}`)
	w.run(t, file{mode: row.Update, own: ownFields, head: []string{"email", "customer", "score", "pin", "tags"}, rows: [][]string{{"a@x.io", "C3", "8", "7", "UNSET"}, {"b@x.io", "", "9", "", ""}}})
	origins(`{"jobs": [[8192, 4, 2], [0, 5, 2, [256, 257, 259, 260]]]}`, `{"jobs": [[0, 5, 3, [257]]]}`)
	w.run(t, file{mode: row.Update, own: ownFields, head: []string{"email", "city", "tags"}, rows: [][]string{{"a@x.io", "Riga", "a"}}})
	origins(`{"jobs": [[0, 5, 2, [256, 257, 259]], [8192, 6, 2, [260]]]}`, `{"jobs": [[0, 5, 3, [257]]]}`)
	// what a person left is older now
	if _, err := w.owner.Exec(t.Context(), `update contacts.contacts set origins = origins || '{"257": {"by": "x"}, "city": {"by": "x"}}'`); err != nil {
		t.Fatal(err)
	}
	w.run(t, file{mode: row.Update, own: ownFields, head: []string{"email", "score"}, rows: [][]string{{"b@x.io", "10"}}})
	origins(`{"257": {"by": "x"}, "city": {"by": "x"}, "jobs": [[0, 5, 2, [256, 257, 259]], [8192, 6, 2, [260]]]}`, `{"city": {"by": "x"}, "jobs": [[0, 7, 2, [257]]]}`)
	w.sound(t)

	// the journal's images laid over the contact, newest first, are the contact as it was
	undone := w.query(t, `with recursive back as (
			select c.contact_id, c.own, '9'::text as until, 0 as n from contacts.contacts c
			union all
			select b.contact_id, nullif(jsonb_strip_nulls(coalesce(b.own, '{}') || j.own), '{}'), j.job_id::text, n + 1
			from back b cross join lateral (select * from contacts.journal j where j.contact_id = b.contact_id and j.own is not null and j.job_id::text < b.until order by j.job_id desc limit 1) j
		) select distinct on (contact_id) coalesce((own - '259')::text, 'none') from back order by contact_id, n desc`)
	if diff := cmp.Diff([]string{`{"256": "C1", "257": "10.5", "258": "True", "260": "a;b", "261": "2020-02-29", "262": "False"}`, "none"}, undone); diff != "" {
		t.Errorf("the first state (-want +got):\n%s", diff)
	}
}

func TestOwnFieldsOfRowsThatMeetAreAppliedInTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, file{mode: row.Add, own: ownFields, head: []string{"email", "phone", "account_number", "vat_number", "external_id", "score", "newsletter", "customer"}, rows: [][]string{
		{"a@x.io", "+12015550101", "N", "V", "E", "1", "True", "C1"}, {"b@x.io", "+12015550102", "", "", "", "", "", ""}}})
	w.wantOutcomes(t, file{mode: row.Update, own: ownFields, head: []string{"email", "phone", "account_number", "vat_number", "external_id", "score", "newsletter", "pin", "city", "customer"}, rows: [][]string{
		{"a@x.io", "", "", "", "", "2", "", "11", "", "C2"},          // a
		{"", "+12015550101", "", "", "", "2", "False", "11", "", ""}, // a: nothing new but the withdrawal
		{"", "", "N", "", "", "", "True", "", "", ""},                // a: stays withdrawn
		{"", "", "", "V", "", "UNSET", "UNSET", "12", "Rome", "C3"},  // a: stays withdrawn
		{"", "", "", "", "E", "", "", "", "Rome", ""},                // a: nothing new
		{"b@x.io", "", "", "", "", "5", "", "", "", ""},              // b
	}}, "UPDATED a", "UPDATED a", "UNCHANGED consent-kept (newsletter) a", "UPDATED consent-kept (newsletter) a", "UNCHANGED a", "UPDATED b")
	w.wantOwn(t, "customer=C3 newsletter=False pin=(12)", "score=5")
	if diff := cmp.Diff([]string{`{"jobs": [[0, 3, 3, [258]], [8192, 3, 5, [256, 257, 259]]]}`, `{"jobs": [[0, 3, 7, [257]]]}`},
		w.query(t, "select origins::text from contacts.contacts order by contact_id")); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`2 281474976718849 {"256": "C1", "257": "1", "258": "True", "259": null} t`, `7 1 {"257": null} f`},
		w.query(t, "select concat_ws(' ', line, fields, own, own_8_hash is not null) from contacts.journal order by contact_id")); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestOwnFieldsOfAnotherProgramAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := two
	c := w.prepare(t, f)
	c.Work.Account.Fields = c.Work.Account.Fields[1:]
	if _, err := w.once(t, c, nil); err == nil || !strings.Contains(err.Error(), "column 2 is mapped to a field that the account does not have") {
		t.Errorf("a column of a field that is not frozen with the job: %v", err)
	}
	w.sound(t)
}
