package systemtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// long tells whether the long version is wanted.
func long() bool { return os.Getenv("CONTACTMILL_TEST_CHAOS") == "long" }

// queue shows waiting jobs their place while nobody works.
func queue(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	resume := s.pause(t, s.replicasOf("validator")...)
	var jobs []job
	for i := range 4 {
		jobs = append(jobs, a.hands(t, file(t, "f.csv", table(people(10*i, 10))), "add"))
	}
	for i, j := range jobs {
		got := a.get(t, j.ID)
		if got.Queue == nil || got.Queue.Ahead != i {
			t.Errorf("job %d is %s with place %+v, want %d ahead", j.Number, got.State, got.Queue, i)
		}
	}
	var gone job
	a.ok(t, &gone, "jobs", "cancel", jobs[1].ID)
	if got := a.get(t, jobs[3].ID); got.Queue == nil || got.Queue.Ahead != 2 {
		t.Errorf("after one before it was cancelled, job %d has place %+v, want 2 ahead", got.Number, got.Queue)
	}
	resume()
	for i, j := range jobs {
		if got := a.ended(t, j.ID); i != 1 && got.State != "COMPLETED" || got.Queue != nil {
			t.Errorf("job %d ended %s with place %+v, want COMPLETED with none", j.Number, got.State, got.Queue)
		}
	}
	if n := a.held(t); n != 30 {
		t.Errorf("%d contacts, want 30", n)
	}
}

// drain tells processes to end while they have a job in hand: it is given back, and nobody is charged.
func drain(t *testing.T, s *target) {
	a := s.tenant(t, 100*large)
	for i, at := range []struct {
		state   ingestv1.JobState
		service string
	}{
		{ingestv1.JobState_JOB_STATE_VALIDATING, "validator"}, {ingestv1.JobState_JOB_STATE_MATCHING, "enrichment"},
		{ingestv1.JobState_JOB_STATE_ENRICHING, "enrichment"}, {ingestv1.JobState_JOB_STATE_MERGING, "merge"},
		{ingestv1.JobState_JOB_STATE_MATCHING, "contacts"}, {ingestv1.JobState_JOB_STATE_ENRICHING, "provider"},
		{ingestv1.JobState_JOB_STATE_VALIDATING, "ingest"}, {ingestv1.JobState_JOB_STATE_MATCHING, "accounts"},
	} {
		if s.replicas == 0 && i > 3 {
			break // the one process has ended in each stage
		}
		j := reach(t, a, fmt.Sprint("drain-", i), table(people(i*large, large)), at.state)
		for _, name := range s.replicasOf(at.service) {
			pid := s.kill(t, name, syscall.SIGTERM)
			s.replaced(t, name, pid)
		}
		eventually(t, a, j.Id, func(j job) {
			if j.State != "COMPLETED" || j.Counts.Added != large {
				t.Errorf("%s told to end at %v: job ended as %+v, want %d added", at.service, at.state, j, large)
			}
		})
		uncharged(t, s, j.Id, at.service+" told to end")
	}
}

// uncharged wants that a job was charged nothing.
func uncharged(t *testing.T, s *target, job, what string) {
	t.Helper()
	for _, c := range charges(t, s, job) {
		if c.Faults != 0 || c.LeasesLost != 0 || c.InstancesLost != 0 {
			t.Errorf("%s: the job was charged: %v", what, c)
		}
	}
}

// eventually waits for the end of a job although the service may be away, and hands it to f.
func eventually(t *testing.T, a *tenant, id string, f func(job)) {
	t.Helper()
	c := a.app(t, 0)
	await(t, func() (bool, string) {
		j, err := c.job(t.Context(), id)
		if err != nil && !transient(err) {
			t.Fatal(err)
		}
		return err == nil && j.State >= ingestv1.JobState_JOB_STATE_COMPLETED, fmt.Sprintf("job %s is %v (%v)", id, j.GetState(), err)
	})
	await(t, func() (bool, string) { // the replica that the command line asks may be away
		r := a.command(t, "jobs", "get", id)
		return r.code == 0, r.String()
	})
	f(a.get(t, id))
}

// paused stops a worker in the middle of a stage for longer than its lease: the other one does the job, and what the first
// writes late is refused.
func paused(t *testing.T, s *target) {
	a := s.tenant(t, 1000*large)
	next := 0
	for _, at := range []struct {
		state          ingestv1.JobState
		stage, service string
	}{
		{ingestv1.JobState_JOB_STATE_VALIDATING, "validate", "validator"}, {ingestv1.JobState_JOB_STATE_MATCHING, "match", "enrichment"},
		{ingestv1.JobState_JOB_STATE_ENRICHING, "enrich", "enrichment"}, {ingestv1.JobState_JOB_STATE_MERGING, "merge", "merge"},
	} {
		caught := false
		for try := 0; !caught; try++ { // until the worker that stands still is the one that has the job
			if try == 20 {
				t.Fatalf("no worker was caught in stage %s", at.stage)
			}
			j := reach(t, a, fmt.Sprint("held-", at.stage, try), table(people(next, large)), at.state)
			next += large
			name := holderOf(t, s, j.Id, at.stage)
			if name == "" {
				a.ended(t, j.Id)
				continue
			}
			caught = stoodStill(t, s, a, j.Id, at.stage, name)
		}
	}
}

// stoodStill stops the worker that has a stage of a job and wants the other one to do it; false if it was done too early for that.
func stoodStill(t *testing.T, s *target, a *tenant, id, stage, name string) bool {
	t.Helper()
	resume := s.pause(t, name)
	defer resume()
	begun := time.Now()
	var j job
	eventually(t, a, id, func(ended job) { j = ended })
	took := time.Since(begun)
	for _, c := range charges(t, s, id) {
		if c.Stage == stage && c.State == "DONE" && strings.Contains(c.Instance, name) {
			return false // what it said last was on its way already when it was stopped
		}
	}
	if j.State != "COMPLETED" || j.Counts.Added != large {
		t.Errorf("%s stood still: the job ended as %+v, want %d added", name, j, large)
	}
	if long() && took > lease+10*time.Second {
		t.Errorf("%s stood still: the job took %v, want at most the lease of %v and 10 s", name, took, lease)
	}
	before := traceOf(t, s, id)
	resume()
	// once it has done another job it has long let go of this one
	other := s.tenant(t, large)
	other.imports(t, 0, file(t, "f.csv", table(people(0, 100))), "add")
	if after := traceOf(t, s, id); after != before || after != (trace{Applied: 1, Contacts: large, Members: large}) {
		t.Errorf("%s stood still and went on: the job's trace is %+v, before %+v", name, after, before)
	}
	for _, c := range charges(t, s, id) {
		if c.Stage == stage && (c.State != "DONE" || strings.Contains(c.Instance, name)) {
			t.Errorf("%s stood still: %v, want it done by the other", name, c)
		}
		t.Logf("%s stood still for %v: %v", name, took.Round(time.Millisecond), c)
	}
	return true
}

// holderOf is the process that has a stage of a job, empty if none has.
func holderOf(t *testing.T, s *target, job, stage string) string {
	t.Helper()
	for _, c := range charges(t, s, job) {
		if c.Stage == stage && c.State == "CLAIMED" {
			_, name, _ := strings.Cut(c.Instance, "@")
			return name
		}
	}
	return ""
}

// away takes a part away in the middle of jobs, for longer than a lease: it neither answers nor refuses. Nothing is parked.
func away(t *testing.T, s *target, part string) {
	absence := 10 * time.Second
	if long() {
		absence = time.Minute
	}
	type one struct {
		a *tenant
		j *ingestv1.Job
	}
	var all []one
	for i, state := range []ingestv1.JobState{ingestv1.JobState_JOB_STATE_QUEUED, ingestv1.JobState_JOB_STATE_QUEUED, ingestv1.JobState_JOB_STATE_VALIDATING} {
		a := s.tenant(t, large)
		all = append(all, one{a, reach(t, a, "away", table(people(i*large, large)), state)})
	}
	resume := s.pause(t, part)
	<-time.After(absence)
	resume()
	for _, one := range all {
		eventually(t, one.a, one.j.Id, func(j job) {
			if j.State != "COMPLETED" || j.Counts.Added != large {
				t.Errorf("%s away for %v: the job ended as %+v, want %d added", part, absence, j, large)
			}
		})
		for _, c := range charges(t, s, one.j.Id) {
			if c.Faults != 0 {
				t.Errorf("%s away for %v: the job was charged: %v", part, absence, c)
			}
		}
		s.mailed(t, one.a.recipient, 1)
	}
}

// wiped removes all that NATS knows while jobs are under way and more of them wait than can be worked on: what was rung and
// not answered yet is lost with it.
func wiped(t *testing.T, s *target) {
	resume := func() {}
	if s.replicas > 0 {
		resume = s.pause(t, s.replicasOf("validator")...)
	}
	var accounts []*tenant
	var jobs []*ingestv1.Job
	for i := range 8 {
		a := s.tenant(t, 3*large)
		accounts = append(accounts, a)
		jobs = append(jobs, reach(t, a, "wiped", table(people(i*large, large)), ingestv1.JobState_JOB_STATE_QUEUED))
	}
	s.wipe(t)
	resume()
	for i, j := range jobs {
		eventually(t, accounts[i], j.Id, func(j job) {
			if diff := cmp.Diff(counts{Rows: large, Added: large}, j.Counts.rows()); j.State != "COMPLETED" || diff != "" {
				t.Errorf("account %d: the job ended %s (-want +got):\n%s", i, j.State, diff)
			}
		})
		if n := accounts[i].held(t); n != large {
			t.Errorf("account %d: %d contacts, want %d", i, n, large)
		}
		s.mailed(t, accounts[i].recipient, 1)
	}
	// events go on to reach watchers
	reach(t, accounts[0], "after", table(people(0, 10)), ingestv1.JobState_JOB_STATE_COMPLETED)
}

// wipe kills NATS and removes all it has kept; it comes back empty at the same address.
func (s *target) wipe(t *testing.T) {
	t.Helper()
	asked := filepath.Join(s.dir, "run", "nats.wipe")
	if err := os.MkdirAll(filepath.Dir(asked), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(asked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pid := s.kill(t, "nats", syscall.SIGKILL)
	await(t, func() (bool, string) {
		_, err := os.Stat(asked)
		return os.IsNotExist(err), "the streams of NATS were not removed"
	})
	s.replaced(t, "nats", pid)
}

// restarted stops the one process in order, as Ctrl-C does, and starts it again: clients are told when it is ready, and what
// was there goes on.
func restarted(t *testing.T, s *target) {
	a := s.tenant(t, 10*large)
	a.imports(t, 0, file(t, "first.csv", table(people(0, 100))), "add", "--list", "Kept")
	before := a.all(t)
	running := a.hands(t, file(t, "second.csv", table(people(1000, large))), "add")
	ready := filepath.Join(s.dir, "client.env")
	was, err := os.Stat(ready)
	if err != nil {
		t.Fatal(err)
	}
	pid := s.kill(t, "standalone", syscall.SIGTERM)
	s.replaced(t, "standalone", pid)
	await(t, func() (bool, string) {
		is, err := os.Stat(ready)
		return err == nil && !is.ModTime().Equal(was.ModTime()), "client.env was not written anew" // a new file may have the old one's inode
	})
	eventually(t, a, running.ID, func(j job) {
		if j.State != "COMPLETED" || j.Counts.Added != large {
			t.Errorf("the job that was under way ended as %+v, want %d added", j, large)
		}
	})
	uncharged(t, s, running.ID, "the one process was stopped")
	if diff := cmp.Diff(before, a.all(t, "--list", "Kept")); diff != "" {
		t.Errorf("contacts after the restart (-before +after):\n%s", diff)
	}
	if j := a.imports(t, 0, file(t, "third.csv", table(people(50, 100))), "upsert"); j.Number != running.Number+1 || j.Counts.Added != 50 {
		t.Errorf("the next file is %+v, want job %d with 50 added", j, running.Number+1)
	}
}
