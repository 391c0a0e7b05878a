package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

const (
	// maxWatchers of one replica, each with a goroutine or two.
	maxWatchers = 10_000
	// lookAgain is how often a feed reads the ledger though nobody woke it: NATS may be away.
	lookAgain = 2 * time.Second
	// readAgain is how long a feed waits when the ledger cannot be read.
	readAgain = 250 * time.Millisecond
)

// Hub reads the events of each watched account once and hands them to all of its watchers.
type Hub struct {
	ledger *ledger.Ledger
	bus    *bus.Bus
	log    *slog.Logger

	draining chan struct{}
	running  sync.WaitGroup // feeds and watchers

	mu       sync.Mutex
	stopped  bool
	watchers int
	feeds    map[uuid.UUID]*feed
}

// NewHub returns a hub; it takes watchers until Run ends.
func NewHub(l *ledger.Ledger, b *bus.Bus, log *slog.Logger) *Hub {
	return &Hub{ledger: l, bus: b, log: log, draining: make(chan struct{}), feeds: map[uuid.UUID]*feed{}}
}

// Run waits for ctx to end, then cuts all watchers with Unavailable, so that they resume elsewhere, and waits for them.
func (h *Hub) Run(ctx context.Context) error {
	<-ctx.Done()
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	close(h.draining)
	h.running.Wait()
	return nil
}

// enter counts a watcher in.
func (h *Hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return hubDraining()
	}
	if h.watchers >= maxWatchers {
		return fault.New(fault.Exhausted, "too-many-watchers", "%d watchers are connected, the limit", maxWatchers).Hint("try again later")
	}
	h.watchers++
	h.running.Add(1)
	return nil
}

func (h *Hub) leave() {
	h.mu.Lock()
	h.watchers--
	h.mu.Unlock()
	h.running.Done()
}

// join has the events from now on pushed to w, by the account's feed, until leave. The feed begins with its first watcher
// and ends with its last.
func (h *Hub) join(ctx context.Context, w *watcher) (leave func(), err error) {
	if f := h.add(w); f != nil {
		return func() { h.part(f, w) }, nil
	}
	head, err := h.ledger.LastEvent(ctx, w.account)
	if err != nil {
		return nil, err
	}
	f := h.begin(ctx, w, head)
	return func() { h.part(f, w) }, nil
}

// add adds w to its account's feed, if there is one.
func (h *Hub) add(w *watcher) *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[w.account]
	if f != nil {
		f.add(w)
	}
	return f
}

// begin makes a feed that goes on after head, unless somebody was quicker, and adds w.
func (h *Hub) begin(ctx context.Context, w *watcher, head int64) *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[w.account]
	if f == nil {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives this watcher if others join
		f = &feed{hub: h, account: w.account, at: head, end: cancel, wake: make(chan struct{}, 1), watchers: map[*watcher]struct{}{}}
		h.feeds[w.account] = f
		h.running.Go(func() { f.run(ctx) })
	}
	f.add(w)
	return f
}

func (h *Hub) part(f *feed, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
	if len(f.watchers) == 0 {
		delete(h.feeds, f.account)
		f.end()
	}
}

// feed is the events of one account on their way to its watchers.
type feed struct {
	hub     *Hub
	account uuid.UUID
	at      int64 // number of the last event read; of the goroutine in run
	end     context.CancelFunc
	wake    chan struct{}

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

func (f *feed) add(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers[w] = struct{}{}
}

func (f *feed) run(ctx context.Context) {
	var heard sync.WaitGroup
	defer heard.Wait()
	heard.Go(func() { f.ended("events", f.hub.bus.Events(ctx, f.account, func(int64) { f.look() })) })
	heard.Go(func() { f.ended("progress", f.hub.bus.WatchProgress(ctx, f.account, f.show)) })
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-f.wake:
		case <-again.C:
		case <-ctx.Done():
			return
		}
		wait := lookAgain
		if err := f.read(ctx); err != nil && ctx.Err() == nil {
			f.hub.log.Warn("events not read", "account", f.account, "error", err)
			wait = readAgain
		}
		again.Reset(wait)
	}
}

// ended says when a subscription fell away; the feed still looks by itself.
func (f *feed) ended(what string, err error) {
	if err != nil {
		f.hub.log.Warn("subscription ended", "subscription", what, "account", f.account, "error", err)
	}
}

func (f *feed) look() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// read pushes what is new.
func (f *feed) read(ctx context.Context) error {
	for {
		events, err := f.hub.ledger.Events(ctx, f.account, uuid.Nil, f.at, eventPage)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return nil
		}
		items := make([]*ingestv1.WatchEventsResponse, len(events))
		for i, e := range events {
			items[i] = &ingestv1.WatchEventsResponse{Item: &ingestv1.WatchEventsResponse_Event{Event: view.Event(e)}}
		}
		f.each(func(w *watcher) { w.push(items) })
		f.at = events[len(events)-1].Number
		if len(events) < eventPage {
			return nil
		}
	}
}

func (f *feed) show(p event.Progress) {
	item := &ingestv1.WatchEventsResponse{Item: &ingestv1.WatchEventsResponse_Progress{Progress: view.Progress(p)}}
	f.each(func(w *watcher) { w.pushProgress(item) })
}

func (f *feed) each(do func(*watcher)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		do(w)
	}
}
