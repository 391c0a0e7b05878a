package ingest_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/sweep"
)

// uploadAs hands a file in with settings.
func (c *client) uploadAs(content string, s *ingestv1.ImportSettings) *ingestv1.Job {
	c.t.Helper()
	h := header(uuid.NewString(), []byte(content))
	h.Settings = s
	resp, err := c.upload(c.t.Context(), h, []byte(content))
	if err != nil {
		c.t.Fatalf("upload: %v", err)
	}
	return resp.GetJob()
}

func (wk *worker) work(job *ingestv1.Job, stage event.Stage) (*ingestv1.Work, *ingestv1.Claimant) {
	wk.w.t.Helper()
	resp, err := wk.service.Claim(wk.ctx(), &ingestv1.ClaimRequest{JobId: job.GetId(), Stage: string(stage), Instance: "worker-" + wk.life, Incarnation: wk.life})
	if err != nil || !resp.GetGranted() {
		wk.w.t.Fatalf("claim %s: %v, %v", stage, resp, err)
	}
	return resp.GetWork(), &ingestv1.Claimant{JobId: job.GetId(), Stage: string(stage), Token: resp.GetToken()}
}

// The plan is there to be downloaded while it waits and ever after; an admin's word lets it take effect, and what then became
// of the rows is another report.
func TestPlanIsDownloadedAndApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, admin, wk := r.client(account), r.admin(account), r.worker(account)
	ctx := t.Context()
	job := c.uploadAs("x\n", &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, Review: true, ProviderDown: accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE})
	if job.GetProviderDown() != accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE || !job.GetSettings().GetReview() {
		t.Errorf("job is %v", job)
	}
	approve := &ingestv1.ApproveJobRequest{Job: job.GetId()}
	_, err := c.jobs.ApproveJob(ctx, approve)
	wanted(t, "a submitter's approval", err, fault.Denied, "not-permitted")
	_, err = c.jobs.RejectJob(ctx, &ingestv1.RejectJobRequest{Job: job.GetId()})
	wanted(t, "a submitter's rejection", err, fault.Denied, "not-permitted")
	_, err = admin.jobs.ApproveJob(ctx, approve)
	wanted(t, "approval of what is not planned", err, fault.Precondition, "no-plan")
	_, err = c.download(&ingestv1.DownloadReportRequest{Job: job.GetId(), Report: ingestv1.Report_REPORT_PLAN})
	wanted(t, "the plan before there is one", err, fault.Precondition, "no-plan")

	file := mixed()
	wk.validate(job, file, nil)
	forecast := &ingestv1.Forecast{ToSend: 2, KnownAlready: 1, Provider: "test", Cost: &ingestv1.Cost{Micros: 2000, Currency: "EUR"}}
	wk.match(job, &ingestv1.MatchResult{NewRows: 2, Forecast: forecast})
	planned, k := wk.work(job, event.Merge)
	if !planned.GetPlanning() || planned.GetAccount().GetProviderDays() != 90 || !planned.GetAccount().GetCompleteWithoutProvider() {
		t.Errorf("the plan's worker is told %v", planned)
	}
	wk.merged(k, file.ended)
	resp, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: job.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if now := resp.GetJob(); now.GetState() != ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL || now.GetPlan().GetAdded() != 2 || now.GetCounts().GetAdded() != 0 ||
		!cmp.Equal(now.GetForecast(), forecast, protocmp.Transform()) {
		t.Fatalf("job with a plan is %v", now)
	}
	_, err = c.report(job.GetId(), 0)
	wanted(t, "the report of a job that is only planned", err, fault.Precondition, "job-not-final")
	plan, err := c.download(&ingestv1.DownloadReportRequest{Job: job.GetId(), Report: ingestv1.Report_REPORT_PLAN})
	if err != nil || strings.Count(plan, "ADDED") != 2 || !strings.Contains(plan, "INVALID") {
		t.Fatalf("plan is %q, %v", plan, err)
	}
	if strings.Contains(plan, known.String()) {
		t.Errorf("the plan has ids of contacts that are not there yet: %q", plan)
	}
	if one, err := c.download(&ingestv1.DownloadReportRequest{Job: job.GetId(), Report: ingestv1.Report_REPORT_PLAN, Outcome: ingestv1.Outcome_OUTCOME_INVALID}); err != nil || strings.Contains(one, "ADDED") || !strings.Contains(one, "INVALID") {
		t.Errorf("invalid rows of the plan are %q, %v", one, err)
	}

	if notice, _ := wk.work(job, event.Notify); notice.GetNotice() != "approval" || notice.GetJob().GetPlan() == nil {
		t.Errorf("notice is %v", notice)
	}
	approved, err := admin.jobs.ApproveJob(ctx, approve)
	if err != nil || approved.GetJob().GetState() != ingestv1.JobState_JOB_STATE_READY || approved.GetJob().GetApprovedBy() != uuid.NewSHA1(account, []byte("key")).String() {
		t.Fatalf("approved job is %v, %v", approved, err)
	}
	wk.match(job, &ingestv1.MatchResult{})
	m, k := wk.work(job, event.Merge)
	if m.GetPlanning() || m.GetPlan().GetSha256() == "" || m.GetPlan().GetSize() == 0 || !strings.HasPrefix(m.GetPlan().GetName(), "work/"+account.String()) {
		t.Fatalf("merge is told %v", m)
	}
	if _, err := wk.service.LeaveToCommit(wk.ctx(), &ingestv1.LeaveToCommitRequest{Claim: k}); err != nil {
		t.Fatal(err)
	}
	ended := mixed().ended
	ended[0] = &row.Ended{Outcome: row.Held, Reason: "plan-changed", Detail: "planned ADDED, now UPDATED"}
	wk.merged(k, ended)
	check := func(when string) {
		t.Helper()
		again, err := c.download(&ingestv1.DownloadReportRequest{Job: job.GetId(), Report: ingestv1.Report_REPORT_PLAN})
		if err != nil || again != plan {
			t.Errorf("%s the plan is %q, %v, want %q", when, again, err, plan)
		}
		report, err := c.report(job.GetId(), 0)
		if err != nil || strings.Count(report, "ADDED") != 2 || !strings.Contains(report, "HELD") { // once in the words of the row that is held
			t.Errorf("%s the report is %q, %v", when, report, err)
		}
	}
	check("at the end")
	w.sweep(w.sweeper(sweep.Config{OrphanAge: time.Nanosecond}), time.Now().Add(time.Hour))
	check("after what lost was swept,")
	web := httptest.NewServer(r.service.Web(dial(t, r.addr, "")))
	t.Cleanup(web.Close)
	if a := ask(t, "GET", web.URL+"/jobs/1/reports/plan", "Bearer cm_"+account.String()); a.status != 200 || a.body != plan {
		t.Errorf("the plan over HTTP is %d %q", a.status, a.body)
	}
}

func TestForecastOverTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	ctx := t.Context()
	job := c.uploadAs("email\na@example.com\n", &ingestv1.ImportSettings{
		Mode: ingestv1.Mode_MODE_ADD, Policies: &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"glove_size": accountsv1.FieldRule_FIELD_RULE_NEVER}}})
	ask := &ingestv1.ForecastJobRequest{Job: job.GetId(), RequestId: "f"}
	f, err := c.jobs.ForecastJob(ctx, ask)
	if err != nil || f.GetJob().GetForecastOfNumber() != 1 || f.GetJob().GetForecastOf() != job.GetId() || !f.GetJob().GetSettings().GetCheck() {
		t.Fatalf("forecast is %v, %v", f, err)
	}
	wk.validate(job, simple(), nil)
	wk.validate(f.GetJob(), simple(), nil)
	m, k := wk.work(f.GetJob(), event.Match)
	if m.GetJobsAhead() != 0 {
		t.Errorf("%d jobs are ahead of job 1, of which the forecast is", m.GetJobsAhead())
	}
	wk.finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Matched{Matched: &ingestv1.MatchResult{NewRows: 1, Forecast: &ingestv1.Forecast{ToSend: 1}}}})
	wk.merge(f.GetJob(), simple().ended)
	resp, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: "2"})
	if err != nil || resp.GetJob().GetState() != ingestv1.JobState_JOB_STATE_CHECKED || resp.GetJob().GetForecast().GetToSend() != 1 || resp.GetJob().GetForecast().GetCost() != nil {
		t.Errorf("forecast ended as %v, %v", resp, err)
	}
	w.gone.Store(true) // a rule's field was deleted
	if again, err := c.jobs.ForecastJob(ctx, ask); err != nil || again.GetJob().GetNumber() != 2 {
		t.Errorf("the same request again: %v, %v", again, err)
	}
	_, err = c.jobs.ForecastJob(ctx, &ingestv1.ForecastJobRequest{Job: job.GetId()})
	wanted(t, "forecast by a rule of a field that is gone", err, fault.Invalid, "unknown-field")
}

// A corrected report, handed in without a mode, goes by its job's; a worker is given what that job left.
func TestCorrectionOverTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	first := c.uploadAs("x\n", &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, List: "Spring"})
	file := mixed()
	file.fields = []string{"first_name", "phone", "ssn"}
	var left *ingestv1.ValidateResult
	wk.validate(first, file, func(v *ingestv1.ValidateResult) {
		v.HeadingsKey = make([]byte, 32)
		left = v
	})
	wk.match(first, &ingestv1.MatchResult{Shares: []*ingestv1.KeyShare{{Key: 3, Rows: 3, Known: 2}}})
	wk.merge(first, file.ended)

	fixed := c.uploadAs("y\n", nil)
	if fixed.GetSettings().GetMode() != ingestv1.Mode_MODE_UNSPECIFIED {
		t.Errorf("settings are %v", fixed.GetSettings())
	}
	_, k := wk.work(fixed, event.Validate)
	recalled, err := wk.service.RecallJob(wk.ctx(), &ingestv1.RecallJobRequest{Claim: k, Number: 1})
	if err != nil || recalled.GetJob().GetId() != first.GetId() || recalled.GetJob().GetSettings().GetList() != "Spring" {
		t.Fatalf("recalled is %v, %v", recalled, err)
	}
	if d := cmp.Diff(left, recalled.GetValidated(), protocmp.Transform()); d != "" {
		t.Errorf("what validation left (-want +got):\n%s", d)
	}
	for name, number := range map[string]int64{"unknown": 99, "itself": 2} {
		_, err = wk.service.RecallJob(wk.ctx(), &ingestv1.RecallJobRequest{Claim: k, Number: number})
		wanted(t, "recall of the job "+name, err, fault.NotFound, "unknown-job")
	}
	mapping, err := wk.service.RecallMapping(wk.ctx(), &ingestv1.RecallMappingRequest{Claim: k, HeadingsKey: append(make([]byte, 31), 1)})
	want := []*ingestv1.EarlierFile{{JobNumber: 1, Headings: file.headings, Keys: []*ingestv1.Column{left.GetColumns()[1], left.GetColumns()[2]}}}
	if d := cmp.Diff(want, mapping.GetEarlier(), protocmp.Transform()); d != "" || err != nil {
		t.Errorf("earlier files, %v (-want +got):\n%s", err, d)
	}
	wk.finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: &ingestv1.ValidateResult{Rows: 1, Corrects: first.GetId(), LikeNumber: 1}}})
	m, k := wk.work(fixed, event.Match)
	now := m.GetJob()
	if now.GetSettings().GetMode() != ingestv1.Mode_MODE_UPSERT || now.GetSettings().GetList() != "Spring" || now.GetCorrects() != first.GetId() || now.GetCorrectsNumber() != 1 {
		t.Errorf("correction goes by %v", now)
	}
	if len(m.GetUsual()) != 0 {
		t.Errorf("a part of a file is compared with %v", m.GetUsual())
	}
	wk.finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Matched{Matched: &ingestv1.MatchResult{
		Question: &ingestv1.Question{Code: "ids-unknown", Message: "Nearly all ids are unknown."}}}})
	if _, err := c.jobs.AnswerJob(t.Context(), &ingestv1.AnswerJobRequest{Job: "2", Confirm: true}); err != nil {
		t.Fatal(err)
	}
	whole := c.uploadAs("z\n", &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD, Check: true})
	wk.validate(whole, simple(), func(v *ingestv1.ValidateResult) { v.LikeNumber = 1 })
	m, _ = wk.work(whole, event.Match)
	if d := cmp.Diff([]*ingestv1.KeyShare{{Key: 3, Rows: 3, Known: 2}}, m.GetUsual(), protocmp.Transform()); d != "" {
		t.Errorf("usual shares (-want +got):\n%s", d)
	}
	if v, _ := wk.work(fixed, event.Validate); !v.GetConfirmed() || v.GetJob().GetSettings().GetMode() != ingestv1.Mode_MODE_UPSERT {
		t.Errorf("validation after the answer is told %v", v)
	}
}

// What the first job went by may be gone: then its correction cannot go by it, and says so.
func TestCorrectionByAFieldThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	first := c.uploadAs("x\n", &ingestv1.ImportSettings{
		Mode: ingestv1.Mode_MODE_ADD, Policies: &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"glove_size": accountsv1.FieldRule_FIELD_RULE_NEVER}}})
	wk.complete(first, simple())
	w.gone.Store(true)
	fixed := c.uploadAs("y\n", nil)
	_, k := wk.work(fixed, event.Validate)
	wk.finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: &ingestv1.ValidateResult{Rows: 1, Corrects: first.GetId()}}})
	resp, err := c.jobs.GetJob(t.Context(), &ingestv1.GetJobRequest{Job: "2"})
	if err != nil || resp.GetJob().GetState() != ingestv1.JobState_JOB_STATE_REJECTED || resp.GetJob().GetProblem().GetCode() != "unknown-field" {
		t.Errorf("correction is %v, %v", resp, err)
	}
}
