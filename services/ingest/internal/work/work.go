// Package work is the edge at which workers claim the stages of jobs and hand in what they did: the contract's
// WorkService on top of the ledger. It decides nothing.
package work

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

// Announcer takes progress for watchers, without any promise: *bus.Bus.
type Announcer interface {
	Progress(context.Context, event.Progress) error
}

// Service implements the contract's WorkService.
type Service struct {
	ingestv1.UnimplementedWorkServiceServer
	ledger *ledger.Ledger
	to     Announcer
	log    *slog.Logger
}

// New returns the service over a ledger; progress goes to an announcer.
func New(l *ledger.Ledger, to Announcer, log *slog.Logger) *Service {
	return &Service{ledger: l, to: to, log: log}
}

// StartInstance implements the contract.
func (s *Service) StartInstance(ctx context.Context, req *ingestv1.StartInstanceRequest) (*ingestv1.StartInstanceResponse, error) {
	life, err := fromLife(req.GetInstance(), req.GetIncarnation())
	if err != nil {
		return nil, err
	}
	ended, err := s.ledger.StartInstance(ctx, life)
	if err != nil {
		return nil, err
	}
	if ended > 0 {
		s.log.Info("leases of earlier life ended", "instance", life.Instance, "leases", ended)
	}
	return &ingestv1.StartInstanceResponse{Ended: int32(ended)}, nil
}

// Claim implements the contract.
func (s *Service) Claim(ctx context.Context, req *ingestv1.ClaimRequest) (*ingestv1.ClaimResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	job, err := fromJobID(req.GetJobId())
	if err != nil {
		return nil, err
	}
	stage, err := fromStage(req.GetStage())
	if err != nil {
		return nil, err
	}
	life, err := fromLife(req.GetInstance(), req.GetIncarnation())
	if err != nil {
		return nil, err
	}
	g, err := s.ledger.Claim(ctx, account, job, stage, life)
	if err != nil {
		return nil, err
	}
	if !g.Granted {
		return &ingestv1.ClaimResponse{Reason: g.Reason}, nil
	}
	work, err := toWork(g.Work)
	if err != nil {
		return nil, err
	}
	return &ingestv1.ClaimResponse{Granted: true, Token: g.Token, Lease: durationpb.New(g.Lease), Work: work}, nil
}

// Renew implements the contract.
func (s *Service) Renew(ctx context.Context, req *ingestv1.RenewRequest) (*ingestv1.RenewResponse, error) {
	account, claim, err := holder(ctx, req.GetClaim())
	if err != nil {
		return nil, err
	}
	r, err := s.ledger.Renew(ctx, account, claim, req.GetDone(), req.GetTotal())
	if err != nil {
		return nil, err
	}
	p := r.Progress
	err = s.to.Progress(ctx, event.Progress{
		Account: account, Job: claim.Job, JobNumber: r.JobNumber, Stage: p.Stage, Done: p.Done, Total: p.Total, RatePerSecond: p.Rate,
		SecondsLeft: p.SecondsLeft, At: p.At,
	})
	if err != nil { // the lease is what counts; the next renewal tells more
		s.log.Debug("progress not announced", "account", account, "job", claim.Job, "error", err)
	}
	return &ingestv1.RenewResponse{Lease: durationpb.New(r.Lease)}, nil
}

// Finish implements the contract.
func (s *Service) Finish(ctx context.Context, req *ingestv1.FinishRequest) (*ingestv1.FinishResponse, error) {
	account, claim, err := holder(ctx, req.GetClaim())
	if err != nil {
		return nil, err
	}
	result, err := fromResult(account, claim, req)
	if err != nil {
		return nil, err
	}
	if result.Corrects != uuid.Nil && result.Rejected == nil {
		if result.Rejected, err = s.outdated(ctx, account, claim, result.Corrects); err != nil {
			return nil, err
		}
	}
	next, err := s.ledger.Finish(ctx, account, claim, result)
	if err != nil {
		return nil, err
	}
	return &ingestv1.FinishResponse{NextStage: string(next)}, nil
}

// outdated is why a correction cannot go by the policies of the job that it corrects: these speak of fields or keys that the
// account has no more. Nil where it can.
func (s *Service) outdated(ctx context.Context, account uuid.UUID, k ledger.Claim, first uuid.UUID) (*ledger.Problem, error) {
	of, err := s.ledger.Job(ctx, account, ledger.Ref{ID: first})
	if err != nil {
		return nil, err
	}
	job, err := s.ledger.Job(ctx, account, ledger.Ref{ID: k.Job})
	if err != nil {
		return nil, err
	}
	frozen, err := s.ledger.Fields(ctx, job)
	if err != nil {
		return nil, err
	}
	for _, p := range []ledger.Policies{of.Policies, of.Settings.Policies} {
		if err := view.KnownPolicies(frozen, p); err != nil {
			return &ledger.Problem{
				Code: fault.Code(err), Message: fmt.Sprintf("The policies of job %d, which the file corrects, hold no more: %v.", of.Number, err),
				Hint: "remove the columns line, outcome, reason, contact_id and job, and hand the file in as an ordinary one",
			}, nil
		}
	}
	return nil, nil
}

// Release implements the contract.
func (s *Service) Release(ctx context.Context, req *ingestv1.ReleaseRequest) (*ingestv1.ReleaseResponse, error) {
	account, claim, err := holder(ctx, req.GetClaim())
	if err != nil {
		return nil, err
	}
	reason, ok := map[ingestv1.ReleaseReason]ledger.Reason{
		ingestv1.ReleaseReason_RELEASE_REASON_DRAIN:       ledger.Drain,
		ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE: ledger.Unavailable,
		ingestv1.ReleaseReason_RELEASE_REASON_FAULT:       ledger.Fault,
	}[req.GetReason()]
	if !ok {
		return nil, fault.New(fault.Invalid, "unknown-reason", "the reason to give the stage back is missing or unknown")
	}
	after := req.GetRetryAfter()
	if after != nil && after.CheckValid() != nil {
		return nil, fault.New(fault.Invalid, "bad-duration", "retry_after is out of range")
	}
	parked, err := s.ledger.Release(ctx, account, claim, ledger.Return{
		Reason: reason, Code: text(req.GetCode()), Message: text(req.GetMessage()), RetryAfter: max(0, min(after.AsDuration(), time.Hour)),
	})
	if err != nil {
		return nil, err
	}
	return &ingestv1.ReleaseResponse{Parked: parked}, nil
}

// RecallMapping implements the contract.
func (s *Service) RecallMapping(ctx context.Context, req *ingestv1.RecallMappingRequest) (*ingestv1.RecallMappingResponse, error) {
	account, claim, err := holder(ctx, req.GetClaim())
	if err != nil {
		return nil, err
	}
	if err := view.CheckHeadingsKey(req.GetHeadingsKey()); err != nil {
		return nil, err
	}
	r, err := s.ledger.Recall(ctx, account, claim, req.GetHeadingsKey())
	if err != nil {
		return nil, err
	}
	earlier, err := toEarlier(r.Earlier, r.Fields)
	if err != nil {
		return nil, err
	}
	return &ingestv1.RecallMappingResponse{Mapping: r.Mapping, DateOrder: view.DateOrder(r.DateOrder), Values: view.Values(r.Values), Earlier: earlier}, nil
}

// RecallJob implements the contract.
func (s *Service) RecallJob(ctx context.Context, req *ingestv1.RecallJobRequest) (*ingestv1.RecallJobResponse, error) {
	account, claim, err := holder(ctx, req.GetClaim())
	if err != nil {
		return nil, err
	}
	if req.GetNumber() <= 0 {
		return nil, fault.New(fault.Invalid, "job-missing", "no job is named")
	}
	job, validated, err := s.ledger.RecallJob(ctx, account, claim, req.GetNumber())
	if err != nil {
		return nil, err
	}
	left, err := decoded(validated, &ingestv1.ValidateResult{})
	if err != nil {
		return nil, fmt.Errorf("decode result of validate of job %s: %w", job.ID, err)
	}
	return &ingestv1.RecallJobResponse{Job: view.Job(job), Validated: left}, nil
}

// LeaveToCommit implements the contract.
func (s *Service) LeaveToCommit(ctx context.Context, req *ingestv1.LeaveToCommitRequest) (*ingestv1.LeaveToCommitResponse, error) {
	account, claim, err := holder(ctx, req.GetClaim())
	if err != nil {
		return nil, err
	}
	if err := s.ledger.LeaveToCommit(ctx, account, claim); err != nil {
		return nil, err
	}
	return &ingestv1.LeaveToCommitResponse{}, nil
}

// holder reads who calls and what it claims to hold.
func holder(ctx context.Context, c *ingestv1.Claimant) (uuid.UUID, ledger.Claim, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return uuid.Nil, ledger.Claim{}, err
	}
	claim, err := fromClaimant(c)
	return account, claim, err
}
