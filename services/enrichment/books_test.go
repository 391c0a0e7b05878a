package enrichment

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry"
)

const adminKey, submitterKey = "cm_admin", "cm_submitter"

// holders are those of an account's two keys.
type holders struct{ account uuid.UUID }

func (h holders) Authenticate(_ context.Context, key string) (rpc.Caller, error) {
	if key == adminKey {
		return rpc.Caller{Account: h.account, Role: rpc.Admin}, nil
	}
	return rpc.Caller{Account: h.account, Role: rpc.Submitter}, nil
}

// ledger is the world's LedgerService as the holder of a key of an account has it.
func (w *world) ledger(t *testing.T, account uuid.UUID, key config.Secret) enrichmentv1.LedgerServiceClient {
	t.Helper()
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", Auth: holders{account}, Telemetry: telemetry.New("enrichment", "", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	w.Register(server.Registrar())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	conn, err := rpc.Dial(server.Addr(), rpc.DialOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return enrichmentv1.NewLedgerServiceClient(conn)
}

// listed are all batches that a filter chooses, or why there are none.
func listed(ctx context.Context, c enrichmentv1.LedgerServiceClient, f *enrichmentv1.BatchFilter) (all []*enrichmentv1.Batch, err error) {
	stream, err := c.ListBatches(ctx, &enrichmentv1.ListBatchesRequest{Filter: f})
	for err == nil {
		var r *enrichmentv1.ListBatchesResponse
		if r, err = stream.Recv(); err == nil {
			all = append(all, r.Batch)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

// An admin sees what the account was charged, another account's admin nothing, and a submitter is refused.
func TestWhoSeesTheBooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := uuid.Must(uuid.NewV7())
	q := w.desk.Begin(inquiry.Order{Account: w.account, Job: job, Say: func(int64, []byte, []byte) error { return nil }})
	defer q.Close()
	if err := q.Add(t.Context(), 0, []byte("+12025550143"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := q.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, charged := w.asked.Charged()

	admin := w.ledger(t, w.account, adminKey)
	for name, f := range map[string]*enrichmentv1.BatchFilter{
		"all": nil, "of the job": {JobId: job.String(), Provider: "test", SentSince: &timestamppb.Timestamp{Seconds: 1}, SentBefore: &timestamppb.Timestamp{Seconds: 1 << 36}},
	} {
		all, err := listed(t.Context(), admin, f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(all) != 1 || all[0].JobId != job.String() || all[0].State != enrichmentv1.BatchState_BATCH_STATE_ANSWERED || all[0].CostMicros != charged || all[0].Currency != "EUR" {
			t.Errorf("%s: listed are %v", name, all)
		}
		r, err := admin.SumBatches(t.Context(), &enrichmentv1.SumBatchesRequest{Filter: f})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(r.Sums) != 1 || r.Sums[0].CostMicros != charged || r.Sums[0].Known != 1 || r.Sums[0].Batches != 1 {
			t.Errorf("%s: the sums are %v", name, r.Sums)
		}
	}
	for name, f := range map[string]*enrichmentv1.BatchFilter{
		"a number for an id": {JobId: "1"}, "no time": {SentSince: &timestamppb.Timestamp{Nanos: -1}}, "no time before": {SentBefore: &timestamppb.Timestamp{Nanos: -1}},
	} {
		if _, err := listed(t.Context(), admin, f); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := listed(t.Context(), w.ledger(t, uuid.New(), adminKey), nil); err != nil || len(all) > 0 {
		t.Errorf("another account is listed %v, %v", all, err)
	}
	if _, err := listed(t.Context(), w.ledger(t, w.account, submitterKey), nil); !errors.Is(err, fault.Denied) {
		t.Errorf("a submitter: %v", err)
	}
}
