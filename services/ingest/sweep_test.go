package ingest_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/sweep"
)

func (w *world) sweeper(cfg sweep.Config) *sweep.Sweeper {
	return sweep.New(w.ledger, w.store, cfg, w.telemetry().Log)
}

func (w *world) put(name string) {
	w.t.Helper()
	if _, err := w.store.Put(w.t.Context(), name, bytes.NewReader([]byte("x")), 1); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sweep(s *sweep.Sweeper, now time.Time) {
	w.t.Helper()
	if err := s.Once(w.t.Context(), now); err != nil {
		w.t.Fatalf("sweep: %v", err)
	}
}

// What a crash left goes, and nothing that a job or an upload under way needs.
func TestOrphansAreSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	live := c.mustUpload("email\na@example.com\n")
	done := c.mustUpload("email\nb@example.com\n")

	// the job's first validator gave up after it had written something
	claim := wk.claim(live, event.Validate)
	lost := blob.WorkName(account, uuid.MustParse(live.GetId()), claim.GetStage(), claim.GetToken(), "cells-a")
	w.put(lost)
	if _, err := wk.service.Release(wk.ctx(), &ingestv1.ReleaseRequest{Claim: claim, Reason: ingestv1.ReleaseReason_RELEASE_REASON_DRAIN}); err != nil {
		t.Fatal(err)
	}
	wk.complete(live, simple())
	claim = wk.claim(done, event.Validate)
	working := blob.WorkName(account, uuid.MustParse(done.GetId()), claim.GetStage(), claim.GetToken(), "cells-a")
	w.put(working)
	content := noise(blob.PartSize+1, 1)
	s, err := c.open(t.Context(), header("under way", content))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(s, content); err != nil {
		t.Fatal(err)
	}
	until(t, "a durable part", func() bool {
		u, err := c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: "under way"})
		return err == nil && u.GetOffset() == blob.PartSize
	})
	kept := append(w.objects("raw/"), w.objects("work/")...)

	orphans := []string{blob.RawName(account, uuid.New()), blob.RawName(uuid.New(), uuid.New()), blob.WorkName(account, uuid.New(), "match", 7, "verdicts"), blob.WorkName(uuid.New(), uuid.New(), "merge", 8, "outcomes")}
	foreign := []string{"raw/readme", "work/" + account.String() + "/notes", "other/thing"}
	for _, name := range slices.Concat(orphans, foreign) {
		w.put(name)
	}
	sweeper := w.sweeper(sweep.Config{})
	w.sweep(sweeper, time.Now())
	all := slices.Concat(kept, orphans, foreign[:2])
	if got := append(w.objects("raw/"), w.objects("work/")...); !same(got, all) {
		t.Errorf("young objects were swept: left are %v, want %v", got, all)
	}
	w.sweep(sweeper, time.Now().Add(25*time.Hour))
	want := slices.Concat(slices.DeleteFunc(slices.Clone(kept), func(n string) bool { return n == lost }), foreign[:2])
	if got := append(w.objects("raw/"), w.objects("work/")...); !same(got, want) {
		t.Errorf("left after a day are %v, want %v", got, want)
	}
	if _, err := c.report(live.GetId(), 0); err != nil {
		t.Errorf("report after the sweep: %v", err)
	}
	if resp, err := s.CloseAndRecv(); err != nil || resp.GetJob().GetFileSize() != int64(len(content)) {
		t.Errorf("upload after the sweep: %v, %v", resp, err)
	}
}

func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Uploads that were given up or expired go with their parts.
func TestUploadsAreSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	content := noise(blob.PartSize+1, 2)
	bad := header("bad", content)
	bad.Sha256 = header("", nil).GetSha256()
	_, err := c.upload(t.Context(), bad, content)
	wanted(t, "wrong checksum", err, fault.Invalid, "checksum-mismatch")

	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.open(ctx, header("left", content))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(s, content); err != nil {
		t.Fatal(err)
	}
	until(t, "a durable part", func() bool {
		_, err := c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: "left"})
		return err == nil
	})
	cancel()
	owner, err := pgx.Connect(t.Context(), w.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	if _, err := owner.Exec(t.Context(), "UPDATE ingest.uploads SET expires_at = clock_timestamp()"); err != nil {
		t.Fatal(err)
	}
	sweeper := w.sweeper(sweep.Config{})
	left := -1
	until(t, "no upload left", func() bool { // the replica's own sweeper is at it too
		w.sweep(sweeper, time.Now())
		if err := owner.QueryRow(t.Context(), "SELECT count(*) FROM ingest.uploads").Scan(&left); err != nil {
			t.Fatal(err)
		}
		return left == 0
	})
	if names := w.objects("raw/"); len(names) != 0 {
		t.Errorf("swept uploads left %v", names)
	}
	if n, err := w.store.AbortIncomplete(t.Context(), "raw/", time.Now().Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("swept uploads left %d multipart uploads, %v", n, err)
	}
	h := header("left", content)
	if resp, err := c.upload(t.Context(), h, content); err != nil || resp.GetExisting() {
		t.Errorf("begun again: %v, %v", resp, err)
	}
}

// Files and results go by age, those of live jobs stay; what is gone is said so.
func TestAgeIsSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	done, failed, live := c.mustUpload("email\na@example.com\n"), c.mustUpload("email\nb@example.com\n"), c.mustUpload("email\nc@example.com\n")
	wk.complete(done, simple())
	wk.reject(failed)
	before := append(w.objects("raw/"), w.objects("work/")...)
	w.sweep(w.sweeper(sweep.Config{}), time.Now())
	if got := append(w.objects("raw/"), w.objects("work/")...); !same(got, before) {
		t.Fatalf("objects of jobs that just ended were swept: left are %v, want %v", got, before)
	}

	w.sweep(w.sweeper(sweep.Config{FileAge: time.Nanosecond, WorkAge: time.Nanosecond}), time.Now())
	if got := w.objects("work/"); len(got) != 0 {
		t.Errorf("left of results by age: %v", got)
	}
	resp, err := c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: live.GetRequestId()})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.objects("raw/"), []string{blob.RawName(account, uuid.MustParse(resp.GetUploadId()))}; !same(got, want) {
		t.Errorf("left of files by age: %v, want that of the live job, %v", got, want)
	}
	_, err = c.report(done.GetId(), 0)
	wanted(t, "report that was swept", err, fault.NotFound, "report-swept")
	_, err = c.jobs.RetryJob(t.Context(), &ingestv1.RetryJobRequest{Job: failed.GetId()})
	wanted(t, "retry without the file", err, fault.Precondition, "file-swept")
	if j, err := c.jobs.GetJob(t.Context(), &ingestv1.GetJobRequest{Job: done.GetId()}); err != nil || j.GetJob().GetCounts().GetAdded() != 1 {
		t.Errorf("the job itself is %v, %v", j, err)
	}
	wk.complete(live, simple())
	if text, err := c.report(live.GetId(), 0); err != nil || text == "" {
		t.Errorf("report of the live job: %q, %v", text, err)
	}
}
