package inquiry

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

func spoil(f func(*providerv1.EnrichResponse)) inquirytest.Lapse {
	return func(_ int, _ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error { f(a); return nil }
}

func failing(k fault.Kind) inquirytest.Lapse {
	return func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		return fault.New(k, "no", "no")
	}
}

// Whatever a provider does to a batch but refuse it, the inquiry comes back, and has its answer then, paid once.
func TestAProviderThatLetsDown(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	for name, test := range map[string]struct {
		lapse inquirytest.Lapse
		code  string
	}{
		"is away":               {failing(fault.Unavailable), "provider-fails"},
		"breaks":                {failing(fault.Internal), "provider-fails"},
		"loses data":            {failing(fault.DataLoss), "provider-fails"},
		"cancels":               {failing(fault.Cancelled), "provider-fails"},
		"is over quota":         {failing(fault.Exhausted), "provider-quota"},
		"does not know us":      {failing(fault.Unauthenticated), "provider-refuses"},
		"bars us":               {failing(fault.Denied), "provider-refuses"},
		"cannot do it":          {failing(fault.Unimplemented), "provider-refuses"},
		"hangs up":              {func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error { return io.EOF }, "provider-ended"},
		"asks to come back":     {spoil(func(a *providerv1.EnrichResponse) { a.RetryAfter = durationpb.New(90 * time.Second) }), "provider-busy"},
		"answers another batch": {spoil(func(a *providerv1.EnrichResponse) { a.BatchId = "other" }), "provider-answer"},
		"answers too few":       {spoil(func(a *providerv1.EnrichResponse) { a.PhoneFacts = a.PhoneFacts[1:] }), "provider-answer"},
		"answers too many":      {spoil(func(a *providerv1.EnrichResponse) { a.EmailFacts = append(a.EmailFacts, 0) }), "provider-answer"},
		"proves nothing":        {spoil(func(a *providerv1.EnrichResponse) { a.SubjectChecks = nil }), "provider-answer"},
		"answers about others":  {spoil(func(a *providerv1.EnrichResponse) { slices.Reverse(a.SubjectChecks) }), "provider-answer"},
		"mixes up one":          {spoil(func(a *providerv1.EnrichResponse) { a.SubjectChecks[1]++ }), "provider-answer"},
		"knows what is not":     {spoil(func(a *providerv1.EnrichResponse) { a.EmailFacts[0] = 1 }), "provider-answer"},
		"names no set":          {spoil(func(a *providerv1.EnrichResponse) { a.PhoneFacts[0] = 3 }), "provider-answer"},
		"sends empty sets":      {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts = nil }), "provider-answer"},
		"sends too many sets":   {spoil(func(a *providerv1.EnrichResponse) { a.FactSets = slices.Repeat(a.FactSets, 10) }), "provider-answer"},
		"sends a long set": {spoil(func(a *providerv1.EnrichResponse) {
			a.FactSets[0].Facts = slices.Repeat(a.FactSets[0].Facts, maxFacts+1)
		}), "provider-answer"},
		"tells a fact twice":     {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts = slices.Repeat(a.FactSets[0].Facts, 2) }), "provider-answer"},
		"misnames a fact":        {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Name = "Line Type" }), "provider-answer"},
		"sends a long value":     {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Value = strings.Repeat("x", 1025) }), "provider-answer"},
		"sends a line":           {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Value = "a\nb" }), "provider-answer"},
		"sends a NUL":            {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Value = "a\x00b" }), "provider-answer"},
		"pays for being asked":   {spoil(func(a *providerv1.EnrichResponse) { a.CostMicros = -1 }), "provider-answer"},
		"costs more than said":   {spoil(func(a *providerv1.EnrichResponse) { a.CostMicros++ }), "provider-answer"},
		"sends a huge answer":    {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Value = strings.Repeat("x", maxAnswer) }), "provider-quota"},
		"dies behind the charge": {func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error { panic("gone") }, "provider-fails"},
	} {
		t.Run(name, func(t *testing.T) {
			c.account = uuid.Must(uuid.NewV7())
			rows := []pair{{"+12022243441", ""}, {"", "a@example.com"}}
			c.provider.Lapses(test.lapse)
			_, said, err := c.run(t.Context(), c.Desk, nil, rows)
			if !errors.Is(err, fault.Unavailable) || fault.Code(err) != test.code {
				t.Fatalf("%v (%s), want to come back because of %s", err, fault.Code(err), test.code)
			}
			if len(said) != 0 {
				t.Errorf("said %v of a batch that was not answered", said)
			}
			c.provider.Lapses(nil)
			c.heal(t)
			_, said, err = c.run(t.Context(), c.Desk, nil, rows)
			if err != nil {
				t.Fatalf("then %v, want to go on", err)
			}
			saidRight(t, rows, said)
			if n := count[int](t, c, "select count(*) from enrichment.batches where account_id = $1", c.account); n != 1 {
				t.Errorf("%d batches, want the one", n)
			}
		})
	}
}

func TestASlowProviderIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.cfg.Timeout = 50 * time.Millisecond
	held := make(chan struct{})
	c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error { <-held; return nil })
	_, _, err := c.run(t.Context(), c.Desk, nil, people(0, 1))
	close(held)
	if !errors.Is(err, fault.Unavailable) || fault.Code(err) != "provider-slow" {
		t.Errorf("%v, want to come back", err)
	}
}

// A provider that says nonsense of itself is as good as away.
func TestWhatAProviderMaySayOfItself(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	for name, change := range map[string]func(*providerv1.DescribeResponse){
		"no name":          func(d *providerv1.DescribeResponse) { d.Name = "" },
		"an odd name":      func(d *providerv1.DescribeResponse) { d.Name = "Test Provider" },
		"a long name":      func(d *providerv1.DescribeResponse) { d.Name = strings.Repeat("x", 65) },
		"no currency":      func(d *providerv1.DescribeResponse) { d.Currency = "" },
		"an odd currency":  func(d *providerv1.DescribeResponse) { d.Currency = "€" },
		"a negative price": func(d *providerv1.DescribeResponse) { d.PriceMicros = -1 },
		"a huge price":     func(d *providerv1.DescribeResponse) { d.PriceMicros = 1 << 62 },
		"huge batches":     func(d *providerv1.DescribeResponse) { d.MaxBatch = 10_001 },
		"negative batches": func(d *providerv1.DescribeResponse) { d.MaxBatch = -1 },
		"a short memory":   func(d *providerv1.DescribeResponse) { d.Remembers = durationpb.New(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newCounterAt(c)
			was, err := d.Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.provider.Describes(func(r *providerv1.DescribeResponse) {
				r.Name, r.Currency, r.PriceMicros, r.MaxBatch, r.Remembers = was.Name, was.Currency, was.Price, 0, durationpb.New(was.Remembers)
			})
			c.provider.Describes(change)
			if _, err := d.Describe(t.Context()); fault.Code(err) != "provider-answer" {
				t.Errorf("%v, want its answer refused", err)
			}
			if about, err := d.Described(t.Context()); err != nil || *about != *was {
				t.Errorf("what it said last is %+v, %v; want %+v", about, err, was)
			}
		})
	}
}

// newCounterAt is the counter's desk in its next life: it remembers nothing that is not written down.
func newCounterAt(c *counter) *Desk {
	return &Desk{cfg: c.cfg, ledger: c.ledger, keys: c.keys, provider: c.Desk.provider, log: c.log}
}

func TestWhatIsKnownOfAProviderThatIsAway(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Away(fault.New(fault.Unavailable, "away", "away"))
	if about, err := newCounterAt(c).Described(t.Context()); about != nil || err != nil {
		t.Errorf("before it ever spoke: %v, %v", about, err)
	}
	c.provider.Away(nil)
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.provider.Away(fault.New(fault.Unavailable, "away", "away"))
	about, err := newCounterAt(c).Described(t.Context())
	if err != nil || about == nil || about.Price != inquirytest.Price || about.Name != "test" {
		t.Errorf("%+v, %v; want what it said last", about, err)
	}
}

// Each failure makes the rest longer; while it lasts nobody calls for this account, and others are not touched.
func TestTheBreaker(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.provider.Away(fault.New(fault.Unavailable, "away", "away"))
	rows := people(0, 1)
	for i, want := range []time.Duration{1, 2, 4, 5, 5} { // minutes, as the first rest here is one, and five are the most
		_, _, err := c.run(t.Context(), c.Desk, nil, rows)
		down, ok := errors.AsType[*Down](err)
		if !ok || !errors.Is(err, fault.Unavailable) || down.Failures != i+1 {
			t.Fatalf("failure %d: %v", i, err)
		}
		if least, most := want*45*time.Second, want*75*time.Second; down.Left < least-5*time.Second || down.Left > most {
			t.Errorf("failure %d: it rests for %s, want %s to %s", i, down.Left, least, most)
		}
		calls := c.provider.Calls()
		_, _, err = c.run(t.Context(), newCounterAt(c), nil, rows)
		if again, ok := errors.AsType[*Down](err); !ok || again.Failures != i+1 || again.Left > down.Left || fault.Code(err) != "provider-fails" {
			t.Errorf("while it rests: %v", err)
		}
		if n := c.provider.Calls() - calls; n != 0 {
			t.Fatalf("it was called %d times while it rests", n)
		}
		c.heal(t)
	}
	c.provider.Away(nil)
	failed := c.account
	c.exec(t, "update enrichment.breakers set open_until = now() + interval '1 hour'")
	c.account = uuid.Must(uuid.NewV7())
	if _, _, err := c.run(t.Context(), c.Desk, nil, rows); err != nil {
		t.Errorf("another account: %v", err)
	}
	c.account = failed
	c.heal(t)
	if _, _, err := c.run(t.Context(), c.Desk, nil, rows); err != nil {
		t.Fatal(err)
	}
	if n := count[int](t, c, "select failures from enrichment.breakers where account_id = $1", failed); n != 0 {
		t.Errorf("behind an answer %d failures are left", n)
	}
}

func TestTheProvidersWishIsItsRest(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Lapses(spoil(func(a *providerv1.EnrichResponse) { a.RetryAfter = durationpb.New(90 * time.Second) }))
	_, _, err := c.run(t.Context(), c.Desk, nil, people(0, 1))
	down, ok := errors.AsType[*Down](err)
	if !ok || down.Failures != 0 || down.Left > 90*time.Second || down.Left < 80*time.Second {
		t.Errorf("%v: %+v, want 90 s and no failure", err, down)
	}
}

// An order that goes on without the provider does not at its first hiccup; then it has what the ledger has, and what is left is
// asked by whoever comes later.
func TestGoingOnWithoutAProviderThatIsDown(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*inquirytest.Provider{"free": inquirytest.Free(), "paid": inquirytest.Paid()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, p)
			c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 4 })
			goOn := func(o *Order) { o.GoOn = true }
			rows := people(0, 10)
			if _, _, err := c.run(t.Context(), c.Desk, nil, rows[3:5]); err != nil { // by another job, before
				t.Fatal(err)
			}
			before := len(c.provider.Asked())
			c.provider.Lapses(func(n int, _ *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
				if n == before {
					return nil
				}
				return fault.New(fault.Unavailable, "no", "no")
			})
			for i := range 2 {
				if _, _, err := c.run(t.Context(), c.Desk, goOn, rows); !errors.Is(err, fault.Unavailable) {
					t.Fatalf("hiccup %d: %v, want to wait", i, err)
				}
				c.heal(t)
			}
			r, said, err := c.run(t.Context(), c.Desk, goOn, rows)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sent+r.Later != 10 || r.Later == 0 || int64(len(said)) != r.Sent {
				t.Errorf("%+v, said %v", r, said)
			}
			if name == "paid" && (r.Sent != 6 || r.Later != 4) { // two before, one batch of four
				t.Errorf("%+v, want 6 by the ledger and 4 later", r)
			}
			r, _, err = c.run(t.Context(), newCounterAt(c), goOn, rows) // while it rests
			if err != nil || r.Later == 0 {
				t.Errorf("while it rests: %+v, %v", r, err)
			}
			c.provider.Lapses(nil)
			c.heal(t)
			if r, said, err = c.run(t.Context(), c.Desk, goOn, rows); err != nil || r.Later != 0 {
				t.Fatalf("then %+v, %v", r, err)
			}
			saidRight(t, rows, said)
			if name == "paid" {
				c.whole(t)
			}
		})
	}
}

// That the caller goes away is not the provider's failure.
func TestCancellingIsNoFailure(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	ctx, cancel := context.WithCancel(t.Context())
	c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		cancel()
		<-ctx.Done()
		return errKilled
	})
	if _, _, err := c.run(ctx, c.Desk, nil, people(0, 1)); err == nil {
		t.Fatal("not cancelled")
	}
	if n := count[int](t, c, "select count(*) from enrichment.breakers"); n != 0 {
		t.Error("it is held against the provider")
	}
}
