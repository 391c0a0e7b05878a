package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system is one test's streams on the shared server, with a second way to look at them.
type system struct {
	opts bus.Options
	url  string
	js   jetstream.JetStream
}

func newSystem(t *testing.T) *system {
	t.Helper()
	url := os.Getenv("CONTACTMILL_TEST_NATS")
	if url == "" {
		t.Fatal("CONTACTMILL_TEST_NATS is not set: run the tests by `make test`, which starts the parts")
	}
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	// A server that deletes its last stream removes the directory, and refuses a stream that is made at that moment.
	if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "KEEPER", Subjects: []string{"keeper"}}); err != nil {
		t.Fatal(err)
	}
	prefix := "t" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	s := &system{url: url, js: js, opts: bus.Options{Config: event.Config{Prefix: prefix}, Log: slog.New(slog.DiscardHandler)}}
	t.Cleanup(func() {
		for _, name := range []string{s.opts.JobsStream(), s.opts.EventsStream()} {
			if err := js.DeleteStream(context.WithoutCancel(t.Context()), name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
				t.Error(err)
			}
		}
		conn.Close()
	})
	return s
}

func (s *system) connect(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), s.url, t.Name(), s.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func (s *system) open(t *testing.T) *bus.Bus {
	t.Helper()
	b := s.connect(t)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *system) consumerInfo(t *testing.T, stage event.Stage) *jetstream.ConsumerInfo {
	t.Helper()
	c, err := s.js.Consumer(t.Context(), s.opts.JobsStream(), s.opts.Consumer(stage))
	if err != nil {
		t.Fatal(err)
	}
	return c.CachedInfo()
}

func (s *system) messages(t *testing.T, stream string) uint64 {
	t.Helper()
	st, err := s.js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return st.CachedInfo().State.Msgs
}

// consume runs Consume until the test ends, or stop is called, which waits for it.
func consume(t *testing.T, b *bus.Bus, stage event.Stage, slots int, handle func(context.Context, bus.Delivery)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Consume(ctx, stage, slots, handle) }()
	var stopped atomic.Bool
	stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := receive(t, done, "end of Consume"); err != nil {
			t.Errorf("Consume: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

const patience = 30 * time.Second

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
		panic("unreachable")
	}
}

// until polls what only the server knows.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func ringOf(stage event.Stage) event.Ring {
	return event.Ring{Account: uuid.Must(uuid.NewV7()), Job: uuid.Must(uuid.NewV7()), Stage: stage}
}

func ring(t *testing.T, b *bus.Bus, r event.Ring) {
	t.Helper()
	if err := b.Ring(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func ack(t *testing.T, d bus.Delivery) {
	t.Helper()
	if err := d.Ack(); err != nil {
		t.Errorf("ack %v: %v", d.Ring, err)
	}
}

func TestRingReachesItsStage(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	b := s.open(t)
	for _, stage := range event.Stages() {
		got := make(chan event.Ring, 1)
		consume(t, b, stage, 1, func(_ context.Context, d bus.Delivery) {
			ack(t, d)
			got <- d.Ring
		})
		want := ringOf(stage)
		ring(t, b, want)
		if diff := cmp.Diff(want, receive(t, got, "ring")); diff != "" {
			t.Errorf("ring (-want +got):\n%s", diff)
		}
	}
	until(t, "all rings acknowledged and gone", func() bool { return s.messages(t, s.opts.JobsStream()) == 0 })
	if err := b.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
}

func TestNoMoreThanFreeSlots(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	b := s.open(t)
	const slots, rings = 3, 20
	for range rings {
		ring(t, b, ringOf(event.Merge))
	}
	var running, most atomic.Int64
	begun, goOn := make(chan struct{}, rings), make(chan struct{})
	ended := make(chan struct{}, rings)
	consume(t, b, event.Merge, slots, func(_ context.Context, d bus.Delivery) {
		now := running.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		begun <- struct{}{}
		<-goOn
		running.Add(-1)
		ack(t, d)
		ended <- struct{}{}
	})
	for range slots {
		receive(t, begun, "handler in each slot")
	}
	if i := s.consumerInfo(t, event.Merge); i.NumAckPending != slots || i.NumWaiting != 0 {
		t.Errorf("server has %d rings out and %d requests waiting, want %d and 0", i.NumAckPending, i.NumWaiting, slots)
	}
	close(goOn)
	for range rings {
		receive(t, ended, "end of each handler")
	}
	if most.Load() != slots {
		t.Errorf("%d handlers at once, want %d", most.Load(), slots)
	}
}

func TestConsumeWaitsForItsHandlers(t *testing.T) {
	t.Parallel()
	b := newSystem(t).open(t)
	ring(t, b, ringOf(event.Match))
	begun, goOn := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- b.Consume(ctx, event.Match, 2, func(ctx context.Context, d bus.Delivery) {
			close(begun)
			<-ctx.Done()
			<-goOn
			ended.Store(true)
			ack(t, d)
		})
	}()
	receive(t, begun, "handler")
	cancel()
	select {
	case err := <-done:
		t.Fatalf("Consume returned %v before its handler", err)
	default:
	}
	close(goOn)
	if err := receive(t, done, "end of Consume"); err != nil || !ended.Load() {
		t.Errorf("Consume returned %v, handler ended: %t", err, ended.Load())
	}
}

func TestUnacknowledgedRingComesAgain(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.opts.Lease = 300 * time.Millisecond
	b := s.open(t)
	var times atomic.Int64
	again := make(chan struct{})
	consume(t, b, event.Enrich, 1, func(_ context.Context, d bus.Delivery) {
		if times.Add(1) == 2 {
			ack(t, d)
			close(again)
		}
	})
	ring(t, b, ringOf(event.Enrich))
	receive(t, again, "second delivery after the lease")
}

func TestNakGivesBack(t *testing.T) {
	t.Parallel()
	b := newSystem(t).open(t)
	var times atomic.Int64
	again := make(chan struct{})
	consume(t, b, event.Enrich, 1, func(_ context.Context, d bus.Delivery) {
		if err := d.InProgress(); err != nil {
			t.Errorf("in progress: %v", err)
		}
		if times.Add(1) == 1 {
			if err := d.Nak(10 * time.Millisecond); err != nil {
				t.Errorf("nak: %v", err)
			}
			return
		}
		ack(t, d)
		close(again)
	})
	ring(t, b, ringOf(event.Enrich))
	receive(t, again, "second delivery after the delay")
}

func TestUndecodableRingIsThrownAwayAndCounted(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	counted := make(chan event.Stage, 3)
	s.opts.Undecodable = func(st event.Stage) { counted <- st }
	b := s.open(t)
	other, err := ringOf(event.Merge).Encode()
	if err != nil {
		t.Fatal(err)
	}
	bad := [][]byte{[]byte("\x00garbage"), []byte(`{"v":99}`), other}
	for _, data := range bad {
		if _, err := s.js.Publish(t.Context(), s.opts.JobsSubject(event.Notify), data); err != nil {
			t.Fatal(err)
		}
	}
	good := ringOf(event.Notify)
	ring(t, b, good)
	got := make(chan event.Ring, 1)
	consume(t, b, event.Notify, 1, func(_ context.Context, d bus.Delivery) {
		ack(t, d)
		got <- d.Ring
	})
	for range bad {
		if st := receive(t, counted, "count of an undecodable ring"); st != event.Notify {
			t.Errorf("counted under stage %s, want notify", st)
		}
	}
	if r := receive(t, got, "the good ring"); r != good {
		t.Errorf("got %v, want %v", r, good)
	}
	until(t, "nothing left in the stream", func() bool { return s.messages(t, s.opts.JobsStream()) == 0 })
}

func TestFullStreamRefuses(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	b := s.open(t)
	st, err := s.js.Stream(t.Context(), s.opts.JobsStream())
	if err != nil {
		t.Fatal(err)
	}
	small := st.CachedInfo().Config
	small.MaxMsgs = 1
	if _, err := s.js.UpdateStream(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	ring(t, b, ringOf(event.Match))
	if err := b.Ring(t.Context(), ringOf(event.Match)); !errors.Is(err, fault.Exhausted) {
		t.Errorf("ring into a full stream: %v, want Exhausted", err)
	}
}

func TestVanishedStreamsAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, wipe := range map[string]func(*testing.T, *system){
		"consumer": func(t *testing.T, s *system) {
			if err := s.js.DeleteConsumer(t.Context(), s.opts.JobsStream(), s.opts.Consumer(event.Match)); err != nil {
				t.Fatal(err)
			}
		},
		"streams": func(t *testing.T, s *system) {
			for _, stream := range []string{s.opts.JobsStream(), s.opts.EventsStream()} {
				if err := s.js.DeleteStream(t.Context(), stream); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			b := s.open(t)
			got := make(chan event.Ring, 8)
			consume(t, b, event.Match, 2, func(_ context.Context, d bus.Delivery) {
				ack(t, d)
				got <- d.Ring
			})
			ring(t, b, ringOf(event.Match))
			receive(t, got, "ring before the loss")
			until(t, "the ring is acknowledged and both slots wait", func() bool {
				i := s.consumerInfo(t, event.Match)
				return i.NumAckPending == 0 && i.NumWaiting == 2
			})

			wipe(t, s)
			want := ringOf(event.Match)
			ring(t, b, want)
			if r := receive(t, got, "ring after the loss"); r != want {
				t.Errorf("got %v, want %v", r, want)
			}
			if err := b.PublishEvent(t.Context(), envelope(uuid.Must(uuid.NewV7()), 1)); err != nil {
				t.Errorf("event after the loss: %v", err)
			}
		})
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	other := s.open(t)
	var line *proxy
	line, s.url = newProxy(t, s.url)
	b := s.connect(t)
	got := make(chan event.Ring, 8)
	consume(t, b, event.Export, 1, func(_ context.Context, d bus.Delivery) {
		ack(t, d)
		got <- d.Ring
	})
	ring(t, b, ringOf(event.Export))
	receive(t, got, "ring before the cut")

	line.cut()
	until(t, "not ready", func() bool { return b.Ready() != nil })
	if err := b.Ring(t.Context(), ringOf(event.Match)); !errors.Is(err, fault.Unavailable) {
		t.Errorf("ring without a connection: %v, want Unavailable", err)
	}
	want := ringOf(event.Export)
	ring(t, other, want)
	line.mend()
	if r := receive(t, got, "ring after the reconnect"); r != want {
		t.Errorf("got %v, want %v", r, want)
	}
	until(t, "ready again", func() bool { return b.Ready() == nil })
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	line, url := newProxy(t, s.url)
	line.cut()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := bus.Connect(ctx, url, t.Name(), s.opts); !errors.Is(err, fault.Unavailable) {
		t.Errorf("connect to nothing: %v, want Unavailable", err)
	}
	_, err := bus.Connect(t.Context(), "nats://user:geheim@127.0.0.1:bad", t.Name(), s.opts)
	if err == nil || strings.Contains(fmt.Sprint(err), "geheim") {
		t.Errorf("connect to a bad address: %v, want an error without the password", err)
	}
}
