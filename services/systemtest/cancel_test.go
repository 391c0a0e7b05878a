package systemtest

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// size of the files that something is to happen to in the middle of their way.
const large = 5000

// atWork is the states in which a job is at work, in their order.
var atWork = []ingestv1.JobState{
	ingestv1.JobState_JOB_STATE_QUEUED, ingestv1.JobState_JOB_STATE_VALIDATING, ingestv1.JobState_JOB_STATE_READY, ingestv1.JobState_JOB_STATE_MATCHING,
	ingestv1.JobState_JOB_STATE_ENRICHING, ingestv1.JobState_JOB_STATE_MERGING, ingestv1.JobState_JOB_STATE_COMMITTING,
}

// reach hands in a file and returns when its job has come to the state, or past it.
func reach(t *testing.T, a *tenant, request string, content []byte, state ingestv1.JobState) *ingestv1.Job {
	t.Helper()
	c := a.app(t, 0)
	got, err := c.insist(t.Context(), headerOf(request, content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, List: "Some"}), content)
	if err != nil {
		t.Fatal(err)
	}
	err = c.watch(t.Context(), &ingestv1.WatchEventsRequest{Job: got.Id}, func(e *ingestv1.Event) bool { return e.State < state })
	if err != nil {
		t.Fatalf("watch job %d: %v", got.Number, err)
	}
	return got
}

// cancelled cancels a job at each stage: it leaves no trace, or the cancel is refused and all of it is applied.
func cancelled(t *testing.T, s *target) {
	a := s.tenant(t, 100*large)
	held := 0
	for i, state := range atWork {
		content := table(people(i*large, large))
		j := reach(t, a, "cancel-"+state.String(), content, state)
		held += settle(t, a, j, large, cancel(t, a, j))
		s.mailed(t, a.recipient, i+1)
		if n := a.held(t); n != held {
			t.Fatalf("%d contacts after job %d, want %d", n, j.Number, held)
		}
	}
}

// cancel cancels a job and returns whether it was in time.
func cancel(t *testing.T, a *tenant, j *ingestv1.Job) bool {
	t.Helper()
	c := a.app(t, 1)
	r, err := c.jobs.CancelJob(c.ctx(t.Context()), &ingestv1.CancelJobRequest{Job: j.Id})
	switch {
	case err == nil:
		if r.Job.State != ingestv1.JobState_JOB_STATE_CANCELLED {
			t.Errorf("job %d was cancelled and is %v", j.Number, r.Job.State)
		}
		return true
	case status.Code(err) == codes.FailedPrecondition:
		return false
	}
	t.Fatalf("cancel job %d: %v", j.Number, err)
	return false
}

// settle waits for the end of a job that somebody tried to cancel, compares it with the answer, and returns how many
// contacts it made.
func settle(t *testing.T, a *tenant, j *ingestv1.Job, rows int, inTime bool) int {
	t.Helper()
	ended := a.ended(t, j.Id)
	left := traceOf(t, a.s, j.Id)
	var final int
	err := a.app(t, 0).watch(t.Context(), &ingestv1.WatchEventsRequest{Job: j.Id}, func(e *ingestv1.Event) bool {
		if e.State >= ingestv1.JobState_JOB_STATE_COMPLETED {
			final++
		}
		return e.Number < ended.LastEvent
	})
	if err != nil || final != 1 {
		t.Errorf("job %d has %d final events (%v), want 1", j.Number, final, err)
	}
	if inTime {
		if ended.State != "CANCELLED" || left != (trace{}) {
			t.Fatalf("job %d was cancelled, is %s and left %+v", j.Number, ended.State, left)
		}
		return 0
	}
	want := trace{Applied: 1, Contacts: rows, Members: rows}
	if ended.State != "COMPLETED" || left != want || ended.Counts.Added != rows {
		t.Fatalf("the cancel of job %d was refused, it is %s with %+v and left %+v, want %+v", j.Number, ended.State, ended.Counts, left, want)
	}
	return rows
}

// cancelledPaused cancels jobs while the worker that has them stands still. Let go on, it must not write any more.
func cancelledPaused(t *testing.T, s *target) {
	a := s.tenant(t, 100*large)
	held := 0
	for i, at := range []struct {
		state   ingestv1.JobState
		service string
	}{
		{ingestv1.JobState_JOB_STATE_VALIDATING, "validator"}, {ingestv1.JobState_JOB_STATE_MATCHING, "enrichment"},
		{ingestv1.JobState_JOB_STATE_ENRICHING, "enrichment"}, {ingestv1.JobState_JOB_STATE_MERGING, "merge"},
	} {
		j := reach(t, a, "paused-"+at.state.String(), table(people(2*i*large, large)), at.state)
		resume := s.pause(t, s.replicasOf(at.service)...)
		inTime := cancel(t, a, j)
		resume()
		held += settle(t, a, j, large, inTime)
		// the account goes on, and by the time another job is through the worker has let go of the first
		next := a.imports(t, 0, file(t, fmt.Sprintf("next-%d.csv", i), table(people((2*i+1)*large, 100))), "add")
		held += next.Counts.Added
		if left := traceOf(t, s, j.Id); inTime && left != (trace{}) {
			t.Errorf("job %d was cancelled while its %s stood still, and then left %+v", j.Number, at.service, left)
		}
		if n := a.held(t); n != held {
			t.Errorf("%d contacts after job %d, want %d", n, next.Number, held)
		}
		t.Logf("%s standing still at %v: cancelled in time: %v", at.service, at.state, inTime)
	}
}
