package systemtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// checker compares what clients were told with the database and the mail that went out. It knows the rules by itself: what
// files make of contacts it works out from the clients' own copies.
type checker struct {
	t       *testing.T
	s       *target
	repeats int // how often a mail may have gone out again under its id: once for each kill of the one who sends
}

// row types are named as the columns are.
type (
	jobRow struct {
		JobID, RequestID, State                                                                                 string
		Number                                                                                                  int64
		Rows, Added, Updated, Unchanged, Duplicate, Unmatched, Invalid, Conflict, Held, Suppressed, AppliedRows int
		StartedAt, EndedAt                                                                                      time.Time
	}
	contactRow struct{ ExternalID, LastName, Email, Phone string }
	eventRow   struct {
		Number       int64
		JobID, State string
	}
)

func (c checker) check(clients []*client) {
	for _, one := range clients {
		c.jobs(one)
		c.contacts(one)
		c.events(one)
		c.mail(one)
	}
}

// jobs: every acknowledged one, and no other, completed with the counts that its file makes, once, in the order of the numbers.
func (c checker) jobs(one *client) {
	t := c.t
	got := rows[jobRow](t, c.s, `select j.job_id::text, j.request_id, j.state, j.number, j.rows, j.added, j.updated, j.unchanged, j.duplicate, j.unmatched,
			j.invalid, j.conflict, j.held, j.suppressed, coalesce(j.started_at, j.created_at) as started_at, coalesce(j.ended_at, now()) as ended_at,
			coalesce((select sum(a.rows) from contacts.applied a where a.account_id = j.account_id and a.job_id = j.job_id), -1) as applied_rows
		from ingest.jobs j where j.account_id = $1 order by j.number`, one.id)
	if len(got) != len(one.files) {
		t.Errorf("account %s has %d jobs, its client %d acknowledgements", one.name, len(got), len(one.files))
	}
	files := map[string]*submission{}
	for _, f := range one.files {
		files[f.job] = f
	}
	held := map[person]string{} // last names
	for i, j := range got {
		f := files[j.JobID]
		if f == nil || f.number != j.Number || f.request != j.RequestID {
			t.Errorf("account %s: job %d is not what the client was told", one.name, j.Number)
			continue
		}
		want := counts{Rows: len(f.entries)}
		for _, e := range f.entries {
			last, known := held[e.person]
			switch {
			case e.bad:
				want.Invalid++
				continue
			case !known:
				want.Added++
			case last != e.last:
				want.Updated++
			default:
				want.Unchanged++
			}
			held[e.person] = e.last
		}
		state := "COMPLETED"
		if want.Invalid > 0 {
			state = "COMPLETED_WITH_REJECTS"
		}
		counted := counts{Rows: j.Rows, Added: j.Added, Updated: j.Updated, Unchanged: j.Unchanged, Duplicate: j.Duplicate, Unmatched: j.Unmatched,
			Invalid: j.Invalid, Conflict: j.Conflict, Held: j.Held, Suppressed: j.Suppressed}
		if diff := cmp.Diff(want, counted); diff != "" || j.State != state {
			t.Errorf("account %s: job %d is %s, want %s; counts (-want +got):\n%s", one.name, j.Number, j.State, state, diff)
		}
		if j.AppliedRows != j.Rows {
			t.Errorf("account %s: job %d was applied with %d rows, it has %d", one.name, j.Number, j.AppliedRows, j.Rows)
		}
		if i > 0 && (j.StartedAt.Before(got[i-1].EndedAt) || j.Number != got[i-1].Number+1) {
			t.Errorf("account %s: job %d began before job %d had ended", one.name, j.Number, got[i-1].Number)
		}
		for _, s := range charges(t, c.s, j.JobID) {
			if s.Faults > 0 || s.LeasesLost > 0 {
				t.Logf("account %s, job %d: %v", one.name, j.Number, s)
			}
		}
	}
}

// contacts: everybody once, as the last file has them, on the list once.
func (c checker) contacts(one *client) {
	t := c.t
	want := map[string]string{}
	files := slices.Clone(one.files)
	slices.SortFunc(files, func(a, b *submission) int { return int(a.number - b.number) })
	for _, f := range files {
		for _, e := range f.entries {
			if !e.bad {
				want[e.id()] = e.last
			}
		}
	}
	got := map[string]string{}
	emails, phones := map[string]bool{}, map[string]bool{}
	all := rows[contactRow](t, c.s, `select external_id, last_name, email, phone from contacts.contacts where account_id = $1`, one.id)
	for _, r := range all {
		got[r.ExternalID] = r.LastName
		emails[r.Email], phones[r.Phone] = true, true
	}
	if len(got) != len(all) || len(emails) != len(all) || len(phones) != len(all) {
		t.Errorf("account %s: %d contacts have %d external ids, %d emails, %d phones: somebody is doubled", one.name, len(all), len(got), len(emails), len(phones))
	}
	if !maps.Equal(want, got) {
		wrong := 0
		for id, last := range want {
			if got[id] != last {
				if wrong++; wrong <= 3 {
					t.Errorf("account %s: %s is called %q, want %q by the last file", one.name, id, got[id], last)
				}
			}
		}
		t.Errorf("account %s: %d of %d contacts are not as the files say, %d are held", one.name, wrong, len(want), len(got))
	}
	type numbers struct{ Held, Keys, Members, Listed, Journaled, Updated int }
	n := rows[numbers](t, c.s, `select
		(select held from contacts.holdings where account_id = $1) as held,
		(select count(*) from contacts.contact_keys where account_id = $1) as keys,
		(select count(*) from contacts.list_members where account_id = $1) as members,
		(select coalesce(sum(members), 0) from contacts.lists where account_id = $1) as listed,
		(select count(*) from contacts.journal where account_id = $1) as journaled,
		(select coalesce(sum(updated), 0) from contacts.applied where account_id = $1) as updated`, one.id)[0]
	if w := (numbers{Held: len(want), Keys: 3 * len(want), Members: len(want), Listed: len(want), Journaled: n.Updated, Updated: n.Updated}); n != w {
		t.Errorf("account %s: the contact database has %+v, want %+v", one.name, n, w)
	}
}

// events: numbered without gaps, one final for each job, none after it.
func (c checker) events(one *client) {
	t := c.t
	ended := map[string]int{}
	for i, e := range rows[eventRow](t, c.s, `select number, job_id::text, state from ingest.events where account_id = $1 order by number`, one.id) {
		if e.Number != int64(i+1) {
			t.Fatalf("account %s: event %d has number %d", one.name, i+1, e.Number)
		}
		if ended[e.JobID] > 0 {
			t.Errorf("account %s: event %d comes after the end of its job", one.name, e.Number)
		}
		if final(e.State) {
			ended[e.JobID]++
		}
	}
	for _, f := range one.files {
		if ended[f.job] != 1 {
			t.Errorf("account %s: job %d has %d final events, want 1", one.name, f.number, ended[f.job])
		}
	}
}

// mail: one for each job. SMTP cannot rule out that a mail goes out again whose acceptance was lost with its sender: it
// has the same id then.
func (c checker) mail(one *client) {
	t := c.t
	ids := map[string]int{}
	subjects := map[string]int{}
	await(t, func() (bool, string) {
		clear(ids)
		clear(subjects)
		for _, l := range c.s.letters(t, one.recipient) {
			if ids[l.id]++; ids[l.id] == 1 {
				subject, _, _ := strings.Cut(l.subject, ":")
				subjects[subject]++
			}
		}
		return len(ids) >= len(one.files), fmt.Sprintf("account %s: mails of %d jobs, want %d", one.name, len(ids), len(one.files))
	})
	repeated := 0
	for _, n := range ids {
		repeated += n - 1
	}
	if len(ids) != len(one.files) || repeated > c.repeats {
		t.Errorf("account %s: mails with %d ids and %d repeated, want %d and at most %d", one.name, len(ids), repeated, len(one.files), c.repeats)
	}
	for _, f := range one.files {
		found := 0
		for subject, n := range subjects {
			if strings.HasPrefix(subject, fmt.Sprintf("[%s] Job %d ", one.name, f.number)) {
				found += n
			}
		}
		if found != 1 {
			t.Errorf("account %s: %d mails about job %d, want 1, among %v", one.name, found, f.number, subjects)
		}
	}
}
