package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// rig is a ledger over a database of its own, with two replicas.
type rig struct {
	t    testing.TB
	data *postgrestest.Database
	db   *postgres.DB
	*Ledger
	other *Ledger
	life  Life
	owner *pgx.Conn // sees and may alter everything: moves leases into the past
	mu    sync.Mutex
}

func newRig(t testing.TB) *rig {
	t.Helper()
	d := postgrestest.DB(t, Schema)
	r := &rig{t: t, data: d, db: d.Open(t, "ingest", "ingest"), life: Life{Instance: "worker-0", Incarnation: uuid.Must(uuid.NewV7())}}
	cfg := Config{FaultBackoff: time.Nanosecond, Log: slog.New(slog.DiscardHandler)}
	r.Ledger = newLedger(t, r.db, cfg)
	r.other = newLedger(t, d.Open(t, "ingest", "ingest"), cfg)
	owner, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Close(context.Background()) })
	r.owner = owner
	return r
}

func newLedger(t testing.TB, db *postgres.DB, cfg Config) *Ledger {
	t.Helper()
	l, err := New(db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newAccount() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// upload opens an upload and returns the submission that completes it.
func (r *rig) upload(account uuid.UUID, request string) Submission {
	r.t.Helper()
	id := uuid.Must(uuid.NewV7())
	object := fmt.Sprintf("raw/%s/%s", account, id)
	s := Submission{
		RequestID: request, Upload: id, FileName: "people.csv", File: Object{Name: object, Size: 10, SHA256: strings.Repeat("ab", 32)},
		Settings: Settings{Mode: Upsert}, Account: Account{Name: "Demo", Country: "US", Recipients: []string{"all@example.com"}},
		SubmittedBy: "key", SubmitterEmail: "me@example.com",
	}
	if _, err := r.OpenUpload(r.t.Context(), account, Upload{ID: id, RequestID: request, FileName: s.FileName, Settings: s.Settings, Object: object}, time.Hour); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) accept(account uuid.UUID, request string, with ...func(*Submission)) Job {
	r.t.Helper()
	s := r.upload(account, request)
	for _, w := range with {
		w(&s)
	}
	j, existing, err := r.Accept(r.t.Context(), account, s)
	if err != nil || existing {
		r.t.Fatalf("accept %s: existing %v, error %v", request, existing, err)
	}
	return j
}

// take claims a stage that must be granted.
func (r *rig) take(j Job, stage event.Stage) Claim {
	r.t.Helper()
	g := r.try(j, stage)
	if !g.Granted {
		r.t.Fatalf("claim %s of job %d: refused, %s; job is %s", stage, j.Number, g.Reason, r.now(j).State)
	}
	return Claim{Job: j.ID, Stage: stage, Token: g.Token}
}

func (r *rig) try(j Job, stage event.Stage) Grant {
	r.t.Helper()
	g, err := r.Claim(r.t.Context(), j.Account, j.ID, stage, r.life)
	if err != nil {
		r.t.Fatalf("claim %s of job %d: %v", stage, j.Number, err)
	}
	return g
}

func (r *rig) complete(j Job, k Claim, res Result) event.Stage {
	r.t.Helper()
	next, err := r.Finish(r.t.Context(), j.Account, k, res)
	if err != nil {
		r.t.Fatalf("finish %s of job %d: %v", k.Stage, j.Number, err)
	}
	return next
}

// validate brings a job through validation with 10 rows, one of them invalid.
func (r *rig) validate(j Job) event.Stage {
	r.t.Helper()
	return r.complete(j, r.take(j, event.Validate), Result{Body: []byte("validated"), Rows: 10, Blank: 2, Invalid: 1})
}

// merge brings a job that has the turn to its end.
func (r *rig) merge(j Job) {
	r.t.Helper()
	r.complete(j, r.take(j, event.Match), Result{Body: []byte("matched"), NewRows: 3})
	r.complete(j, r.take(j, event.Enrich), Result{Body: []byte("enriched"), Sent: 3, Known: 2})
	k := r.take(j, event.Merge)
	r.leave(j, k)
	r.complete(j, k, Result{Body: []byte("merged"), Counts: Counts{Rows: 10, Added: 3, Updated: 6, Invalid: 1}})
}

func (r *rig) leave(j Job, k Claim) {
	r.t.Helper()
	if err := r.LeaveToCommit(r.t.Context(), j.Account, k); err != nil {
		r.t.Fatalf("leave to commit job %d: %v", j.Number, err)
	}
}

func (r *rig) now(j Job) Job {
	r.t.Helper()
	now, err := r.Job(r.t.Context(), j.Account, Ref{ID: j.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	return now
}

func (r *rig) is(j Job, want State) Job {
	r.t.Helper()
	now := r.now(j)
	if now.State != want {
		r.t.Fatalf("job %d is %s, want %s", j.Number, now.State, want)
	}
	return now
}

// sql alters the database behind the ledger's back.
func (r *rig) sql(text string, args ...any) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.owner.Exec(r.t.Context(), text, args...); err != nil {
		r.t.Fatal(err)
	}
}

// lapse ends a claim's lease now: after the last sign of life so far.
func (r *rig) lapse(k Claim) {
	r.t.Helper()
	r.sql(`UPDATE ingest.stages SET lease_until = clock_timestamp() WHERE token = $1`, k.Token)
}

func (r *rig) reconcile() {
	r.t.Helper()
	if err := NewReconciler(r.Ledger).Once(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func wantFault(t testing.TB, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.Of(err) != kind || fault.Code(err) != code {
		t.Fatalf("%s: got error %v (%s %s), want %s %s", what, err, fault.Of(err), fault.Code(err), kind, code)
	}
}

func TestStatementsPrepare(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, Schema)
	db := d.Open(t, "ingest", "ingest")
	postgrestest.PrepareAll(t, db, statementFiles, "queries")
	postgrestest.PrepareAll(t, db, statementFiles, "across")
	if err := postgres.CheckVersion(t.Context(), db, Schema); err != nil {
		t.Fatal(err)
	}
}

func TestTablesAreBoundToTheirAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for what, query := range map[string]string{
		"table with account_id without forced row-level security": `
			SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
			WHERE c.relnamespace = 'ingest'::regnamespace AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`,
		"unique key that does not lead with the account": `
			SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
			WHERE c.relnamespace = 'ingest'::regnamespace AND i.indisunique AND i.indkey[0] <> a.attnum AND c.relkind = 'r'`,
		"right of ingest_all to write": `
			SELECT table_name || ' ' || privilege_type FROM information_schema.role_table_grants WHERE grantee = 'ingest_all' AND privilege_type <> 'SELECT'`,
	} {
		rows, err := r.owner.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", what, found, err)
		}
	}
	j := r.accept(newAccount(), "mine")
	_, err := r.Job(t.Context(), newAccount(), Ref{ID: j.ID})
	wantFault(t, "job of another account", err, fault.NotFound, "unknown-job")
}

func TestWayOfAJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "one")
	if j.Number != 1 || j.State != Queued || j.Queue == nil || j.Queue.Ahead != 0 {
		t.Fatalf("accepted job is %+v", j)
	}
	if g := r.try(j, event.Match); g.Granted || g.Reason != ReasonNotRunnable {
		t.Fatalf("match before validate: %+v", g)
	}
	k := r.take(j, event.Validate)
	r.is(j, Validating)
	if g := r.try(j, event.Validate); g.Reason != ReasonHeld {
		t.Fatalf("second claim: %+v", g)
	}
	if _, err := r.Renew(t.Context(), a, k, 5, 10); err != nil {
		t.Fatal(err)
	}
	if p := r.now(j).Progress; p == nil || p.Done != 5 || p.Total != 10 || p.Stage != event.Validate {
		t.Fatalf("progress is %+v", p)
	}
	if next := r.complete(j, k, Result{Body: []byte("v"), Rows: 10, Blank: 2, Invalid: 1, Columns: []Column{{Index: 1, Heading: "Email", Field: "email"}}}); next != event.Match {
		t.Fatalf("next stage is %q, want match", next)
	}
	now := r.is(j, Ready)
	if now.Counts.Rows != 10 || now.Counts.Blank != 2 || now.Counts.Invalid != 1 || len(now.Columns) != 1 || now.Started.IsZero() {
		t.Fatalf("validated job is %+v", now)
	}
	if g := r.try(j, event.Validate); g.Reason != ReasonDone {
		t.Fatalf("claim after end: %+v", g)
	}
	k = r.take(j, event.Match)
	r.is(j, Matching)
	if next := r.complete(j, k, Result{Body: []byte("m"), NewRows: 4}); next != event.Enrich {
		t.Fatalf("next stage is %q, want enrich", next)
	}
	r.is(j, Enriching)
	g := r.try(j, event.Enrich)
	if string(g.Work.Results.Validated) != "v" || string(g.Work.Results.Matched) != "m" || g.Work.Results.Enriched != nil {
		t.Fatalf("enrich was given %+v", g.Work.Results)
	}
	if next := r.complete(j, Claim{Job: j.ID, Stage: event.Enrich, Token: g.Token}, Result{Body: []byte("e"), Sent: 4, Known: 3}); next != event.Merge {
		t.Fatalf("next stage is %q, want merge", next)
	}
	k = r.take(j, event.Merge)
	_, err := r.Finish(t.Context(), a, k, Result{Counts: Counts{Rows: 10, Added: 10}})
	wantFault(t, "merge without leave", err, fault.Precondition, "no-leave")
	r.leave(j, k)
	r.leave(j, k)
	r.is(j, Committing)
	_, err = r.Cancel(t.Context(), a, Ref{Number: 1})
	wantFault(t, "cancel while committing", err, fault.Precondition, "too-late")
	_, err = r.Finish(t.Context(), a, k, Result{Counts: Counts{Rows: 10, Added: 9}})
	wantFault(t, "lost row", err, fault.Invalid, "counts-do-not-add-up")
	counts := Counts{Rows: 10, Added: 4, Updated: 2, Unchanged: 1, Duplicate: 1, Invalid: 1, Conflict: 1}
	for range 2 { // the same result twice
		if next := r.complete(j, k, Result{Body: []byte("o"), Counts: counts}); next != "" {
			t.Fatalf("next stage is %q, want none", next)
		}
	}
	now = r.is(j, CompletedWithRejects)
	counts.Blank, counts.SentToProvider, counts.KnownToProvider = 2, 4, 3
	if now.Counts != counts || now.Ended.IsZero() {
		t.Fatalf("ended job is %+v, want counts %+v", now, counts)
	}
	g = r.try(j, event.Notify)
	if g.Work.Notice != NoticeEnded || len(g.Work.Recipients) != 1 || g.Work.Recipients[0] != "all@example.com" {
		t.Fatalf("notice is %+v", g.Work)
	}
	r.complete(j, Claim{Job: j.ID, Stage: event.Notify, Token: g.Token}, Result{Body: []byte("n")})
	r.is(j, CompletedWithRejects)

	want := []string{"job.accepted", "job.validating", "job.validated", "job.matching", "job.enriching", "job.merging", "job.committing", "job.completed_with_rejects"}
	events, err := r.Events(t.Context(), a, uuid.Nil, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range events {
		got = append(got, e.Type)
		if e.Number != int64(i+1) || e.JobNumber != 1 || e.Job != j.ID {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("events\n got %v\nwant %v", got, want)
	}
	if last := events[len(events)-1]; last.Counts == nil || *last.Counts != counts || last.Number != now.LastEvent {
		t.Fatalf("last event is %+v", last)
	}
	res, err := r.Results(t.Context(), a, j.ID)
	if err != nil || string(res.Merged) != "o" || string(res.Validated) != "v" {
		t.Fatalf("results are %+v, %v", res, err)
	}
}
