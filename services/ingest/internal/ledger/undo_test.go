package ledger

import (
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// undo asks for an undo that must be granted.
func (r *rig) undo(j Job, preview bool) Job {
	r.t.Helper()
	u, existing, err := r.Undo(r.t.Context(), j.Account, Ref{ID: j.ID}, preview, Resubmission{Account: Account{Name: "Demo", Country: "US"}, SubmittedBy: "admin", SubmitterEmail: "admin@example.com"})
	if err != nil || existing {
		r.t.Fatalf("undo of job %d: existing %v, %v", j.Number, existing, err)
	}
	return u
}

// done is a job brought to its end.
func (r *rig) done(account uuid.UUID, request string) Job {
	r.t.Helper()
	j := r.accept(account, request)
	r.validate(j)
	r.merge(j)
	return j
}

func (r *rig) types(j Job) (types []string, counts *Counts) {
	r.t.Helper()
	events, err := r.Events(r.t.Context(), j.Account, j.ID, 0, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range events {
		types = append(types, e.Type)
		counts = e.Counts
	}
	return types, counts
}

func TestWayOfAnUndo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	of := r.done(a, "one")
	before := r.accept(a, "two")
	u := r.undo(of, false)
	if u.Kind != Undo || u.UndoOf != of.ID || u.UndoOfNumber != 1 || u.Number != 3 || u.State != Ready || u.Upload != uuid.Nil || u.FileSwept || !u.Started.IsZero() {
		t.Fatalf("undo is %+v", u)
	}
	if u.Queue == nil || u.Queue.Ahead != 1 {
		t.Fatalf("place of the undo is %+v, want behind job 2", u.Queue)
	}
	if g := r.try(u, event.Merge); g.Granted {
		t.Fatal("the undo went before job 2")
	}
	if u.BadCell != "" || u.UnknownToProvider != "" {
		t.Errorf("an undo, that follows no file, goes by %q, %q", u.BadCell, u.UnknownToProvider)
	}
	if again, existing, err := r.Undo(t.Context(), a, Ref{Number: 1}, false, Resubmission{RequestID: u.RequestID}); err != nil || !existing || again.ID != u.ID {
		t.Fatalf("the same request again: job %d, existing %v, %v", again.Number, existing, err)
	}
	_, _, err := r.Undo(t.Context(), a, Ref{Number: 1}, true, Resubmission{RequestID: u.RequestID})
	wantFault(t, "a preview under its request id", err, fault.Exists, "request-id-reused")
	r.validate(before)
	r.merge(before)

	for _, s := range []event.Stage{event.Validate, event.Match, event.Enrich} {
		if g := r.try(u, s); g.Granted {
			t.Fatalf("an undo was given out for %s", s)
		}
	}
	g := r.try(u, event.Merge)
	if !g.Granted || g.Work.Job.Kind != Undo || g.Work.Job.UndoOf != of.ID || g.Work.Job.UndoOfNumber != 1 || g.Work.Results.Validated != nil || g.Work.Account.Country != "US" || g.Work.Committing {
		t.Fatalf("claim of an undo: %+v", g)
	}
	if now := r.is(u, Merging); now.Started.IsZero() {
		t.Fatalf("undo at work is %+v", now)
	}
	k := Claim{Job: u.ID, Stage: event.Merge, Token: g.Token}
	r.leave(u, k)
	r.lapse(k)
	r.reconcile()
	if g = r.try(u, event.Merge); !g.Granted || !g.Work.Committing {
		t.Fatalf("claim after leave: %+v", g)
	}
	k.Token = g.Token
	r.leave(u, k)
	for what, c := range map[string]Counts{
		"a lost contact":          {Rows: 7, Updated: 6},
		"more removed than taken": {Rows: 6, Updated: 6, Removed: 7},
		"a newer value in a file": {Rows: 6, Updated: 6, NewerHere: 1},
	} {
		_, err = r.Finish(t.Context(), a, k, Result{Counts: c})
		wantFault(t, what, err, fault.Invalid, "counts-do-not-add-up")
	}
	counts := Counts{Rows: 9, Added: 1, Updated: 5, Unchanged: 1, Held: 2, Removed: 3}
	if next := r.complete(u, k, Result{Body: []byte("m"), Counts: counts}); next != "" {
		t.Fatalf("next stage is %q", next)
	}
	if now := r.is(u, CompletedWithRejects); now.Counts != counts {
		t.Fatalf("counts are %+v, want %+v", now.Counts, counts)
	}
	types, told := r.types(u)
	want := []string{"job.accepted", "job.merging", "job.committing", "job.completed_with_rejects"}
	if d := cmp.Diff(want, types); d != "" || told == nil || *told != counts {
		t.Fatalf("events tell %+v (-want +got):\n%s", told, d)
	}
	if g := r.try(u, event.Notify); g.Work.Notice != NoticeEnded || g.Work.Job.UndoOfNumber != 1 || g.Work.Job.Counts.Removed != 3 {
		t.Fatalf("notice is %+v", g.Work)
	}

	back := r.undo(u, false) // an undo can be undone
	k = r.take(back, event.Merge)
	r.leave(back, k)
	r.complete(back, k, Result{Body: []byte("m")}) // nothing was left to do
	if now := r.is(back, Completed); now.UndoOf != u.ID || now.Counts != (Counts{}) {
		t.Fatalf("undo of the undo is %+v", now)
	}
}

func TestPreviewOfAnUndoWaitsForNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	of := r.done(a, "one")
	r.accept(a, "in the way")
	p := r.undo(of, true)
	if p.State != Ready || p.Started.IsZero() {
		t.Fatalf("preview is %+v", p)
	}
	k := r.take(p, event.Merge)
	wantFault(t, "leave for a preview", r.LeaveToCommit(t.Context(), a, k), fault.Invalid, "nothing-to-commit")
	r.complete(p, k, Result{Body: []byte("m"), Counts: Counts{Rows: 2, Updated: 1, Held: 1, Removed: 1}})
	if now := r.is(p, Checked); now.Counts.Rows != 2 || now.Counts.Removed != 1 {
		t.Fatalf("preview is %+v", now)
	}
	if g := r.try(p, event.Notify); len(g.Work.Recipients) != 1 || g.Work.Recipients[0] != "admin@example.com" {
		t.Fatalf("told of a preview are %v", g.Work.Recipients)
	}
	_, _, err := r.Undo(t.Context(), a, Ref{ID: p.ID}, false, Resubmission{})
	wantFault(t, "undo of a preview", err, fault.Precondition, "not-undoable")
}

func TestOnlyWhatHadAnEffectIsUndone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	_, _, err := r.Undo(ctx, a, Ref{Number: 1}, false, Resubmission{})
	wantFault(t, "undo of nothing", err, fault.NotFound, "unknown-job")
	j := r.accept(a, "one")
	refused := func(what string) {
		t.Helper()
		_, _, err := r.Undo(ctx, a, Ref{ID: j.ID}, false, Resubmission{})
		wantFault(t, what, err, fault.Precondition, "not-undoable")
	}
	refused("queued")
	r.validate(j)
	refused("ready")
	r.complete(j, r.take(j, event.Match), Result{Body: []byte("m")})
	r.take(j, event.Merge)
	refused("merging")
	if _, err := r.Cancel(ctx, a, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	refused("cancelled")
	other := r.done(newAccount(), "theirs")
	_, _, err = r.Undo(ctx, a, Ref{ID: other.ID}, false, Resubmission{})
	wantFault(t, "undo of somebody else's", err, fault.NotFound, "unknown-job")
}

// An undo that was cancelled, rejected or failed is retried like any job, though it has no file.
func TestAnUndoIsRetried(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	of := r.done(a, "one")
	ways := map[string]func(Job){
		"cancelled": func(u Job) {
			if _, err := r.Cancel(ctx, a, Ref{ID: u.ID}); err != nil {
				t.Fatal(err)
			}
		},
		"rejected": func(u Job) {
			r.complete(u, r.take(u, event.Merge), Result{Body: []byte("m"), Rejected: &Problem{Code: "package-too-small", Message: "9 of 5"}})
		},
		"failed": func(u Job) {
			for range maxFaults {
				if _, err := r.Release(ctx, a, r.take(u, event.Merge), Return{Reason: Fault, Code: "broken"}); err != nil {
					t.Fatal(err)
				}
				r.sql(`UPDATE ingest.stages SET not_before = NULL`)
			}
			r.is(u, Failed)
		},
	}
	for name, end := range ways {
		u := r.undo(of, false)
		end(u)
		again, existing, err := r.Retry(ctx, a, Ref{ID: u.ID}, Resubmission{RequestID: "again " + name})
		if err != nil || existing || again.Kind != Undo || again.UndoOf != of.ID || again.RetryOf != u.ID || again.State != Ready {
			t.Fatalf("retry of a %s undo: %+v, existing %v, %v", name, again, existing, err)
		}
		if same, existing, err := r.Retry(ctx, a, Ref{ID: u.ID}, Resubmission{RequestID: "again " + name}); err != nil || !existing || same.ID != again.ID {
			t.Fatalf("the same retry again: %+v, existing %v, %v", same, existing, err)
		}
		k := r.take(again, event.Merge)
		r.leave(again, k)
		r.complete(again, k, Result{Body: []byte("m"), Counts: Counts{Rows: 9, Updated: 9, Removed: 9}})
		r.is(again, Completed)
	}
}

// Sweeps of files pass over undos; what an undo left in the object store is swept like any job's.
func TestAnUndoHasNoFileToSweep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	of := r.done(a, "one")
	u := r.undo(of, false)
	k := r.take(u, event.Merge)
	r.leave(u, k)
	r.complete(u, k, Result{Body: []byte("m"), Counts: Counts{Rows: 9, Updated: 9}})
	r.sql(`UPDATE ingest.jobs SET ended_at = ended_at - interval '8 days'`)
	const week = 7 * 24 * time.Hour
	files, err := r.DueFiles(ctx, week, 10)
	if err != nil || len(files) != 1 || files[0].Upload != of.Upload {
		t.Errorf("due files: %v, %v, want that of job 1 alone", files, err)
	}
	work, err := r.DueWork(ctx, week, 10)
	if err != nil || len(work) != 2 {
		t.Errorf("due work: %v, %v, want that of both jobs", work, err)
	}
	uploads, jobs, err := r.Known(ctx, a, []uuid.UUID{uuid.Nil}, []uuid.UUID{u.ID})
	if err != nil || len(uploads) != 0 {
		t.Errorf("known: %v, %v, %v", uploads, jobs, err)
	}
}

func TestRowsWithNewerValuesAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := r.accept(newAccount(), "one")
	r.validate(j)
	r.complete(j, r.take(j, event.Match), Result{Body: []byte("m")})
	k := r.take(j, event.Merge)
	r.leave(j, k)
	counts := Counts{Rows: 10, Updated: 3, Unchanged: 6, Invalid: 1, NewerHere: 11}
	_, err := r.Finish(t.Context(), j.Account, k, Result{Counts: counts})
	wantFault(t, "newer in more rows than there are", err, fault.Invalid, "counts-do-not-add-up")
	counts.NewerHere, counts.Removed = 4, 1
	_, err = r.Finish(t.Context(), j.Account, k, Result{Counts: counts})
	wantFault(t, "an import that removed a contact", err, fault.Invalid, "counts-do-not-add-up")
	counts.Removed = 0
	r.complete(j, k, Result{Body: []byte("m"), Counts: counts})
	counts.Blank = 2
	if now := r.is(j, CompletedWithRejects); now.Counts != counts {
		t.Errorf("counts are %+v, want %+v", now.Counts, counts)
	}
	if _, told := r.types(j); told == nil || *told != counts {
		t.Errorf("the last event tells %+v, want %+v", told, counts)
	}
}

func TestPoliciesAreFrozenAndTellRequestsApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	at := time.Date(2026, 3, 1, 14, 5, 0, 0, time.UTC)
	theirs := Policies{Rules: map[string]string{"city": "if-empty"}, HandMade: "keep"}
	mine := Policies{Rules: map[string]string{"phone": "newest"}, Keys: []string{"email", "external_id"}}
	j := r.accept(a, "one", func(s *Submission) { s.Settings.Policies, s.Settings.AsOf, s.Account.Policies = mine, at, theirs })
	now := r.now(j)
	if d := cmp.Diff(mine, now.Settings.Policies); d != "" || !now.Settings.AsOf.Equal(at) {
		t.Errorf("settings' policies, as of %s (-want +got):\n%s", now.Settings.AsOf, d)
	}
	if d := cmp.Diff(theirs, now.Policies); d != "" {
		t.Errorf("account's policies (-want +got):\n%s", d)
	}
	for what, change := range map[string]func(*Settings){
		"a rule":  func(s *Settings) { s.Policies.Rules = map[string]string{"phone": "never"} },
		"the key": func(s *Settings) { s.Policies.Keys = nil },
		"as of":   func(s *Settings) { s.AsOf = at.Add(time.Second) },
		"cell":    func(s *Settings) { s.BadCell = RejectRow },
		"unknown": func(s *Settings) { s.UnknownToProvider = AddUnknown },
	} {
		s := r.upload(a, "one")
		s.Settings.Policies, s.Settings.AsOf = mine, at
		change(&s.Settings)
		_, _, err := r.Accept(t.Context(), a, s)
		wantFault(t, "the same request with another "+what, err, fault.Exists, "request-id-reused")
	}
}

// What becomes of bad cells and unknown contacts is as the job says, else as its account said when it was accepted; so it is
// in the job, in its work, and in a retry, whatever the account has settled since.
func TestAJobsWordOnCellsAndUnknownContactsGoesFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	strict, lax := Account{Name: "Demo", Country: "US", KeepOutUnknown: true}, Account{Name: "Demo", Country: "US", DropBadCells: true}
	for what, c := range map[string]struct {
		said          Settings
		account       Account
		cell, unknown string
	}{
		"nothing":             {Settings{}, strict, RejectRow, KeepOut},
		"nothing, lax":        {Settings{}, lax, DropCell, AddUnknown},
		"otherwise":           {Settings{BadCell: DropCell, UnknownToProvider: AddUnknown}, strict, DropCell, AddUnknown},
		"otherwise, lax":      {Settings{BadCell: RejectRow, UnknownToProvider: KeepOut}, lax, RejectRow, KeepOut},
		"the same":            {Settings{BadCell: RejectRow, UnknownToProvider: KeepOut}, strict, RejectRow, KeepOut},
		"of cells alone":      {Settings{BadCell: DropCell}, strict, DropCell, KeepOut},
		"of contacts, strict": {Settings{UnknownToProvider: AddUnknown}, strict, RejectRow, AddUnknown},
	} {
		a := newAccount()
		holds := func(which string, j Job) {
			t.Helper()
			if j.BadCell != c.cell || j.UnknownToProvider != c.unknown || j.Settings.BadCell != c.said.BadCell || j.Settings.UnknownToProvider != c.said.UnknownToProvider {
				t.Errorf("%s: %s goes by %s, %s and was asked for %q, %q; want %s, %s", what, which, j.BadCell, j.UnknownToProvider, j.Settings.BadCell, j.Settings.UnknownToProvider, c.cell, c.unknown)
			}
			g := r.try(j, event.Validate)
			if w := g.Work.Account; !g.Granted || w.DropBadCells != (c.cell == DropCell) || w.KeepOutUnknown != (c.unknown == KeepOut) {
				t.Errorf("%s: work of %s is %+v", what, which, g)
			}
		}
		j := r.accept(a, "one", func(s *Submission) {
			s.Settings.BadCell, s.Settings.UnknownToProvider, s.Account = c.said.BadCell, c.said.UnknownToProvider, c.account
		})
		holds("the job", j)
		if _, err := r.Cancel(t.Context(), a, Ref{ID: j.ID}); err != nil {
			t.Fatal(err)
		}
		again, _, err := r.Retry(t.Context(), a, Ref{ID: j.ID}, Resubmission{Account: c.account})
		if err != nil {
			t.Fatal(err)
		}
		holds("its retry", again)
	}
}
