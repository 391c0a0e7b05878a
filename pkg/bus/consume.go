package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	pullMost     = 10 * time.Second // how long one request waits for a ring
	pullLeast    = time.Second
	pullWay      = time.Second // the library keeps this of a request's time for the way
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// Delivery is one ring and its acknowledgement. Until Ack or Nak it is held; a lease without InProgress delivers it again, here or elsewhere.
// An acknowledgement that is lost only means one more delivery.
type Delivery struct {
	Ring event.Ring
	msg  jetstream.Msg
}

// Ack says that the ring has been dealt with, whatever came of it.
func (d Delivery) Ack() error { return d.said("acknowledge", d.msg.Ack()) }

// Nak gives the ring back, to be delivered again after the delay.
func (d Delivery) Nak(delay time.Duration) error {
	return d.said("give back", d.msg.NakWithDelay(delay))
}

// InProgress holds the ring for another lease.
func (d Delivery) InProgress() error { return d.said("hold", d.msg.InProgress()) }

func (d Delivery) said(what string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "%s ring %s of job %s", what, d.Ring.Stage, d.Ring.Job)
}

// Consume hands rings of a stage to handle, at most slots at a time, and asks the server for no more than it has free slots. It returns when
// ctx has ended and every handle has returned: nil then, an error only if the streams cannot be made as they must be. Lost connections and
// vanished streams are waited for and mended. A panic of handle is not caught.
func (b *Bus) Consume(ctx context.Context, stage event.Stage, slots int, handle func(context.Context, Delivery)) error {
	if !stage.Valid() || slots < 1 {
		return fault.New(fault.Invalid, "consume", "cannot consume stage %q with %d slots", stage, slots)
	}
	g, ctx := errgroup.WithContext(ctx)
	for range slots {
		g.Go(func() error { return b.slot(ctx, stage, handle) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("consume %s: %w", stage, err)
	}
	return nil
}

// slot takes one ring after the other until ctx ends.
func (b *Bus) slot(ctx context.Context, stage event.Stage, handle func(context.Context, Delivery)) error {
	var consumer jetstream.Consumer
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = backoffFirst, backoffMost
	for {
		if err := b.link.wait(ctx); err != nil {
			return nil //nolint:nilerr // it says that ctx has ended, as it should
		}
		msg, err := b.next(ctx, stage, &consumer)
		if ctx.Err() != nil {
			b.giveBack(stage, msg)
			return nil
		}
		if err != nil {
			if err := b.mend(ctx, stage, err, wait.NextBackOff()); err != nil {
				return err
			}
			continue
		}
		wait.Reset()
		if msg == nil {
			continue
		}
		ring, err := event.DecodeRing(msg.Data())
		if err == nil && ring.Stage != stage {
			err = errors.New("ring is of another stage")
		}
		if err != nil {
			b.discard(stage, msg, err)
			continue
		}
		handle(ctx, Delivery{Ring: ring, msg: msg})
	}
}

// pullFor is how long one request waits for a ring. A worker that stands still leaves its request at the server, where it
// swallows a ring: it must be gone long before the lease that the worker may hold has ended and the stage is rung again.
func (b *Bus) pullFor() time.Duration { return max(min(b.names.Lease/3, pullMost), pullLeast) }

// next waits for one ring; nil when none came in time or the connection was lost. It looks the consumer up once.
func (b *Bus) next(ctx context.Context, stage event.Stage, consumer *jetstream.Consumer) (jetstream.Msg, error) {
	up, release := b.link.whileUp(ctx)
	defer release()
	unlessLost := func(err error) error {
		if up.Err() != nil {
			return nil
		}
		return err
	}

	if *consumer == nil {
		cctx, cancel := call(up)
		defer cancel()
		c, err := b.js.Consumer(cctx, b.names.JobsStream(), b.names.Consumer(stage))
		if err != nil {
			return nil, unlessLost(err)
		}
		*consumer = c
	}
	pullFor := b.pullFor()
	pull, cancel := context.WithTimeout(up, pullFor+pullWay)
	defer cancel()
	batch, err := (*consumer).Fetch(1, jetstream.FetchContext(pull), jetstream.FetchHeartbeat(pullFor/3)) // two beats missed and it is asked again
	if err != nil {
		return nil, unlessLost(err)
	}
	msg, ok := <-batch.Messages()
	if err := batch.Error(); !ok && err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, unlessLost(err)
	}
	if up.Err() == nil {
		b.link.well()
	}
	return msg, nil
}

// mend makes anew what may be missing and waits. It returns an error if that can never succeed.
func (b *Bus) mend(ctx context.Context, stage event.Stage, cause error, wait time.Duration) error {
	b.log.Warn("waiting for rings was interrupted", "stage", stage, "error", cause)
	err := b.EnsureStreams(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil
	case fault.Of(err).Transient():
		b.log.Warn("streams cannot be made yet", "error", err)
	default:
		return err
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return nil
}

// giveBack lets somebody else have a ring that came just when the work was to end.
func (b *Bus) giveBack(stage event.Stage, msg jetstream.Msg) {
	if msg == nil {
		return
	}
	if err := msg.Nak(); err != nil { // it comes again after a lease
		b.log.Warn("ring not given back", "stage", stage, "error", err)
	}
}

// discard throws away what can never be read. What it says is not logged.
func (b *Bus) discard(stage event.Stage, msg jetstream.Msg, cause error) {
	b.undecodable(stage)
	b.log.Error("ring cannot be read", "stage", stage, "error", cause)
	if err := msg.TermWithReason("cannot be read"); err != nil {
		b.log.Warn("ring not thrown away", "stage", stage, "error", err)
	}
}
