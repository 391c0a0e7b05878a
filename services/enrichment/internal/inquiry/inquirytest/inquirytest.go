// Package inquirytest is a provider of a few lines for tests: it answers by a rule, charges each batch once, counts, and lets
// down as it is told.
package inquirytest

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// Price of a subject with a provider made by Paid, in millionths.
const Price = 1_000

// Provider answers: it knows every phone's line, and every email's domain but for those at example.net.
type Provider struct {
	providerv1.UnimplementedProviderServiceServer

	mu       sync.Mutex
	about    *providerv1.DescribeResponse
	away     error
	lapse    Lapse
	calls    int
	asked    []string // batch ids in the order they came, again and again
	batches  map[string]*providerv1.EnrichRequest
	metadata []metadata.MD
}

// Lapse sees each batch, the nth from 0, once it is charged, and its right answer before it is sent. An error of it is what the
// provider ends the stream with; io.EOF: as if all had been answered.
type Lapse func(n int, q *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error

// Free is a provider that costs nothing.
func Free() *Provider {
	return &Provider{about: &providerv1.DescribeResponse{Name: "test"}, batches: map[string]*providerv1.EnrichRequest{}}
}

// Paid is a provider that costs Price a subject.
func Paid() *Provider {
	p := Free()
	p.about = &providerv1.DescribeResponse{Name: "test", Currency: "EUR", PriceMicros: Price, Remembers: durationpb.New(30 * 24 * time.Hour)}
	return p
}

// Describes has the provider say something else of itself.
func (p *Provider) Describes(change func(*providerv1.DescribeResponse)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	about := proto.CloneOf(p.about)
	change(about)
	p.about = about
}

// Lapses has f see each batch from now on; nil: all is well again.
func (p *Provider) Lapses(f Lapse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lapse = f
}

// Away has each call fail with an error; nil: it is back.
func (p *Provider) Away(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = err
}

// Calls is how often the provider was called in any way.
func (p *Provider) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Asked is the ids of the batches in the order they came.
func (p *Provider) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Charged is what the provider charged: batches, and what they cost.
func (p *Provider) Charged() (batches int, micros int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.batches {
		micros += int64(len(q.Subjects)) * p.about.PriceMicros
	}
	return len(p.batches), micros
}

// Twice is how many phones and emails were charged in more than one batch, or more than once in one.
func (p *Provider) Twice() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, q := range p.batches {
		for _, s := range q.Subjects {
			for _, v := range [...]string{s.Phone, s.Email} {
				if v != "" && seen[v] {
					n++
				}
				seen[v] = true
			}
		}
	}
	return n
}

// Metadata is that of each call.
func (p *Provider) Metadata() []metadata.MD {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]metadata.MD(nil), p.metadata...)
}

func (p *Provider) call(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	md, _ := metadata.FromIncomingContext(ctx)
	p.metadata = append(p.metadata, md)
	return p.away
}

// Describe is part of the contract.
func (p *Provider) Describe(ctx context.Context, _ *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	if err := p.call(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.about, nil
}

// Enrich is part of the contract.
func (p *Provider) Enrich(s grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]) error {
	if err := p.call(s.Context()); err != nil {
		return err
	}
	for {
		q, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		a, n, lapse, err := p.charge(q)
		if err != nil {
			return err
		}
		if lapse != nil {
			switch err := lapse(n, q, a); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
		}
		if err := s.Send(a); err != nil {
			return err
		}
	}
}

func (p *Provider) charge(q *providerv1.EnrichRequest) (a *providerv1.EnrichResponse, n int, lapse Lapse, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n = len(p.asked)
	p.asked = append(p.asked, q.BatchId)
	if was := p.batches[q.BatchId]; was != nil && !proto.Equal(was, q) {
		return nil, n, nil, fault.New(fault.Invalid, "other-subjects", "the batch was sent with other subjects")
	}
	p.batches[q.BatchId] = q
	return right(q, p.about.PriceMicros), n, p.lapse, nil
}

func right(q *providerv1.EnrichRequest, price int64) *providerv1.EnrichResponse {
	a := &providerv1.EnrichResponse{BatchId: q.BatchId, CostMicros: int64(len(q.Subjects)) * price, FactSets: []*providerv1.FactSet{
		{Facts: []*providerv1.Fact{{Name: "line_type", Value: "mobile"}}}, {Facts: []*providerv1.Fact{{Name: "domain_kind", Value: "free"}}},
	}}
	for _, s := range q.Subjects {
		var p, m uint32
		if s.Phone != "" {
			p = 1
		}
		if s.Email != "" && !strings.HasSuffix(s.Email, "@example.net") {
			m = 2
		}
		a.PhoneFacts, a.EmailFacts = append(a.PhoneFacts, p), append(a.EmailFacts, m)
		a.SubjectChecks = append(a.SubjectChecks, crc32.Checksum([]byte(s.Phone+"\x00"+s.Email), crc32.MakeTable(crc32.Castagnoli)))
	}
	return a
}
