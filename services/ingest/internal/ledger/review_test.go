package ledger

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

func reviewed(s *Submission) { s.Settings.Review = true }

var (
	planObject = Object{Name: "plan", Size: 5, SHA256: strings.Repeat("0a", 32)}
	foreseen   = Forecast{ToSend: 3, KnownAlready: 1, Cost: &Cost{Micros: 3000, Currency: "EUR"}, Provider: "test"}
)

// plan brings a job under review that has the turn to its plan.
func (r *rig) plan(j Job) {
	r.t.Helper()
	if next := r.complete(j, r.take(j, event.Match), Result{Body: []byte("matched"), NewRows: 4, Forecast: &foreseen}); next != event.Merge {
		r.t.Fatalf("after matching job %d under review goes on with %q, want its plan", j.Number, next)
	}
	r.is(j, Matching)
	g := r.try(j, event.Merge)
	if !g.Granted || !g.Work.Planning || g.Work.Plan != nil || g.Work.Committing {
		r.t.Fatalf("the plan of job %d was given out as %+v", j.Number, g)
	}
	k := Claim{Job: j.ID, Stage: event.Merge, Token: g.Token}
	wantFault(r.t, "leave for a plan", r.LeaveToCommit(r.t.Context(), j.Account, k), fault.Invalid, "nothing-to-commit")
	_, err := r.Finish(r.t.Context(), j.Account, k, Result{Body: []byte("x"), Counts: Counts{Rows: 10, Added: 10}})
	wantFault(r.t, "a plan without outcomes", err, fault.Invalid, "no-outcomes")
	_, err = r.Finish(r.t.Context(), j.Account, k, Result{Body: []byte("x"), Outcomes: planObject, Counts: Counts{Rows: 9, Added: 9}})
	wantFault(r.t, "a plan that lost a row", err, fault.Invalid, "counts-do-not-add-up")
	for range 2 { // the same result twice
		if next := r.complete(j, k, Result{Body: []byte("planned"), Outcomes: planObject, Counts: Counts{Rows: 10, Added: 4, Updated: 5, Invalid: 1}}); next != "" {
			r.t.Fatalf("next stage is %q, want none", next)
		}
	}
	r.is(j, AwaitingApproval)
}

func TestReviewedJobTakesEffectByItsApprovedPlanAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	one, two, three := r.accept(a, "1", reviewed), r.accept(a, "2"), r.accept(a, "3")
	r.validate(one)
	r.validate(two)
	r.validate(three)
	r.plan(one)
	now := r.now(one)
	want := Counts{Rows: 10, Added: 4, Updated: 5, Invalid: 1, Blank: 2}
	if now.Plan == nil || now.Plan.Counts != want || now.Plan.Object != planObject || now.ApprovedBy != "" || now.Counts != (Counts{Rows: 10, Invalid: 1, Blank: 2}) || now.Queue != nil {
		t.Fatalf("job with a plan is %+v", now)
	}
	if d := cmp.Diff(&foreseen, now.Forecast); d != "" {
		t.Errorf("forecast (-want +got):\n%s", d)
	}
	if _, counts := r.types(one); counts == nil || *counts != want {
		t.Errorf("the event tells %+v, want the plan's counts", counts)
	}
	g := r.try(one, event.Notify)
	if !g.Granted || g.Work.Notice != NoticeApproval || g.Work.Job.Plan == nil || len(g.Work.Recipients) != 1 {
		t.Fatalf("notice is %+v", g)
	}
	if res, err := r.Results(t.Context(), a, one.ID); err != nil || res.Merged != nil || string(res.Matched) != "matched" {
		t.Fatalf("results are %+v, %v: the plan is no result of merging", res, err)
	}
	for name, sql := range map[string]string{
		"merging unapproved":    `UPDATE ingest.jobs SET state = 'MERGING', turn = true WHERE job_id = $1`,
		"enriching unapproved":  `UPDATE ingest.jobs SET state = 'ENRICHING', turn = true WHERE job_id = $1`,
		"awaiting without plan": `UPDATE ingest.jobs SET plan = NULL WHERE job_id = $1`,
	} {
		if _, err := r.owner.Exec(t.Context(), sql, one.ID); err == nil {
			t.Errorf("the database takes a job %s", name)
		}
	}
	k2 := r.take(two, event.Match) // others take the turn meanwhile
	if _, err := r.Approve(t.Context(), a, Ref{Number: 1}, "admin"); err != nil {
		t.Fatal(err)
	}
	if now = r.is(one, Ready); now.ApprovedBy != "admin" || now.Queue == nil || now.Queue.Ahead != 1 || !now.Started.IsZero() {
		t.Fatalf("approved job is %+v", now)
	}
	if p := r.now(three).Queue; p == nil || p.Ahead != 2 {
		t.Fatalf("place of job 3 is %+v, want 2 ahead", p)
	}
	r.complete(two, k2, Result{Body: []byte("m"), Rejected: &Problem{Code: "package-too-small"}})
	if g := r.try(three, event.Match); g.Granted {
		t.Fatal("job 3 went before the approved job 1")
	}
	if started, free := r.now(one).Started, r.now(two).Ended; !started.Equal(free) {
		t.Fatalf("the approved job started at %s, want %s, when it got its turn", started, free)
	}
	other := Forecast{ToSend: 99}
	g = r.try(one, event.Match)
	if !g.Granted || !g.Work.Confirmed || g.Work.Planning || g.Work.Plan != nil {
		t.Fatalf("matching of the approved job was given out as %+v", g)
	}
	r.complete(one, Claim{Job: one.ID, Stage: event.Match, Token: g.Token}, Result{Body: []byte("again"), NewRows: 4, Forecast: &other})
	g = r.try(one, event.Enrich)
	if !g.Granted || g.Work.Plan == nil || *g.Work.Plan != planObject {
		t.Fatalf("enriching of the approved job was given out as %+v", g)
	}
	r.complete(one, Claim{Job: one.ID, Stage: event.Enrich, Token: g.Token}, Result{Body: []byte("e"), Sent: 3, Known: 2, Cost: &Cost{Micros: 2900, Currency: "EUR"}, Later: 1})
	g = r.try(one, event.Merge)
	if !g.Granted || g.Work.Planning || g.Work.Plan == nil || *g.Work.Plan != planObject || string(g.Work.Results.Matched) != "again" {
		t.Fatalf("merge of the approved job was given out as %+v", g)
	}
	k := Claim{Job: one.ID, Stage: event.Merge, Token: g.Token}
	r.leave(one, k)
	r.complete(one, k, Result{Body: []byte("merged"), Outcomes: Object{Name: "outcomes"}, Counts: Counts{Rows: 10, Added: 3, Updated: 5, Invalid: 1, Held: 1}})
	now = r.is(one, CompletedWithRejects)
	if now.Plan.Counts != want || now.Plan.Object != planObject || now.Forecast.ToSend != 3 || now.Counts.Held != 1 || now.Counts.EnrichedLater != 1 || now.Cost == nil || *now.Cost != (Cost{2900, "EUR"}) {
		t.Fatalf("ended job is %+v", now)
	}
	if again, err := r.Approve(t.Context(), a, Ref{Number: 1}, "another"); err != nil || again.State != CompletedWithRejects || again.ApprovedBy != "admin" {
		t.Fatalf("approved again: %+v, %v", again, err)
	}
	got, _ := r.types(one)
	if d := cmp.Diff([]string{
		"job.accepted", "job.validating", "job.validated", "job.matching", "job.awaiting_approval", "job.approved", "job.matching", "job.enriching",
		"job.merging", "job.committing", "job.completed_with_rejects",
	}, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	r.merge(three)
}

func TestRejectedPlanChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	one, two := r.accept(a, "1", reviewed), r.accept(a, "2")
	ctx := t.Context()
	_, err := r.Approve(ctx, a, Ref{ID: one.ID}, "admin")
	wantFault(t, "approval before there is a plan", err, fault.Precondition, "no-plan")
	_, err = r.Reject(ctx, a, Ref{ID: one.ID}, "")
	wantFault(t, "rejection before there is a plan", err, fault.Precondition, "no-plan")
	r.validate(one)
	r.validate(two)
	r.plan(one)
	_, err = r.Reject(ctx, a, Ref{ID: one.ID}, strings.Repeat("ö", 501))
	wantFault(t, "an endless reason", err, fault.Invalid, "reason-too-long")
	for range 2 {
		j, err := r.Reject(ctx, a, Ref{Number: 1}, " Ann said:\r\n\x00not these ")
		if err != nil || j.State != Rejected || j.Problem == nil || j.Problem.Code != "plan-rejected" || j.Problem.Message != "The plan was rejected: Ann said:   not these" {
			t.Fatalf("rejected job is %+v, %v", j, err)
		}
	}
	events, err := r.Events(ctx, a, one.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Problem != nil && strings.Contains(e.Problem.Message, "Ann") {
			t.Errorf("the event repeats what a person wrote: %+v", e.Problem)
		}
	}
	_, err = r.Approve(ctx, a, Ref{ID: one.ID}, "admin")
	wantFault(t, "approval of a rejected plan", err, fault.Precondition, "no-plan")
	if now := r.now(one); now.Plan == nil || now.Counts.Added != 0 {
		t.Errorf("rejected job is %+v, want its plan kept", now)
	}
	again, _, err := r.Retry(ctx, a, Ref{ID: one.ID}, Resubmission{})
	if err != nil || !again.Settings.Review || again.Plan != nil || again.ApprovedBy != "" {
		t.Fatalf("retry is %+v, %v", again, err)
	}
	r.merge(two)
	r.validate(again)
	if g := r.try(again, event.Match); !g.Granted || g.Work.Confirmed {
		t.Fatalf("matching of the retry was given out as %+v", g)
	}

	three := r.accept(newAccount(), "3", reviewed)
	r.validate(three)
	r.plan(three)
	if _, err := r.Cancel(ctx, three.Account, Ref{ID: three.ID}); err != nil {
		t.Fatal(err)
	}
	_, err = r.Reject(ctx, three.Account, Ref{ID: three.ID}, "")
	wantFault(t, "rejection of a cancelled job", err, fault.Precondition, "no-plan")
}

// A plan's worker may die at any point: before its end the plan is made again, after it there is one.
func TestPlanSurvivesItsWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "1", reviewed)
	r.validate(j)
	r.complete(j, r.take(j, event.Match), Result{Body: []byte("m"), NewRows: 4})
	dead := r.take(j, event.Merge)
	r.lapse(dead)
	r.reconcile()
	late := Result{Body: []byte("late"), Outcomes: Object{Name: "late"}, Counts: Counts{Rows: 10, Added: 9, Invalid: 1}}
	k := r.take(j, event.Merge)
	_, err := r.Finish(t.Context(), a, dead, late)
	wantFault(t, "the plan of a lost lease", err, fault.Stale, "stale")
	r.complete(j, k, Result{Outcomes: planObject, Counts: Counts{Rows: 10, Added: 9, Invalid: 1}})
	_, err = r.Finish(t.Context(), a, dead, late)
	wantFault(t, "the plan of a lost lease after the end", err, fault.Stale, "stale")
	if now := r.is(j, AwaitingApproval); now.Plan.Object != planObject {
		t.Fatalf("the plan is %+v", now.Plan)
	}
}

func TestForecastIsACheckOfTheSameFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	ctx := t.Context()
	one := r.accept(a, "1")
	two := r.accept(a, "2", reviewed, func(s *Submission) {
		s.Settings.Mapping, s.Settings.List = map[string]string{"Mail": "email"}, "Spring"
	})
	ask := Resubmission{RequestID: "f", Account: Account{Name: "Demo", Country: "DE", Recipients: []string{"all@example.com"}}, SubmittedBy: "k", SubmitterEmail: "me@example.com"}
	f, existing, err := r.Forecast(ctx, a, Ref{ID: two.ID}, ask)
	if err != nil || existing || f.Number != 3 || f.ForecastOf != two.ID || f.ForecastOfNumber != 2 || !f.Settings.Check || f.Settings.Review || f.Settings.List != "Spring" ||
		f.Settings.Mapping["Mail"] != "email" || f.Upload != two.Upload || f.File != two.File || f.RetryOf != uuid.Nil {
		t.Fatalf("forecast is %+v, existing %v, %v", f, existing, err)
	}
	if again, existing, err := r.Forecast(ctx, a, Ref{Number: 2}, ask); err != nil || !existing || again.ID != f.ID {
		t.Fatalf("the same request again: %+v, existing %v, %v", again, existing, err)
	}
	_, _, err = r.Forecast(ctx, a, Ref{ID: one.ID}, ask)
	wantFault(t, "forecast of another job under the request id", err, fault.Exists, "request-id-reused")
	r.validate(one)
	r.validate(two)
	r.take(one, event.Match)
	r.validate(f)
	g := r.try(f, event.Match)
	if !g.Granted || g.Work.Ahead != 1 || g.Work.Account.Country != "DE" || g.Work.Planning {
		t.Fatalf("match of the forecast was given out as %+v, want one job ahead: job 1, not the one that it forecasts", g.Work)
	}
	next := r.complete(f, Claim{Job: f.ID, Stage: event.Match, Token: g.Token}, Result{Body: []byte("m"), NewRows: 4, Forecast: &foreseen})
	if next != event.Merge {
		t.Fatalf("next stage of a forecast is %q", next)
	}
	r.complete(f, r.take(f, event.Merge), Result{Body: []byte("o"), Counts: Counts{Rows: 10, Added: 4, Updated: 5, Invalid: 1}})
	if now := r.is(f, Checked); now.Forecast == nil || now.Forecast.ToSend != 3 || now.Cost != nil {
		t.Fatalf("forecast ended as %+v", now)
	}
	if g := r.try(f, event.Notify); len(g.Work.Recipients) != 1 || g.Work.Recipients[0] != "me@example.com" {
		t.Fatalf("a forecast tells %v", g.Work.Recipients)
	}
	check := r.accept(a, "c", func(s *Submission) { s.Settings.Check = true })
	r.validate(check)
	if g := r.try(check, event.Match); g.Work.Ahead != 2 {
		t.Fatalf("%d jobs ahead of a check, want 2", g.Work.Ahead)
	}

	atWork, _, err := r.Forecast(ctx, a, Ref{ID: one.ID}, Resubmission{})
	if err != nil {
		t.Fatal(err)
	}
	r.validate(atWork)
	if g := r.try(atWork, event.Match); !g.Granted || g.Work.Ahead != 0 {
		t.Fatalf("%d jobs ahead of the one that has the turn", g.Work.Ahead)
	}

	if _, err := r.Cancel(ctx, a, Ref{ID: one.ID}); err != nil {
		t.Fatal(err)
	}
	for _, of := range []Job{one, f, check} { // in any state
		if _, _, err := r.Forecast(ctx, a, Ref{ID: of.ID}, Resubmission{}); err != nil {
			t.Errorf("forecast of job %d: %v", of.Number, err)
		}
	}
	r.sql(`UPDATE ingest.jobs SET file_kept = 'SWEPT' WHERE job_id = $1`, one.ID)
	_, _, err = r.Forecast(ctx, a, Ref{ID: one.ID}, Resubmission{})
	wantFault(t, "forecast without the file", err, fault.Precondition, "file-swept")
	_, _, err = r.Forecast(ctx, a, Ref{Number: 99}, Resubmission{})
	wantFault(t, "forecast of nothing", err, fault.NotFound, "unknown-job")
	_, _, err = r.Forecast(ctx, newAccount(), Ref{ID: two.ID}, Resubmission{})
	wantFault(t, "forecast of another's job", err, fault.NotFound, "unknown-job")
}

func TestConfirmationGoesOnAndIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "1")
	ask := func(code string) {
		t.Helper()
		r.complete(j, r.take(j, event.Validate), Result{Body: []byte("v"), Question: &Question{Code: code, Message: "?"}})
	}
	ask("dates-ambiguous")
	_, err := r.Answer(t.Context(), a, Ref{ID: j.ID}, Answer{Confirm: true})
	wantFault(t, "confirming what is no question of whether", err, fault.Invalid, "empty-answer")
	answer := func(a Answer) {
		t.Helper()
		if _, err := r.Answer(t.Context(), j.Account, Ref{ID: j.ID}, a); err != nil {
			t.Fatal(err)
		}
	}
	answer(Answer{DateOrder: DMY, Confirm: true})
	ask(KeyColumnGone)
	answer(Answer{Mapping: map[string]string{"Kundennr": "external_id"}}) // answers otherwise: the guard stays
	g := r.try(j, event.Validate)
	if g.Work.Confirmed {
		t.Fatal("nobody has confirmed anything")
	}
	r.complete(j, Claim{Job: j.ID, Stage: event.Validate, Token: g.Token}, Result{Body: []byte("v"), Question: &Question{Code: KeyColumnGone, Message: "?"}})
	answer(Answer{Confirm: true})
	g = r.try(j, event.Validate)
	if !g.Work.Confirmed {
		t.Fatal("validation is not told that a person confirmed")
	}
	r.complete(j, Claim{Job: j.ID, Stage: event.Validate, Token: g.Token}, Result{Body: []byte("v"), Rows: 10, Invalid: 1})
	g = r.try(j, event.Match)
	if !g.Work.Confirmed {
		t.Fatal("matching is not told that a person confirmed")
	}
	if _, err := r.Cancel(t.Context(), a, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	again, _, err := r.Retry(context.Background(), a, Ref{ID: j.ID}, Resubmission{})
	if err != nil {
		t.Fatal(err)
	}
	if g := r.try(again, event.Validate); !g.Work.Confirmed {
		t.Error("the retry asks again what was confirmed")
	}
}

// Of those who decide on a plan at once exactly one wins, and the others are told or see what it was.
func TestOneWordDecidesOnAPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	for range 10 {
		j := r.accept(newAccount(), "1", reviewed)
		r.validate(j)
		r.plan(j)
		start := make(chan struct{})
		errs := make(chan error, 4)
		for i, decide := range []func(l *Ledger) error{
			func(l *Ledger) error { _, err := l.Approve(ctx, j.Account, Ref{ID: j.ID}, "one"); return err },
			func(l *Ledger) error { _, err := l.Approve(ctx, j.Account, Ref{ID: j.ID}, "two"); return err },
			func(l *Ledger) error { _, err := l.Reject(ctx, j.Account, Ref{ID: j.ID}, "no"); return err },
			func(l *Ledger) error { _, err := l.Reject(ctx, j.Account, Ref{ID: j.ID}, "never"); return err },
		} {
			go func() {
				<-start
				errs <- decide([]*Ledger{r.Ledger, r.other}[i%2])
			}()
		}
		close(start)
		refused := 0
		for range cap(errs) {
			if err := <-errs; fault.Code(err) == "no-plan" {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		now := r.now(j)
		if refused != 2 || (now.State == Ready) == (now.State == Rejected) || (now.ApprovedBy != "") != (now.State == Ready) {
			t.Fatalf("%d were refused, and the job is %+v", refused, now)
		}
	}
}
