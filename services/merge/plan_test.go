package merge

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// plans makes the plan of a file, and returns the job as it is once that was approved.
func (w *world) plans(t *testing.T, f file) (*stage.Claim, *ingestv1.MergeResult) {
	t.Helper()
	c := w.prepare(t, f)
	enriched := c.Work.Enriched
	c.Work.Planning, c.Work.Enriched = true, nil
	r, err := w.once(t, c, nil)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	c.Work.Planning, c.Work.Plan, c.Work.Enriched = false, r.Outcomes, enriched
	return c, r
}

// review makes the plan of a file, which changes nothing.
func (w *world) review(t *testing.T, f file) (*stage.Claim, []string) {
	t.Helper()
	before := w.state(t)
	c, r := w.plans(t, f)
	if diff := cmp.Diff(before, w.state(t)); diff != "" {
		t.Errorf("making a plan changed (-before +after):\n%s", diff)
	}
	return c, w.name(t, w.outcomesOf(t, r))
}

// carryOut matches the rows of a planned job again and applies it.
func (w *world) carryOut(t *testing.T, c *stage.Claim) *ingestv1.MergeResult {
	t.Helper()
	c.Work.Matched = w.matched(t, c, nil)
	r, err := w.once(t, c, nil)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return r
}

func (w *world) approve(t *testing.T, c *stage.Claim) (*ingestv1.MergeResult, []string) {
	t.Helper()
	r := w.carryOut(t, c)
	return r, w.name(t, w.outcomesOf(t, r))
}

// twenty are contacts that a plan is about.
func twenty() file {
	f := file{mode: row.Add, head: []string{"email", "phone", "city", "first_name"}}
	for i := range 20 {
		f.rows = append(f.rows, []string{fmt.Sprintf("p%d@x.io", i), fmt.Sprintf("+1201555%04d", i), "Rome", "Ann"})
	}
	return f
}

func TestAPlanThatNothingCameBetweenIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	f := file{mode: row.Upsert, list: "l", own: ownFields, head: []string{"external_id", "phone", "city", "ssn", "birth_date", "pin", "score", "newsletter"}, rows: [][]string{
		{"A", "", "Rome", "219099998", "1980-01-03", "4711", "1", "True"},
		{"", "+12015550102", "Rome", "219099997", "", "12", "", "False"},
		{"N1", "+12015550112", "", "", "", "99", "", ""},
		{"!bad", "", "", "", "", "", "", ""},
		{"N1", "", "Bern", "", "", "", "", ""},
		{"", "", "", "", "", "", "", ""},
	}}
	c, planned := w.review(t, f)
	r, got := w.approve(t, c)
	if diff := cmp.Diff([]string{"UPDATED a", "UPDATED b", "ADDED d", "INVALID bad", "DUPLICATE repeats-row (line 4)", "ADDED e"}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for i, p := range planned { // ids of contacts to be made differ
		if word, _, _ := strings.Cut(p, " "); !strings.HasPrefix(got[i], word) {
			t.Errorf("row %d was planned to be %s and is %s", i, p, got[i])
		}
	}
	if r.Counts.Held != 0 {
		t.Errorf("%d rows are held", r.Counts.Held)
	}
	c, _ = w.review(t, f) // all is there but the row without a key
	_, got = w.approve(t, c)
	if diff := cmp.Diff([]string{"UNCHANGED a", "UNCHANGED b", "UNCHANGED d", "INVALID bad", "DUPLICATE repeats-row (line 4)", "ADDED f"}, got); diff != "" {
		t.Errorf("outcomes of the same file (-want +got):\n%s", diff)
	}
	w.sound(t)
}

// What came between the plan and its approval holds those rows of which something else would become, and no others: of 20 rows
// 14 are as planned and take effect.
func TestRowsOfWhichSomethingElseWouldBecomeAreHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, twenty())
	f := file{mode: row.Upsert, list: "l", head: []string{"email", "city", "zip"}}
	for i := range 17 {
		f.rows = append(f.rows, []string{fmt.Sprintf("p%d@x.io", i), "Oslo", "10001"})
	}
	f.rows = append(f.rows, []string{"n1@x.io", "Oslo", ""}, []string{"n2@x.io", "", ""}, []string{"n3@x.io", "", ""})
	c, planned := w.review(t, f)
	w.set(t, "p0@x.io", 1, "city", "Bern")                 // what the row writes
	w.set(t, "p1@x.io", 1, "zip", "10001")                 // a part of it is so by now
	w.set(t, "p2@x.io", 1, "email", "else@x.io")           // nobody has its key
	w.set(t, "p3@x.io", 1, "first_name", "Bob")            // what the row does not write
	w.set(t, "p4@x.io", 1, "city", "Oslo", "zip", "10001") // nothing is left to do
	w.run(t, file{mode: row.Upsert, head: []string{"email", "city"}, rows: [][]string{{"n1@x.io", "Lima"}, {"p5@x.io", "Lima"}}})

	r, got := w.approve(t, c)
	want := make([]string, 20)
	for i := range want {
		want[i] = fmt.Sprintf("UPDATED %c", 'a'+i)
	}
	want[0] = "HELD plan-changed (planned UPDATED contact a, now with other values) a"
	want[1] = "HELD plan-changed (planned UPDATED contact b, now with other values) b"
	want[2] = "HELD plan-changed (planned UPDATED contact c, now ADDED) c"
	want[4] = "HELD plan-changed (planned UPDATED contact e, now UNCHANGED contact e) e"
	want[5] = "HELD plan-changed (planned UPDATED contact f, now with other values) f"
	want[17] = "HELD plan-changed (planned ADDED, now UPDATED contact u) u"
	want[18], want[19] = "ADDED v", "ADDED w"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if n := r.Counts; n.Held != 6 || n.Updated != 12 || n.Added != 2 || n.Rows != 20 {
		t.Errorf("counts %v", n)
	}
	if planned[0] != "UPDATED a" || !strings.HasPrefix(planned[17], "ADDED ") {
		t.Errorf("the plan said %s", planned)
	}
	if diff := cmp.Diff([]string{"Bern", "Rome", "Rome", "Oslo", "Oslo", "Lima"}, w.query(t, "select city from contacts.contacts order by contact_id limit 6")); diff != "" {
		t.Errorf("cities (-want +got):\n%s", diff)
	}
	if members := w.query(t, "select string_agg(chr(96 + n::int), '' order by n) from (select row_number() over (order by contact_id) as n, contact_id from contacts.contacts) c join contacts.list_members using (contact_id)"); members[0] != "dghijklmnopqvw" {
		t.Errorf("on the list are %s, want those of the rows that took effect", members[0])
	}
	if n := w.query(t, "select count(*)::text from contacts.contact_keys k where contact_id = (select contact_id from contacts.contacts where city = 'Lima' and first_name is null)"); n[0] != "1" {
		t.Errorf("the contact of a row that is held has %s keys, want its own", n[0])
	}
	w.sound(t)
}

// A row that matching leaves alone is compared too, and so is one that nothing was planned for.
func TestRowsThatWereLeftAloneInThePlanAreHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	c, planned := w.review(t, file{mode: row.Update, head: []string{"email", "phone", "city"}, rows: [][]string{
		{"new@x.io", "", "Rome"}, {"a@x.io", "+12015550102", "Rome"}, {"none@x.io", "", "Rome"}, {"", "+12015550102", ""},
	}})
	if diff := cmp.Diff([]string{"UNMATCHED no-contact", "CONFLICT several-contacts (contact a by email; contact b by phone)", "UNMATCHED no-contact", "DUPLICATE repeats-row (line 3)"}, planned); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	w.set(t, "a@x.io", 1, "email", "new@x.io")
	_, got := w.approve(t, c)
	if diff := cmp.Diff([]string{"HELD plan-changed (planned UNMATCHED, now UPDATED contact a) a", "HELD plan-changed (planned CONFLICT, now UPDATED contact b) b",
		"UNMATCHED no-contact", "DUPLICATE repeats-row (line 3)"}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.sound(t)
}

// The same would become of another contact, or the row would now be left alone: neither was approved.
func TestRowsThatBelongElsewhereByNowAreHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, file{mode: row.Add, head: []string{"email", "phone", "city"}, rows: [][]string{{"a@x.io", "+12015550101", "Rome"}, {"b@x.io", "+12015550102", "Rome"}, {"c@x.io", "+12015550103", "Rome"}}})
	c, planned := w.review(t, file{mode: row.Upsert, head: []string{"phone", "email", "city"}, rows: [][]string{{"+12015550101", "", "Oslo"}, {"+12015550103", "c@x.io", "Oslo"}, {"", "b@x.io", "Rome"}}})
	if diff := cmp.Diff([]string{"UPDATED a", "UPDATED c", "UNCHANGED b"}, planned); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	w.set(t, "a@x.io", 1, "phone", "+12015550199")
	w.set(t, "b@x.io", 1, "phone", "+12015550101") // row 0 is b's now, and Rome would become Oslo as it would have with a
	w.set(t, "c@x.io", 1, "phone", "+12015550104")
	w.set(t, "a@x.io", 1, "phone", "+12015550103") // row 1 is a's and c's now
	_, got := w.approve(t, c)
	if diff := cmp.Diff([]string{"HELD plan-changed (planned UPDATED contact a, now UPDATED contact b) b", "HELD plan-changed (planned UPDATED contact c, now CONFLICT) c", "UNCHANGED b"}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.sound(t)
}

// A row whose key somebody took between its match and its write is in the way as ever, and so not as planned.
func TestARowInAnothersWayIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	c, _ := w.review(t, file{mode: row.Upsert, head: []string{"email", "phone"}, rows: [][]string{{"n1@x.io", "+12015550171"}, {"n2@x.io", "+12015550172"}}})
	w.run(t, file{mode: row.Add, head: []string{"phone"}, rows: [][]string{{"+12015550171"}}})
	none := row.Verdict{Relation: row.None} // matching has not seen it
	c.Work.Matched = w.matched(t, c, map[int64]row.Verdict{0: none, 1: none})
	r, err := w.once(t, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"HELD plan-changed (planned ADDED, now CONFLICT contact d) d", "ADDED e"}, w.name(t, w.outcomesOf(t, r))); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.sound(t)
}

// What the provider says comes after the plan: that it does not know a contact keeps the row out, as the job asks, and is no HELD.
func TestWhoTheProviderDoesNotKnowIsNotHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, keep: true, head: []string{"email"}, rows: [][]string{{"a@x.io"}, {"b@x.io"}}, facts: map[int64][2]string{1: {"", `{"a":"b"}`}}}
	c, _ := w.review(t, f)
	_, got := w.approve(t, c)
	if diff := cmp.Diff([]string{"UNMATCHED unknown-to-provider", "ADDED a"}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// A plan of other rows, or of another job, is not gone by.
func TestAPlanOfSomethingElseIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, head: []string{"email"}, rows: [][]string{{"a@x.io"}, {"b@x.io"}}}
	c, _ := w.review(t, f)
	shorter := f
	shorter.rows = f.rows[:1]
	for what, other := range map[string]file{"of fewer rows": shorter, "of more rows": {mode: row.Upsert, head: f.head, rows: append(f.rows[:2:2], []string{"c@x.io"})}} {
		o, _ := w.review(t, other)
		src := w.openOutcomes(t, &ingestv1.MergeResult{Outcomes: o.Work.Plan})
		c.Work.Plan = w.copyPlan(t, c, src)
		if r, err := w.once(t, c, nil); fault.Of(err) != fault.DataLoss {
			t.Errorf("a plan %s: %v, %v, want it to be refused as lost", what, r, err)
		}
	}
	other, _ := w.review(t, f)
	c.Work.Plan = other.Work.Plan
	if r, err := w.once(t, c, nil); err == nil {
		t.Errorf("the plan of another job: %v", r)
	}
	if n := w.query(t, "select count(*)::text from contacts.contacts"); n[0] != "0" {
		t.Errorf("%s contacts were made", n[0])
	}
}

// Whoever dies while a plan is carried out, it takes effect once, and in what it holds too.
func TestAPlanThatIsKilledAnywhereIsDoneOnce(t *testing.T) {
	t.Parallel()
	var want []string
	for _, point := range append([]string{""}, points...) {
		w := newWorld(t)
		w.run(t, three)
		c, _ := w.review(t, mixed)
		w.set(t, "a@x.io", 1, "city", "Bern")
		w.run(t, file{mode: row.Add, head: []string{"external_id"}, rows: [][]string{{"N1"}}})
		c.Work.Matched = w.matched(t, c, nil)
		if point != "" {
			w.failAt(point, errKilled)
			if r, err := w.once(t, c, nil); err == nil {
				t.Fatalf("killed at %s: %v, want an error", point, r)
			}
			w.fail = nil
		}
		r, err := w.once(t, c, nil)
		if err != nil {
			t.Fatalf("after it was killed at %s: %v", point, err)
		}
		got := append(w.name(t, w.outcomesOf(t, r)), w.state(t)...)
		for i := range got { // when a person did what
			got[i], _, _ = strings.Cut(got[i], `{"city": {"at"`)
		}
		if want == nil {
			want = got
			if r.Counts.Held != 2 || r.Counts.Updated != 1 {
				t.Errorf("counts %v, want two rows held and one that takes effect", r.Counts)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("killed at %s (-never killed +got):\n%s", point, diff)
		}
		w.sound(t)
	}
}

// copyPlan writes a plan as one of the claim's job.
func (w *world) copyPlan(t *testing.T, c *stage.Claim, from *row.OutcomesReader) *ingestv1.Object {
	t.Helper()
	return w.put(t, blob.WorkName(w.account, c.Job, "test", w.token.Add(1), "outcomes"), func(out io.Writer) error {
		to := row.NewOutcomesWriter(out)
		for {
			e, err := from.Next()
			if errors.Is(err, io.EOF) {
				return to.Close()
			}
			if err == nil {
				err = to.Append(e)
			}
			if err != nil {
				return err
			}
		}
	})
}
