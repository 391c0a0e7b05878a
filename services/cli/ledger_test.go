package cli_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/fault"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func (s *server) SumBatches(_ context.Context, r *enrichmentv1.SumBatchesRequest) (*enrichmentv1.SumBatchesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = proto.CloneOf(r)
	return &enrichmentv1.SumBatchesResponse{Sums: s.sums}, s.cannot
}

func (s *server) ListBatches(r *enrichmentv1.ListBatchesRequest, stream grpc.ServerStreamingServer[enrichmentv1.ListBatchesResponse]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = proto.CloneOf(r)
	for _, b := range s.batches {
		if err := stream.Send(&enrichmentv1.ListBatchesResponse{Batch: b}); err != nil {
			return err
		}
	}
	return s.cannot
}

func TestTheBooksAreTold(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const job = "01900000-0000-7000-8000-000000000007"
	s.jobs["7"] = &ingestv1.Job{Id: job, Number: 7}
	s.jobs[job] = s.jobs["7"]
	s.sums = []*enrichmentv1.BatchSum{
		{Month: "2026-03", Provider: "acme", Currency: "EUR", Batches: 1_204, Open: 1, Failed: 2, Subjects: 6_000_000, Known: 5_100_000, CostMicros: 6_000_000_000},
		{Month: "2026-02", Provider: "bundled", Batches: 1, Subjects: 5, Known: 4},
	}
	at := timestamppb.New(time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local))
	s.batches = []*enrichmentv1.Batch{
		{BatchId: strings.Repeat("a", 32), Provider: "acme", JobId: job, State: enrichmentv1.BatchState_BATCH_STATE_ANSWERED, SentAt: at, AnsweredAt: at, Subjects: 5_000, Known: 4_200, CostMicros: 5_000_000, Currency: "EUR"},
		{BatchId: strings.Repeat("b", 32), Provider: "acme", JobId: "01900000-0000-7000-8000-000000000008", State: enrichmentv1.BatchState_BATCH_STATE_FAILED, SentAt: at, Subjects: 10, Currency: "EUR", Failed: "provider-forgot"},
		{BatchId: strings.Repeat("c", 32), Provider: "acme", JobId: job, State: enrichmentv1.BatchState_BATCH_STATE_OPEN, SentAt: at, Subjects: 10, Currency: "EUR"},
	}
	told := strings.Builder{}
	for _, args := range [][]string{{"costs"}, {"batches"}, {"costs", "-o", "json"}, {"batches", "-o", "jsonl", "--job", "7"}} {
		r := s.run(t, "", append([]string{"provider"}, args...)...)
		if r.code != 0 || r.err != "" {
			t.Fatalf("%v: exit %d, %s", args, r.code, r.err)
		}
		told.WriteString("$ contactmill provider " + strings.Join(args, " ") + "\n" + strings.ReplaceAll(r.out, at.AsTime().Format(time.RFC3339), "2026-03-01T12:00:00Z"))
	}
	golden(t, "books.txt", told.String())

	r := s.run(t, "", "provider", "costs", "--job", "7", "--provider", "acme", "--since", "2026-03-01T00:00:00Z", "--until", "2026-04-01T00:00:00Z")
	want := &enrichmentv1.SumBatchesRequest{Filter: &enrichmentv1.BatchFilter{JobId: job, Provider: "acme", SentSince: timestamppb.New(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)),
		SentBefore: timestamppb.New(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))}}
	if diff := cmp.Diff(proto.Message(want), s.asked, protocmp.Transform()); diff != "" || r.code != 0 {
		t.Errorf("exit %d, asked (-want +got):\n%s", r.code, diff)
	}
	s.cannot = fault.New(fault.Unimplemented, "", "unknown service contactmill.enrichment.v1.LedgerService")
	for _, command := range []string{"costs", "batches"} {
		if r := s.run(t, "", "provider", command); r.code != 1 || !strings.Contains(r.err, "CONTACTMILL_ENRICHMENT_ADDR") {
			t.Errorf("%s of a server that keeps no books: exit %d, %s", command, r.code, r.err)
		}
	}
	for args, code := range map[string]int{"--since yesterday": 2, "--until soon": 2, "--job 9": 4, "more": 2} {
		for _, command := range []string{"costs", "batches"} {
			if r := s.run(t, "", append([]string{"provider", command}, strings.Fields(args)...)...); r.code != code || r.err == "" {
				t.Errorf("%s %s: exit %d, want %d: %s", command, args, r.code, code, r.err)
			}
		}
	}
}
