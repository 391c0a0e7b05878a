package testprovider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/providercheck"
	"github.com/contactmill/contactmill/pkg/rpc"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

const patience = time.Minute // more than anything here ever takes

// running is a provider and a client of it.
type running struct {
	providerv1.ProviderServiceClient
	p       *Provider
	control string
	stop    func()
}

func serveAt(t *testing.T, o Options) *running {
	t.Helper()
	p, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	conn, err := grpc.NewClient(p.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	r := &running{ProviderServiceClient: providerv1.NewProviderServiceClient(conn), p: p, control: p.Control()}
	r.stop = sync.OnceFunc(func() {
		conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) behave(t *testing.T, b Behaviour) {
	t.Helper()
	if code := r.post(t, b); code != http.StatusNoContent {
		t.Fatalf("%+v: status %d", b, code)
	}
}

func (r *running) post(t *testing.T, b any) int {
	t.Helper()
	body, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.Post("http://"+r.control+"/behave", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	return a.StatusCode
}

func (r *running) paid(t *testing.T) Paid {
	t.Helper()
	a, err := http.Get("http://" + r.control + "/paid")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var p Paid
	if err := json.NewDecoder(a.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

// ask sends one batch on a stream of its own.
func (r *running) ask(ctx context.Context, q *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := r.Enrich(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream.Recv()
}

func batch(id string, from, n int) *providerv1.EnrichRequest {
	q := &providerv1.EnrichRequest{BatchId: id}
	for i := from; i < from+n; i++ {
		q.Subjects = append(q.Subjects, &providerv1.Subject{Phone: fmt.Sprintf("+1202555%04d", i), Email: fmt.Sprintf("somebody%d@example.org", i)})
	}
	return q
}

func TestWhatIsPaidIsPaidOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := serveAt(t, Options{State: dir})
	first, err := r.ask(t.Context(), batch("b1", 0, 10))
	if err != nil {
		t.Fatal(err)
	}
	if first.CostMicros != 10_000 || len(first.PhoneFacts) != 10 || first.PhoneFacts[0] != 0 || first.EmailFacts[1] == 0 {
		t.Errorf("%v", first)
	}
	if f := first.FactSets[first.PhoneFacts[3]-1].Facts[1]; f.Name != "mark" || f.Value != fmt.Sprintf("%08x", crc32.Checksum([]byte("+12025550003"), castagnoli)) {
		t.Errorf("the fact about the fourth phone is %v", f)
	}
	if _, err := r.ask(t.Context(), batch("b2", 8, 5)); err != nil { // two of them again, in another batch
		t.Fatal(err)
	}
	again := func(r *running) {
		t.Helper()
		if a, err := r.ask(t.Context(), batch("b1", 0, 10)); err != nil || !proto.Equal(a, first) {
			t.Errorf("asked again: %v, %v", a, err)
		}
		if _, err := r.ask(t.Context(), batch("b1", 0, 9)); status.Code(err) != codes.InvalidArgument {
			t.Errorf("the same id with other subjects: %v", err)
		}
	}
	again(r)
	want := Paid{Batches: 2, Subjects: 15, CostMicros: 15_000, Calls: 4, Repeated: 2, ValuesRepeated: 4, PerBatch: map[string]PaidBatch{"b1": {10, 10_000, 3}, "b2": {5, 5000, 1}}}
	if d := cmp.Diff(want, r.paid(t)); d != "" {
		t.Errorf("paid (-want +got):\n%s", d)
	}
	r.stop()

	file := filepath.Join(dir, "charges.jsonl")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"batch":"b3","dig`); err != nil { // killed in the middle of a line
		t.Fatal(err)
	}
	f.Close()
	r = serveAt(t, Options{State: dir})
	again(r)
	if _, err := r.ask(t.Context(), batch("b3", 100, 1)); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = serveAt(t, Options{State: dir})
	if p := r.paid(t); p.Batches != 3 || p.Subjects != 16 || p.CostMicros != 16_000 || p.ValuesRepeated != 4 || p.Calls != 0 {
		t.Errorf("after two starts: %+v", p)
	}
}

func TestEveryModeDoesAsItSays(t *testing.T) {
	t.Parallel()
	q := batch("b", 0, 10)
	right := answer(q, 10_000)
	is := func(want func(*providerv1.EnrichResponse)) func(*providerv1.EnrichResponse, error) bool {
		return func(a *providerv1.EnrichResponse, err error) bool {
			w := proto.CloneOf(right)
			want(w)
			return err == nil && proto.Equal(a, w)
		}
	}
	fails := func(code codes.Code) func(*providerv1.EnrichResponse, error) bool {
		return func(_ *providerv1.EnrichResponse, err error) bool { return status.Code(err) == code }
	}
	for _, c := range []struct {
		how     Behaviour
		charged bool
		want    func(*providerv1.EnrichResponse, error) bool
	}{
		{Behaviour{Mode: "ok"}, true, is(func(*providerv1.EnrichResponse) {})},
		{Behaviour{Mode: "slow", DelayMS: 1}, true, is(func(*providerv1.EnrichResponse) {})},
		{Behaviour{Mode: "drip", DelayMS: 1}, true, is(func(*providerv1.EnrichResponse) {})},
		{Behaviour{Mode: "fail"}, false, fails(codes.Unavailable)},
		{Behaviour{Mode: "fail", Code: "INTERNAL"}, false, fails(codes.Internal)},
		{Behaviour{Mode: "quota"}, false, fails(codes.ResourceExhausted)},
		{Behaviour{Mode: "busy", DelayMS: 1500}, false, func(a *providerv1.EnrichResponse, err error) bool {
			return err == nil && a.BatchId == "b" && a.RetryAfter.AsDuration() == 1500*time.Millisecond && len(a.PhoneFacts) == 0
		}},
		{Behaviour{Mode: "cut"}, true, fails(codes.Unavailable)},
		{Behaviour{Mode: "reset-after-charge"}, true, fails(codes.Unavailable)},
		{Behaviour{Mode: "end"}, true, func(_ *providerv1.EnrichResponse, err error) bool { return errors.Is(err, io.EOF) }},
		{Behaviour{Mode: "lie"}, true, func(a *providerv1.EnrichResponse, err error) bool {
			return err == nil && len(a.SubjectChecks) == 10 && a.SubjectChecks[0] == right.SubjectChecks[1] && a.PhoneFacts[0] != 0 && right.PhoneFacts[0] == 0
		}},
		{Behaviour{Mode: "unchecked"}, true, is(func(a *providerv1.EnrichResponse) { a.SubjectChecks = nil })},
		{Behaviour{Mode: "wrong-batch"}, true, is(func(a *providerv1.EnrichResponse) { a.BatchId = "nobody-asked" })},
		{Behaviour{Mode: "twice"}, true, is(func(*providerv1.EnrichResponse) {})},
		{Behaviour{Mode: "short"}, true, func(a *providerv1.EnrichResponse, err error) bool {
			return err == nil && len(a.PhoneFacts) == 9 && len(a.EmailFacts) == 9 && len(a.SubjectChecks) == 9
		}},
		{Behaviour{Mode: "index"}, true, is(func(a *providerv1.EnrichResponse) { a.PhoneFacts[0] = uint32(len(a.FactSets)) + 1 })},
		{Behaviour{Mode: "control"}, true, func(a *providerv1.EnrichResponse, err error) bool {
			return err == nil && a.FactSets[a.PhoneFacts[0]-1].Facts[0].Value == "mobile\x1b[2J"
		}},
		{Behaviour{Mode: "dear"}, true, is(func(a *providerv1.EnrichResponse) { a.CostMicros = 10_001 })},
		{Behaviour{Mode: "garbage"}, true, fails(codes.Internal)},
		{Behaviour{Mode: "huge", SizeBytes: 5 << 20}, true, fails(codes.ResourceExhausted)},
	} {
		t.Run(c.how.Mode+c.how.Code, func(t *testing.T) {
			t.Parallel()
			r := serveAt(t, Options{State: t.TempDir()})
			c.how.Times = 1
			r.behave(t, c.how)
			if a, err := r.ask(t.Context(), q); !c.want(a, err) {
				t.Errorf("answered %v, %v", a, err)
			}
			if p := r.paid(t); (p.Batches == 1) != c.charged {
				t.Errorf("charged %d batches", p.Batches)
			}
			a, err := r.ask(t.Context(), q) // it was told to do so once
			for status.Code(err) == codes.Unavailable {
				a, err = r.ask(t.Context(), q) // the connection that was cut is being made again
			}
			if err != nil || !proto.Equal(a, right) {
				t.Errorf("then it answered %v, %v", a, err)
			}
			if p := r.paid(t); p.Batches != 1 || p.CostMicros != 10_000 {
				t.Errorf("charged %+v", p)
			}
		})
	}
}

// Who gives up a call that hangs or drips can go on on the same connection.
func TestWhoGivesUpCanGoOn(t *testing.T) {
	t.Parallel()
	for _, how := range []Behaviour{{Mode: "hang"}, {Mode: "drip", DelayMS: 3_600_000}, {Mode: "slow", DelayMS: 3_600_000}} {
		t.Run(how.Mode, func(t *testing.T) {
			t.Parallel()
			r := serveAt(t, Options{State: t.TempDir()})
			how.Batches = []string{"b"}
			r.behave(t, how)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { _, err := r.ask(ctx, batch("b", 0, 1)); ended <- err }()
			for r.paid(t).Batches == 0 {
			}
			select {
			case err := <-ended:
				t.Fatalf("it was answered: %v", err)
			default:
			}
			cancel()
			if err := <-ended; status.Code(err) != codes.Canceled {
				t.Errorf("given up: %v", err)
			}
			if _, err := r.ask(t.Context(), batch("another", 0, 1)); err != nil {
				t.Error(err)
			}
			r.behave(t, Behaviour{Mode: "ok"})
			if _, err := r.ask(t.Context(), batch("b", 0, 1)); err != nil {
				t.Error(err)
			}
			if p := r.paid(t); p.Batches != 2 || p.Repeated != 1 {
				t.Errorf("%+v", p)
			}
		})
	}
}

// While nothing else is asked of it, it keeps every rule of the contract.
func TestItKeepsTheContract(t *testing.T) {
	t.Parallel()
	r := serveAt(t, Options{State: t.TempDir(), Key: "secret", MaxBatch: 500})
	report, err := providercheck.Run(t.Context(), providercheck.Options{
		Keyed: true,
		Known: []*providerv1.Subject{{Phone: "+12025550177"}},
		Dial: func(c providercheck.Credential) (*grpc.ClientConn, error) {
			return rpc.Dial(r.p.Addr(), rpc.DialOptions{Foreign: true, Key: map[providercheck.Credential]config.Secret{providercheck.Right: "secret", providercheck.Wrong: "another"}[c]})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range report.Results {
		if (one.Verdict != providercheck.Passed) != (one.Rule == "retry-after") {
			t.Errorf("%s %s: %s", one.Rule, one.Verdict, one.Seen)
		}
	}
	// Its own books say the same as its answers: nothing was charged twice.
	if p := r.paid(t); p.CostMicros != report.ChargedMicros || p.Repeated == 0 {
		t.Errorf("its books say %+v, its answers %d", p, report.ChargedMicros)
	}
}

func TestBehavioursByPhone(t *testing.T) {
	t.Parallel()
	r := serveAt(t, Options{State: t.TempDir()})
	r.behave(t, Behaviour{Mode: "fail", Phones: "+12025550"})
	r.behave(t, Behaviour{Mode: "quota", Phones: "+120255512"})
	r.behave(t, Behaviour{Mode: "dear", Times: 1})
	ask := func(from int) string {
		t.Helper()
		a, err := r.ask(t.Context(), batch(fmt.Sprint("b", from), from, 1))
		if err != nil {
			return status.Code(err).String()
		}
		return fmt.Sprint(a.CostMicros)
	}
	for _, c := range []struct {
		from int
		want string
	}{{1, "Unavailable"}, {2, "Unavailable"}, {1234, "ResourceExhausted"}, {5000, "1001"}, {6000, "1000"}} {
		if got := ask(c.from); got != c.want {
			t.Errorf("batch from %d: %s, want %s", c.from, got, c.want)
		}
	}
	r.behave(t, Behaviour{Mode: "ok", Phones: "+12025550"})
	if one, other := ask(1), ask(1234); one != "1000" || other != "ResourceExhausted" {
		t.Errorf("then %s and %s", one, other)
	}
	if p := r.paid(t); p.Batches != 3 {
		t.Errorf("%+v", p)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	r := serveAt(t, Options{State: t.TempDir(), Key: "secret", Price: 7, MaxBatch: 2})
	if _, err := r.Describe(t.Context(), &providerv1.DescribeRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without its key: %v", err)
	}
	if _, err := r.ask(t.Context(), batch("b", 0, 1)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without its key: %v", err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer secret")
	d, err := r.Describe(ctx, &providerv1.DescribeRequest{})
	if err != nil || d.Name != "test" || d.Currency != "EUR" || d.PriceMicros != 7 || d.MaxBatch != 2 || d.Remembers.AsDuration() < 7*24*time.Hour {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := r.ask(ctx, batch("b", 0, 3)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("three where two are allowed: %v", err)
	}
	if a, err := r.ask(ctx, batch("b", 0, 2)); err != nil || a.CostMicros != 14 {
		t.Errorf("%v, %v", a, err)
	}
	r.behave(t, Behaviour{Mode: "fail"})
	if _, err := r.Describe(ctx, &providerv1.DescribeRequest{}); err != nil {
		t.Errorf("only batches fail: %v", err)
	}
	r.behave(t, Behaviour{Mode: "quota", Describe: true})
	if _, err := r.Describe(ctx, &providerv1.DescribeRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("all is over quota: %v", err)
	}
	if r := serveAt(t, Options{State: t.TempDir(), Price: -1}); true {
		if d, err := r.Describe(t.Context(), &providerv1.DescribeRequest{}); err != nil || d.Currency != "" || d.PriceMicros != 0 {
			t.Errorf("one for nothing: %v, %v", d, err)
		}
	}
}

func TestAWrongWordIsRefused(t *testing.T) {
	t.Parallel()
	r := serveAt(t, Options{State: t.TempDir()})
	for _, b := range []any{Behaviour{}, Behaviour{Mode: "nice"}, Behaviour{Mode: "fail", Code: "BAD"}, Behaviour{Mode: "slow", Code: "INTERNAL"}, Behaviour{Mode: "slow", DelayMS: -1},
		map[string]any{"mode": "ok", "often": 3}} {
		if code := r.post(t, b); code != http.StatusBadRequest {
			t.Errorf("%+v: status %d", b, code)
		}
	}
}
