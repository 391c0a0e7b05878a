package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/event"
)

// watch runs a watch until the test ends.
func watch(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, done, "end of the watch"); err != nil {
			t.Errorf("watch: %v", err)
		}
	})
}

func TestEventsWakeTheirAccount(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	b := s.open(t)
	mine, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	woken := make(chan int64, 16)
	watch(t, func(ctx context.Context) error { return b.Events(ctx, mine, func(n int64) { woken <- n }) })
	if n := receive(t, woken, "first wake-up"); n != bus.Reread {
		t.Fatalf("first wake-up has number %d, want %d", n, bus.Reread)
	}
	for _, e := range []event.Envelope{envelope(other, 9), envelope(mine, 1), envelope(mine, 1)} {
		if err := b.PublishEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if n := receive(t, woken, "wake-up by an event"); n != 1 {
		t.Errorf("wake-up has number %d, want 1", n)
	}
	if n := s.messages(t, s.opts.EventsStream()); n != 2 {
		t.Errorf("stream holds %d events, want 2: one was sent twice", n)
	}
}

func TestSlowWatcherHearsTheNewest(t *testing.T) {
	t.Parallel()
	b := newSystem(t).open(t)
	account := uuid.Must(uuid.NewV7())
	woken, goOn := make(chan int64), make(chan struct{})
	watch(t, func(ctx context.Context) error {
		return b.Events(ctx, account, func(n int64) {
			select {
			case woken <- n:
			case <-ctx.Done():
			}
			select {
			case <-goOn:
			case <-ctx.Done():
			}
		})
	})
	receive(t, woken, "first wake-up")
	const last = 200
	for n := int64(1); n <= last; n++ {
		if err := b.PublishEvent(t.Context(), envelope(account, n)); err != nil {
			t.Fatal(err)
		}
	}
	close(goOn)
	for n := int64(0); n != last; {
		next := receive(t, woken, "wake-up by the last event")
		if next <= n {
			t.Fatalf("wake-up %d after %d", next, n)
		}
		n = next
	}
	if err := b.Ready(); err != nil {
		t.Errorf("Ready with a slow watcher: %v", err)
	}
}

func TestEventsRereadAfterReconnect(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.open(t)
	var line *proxy
	line, s.url = newProxy(t, s.url)
	b := s.connect(t)
	woken := make(chan int64, 16)
	watch(t, func(ctx context.Context) error {
		return b.Events(ctx, uuid.Must(uuid.NewV7()), func(n int64) { woken <- n })
	})
	receive(t, woken, "first wake-up")
	line.cut()
	until(t, "not ready", func() bool { return b.Ready() != nil })
	line.mend()
	if n := receive(t, woken, "wake-up after the reconnect"); n != bus.Reread {
		t.Errorf("wake-up has number %d, want %d", n, bus.Reread)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	b := newSystem(t).open(t)
	want := event.Progress{
		Account: uuid.Must(uuid.NewV7()), Job: uuid.Must(uuid.NewV7()), JobNumber: 4, Stage: event.Match, Done: 1, Total: 2, At: time.Unix(5, 0).UTC(),
	}
	shown := make(chan event.Progress, 1)
	watch(t, func(ctx context.Context) error {
		return b.WatchProgress(ctx, want.Account, func(p event.Progress) {
			select {
			case shown <- p:
			default:
			}
		})
	})
	until(t, "progress is shown", func() bool {
		if err := b.Progress(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		return len(shown) > 0
	})
	if diff := cmp.Diff(want, <-shown); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}
