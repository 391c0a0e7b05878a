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
