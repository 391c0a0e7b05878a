// Package jobs follows and steers jobs: the JobsService, and the EventsService with the hub behind it. It is an edge: the
// ledger decides, this package reads requests, names jobs and writes answers. A job that is unknown and one that is
// somebody else's answer alike.
package jobs

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/account"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

// Service is the JobsService.
type Service struct {
	ingestv1.UnimplementedJobsServiceServer

	ledger   *ledger.Ledger
	store    *blob.Store
	accounts *account.Source
	pages    pages
	log      *slog.Logger
}

// New returns the service. secret is what page tokens are signed by; replicas share it.
func New(l *ledger.Ledger, store *blob.Store, accounts *account.Source, secret []byte, log *slog.Logger) *Service {
	return &Service{ledger: l, store: store, accounts: accounts, pages: newPages(secret), log: log}
}

// ListJobs implements the contract.
func (s *Service) ListJobs(ctx context.Context, req *ingestv1.ListJobsRequest) (*ingestv1.ListJobsResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	states, err := fromStates(req.GetStates())
	if err != nil {
		return nil, err
	}
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	before, err := s.pages.read(req.GetPageToken(), account, states)
	if err != nil {
		return nil, err
	}
	jobs, err := s.ledger.Jobs(ctx, account, ledger.Page{Before: before, Size: size, States: states})
	if err != nil {
		return nil, err
	}
	resp := &ingestv1.ListJobsResponse{Jobs: make([]*ingestv1.Job, len(jobs))}
	for i, j := range jobs {
		resp.Jobs[i] = view.Job(j)
	}
	if len(jobs) == size {
		resp.NextPageToken = s.pages.write(jobs[size-1].Number, account, states)
	}
	return resp, nil
}

// GetJob implements the contract.
func (s *Service) GetJob(ctx context.Context, req *ingestv1.GetJobRequest) (*ingestv1.GetJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	job, err := s.ledger.Job(ctx, caller.Account, ref)
	if err != nil {
		return nil, err
	}
	return &ingestv1.GetJobResponse{Job: view.Job(job)}, nil
}

// CancelJob implements the contract.
func (s *Service) CancelJob(ctx context.Context, req *ingestv1.CancelJobRequest) (*ingestv1.CancelJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	job, err := s.ledger.Cancel(ctx, caller.Account, ref)
	if err != nil {
		return nil, err
	}
	return &ingestv1.CancelJobResponse{Job: view.Job(job)}, nil
}

// RetryJob implements the contract.
func (s *Service) RetryJob(ctx context.Context, req *ingestv1.RetryJobRequest) (*ingestv1.RetryJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	again, err := s.resubmission(ctx, caller, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	of, err := s.ledger.Job(ctx, caller.Account, ref)
	if err != nil {
		return nil, err
	}
	if of.Kind == ledger.Undo && caller.Role == rpc.Submitter { // who may not undo may not do so by the back door
		return nil, fault.New(fault.Denied, "not-permitted", "job %d takes back another job, which the role %s may not", of.Number, caller.Role)
	}
	if err := s.stillKnown(ctx, of, again); err != nil { // the fields are today's
		return nil, err
	}
	job, _, err := s.ledger.Retry(ctx, caller.Account, ref, again)
	if err != nil {
		return nil, err
	}
	return &ingestv1.RetryJobResponse{Job: view.Job(job)}, nil
}

// UndoJob implements the contract.
func (s *Service) UndoJob(ctx context.Context, req *ingestv1.UndoJobRequest) (*ingestv1.UndoJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	again, err := s.resubmission(ctx, caller, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	job, _, err := s.ledger.Undo(ctx, caller.Account, ref, req.GetPreview(), again)
	if err != nil {
		return nil, err
	}
	return &ingestv1.UndoJobResponse{Job: view.Job(job)}, nil
}

// resubmission is who asks for a job without a file of its own, and what the account has settled by now.
func (s *Service) resubmission(ctx context.Context, caller rpc.Caller, requestID string) (ledger.Resubmission, error) {
	if requestID != "" {
		if _, err := view.FromRequestID(requestID); err != nil {
			return ledger.Resubmission{}, err
		}
	}
	settled, err := s.accounts.Settled(ctx, caller.Account)
	if err != nil {
		return ledger.Resubmission{}, err
	}
	return ledger.Resubmission{RequestID: requestID, Account: settled, SubmittedBy: caller.KeyID.String(), SubmitterEmail: caller.Email}, nil
}

// AnswerJob implements the contract.
func (s *Service) AnswerJob(ctx context.Context, req *ingestv1.AnswerJobRequest) (*ingestv1.AnswerJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	mapping, err := view.FromMapping(req.GetMapping())
	if err != nil {
		return nil, err
	}
	order, ok := view.FromDateOrder(req.GetDateOrder())
	if !ok {
		return nil, fault.New(fault.Invalid, "date-order-invalid", "the date order is unknown").Hint("say YMD, DMY or MDY, or nothing")
	}
	a := ledger.Answer{Mapping: mapping, DateOrder: order, Confirm: req.GetConfirm()}
	if a.Reading, err = view.FromReading(req.GetReading()); err != nil {
		return nil, err
	}
	if a.Values, err = view.FromValues(req.GetValues()); err != nil {
		return nil, err
	}
	if err := s.known(ctx, caller, ref, a); err != nil {
		return nil, err
	}
	job, err := s.ledger.Answer(ctx, caller.Account, ref, a)
	if err != nil {
		return nil, err
	}
	return &ingestv1.AnswerJobResponse{Job: view.Job(job)}, nil
}

// known refuses an answer that names a field which the job does not go by. The fields are those of its acceptance.
func (s *Service) known(ctx context.Context, caller rpc.Caller, ref ledger.Ref, a ledger.Answer) error {
	if len(a.Mapping) == 0 && len(a.Values) == 0 {
		return nil
	}
	job, err := s.ledger.Job(ctx, caller.Account, ref)
	if err != nil || job.State.Final() { // of one that has ended the ledger says so
		return err
	}
	frozen, err := s.ledger.Fields(ctx, job)
	if err != nil {
		return err
	}
	return view.KnownFields(frozen, a.Mapping, a.Values)
}

// GetMapping implements the contract.
func (s *Service) GetMapping(ctx context.Context, req *ingestv1.GetMappingRequest) (*ingestv1.GetMappingResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := view.CheckHeadingsKey(req.GetHeadingsKey()); err != nil {
		return nil, err
	}
	r, err := s.ledger.LookUp(ctx, account, req.GetHeadingsKey())
	if err != nil {
		return nil, err
	}
	return &ingestv1.GetMappingResponse{Mapping: r.Mapping, DateOrder: view.DateOrder(r.DateOrder), Values: view.Values(r.Values)}, nil
}

// named reads who asks and for which job.
func named(ctx context.Context, job string) (rpc.Caller, ledger.Ref, error) {
	if _, err := rpc.AccountOf(ctx); err != nil {
		return rpc.Caller{}, ledger.Ref{}, err
	}
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return rpc.Caller{}, ledger.Ref{}, err
	}
	if job == "" {
		return rpc.Caller{}, ledger.Ref{}, fault.New(fault.Invalid, "job-missing", "no job is named").Hint("name it by its id or number")
	}
	ref, err := ledger.ParseRef(job)
	return caller, ref, err
}

func fromStates(states []ingestv1.JobState) ([]ledger.State, error) {
	if len(states) > 2*len(ledger.States()) {
		return nil, fault.New(fault.Invalid, "too-many-states", "%d states are more than there are", len(states))
	}
	var out []ledger.State
	for _, s := range states {
		state, ok := view.FromState(s)
		if !ok {
			return nil, fault.New(fault.Invalid, "unknown-state", "state %d is unknown", s)
		}
		out = append(out, state)
	}
	return out, nil
}

type reportStream = grpc.ServerStreamingServer[ingestv1.DownloadReportResponse]
