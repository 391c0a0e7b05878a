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
	// talk bounds each call to the ledger.
	talk = 10 * time.Second

	// retry is how long a ring is put off when the ledger cannot be asked; ten times that if it answers nonsense.
	retry = time.Second

	// DefaultStallLimit is how long a handler may go without progress before its stage is given back as a fault of the job.
	DefaultStallLimit = 15 * time.Minute
)

// Why a handler's context ended; context.Cause tells.
var (
	// ErrDrain: the process is stopping. The stage is given back and not charged.
	ErrDrain = errors.New("worker is stopping")
	// ErrLost: the lease is somebody else's or has ended. Nothing more may be written.
	ErrLost = errors.New("lease is lost")
	// ErrStalled: there was no progress for the stall limit.
	ErrStalled = errors.New("no progress")
)

// Handler does the work of one stage. Its context ends when the lease is lost, the job is cancelled or the process stops.
// A transient fault gives the stage back uncharged, any other error is charged to the job.
type Handler func(ctx context.Context, c *Claim) (*ingestv1.FinishRequest, error)

// RetryAfter is err with the wish that the stage rests so long once it is given back. The ledger may make it longer and
// bounds it.
func RetryAfter(err error, d time.Duration) error { return &restful{err, d} }

type restful struct {
	error
	rest time.Duration
}

func (r *restful) Unwrap() error { return r.error }

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

// RecallMapping asks what was said of files with the same columns; a ledger that does not remember anything says nothing.
func (c *Claim) RecallMapping(ctx context.Context, headingsKey []byte) (*ingestv1.RecallMappingResponse, error) {
	r, err := c.ledger.RecallMapping(rpc.WithAccount(ctx, c.Account), &ingestv1.RecallMappingRequest{Claim: c.claimant(), HeadingsKey: headingsKey})
	if fault.Of(err) == fault.Unimplemented {
		return &ingestv1.RecallMappingResponse{}, nil
	}
	return r, err
}

// RecallJob asks what a job of the account left, whose report the file may be, corrected. One that there is no report of is
// NotFound, and so is any where the ledger keeps nothing of the kind.
func (c *Claim) RecallJob(ctx context.Context, number int64) (*ingestv1.RecallJobResponse, error) {
	r, err := c.ledger.RecallJob(rpc.WithAccount(ctx, c.Account), &ingestv1.RecallJobRequest{Claim: c.claimant(), Number: number})
	if fault.Of(err) == fault.Unimplemented {
		return nil, fault.New(fault.NotFound, "unknown-job", "no such job")
	}
	return r, err
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
	Stage      event.Stage
	Slots      int // stages worked on at once
	Instance   Instance
	Bus        *bus.Bus
	Ledger     ingestv1.WorkServiceClient
	Handle     Handler
	Log        *slog.Logger
	StallLimit time.Duration // 0 is DefaultStallLimit
}

// Run works until ctx ends, then gives back what it holds and returns. It begins by ending the leases of this instance's
// earlier life, for which it waits until the ledger answers.
func (w *Worker) Run(ctx context.Context) error {
	for told := false; ; told = true {
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
		if !told {
			w.Log.Info("ledger cannot be reached yet", "stage", w.Stage, "error", err)
		}
		if !pause(ctx, retry) {
			return nil
		}
	}
	return w.Bus.Consume(ctx, w.Stage, w.Slots, func(drain context.Context, d bus.Delivery) { w.answer(drain, d.Ring, d) })
}

// doorbell is a ring that was heard: it is held until it is answered.
type doorbell interface {
	Ack() error
	Nak(time.Duration) error
	InProgress() error
}

// answer answers one ring.
func (w *Worker) answer(drain context.Context, ring event.Ring, bell doorbell) {
	log := w.Log.With("stage", w.Stage, "job", ring.Job, "account", ring.Account)
	asked := time.Now()
	// A claim once asked for is waited for even while draining: what was granted unheard would be a lease lost.
	ctx, cancel := context.WithTimeout(rpc.WithAccount(context.WithoutCancel(drain), ring.Account), talk)
	r, err := w.Ledger.Claim(ctx, &ingestv1.ClaimRequest{JobId: ring.Job.String(), Stage: string(w.Stage), Instance: w.Instance.Name, Incarnation: w.Instance.Incarnation.String()})
	cancel()
	switch {
	case err != nil && fault.Of(err).Transient():
		said(log, bell.Nak(retry))
	case err != nil:
		log.Error("claim refused with an error", "error", err)
		said(log, bell.Nak(10*retry))
	case !r.Granted:
		said(log, bell.Ack())
	case r.Work == nil || r.Lease.AsDuration() <= 0:
		log.Error("claim granted without work or lease", "token", r.Token)
		said(log, bell.Nak(10*retry))
	default:
		c := &Claim{Account: ring.Account, Job: ring.Job, Token: r.Token, Work: r.Work, stage: w.Stage, ledger: w.Ledger}
		if w.work(drain, log.With("token", r.Token), c, asked, r.Lease.AsDuration(), bell) {
			said(log, bell.Ack())
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
