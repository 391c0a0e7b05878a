package provider_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/providercheck"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/provider"
)

const key = "the-service-key-of-a-test-provider"

// dial starts the provider as the process that it is, and connects with the service key given.
func dial(t *testing.T, with config.Secret) providerv1.ProviderServiceClient {
	t.Helper()
	conn, err := rpc.Dial(start(t), rpc.DialOptions{ServiceKey: with})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return providerv1.NewProviderServiceClient(conn)
}

// start starts the provider and returns its address.
func start(t *testing.T) string {
	t.Helper()
	p, err := provider.Process(t.Context(), []string{"CONTACTMILL_GRPC_ADDR=127.0.0.1:0", "CONTACTMILL_SERVICE_KEY=" + key}, telemetry.New("provider", "", io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	return p.(interface{ Addr() string }).Addr()
}

// It keeps every rule of the contract; those of memory and money do not hold for it.
func TestItKeepsTheContract(t *testing.T) {
	t.Parallel()
	addr := start(t)
	r, err := providercheck.Run(t.Context(), providercheck.Options{
		Keyed: true,
		Known: []*providerv1.Subject{{Phone: "+12022243441"}, {Email: "somebody@gmail.com"}},
		Dial: func(c providercheck.Credential) (*grpc.ClientConn, error) {
			return rpc.Dial(addr, rpc.DialOptions{Foreign: true, Key: map[providercheck.Credential]config.Secret{providercheck.Right: "svc_" + key, providercheck.Wrong: "svc_another"}[c]})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var skipped []string
	for _, one := range r.Results {
		switch one.Verdict {
		case providercheck.Failed:
			t.Errorf("%s: %s", one.Rule, one.Seen)
		case providercheck.Skipped:
			skipped = append(skipped, one.Rule)
		}
	}
	if d := cmp.Diff([]string{"repeat", "repeat-elsewhere", "repeat-at-once", "id-reused", "retry-after"}, skipped); d != "" {
		t.Errorf("skipped (-want +got):\n%s", d)
	}
}

// ask sends one batch on a stream of its own.
func ask(t *testing.T, c providerv1.ProviderServiceClient, q *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	t.Helper()
	stream, err := c.Enrich(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	a, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the answer came %v, want the end", err)
	}
	return a, nil
}

func batch(id string, n int) *providerv1.EnrichRequest {
	q := &providerv1.EnrichRequest{BatchId: id}
	for i := range n {
		s := &providerv1.Subject{}
		if i%3 != 0 {
			s.Phone = fmt.Sprintf("+1%s%07d", []string{"202", "415", "800", "246"}[i%4], 2_000_000+i*17)
		}
		if i%3 != 1 {
			s.Email = fmt.Sprintf("somebody%d@%s", i, []string{"gmail.com", "example.org", "mailinator.com"}[i%3])
		}
		q.Subjects = append(q.Subjects, s)
	}
	return q
}

func TestTheContract(t *testing.T) {
	t.Parallel()
	c := dial(t, key)
	q := batch("b1", 10_000)
	a, err := ask(t, c, q)
	if err != nil {
		t.Fatal(err)
	}
	if a.BatchId != "b1" || len(a.PhoneFacts) != 10_000 || len(a.EmailFacts) != 10_000 || a.CostMicros != 0 || a.RetryAfter != nil {
		t.Fatalf("batch %q, %d and %d answers, cost %d", a.BatchId, len(a.PhoneFacts), len(a.EmailFacts), a.CostMicros)
	}
	if len(a.FactSets) > 100 {
		t.Errorf("%d sets of facts about few prefixes and domains: they are to be shared", len(a.FactSets))
	}
	facts := func(n uint32) map[string]string {
		m := map[string]string{}
		if n > 0 {
			for _, f := range a.FactSets[n-1].Facts {
				m[f.Name] = f.Value
			}
		}
		return m
	}
	for i, s := range q.Subjects {
		if want := crc32.Checksum([]byte(s.Phone+"\x00"+s.Email), crc32.MakeTable(crc32.Castagnoli)); a.SubjectChecks[i] != want {
			t.Fatalf("subject %d: check %08x, want %08x", i, a.SubjectChecks[i], want)
		}
		if (s.Phone == "") && a.PhoneFacts[i] != 0 || s.Phone != "" && facts(a.PhoneFacts[i])["line_type"] == "" && s.Phone[:5] != "+1246" {
			t.Fatalf("subject %d: phone %q has %v", i, s.Phone, facts(a.PhoneFacts[i]))
		}
		want := []string{"free", "", "disposable"}[i%3]
		if got := facts(a.EmailFacts[i])["domain_kind"]; got != want {
			t.Fatalf("subject %d: email %q is %q, want %q", i, s.Email, got, want)
		}
	}
	if again, err := ask(t, c, q); err != nil || !proto.Equal(a, again) {
		t.Errorf("asked again the answer is another: %v", err)
	}
}

func TestItCostsNothing(t *testing.T) {
	t.Parallel()
	d, err := dial(t, key).Describe(t.Context(), &providerv1.DescribeRequest{})
	if err != nil || d.Name != "bundled" || d.Currency != "" || d.PriceMicros != 0 || d.MaxBatch != 10_000 || d.Remembers.AsDuration() != 0 || len(d.PhoneFacts) == 0 || len(d.EmailFacts) == 0 {
		t.Errorf("%v, %v", d, err)
	}
}

func TestManyBatchesOnOneStream(t *testing.T) {
	t.Parallel()
	stream, err := dial(t, key).Enrich(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range 50 {
		if err := stream.Send(batch(fmt.Sprint("b", i), 20)); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.BatchId)
	}
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint("b", i))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	c := dial(t, key)
	for name, test := range map[string]struct {
		q    *providerv1.EnrichRequest
		code string
	}{
		"no id":              {&providerv1.EnrichRequest{Subjects: []*providerv1.Subject{{}}}, "no-batch-id"},
		"a long id":          {&providerv1.EnrichRequest{BatchId: strings.Repeat("b", 129)}, "bad-batch-id"},
		"an id of two lines": {&providerv1.EnrichRequest{BatchId: "b\nb"}, "bad-batch-id"},
		"10,001 subjects":    {&providerv1.EnrichRequest{BatchId: "b", Subjects: slices.Repeat([]*providerv1.Subject{{}}, 10_001)}, "batch-too-large"},
		"an overlong number": {&providerv1.EnrichRequest{BatchId: "b", Subjects: []*providerv1.Subject{{Phone: "+" + string(make([]byte, 100)), Email: "@"}}}, ""},
		"nobody":             {&providerv1.EnrichRequest{BatchId: "b"}, ""},
	} {
		a, err := ask(t, c, test.q)
		switch {
		case test.code == "" && (err != nil || len(a.FactSets) != 0 || len(a.PhoneFacts) != len(test.q.Subjects)):
			t.Errorf("%s: %v, %v, want to be known nothing of", name, a, err)
		case test.code != "" && (fault.Code(err) != test.code || !errors.Is(err, fault.Invalid)):
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	if _, err := ask(t, dial(t, "another-key-that-is-not-the-service-key"), batch("b", 1)); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("asked with another key: %v", err)
	}
}
