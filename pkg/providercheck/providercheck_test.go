package providercheck_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/providercheck"
	"github.com/contactmill/contactmill/pkg/rpc"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

const key = "the-key-of-a-provider"

// shop is a provider that keeps the contract, unless one of its functions says otherwise.
type shop struct {
	providerv1.UnimplementedProviderServiceServer
	describe func(*providerv1.DescribeResponse)
	admit    func(shown string) error
	accept   func(*providerv1.EnrichRequest) error                                            // instead of refusing what is not allowed
	recall   func(old, q *providerv1.EnrichRequest) error                                     // instead of refusing other subjects
	spoil    func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse, times int) error // times that the batch was asked before
	serve    func(*shop, grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]) error
	out      func(grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse], *providerv1.EnrichResponse) error
	ended    func(error) // how a stream ended

	mu    sync.Mutex
	asked map[string]*providerv1.EnrichRequest
	times map[string]int
}

const most = 40

func (s *shop) Describe(ctx context.Context, _ *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	d := &providerv1.DescribeResponse{Name: "shop-1", Currency: "EUR", PriceMicros: 500, MaxBatch: most, Remembers: durationpb.New(30 * 24 * time.Hour),
		PhoneFacts: []string{"line_type", "region"}, EmailFacts: []string{"mailbox"}}
	if s.describe != nil {
		s.describe(d)
	}
	return d, nil
}

func (s *shop) check(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	shown := strings.Join(md.Get("authorization"), "")
	if s.admit != nil {
		return s.admit(shown)
	}
	if shown != "Bearer "+key {
		return status.Error(codes.Unauthenticated, "who are you?")
	}
	return nil
}

type stream = grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]

func (s *shop) Enrich(st stream) (err error) {
	if err := s.check(st.Context()); err != nil {
		return err
	}
	if s.serve != nil {
		return s.serve(s, st)
	}
	if s.ended != nil {
		defer func() { s.ended(err) }()
	}
	for {
		q, err := st.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		a, err := s.answer(q)
		if err != nil {
			return err
		}
		if s.out != nil {
			err = s.out(st, a)
		} else {
			err = st.Send(a)
		}
		if err != nil {
			return err
		}
	}
}

func (s *shop) answer(q *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	if s.accept != nil {
		if err := s.accept(q); err != nil {
			return nil, err
		}
	} else if len(q.Subjects) > most {
		return nil, status.Error(codes.InvalidArgument, "too many")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.asked[q.BatchId]
	if old != nil && digest(old) != digest(q) {
		err := status.Error(codes.InvalidArgument, "other subjects")
		if s.recall != nil {
			err = s.recall(old, q)
		}
		if err != nil {
			return nil, err
		}
	}
	s.asked[q.BatchId] = q
	a := &providerv1.EnrichResponse{BatchId: q.BatchId, CostMicros: 500 * int64(len(q.Subjects))}
	for _, subject := range q.Subjects {
		a.PhoneFacts = append(a.PhoneFacts, set(a, strings.HasPrefix(subject.Phone, "+1"), "line_type", "mobile", "region", "of "+subject.Phone[:min(5, len(subject.Phone))]))
		a.EmailFacts = append(a.EmailFacts, set(a, strings.HasSuffix(subject.Email, "@example.com"), "mailbox", "open"))
		a.SubjectChecks = append(a.SubjectChecks, crc32.Checksum([]byte(subject.Phone+"\x00"+subject.Email), crc32.MakeTable(crc32.Castagnoli)))
	}
	times := s.times[q.BatchId]
	s.times[q.BatchId]++
	if s.spoil != nil {
		if err := s.spoil(q, a, times); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func set(a *providerv1.EnrichResponse, known bool, facts ...string) uint32 {
	if !known {
		return 0
	}
	fs := &providerv1.FactSet{}
	for i := 0; i < len(facts); i += 2 {
		fs.Facts = append(fs.Facts, &providerv1.Fact{Name: facts[i], Value: facts[i+1]})
	}
	a.FactSets = append(a.FactSets, fs)
	return uint32(len(a.FactSets))
}

func digest(q *providerv1.EnrichRequest) string {
	h := sha256.New()
	for _, s := range q.Subjects {
		fmt.Fprintf(h, "%q %q\n", s.Phone, s.Email)
	}
	return string(h.Sum(nil))
}

// run checks a shop, in no time: the clock is that of the test.
func run(t *testing.T, s *shop, o providercheck.Options) *providercheck.Report {
	t.Helper()
	s.asked, s.times = map[string]*providerv1.EnrichRequest{}, map[string]int{}
	var report *providercheck.Report
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 20)
		server := grpc.NewServer(grpc.StatsHandler(&connections{}))
		providerv1.RegisterProviderServiceServer(server, s)
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		o.Dial = func(c providercheck.Credential) (*grpc.ClientConn, error) {
			with := rpc.DialOptions{Foreign: true, Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }}
			switch c {
			case providercheck.Right:
				with.Key = key
			case providercheck.Wrong:
				with.Key = "another-key"
			}
			return rpc.Dial("provider:1", with)
		}
		o.Keyed = true
		var err error
		if report, err = providercheck.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
		server.Stop()
		<-served
	})
	return report
}

// verdicts are the rules with a verdict.
func verdicts(r *providercheck.Report, v providercheck.Verdict) []string {
	var names []string
	for _, one := range r.Results {
		if one.Verdict == v {
			names = append(names, one.Rule)
		}
	}
	return names
}

func tell(t *testing.T, r *providercheck.Report) {
	t.Helper()
	for _, one := range r.Results {
		t.Logf("%-8s %-17s %s", one.Verdict, one.Rule, one.Seen)
	}
}

func TestWhoKeepsTheContractPasses(t *testing.T) {
	t.Parallel()
	anew := func() *shop { return &shop{} }
	for name, c := range map[string]struct {
		shop    *shop
		skipped []string
	}{
		"as it is": {anew(), []string{"retry-after"}},
		"busy now and then": {&shop{spoil: func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse, times int) error {
			if times == 0 && strings.HasSuffix(a.BatchId, "5") {
				*a = providerv1.EnrichResponse{BatchId: a.BatchId, RetryAfter: durationpb.New(3 * time.Second)}
			}
			return nil
		}}, nil},
		"away now and then": {flaky(codes.Unavailable), []string{"retry-after"}},
		"over quota":        {flaky(codes.ResourceExhausted), []string{"retry-after"}},
		"for nothing": {&shop{describe: func(d *providerv1.DescribeResponse) { d.Currency, d.PriceMicros, d.Remembers = "", 0, nil },
			spoil: func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error {
				a.CostMicros = 0
				return nil
			}},
			[]string{"repeat", "repeat-elsewhere", "repeat-at-once", "id-reused", "retry-after"}},
		"one by one": {&shop{describe: func(d *providerv1.DescribeResponse) { d.MaxBatch = 1 }, accept: func(q *providerv1.EnrichRequest) error {
			if len(q.Subjects) > 1 {
				return status.Error(codes.InvalidArgument, "too many")
			}
			return nil
		}}, []string{"duplicates", "retry-after"}},
		"in another order": {&shop{serve: backwards}, []string{"retry-after"}},
		"nobody is refused": {&shop{accept: func(q *providerv1.EnrichRequest) error {
			if n := len(q.Subjects); n == 0 || n > most {
				return status.Error(codes.InvalidArgument, "how many?")
			}
			return nil
		}}, []string{"retry-after"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.shop, providercheck.Options{Known: []*providerv1.Subject{{Phone: "+12025550177"}}})
			if !r.Passed() || !slices.Equal(verdicts(r, providercheck.Skipped), c.skipped) {
				t.Errorf("failed %q, skipped %q; want none and %q", verdicts(r, providercheck.Failed), verdicts(r, providercheck.Skipped), c.skipped)
				tell(t, r)
			}
			if r.Provider != "shop-1" || (r.ChargedMicros > 0) != (r.Currency != "") {
				t.Errorf("%q took %d of %q", r.Provider, r.ChargedMicros, r.Currency)
			}
		})
	}
}

// flaky fails at some batches when they come for the first time.
func flaky(code codes.Code) *shop {
	return &shop{spoil: func(q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse, times int) error {
		if number, err := strconv.Atoi(q.BatchId[strings.LastIndexByte(q.BatchId, '-')+1:]); err == nil && number%23 == 0 && times < 3 {
			return status.Error(code, "not now")
		}
		return nil
	}}
}

// perConnection says in its facts on which connection it was asked.
func perConnection() *shop {
	return &shop{serve: func(s *shop, st stream) error {
		return s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
			for _, set := range a.FactSets {
				set.Facts[0].Value = fmt.Sprint("as seen by ", st.Context().Value(connection{}))
			}
			return st.Send(a)
		})
	}}
}

// oneAtATime takes ten milliseconds for a batch and refuses it meanwhile.
func oneAtATime() *shop {
	var busy sync.Map
	return &shop{serve: func(s *shop, st stream) error {
		return s.each(st, func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
			if _, ok := busy.LoadOrStore(q.BatchId, true); ok {
				return status.Error(codes.Aborted, "I am at it")
			}
			defer busy.Delete(q.BatchId)
			<-time.After(10 * time.Millisecond)
			return st.Send(a)
		})
	}}
}

// offended serves nobody any more once somebody gave up.
func offended() *shop {
	var gone atomic.Bool
	return &shop{
		accept: func(q *providerv1.EnrichRequest) error {
			if gone.Load() {
				return status.Error(codes.Unavailable, "the worker has died")
			}
			return tooMany(q)
		},
		ended: func(err error) {
			if status.Code(err) == codes.Canceled {
				gone.Store(true)
			}
		},
	}
}

// connections gives each connection a number.
type connections struct{ n atomic.Int64 }

type connection struct{}

func (c *connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connection{}, c.n.Add(1))
}
func (*connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (*connections) HandleConn(context.Context, stats.ConnStats)                     {}
func (*connections) HandleRPC(context.Context, stats.RPCStats)                       {}

// each answers every batch and hands the answer to f.
func (s *shop) each(st stream, f func(*providerv1.EnrichRequest, *providerv1.EnrichResponse) error) error {
	for {
		q, err := st.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		a, err := s.answer(q)
		if err != nil {
			return err
		}
		if err := f(q, a); err != nil {
			return err
		}
	}
}

// backwards answers 20 batches that come together from the last to the first.
func backwards(s *shop, st stream) error {
	answers := make(chan *providerv1.EnrichResponse, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error { answers <- a; return nil })
		close(answers)
	}()
	for a := range answers {
		waiting := []*providerv1.EnrichResponse{a}
		for quiet := false; !quiet; {
			select {
			case another, ok := <-answers:
				if quiet = !ok; ok {
					waiting = append(waiting, another)
				}
			case <-time.After(time.Millisecond):
				quiet = true
			}
		}
		for _, a := range slices.Backward(waiting) {
			if err := st.Send(a); err != nil {
				return err
			}
		}
	}
	return <-ended
}

func TestEachSaboteurBreaksItsRule(t *testing.T) {
	t.Parallel()
	described := func(f func(*providerv1.DescribeResponse)) *shop { return &shop{describe: f} }
	answered := func(f func(*providerv1.EnrichResponse)) *shop {
		return &shop{spoil: func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error { f(a); return nil }}
	}
	again := func(f func(*providerv1.EnrichResponse)) func(*providerv1.EnrichRequest, *providerv1.EnrichResponse, int) error {
		return func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse, times int) error {
			if times > 0 {
				f(a)
			}
			return nil
		}
	}
	firstFact := func(f func(*providerv1.Fact)) *shop {
		return answered(func(a *providerv1.EnrichResponse) {
			for _, s := range a.FactSets {
				f(s.Facts[0])
			}
		})
	}
	broken := map[string]bool{}
	for _, c := range []struct {
		rule, name string
		shop       *shop
	}{
		{"describe", "a name with capitals", described(func(d *providerv1.DescribeResponse) { d.Name = "Shop" })},
		{"describe", "no name", described(func(d *providerv1.DescribeResponse) { d.Name = "" })},
		{"describe", "a currency in words", described(func(d *providerv1.DescribeResponse) { d.Currency = "euro" })},
		{"describe", "a negative price", &shop{describe: func(d *providerv1.DescribeResponse) { d.PriceMicros = -1 }, spoil: func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error {
			a.CostMicros = 0
			return nil
		}}},
		{"describe", "a price without currency", described(func(d *providerv1.DescribeResponse) { d.Currency = "" })},
		{"describe", "batches that are too large", &shop{describe: func(d *providerv1.DescribeResponse) { d.MaxBatch = 10_001 }, accept: func(q *providerv1.EnrichRequest) error {
			if len(q.Subjects) > 10_000 {
				return status.Error(codes.InvalidArgument, "too many")
			}
			return nil
		}}},
		{"describe", "a short memory", described(func(d *providerv1.DescribeResponse) { d.Remembers = durationpb.New(time.Hour) })},
		{"describe", "a fact with a bad name", described(func(d *providerv1.DescribeResponse) { d.PhoneFacts = append(d.PhoneFacts, "Line Type") })},
		{"describe", "a fact twice", described(func(d *providerv1.DescribeResponse) { d.PhoneFacts = append(d.PhoneFacts, "line_type") })},
		{"describe", "another one each time", func() *shop {
			n := 0
			return described(func(d *providerv1.DescribeResponse) { n++; d.Name = fmt.Sprint("shop-", n) })
		}()},
		{"credential", "anybody may ask", &shop{admit: func(string) error { return nil }}},
		{"credential", "any key will do", &shop{admit: func(shown string) error {
			if shown == "" {
				return status.Error(codes.Unauthenticated, "who are you?")
			}
			return nil
		}}},
		{"credential", "a bad key is a bug", &shop{admit: func(shown string) error {
			if shown != "Bearer "+key {
				return status.Error(codes.Internal, "unknown key")
			}
			return nil
		}}},
		{"answers", "another batch", answered(func(a *providerv1.EnrichResponse) { a.BatchId = "mine" })},
		{"answers", "each twice", &shop{out: func(st stream, a *providerv1.EnrichResponse) error { return errors.Join(st.Send(a), st.Send(a)) }}},
		{"answers", "one of 20 never", &shop{serve: func(s *shop, st stream) error {
			n := 0
			return s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
				if n++; n == 20 {
					return nil
				}
				return st.Send(a)
			})
		}}},
		{"answers", "ends after 5", &shop{serve: func(s *shop, st stream) error {
			n, enough := 0, errors.New("enough")
			err := s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
				if n++; n > 5 {
					return enough
				}
				return st.Send(a)
			})
			if errors.Is(err, enough) {
				return nil
			}
			return err
		}}},
		{"answers", "only once all is asked", &shop{serve: func(s *shop, st stream) error {
			var all []*providerv1.EnrichResponse
			if err := s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
				all = append(all, a)
				return nil
			}); err != nil {
				return err
			}
			for _, a := range all {
				if err := st.Send(a); err != nil {
					return err
				}
			}
			return nil
		}}},
		{"half-close", "never ends", &shop{serve: func(s *shop, st stream) error {
			if err := s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error { return st.Send(a) }); err != nil {
				return err
			}
			<-st.Context().Done()
			return st.Context().Err()
		}}},
		{"half-close", "ends with an error", &shop{serve: func(s *shop, st stream) error {
			if err := s.each(st, func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error { return st.Send(a) }); err != nil {
				return err
			}
			return status.Error(codes.Internal, "EOF")
		}}},
		{"lengths", "no emails", answered(func(a *providerv1.EnrichResponse) { a.EmailFacts = nil })},
		{"lengths", "one too many", answered(func(a *providerv1.EnrichResponse) { a.PhoneFacts = append(a.PhoneFacts, 0) })},
		{"indexes", "a set that is not there", answered(func(a *providerv1.EnrichResponse) {
			if len(a.PhoneFacts) > 0 {
				a.PhoneFacts[0] = uint32(len(a.FactSets)) + 1
			}
		})},
		{"indexes", "all sets that there are", answered(func(a *providerv1.EnrichResponse) {
			for range 2*len(a.PhoneFacts) + 1 - len(a.FactSets) {
				set(a, true, "line_type", "mobile")
			}
		})},
		{"facts", "not announced", firstFact(func(f *providerv1.Fact) { f.Name = "secret" })},
		{"facts", "announced of the other value", firstFact(func(f *providerv1.Fact) { f.Name = "mailbox" })},
		{"facts", "a bad name", firstFact(func(f *providerv1.Fact) { f.Name = "Line-Type" })},
		{"facts", "a long value", firstFact(func(f *providerv1.Fact) { f.Value = strings.Repeat("x", 1025) })},
		{"facts", "a control character", firstFact(func(f *providerv1.Fact) { f.Value = "mobile\x1b[2J" })},
		{"facts", "a name twice", answered(func(a *providerv1.EnrichResponse) {
			for _, s := range a.FactSets {
				s.Facts = append(s.Facts, s.Facts[0])
			}
		})},
		{"facts", "an empty set", answered(func(a *providerv1.EnrichResponse) {
			for _, s := range a.FactSets {
				s.Facts = nil
			}
		})},
		{"checks", "none", answered(func(a *providerv1.EnrichResponse) { a.SubjectChecks = nil })},
		{"checks", "of others", answered(func(a *providerv1.EnrichResponse) {
			for i := range a.SubjectChecks {
				a.SubjectChecks[i]++
			}
		})},
		{"cost", "dearer than published", answered(func(a *providerv1.EnrichResponse) { a.CostMicros++ })},
		{"cost", "less than nothing", answered(func(a *providerv1.EnrichResponse) { a.CostMicros = -1 })},
		{"empty", "something about nothing", &shop{spoil: func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error {
			for i, s := range q.Subjects {
				if s.Phone == "" {
					a.PhoneFacts[i] = set(a, true, "line_type", "mobile")
				}
			}
			return nil
		}}},
		{"empty", "a phone is a must", &shop{accept: func(q *providerv1.EnrichRequest) error {
			if slices.ContainsFunc(q.Subjects, func(s *providerv1.Subject) bool { return s.Phone == "" }) {
				return status.Error(codes.InvalidArgument, "no phone")
			}
			return tooMany(q)
		}}},
		{"unknown", "knows everybody", &shop{spoil: func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error {
			for i, s := range q.Subjects {
				if s.Phone != "" && a.PhoneFacts[i] == 0 {
					a.PhoneFacts[i] = set(a, true, "line_type", "mobile")
				}
			}
			return nil
		}}},
		{"duplicates", "only the first of them", &shop{spoil: func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error {
			seen := map[string]bool{}
			for i, s := range q.Subjects {
				if s.Phone != "" && seen[s.Phone] {
					a.PhoneFacts[i] = 0
				}
				seen[s.Phone] = true
			}
			return nil
		}}},
		{"long-id", "64 are enough", &shop{accept: func(q *providerv1.EnrichRequest) error {
			if len(q.BatchId) > 64 {
				return status.Error(codes.InvalidArgument, "a long id")
			}
			return tooMany(q)
		}}},
		{"no-subjects", "a bug", &shop{accept: func(q *providerv1.EnrichRequest) error {
			if len(q.Subjects) == 0 {
				return status.Error(codes.Internal, "index out of range")
			}
			return tooMany(q)
		}}},
		{"too-many", "any number", &shop{accept: func(*providerv1.EnrichRequest) error { return nil }, spoil: func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error { return nil }}},
		{"too-many", "a bug", &shop{accept: func(q *providerv1.EnrichRequest) error {
			if len(q.Subjects) > most {
				return status.Error(codes.Internal, "too many")
			}
			return nil
		}}},
		{"largest", "half of it", &shop{accept: func(q *providerv1.EnrichRequest) error {
			if len(q.Subjects) > most/2 {
				return status.Error(codes.InvalidArgument, "too many")
			}
			return nil
		}}},
		{"largest", "an answer of 17 MiB", &shop{spoil: func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse, _ int) error {
			for len(q.Subjects) == most && len(a.FactSets) < 17<<10 {
				a.FactSets = append(a.FactSets, &providerv1.FactSet{Facts: []*providerv1.Fact{{Name: "line_type", Value: strings.Repeat("x", 1<<10)}}})
			}
			return nil
		}}},
		{"largest", "takes two minutes", &shop{out: func(st stream, a *providerv1.EnrichResponse) error {
			if len(a.PhoneFacts) == most {
				select {
				case <-time.After(2 * time.Minute):
				case <-st.Context().Done():
				}
			}
			return st.Send(a)
		}}},
		{"repeat", "charges again", &shop{spoil: again(func(a *providerv1.EnrichResponse) { a.CostMicros-- })}},
		{"repeat", "knows better", &shop{spoil: again(func(a *providerv1.EnrichResponse) {
			if a.FactSets != nil {
				a.FactSets[0].Facts[0].Value = "fixed"
			}
		})}},
		{"repeat", "only once on a stream", &shop{serve: func(s *shop, st stream) error {
			seen := map[string]bool{}
			return s.each(st, func(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
				if seen[q.BatchId] {
					return status.Error(codes.AlreadyExists, "asked before")
				}
				seen[q.BatchId] = true
				return st.Send(a)
			})
		}}},
		{"repeat-elsewhere", "a memory for each connection", perConnection()},
		{"repeat-at-once", "one at a time", oneAtATime()},
		{"id-reused", "forgets who it was", &shop{recall: func(_, _ *providerv1.EnrichRequest) error { return nil }}},
		{"id-reused", "looks at their number only", &shop{recall: func(old, q *providerv1.EnrichRequest) error {
			if len(old.Subjects) == len(q.Subjects) {
				return nil
			}
			return status.Error(codes.InvalidArgument, "other subjects")
		}}},
		{"id-reused", "a bug", &shop{recall: func(_, _ *providerv1.EnrichRequest) error { return status.Error(codes.Internal, "duplicate key") }}},
		{"cancel", "takes offence", offended()},
		{"retry-after", "charges while it is busy", &shop{spoil: func(_ *providerv1.EnrichRequest, a *providerv1.EnrichResponse, times int) error {
			if times == 0 && strings.HasSuffix(a.BatchId, "5") {
				*a = providerv1.EnrichResponse{BatchId: a.BatchId, RetryAfter: durationpb.New(time.Second), CostMicros: 500}
			}
			return nil
		}}},
	} {
		broken[c.rule] = true
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.shop, providercheck.Options{})
			failed := verdicts(r, providercheck.Failed)
			if c.rule == "repeat-elsewhere" {
				failed = slices.DeleteFunc(failed, func(rule string) bool { return rule == "repeat-at-once" })
			}
			if c.rule == "repeat" && c.name != "only once on a stream" { // who forgets does so everywhere
				failed = slices.DeleteFunc(failed, func(rule string) bool { return rule == "repeat-elsewhere" || rule == "repeat-at-once" })
			}
			if !slices.Equal(failed, []string{c.rule}) {
				t.Errorf("failed %q, want %s", failed, c.rule)
				tell(t, r)
			}
		})
	}
	for _, rule := range providercheck.Rules() {
		if !broken[rule[0]] {
			t.Errorf("nobody breaks rule %s, so nothing shows that it can fail", rule[0])
		}
	}
}

func tooMany(q *providerv1.EnrichRequest) error {
	if len(q.Subjects) > most {
		return status.Error(codes.InvalidArgument, "too many")
	}
	return nil
}
