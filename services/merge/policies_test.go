package merge

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/row"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// editor is the person of these tests.
var editor = uuid.MustParse("0190e3a0-0000-7000-8000-000000000001")

// set is an edit by hand of the contact with an email, at noon of a day of January 2026: names and values of fields.
func (w *world) set(t testing.TB, email string, day int, values ...string) {
	t.Helper()
	if err := w.edit(t, w.contactOf(t, email), day, values...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) contactOf(t testing.TB, email string) uuid.UUID {
	t.Helper()
	id := w.query(t, "select contact_id::text from contacts.contacts where email = $1", email)
	if len(id) != 1 {
		t.Fatalf("%d contacts with the email %s", len(id), email)
	}
	return parse(id[0])
}

func (w *world) edit(t testing.TB, id uuid.UUID, day int, values ...string) error {
	t.Helper()
	schema, err := fields.SchemaOf(ownFields)
	if err != nil {
		t.Fatal(err)
	}
	e := contactdb.Edit{By: editor, At: january(day), Schema: schema, Values: map[contact.Field]*string{}}
	for i := 0; i < len(values); i += 2 {
		f, ok := schema.Field(values[i])
		if !ok {
			t.Fatalf("no field %s", values[i])
		}
		e.Values[f] = &values[i+1]
		if values[i+1] == "" {
			e.Values[f] = nil
		}
	}
	return w.edits.Set(t.Context(), w.account, id, e)
}

func january(day int) time.Time { return time.Date(2026, time.January, day, 12, 0, 0, 0, time.UTC) }

// wantKept applies a file and wants of each row its outcome and what was kept, as "field=value since day".
func (w *world) wantKept(t *testing.T, f file, want ...string) *ingestv1.MergeResult {
	t.Helper()
	check := f
	check.check = true
	_, planned := w.keptBy(t, check)
	r, got := w.keptBy(t, f)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, planned); diff != "" {
		t.Errorf("outcomes (-applied +planned):\n%s", diff)
	}
	w.sound(t)
	return r
}

func (w *world) keptBy(t *testing.T, f file) (*ingestv1.MergeResult, []string) {
	t.Helper()
	r, _ := w.run(t, f)
	var all []string
	newer := int64(0)
	w.ended(t, r, func(e *row.Ended) {
		s := e.Outcome.String()
		if e.Reason != "" {
			s += " " + e.Reason + " (" + e.Detail + ")"
		}
		for _, k := range e.Kept {
			since := "?"
			if k.Since != 0 {
				since = time.Unix(k.Since, 0).UTC().Format("Jan 2")
			}
			s += fmt.Sprintf(" %s:%d=%s since %s", k.Reason, k.Field, k.Value, since)
		}
		if strings.Contains(s, "newer-here:") || strings.Contains(s, "consent-kept:") {
			newer++
		}
		all = append(all, s)
	})
	if r.Counts.NewerHere != newer {
		t.Errorf("%d rows counted as newer here, want %d", r.Counts.NewerHere, newer)
	}
	return r, all
}

// ended reads the outcomes of a job.
func (w *world) ended(t testing.TB, m *ingestv1.MergeResult, fn func(*row.Ended)) {
	t.Helper()
	r := w.openOutcomes(t, m)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		fn(e)
	}
}

func (w *world) value(t testing.TB, email, sql string) string {
	t.Helper()
	return w.query(t, "select coalesce(("+sql+")::text, 'none') from contacts.contacts where email = $1", email)[0]
}

// The model case: a number was changed by hand, and files go on to come with the old one.
func TestAnOlderFileLeavesTheNumberThatAPersonGave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := func(phone, city string) file {
		return file{mode: row.Upsert, day: 2, head: []string{"email", "phone", "city"}, rows: [][]string{{"a@x.io", phone, city}}}
	}
	w.run(t, f("+12015550101", "Rome"))
	w.set(t, "a@x.io", 5, "phone", "+12015550102")
	w.wantKept(t, f("+12015550101", "Rome"), "UNCHANGED newer-here (phone) newer-here:4=+12015550102 since Jan 5")
	w.wantKept(t, f("+12015550101", "Oslo"), "UPDATED newer-here (phone) newer-here:4=+12015550102 since Jan 5")
	w.wantKept(t, f("+12015550102", "Oslo"), "UNCHANGED")
	w.wantKept(t, f("+12015550103", "Oslo"), "UPDATED")
	if got := w.value(t, "a@x.io", "phone"); got != "+12015550103" {
		t.Errorf("the phone is %s, want that of the last file", got)
	}
	// it is a job's now, and no longer a person's
	w.wantKept(t, f("+12015550101", "Oslo"), "UPDATED")
	// what a person replaces is all that the contact is known to have had
	w.set(t, "a@x.io", 9, "phone", "+12015550109")
	for _, old := range []string{"+12015550101", "+12015550102", "+12015550103"} {
		w.wantKept(t, f(old, "Oslo"), "UNCHANGED newer-here (phone) newer-here:4=+12015550109 since Jan 9")
	}
	// a number that another contact has by now, and that is not followed here, is no claim on it
	w.run(t, file{mode: row.Add, head: []string{"email", "phone"}, rows: [][]string{{"b@x.io", "+12015550101"}}})
	r := f("", "")
	r.head, r.rows = []string{"email", "phone"}, [][]string{{"a@x.io", "UNSET"}}
	w.wantKept(t, r, "UPDATED")
	if got := w.value(t, "a@x.io", "phone"); got != "none" {
		t.Errorf("the phone is %s, want none after UNSET", got)
	}
}

func TestWhatAFileMayDoToWhatAPersonGave(t *testing.T) {
	t.Parallel()
	for policy, want := range map[accountsv1.HandMade][]string{
		accountsv1.HandMade_HAND_MADE_NEW_VALUES: {"UPDATED newer-here (city) newer-here:13=Bern since Jan 3", "UNCHANGED newer-here (city) newer-here:13=Lima since Jan 3"},
		accountsv1.HandMade_HAND_MADE_KEEP:       {"UNCHANGED newer-here (zip, city) newer-here:9=2 since Jan 3 newer-here:13=Bern since Jan 3", "UNCHANGED newer-here (city) newer-here:13=Lima since Jan 3"},
		accountsv1.HandMade_HAND_MADE_REPLACE:    {"UPDATED", "UPDATED"},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := file{mode: row.Upsert, head: []string{"email", "city", "zip"}, rows: [][]string{{"a@x.io", "Rome", "1"}, {"b@x.io", "Oslo", ""}}}
			w.run(t, f)
			w.set(t, "a@x.io", 3, "city", "Bern", "zip", "2")
			w.set(t, "b@x.io", 3, "city", "Lima")
			f.policies = &accountsv1.Policies{HandMade: policy}
			f.rows = [][]string{{"a@x.io", "Rome", "3"}, {"b@x.io", "Oslo", ""}}
			w.wantKept(t, f, want...)
			f.rows = [][]string{{"a@x.io", "UNSET", "UNSET"}, {"b@x.io", "", ""}}
			w.wantKept(t, f, "UPDATED", "UNCHANGED")
		})
	}
}

func rules(rules map[string]accountsv1.FieldRule) *accountsv1.Policies {
	return &accountsv1.Policies{Rules: rules}
}

func TestRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, day: 2, own: ownFields, head: []string{"email", "phone", "first_name", "city", "score", "pin", "tags", "newsletter"}, rows: [][]string{
		{"a@x.io", "+12015550101", "Ann", "Rome", "1", "11", "a", "True"}, {"b@x.io", "", "", "", "", "", "", ""}}}
	all := func(r accountsv1.FieldRule) *accountsv1.Policies {
		return rules(map[string]accountsv1.FieldRule{fields.AllOthers: r, "email": accountsv1.FieldRule_FIELD_RULE_ALWAYS})
	}
	// a new contact takes all that its row says
	f.policies = all(accountsv1.FieldRule_FIELD_RULE_NEVER)
	w.wantKept(t, f, "ADDED", "ADDED")
	f.rows = [][]string{
		{"a@x.io", "+12015550102", "Ann", "UNSET", "2", "12", "UNSET", "Empty"},
		{"b@x.io", "+12015550103", "Bo", "UNSET", "2", "12", "", "False"}}
	w.wantKept(t, f,
		"UNCHANGED kept-by-rule (phone, city, score, newsletter, pin, tags) kept-by-rule:4=+12015550101 since Jan 2 kept-by-rule:13=Rome since Jan 2 kept-by-rule:257=1 since Jan 2 kept-by-rule:258=True since Jan 2 kept-by-rule:259=***-**-**** since Jan 2 kept-by-rule:260=a since Jan 2",
		"UNCHANGED kept-by-rule (first_name, phone, score, newsletter, pin) kept-by-rule:1= since Jan 2 kept-by-rule:4= since Jan 2 kept-by-rule:257= since Jan 2 kept-by-rule:258= since Jan 2 kept-by-rule:259= since Jan 2")
	f.policies = all(accountsv1.FieldRule_FIELD_RULE_IF_EMPTY)
	f.rows[0][3], f.rows[0][6], f.rows[0][7] = "Oslo", "b", "True"
	w.wantKept(t, f,
		"UNCHANGED kept-by-rule (phone, city, score, pin, tags) kept-by-rule:4=+12015550101 since Jan 2 kept-by-rule:13=Rome since Jan 2 kept-by-rule:257=1 since Jan 2 kept-by-rule:259=***-**-**** since Jan 2 kept-by-rule:260=a since Jan 2",
		"UPDATED")
	f.rows = [][]string{{"a@x.io", "UNSET", "UNSET", "UNSET", "UNSET", "UNSET", "UNSET", "Empty"}}
	w.wantKept(t, f, "UPDATED")
}

// The rule newest goes by when values were so, not by when they came.
func TestNewest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newest := rules(map[string]accountsv1.FieldRule{fields.AllOthers: accountsv1.FieldRule_FIELD_RULE_NEWEST})
	f := func(day int, rows ...[]string) file {
		return file{mode: row.Upsert, day: day, own: ownFields, head: []string{"email", "city", "zip", "score", "changed_at"}, rows: rows, policies: newest}
	}
	w.run(t, f(10, []string{"a@x.io", "Rome", "", "1", ""}, []string{"b@x.io", "Bern", "", "", "2026-01-05T12:00:00Z"}))
	// what came later and is older stays out; what nobody ever said is older than nothing
	w.wantKept(t, f(8, []string{"a@x.io", "Oslo", "7", "2", ""}, []string{"b@x.io", "Lima", "", "", ""}),
		"UPDATED newer-here (city, score) newer-here:13=Rome since Jan 10 newer-here:257=1 since Jan 10", "UPDATED")
	w.wantKept(t, f(20, []string{"a@x.io", "UNSET", "", "UNSET", "2026-01-09T12:00:00Z"}, []string{"b@x.io", "Riga", "", "", "2026-01-08T11:59:59Z"}),
		"UNCHANGED newer-here (city, score) newer-here:13=Rome since Jan 10 newer-here:257=1 since Jan 10", "UNCHANGED newer-here (city) newer-here:13=Lima since Jan 8")
	w.wantKept(t, f(20, []string{"a@x.io", "UNSET", "", "3", "2026-01-11T12:00:00Z"}, []string{"b@x.io", "Riga", "", "", "2026-01-08T12:00:00Z"}), "UPDATED", "UPDATED")
	// that it has no city is of the 11th
	w.wantKept(t, f(10, []string{"a@x.io", "Oslo", "", "2", ""}),
		"UNCHANGED newer-here (city, score) newer-here:13= since Jan 11 newer-here:257=3 since Jan 11")
	// and a person's word is of the day on which it was given
	w.set(t, "a@x.io", 15, "city", "Kyiv")
	w.wantKept(t, f(14, []string{"a@x.io", "Nice", "", "", ""}), "UNCHANGED newer-here (city) newer-here:13=Kyiv since Jan 15")
	w.wantKept(t, f(16, []string{"a@x.io", "Nice", "", "", ""}), "UPDATED")
}

// Rows that meet are judged by the contact as it was before the job, and what is left of them is applied in their order.
func TestRowsThatMeetAreJudgedByTheContactBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := []string{"email", "phone", "city", "score", "newsletter", "customer"}
	w.run(t, file{mode: row.Add, day: 2, own: ownFields, head: head, rows: [][]string{{"a@x.io", "+12015550101", "Rome", "1", "True", "C1"}}})
	w.set(t, "a@x.io", 5, "city", "Bern", "score", "2", "newsletter", "True", "customer", "C2")
	f := file{mode: row.Update, day: 6, own: ownFields, head: head, rows: [][]string{
		{"a@x.io", "", "Rome", "1", "", ""},       // both are older
		{"", "+12015550101", "Oslo", "3", "", ""}, // both are new
	}}
	w.wantKept(t, f, "UNCHANGED newer-here (city, score) newer-here:13=Oslo since Jan 6 newer-here:257=3 since Jan 6", "UPDATED")
	f.rows = [][]string{{"a@x.io", "", "Lima", "", "False", "C1"}, {"", "+12015550101", "", "", "True", "C3"}}
	f.policies = rules(map[string]accountsv1.FieldRule{"newsletter": accountsv1.FieldRule_FIELD_RULE_NEWEST})
	w.wantKept(t, f,
		"UPDATED newer-here (customer) newer-here:256=C3 since Jan 6",
		"UPDATED consent-kept (newsletter) consent-kept:258=False since Jan 6")
	// withdrawn, and older besides: consent is the reason
	w.wantKept(t, file{mode: row.Update, day: 1, own: ownFields, head: head, policies: f.policies, rows: [][]string{{"a@x.io", "", "", "", "True", ""}}},
		"UNCHANGED consent-kept (newsletter) consent-kept:258=False since Jan 6")
}

// A word that is not followed claims no key, and its row joins the list all the same.
func TestAWordThatIsNotFollowedClaimsNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, file{mode: row.Add, day: 2, own: ownFields, head: []string{"email", "phone", "customer", "first_name", "last_name", "birth_date", "zip", "ssn"}, rows: [][]string{
		{"a@x.io", "+12015550101", "C1", "Ann", "Ash", "1990-01-02", "10001", "219099998"}}})
	w.set(t, "a@x.io", 5, "phone", "+12015550102", "customer", "C2", "zip", "10002", "ssn", "219099999", "birth_date", "1990-01-03")
	w.run(t, file{mode: row.Add, own: ownFields, head: []string{"email", "phone", "customer"}, rows: [][]string{{"b@x.io", "+12015550101", "C1"}}})
	w.wantKept(t, file{mode: row.Update, list: "l", own: ownFields, head: []string{"email", "first_name", "last_name", "birth_date", "zip", "ssn"}, rows: [][]string{
		{"a@x.io", "Anna", "Ash", "1990-01-02", "10001", "219099998"}}},
		"UPDATED newer-here (birth_date, ssn, zip) newer-here:6=1990-01-03 since Jan 5 newer-here:7=***-**-**** since Jan 5 newer-here:9=10002 since Jan 5")
	if n := w.query(t, "select count(*)::text from contacts.list_members"); n[0] != "1" {
		t.Errorf("%s members, want the contact", n[0])
	}
	// the rows' keys find two contacts, but a has its own: only its email finds it
	f := file{mode: row.Update, own: ownFields, head: []string{"email", "phone", "customer"}, rows: [][]string{{"a@x.io", "+12015550101", "C1"}}}
	f.match = map[int64]row.Verdict{0: {Relation: row.One, Contact: w.contactOf(t, "a@x.io"), Keys: 1 << contact.Email}}
	w.wantKept(t, f, "UNCHANGED newer-here (phone, customer) newer-here:4=+12015550102 since Jan 5 newer-here:256=C2 since Jan 5")
	want, err := hashOfFallback(w, "Anna", "Ash", "1990-01-03", "10002")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.value(t, "a@x.io", "name_birth_zip_hash"); got != want {
		t.Errorf("the fallback key is %s, want that of what the contact has: %s", got, want)
	}
}

func hashOfFallback(w *world, first, last, birth, zip string) (string, error) {
	d, code := contact.ParseDate([]byte(birth), contact.DateRules{})
	if code != "" {
		return "", fmt.Errorf("no date: %s", code)
	}
	text, _ := contact.AppendNameBirthZip(nil, []byte(first), []byte(last), d, []byte(zip))
	return uuid.UUID(w.ring.Hash(w.account, uint8(contact.NameBirthZip), text)).String(), nil
}

// Whatever the kind of a field, the value that a person replaced is known again: by its key, by its hash, or sealed.
func TestReplacedValuesOfEveryKindAreKnownAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, own: ownFields, head: []string{"email", "external_id", "phone", "account_number", "vat_number", "ssn", "birth_date", "address", "customer", "score", "newsletter", "pin", "tags", "since"}, rows: [][]string{
		{"a@x.io", "E1", "+12015550101", "N1", "DE123456789", "219099998", "1990-01-02", "Old Road 1", "C1", "10.5", "True", "4711", "a;b", "2020-02-29"}}}
	w.run(t, f)
	w.set(t, "a@x.io", 3, "external_id", "E2", "phone", "+12015550102", "account_number", "N2", "vat_number", "DE999999999", "ssn", "219099999", "birth_date", "1990-01-03",
		"address", "New Road 1", "customer", "C2", "score", "11", "newsletter", "False", "pin", "4712", "tags", "b", "since", "2020-03-01")
	before := w.query(t, "select c::text from contacts.contacts c")
	f.match = map[int64]row.Verdict{0: {Relation: row.One, Contact: w.contactOf(t, "a@x.io"), Keys: 1 << contact.Email}}
	r, got := w.keptBy(t, f)
	want := "UNCHANGED consent-kept (phone, birth_date, ssn, account_number, external_id, address, vat_number, customer, score, newsletter, pin, tags, since)"
	if len(got) != 1 || !strings.HasPrefix(got[0], want) || r.Counts.NewerHere != 1 {
		t.Errorf("outcomes %v (%d newer here), want %s", got, r.Counts.NewerHere, want)
	}
	if diff := cmp.Diff(before, w.query(t, "select c::text from contacts.contacts c")); diff != "" {
		t.Errorf("contacts (-before +after):\n%s", diff)
	}
	w.sound(t)
}
