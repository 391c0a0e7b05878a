package jobs

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

// eventPage is how many events are read from the ledger at once.
const eventPage = 500

// Events is the EventsService.
type Events struct {
	ingestv1.UnimplementedEventsServiceServer

	ledger *ledger.Ledger
	hub    *Hub
}

// NewEvents returns the service over a hub that runs.
func NewEvents(l *ledger.Ledger, hub *Hub) *Events { return &Events{ledger: l, hub: hub} }

type eventStream = grpc.ServerStreamingServer[ingestv1.WatchEventsResponse]

// WatchEvents implements the contract.
func (e *Events) WatchEvents(req *ingestv1.WatchEventsRequest, out eventStream) error {
	ctx := out.Context()
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return err
	}
	if req.GetAfter() < 0 {
		return fault.New(fault.Invalid, "after-negative", "the last number seen is negative").Hint("send 0 for all")
	}
	var only uuid.UUID
	if req.GetJob() != "" {
		ref, err := ledger.ParseRef(req.GetJob())
		if err != nil {
			return err
		}
		job, err := e.ledger.Job(ctx, account, ref)
		if err != nil {
			return err
		}
		only = job.ID
	}
	w := &watcher{account: account, only: only, progress: req.GetProgress(), at: req.GetAfter(), signal: make(chan struct{}, 1), slow: make(chan struct{})}
	if err := e.hub.enter(); err != nil {
		return err
	}
	// A reader that does not read blocks Send, not this: the call can always be ended, and Send with it.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer e.hub.leave()
		ended <- e.watch(ctx, w, out)
	}()
	select {
	case err := <-ended:
		return err
	case <-w.slow:
		return fault.New(fault.Exhausted, "watcher-too-slow", "more than %d events wait to be read", maxQueue).Hint("watch again from the last number seen")
	case <-e.hub.draining:
		return hubDraining()
	case <-rpc.Draining(ctx):
		return hubDraining()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func hubDraining() error {
	return fault.New(fault.Unavailable, "draining", "this instance is stopping").Hint("watch again from the last number seen")
}

// watch sends what is past, then what comes. Joining the feed before the last look at the past leaves no gap between
// the two; what both have is sent once.
func (e *Events) watch(ctx context.Context, w *watcher, out eventStream) error {
	if err := e.past(ctx, w, out); err != nil {
		return err
	}
	leave, err := e.hub.join(ctx, w)
	if err != nil {
		return err
	}
	defer leave()
	if err := e.past(ctx, w, out); err != nil {
		return err
	}
	for {
		items, err := w.take(ctx)
		if err != nil {
			return err
		}
		for _, i := range items {
			if n := i.GetEvent().GetNumber(); n != 0 {
				if n <= w.at {
					continue
				}
				w.at = n
			}
			if !w.wants(i) {
				continue
			}
			if err := out.Send(i); err != nil {
				return err
			}
		}
	}
}

// past sends what the ledger has.
func (e *Events) past(ctx context.Context, w *watcher, out eventStream) error {
	for {
		events, err := e.ledger.Events(ctx, w.account, w.only, w.at, eventPage)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := out.Send(&ingestv1.WatchEventsResponse{Item: &ingestv1.WatchEventsResponse_Event{Event: view.Event(ev)}}); err != nil {
				return err
			}
			w.at = ev.Number
		}
		if len(events) < eventPage {
			return nil
		}
	}
}
