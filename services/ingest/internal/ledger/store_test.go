package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// A small job is mostly waiting: for the database to be asked, and for its disk.
func TestAChangeTakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	trips, address := postgrestest.CountTrips(t, r.data.URL("ingest"))
	db, err := postgres.Open(t.Context(), address, postgres.Options{Schema: "ingest", MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	r.Ledger = newLedger(t, db, r.cfg)
	for _, warm := range []bool{false, true} {
		j := r.accept(a, fmt.Sprint("warm: ", warm))
		trips.Store(0)
		r.validate(j)
		r.merge(j)
		const changes, aside = 9, 2 // a session that was idle for a second is asked first whether it is there
		if n := trips.Load(); warm && n > 2*changes+aside {
			t.Errorf("%d changes take %d round trips", changes, n)
		}
		trips.Store(0)
		if r.now(j); warm && trips.Load() > 2 {
			t.Errorf("a reading takes %d round trips", trips.Load())
		}
	}
}

func TestUploadHasOneWriter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	_, err := r.FindUpload(ctx, a, "one")
	wantFault(t, "no upload", err, fault.NotFound, "unknown-upload")
	id := uuid.Must(uuid.NewV7())
	u, err := r.OpenUpload(ctx, a, Upload{ID: id, RequestID: "one", FileName: "a.csv", Settings: Settings{Mode: Add}, Object: "raw/x"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetMultipart(ctx, a, u, "mp"); err != nil {
		t.Fatal(err)
	}
	for i := range int32(2) {
		if u, err = r.SavePart(ctx, a, u, Part{Number: i + 1, ETag: fmt.Sprint("e", i), Size: 5}, []byte{byte(i)}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.OpenUpload(ctx, a, Upload{ID: uuid.Must(uuid.NewV7()), RequestID: "one", Object: "raw/y"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	found, err := r.FindUpload(ctx, a, "one")
	if err != nil || found.ID != id {
		t.Fatalf("found %+v, %v, want the upload that came furthest", found, err)
	}
	second, err := r.ResumeUpload(ctx, a, id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want := u
	want.Multipart, want.Writer, want.ExpiresAt = "mp", 2, second.ExpiresAt
	if d := cmp.Diff(want, second); d != "" {
		t.Fatalf("resumed upload (-want +got):\n%s", d)
	}
	_, err = r.SavePart(ctx, a, u, Part{Number: 3, Size: 5}, nil, time.Hour)
	wantFault(t, "part of the first writer", err, fault.Stale, "stale")
	wantFault(t, "multipart of the first writer", r.SetMultipart(ctx, a, u, "other"), fault.Stale, "stale")
	if _, err := r.SavePart(ctx, a, second, Part{Number: 3, ETag: "e", Size: 5}, []byte{9}, time.Hour); err != nil {
		t.Fatal(err)
	}
	_, err = r.SavePart(ctx, a, second, Part{Number: 3, ETag: "e", Size: 5}, []byte{9}, time.Hour)
	wantFault(t, "the same part twice", err, fault.Stale, "stale")
	_, err = r.ResumeUpload(ctx, newAccount(), id, time.Hour)
	wantFault(t, "another account's upload", err, fault.NotFound, "unknown-upload")
}

func TestExpiredUploadsAreTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	old, fresh := r.upload(a, "old"), r.upload(a, "fresh")
	r.sql(`UPDATE ingest.uploads SET expires_at = clock_timestamp() WHERE upload_id = $1`, old.Upload)
	for range 2 { // not forgotten, so returned again
		got, err := r.ExpiredUploads(ctx, 10)
		want := []ExpiredUpload{{Account: a, Upload: old.Upload, Object: old.File.Name}}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Fatalf("expired uploads: %v (-want +got):\n%s", err, d)
		}
	}
	_, _, err := r.Accept(ctx, a, old)
	wantFault(t, "accept of a taken upload", err, fault.Precondition, "upload-expired")
	if _, _, err := r.Accept(ctx, a, fresh); err != nil {
		t.Fatal(err)
	}
	uploads, jobs, err := r.Known(ctx, a, []uuid.UUID{old.Upload, fresh.Upload, uuid.Must(uuid.NewV7())}, []uuid.UUID{uuid.Must(uuid.NewV7())})
	if err != nil || len(uploads) != 2 || len(jobs) != 0 {
		t.Fatalf("known: %v, %v, %v", uploads, jobs, err)
	}
	if err := r.ForgetUpload(ctx, a, old.Upload); err != nil {
		t.Fatal(err)
	}
	if got, err := r.ExpiredUploads(ctx, 10); err != nil || len(got) != 0 {
		t.Fatalf("expired uploads afterwards: %v, %v", got, err)
	}
}

func TestFilesAreDueByAge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	j := r.accept(a, "one")
	if _, err := r.Cancel(ctx, a, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	again, _, err := r.Retry(ctx, a, Ref{ID: j.ID}, Resubmission{})
	if err != nil {
		t.Fatal(err)
	}
	r.sql(`UPDATE ingest.jobs SET ended_at = ended_at - interval '8 days' WHERE ended_at IS NOT NULL`)
	const week = 7 * 24 * time.Hour
	if due, err := r.DueFiles(ctx, week, 10); err != nil || len(due) != 0 {
		t.Fatalf("file of a job at work is due: %v, %v", due, err)
	}
	if due, err := r.DueWork(ctx, week, 10); err != nil || len(due) != 1 || due[0].Job != j.ID {
		t.Fatalf("due work: %v, %v", due, err)
	}
	if now := r.now(j); !now.WorkSwept || now.FileSwept {
		t.Fatalf("job with due work is %+v", now)
	}
	if err := r.WorkSwept(ctx, a, j.ID); err != nil {
		t.Fatal(err)
	}
	if due, err := r.DueWork(ctx, week, 10); err != nil || len(due) != 0 {
		t.Fatalf("due work afterwards: %v, %v", due, err)
	}
	if _, err := r.Cancel(ctx, a, Ref{ID: again.ID}); err != nil {
		t.Fatal(err)
	}
	if due, err := r.DueFiles(ctx, week, 10); err != nil || len(due) != 0 {
		t.Fatalf("file of a job that just ended is due: %v, %v", due, err)
	}
	r.sql(`UPDATE ingest.jobs SET ended_at = clock_timestamp() - interval '8 days'`)
	due, err := r.DueFiles(ctx, week, 10)
	if err != nil || len(due) != 1 || due[0].Upload != j.Upload || due[0].Object != j.File.Name {
		t.Fatalf("due files: %v, %v", due, err)
	}
	_, _, err = r.Retry(ctx, a, Ref{ID: j.ID}, Resubmission{})
	wantFault(t, "retry without a file", err, fault.Precondition, "file-swept")
	if err := r.FileSwept(ctx, a, j.Upload); err != nil {
		t.Fatal(err)
	}
	if due, err := r.DueFiles(ctx, week, 10); err != nil || len(due) != 0 {
		t.Fatalf("due files afterwards: %v, %v", due, err)
	}
}

func TestEstimatedStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	one, two, three := r.accept(a, "1"), r.accept(a, "2"), r.accept(a, "3")
	if q := r.now(two).Queue; q == nil || q.Ahead != 1 || q.EstimatedStart != nil {
		t.Fatalf("place without a known pace is %+v", q)
	}
	r.validate(one)
	r.validate(two)
	r.validate(three)
	r.take(one, event.Match)
	// 10 rows at 0.5 rows a second are 20 s; job 1 began 5 s ago
	r.sql(`UPDATE ingest.queues SET row_pace = 0.5, job_seconds = 100`)
	r.sql(`UPDATE ingest.jobs SET started_at = clock_timestamp() - interval '5 s' WHERE turn`)
	for _, c := range []struct {
		job   Job
		ahead int64
		want  time.Duration
	}{{two, 1, 15 * time.Second}, {three, 2, 35 * time.Second}} {
		var now time.Time
		if err := r.owner.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&now); err != nil {
			t.Fatal(err)
		}
		q := r.now(c.job).Queue
		if q == nil || q.Ahead != c.ahead || q.EstimatedStart == nil {
			t.Fatalf("place of job %d is %+v", c.job.Number, q)
		}
		if got := q.EstimatedStart.Sub(now); got < c.want-5*time.Second || got > c.want+time.Second {
			t.Errorf("job %d starts in %s, want %s", c.job.Number, got, c.want)
		}
	}
}

func TestStatesTable(t *testing.T) {
	t.Parallel()
	reached := map[State]bool{Queued: true}
	for _, s := range States() {
		for _, to := range Follows(s) {
			reached[to] = true
			if !to.Valid() {
				t.Errorf("%s is followed by %s, which is no state", s, to)
			}
			if eventTypes[to] == "" && to != Exporting {
				t.Errorf("entering %s has no event", to)
			}
		}
		if s.Final() != slices.Contains([]State{Completed, CompletedWithRejects, Checked, Rejected, Failed, Cancelled}, s) {
			t.Errorf("%s final: %v", s, s.Final())
		}
	}
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("nothing is followed by %s", s)
		}
	}
}

func TestAnAccountsOwnRetentionHolds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	for name, days := range map[string]int32{"short": 1, "long": 30} {
		j := r.accept(a, name, func(s *Submission) { s.Account.RawDays, s.Account.ResultDays = days, days })
		if _, err := r.Cancel(ctx, a, Ref{ID: j.ID}); err != nil {
			t.Fatal(err)
		}
	}
	r.sql(`UPDATE ingest.jobs SET ended_at = clock_timestamp() - interval '2 days'`)
	const week = 7 * 24 * time.Hour
	files, err := r.DueFiles(ctx, week, 10)
	if err != nil || len(files) != 1 {
		t.Errorf("of files kept 1 and 30 days, after 2 are due: %v, %v", files, err)
	}
	work, err := r.DueWork(ctx, week, 10)
	if err != nil || len(work) != 1 {
		t.Errorf("of results kept 1 and 30 days, after 2 are due: %v, %v", work, err)
	}
	r.sql(`UPDATE ingest.jobs SET ended_at = clock_timestamp() - interval '8 days'`)
	if files, err := r.DueFiles(ctx, week, 10); err != nil || len(files) != 1 {
		t.Errorf("of files kept 1 and 30 days, after 8 are due: %v, %v", files, err)
	}
}
