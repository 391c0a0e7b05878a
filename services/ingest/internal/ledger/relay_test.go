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
	mu      sync.Mutex
	broken  bool
	refused int
	rings   []event.Ring
	events  map[uuid.UUID][]int64
	heard   chan struct{}
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
	defer func() {
		select {
		case b.heard <- struct{}{}:
		default:
		}
	}()
	if b.broken {
		b.refused++
		return errors.New("bell is broken")
	}
	what()
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
	r.untilMarked()
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

// untilMarked waits until every ring was marked as sent: from then on only the reconciler rings.
func (r *rig) untilMarked() {
	r.t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for marked := false; !marked; {
		r.mu.Lock()
		err := r.owner.QueryRow(r.t.Context(), `SELECT bool_and(rung_at IS NOT NULL) FROM ingest.stages WHERE state = 'RUNNABLE'`).Scan(&marked)
		r.mu.Unlock()
		if err != nil {
			r.t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-limit:
			r.t.Fatal("rings were not marked within 20 s")
		}
	}
}

func TestEverythingIsRungAgainAfterTroubles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBell()
	r.relay(r.Ledger, b)
	old := r.accept(newAccount(), "old")
	b.until(t, "first ring", func() bool { return b.rung(old, event.Validate) })
	r.untilMarked()
	b.setBroken(true)
	fresh := r.accept(newAccount(), "fresh")
	b.until(t, "a refusal", func() bool { return b.refused > 0 })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- NewReconciler(r.Ledger).Run(ctx) }()
	b.mu.Lock()
	b.rings = nil // NATS came back without its store
	b.mu.Unlock()
	b.setBroken(false)
	b.until(t, "rings of the new and the old job", func() bool { return b.rung(fresh, event.Validate) && b.rung(old, event.Validate) })
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestRingsOfABacklogThinOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	r.accept(a, "one")
	age := r.Lease().Seconds()
	for rings, wait := range map[int]float64{0: 1, 1: 1, 2: 2, 3: 4, 5: 16, 50: 16} {
		for _, c := range []struct {
			waited float64
			want   int64
		}{{wait * 0.9, 0}, {wait * 1.1, 1}} {
			r.sql(`UPDATE ingest.stages SET rings = $1, rung_at = clock_timestamp() - $2::double precision * interval '1 second'`, rings, c.waited*age)
			if n, err := r.exec(t.Context(), a, r.Ledger.sql.RingAgain, a, age); err != nil || n != c.want {
				t.Errorf("after %d rings and %.1f leases: %d stages rung again, %v, want %d", rings, c.waited, n, err, c.want)
			}
		}
	}
}
