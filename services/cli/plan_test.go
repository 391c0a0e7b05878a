package cli_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// The part of the server by hand that plans.

func (s *server) ForecastJob(_ context.Context, r *ingestv1.ForecastJobRequest) (*ingestv1.ForecastJobResponse, error) {
	s.asked = r
	return &ingestv1.ForecastJobResponse{Job: s.jobs["7"]}, nil
}

func (s *server) ApproveJob(_ context.Context, r *ingestv1.ApproveJobRequest) (*ingestv1.ApproveJobResponse, error) {
	s.asked = r
	if j := s.jobs[r.Job]; j != nil {
		return &ingestv1.ApproveJobResponse{Job: j}, nil
	}
	return nil, fault.New(fault.Precondition, "no-plan", "job %s has no plan that awaits approval", r.Job)
}

func (s *server) RejectJob(_ context.Context, r *ingestv1.RejectJobRequest) (*ingestv1.RejectJobResponse, error) {
	s.asked = r
	return &ingestv1.RejectJobResponse{Job: s.jobs[r.Job]}, nil
}

// planned is job 7, whose plan waits: it would ask a provider that costs something.
func planned() *ingestv1.Job {
	j := job("7", ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL, nil)
	j.Settings.Review = true
	j.Plan = &ingestv1.Counts{Rows: 1260, Added: 1252, Updated: 7, Invalid: 1}
	j.Forecast = &ingestv1.Forecast{ToSend: 1240, KnownAlready: 12, Cost: &ingestv1.Cost{Micros: 12_400_000, Currency: "EUR"}, JobsAhead: 2, Provider: "acme"}
	return j
}

// spent is a job that was approved, with all that is to be said of one by then.
func spent() *ingestv1.Job {
	j := planned()
	j.State, j.EndedAt = ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, job("7", ingestv1.JobState_JOB_STATE_COMPLETED, nil).EndedAt
	j.StartedAt = timestamppb.New(j.EndedAt.AsTime().Add(-400 * time.Millisecond)) // when its turn came, long after it was handed in
	j.ApprovedBy = "0198a2c4-0000-7000-8000-000000000001"
	j.Counts = &ingestv1.Counts{Rows: 1260, Added: 1252, Updated: 6, Invalid: 1, Held: 1, SentToProvider: 1200, KnownToProvider: 1100, EnrichedLater: 40}
	j.Cost = &ingestv1.Cost{Micros: 1_200_500, Currency: "EUR"}
	j.ProviderDown = accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE
	j.Corrects, j.CorrectsNumber = "job-3", 3
	j.BadCell, j.Settings.BadCell = accountsv1.BadCell_BAD_CELL_REJECT_ROW, accountsv1.BadCell_BAD_CELL_REJECT_ROW // as job 3 was asked
	return j
}

func TestPlansAreToldAndDecided(t *testing.T) {
	t.Parallel()
	forecast := job("7", ingestv1.JobState_JOB_STATE_CHECKED, &ingestv1.Counts{Rows: 3, Added: 2, Unmatched: 1})
	forecast.ForecastOf, forecast.ForecastOfNumber = "job-3", 3
	forecast.Forecast = &ingestv1.Forecast{ToSend: 1, Provider: "bundled", Cost: &ingestv1.Cost{}, JobsAhead: 1}
	free := proto.Clone(forecast).(*ingestv1.Job)
	free.Forecast = &ingestv1.Forecast{}
	refused := job("7", ingestv1.JobState_JOB_STATE_REJECTED, nil)
	refused.Plan, refused.Problem = planned().Plan, &ingestv1.Problem{Code: "plan-rejected", Message: "too many new ones"}
	const plan = "  provider acme: 1,240 to be sent, 12.40 EUR; 12 known already\n  2 jobs go before it: what they do is not foreseen\n" +
		"  contactmill jobs report 7 --plan\n  contactmill jobs approve 7\n  contactmill jobs reject 7\n"
	const done = "  corrects job 3\n  plan: 1,252 added · 7 updated · 1 invalid (approved by key 0198a2c4-0000-7000-8000-000000000001)\n" +
		"  cost: 1.2005 EUR\n  40 rows left to be enriched later: the provider did not answer\n" +
		"  contactmill jobs report 7 --outcome invalid\n  contactmill jobs report 7 --outcome held\n"
	for _, c := range []struct {
		args string
		job  *ingestv1.Job
		want proto.Message
		out  string
		code int
	}{
		{"jobs forecast 3 --request-id r1", forecast, &ingestv1.ForecastJobRequest{Job: "3", RequestId: "r1"},
			"job 7  forecast of job 3  3 rows  ████████████ 100 %  would be: 2 added · 1 unmatched   2.5 s\n" +
				"  provider bundled: 1 to be sent\n  1 job goes before it: what that does is not foreseen\n  contactmill jobs report 7 --outcome unmatched\n", 3},
		{"jobs forecast 3", free, &ingestv1.ForecastJobRequest{Job: "3"},
			"job 7  forecast of job 3  3 rows  ████████████ 100 %  would be: 2 added · 1 unmatched   2.5 s\n  contactmill jobs report 7 --outcome unmatched\n", 3},
		{"jobs forecast 3 --wait=false", job("7", ingestv1.JobState_JOB_STATE_QUEUED, nil), &ingestv1.ForecastJobRequest{Job: "3"}, "job 7  leads.csv  QUEUED\n", 0},
		{"jobs watch 7", planned(), nil, "job 7  leads.csv  AWAITING_APPROVAL  would be: 1,252 added · 7 updated · 1 invalid\n" + plan, 5},
		{"jobs approve 7", job("7", ingestv1.JobState_JOB_STATE_READY, nil), &ingestv1.ApproveJobRequest{Job: "7"}, "job 7  leads.csv  READY\n", 0},
		{"jobs approve 7 --wait", spent(), &ingestv1.ApproveJobRequest{Job: "7"},
			"job 7  leads.csv  1,260 rows  ████████████ 100 %  1,252 added · 6 updated · 1 invalid · 1 held   0.4 s\n" + done, 3},
		{"jobs get 7", spent(), nil, "job 7  leads.csv  COMPLETED_WITH_REJECTS  1,252 added · 6 updated · 1 invalid · 1 held\n  policies: provider down complete\n" + done, 0},
		{"jobs reject 7 --reason dear", refused, &ingestv1.RejectJobRequest{Job: "7", Reason: "dear"},
			"job 7  leads.csv  REJECTED\n  plan-rejected: too many new ones\n  plan: 1,252 added · 7 updated · 1 invalid (not approved)\n", 0},
	} {
		s := newServer(t)
		s.put(c.job)
		r := s.run(t, "", strings.Fields(c.args)...)
		if d := cmp.Diff(c.want, s.asked, protocmp.Transform()); d != "" {
			t.Errorf("%s: asked for (-want +got):\n%s", c.args, d)
		}
		if d := cmp.Diff(result{c.code, c.out, ""}, r, cmp.AllowUnexported(result{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.args, d)
		}
	}
}

func TestAPlanIsDownloaded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for args, want := range map[string]string{
		"jobs report 1 --plan": "plan of OUTCOME_UNSPECIFIED\r\n", "jobs report 1 --plan --outcome added": "plan of OUTCOME_ADDED\r\n",
	} {
		if r := s.run(t, "", strings.Fields(args)...); r.code != 0 || r.out != want {
			t.Errorf("%s: %+v, want %q", args, r, want)
		}
	}
}

func TestWhatAJobDoesWithoutItsProviderIsSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	name, _ := fileOf(t, 64)
	if r := s.run(t, "", "import", name, "--mode", "add", "--review", "--provider-down", "complete"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if got := s.header.Settings; !got.Review || got.ProviderDown != accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE {
		t.Errorf("handed in with %v", got)
	}
	r := s.run(t, "", "accounts", "set", "--provider-down", "wait", "--provider-days", "30")
	want := &accountsv1.UpdateAccountRequest{ProviderDown: accountsv1.ProviderDown_PROVIDER_DOWN_WAIT.Enum(), ProviderDays: proto.Int32(30)}
	if d := cmp.Diff(want, s.set, protocmp.Transform()); d != "" || r.code != 0 {
		t.Errorf("%+v; change (-want +got):\n%s", r, d)
	}
}
