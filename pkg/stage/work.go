package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// work runs the handler under its lease and tells the ledger how it ended. It returns whether the ring is answered for good.
func (w *Worker) work(drain context.Context, log *slog.Logger, c *Claim, asked time.Time, length time.Duration, bell doorbell) bool {
	l := hold(rpc.WithAccount(context.WithoutCancel(drain), c.Account), asked, length)
	ctx, end := context.WithCancelCause(l.ctx)
	defer end(nil)
	defer context.AfterFunc(drain, func() { end(ErrDrain) })()
	if drain.Err() != nil {
		end(ErrDrain) // before the handler begins, not soon after
	}
	kept := make(chan struct{})
	go func() { defer close(kept); w.keep(l, log, c, bell, end) }()
	defer func() { l.drop(); <-kept }() // the lease is kept until the ledger has been told

	result, err := w.handle(ctx, c)
	lost, cause := l.ctx.Err() != nil, context.Cause(ctx)
	if err == nil && !lost {
		result.Claim = c.claimant()
		if err = w.say(l, func(ctx context.Context) error { _, err := w.Ledger.Finish(ctx, result); return err }); err == nil {
			return true
		}
		log.Warn("stage finished and the ledger did not take it", "error", err)
		lost, cause = l.ctx.Err() != nil, nil
	}
	if lost || errors.Is(err, fault.Stale) {
		log.Info("stage let go", "error", err)
		return true
	}
	release := w.release(c, cause, err)
	level := slog.LevelWarn
	if release.Reason == ingestv1.ReleaseReason_RELEASE_REASON_DRAIN {
		level = slog.LevelInfo
	}
	log.Log(ctx, level, "stage given back", "reason", release.Reason.String(), "code", release.Code, "error", err)
	if err = w.say(l, func(ctx context.Context) error { _, err := w.Ledger.Release(ctx, release); return err }); err != nil {
		log.Warn("stage could not be given back: its lease will end", "error", err)
	}
	return err == nil || errors.Is(err, fault.Stale)
}

// release says why a stage is given back: by what ended the handler's context, else by the handler's own error.
func (w *Worker) release(c *Claim, cause, err error) *ingestv1.ReleaseRequest {
	r := &ingestv1.ReleaseRequest{Claim: c.claimant(), Reason: ingestv1.ReleaseReason_RELEASE_REASON_FAULT, Message: fault.ToStatus(err).Message(), Code: fault.Code(err)}
	switch {
	case errors.Is(cause, ErrDrain):
		r.Reason, r.Code, r.Message = ingestv1.ReleaseReason_RELEASE_REASON_DRAIN, "drain", "The worker was stopped."
	case errors.Is(cause, ErrStalled):
		r.Code, r.Message = "stalled", fmt.Sprintf("The %s worker made no progress.", w.Stage)
	case fault.Of(err).Transient():
		r.Reason = ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE
	}
	if rest, ok := errors.AsType[*restful](err); ok {
		r.RetryAfter = durationpb.New(rest.rest)
	}
	return r
}

// handle runs the handler; its panic is a fault of the job, for the other jobs of this process must go on.
func (w *Worker) handle(ctx context.Context, c *Claim) (r *ingestv1.FinishRequest, err error) {
	defer func() {
		if p := recover(); p != nil { // what it says may be of the file, so it is not told
			w.Log.Error("handler panicked", "stage", w.Stage, "job", c.Job, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "panic", "the %s worker broke on this job", w.Stage)
		}
	}()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	r, err = w.Handle(ctx, c)
	if r == nil && err == nil {
		err = fault.New(fault.Internal, "no-result", "the %s worker ended without a result", w.Stage)
	}
	return r, err
}

// say tells the ledger, again and again while the lease lasts if the ledger cannot be reached.
func (w *Worker) say(l *lease, call func(context.Context) error) error {
	for {
		ctx, cancel := context.WithTimeout(l.ctx, talk)
		err := call(ctx)
		cancel()
		if err == nil || !fault.Of(err).Transient() || !pause(l.ctx, retry/4) {
			return err
		}
	}
}
