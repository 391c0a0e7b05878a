package systemtest

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// killed kills, at the moment a job comes into a state, what works on it then, and what that stands on. The job is applied
// once all the same, and a mail tells it.
func killed(t *testing.T, s *target) {
	type at struct {
		state   ingestv1.JobState
		victims []string
	}
	const (
		validating, matching, enriching  = ingestv1.JobState_JOB_STATE_VALIDATING, ingestv1.JobState_JOB_STATE_MATCHING, ingestv1.JobState_JOB_STATE_ENRICHING
		merging, committing, completedAt = ingestv1.JobState_JOB_STATE_MERGING, ingestv1.JobState_JOB_STATE_COMMITTING, ingestv1.JobState_JOB_STATE_COMPLETED
	)
	plan := []at{
		{validating, []string{"validator", "ingest"}}, {matching, []string{"enrichment"}}, {enriching, []string{"enrichment", "provider"}},
		{merging, []string{"merge"}}, {committing, []string{"merge", "postgres", "ingest"}}, {completedAt, []string{"email"}},
	}
	if long() {
		for i := range plan {
			plan[i].victims = []string{"validator", "enrichment", "merge", "email", "ingest", "contacts", "provider", "accounts", "postgres", "s3", "nats"}
		}
	}
	if s.replicas == 0 {
		for i := range plan {
			plan[i].victims = []string{"standalone"}
		}
		plan[4].victims = append(plan[4].victims, "postgres")
	}
	a := s.tenant(t, 1000*large)
	n := 0
	for _, at := range plan {
		for _, victim := range at.victims {
			// half of the people are known, and get another name
			entries := append(people(max(0, n-1)*large, large), people(n*large, large)...)
			if n == 0 {
				entries = people(0, large)
			}
			known := len(entries) - large
			for i := range known {
				entries[i].last = fmt.Sprint("Known", n)
			}
			n++
			j := reach(t, a, fmt.Sprint("kill-", n), table(entries), at.state)
			names := []string{victim}
			if victim != "standalone" && victim != "postgres" && victim != "s3" && victim != "nats" {
				names = s.replicasOf(victim)
			}
			begun := time.Now()
			pids := map[string]int{}
			for _, name := range names {
				pids[name] = s.kill(t, name, syscall.SIGKILL)
			}
			for name, pid := range pids {
				s.replaced(t, name, pid)
			}
			what := fmt.Sprintf("%s killed at %v", victim, at.state)
			eventually(t, a, j.Id, func(j job) {
				if diff := cmp.Diff(counts{Rows: len(entries), Added: large, Updated: known}, j.Counts.rows()); j.State != "COMPLETED" || diff != "" {
					t.Errorf("%s: the job ended %s (-want +got):\n%s", what, j.State, diff)
				}
			})
			t.Logf("%s: completed %v later", what, time.Since(begun).Round(time.Millisecond))
			want := trace{Applied: 1, Contacts: large, Journal: known, Members: large} // those known are on the list already
			if left := traceOf(t, s, j.Id); left != want {
				t.Errorf("%s: the job left %+v, want %+v", what, left, want)
			}
			for _, c := range charges(t, s, j.Id) {
				if c.Faults > 0 || c.LeasesLost > 0 {
					t.Errorf("%s: the job was charged: %v", what, c)
				}
			}
		}
	}
	if held := a.held(t); held != n*large {
		t.Errorf("%d contacts, want %d", held, n*large)
	}
	// a mail may go out again if its sender was killed before it heard that it was taken: then it has the same id
	await(t, func() (bool, string) {
		ids := map[string]bool{}
		for _, l := range s.letters(t, a.recipient) {
			ids[l.id] = true
		}
		if len(ids) > n {
			t.Fatalf("mails of %d ids about %d jobs", len(ids), n)
		}
		return len(ids) == n, fmt.Sprintf("mails of %d jobs, want %d", len(ids), n)
	})
}
