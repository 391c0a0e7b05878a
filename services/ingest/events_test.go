package ingest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func count(n int) func([]*ingestv1.Event) bool {
	return func(e []*ingestv1.Event) bool { return len(e) >= n }
}

// soon is a context for a watch that ends if nothing comes.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func types(events []*ingestv1.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.GetType())
	}
	return out
}

func gapFree(t *testing.T, events []*ingestv1.Event, after int64) {
	t.Helper()
	for i, e := range events {
		if e.GetNumber() != after+int64(i)+1 {
			t.Fatalf("event %d after %d has number %d", i, after, e.GetNumber())
		}
	}
}

// A watcher sees what was and what comes, in order and without gaps, and goes on at another replica where it was.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	first, second := w.replica(), w.replica()
	a, b := first.client(account), second.client(account)
	wk := second.worker(account)
	job := a.mustUpload("email\na@example.com\n")
	s, err := a.events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	past := watching(t, s, count(1))
	wk.complete(job, simple()) // through the other replica: NATS wakes this one
	final := func(e []*ingestv1.Event) bool { return len(e) > 0 && e[len(e)-1].GetType() == event.JobCompleted }
	live := append(past, watching(t, s, final)...)
	gapFree(t, live, 0)
	want := []string{event.JobAccepted, event.JobValidating, event.JobValidated, event.JobMatching, event.JobMerging, event.JobCommitting, event.JobCompleted}
	if diff := cmp.Diff(want, types(live)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	last := live[len(live)-1]
	if last.GetJobId() != job.GetId() || last.GetJobNumber() != 1 || last.GetState() != ingestv1.JobState_JOB_STATE_COMPLETED || last.GetCounts().GetAdded() != 1 {
		t.Errorf("last event is %v", last)
	}

	first.stop()
	if _, err := s.Recv(); fault.Of(err) != fault.Unavailable {
		t.Errorf("watch at a replica that stops ends with %v, want Unavailable", err)
	}
	s, err = b.events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{After: 3})
	if err != nil {
		t.Fatal(err)
	}
	resumed := watching(t, s, count(len(want)-3))
	gapFree(t, resumed, 3)
	other := b.mustUpload("email\nb@example.com\n")
	wk.reject(other)
	gapFree(t, watching(t, s, count(3)), int64(len(want)))

	// of one job only
	s, err = b.events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{Job: "2"})
	if err != nil {
		t.Fatal(err)
	}
	of := watching(t, s, count(3))
	if diff := cmp.Diff([]string{event.JobAccepted, event.JobValidating, event.JobRejected}, types(of)); diff != "" {
		t.Errorf("events of job 2 (-want +got):\n%s", diff)
	}
	if p := of[2].GetProblem(); p.GetCode() != "no-heading" {
		t.Errorf("rejected because of %v", p)
	}
	third := b.mustUpload("email\nc@example.com\n")
	if _, err := b.jobs.CancelJob(t.Context(), &ingestv1.CancelJobRequest{Job: third.GetId()}); err != nil {
		t.Fatal(err)
	}
	retried, err := b.jobs.RetryJob(t.Context(), &ingestv1.RetryJobRequest{Job: "2"})
	if err != nil || retried.GetJob().GetRetryOf() != other.GetId() || retried.GetJob().GetNumber() != 4 {
		t.Errorf("retry of job 2: %v, %v", retried, err)
	}
}

func TestWatchProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	job := c.mustUpload("email\na@example.com\n")
	claim := wk.claim(job, event.Validate)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := c.events.WatchEvents(ctx, &ingestv1.WatchEventsRequest{Progress: true, Job: job.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan *ingestv1.JobProgress)
	go func() {
		defer close(seen)
		for {
			m, err := s.Recv()
			if err != nil {
				return
			}
			if p := m.GetProgress(); p != nil {
				seen <- p
				return
			}
		}
	}()
	done := int64(0)
	var got *ingestv1.JobProgress
	until(t, "progress", func() bool {
		done++
		if _, err := wk.service.Renew(wk.ctx(), &ingestv1.RenewRequest{Claim: claim, Done: done, Total: 1000}); err != nil {
			t.Fatal(err)
		}
		select {
		case got = <-seen:
			return true
		default:
			return false
		}
	})
	if got.GetJobId() != job.GetId() || got.GetJobNumber() != 1 || got.GetProgress().GetStage() != "validate" || got.GetProgress().GetTotal() != 1000 {
		t.Errorf("progress is %v", got)
	}
}

// A watcher that does not read is cut; one that reads misses nothing meanwhile.
func TestSlowWatcherIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c := r.client(account)
	job := c.mustUpload("email\na@example.com\n")
	slow, err := r.client(account).events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	watching(t, slow, count(1)) // it has joined, and reads no more
	reader, err := c.events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	watching(t, reader, count(1))

	owner, err := pgx.Connect(t.Context(), w.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	bell, err := bus.Connect(t.Context(), w.nats, "test", bus.Options{Config: event.Config{Prefix: w.prefix}, Log: w.telemetry().Log})
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	at := int64(1)
	const burst = 2000
	for range 4 {
		_, err := owner.Exec(t.Context(), `WITH q AS (UPDATE ingest.queues SET last_event = last_event + $3 WHERE account_id = $1)
			INSERT INTO ingest.events (account_id, number, type, job_id, job_number, state, at)
			SELECT $1, $4 + n, 'job.validating', $2, 1, 'VALIDATING', clock_timestamp() FROM generate_series(1, $3) n`, account, job.GetId(), burst, at)
		if err != nil {
			t.Fatal(err)
		}
		err = bell.PublishEvent(t.Context(), event.Envelope{Account: account, Number: at + burst, Type: event.JobValidating, Job: uuid.MustParse(job.GetId()), JobNumber: 1, Time: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		gapFree(t, watching(t, reader, count(burst)), at)
		at += burst
	}
	received := int64(1)
	for {
		m, err := slow.Recv()
		if err != nil {
			wanted(t, "slow watcher", err, fault.Exhausted, "watcher-too-slow")
			break
		}
		if received++; m.GetEvent().GetNumber() != received {
			t.Fatalf("event %d came as the %dth", m.GetEvent().GetNumber(), received)
		}
	}
	if received >= at {
		t.Fatalf("the watcher that did not read got all %d events", received)
	}
	back, err := c.events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{After: received})
	if err != nil {
		t.Fatal(err)
	}
	gapFree(t, watching(t, back, count(int(at-received))), received)
}

func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica()
	c := r.client(uuid.New())
	foreign := r.client(uuid.New()).mustUpload("email\na@example.com\n")
	for name, tc := range map[string]struct {
		req  *ingestv1.WatchEventsRequest
		kind fault.Kind
		code string
	}{
		"negative":       {&ingestv1.WatchEventsRequest{After: -1}, fault.Invalid, "after-negative"},
		"unknown job":    {&ingestv1.WatchEventsRequest{Job: uuid.NewString()}, fault.NotFound, "unknown-job"},
		"somebody's":     {&ingestv1.WatchEventsRequest{Job: foreign.GetId()}, fault.NotFound, "unknown-job"},
		"not even a job": {&ingestv1.WatchEventsRequest{Job: "x'; --"}, fault.NotFound, "unknown-job"},
	} {
		s, err := c.events.WatchEvents(soon(t), tc.req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Recv()
		wanted(t, name, err, tc.kind, tc.code)
	}
}
