// Package provider is the bundled source of enrichment: what can be known of a phone number by its prefix and of an email
// address by its domain, offline and free of charge.
//
//	In        gRPC: the published provider contract
//	Out       nothing
//	Owns      nothing: its tables are part of the program
//	Promises  the same question has the same answer; no question costs anything, so no batch is remembered; nothing that is
//	          asked is kept, but for beginnings of phone numbers in memory
package provider

import (
	"context"
	"errors"
	"hash/crc32"
	"io"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/provider/internal/tables"
)

const (
	// Name of the bundled provider, in ledgers.
	Name = "bundled"

	// maxSubjects is what the contract allows in a batch, maxBatchID in its id.
	maxSubjects = 10_000
	maxBatchID  = 128
)

// castagnoli is the polynomial of the checks.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Service answers batches.
type Service struct {
	providerv1.UnimplementedProviderServiceServer
	tables *tables.Tables
}

// New loads the tables.
func New() *Service { return &Service{tables: tables.New()} }

// Register adds the service to a server.
func (s *Service) Register(reg grpc.ServiceRegistrar) {
	providerv1.RegisterProviderServiceServer(reg, s)
}

// Run waits until ctx ends: the service has no work of its own.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Describe tells what the provider knows: everything for nothing.
func (s *Service) Describe(context.Context, *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	return &providerv1.DescribeResponse{Name: Name, MaxBatch: maxSubjects, PhoneFacts: tables.PhoneFacts, EmailFacts: tables.EmailFacts}, nil
}

// Enrich answers each batch as it comes.
func (s *Service) Enrich(stream grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]) error {
	for {
		q, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if q.BatchId == "" {
			return fault.New(fault.Invalid, "no-batch-id", "a batch has no id").Hint("give each batch an id and use it again when the batch is sent again")
		}
		if !printable(q.BatchId) {
			return fault.New(fault.Invalid, "bad-batch-id", "the id of a batch is not 1 to %d printable ASCII characters", maxBatchID)
		}
		if n := len(q.Subjects); n > maxSubjects {
			return fault.New(fault.Invalid, "batch-too-large", "a batch has %d subjects, %d are allowed", n, maxSubjects)
		}
		if err := stream.Send(s.answer(q)); err != nil {
			return err
		}
	}
}

func (s *Service) answer(q *providerv1.EnrichRequest) *providerv1.EnrichResponse {
	n := len(q.Subjects)
	a := &providerv1.EnrichResponse{BatchId: q.BatchId, PhoneFacts: make([]uint32, n), EmailFacts: make([]uint32, n), SubjectChecks: make([]uint32, n)}
	sets := map[*tables.Fact]uint32{} // by the first fact: the tables hand out the same slice for the same prefix
	set := func(facts []tables.Fact) uint32 {
		if len(facts) == 0 {
			return 0
		}
		n, ok := sets[&facts[0]]
		if !ok {
			m := &providerv1.FactSet{Facts: make([]*providerv1.Fact, len(facts))}
			for i, f := range facts {
				m.Facts[i] = &providerv1.Fact{Name: f.Name, Value: f.Value}
			}
			a.FactSets = append(a.FactSets, m)
			n = uint32(len(a.FactSets))
			sets[&facts[0]] = n
		}
		return n
	}
	var record []byte
	for i, subject := range q.Subjects {
		record = append(append(append(record[:0], subject.Phone...), 0), subject.Email...)
		a.SubjectChecks[i] = crc32.Checksum(record, castagnoli)
		a.PhoneFacts[i] = set(s.tables.Phone(subject.Phone))
		a.EmailFacts[i] = set(s.tables.Email(subject.Email))
	}
	return a
}

func printable(id string) bool {
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return len(id) <= maxBatchID
}
