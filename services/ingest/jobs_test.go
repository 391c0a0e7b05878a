package ingest_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func TestListJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica()
	c := r.client(uuid.New())
	for range 5 {
		c.mustUpload("email\na@example.com\n")
	}
	if _, err := c.jobs.CancelJob(t.Context(), &ingestv1.CancelJobRequest{Job: "2"}); err != nil {
		t.Fatal(err)
	}
	var got []int64
	var tokens []string
	req := &ingestv1.ListJobsRequest{PageSize: 2}
	for {
		page, err := c.jobs.ListJobs(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page.GetJobs() {
			got = append(got, j.GetNumber())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
		tokens = append(tokens, req.PageToken)
	}
	if len(got) != 5 || got[0] != 5 || got[4] != 1 || len(tokens) != 2 {
		t.Errorf("jobs are %v in %d pages, want 5 to 1 in 3", got, len(tokens)+1)
	}
	cancelled := []ingestv1.JobState{ingestv1.JobState_JOB_STATE_CANCELLED}
	if page, err := c.jobs.ListJobs(t.Context(), &ingestv1.ListJobsRequest{States: cancelled, PageSize: 1e9}); err != nil || len(page.GetJobs()) != 1 || page.GetJobs()[0].GetNumber() != 2 {
		t.Errorf("cancelled jobs are %v, %v, want job 2", page, err)
	}
	altered := []byte(tokens[0])
	altered[3] ^= 1
	for name, tc := range map[string]struct {
		c    *client
		req  *ingestv1.ListJobsRequest
		code string
	}{
		"altered token":     {c, &ingestv1.ListJobsRequest{PageToken: string(altered)}, "page-token-invalid"},
		"made-up token":     {c, &ingestv1.ListJobsRequest{PageToken: strings.Repeat("A", 32)}, "page-token-invalid"},
		"no base64":         {c, &ingestv1.ListJobsRequest{PageToken: "%%%"}, "page-token-invalid"},
		"other states":      {c, &ingestv1.ListJobsRequest{PageToken: tokens[0], States: cancelled}, "page-token-invalid"},
		"another's account": {r.client(uuid.New()), &ingestv1.ListJobsRequest{PageToken: tokens[0]}, "page-token-invalid"},
		"negative size":     {c, &ingestv1.ListJobsRequest{PageSize: -1}, "page-size-invalid"},
		"unknown state":     {c, &ingestv1.ListJobsRequest{States: []ingestv1.JobState{99}}, "unknown-state"},
		"no state":          {c, &ingestv1.ListJobsRequest{States: []ingestv1.JobState{0}}, "unknown-state"},
	} {
		_, err := tc.c.jobs.ListJobs(t.Context(), tc.req)
		wanted(t, name, err, fault.Invalid, tc.code)
	}
}

// Somebody else's job answers as one that is not there, to every method and to the letter.
func TestForeignJobsAreUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica()
	foreign := r.client(uuid.New()).mustUpload("email\na@example.com\n")
	c := r.client(uuid.New())
	ctx := t.Context()
	for name, ask := range map[string]func(job string) error{
		"get": func(job string) error { _, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: job}); return err },
		"cancel": func(job string) error {
			_, err := c.jobs.CancelJob(ctx, &ingestv1.CancelJobRequest{Job: job})
			return err
		},
		"retry": func(job string) error {
			_, err := c.jobs.RetryJob(ctx, &ingestv1.RetryJobRequest{Job: job})
			return err
		},
		"answer": func(job string) error {
			_, err := c.jobs.AnswerJob(ctx, &ingestv1.AnswerJobRequest{Job: job, DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY})
			return err
		},
		"report": func(job string) error {
			s, err := c.jobs.DownloadReport(ctx, &ingestv1.DownloadReportRequest{Job: job})
			if err != nil {
				return err
			}
			_, err = s.Recv()
			return err
		},
	} {
		unknown := ask(uuid.NewString())
		wanted(t, name+" unknown", unknown, fault.NotFound, "unknown-job")
		for _, job := range []string{foreign.GetId(), "1", "99", "x", "-1", "1.5", strings.ToUpper(foreign.GetId())} {
			err := ask(job)
			if fault.Of(err) != fault.NotFound || fault.Code(err) != fault.Code(unknown) || err.Error() != unknown.Error() {
				t.Errorf("%s of %q answers %v, of an unknown one %v", name, job, err, unknown)
			}
		}
		wanted(t, name+" nothing", ask(""), fault.Invalid, "job-missing")
	}
}

func TestCancelTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	job := c.mustUpload("email\na@example.com\n")
	for range 2 {
		resp, err := c.jobs.CancelJob(t.Context(), &ingestv1.CancelJobRequest{Job: job.GetId()})
		if err != nil || resp.GetJob().GetState() != ingestv1.JobState_JOB_STATE_CANCELLED {
			t.Fatalf("cancel: %v, %v", resp, err)
		}
	}
	done := c.mustUpload("email\na@example.com\n")
	wk.complete(done, simple())
	_, err := c.jobs.CancelJob(t.Context(), &ingestv1.CancelJobRequest{Job: done.GetId()})
	wanted(t, "cancel of a job that is done", err, fault.Precondition, "too-late")
	_, err = c.jobs.RetryJob(t.Context(), &ingestv1.RetryJobRequest{Job: done.GetId()})
	wanted(t, "retry of a job that is done", err, fault.Precondition, "not-retryable")
	_, err = c.jobs.AnswerJob(t.Context(), &ingestv1.AnswerJobRequest{Job: done.GetId(), DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY})
	wanted(t, "answer to no question", err, fault.Precondition, "no-question")
}
