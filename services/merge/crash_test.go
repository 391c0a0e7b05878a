package merge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
)

// points are the places between two durable steps, in their order.
var points = []string{"begun", "fenced", "staged", "locked", "compared", "applied", "outcomes", "held", "leave", "committed"}

// mixed changes, adds, rejects and fills a list.
var mixed = file{mode: row.Upsert, list: "l", head: []string{"external_id", "phone", "city"}, rows: [][]string{
	{"A", "+12015550111", "Rome"}, {"N1", "+12015550112", ""}, {"!bad", "", ""}, {"", "+12015550102", "Oslo"}, {"N1", "", "Bern"},
}}

// state is all that a job may change, without what differs from one run to the next.
func (w *world) state(t *testing.T) []string {
	t.Helper()
	return slices.Concat(
		w.query(t, `select concat_ws('|', external_id, phone, first_name, city, origins) from contacts.contacts order by contact_id`),
		w.query(t, `select concat_ws('|', 'journal', line, fields, phone, city) from contacts.journal order by contact_id`),
		w.query(t, `select concat_ws('|', 'held', held) from contacts.holdings`),
		w.query(t, `select concat_ws('|', 'list', name, members, last_position) from contacts.lists`),
		w.query(t, `select concat_ws('|', 'member', position) from contacts.list_members order by position`),
		w.query(t, `select concat_ws('|', 'applied', rows, added, updated, unchanged, duplicate, invalid) from contacts.applied order by applied_at`),
	)
}

func TestAJobThatIsKilledAnywhereIsAppliedOnce(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	clean.run(t, three)
	clean.run(t, mixed)
	want := clean.state(t)
	for _, point := range points {
		for _, how := range []string{"error", "session"} {
			t.Run(point+" by "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.run(t, three)
				before := w.state(t)
				c := w.prepare(t, mixed)
				token := w.token.Add(1)
				w.fail = func(at string) error {
					if at != point {
						return nil
					}
					if how == "session" && point != "committed" { // the session is idle in its transaction, or has just begun
						w.query(t, `select pg_terminate_backend(pid, 5000)::text from pg_stat_activity where usename = 'merge' and datname = current_database() and xact_start is not null`)
						return nil
					}
					return errKilled
				}
				if r, err := w.under(t.Context(), t, c, token, nil); err == nil {
					t.Fatalf("killed at %s: %v, want an error", point, r)
				}
				w.fail = nil
				after := w.state(t)
				if point == "committed" {
					if diff := cmp.Diff(want, after); diff != "" {
						t.Errorf("state after the commit (-want +got):\n%s", diff)
					}
				} else if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("a killed job left a trace (-before +after):\n%s", diff)
				}
				for again := range 2 { // what comes after it applies it, and after that only tells
					r, err := w.once(t, c, nil)
					if err != nil {
						t.Fatalf("run again: %v", err)
					}
					if r.Counts.Added != 1 || r.Counts.Updated != 2 || r.Counts.Invalid != 1 || r.Counts.Duplicate != 1 || r.Counts.Rows != 5 {
						t.Errorf("counts of run %d: %v", again, r.Counts)
					}
					if got := w.outcomesOf(t, r); len(got) != 5 {
						t.Errorf("%d outcomes, want 5", len(got))
					}
					if diff := cmp.Diff(want, w.state(t)); diff != "" {
						t.Errorf("state after run %d (-want +got):\n%s", again, diff)
					}
				}
				w.sound(t)
			})
		}
	}
}

func TestAnOlderTokenMayNotCommit(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"begun", "fenced", "staged", "applied", "held", "leave"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, three)
			c := w.prepare(t, mixed)
			old, young := w.token.Add(1), w.token.Add(1)
			w.fail = func(at string) error {
				if at != point {
					return nil
				}
				// while the older one stands still here, its lease ends and another takes over
				w.fail = nil
				if r, err := w.under(t.Context(), t, c, young, nil); err != nil || r.Counts.Added != 1 {
					t.Errorf("the newer one: %v, %v", r, err)
				}
				return nil
			}
			r, err := w.under(t.Context(), t, c, old, nil)
			// Ended at its COMMIT it cannot tell, looks, and finds what the newer one did; else it is an error.
			if err == nil && r.Outcomes.Name != (&claim{w: w, job: c.Job, token: young}).Object("outcomes") {
				t.Fatalf("the older one committed: %v", r)
			}
			if k := fault.Of(err); err != nil && k != fault.Stale && k != fault.Unavailable {
				t.Errorf("the older one: %v, want stale or a session that was ended", err)
			}
			if _, err := w.under(t.Context(), t, c, old, nil); !errors.Is(err, fault.Stale) {
				t.Errorf("the older one again: %v, want stale", err)
			}
			if diff := cmp.Diff([]string{"2"}, w.query(t, "select count(*)::text from contacts.applied")); diff != "" {
				t.Errorf("applied jobs (-want +got):\n%s", diff)
			}
			w.sound(t)
		})
	}
}

func TestTheSameJobTwiceAtOnceIsAppliedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	c := w.prepare(t, mixed)
	var g sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range 4 {
		g.Go(func() {
			r, err := w.once(t, c, nil)
			if err != nil {
				if k := fault.Of(err); k != fault.Stale && k != fault.Unavailable && k != fault.Aborted {
					t.Errorf("%v: want stale, ended or aborted", err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			if r.Counts.Added != 1 {
				t.Errorf("counts %v", r.Counts)
			}
		})
	}
	g.Wait()
	if done == 0 {
		t.Error("none of them applied the job")
	}
	if diff := cmp.Diff([]string{"5"}, w.query(t, "select (count(*) + 1)::text from contacts.contacts")); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	w.sound(t)
}

func TestReadersSeeNoneOrAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := file{mode: row.Upsert, head: []string{"external_id", "city"}}
	const n = 200
	for i := range n {
		f.rows = append(f.rows, []string{fmt.Sprint("X", i), "v0"})
	}
	w.run(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	seen := map[string]int{}
	var g sync.WaitGroup
	g.Go(func() {
		for ctx.Err() == nil {
			for _, s := range w.query(t, "select string_agg(distinct city, ',') || ' ' || count(*) || ' ' || (select held from contacts.holdings) from contacts.contacts") {
				seen[s]++
			}
		}
	})
	want := map[string]bool{fmt.Sprintf("v0 %d %d", n, n): true}
	for v := 1; v <= 5; v++ {
		g := f
		g.rows = slices.Clone(f.rows)
		for i := range g.rows {
			g.rows[i] = []string{g.rows[i][0], fmt.Sprint("v", v)}
		}
		g.rows = append(g.rows, []string{fmt.Sprint("new", v), fmt.Sprint("v", v)})
		for earlier := 1; earlier < v; earlier++ {
			g.rows = append(g.rows, []string{fmt.Sprint("new", earlier), fmt.Sprint("v", v)})
		}
		w.contactsOnly(t, g)
		want[fmt.Sprintf("v%d %d %d", v, n+v, n+v)] = true
	}
	cancel()
	g.Wait()
	for s, times := range seen {
		if !want[s] {
			t.Errorf("a reader saw %q %d times", s, times)
		}
	}
	if len(seen) == 0 {
		t.Error("the reader saw nothing")
	}
}

// contactsOnly runs a file while the owner's connection is in use by another goroutine.
func (w *world) contactsOnly(t *testing.T, f file) {
	t.Helper()
	if _, err := w.once(t, w.prepare(t, f), nil); err != nil {
		t.Fatal(err)
	}
}

func TestLeaveRefusedLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	before := w.state(t)
	c := w.prepare(t, mixed)
	refused := fault.New(fault.Precondition, "cancelled", "the job was cancelled")
	if _, err := w.once(t, c, func() error { return refused }); !errors.Is(err, fault.Precondition) {
		t.Errorf("apply: %v, want the refusal", err)
	}
	if diff := cmp.Diff(before, w.state(t)); diff != "" {
		t.Errorf("a cancelled job left a trace (-before +after):\n%s", diff)
	}
}

func TestRowsThatAHandEditTouchedAreMatchedAgain(t *testing.T) {
	t.Parallel()
	f := file{mode: row.Upsert, head: []string{"external_id", "email", "phone", "city"}, rows: [][]string{
		{"", "a@x.io", "", "Rome"},        // a, until its email is another's
		{"", "new@x.io", "", "Oslo"},      // nobody, until a has it
		{"", "hand@x.io", "", "Bern"},     // nobody, until a contact is made by hand
		{"B", "", "+12015550102", "Lima"}, // b, untouched
		{"Z", "", "+12015550101", "Kyiv"}, // a's phone, another external id
	}}
	want := []string{"ADDED e", "UPDATED a", "UPDATED d", "UPDATED b", "CONFLICT duplicate-contact (contact a by phone) a"}
	for _, when := range []string{"before the merge", "while rows are staged"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, three)
			c := w.prepare(t, f)
			edit := func() {
				a := w.query(t, "select contact_id::text from contacts.contacts where external_id = 'A'")
				email := "new@x.io"
				if err := w.edits.Set(t.Context(), w.account, parse(a[0]), contactdb.Edit{By: uuid.New(), Values: map[contact.Field]*string{contact.FieldEmail: &email}}); err != nil {
					t.Fatal(err)
				}
				hand := "hand@x.io"
				if _, err := w.edits.Add(t.Context(), w.account, contactdb.Edit{By: uuid.New(), Values: map[contact.Field]*string{contact.FieldEmail: &hand}}, nil, 1<<40); err != nil {
					t.Fatal(err)
				}
			}
			if when == "before the merge" {
				edit()
			} else {
				var once sync.Once
				w.fail = func(at string) error {
					if at == "staged" {
						once.Do(edit)
					}
					return nil
				}
			}
			r, err := w.once(t, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, w.name(t, w.outcomesOf(t, r))); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			origins := w.query(t, "select origins::text from contacts.contacts where external_id = 'A'")
			if !strings.Contains(origins[0], `"email"`) || !strings.Contains(origins[0], `"jobs"`) {
				t.Errorf("origins %s, want the person's email beside the job's city", origins)
			}
			w.sound(t)
		})
	}
}

func TestObjectsOfAnotherJobAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.prepare(t, three), w.prepare(t, three)
	a.Work.Matched.Verdicts = b.Work.Matched.Verdicts
	if _, err := w.once(t, a, nil); !errors.Is(err, fault.DataLoss) {
		t.Errorf("another job's verdicts: %v, want data loss", err)
	}
	b.Work.Validated.Chunks[0].Cells.Sha256 = strings.Repeat("00", 32)
	if _, err := w.once(t, b, nil); !errors.Is(err, fault.DataLoss) {
		t.Errorf("other bytes than were written: %v, want data loss", err)
	}
	if n := w.query(t, "select count(*)::text from contacts.contacts"); n[0] != "0" {
		t.Errorf("%s contacts were made", n[0])
	}
}
