package stage

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// tick is how often a worker looks whether its lease wants renewing; progress is told no more often.
	tick = time.Second

	// margin is how long before the end of its lease a worker stops, as a part of the lease: what clocks and networks differ by.
	margin = 10 // a tenth

	// renewals is how often a lease is renewed while it lasts.
	renewals = 3
)

// lease is the time a worker has. It ends by the monotonic clock of this process unless the ledger makes it longer.
type lease struct {
	ctx  context.Context // ends with it
	lose context.CancelCauseFunc

	mu     sync.Mutex
	length time.Duration
	end    *time.Timer
}

// hold begins a lease of the length given, which the ledger granted to a request sent at asked.
func hold(ctx context.Context, asked time.Time, length time.Duration) *lease {
	l := &lease{}
	l.ctx, l.lose = context.WithCancelCause(ctx)
	l.end = time.AfterFunc(left(asked, length), func() { l.lose(ErrLost) })
	l.length = length
	return l
}

// left is how much of a lease there is to work in.
func left(asked time.Time, length time.Duration) time.Duration {
	return length - length/margin - time.Since(asked)
}

// renew makes the lease last for the length given from asked on. One that is lost stays lost.
func (l *lease) renew(asked time.Time, length time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if length > 0 {
		l.length = length
	}
	l.end.Reset(left(asked, l.length))
}

// every is the time between renewals.
func (l *lease) every() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.length / renewals
}

// drop ends what depends on the lease.
func (l *lease) drop() {
	l.end.Stop()
	l.lose(nil)
}

// keep renews a lease until it is lost or dropped, and ends the handler when nothing moves.
func (w *Worker) keep(l *lease, log *slog.Logger, c *Claim, bell doorbell, end context.CancelCauseFunc) {
	stall := w.StallLimit
	if stall == 0 {
		stall = DefaultStallLimit
	}
	t := time.NewTicker(min(tick, l.every()/2))
	defer t.Stop()
	start := time.Now()
	renewed, held, moved := start, start, start
	var told, seen int64
	failing := false
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		done := c.done.Load()
		if done != seen {
			seen, moved = done, now
		}
		if now.Sub(moved) >= stall {
			end(ErrStalled)
			continue // a handler that does not even end now keeps its lease no longer
		}
		every := l.every()
		if now.Sub(held) >= every {
			held = now
			_ = bell.InProgress() // else the ring comes again, and is refused at the claim
		}
		if now.Sub(renewed) < every && (done == told || now.Sub(renewed) < tick) {
			continue
		}
		ctx, cancel := context.WithTimeout(l.ctx, min(talk, every))
		r, err := w.Ledger.Renew(ctx, &ingestv1.RenewRequest{Claim: c.claimant(), Done: done, Total: c.total.Load()})
		cancel()
		switch {
		case err == nil:
			l.renew(now, r.Lease.AsDuration())
			renewed, told, failing = now, done, false
		case errors.Is(err, fault.Stale), errors.Is(err, fault.NotFound), errors.Is(err, fault.Precondition):
			l.lose(ErrLost)
			return
		case l.ctx.Err() == nil && !failing:
			failing = true
			log.Warn("lease cannot be renewed", "error", err)
		}
	}
}
