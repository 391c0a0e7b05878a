package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/google/uuid"
)

// bell notes what is sent to it, or refuses.
type bell struct {
	mu     sync.Mutex
	broken bool
	rings  []event.Ring
	events map[uuid.UUID][]int64
	heard  chan struct{}
}

func newBell() *bell {
	return &bell{events: map[uuid.UUID][]int64{}, heard: make(chan struct{}, 1)}
}

func (b *bell) Ring(_ context.Context, r event.Ring) error {
	if _, err := r.Encode(); err != nil {
		return err
	}
	return b.note(func() { b.rings = append(b.rings, r) })
}

func (b *bell) PublishEvent(_ context.Context, e event.Envelope) error {
	if _, err := e.Encode(); err != nil {
		return err
	}
	return b.note(func() { b.events[e.Account] = append(b.events[e.Account], e.Number) })
}

func (b *bell) note(what func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return errors.New("bell is broken")
	}
	what()
	select {
	case b.heard <- struct{}{}:
	default:
	}
	return nil
}

func (b *bell) setBroken(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

// until waits until a condition on what was heard holds.
func (b *bell) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		ok := holds()
		b.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-b.heard:
		case <-limit:
			t.Fatalf("%s: not within 20 s; rings %v, events %v", what, b.rings, b.events)
		}
	}
}

func (b *bell) rung(j Job, s event.Stage) bool {
	return slices.Contains(b.rings, event.Ring{Account: j.Account, Job: j.ID, Stage: s})
}

// relay runs a relay until the test or stop ends it.
func (r *rig) relay(l *Ledger, b Bell) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := NewRelay(l, b).Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	r.t.Cleanup(stop)
	return stop
}

func TestRelaySendsEverythingOnceInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBell()
	r.relay(r.Ledger, b)
	r.relay(r.other, b)
	a := newAccount()
	j := r.accept(a, "one")
	b.until(t, "ring of validate", func() bool { return b.rung(j, event.Validate) })
	r.validate(j)
	b.until(t, "ring of match", func() bool { return b.rung(j, event.Match) })
	r.merge(j)
	b.until(t, "ring of notify", func() bool { return b.rung(j, event.Notify) })
	last := r.now(j).LastEvent
	b.until(t, "events", func() bool { return int64(len(b.events[a])) >= last })
	for i, n := range b.events[a] {
		if n != int64(i+1) {
			t.Fatalf("events were published as %v", b.events[a])
		}
	}
}

func TestOutboxSurvives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBell()
	b.setBroken(true)
	stop := r.relay(r.Ledger, b)
	a, other := newAccount(), newAccount()
	j := r.accept(a, "one")
	var late []Job
	for i := range 20 { // more than one visit can ring
		k := r.accept(other, fmt.Sprint(i))
		if _, err := r.Cancel(t.Context(), other, Ref{ID: k.ID}); err != nil {
			t.Fatal(err)
		}
		late = append(late, k)
	}
	stop() // the process dies with everything unsent
	b.setBroken(false)
	r.relay(r.other, b)
	b.until(t, "ring of validate", func() bool { return b.rung(j, event.Validate) })
	b.until(t, "rings of notices", func() bool {
		for _, k := range late {
			if !b.rung(k, event.Notify) {
				return false
			}
		}
		return true
	})
	b.until(t, "events", func() bool { return len(b.events[a]) == 1 && len(b.events[other]) >= 40 })
}

func TestRungAgainWhenNobodyComes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBell()
	r.relay(r.Ledger, b)
	j := r.accept(newAccount(), "one")
	b.until(t, "first ring", func() bool { return b.rung(j, event.Validate) })
	// until the ring is marked: from then on only the reconciler rings
	deadline := time.Now().Add(20 * time.Second)
	for marked := false; !marked; {
		if err := r.owner.QueryRow(t.Context(), `SELECT bool_and(rung_at IS NOT NULL) FROM ingest.stages`).Scan(&marked); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the ring was not marked within 20 s")
		}
	}
	r.sql(`UPDATE ingest.stages SET rung_at = rung_at - interval '1 hour'`)
	b.mu.Lock()
	b.rings = nil // NATS was wiped
	b.mu.Unlock()
	r.reconcile()
	b.until(t, "second ring", func() bool { return b.rung(j, event.Validate) })

	k := r.take(j, event.Validate)
	b.mu.Lock()
	b.rings = nil
	b.mu.Unlock()
	r.lapse(k)
	r.reconcile()
	b.until(t, "ring after the lease", func() bool { return b.rung(j, event.Validate) })
}
