package stage_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	"github.com/contactmill/contactmill/pkg/telemetry"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// place is a worker process's surroundings: a ledger over gRPC, and streams of its own on a real NATS.
type place struct {
	*stagetest.Ledger
	*stage.Link
	pending func() int // rings that are not answered for good
}

func newPlace(t *testing.T) *place {
	t.Helper()
	url := os.Getenv("CONTACTMILL_TEST_NATS")
	if url == "" {
		t.Fatal("CONTACTMILL_TEST_NATS is not set: run the tests by `make test`, which starts the parts")
	}
	prefix := "t" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	p := &place{Ledger: stagetest.New()}
	var err error
	p.Link, err = stage.Connect(t.Context(), stage.Config{NATS: config.Secret(url), Prefix: prefix, Ingest: p.Serve(t), ServiceKey: stagetest.Key, Instance: "a", Lease: 30 * time.Second},
		"test", telemetry.New("test", "", io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.Bus.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	names := event.Config{Prefix: prefix}
	t.Cleanup(func() {
		for _, n := range []string{names.JobsStream(), names.EventsStream()} {
			if err := js.DeleteStream(context.WithoutCancel(t.Context()), n); err != nil {
				t.Error(err)
			}
		}
		conn.Close()
	})
	p.pending = func() int {
		s, err := js.Stream(t.Context(), names.JobsStream())
		if err != nil {
			t.Fatal(err)
		}
		return int(s.CachedInfo().State.Msgs)
	}
	return p
}

// ring rings for a stage; work makes it runnable before.
func (p *place) ring(t *testing.T, r event.Ring, work *ingestv1.Work) {
	t.Helper()
	if work != nil {
		p.Put(r, work)
	}
	if err := p.Bus.Ring(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// start runs a worker until the function that it returns is called.
func start(t *testing.T, w *stage.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	ended := false
	stop = func() {
		cancel()
		if !ended {
			ended = true
			if err := <-done; err != nil {
				t.Errorf("worker ended with %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func (p *place) end(t *testing.T) stagetest.Ended {
	t.Helper()
	select {
	case e := <-p.Ended():
		return e
	case <-time.After(time.Minute):
		t.Fatal("no claim ended within a minute")
		return stagetest.Ended{}
	}
}

// empty waits until no ring is left.
func (p *place) empty(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.pending() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d rings are left after a minute", p.pending())
		}
		select {
		case <-t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func finished() *ingestv1.FinishRequest {
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Notified{Notified: &ingestv1.NotifyResult{Sent: 1}}}
}

func TestARingIsClaimedWorkedAndFinished(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := stagetest.Ring(event.Notify)
	start(t, p.Worker(event.Notify, 2, func(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
		if c.Account != r.Account || c.Job != r.Job || c.Work.Notice != "ended" {
			t.Errorf("claim of account %s, job %s with %v", c.Account, c.Job, c.Work)
		}
		if want := "work/" + r.Account.String() + "/" + r.Job.String() + "/notify-1/x"; c.Object("x") != want {
			t.Errorf("object %s, want %s", c.Object("x"), want)
		}
		return finished(), c.LeaveToCommit(ctx)
	}))
	p.ring(t, r, &ingestv1.Work{Notice: "ended"})
	if e := p.end(t); e.Finish.GetClaim().GetJobId() != r.Job.String() || e.Finish.GetClaim().GetToken() != 1 || e.Finish.GetNotified().GetSent() != 1 {
		t.Errorf("ended with %v", e)
	}
	p.ring(t, r, nil) // once more: refused
	p.empty(t)
	if s := p.Starts(); len(s) != 1 || s[0].Instance != "test@a" {
		t.Errorf("starts %v, want one of test@a", s)
	}
}

func TestAPanicStopsAtMostItsJob(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	bad := stagetest.Ring(event.Notify)
	start(t, p.Worker(event.Notify, 1, func(_ context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
		if c.Job == bad.Job {
			panic("poison")
		}
		return finished(), nil
	}))
	p.ring(t, bad, &ingestv1.Work{})
	const good = 20
	for range good {
		p.ring(t, stagetest.Ring(event.Notify), &ingestv1.Work{})
	}
	var ok, panics int
	for range good + 1 {
		switch e := p.end(t); {
		case e.Finish != nil:
			ok++
		case e.Release.Code == "panic" && e.Release.Reason == ingestv1.ReleaseReason_RELEASE_REASON_FAULT && !strings.Contains(e.Release.Message, "poison"):
			panics++
		default:
			t.Errorf("ended with %v", e)
		}
	}
	if ok != good || panics != 1 {
		t.Errorf("%d finished and %d broke, want %d and 1", ok, panics, good)
	}
	p.empty(t)
}

func TestADrainGivesBackUnchargedAndAnotherGoesOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := stagetest.Ring(event.Notify)
	begun := make(chan struct{})
	stop := start(t, p.Worker(event.Notify, 1, func(ctx context.Context, _ *stage.Claim) (*ingestv1.FinishRequest, error) {
		close(begun)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), stage.ErrDrain) {
			t.Errorf("ended because of %v", context.Cause(ctx))
		}
		return nil, ctx.Err()
	}))
	p.ring(t, r, &ingestv1.Work{})
	<-begun
	stop()
	if e := p.end(t); e.Release.GetReason() != ingestv1.ReleaseReason_RELEASE_REASON_DRAIN {
		t.Errorf("ended with %v, want a drain", e)
	}
	start(t, p.Worker(event.Notify, 1, func(context.Context, *stage.Claim) (*ingestv1.FinishRequest, error) { return finished(), nil }))
	p.ring(t, r, nil) // as the ledger does
	if e := p.end(t); e.Finish.GetClaim().GetToken() != 2 {
		t.Errorf("then ended with %v, want a result under token 2", e)
	}
}

func TestWorkersWaitForTheLedger(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var asked atomic.Int64
	p.Before(func(m proto.Message) error {
		if asked.Add(1) <= 2 {
			return fault.New(fault.Unavailable, "away", "the ledger is away")
		}
		return nil
	})
	r := stagetest.Ring(event.Notify)
	p.ring(t, r, &ingestv1.Work{})
	start(t, p.Worker(event.Notify, 1, func(context.Context, *stage.Claim) (*ingestv1.FinishRequest, error) { return finished(), nil }))
	if e := p.end(t); e.Finish == nil {
		t.Errorf("ended with %v", e)
	}
	if len(p.Starts()) != 1 {
		t.Errorf("%d starts, want one", len(p.Starts()))
	}
}

func TestAWorkerThatTheLedgerDoesNotKnowEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.Before(func(proto.Message) error { return fault.New(fault.Invalid, "bad-instance", "no such name") })
	if err := p.Worker(event.Notify, 1, nil).Run(t.Context()); !errors.Is(err, fault.Invalid) {
		t.Errorf("ended with %v, want what the ledger said", err)
	}
}

func TestObjectsOfEarlierStages(t *testing.T) {
	t.Parallel()
	good := &ingestv1.Object{Name: "work/a", Size: 3, Sha256: strings.Repeat("ab", 32)}
	o, err := stage.FromObject("work/", good)
	if err != nil || !proto.Equal(stage.ToObject(o), good) {
		t.Errorf("%v became %v, %v", good, o, err)
	}
	for _, bad := range []*ingestv1.Object{nil, {}, {Name: "work/a"}, {Sha256: good.Sha256}, {Name: "work/a", Sha256: "abc"}, {Name: "work/a", Sha256: strings.Repeat("xy", 32)},
		{Name: "work/a", Sha256: good.Sha256 + "ab"}, {Name: "raw/a", Sha256: good.Sha256}, {Name: "work/", Sha256: good.Sha256}} {
		if o, err := stage.FromObject("work/", bad); !errors.Is(err, fault.DataLoss) {
			t.Errorf("%v became %v, %v; want data loss", bad, o, err)
		}
	}
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
