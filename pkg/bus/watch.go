package bus

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

// Reread is given to a watcher instead of a number when events may have been missed.
const Reread int64 = -1

// progressBuffer bounds the progress that waits for a slow watcher; more is dropped.
const progressBuffer = 64

// Events calls wake, one call at a time, with the number of the newest event of an account that was heard of, until ctx ends; it then returns
// nil. Numbers may be left out, come again or out of order: the ledger is to be read. wake(Reread) comes first, as soon as no later
// event can be missed, and after each reconnect.
func (b *Bus) Events(ctx context.Context, account uuid.UUID, wake func(number int64)) error {
	const nothing = math.MinInt64
	var newest atomic.Int64
	newest.Store(nothing)
	signal := make(chan struct{}, 1)
	heard := func(n int64) {
		for old := newest.Load(); old != Reread && (n == Reread || n > old); old = newest.Load() {
			if newest.CompareAndSwap(old, n) {
				break
			}
		}
		select {
		case signal <- struct{}{}:
		default:
		}
	}
	return b.listen(ctx, b.names.EventsSubject(account), func() { heard(Reread) }, func(m *nats.Msg) {
		a, n, err := event.ParseID(m.Header.Get(nats.MsgIdHdr))
		if err != nil || a != account {
			n = Reread
		}
		heard(n)
	}, func() {
		for {
			select {
			case <-signal:
				if n := newest.Swap(nothing); n != nothing {
					wake(n)
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

// WatchProgress calls show, one call at a time, with the progress of an account's jobs until ctx ends; it then returns nil.
// Progress that comes faster than show takes it is dropped.
func (b *Bus) WatchProgress(ctx context.Context, account uuid.UUID, show func(event.Progress)) error {
	queue := make(chan event.Progress, progressBuffer)
	return b.listen(ctx, b.names.ProgressSubject(account), func() {}, func(m *nats.Msg) {
		p, err := event.DecodeProgress(m.Data)
		if err != nil || p.Account != account {
			b.log.Warn("progress cannot be read", "error", err)
			return
		}
		select {
		case queue <- p:
		default:
		}
	}, func() {
		for {
			select {
			case p := <-queue:
				show(p)
			case <-ctx.Done():
				return
			}
		}
	})
}

// listen subscribes to a subject, calls fresh when the subscription stands and each time it stands again, and runs deliver until that returns.
func (b *Bus) listen(ctx context.Context, subject string, fresh func(), on nats.MsgHandler, deliver func()) error {
	sub, err := b.conn.Subscribe(subject, on)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "subscribe to %s", subject)
	}
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		b.refresh(ctx, fresh)
	}()
	deliver()
	cancel()
	<-watched
	if err := sub.Unsubscribe(); err != nil && b.conn.IsConnected() {
		return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "unsubscribe from %s", subject)
	}
	return nil
}

// refresh calls fresh after each time the server is known to hold our subscriptions.
func (b *Bus) refresh(ctx context.Context, fresh func()) {
	for b.link.wait(ctx) == nil {
		_, changed := b.link.state()
		fctx, cancel := call(ctx)
		err := b.conn.FlushWithContext(fctx)
		cancel()
		if err == nil {
			fresh()
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		select { // the connection is about to be given up, or the server is slow
		case <-changed:
		case <-time.After(reconnectWait):
		case <-ctx.Done():
		}
	}
}
