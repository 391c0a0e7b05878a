package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/postgres"
)

// Bell is where rings and events go: *bus.Bus.
type Bell interface {
	Ring(context.Context, event.Ring) error
	PublishEvent(context.Context, event.Envelope) error
}

// wake is what a commit made sendable.
type wake struct {
	account uuid.UUID
	rings   []ring
}

// ring is a stage to be rung.
type ring struct {
	job   uuid.UUID
	stage event.Stage
	round int32
}

const (
	sweepEvery    = time.Second      // the net under waking
	sweepAccounts = 1000             // looked at in one sweep
	ringsAVisit   = 16               // of one account before the next one has its turn
	eventsAVisit  = 256              // likewise
	relayWorkers  = 4                // ringing, and as many visiting
	visitLimit    = 20 * time.Second // for one visit, with the bus timing out
)

// wake hands what was committed to the relay of this process.
func (l *Ledger) wake(w wake) {
	select {
	case l.woken <- w:
	default: // the sweep finds it
	}
}

// Relay sends what commits left to be sent. One per process; any number of processes.
//
// A ring just committed is sent at once. Everything else, and whatever that missed, is sent by visits to accounts, round
// robin, each a transaction under the account's advisory lock: what is RUNNABLE and not rung, what is in the outbox. It is
// marked as sent after it was sent, so a crash in between sends it twice, which does no harm.
type Relay struct {
	ledger *Ledger
	bell   Bell

	mu      sync.Mutex
	order   []uuid.UUID          // accounts to visit, each once
	pending map[uuid.UUID][]ring // sent already, to be marked
	ready   chan struct{}        // something is in order

	troubled atomic.Bool
}

// NewRelay returns the relay of a ledger.
func NewRelay(l *Ledger, bell Bell) *Relay {
	return &Relay{ledger: l, bell: bell, pending: map[uuid.UUID][]ring{}, ready: make(chan struct{}, 1)}
}

// Run sends until ctx ends; it then returns nil.
func (r *Relay) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range relayWorkers {
		g.Go(func() error { return r.ring(ctx) })
		g.Go(func() error { return r.visitAll(ctx) })
	}
	g.Go(func() error { return r.sweep(ctx) })
	return g.Wait()
}

// ring sends rings that were just committed.
func (r *Relay) ring(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-r.ledger.woken:
			var sent []ring
			for _, k := range w.rings {
				if err := r.bell.Ring(ctx, k.toEvent(w.account)); err != nil {
					r.trouble(ctx, err)
					break
				}
				sent = append(sent, k)
			}
			r.add(w.account, sent)
		}
	}
}

// sweep looks for accounts with anything left to send.
func (r *Relay) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		accounts, err := acrossAccounts[accountRow](ctx, r.ledger, r.ledger.across.ToRelay, sweepAccounts)
		if err != nil {
			r.trouble(ctx, fmt.Errorf("find accounts to relay: %w", err))
		}
		for _, a := range accounts {
			r.add(a.Account, nil)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type accountRow struct {
	Account uuid.UUID `db:"account_id"`
}

// add has an account visited after those that wait already.
func (r *Relay) add(account uuid.UUID, sent []ring) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, waits := r.pending[account]
	r.pending[account] = append(old, sent...)
	if !waits {
		r.order = append(r.order, account)
	}
	r.signal()
}

// next takes the account that waits longest.
func (r *Relay) next() (account uuid.UUID, sent []ring, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.order) == 0 {
		return uuid.Nil, nil, false
	}
	account = r.order[0]
	r.order = r.order[1:]
	sent = r.pending[account]
	delete(r.pending, account)
	if len(r.order) > 0 {
		r.signal()
	}
	return account, sent, true
}

func (r *Relay) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *Relay) visitAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.ready:
		}
		for ctx.Err() == nil {
			account, sent, ok := r.next()
			if !ok {
				break
			}
			more, err := r.visit(ctx, account, sent)
			switch {
			case err != nil:
				r.trouble(ctx, err) // the next sweep tries again
			case more:
				r.add(account, nil)
			}
			if err == nil && r.troubled.Swap(false) {
				r.ledger.cfg.Log.Info("relay works again")
				r.ledger.ringAll.Store(true) // what was rung before may be gone with the bus's store
			}
		}
	}
}

// visit sends what an account has to be sent, up to a bound; more tells whether that was reached.
func (r *Relay) visit(ctx context.Context, account uuid.UUID, sent []ring) (more bool, err error) {
	l := r.ledger
	ctx, cancel := context.WithTimeout(ctx, visitLimit)
	defer cancel()
	err = l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		var rings []*openedRow
		var events []*eventRow
		b := &pgx.Batch{}
		b.Queue(l.sql.RelayLock, account)
		many(b, l.sql.ToRing, &rings, account, ringsAVisit+len(sent))
		many(b, l.sql.ToPublish, &events, account, eventsAVisit)
		if err := send(ctx, tx, b); err != nil {
			return fmt.Errorf("read what to relay: %w", err)
		}
		more = len(rings) == ringsAVisit+len(sent) || len(events) == eventsAVisit

		// What was sent before a failure is marked all the same.
		mark := &pgx.Batch{}
		failed := r.deliver(ctx, account, sent, rings, events, mark)
		if mark.Len() > 0 {
			if err := postgres.Last(ctx, tx, mark); err != nil {
				return fmt.Errorf("mark what was relayed: %w", err)
			}
		}
		if failed != nil {
			more = false
			r.trouble(ctx, failed)
		}
		return nil
	})
	return more, err
}

// deliver sends rings and events, and queues the marks of those that were sent.
func (r *Relay) deliver(ctx context.Context, account uuid.UUID, sent []ring, rings []*openedRow, events []*eventRow, mark *pgx.Batch) error {
	sql := &r.ledger.sql
	for _, k := range sent {
		mark.Queue(sql.MarkRung, account, k.job, k.stage, k.round)
	}
	for _, o := range rings {
		k := ring{job: o.Job, stage: o.Stage, round: o.Round}
		if slices.Contains(sent, k) {
			continue
		}
		if err := r.bell.Ring(ctx, k.toEvent(account)); err != nil {
			return err
		}
		mark.Queue(sql.MarkRung, account, k.job, k.stage, k.round)
	}
	var published []int64
	var failed error
	for _, e := range events {
		envelope, err := e.toEnvelope(account)
		if err == nil {
			err = r.bell.PublishEvent(ctx, envelope)
		}
		if err != nil {
			failed = err
			break
		}
		published = append(published, e.Number)
	}
	if len(published) > 0 {
		mark.Queue(sql.Published, account, published)
	}
	return failed
}

// trouble logs the first of a row of failures; the work itself stays in the ledger.
func (r *Relay) trouble(ctx context.Context, err error) {
	if ctx.Err() == nil && !r.troubled.Swap(true) {
		r.ledger.cfg.Log.Warn("relay in trouble", "error", err)
	}
}

func (k ring) toEvent(account uuid.UUID) event.Ring {
	return event.Ring{Account: account, Job: k.job, Stage: k.stage}
}

// eventData is what an event carries beside its names.
type eventData struct {
	State   State    `json:"state"`
	Counts  *Counts  `json:"counts,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

func (r *eventRow) toEnvelope(account uuid.UUID) (event.Envelope, error) {
	data, err := json.Marshal(eventData{State: r.State, Counts: r.Counts, Problem: r.Problem})
	if err != nil {
		return event.Envelope{}, fmt.Errorf("encode event %d: %w", r.Number, err)
	}
	return event.Envelope{Account: account, Number: r.Number, Type: r.Type, Job: r.Job, JobNumber: r.JobNumber, Time: r.At.UTC(), Data: data}, nil
}
