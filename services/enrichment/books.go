package enrichment

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry"
)

// books implements the contract's LedgerService.
type books struct {
	enrichmentv1.UnimplementedLedgerServiceServer
	desk *inquiry.Desk
}

func (b *books) SumBatches(ctx context.Context, req *enrichmentv1.SumBatchesRequest) (*enrichmentv1.SumBatchesResponse, error) {
	account, filter, err := asked(ctx, req.GetFilter())
	if err != nil {
		return nil, err
	}
	sums, err := b.desk.Sums(ctx, account, filter)
	if err != nil {
		return nil, err
	}
	r := &enrichmentv1.SumBatchesResponse{}
	for _, s := range sums {
		r.Sums = append(r.Sums, &enrichmentv1.BatchSum{Month: s.Month, Provider: s.Provider, Currency: s.Currency, Batches: s.Batches,
			Open: s.Open, Failed: s.Failed, Subjects: s.Subjects, Known: s.Known, CostMicros: s.Micros})
	}
	return r, nil
}

func (b *books) ListBatches(req *enrichmentv1.ListBatchesRequest, stream grpc.ServerStreamingServer[enrichmentv1.ListBatchesResponse]) error {
	account, filter, err := asked(stream.Context(), req.GetFilter())
	if err != nil {
		return err
	}
	return b.desk.Batches(stream.Context(), account, filter, func(one *inquiry.Batch) error {
		return stream.Send(&enrichmentv1.ListBatchesResponse{Batch: fromBatch(one)})
	})
}

func fromBatch(b *inquiry.Batch) *enrichmentv1.Batch {
	r := &enrichmentv1.Batch{BatchId: b.ID, Provider: b.Provider, JobId: b.Job.String(), State: enrichmentv1.BatchState_BATCH_STATE_OPEN, SentAt: timestamppb.New(b.Sent),
		Subjects: b.Subjects, Known: b.Known, CostMicros: b.Micros, Currency: b.Currency, Failed: b.Failed}
	switch {
	case b.Answered != nil:
		r.State, r.AnsweredAt = enrichmentv1.BatchState_BATCH_STATE_ANSWERED, timestamppb.New(*b.Answered)
	case b.Failed != "":
		r.State = enrichmentv1.BatchState_BATCH_STATE_FAILED
	}
	return r
}

// asked is whose batches are wanted, and which.
func asked(ctx context.Context, f *enrichmentv1.BatchFilter) (account uuid.UUID, filter inquiry.Filter, err error) {
	if account, err = rpc.AccountOf(ctx); err != nil {
		return account, filter, err
	}
	if id := f.GetJobId(); id != "" {
		job, err := uuid.Parse(id)
		if err != nil {
			return account, filter, fault.New(fault.Invalid, "bad-id", "the job id is not a UUID")
		}
		filter.Job = &job
	}
	if name := f.GetProvider(); name != "" {
		filter.Provider = &name
	}
	if t := f.GetSentSince(); t != nil {
		if err := t.CheckValid(); err != nil {
			return account, filter, fault.Wrap(fault.Invalid, "bad-time", err, "sent_since is no time")
		}
		since := t.AsTime()
		filter.Since = &since
	}
	if t := f.GetSentBefore(); t != nil {
		if err := t.CheckValid(); err != nil {
			return account, filter, fault.Wrap(fault.Invalid, "bad-time", err, "sent_before is no time")
		}
		before := t.AsTime()
		filter.Before = &before
	}
	return account, filter, nil
}
