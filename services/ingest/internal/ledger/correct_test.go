package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

// A corrected report goes by what the first job went by, also by what its account said then, where it does not say otherwise.
func TestCorrectionGoesByTheFirstJob(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	asOf := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	first := m.file(Result{}, func(s *Submission) {
		s.Settings = Settings{
			Mode: Update, List: "Spring", Mapping: map[string]string{"Mail": "email", "Nr": "external_id"}, Recipients: []string{"x@example.com"}, DateOrder: DMY,
			Reading: Reading{Delimiter: ";"}, Values: Values{"colour": {"rot": "r", "blau": "b"}, "size": {"1": "one"}}, AsOf: asOf, Review: true,
			Policies: Policies{Rules: map[string]string{"city": "never"}, Keys: []string{"email"}}, UnknownToProvider: KeepOut,
		}
		s.Account.DropBadCells, s.Account.CompleteWithout = true, true
		s.Account.Policies = Policies{Rules: map[string]string{"city": "always", "zip": "newest"}, HandMade: "keep"}
	})
	correct := func(s Settings) Settings {
		t.Helper()
		j := m.file(Result{Corrects: first.ID}, func(sub *Submission) { sub.Settings, sub.Account.Policies = s, Policies{HandMade: "replace"} })
		now := m.is(j, Ready)
		if now.Corrects != first.ID || now.CorrectsNumber != first.Number {
			t.Fatalf("correction is %+v", now)
		}
		if now.BadCell != DropCell || now.ProviderDown != CompleteWithout {
			t.Errorf("correction goes by %s, %s", now.BadCell, now.ProviderDown)
		}
		if _, err := m.Cancel(t.Context(), m.account, Ref{ID: j.ID}); err != nil {
			t.Fatal(err)
		}
		return now.Settings
	}
	want := Settings{
		Mode: Update, List: "Spring", Mapping: map[string]string{"Mail": "email", "Nr": "external_id"}, DateOrder: DMY,
		Values: Values{"colour": {"rot": "r", "blau": "b"}, "size": {"1": "one"}}, AsOf: asOf, Review: true, BadCell: DropCell, UnknownToProvider: KeepOut, ProviderDown: CompleteWithout,
		Policies: Policies{Rules: map[string]string{"city": "never", "zip": "newest"}, HandMade: "keep", Keys: []string{"email"}},
	}
	if d := cmp.Diff(want, correct(Settings{})); d != "" {
		t.Errorf("settings of a correction that says nothing (-want +got):\n%s", d)
	}
	own := Settings{
		Mode: Upsert, List: "Autumn", Mapping: map[string]string{"Nr": "account_number"}, Recipients: []string{"y@example.com"}, DateOrder: MDY, Reading: Reading{Delimiter: ","},
		Values: Values{"colour": {"rot": "x"}}, Check: true, AsOf: asOf.AddDate(0, 1, 0), UnknownToProvider: AddUnknown,
		Policies: Policies{Rules: map[string]string{"*": "always"}, HandMade: "new-values", Keys: []string{"phone"}},
	}
	want = own
	want.BadCell, want.ProviderDown = DropCell, CompleteWithout
	want.Mapping = map[string]string{"Mail": "email", "Nr": "account_number"}
	want.Values = Values{"colour": {"rot": "x", "blau": "b"}, "size": {"1": "one"}}
	if d := cmp.Diff(want, correct(own)); d != "" {
		t.Errorf("settings of a correction that says everything (-want +got):\n%s", d)
	}
	if d := cmp.Diff(Settings{Mode: Update, Mapping: map[string]string{"Mail": "email", "Nr": "external_id"}}.Mapping, m.now(first).Settings.Mapping); d != "" {
		t.Errorf("the first job was changed (-want +got):\n%s", d)
	}
}

func TestWhatIsNoCorrection(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	first := m.imported(Result{HeadingsKey: headingsKey("a")})
	foreign := &memory{rig: m.rig, account: newAccount()}
	elsewhere := foreign.imported(Result{})
	undone := m.undo(first, true)
	for name, id := range map[string]uuid.UUID{"a job of another account": elsewhere.ID, "an unknown job": uuid.Must(uuid.NewV7()), "an undo": undone.ID} {
		j := m.accept(m.account, name)
		k := m.take(j, event.Validate)
		_, err := m.Finish(t.Context(), m.account, k, Result{Body: []byte("v"), Rows: 1, Corrects: id})
		wantFault(t, "correction of "+name, err, fault.Invalid, "unknown-correction")
		if _, err := m.Cancel(t.Context(), m.account, Ref{ID: j.ID}); err != nil {
			t.Fatal(err)
		}
	}
	// who says no mode and corrects nothing is told so
	j := m.file(Result{}, func(s *Submission) { s.Settings.Mode = "" })
	if now := m.is(j, Rejected); now.Problem == nil || now.Problem.Code != "mode-missing" {
		t.Errorf("job without a mode is %+v", now)
	}
	// a correction is a part of a file: nothing of it is remembered
	said := m.file(Result{Corrects: first.ID, HeadingsKey: headingsKey("c"), Columns: []Column{{Heading: "Mail", Field: "email", How: howSaid}}},
		func(s *Submission) { s.Settings.Mapping = map[string]string{"Mail": "email"} })
	m.merge(said)
	if got := m.earlier(nil); len(got) != 1 || got[0] != first.Number {
		t.Errorf("earlier files are %v, want that of job %d alone", got, first.Number)
	}
	if got, err := m.LookUp(t.Context(), m.account, headingsKey("c")); err != nil || len(got.Mapping) != 0 {
		t.Errorf("remembered of a correction: %+v, %v", got, err)
	}
}

// Who answers that a report's columns are ordinary ones hands in an ordinary file, of which the ledger says no longer that it corrects.
func TestAnAnswerMakesAnOrdinaryFileOfACorrection(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	first := m.imported(Result{HeadingsKey: headingsKey("a")})
	j := m.accept(m.account, "asked")
	m.complete(j, m.take(j, event.Validate), Result{Body: []byte("v"), Corrects: first.ID, Question: &Question{Code: "two-columns", Message: "Which?"}})
	if now := m.is(j, NeedsAnswer); now.CorrectsNumber != first.Number {
		t.Fatalf("correction is %+v", now)
	}
	if _, err := m.Answer(t.Context(), m.account, Ref{ID: j.ID}, Answer{Mapping: map[string]string{"job": "ignore"}}); err != nil {
		t.Fatal(err)
	}
	m.complete(j, m.take(j, event.Validate), Result{Body: []byte("v"), Rows: 10, Invalid: 1, HeadingsKey: headingsKey("b")})
	if now := m.is(j, Ready); now.Corrects != uuid.Nil || now.CorrectsNumber != 0 {
		t.Errorf("an ordinary file corrects job %d", now.CorrectsNumber)
	}
	m.complete(j, m.take(j, event.Match), Result{Body: []byte("m")})
	k := m.take(j, event.Merge)
	m.leave(j, k)
	m.complete(j, k, Result{Body: []byte("o"), Counts: Counts{Rows: 10, Updated: 9, Invalid: 1}})
	if got := m.earlier(nil); len(got) != 2 {
		t.Errorf("earlier files are %v, want that of job %d too", got, j.Number)
	}
}

// There is something to correct of whatever a report was made of, and as long as it is there.
func TestRecallJob(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	ctx := t.Context()
	done := m.imported(Result{HeadingsKey: headingsKey("a")})
	planned := m.file(Result{}, reviewed)
	m.plan(planned)
	check := m.file(Result{}, func(s *Submission) { s.Settings.Check = true })
	m.complete(check, m.take(check, event.Match), Result{Body: []byte("m")})
	under := m.file(Result{})
	undo := m.undo(done, true)
	m.complete(undo, m.take(undo, event.Merge), Result{Body: []byte("o"), Counts: Counts{Rows: 9, Updated: 9}})
	ask := m.accept(m.account, "ask")
	k := m.take(ask, event.Validate)
	recall := func(number int64) error {
		j, validated, err := m.RecallJob(ctx, m.account, k, number)
		if err == nil && (j.Number != number || string(validated) != "v") {
			t.Errorf("recalled job %d is %+v, %q", number, j, validated)
		}
		return err
	}
	for name, j := range map[string]Job{"completed": done, "planned": planned} {
		if err := recall(j.Number); err != nil {
			t.Errorf("a %s job: %v", name, err)
		}
	}
	for name, number := range map[string]int64{"a check under way": check.Number, "a job under way": under.Number, "an undo": undo.Number, "the job itself": ask.Number, "none": 99} {
		wantFault(t, name, recall(number), fault.NotFound, "unknown-job")
	}
	m.complete(check, m.take(check, event.Merge), Result{Body: []byte("o"), Counts: Counts{Rows: 10, Added: 9, Invalid: 1}})
	if err := recall(check.Number); err != nil {
		t.Errorf("a check: %v", err)
	}
	foreign := &memory{rig: m.rig, account: newAccount()}
	asked := foreign.accept(foreign.account, "ask")
	_, _, err := m.RecallJob(ctx, foreign.account, m.take(asked, event.Validate), done.Number)
	wantFault(t, "a job of another account", err, fault.NotFound, "unknown-job")
	m.sql(`UPDATE ingest.jobs SET work_kept = 'DUE' WHERE job_id = $1`, done.ID)
	wantFault(t, "a job that is being swept", recall(done.Number), fault.NotFound, "unknown-job")
	if _, err := m.Cancel(ctx, m.account, Ref{ID: ask.ID}); err != nil {
		t.Fatal(err)
	}
	wantFault(t, "for a cancelled job", recall(check.Number), fault.Stale, "stale")
}
