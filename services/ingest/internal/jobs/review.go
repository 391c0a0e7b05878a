package jobs

import (
	"context"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

// ForecastJob implements the contract.
func (s *Service) ForecastJob(ctx context.Context, req *ingestv1.ForecastJobRequest) (*ingestv1.ForecastJobResponse, error) {
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
	if err := s.stillKnown(ctx, of, again); err != nil {
		return nil, err
	}
	job, _, err := s.ledger.Forecast(ctx, caller.Account, ref, again)
	if err != nil {
		return nil, err
	}
	return &ingestv1.ForecastJobResponse{Job: view.Job(job)}, nil
}

// stillKnown refuses to take a job up again whose policies speak of fields or keys that the account has no more; not one that
// was taken up by this request when it still had them.
func (s *Service) stillKnown(ctx context.Context, of ledger.Job, again ledger.Resubmission) error {
	err := view.KnownPolicies(again.Account.Fields, of.Settings.Policies)
	if err == nil {
		return nil
	}
	if _, none := s.ledger.JobByRequest(ctx, of.Account, again.RequestID); none == nil {
		return nil
	}
	return err
}

// ApproveJob implements the contract.
func (s *Service) ApproveJob(ctx context.Context, req *ingestv1.ApproveJobRequest) (*ingestv1.ApproveJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	job, err := s.ledger.Approve(ctx, caller.Account, ref, caller.KeyID.String())
	if err != nil {
		return nil, err
	}
	return &ingestv1.ApproveJobResponse{Job: view.Job(job)}, nil
}

// RejectJob implements the contract.
func (s *Service) RejectJob(ctx context.Context, req *ingestv1.RejectJobRequest) (*ingestv1.RejectJobResponse, error) {
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	job, err := s.ledger.Reject(ctx, caller.Account, ref, req.GetReason())
	if err != nil {
		return nil, err
	}
	return &ingestv1.RejectJobResponse{Job: view.Job(job)}, nil
}
