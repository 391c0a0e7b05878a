package ingest_test

import (
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

var (
	second = uuid.MustParse("0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a40")
	third  = uuid.MustParse("0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a41")
)

// explanation is a reason's text between its code and its detail.
var explanation = regexp.MustCompile(`^([a-z-]+): .*?( \[.*)?$`)

func TestUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, admin, wk := r.client(account), r.admin(account), r.worker(account)
	of := c.mustUpload("email\na@example.com\n")
	_, err := admin.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: "1"})
	wanted(t, "undo of a job under way", err, fault.Precondition, "not-undoable")
	wk.complete(of, simple())

	_, err = c.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: "1"})
	if fault.Of(err) != fault.Denied {
		t.Errorf("undo by a submitter: %v, want Denied", err)
	}
	_, err = admin.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: "1", RequestId: "\n"})
	wanted(t, "undo with a bad request id", err, fault.Invalid, "request-id-invalid")
	_, err = admin.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: "7"})
	wanted(t, "undo of nothing", err, fault.NotFound, "unknown-job")

	ended := []*row.Ended{
		{Outcome: row.Updated, Contact: known, Reason: "removed", Line: 2},
		{Outcome: row.Held, Contact: second, Reason: "changed-since", Detail: "phone by job 7; put back: email", Line: 3},
		{Outcome: row.Unchanged, Contact: third},
	}
	undoOf := func(preview bool) *ingestv1.Job {
		t.Helper()
		var job *ingestv1.Job
		for range 2 { // the second is the same request
			resp, err := admin.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: of.GetId(), Preview: preview, RequestId: map[bool]string{true: "look", false: "do"}[preview]})
			if err != nil {
				t.Fatal(err)
			}
			if job != nil && job.GetId() != resp.GetJob().GetId() {
				t.Errorf("the same request made job %d and %d", job.GetNumber(), resp.GetJob().GetNumber())
			}
			job = resp.GetJob()
		}
		if job.GetState() != ingestv1.JobState_JOB_STATE_READY || job.GetUndoOf() != of.GetId() || job.GetUndoOfNumber() != 1 || job.GetSettings().GetCheck() != preview {
			t.Errorf("undo is %v", job)
		}
		if resp, err := c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: job.GetRequestId()}); err != nil || resp.GetUploadId() != "" || resp.GetJob().GetId() != job.GetId() {
			t.Errorf("upload of the request of an undo: %v, %v", resp, err)
		}
		return job
	}
	preview, undo := undoOf(true), undoOf(false)
	claim, err := wk.service.Claim(wk.ctx(), &ingestv1.ClaimRequest{JobId: undo.GetId(), Stage: string(event.Validate), Instance: "worker-" + wk.life, Incarnation: wk.life})
	if err != nil || claim.GetGranted() {
		t.Errorf("an undo was given out for validation: %v, %v", claim, err)
	}
	wk.merge(preview, ended)
	wk.merge(undo, ended)
	for _, only := range []string{"", undo.GetId()} { // events say whose undo a job is, be it among all or by themselves
		s, err := c.events.WatchEvents(soon(t), &ingestv1.WatchEventsRequest{Job: only})
		if err != nil {
			t.Fatal(err)
		}
		final := func(e []*ingestv1.Event) bool {
			return len(e) > 0 && e[len(e)-1].GetState() == ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS
		}
		for _, e := range watching(t, s, final) {
			if want := map[bool]int64{true: 0, false: 1}[e.GetJobId() == of.GetId()]; e.GetUndoOfNumber() != want {
				t.Errorf("event %v says that its job undoes %d, want %d", e, e.GetUndoOfNumber(), want)
			}
		}
	}
	for job, state := range map[*ingestv1.Job]ingestv1.JobState{preview: ingestv1.JobState_JOB_STATE_CHECKED, undo: ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS} {
		got, err := c.jobs.GetJob(t.Context(), &ingestv1.GetJobRequest{Job: job.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		if n := got.GetJob().GetCounts(); got.GetJob().GetState() != state || n.GetRows() != 3 || n.GetUpdated() != 1 || n.GetRemoved() != 1 || n.GetHeld() != 1 || n.GetUnchanged() != 1 {
			t.Errorf("ended undo is %v", got.GetJob())
		}
	}

	number := strconv.FormatInt(undo.GetNumber(), 10)
	want := [][]string{{"line", "outcome", "reason", "contact_id", "job"}, {"2", "UPDATED", "removed", known.String(), number},
		{"3", "HELD", "changed-since [phone by job 7; put back: email]", second.String(), number}, {"", "UNCHANGED", "", third.String(), number}}
	for only, want := range map[ingestv1.Outcome][][]string{0: want, ingestv1.Outcome_OUTCOME_HELD: {want[0], want[2]}, ingestv1.Outcome_OUTCOME_SUPPRESSED: want[:1]} {
		text, err := c.report(undo.GetId(), only)
		if err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got { // what the catalogue says of a reason is not told here
			r[2] = explanation.ReplaceAllString(r[2], "$1$2")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("report of %s (-want +got):\n%s", only, d)
		}
	}
	again, err := admin.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: "3"}) // the undo is undone
	if err != nil || again.GetJob().GetUndoOf() != undo.GetId() {
		t.Fatalf("undo of the undo: %v, %v", again, err)
	}
	if _, err := admin.jobs.CancelJob(t.Context(), &ingestv1.CancelJobRequest{Job: "4"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.jobs.RetryJob(t.Context(), &ingestv1.RetryJobRequest{Job: "4"})
	wanted(t, "retry of an undo by a submitter", err, fault.Denied, "not-permitted")
	if retried, err := admin.jobs.RetryJob(t.Context(), &ingestv1.RetryJobRequest{Job: "4"}); err != nil || retried.GetJob().GetUndoOf() != undo.GetId() {
		t.Errorf("retry of an undo by an admin: %v, %v", retried, err)
	}

	site := httptest.NewServer(r.service.Web(dial(t, r.addr, "")))
	t.Cleanup(site.Close)
	a := ask(t, "GET", site.URL+"/jobs/3/reports/return-to-sender", "Bearer cm_"+account.String())
	if a.status != http.StatusOK || a.body != "line,contact_id,field,value_in_file,value_here,since,reason\n" {
		t.Errorf("values of an undo to return: %d %q", a.status, a.body)
	}
}

// A contact that an undo makes again has its id already, also where that is only foreseen.
func TestAPreviewNamesWhomItWouldMakeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, admin, wk := r.client(account), r.admin(account), r.worker(account)
	job := c.mustUpload("email\na@example.com\n")
	wk.complete(job, simple())
	for _, becomes := range []*row.Ended{{Outcome: row.Updated, Contact: known, Reason: "removed", Line: 2}, {Outcome: row.Added, Contact: known, Reason: "restored", Line: 2}} {
		resp, err := admin.jobs.UndoJob(t.Context(), &ingestv1.UndoJobRequest{Job: job.GetId(), Preview: becomes.Outcome == row.Added})
		if err != nil {
			t.Fatal(err)
		}
		job = resp.GetJob()
		wk.merge(job, []*row.Ended{becomes})
	}
	text, err := c.report(job.GetId(), 0)
	if err != nil || !strings.Contains(text, known.String()) {
		t.Errorf("the preview says %q, %v; want it to name %s", text, err, known)
	}
}
