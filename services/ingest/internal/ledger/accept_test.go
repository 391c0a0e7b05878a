package ledger

import (
	"fmt"
	"sync"
	"testing"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

func TestSameRequestAtOnceIsOneJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	const callers = 50
	uploads := make([]Submission, callers)
	for i := range uploads {
		uploads[i] = r.upload(a, "same")
		uploads[i].Settings.Mapping = map[string]string{"E-Mail": "email", "Phone": "phone"}
	}
	var mu sync.Mutex
	ids := map[uuid.UUID]int{}
	made := 0
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			l := []*Ledger{r.Ledger, r.other}[i%2]
			j, existing, err := l.Accept(t.Context(), a, uploads[i])
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[j.ID]++
			if !existing {
				made++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || made != 1 {
		t.Fatalf("%d jobs, %d of them new, want 1 and 1", len(ids), made)
	}
	other := r.upload(a, "same")
	other.File.SHA256 = fmt.Sprintf("%064d", 7)
	_, _, err := r.Accept(t.Context(), a, other)
	wantFault(t, "same request id, other bytes", err, fault.Exists, "request-id-reused")
	other = r.upload(a, "same")
	other.Settings.Mode = Add
	_, _, err = r.Accept(t.Context(), a, other)
	wantFault(t, "same request id, other settings", err, fault.Exists, "request-id-reused")
	if j := r.accept(newAccount(), "same"); j.Number != 1 {
		t.Fatalf("another account's job has number %d, want 1", j.Number)
	}
	jobs, err := r.Jobs(t.Context(), a, Page{Size: 10})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("account has %d jobs (%v), want 1", len(jobs), err)
	}
}

func TestAcceptTakesAnUploadOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	s := r.upload(a, "one")
	if _, _, err := r.Accept(t.Context(), a, s); err != nil {
		t.Fatal(err)
	}
	j, existing, err := r.Accept(t.Context(), a, s) // the answer was lost
	if err != nil || !existing || j.Number != 1 {
		t.Fatalf("second accept: job %d, existing %v, %v", j.Number, existing, err)
	}
	s.RequestID = "two"
	_, _, err = r.Accept(t.Context(), a, s)
	wantFault(t, "accepted upload under another request id", err, fault.Precondition, "upload-expired")

	s = r.upload(a, "three")
	if err := r.AbandonUpload(t.Context(), a, s.Upload); err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Accept(t.Context(), a, s)
	wantFault(t, "abandoned upload", err, fault.Precondition, "upload-expired")
	if j := r.accept(a, "four"); j.Number != 2 {
		t.Fatalf("next job has number %d, want 2: refusals take none", j.Number)
	}
}

func TestRetryIsANewJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	a := newAccount()
	j := r.accept(a, "one")
	again := Resubmission{RequestID: "again", Account: Account{Name: "Demo"}, SubmittedBy: "other"}
	_, _, err := r.Retry(ctx, a, Ref{ID: j.ID}, again)
	wantFault(t, "retry of a job at work", err, fault.Precondition, "not-retryable")
	if _, err := r.Cancel(ctx, a, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	n, existing, err := r.Retry(ctx, a, Ref{Number: 1}, again)
	if err != nil || existing || n.Number != 2 || n.RetryOf != j.ID || n.File != j.File || n.State != Queued {
		t.Fatalf("retry: %+v, existing %v, %v", n, existing, err)
	}
	same, existing, err := r.Retry(ctx, a, Ref{ID: j.ID}, again)
	if err != nil || !existing || same.ID != n.ID {
		t.Fatalf("retry again: job %d, existing %v, %v", same.Number, existing, err)
	}
	for want := int64(3); want < 5; want++ { // without a request id each is another
		n, _, err := r.Retry(ctx, a, Ref{ID: j.ID}, Resubmission{})
		if err != nil || n.Number != want {
			t.Fatalf("retry without request id: job %d, %v, want %d", n.Number, err, want)
		}
	}
	_, _, err = r.Retry(ctx, a, Ref{Number: 99}, Resubmission{})
	wantFault(t, "retry of no job", err, fault.NotFound, "unknown-job")
	s := r.upload(a, "again")
	_, _, err = r.Accept(ctx, a, s)
	wantFault(t, "upload under a retry's request id", err, fault.Exists, "request-id-reused")
	r.is(j, Cancelled)
}

func TestCheckNeedsNoTurn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	first := r.accept(a, "import")
	r.validate(first)
	r.take(first, event.Match)
	check := r.accept(a, "check", func(s *Submission) { s.Settings.Check = true })
	if check.Queue == nil || check.Queue.Ahead != 1 {
		t.Fatalf("check's place is %+v, want 1 ahead", check.Queue)
	}
	if next := r.validate(check); next != event.Match {
		t.Fatalf("next stage is %q, want match", next)
	}
	if next := r.complete(check, r.take(check, event.Match), Result{NewRows: 5}); next != event.Merge {
		t.Fatalf("next stage is %q, want merge: a check asks no provider", next)
	}
	k := r.take(check, event.Merge)
	wantFault(t, "leave for a check", r.LeaveToCommit(t.Context(), a, k), fault.Invalid, "nothing-to-commit")
	r.complete(check, k, Result{Body: []byte("o"), Counts: Counts{Rows: 10, Added: 9, Invalid: 1}})
	r.is(check, Checked)
	if g := r.try(check, event.Notify); len(g.Work.Recipients) != 1 || g.Work.Recipients[0] != "me@example.com" {
		t.Fatalf("a check tells %v, want its submitter only", g.Work.Recipients)
	}
	r.is(first, Matching)
}
