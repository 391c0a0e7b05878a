// Package stage is the loop that every worker runs: a ring says that a stage of a job may be worked on, a claim makes it
// this worker's for the length of a lease, and what the handler returns ends the stage or gives it back.
//
// The ring is only a doorbell. Who may work, for how long and how often is decided by the ledger; a worker that does not
// hear from it stops by its own monotonic clock before its lease has ended, so that whoever comes next works alone.
package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// tick is how often a worker looks whether its lease wants renewing; progress is told no more often.
	tick = time.Second

	// margin is how long before the end of its lease a worker stops, as a part of the lease: what clocks and networks differ by.
	margin = 10 // a tenth

	// talk bounds each call to the ledger.
	talk = 10 * time.Second

	// retry is how long a ring is put off when the ledger cannot be asked.
	retry = time.Second

	// StallLimit is how long a handler may go without progress before its stage is given back as a fault of the job.
	StallLimit = 15 * time.Minute
)

// Why a handler's context ended; context.Cause tells.
var (
	// ErrDrain: the process is stopping. The stage is given back and not charged.
	ErrDrain = errors.New("worker is stopping")
	// ErrLost: the lease is somebody else's or has ended. Nothing more may be written.
	ErrLost = errors.New("lease is lost")
	// ErrStalled: there was no progress for StallLimit.
	ErrStalled = errors.New("no progress")
)

// Handler does the work of one stage. Its context ends when the lease is lost, the job is cancelled or the process stops.
// A transient fault gives the stage back uncharged, any other error is charged to the job.
type Handler func(ctx context.Context, c *Claim) (*ingestv1.FinishRequest, error)

// Claim is a stage of a job that this worker holds.
type Claim struct {
	Account, Job uuid.UUID
	Token        int64
	Work         *ingestv1.Work

	stage       event.Stage
	ledger      ingestv1.WorkServiceClient
	done, total atomic.Int64
}

// Progress says how many rows are done, and of how many (0 while not known). It is cheap: call it as often as you like.
func (c *Claim) Progress(done, total int64) { c.done.Store(done); c.total.Store(total) }

// Object names an object of this claim: work/<account>/<job>/<stage>-<token>/<what>.
func (c *Claim) Object(what string) string {
	return fmt.Sprintf("work/%s/%s/%s-%d/%s", c.Account, c.Job, c.stage, c.Token, what)
}

// LeaveToCommit asks whether the job may be committed. From its yes on the job can no longer be cancelled, and only the
// contact database's answer decides. Asked again it answers the same.
func (c *Claim) LeaveToCommit(ctx context.Context) error {
	_, err := c.ledger.LeaveToCommit(rpc.WithAccount(ctx, c.Account), &ingestv1.LeaveToCommitRequest{Claim: c.claimant()})
	return err
}

func (c *Claim) claimant() *ingestv1.Claimant {
	return &ingestv1.Claimant{JobId: c.Job.String(), Stage: string(c.stage), Token: c.Token}
}

// Instance is one life of a process that claims stages.
type Instance struct {
	Name        string // outlives restarts: a pod's name, a state directory
	Incarnation uuid.UUID
}

// Worker claims and works one kind of stage.
type Worker struct {
	Stage    event.Stage
	Slots    int // stages worked on at once
	Instance Instance
	Bus      *bus.Bus
	Ledger   ingestv1.WorkServiceClient
	Handle   Handler
	Log      *slog.Logger
}

// Run works until ctx ends, then gives back what it holds and returns. It begins by ending the leases of this instance's
// earlier life, for which it waits until the ledger answers.
func (w *Worker) Run(ctx context.Context) error {
	for {
		c, cancel := context.WithTimeout(ctx, talk)
		_, err := w.Ledger.StartInstance(c, &ingestv1.StartInstanceRequest{Instance: w.Instance.Name, Incarnation: w.Instance.Incarnation.String()})
		cancel()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		if !fault.Of(err).Transient() {
			return fmt.Errorf("start instance %s: %w", w.Instance.Name, err)
		}
		w.Log.Info("ledger cannot be reached yet", "stage", w.Stage, "error", err)
		if !pause(ctx, retry) {
			return nil
		}
	}
	return w.Bus.Consume(ctx, w.Stage, w.Slots, w.answer)
}

// answer answers one ring.
func (w *Worker) answer(drain context.Context, d bus.Delivery) {
	log := w.Log.With("stage", w.Stage, "job", d.Ring.Job, "account", d.Ring.Account)
	asked := time.Now()
	ctx, cancel := context.WithTimeout(rpc.WithAccount(drain, d.Ring.Account), talk)
	r, err := w.Ledger.Claim(ctx, &ingestv1.ClaimRequest{JobId: d.Ring.Job.String(), Stage: string(w.Stage), Instance: w.Instance.Name, Incarnation: w.Instance.Incarnation.String()})
	cancel()
	switch {
	case err != nil && (fault.Of(err).Transient() || drain.Err() != nil):
		said(log, d.Nak(retry))
		return
	case err != nil:
		log.Error("claim refused with an error", "error", err)
		said(log, d.Nak(10*retry))
		return
	case !r.Granted:
		said(log, d.Ack())
		return
	}
	c := &Claim{Account: d.Ring.Account, Job: d.Ring.Job, Token: r.Token, Work: r.Work, stage: w.Stage, ledger: w.Ledger}
	if w.work(drain, log.With("token", r.Token), c, asked, r.Lease.AsDuration(), d) {
		said(log, d.Ack())
	}
}

// work runs the handler under the lease and tells the ledger how it ended. It returns whether the ring is answered for good.
func (w *Worker) work(drain context.Context, log *slog.Logger, c *Claim, asked time.Time, lease time.Duration, d bus.Delivery) bool {
	ctx, end := context.WithCancelCause(context.WithoutCancel(drain))
	defer end(nil)
	stop := context.AfterFunc(drain, func() { end(ErrDrain) })
	defer stop()
	var until atomic.Pointer[time.Time] // when this worker must have stopped
	set := func(t time.Time) { t = t.Add(lease - lease/margin); until.Store(&t) }
	set(asked)
	keep, letGo := context.WithCancel(rpc.WithAccount(context.WithoutCancel(drain), c.Account))
	kept := make(chan struct{})
	go func() { defer close(kept); w.keep(keep, end, c, lease, set, &until, d) }()
	defer func() { letGo(); <-kept }() // the lease is kept until the ledger has been told

	result, err := w.handle(rpc.WithAccount(ctx, c.Account), c)
	cause := context.Cause(ctx)
	if err != nil && cause == nil {
		cause = err
	}
	if err == nil && cause != nil && !errors.Is(cause, ErrDrain) {
		err = cause // a result under a lost lease is no result
	}
	if err == nil {
		result.Claim = c.claimant()
		err = w.say(ctx, c, &until, func(ctx context.Context) error { _, err := w.Ledger.Finish(ctx, result); return err })
		if err != nil {
			log.Warn("stage finished and the ledger did not take it", "error", err)
		}
		return err == nil || errors.Is(err, fault.Stale)
	}
	release := &ingestv1.ReleaseRequest{Claim: c.claimant(), Message: fault.ToStatus(err).Message(), Code: fault.Code(err)}
	switch {
	case errors.Is(cause, ErrLost), errors.Is(err, fault.Stale):
		log.Info("stage let go", "error", err)
		return true
	case errors.Is(cause, ErrDrain):
		release.Reason, release.Code = ingestv1.ReleaseReason_RELEASE_REASON_DRAIN, "drain"
	case errors.Is(cause, ErrStalled):
		release.Reason, release.Code = ingestv1.ReleaseReason_RELEASE_REASON_FAULT, "stalled"
	case fault.Of(err).Transient():
		release.Reason = ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE
	default:
		release.Reason = ingestv1.ReleaseReason_RELEASE_REASON_FAULT
	}
	log.Warn("stage given back", "reason", release.Reason, "code", release.Code, "error", err)
	err = w.say(ctx, c, &until, func(ctx context.Context) error { _, err := w.Ledger.Release(ctx, release); return err })
	if err != nil {
		log.Warn("stage could not be given back: its lease will end", "error", err)
	}
	return err == nil || errors.Is(err, fault.Stale)
}

// handle runs the handler; its panic is a fault of the job, for the other jobs of this process must go on.
func (w *Worker) handle(ctx context.Context, c *Claim) (r *ingestv1.FinishRequest, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error("handler panicked", "stage", w.Stage, "job", c.Job, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "panic", "the %s worker broke on this job", w.Stage)
		}
	}()
	return w.Handle(ctx, c)
}

// say tells the ledger, again and again while the lease lasts if the ledger cannot be reached.
func (w *Worker) say(ctx context.Context, c *Claim, until *atomic.Pointer[time.Time], call func(context.Context) error) error {
	ctx = rpc.WithAccount(context.WithoutCancel(ctx), c.Account)
	for {
		once, cancel := context.WithTimeout(ctx, talk)
		err := call(once)
		cancel()
		if err == nil || !fault.Of(err).Transient() || time.Now().Add(retry).After(*until.Load()) {
			return err
		}
		pause(ctx, retry/4)
	}
}

// keep renews the lease until ctx ends, and ends the handler when the lease is lost or nothing moves.
func (w *Worker) keep(ctx context.Context, end context.CancelCauseFunc, c *Claim, lease time.Duration, set func(time.Time), until *atomic.Pointer[time.Time], d bus.Delivery) {
	every := min(tick, lease/6)
	t := time.NewTicker(every)
	defer t.Stop()
	renewed, moved := time.Now(), time.Now()
	var told, seen int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		if now.After(*until.Load()) {
			end(ErrLost)
			return
		}
		done := c.done.Load()
		if done != seen {
			seen, moved = done, now
		}
		if now.Sub(moved) > StallLimit {
			end(ErrStalled)
			return
		}
		if now.Sub(renewed) < lease/3 && done == told {
			continue
		}
		call, cancel := context.WithTimeout(ctx, min(talk, lease/3))
		_, err := w.Ledger.Renew(call, &ingestv1.RenewRequest{Claim: c.claimant(), Done: done, Total: c.total.Load()})
		cancel()
		switch {
		case err == nil:
			set(now)
			if now.Sub(renewed) >= lease/3 {
				_ = d.InProgress() // a ring that comes again is refused at the claim
			}
			renewed, told = now, done
		case errors.Is(err, fault.Stale), errors.Is(err, fault.NotFound), errors.Is(err, fault.Precondition):
			end(ErrLost)
			return
		}
	}
}

func said(log *slog.Logger, err error) {
	if err != nil {
		log.Info("ring could not be answered: it will come again", "error", err)
	}
}

// pause waits and tells whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
