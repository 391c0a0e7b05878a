package jobs

import (
	"context"
	"sync"

	"github.com/google/uuid"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// maxQueue is how many events may wait for a watcher; one more and it is cut.
const maxQueue = 4096

// watcher is one client that watches an account's events.
type watcher struct {
	account  uuid.UUID
	only     uuid.UUID // only this job; uuid.Nil for all
	progress bool
	at       int64 // number of the last event sent; of the goroutine that sends

	mu     sync.Mutex
	queue  []*ingestv1.WatchEventsResponse // shared with other watchers: read only
	cut    bool
	signal chan struct{} // something is in queue
	slow   chan struct{} // closed when cut
}

// push queues events without waiting. A watcher with too many is cut and gets no more.
func (w *watcher) push(items []*ingestv1.WatchEventsResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return
	}
	if len(w.queue)+len(items) > maxQueue {
		w.cut, w.queue = true, nil
		close(w.slow)
		return
	}
	w.queue = append(w.queue, items...)
	w.wake()
}

// pushProgress queues progress if there is room to spare; it may be lost.
func (w *watcher) pushProgress(item *ingestv1.WatchEventsResponse) {
	if !w.progress {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut || len(w.queue) > maxQueue/4 {
		return
	}
	w.queue = append(w.queue, item)
	w.wake()
}

func (w *watcher) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// take waits for something and returns all there is.
func (w *watcher) take(ctx context.Context) ([]*ingestv1.WatchEventsResponse, error) {
	for {
		w.mu.Lock()
		items := w.queue
		w.queue = nil
		w.mu.Unlock()
		if len(items) > 0 {
			return items, nil
		}
		select {
		case <-w.signal:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// wants tells whether an item is of the job watched.
func (w *watcher) wants(i *ingestv1.WatchEventsResponse) bool {
	if w.only == uuid.Nil {
		return true
	}
	id := i.GetEvent().GetJobId()
	if id == "" {
		id = i.GetProgress().GetJobId()
	}
	return id == w.only.String()
}
