package ledger

import (
	"fmt"
	"sync"
	"testing"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestTurnFollowsNumbers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	var jobs []Job
	for i := range 4 {
		jobs = append(jobs, r.accept(a, fmt.Sprint(i)))
	}
	if g := r.try(jobs[2], event.Validate); g.Granted {
		t.Fatal("a third validation of one account was granted")
	}
	r.validate(jobs[1]) // the second is ready first, and waits for the first
	if g := r.try(jobs[1], event.Match); g.Granted {
		t.Fatal("job 2 got the turn while job 1 is being validated")
	}
	r.validate(jobs[0])
	if g := r.try(jobs[1], event.Match); g.Granted {
		t.Fatal("job 2 got the turn of job 1")
	}
	r.validate(jobs[2])
	r.validate(jobs[3])
	for i, want := range []int64{0, 1, 2, 3} {
		if p := r.now(jobs[i]).Queue; p == nil || p.Ahead != want {
			t.Errorf("place of job %d is %+v, want %d ahead", i+1, p, want)
		}
	}
	for _, j := range jobs {
		r.merge(j)
	}
	for _, j := range jobs {
		r.is(j, CompletedWithRejects)
	}
}

func TestQuestionStepsAside(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	one, two, three := r.accept(a, "1"), r.accept(a, "2"), r.accept(a, "3")
	ask := &Question{Code: "date-order", Message: "How?", Hint: "answer"}
	r.complete(one, r.take(one, event.Validate), Result{Body: []byte("q"), Question: ask})
	now := r.is(one, NeedsAnswer)
	if now.Question == nil || now.Question.Code != "date-order" || now.Queue != nil {
		t.Fatalf("job that asks is %+v", now)
	}
	g := r.try(one, event.Notify)
	if g.Work.Notice != NoticeQuestion || g.Work.Job.Question == nil {
		t.Fatalf("notice is %+v", g.Work)
	}
	r.validate(two)
	r.take(two, event.Match) // goes before, as the first stepped aside
	r.validate(three)
	_, err := r.Answer(t.Context(), a, Ref{ID: one.ID}, Answer{})
	wantFault(t, "empty answer", err, fault.Invalid, "empty-answer")
	_, err = r.Answer(t.Context(), a, Ref{ID: two.ID}, Answer{DateOrder: DMY})
	wantFault(t, "answer to nothing", err, fault.Precondition, "no-question")
	now, err = r.Answer(t.Context(), a, Ref{ID: one.ID}, Answer{DateOrder: DMY, Mapping: map[string]string{"Mail": "email"}})
	if err != nil || now.State != Queued || now.Question != nil || now.Settings.DateOrder != DMY || now.Settings.Mapping["Mail"] != "email" {
		t.Fatalf("answered job is %+v, %v", now, err)
	}
	// The answered one goes before the third, which has not started.
	if p := r.now(three).Queue; p == nil || p.Ahead != 2 {
		t.Fatalf("place of job 3 is %+v, want 2 ahead", p)
	}
	if _, err := r.Cancel(t.Context(), a, Ref{ID: two.ID}); err != nil {
		t.Fatal(err)
	}
	if g := r.try(three, event.Match); g.Granted {
		t.Fatal("job 3 went before the answered job 1")
	}
	r.validate(one)
	r.merge(one)
	r.merge(three)
	events, err := r.Events(t.Context(), a, one.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.Type)
	}
	want := []string{"job.accepted", "job.validating", "job.needs_answer", "job.answered", "job.validating", "job.validated", "job.matching", "job.enriching",
		"job.merging", "job.committing", "job.completed_with_rejects"}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("events (-want +got):\n%s", d)
	}
}

func TestQuestionOfMatchingIsAskedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	one, two := r.accept(a, "1"), r.accept(a, "2")
	r.validate(one)
	r.validate(two)
	drift := Result{Body: []byte("m"), NewRows: 9, Question: &Question{Code: "drift", Message: "Nearly all ids are unknown."}}
	r.complete(one, r.take(one, event.Match), drift)
	r.is(one, NeedsAnswer)
	r.complete(two, r.take(two, event.Match), Result{Body: []byte("m"), Rejected: &Problem{Code: "package-too-small", Message: "9 of 5"}})
	if now := r.is(two, Rejected); now.Problem == nil || now.Problem.Code != "package-too-small" {
		t.Fatalf("rejected job is %+v", now)
	}
	if _, err := r.Answer(t.Context(), a, Ref{ID: one.ID}, Answer{}); err != nil {
		t.Fatal(err)
	}
	r.validate(one)
	g := r.try(one, event.Match)
	if !g.Granted || g.Work.Results.Matched != nil {
		t.Fatalf("match after the answer was given %+v", g.Work.Results)
	}
	r.complete(one, Claim{Job: one.ID, Stage: event.Match, Token: g.Token}, drift)
	r.is(one, Enriching)
}

func TestCancelOrCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for round := range 8 {
		a := newAccount()
		j := r.accept(a, fmt.Sprint(round))
		r.validate(j)
		r.complete(j, r.take(j, event.Match), Result{Body: []byte("m")})
		k := r.take(j, event.Merge)
		var mu sync.Mutex
		cancelled, leave := 0, 0
		var wg sync.WaitGroup
		for i := range 16 {
			l := []*Ledger{r.Ledger, r.other}[i/2%2]
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = l.Cancel(t.Context(), a, Ref{ID: j.ID})
				} else {
					err = l.LeaveToCommit(t.Context(), a, k)
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && i%2 == 0:
					cancelled++
				case err == nil:
					leave++
				case i%2 == 0 && fault.Code(err) != "too-late", i%2 == 1 && fault.Of(err) != fault.Stale:
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		now := r.now(j)
		switch {
		case cancelled == 8 && leave == 0 && now.State == Cancelled:
		case cancelled == 0 && leave == 8 && now.State == Committing:
		default:
			t.Fatalf("%d cancels and %d leaves won, job is %s", cancelled, leave, now.State)
		}
	}
}

func TestEventsHaveNoGaps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	const jobs = 12
	var wg sync.WaitGroup
	for i := range jobs {
		s := r.upload(a, fmt.Sprint(i))
		wg.Go(func() {
			l := []*Ledger{r.Ledger, r.other}[i%2]
			j, _, err := l.Accept(t.Context(), a, s)
			if err != nil {
				t.Error(err)
				return
			}
			if i%3 == 0 {
				if _, err := l.Cancel(t.Context(), a, Ref{ID: j.ID}); err != nil {
					t.Error(err)
				}
				return
			}
			g, err := l.Claim(t.Context(), a, j.ID, event.Validate, r.life)
			if err != nil {
				t.Error(err)
			}
			if g.Granted {
				if _, err := l.Finish(t.Context(), a, Claim{Job: j.ID, Stage: event.Validate, Token: g.Token}, Result{Body: []byte("v"), Rows: 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var after int64
	perJob := map[int64]int64{}
	for {
		page, err := r.Events(t.Context(), a, uuid.Nil, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Number != after+1 {
				t.Fatalf("event %d follows %d", e.Number, after)
			}
			after = e.Number
			perJob[e.JobNumber] = e.Number
		}
		if len(page) < 7 {
			break
		}
	}
	list, err := r.Jobs(t.Context(), a, Page{Size: 100})
	if err != nil || len(list) != jobs {
		t.Fatalf("%d jobs, %v", len(list), err)
	}
	for i, j := range list {
		if j.Number != int64(jobs-i) || j.LastEvent != perJob[j.Number] {
			t.Errorf("job %d at place %d, last event %d, want %d", j.Number, i, j.LastEvent, perJob[j.Number])
		}
	}
}
