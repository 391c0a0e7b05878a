package merge

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/contactdb/contactdbtest"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// prepareUndo is the claim of a job that takes back the job with a number.
func (w *world) prepareUndo(t testing.TB, of int64, preview bool, own ...*accountsv1.Field) *stage.Claim {
	t.Helper()
	var id uuid.UUID
	if err := w.owner.QueryRow(t.Context(), "select job_id from contacts.applied where account_id = $1 and number = $2", w.account, of).Scan(&id); err != nil {
		t.Fatalf("job %d: %v", of, err)
	}
	return &stage.Claim{Account: w.account, Job: uuid.Must(uuid.NewV7()), Work: &ingestv1.Work{Account: &ingestv1.AccountSettings{Fields: own},
		Job: &ingestv1.Job{Number: w.number.Add(1), UndoOf: id.String(), Settings: &ingestv1.ImportSettings{Check: preview}}}}
}

// undoes previews an undo, does it, wants that both say the same, and returns that with its number.
func (w *world) undoes(t *testing.T, of int64, own ...*accountsv1.Field) (*ingestv1.MergeResult, []string, int64) {
	t.Helper()
	before := w.dump(t)
	planned, err := w.once(t, w.prepareUndo(t, of, true, own...), nil)
	if err != nil {
		t.Fatalf("preview the undo of job %d: %v", of, err)
	}
	plan := w.outcomesOf(t, planned)
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("a preview changed the account (-before +after):\n%s", diff)
	}
	number := w.number.Load() + 1
	r, err := w.once(t, w.prepareUndo(t, of, false, own...), nil)
	if err != nil {
		t.Fatalf("undo job %d: %v", of, err)
	}
	got := w.outcomesOf(t, r)
	if diff := cmp.Diff(plan, got); diff != "" {
		t.Errorf("undo of job %d (-preview +undo):\n%s", of, diff)
	}
	w.sound(t)
	return r, got, number
}

func (w *world) dump(t testing.TB) []string {
	t.Helper()
	return contactdbtest.Dump(t, w.owner, w.account)
}

func (w *world) wantDump(t *testing.T, what string, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, w.dump(t)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ids are the contacts by their letters, a for the first.
func (w *world) ids(t *testing.T) []string {
	t.Helper()
	return w.query(t, "select contact_id::text from contacts.contacts order by contact_id")
}

// lettered replaces ids of contacts in outcomes, removed ones too.
func lettered(ids, outcomes []string) []string {
	all := make([]string, len(outcomes))
	for i, o := range outcomes {
		for n, id := range ids {
			o = strings.ReplaceAll(o, id, string(rune('a'+n)))
		}
		all[i] = dates.ReplaceAllString(o, "DATE")
	}
	return all
}

var dates = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

func (w *world) wantUndone(t *testing.T, of int64, ids []string, want ...string) int64 {
	t.Helper()
	_, got, number := w.undoes(t, of)
	if diff := cmp.Diff(want, lettered(ids, got)); diff != "" {
		t.Errorf("undo of job %d (-want +got):\n%s", of, diff)
	}
	return number
}

// hand sets a field of a contact by hand; an empty value clears it.
func (w *world) hand(t *testing.T, id string, f contact.Field, value string) {
	t.Helper()
	e := contactdb.Edit{By: uuid.New(), At: time.Now(), Values: map[contact.Field]*string{f: &value}}
	if value == "" {
		e.Values[f] = nil
	}
	if err := w.edits.Set(t.Context(), w.account, parse(id), e); err != nil {
		t.Fatal(err)
	}
}

func TestAnUndoneImportIsAsIfItHadNotBeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := w.dump(t)
	f := three
	f.list, f.facts = "spring", map[int64][2]string{0: {`{"line_type":"mobile"}`, ""}}
	w.run(t, f)
	full, ids := w.dump(t), w.ids(t)
	r, got, undo := w.undoes(t, 1)
	if diff := cmp.Diff([]string{"UPDATED removed a", "UPDATED removed b", "UPDATED removed c"}, lettered(ids, got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if r.Counts.Rows != 3 || r.Counts.Updated != 3 || r.Counts.Removed != 3 {
		t.Errorf("counts %v, want three rows, updated and removed", r.Counts)
	}
	w.wantDump(t, "account after the undo", append(empty, w.query(t, `select 'holdings ' || (to_jsonb(h) - 'account_id' - 'key_version')::text from contacts.holdings h`)...))
	if diff := cmp.Diff([]string{"spring"}, w.query(t, "select list_name from contacts.applied where undo_of is not null and list_id is not null")); diff != "" {
		t.Errorf("list that the undo removed (-want +got):\n%s", diff)
	}
	w.wantUndone(t, 1, ids, "UNCHANGED already-undone a", "UNCHANGED already-undone b", "UNCHANGED already-undone c")

	again := w.wantUndone(t, undo, ids, "ADDED restored a", "ADDED restored b", "ADDED restored c")
	w.wantDump(t, "account after the undo of the undo", full)
	w.wantUndone(t, undo, ids, "UNCHANGED already-undone a", "UNCHANGED already-undone b", "UNCHANGED already-undone c")
	third := w.wantUndone(t, again, ids, "UPDATED removed a", "UPDATED removed b", "UPDATED removed c")
	w.wantUndone(t, again, ids, "UNCHANGED already-undone a", "UNCHANGED already-undone b", "UNCHANGED already-undone c")
	w.wantUndone(t, third, ids, "ADDED restored a", "ADDED restored b", "ADDED restored c")
	w.wantDump(t, "account after the undo of the undo of the undo of the undo", full)
}

// changes is an update of a and b of three, of keys, parts of the fallback key, a secret and what is cleared.
var changes = file{mode: row.Update, list: "spring", head: []string{"external_id", "email", "phone", "first_name", "city", "zip", "ssn", "birth_date"}, rows: [][]string{
	{"A", "new@x.io", "UNSET", "Anna", "Rome", "10009", "219099998", ""},
	{"", "", "+12015550102", "", "Oslo", "10002", "", "1970-01-01"},
}}

func TestAnUndoneUpdateIsAsIfItHadNotBeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	before, ids := w.dump(t), w.ids(t)
	w.run(t, changes)
	after := w.dump(t)
	undo := w.wantUndone(t, 2, ids, "UPDATED put-back a", "UPDATED put-back b")
	w.wantDump(t, "account after the undo", before)
	w.wantUndone(t, 2, ids, "UNCHANGED already-undone a", "UNCHANGED already-undone b")
	w.wantDump(t, "account after a second undo", before)
	again := w.wantUndone(t, undo, ids, "UPDATED put-back a", "UPDATED put-back b")
	w.wantDump(t, "account after the undo of the undo", after)
	third := w.wantUndone(t, again, ids, "UPDATED put-back a", "UPDATED put-back b")
	w.wantDump(t, "account after the third undo", before)
	w.wantUndone(t, third, ids, "UPDATED put-back a", "UPDATED put-back b")
	w.wantDump(t, "account after the fourth undo", after)
}

func TestJobsAreUndoneInAnyOrder(t *testing.T) {
	t.Parallel()
	one := file{mode: row.Update, head: []string{"external_id", "city", "phone"}, rows: [][]string{{"A", "Rome", "+12015550111"}}}
	other := file{mode: row.Update, head: []string{"external_id", "city", "zip"}, rows: [][]string{{"A", "Oslo", "10009"}}}
	w := newWorld(t)
	w.run(t, three)
	zero, ids := w.dump(t), w.ids(t)
	w.run(t, one)
	first := w.dump(t)
	w.run(t, other)
	both := w.dump(t)

	u1 := w.wantUndone(t, 2, ids, "HELD changed-since (city by job 3; put back: phone) a")
	w.wantUndone(t, 3, ids, "UPDATED put-back a")
	w.wantUndone(t, 2, ids, "UPDATED put-back a") // what is its own by now
	w.wantDump(t, "account after both were undone", zero)
	// City has gone back beyond what the first undo left.
	w.wantUndone(t, u1, ids, "UPDATED put-back a")
	_ = first
	_ = both
}

func TestUndosInReverseOrderGoBackStepByStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var states [][]string
	for _, f := range []file{three, mixed, changes, {mode: row.Upsert, list: "l", head: []string{"external_id", "phone", "city"}, rows: [][]string{{"N1", "UNSET", "Bern"}, {"A", "+12015550112", "Lima"}}}} {
		states = append(states, w.dump(t))
		w.run(t, f)
	}
	states[0] = append(states[0], `holdings {"held": 0, "edited": false}`)
	states = append(states, w.dump(t))
	n := len(states) - 1
	undos := make([]int64, n+1)
	for i := n; i >= 1; i-- {
		_, _, undos[i] = w.undoes(t, int64(i))
		w.wantDump(t, fmt.Sprintf("account after job %d was undone", i), states[i-1])
	}
	for i := 1; i <= n; i++ {
		w.undoes(t, undos[i])
		w.wantDump(t, fmt.Sprintf("account after the undo of job %d was undone", i), states[i])
	}
}

func TestAnUndoKeepsWhatWasTouchedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := three
	f.list = "spring"
	w.run(t, f)
	ids := w.ids(t)
	w.run(t, changes)
	w.hand(t, ids[0], contact.FieldCity, "Bern")
	w.hand(t, ids[2], contact.FieldCity, "Paris")
	w.run(t, file{mode: row.Update, list: "autumn", head: []string{"external_id", "phone", "email"}, rows: [][]string{{"A", "+12015550199", ""}}})
	w.wantUndone(t, 2, ids,
		"HELD changed-since (phone by job 3; city by hand DATE; put back: first_name, email, ssn, zip) a",
		"UPDATED put-back b")
	w.wantUndone(t, 1, ids,
		"HELD touched (phone by job 3; city by hand DATE; list autumn; put back: list spring) a",
		"UPDATED removed b",
		"HELD touched (city by hand DATE; put back: list spring) c")
	if diff := cmp.Diff([]string{"Ann Bern +12015550199 a@x.io", "Cy Paris"}, w.query(t, "select concat_ws(' ', first_name, city, phone, email) from contacts.contacts order by contact_id")); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"autumn 1"}, w.query(t, "select name || ' ' || members from contacts.lists order by name")); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	// A call is a touch too.
	if _, err := w.owner.Exec(t.Context(), "update contacts.list_members set ending = 'reached', agent = 'x'"); err != nil {
		t.Fatal(err)
	}
	w.wantUndone(t, 3, ids, "HELD changed-since (list autumn; put back: phone) a")
}

func TestAnUndoLeavesKeysToWhoeverHasThemByNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	ids := w.ids(t)
	w.run(t, changes)
	taken := "a@x.io"
	id, err := w.edits.Add(t.Context(), w.account, contactdb.Edit{By: uuid.New(), At: time.Now(), Values: map[contact.Field]*string{contact.FieldEmail: &taken}}, nil, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	all := append(ids, id.String())
	undo := w.wantUndone(t, 2, all, "HELD key-taken (contact d by email; put back: first_name, phone, ssn, zip, city, list spring) a", "UPDATED put-back b")
	w.wantUndone(t, undo, all, "UPDATED put-back a", "UPDATED put-back b")

	// A contact that an undo removed does not come back without its keys.
	gone := w.wantUndone(t, 1, all, "HELD touched (first_name by job 2; phone by job 2; email by job 2; ssn by job 2; zip by job 2; city by job 2; list spring) a",
		"HELD touched (birth_date by job 2; zip by job 2; city by job 2; list spring) b", "UPDATED removed c")
	if n := w.query(t, "select count(*)::text from contacts.contacts"); n[0] != "3" {
		t.Errorf("%s contacts, want 3", n[0])
	}
	w.wantUndone(t, gone, all, "ADDED restored c")
}

func TestKeysThatContactsPassedOnGoBackAsFarAsTheyCan(t *testing.T) {
	t.Parallel()
	const n = 50
	phone := func(i int) string { return fmt.Sprintf("+1201555%04d", i) }
	start := file{mode: row.Add, head: []string{"external_id", "phone"}}
	shift := file{mode: row.Update, head: []string{"external_id", "phone"}, match: map[int64]row.Verdict{}}
	for i := range n {
		start.rows = append(start.rows, []string{fmt.Sprint("X", i), phone(i)})
		shift.rows = append(shift.rows, []string{fmt.Sprint("X", i), phone(i + 1)})
	}
	for _, c := range []struct {
		what  string
		taken bool
	}{{"all of them", false}, {"none, as the first one's is taken", true}} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, start)
			before, ids := w.dump(t), w.ids(t)
			f := shift
			f.match = map[int64]row.Verdict{}
			for i := range n {
				f.match[int64(i)] = row.Verdict{Relation: row.One, Contact: parse(ids[i]), Keys: 1 << contact.ExternalID}
			}
			if r, _ := w.run(t, f); r.Counts.Updated != n {
				t.Fatalf("counts %v, want all phones changed", r.Counts)
			}
			if c.taken {
				first := phone(0)
				if _, err := w.edits.Add(t.Context(), w.account, contactdb.Edit{By: uuid.New(), At: time.Now(), Values: map[contact.Field]*string{contact.FieldPhone: &first}}, nil, 1<<40); err != nil {
					t.Fatal(err)
				}
			}
			shifted := w.dump(t)
			r, _, _ := w.undoes(t, 2)
			if c.taken {
				if r.Counts.Held != n {
					t.Errorf("counts %v, want all held", r.Counts)
				}
				w.wantDump(t, "account after an undo that could put nothing back", shifted)
			} else {
				if r.Counts.Updated != n {
					t.Errorf("counts %v, want all put back", r.Counts)
				}
				w.wantDump(t, "account after the undo", before)
			}
		})
	}
}

func TestAnUndoPutsOwnFieldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, two)
	before, ids := w.dump(t), w.ids(t)
	change := file{mode: row.Update, own: ownFields, head: two.head, rows: [][]string{
		{"a@x.io", "C2", "11", "False", "1234", "UNSET", "UNSET", ""},
		{"b@x.io", "C5", "1", "True", "9", "a", "2020-02-28", "True"},
	}}
	w.run(t, change)
	after := w.dump(t)
	_, got, undo := w.undoes(t, 2, ownFields...)
	if diff := cmp.Diff([]string{"UPDATED put-back a", "UPDATED put-back b"}, lettered(ids, got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.wantDump(t, "account after the undo", before)
	w.undoes(t, undo, ownFields...)
	w.wantDump(t, "account after the undo of the undo", after)

	// What a job changed since stays: a consent that was withdrawn, and a key that another contact has.
	w.run(t, file{mode: row.Update, own: ownFields, head: two.head, rows: [][]string{{"a@x.io", "", "12", "", "", "", "", ""}, {"b@x.io", "C3", "", "False", "", "", "", ""}}})
	w.run(t, file{mode: row.Upsert, own: ownFields, head: two.head, rows: [][]string{{"c@x.io", "C1", "", "", "", "", "", ""}}})
	_, got, _ = w.undoes(t, 2, ownFields...)
	if diff := cmp.Diff([]string{
		"HELD key-taken (score by job 7; contact c by customer; put back: newsletter, pin, tags, since) a",
		"HELD changed-since (customer by job 7; newsletter by job 7; put back: score, pin, tags, since, calls) b",
	}, lettered(w.ids(t), got)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.wantOwn(t, "customer=C2 score=12 newsletter=True pin=(4711) tags=a;b since=2020-02-29 calls=False", "customer=C3 newsletter=False", "customer=C1")
}

func TestContactsThatComeBackNeedRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	_, _, undo := w.undoes(t, 1)
	w.most.Store(2)
	for _, preview := range []bool{true, false} {
		r, err := w.once(t, w.prepareUndo(t, undo, preview), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.GetRejected().GetCode() != contactdb.CodePackage {
			t.Errorf("preview %v: %v, want it to be rejected", preview, r)
		}
	}
	w.sound(t)
}

func TestWhatHadNoEffectCannotBeUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	c := w.prepareUndo(t, 1, false)
	c.Work.Job.UndoOf = uuid.NewString()
	if _, err := w.once(t, c, nil); fault.Code(err) != contactdb.CodeNotUndoable || !errors.Is(err, fault.Precondition) {
		t.Errorf("undo of an unknown job: %v, want %s", err, contactdb.CodeNotUndoable)
	}
	c.Work.Job.UndoOf = "1"
	if _, err := w.once(t, c, nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("undo of what is no id: %v, want it to be invalid", err)
	}
}

func TestAnUndoThatIsKilledAnywhereIsAppliedOnce(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		if point == "staged" || point == "compared" {
			continue // an undo stages nothing
		}
		for _, how := range []string{"error", "session"} {
			t.Run(point+" by "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.run(t, three)
				before := w.dump(t)
				w.run(t, mixed)
				after := w.dump(t)
				c := w.prepareUndo(t, 2, false)
				w.fail = func(at string) error {
					if at != point {
						return nil
					}
					if how == "session" && point != "committed" {
						w.query(t, `select pg_terminate_backend(pid, 5000)::text from pg_stat_activity where usename = 'merge' and datname = current_database() and xact_start is not null`)
						return nil
					}
					return errKilled
				}
				if r, err := w.once(t, c, nil); err == nil {
					t.Fatalf("killed at %s: %v, want an error", point, r)
				}
				w.fail = nil
				if point == "committed" {
					w.wantDump(t, "account after the commit", before)
				} else {
					w.wantDump(t, "account after a killed undo", after)
				}
				for again := range 2 {
					r, err := w.once(t, c, nil)
					if err != nil {
						t.Fatalf("run again: %v", err)
					}
					if r.Counts.Rows != 3 || r.Counts.Updated != 3 || r.Counts.Removed != 1 || len(w.outcomesOf(t, r)) != 3 {
						t.Errorf("counts of run %d: %v", again, r.Counts)
					}
					w.wantDump(t, fmt.Sprintf("account after run %d", again), before)
				}
				w.sound(t)
			})
		}
	}
}
