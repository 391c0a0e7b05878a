package stage

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// direct calls a ledger without a network, which a bubble of synctest cannot have.
type direct struct{ l *stagetest.Ledger }

func (d direct) StartInstance(ctx context.Context, r *ingestv1.StartInstanceRequest, _ ...grpc.CallOption) (*ingestv1.StartInstanceResponse, error) {
	return d.l.StartInstance(ctx, r)
}

func (d direct) Claim(ctx context.Context, r *ingestv1.ClaimRequest, _ ...grpc.CallOption) (*ingestv1.ClaimResponse, error) {
	return d.l.Claim(ctx, r)
}

func (d direct) Renew(ctx context.Context, r *ingestv1.RenewRequest, _ ...grpc.CallOption) (*ingestv1.RenewResponse, error) {
	return d.l.Renew(ctx, r)
}

func (d direct) Finish(ctx context.Context, r *ingestv1.FinishRequest, _ ...grpc.CallOption) (*ingestv1.FinishResponse, error) {
	return d.l.Finish(ctx, r)
}

func (d direct) Release(ctx context.Context, r *ingestv1.ReleaseRequest, _ ...grpc.CallOption) (*ingestv1.ReleaseResponse, error) {
	return d.l.Release(ctx, r)
}

func (d direct) RecallMapping(ctx context.Context, r *ingestv1.RecallMappingRequest, _ ...grpc.CallOption) (*ingestv1.RecallMappingResponse, error) {
	return d.l.RecallMapping(ctx, r)
}

func (d direct) RecallJob(ctx context.Context, r *ingestv1.RecallJobRequest, _ ...grpc.CallOption) (*ingestv1.RecallJobResponse, error) {
	return d.l.RecallJob(ctx, r)
}

func (d direct) LeaveToCommit(ctx context.Context, r *ingestv1.LeaveToCommitRequest, _ ...grpc.CallOption) (*ingestv1.LeaveToCommitResponse, error) {
	return d.l.LeaveToCommit(ctx, r)
}

// bell counts how a ring was answered.
type bell struct{ acks, naks, holds atomic.Int64 }

func (b *bell) Ack() error              { b.acks.Add(1); return nil }
func (b *bell) Nak(time.Duration) error { b.naks.Add(1); return nil }
func (b *bell) InProgress() error       { b.holds.Add(1); return nil }

// rig is a worker with a ledger of 30 s leases and one stage to claim, in a bubble's time.
type rig struct {
	*stagetest.Ledger
	w     *Worker
	ring  event.Ring
	bell  bell
	drain context.CancelFunc
}

// try answers one ring with the handler given and returns how the claim ended, zero if it was let go.
func try(t *testing.T, prepare func(*rig), handle func(context.Context, *rig, *Claim) (*ingestv1.FinishRequest, error)) (*rig, stagetest.Ended) {
	t.Helper()
	r := &rig{Ledger: stagetest.New(), ring: stagetest.Ring(event.Match)}
	r.Put(r.ring, &ingestv1.Work{})
	r.w = &Worker{Stage: event.Match, Slots: 1, Instance: Instance{"test@1", uuid.New()}, Ledger: direct{r.Ledger}, Log: slog.New(slog.DiscardHandler),
		Handle: func(ctx context.Context, c *Claim) (*ingestv1.FinishRequest, error) { return handle(ctx, r, c) }}
	if prepare != nil {
		prepare(r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.drain = cancel
	defer cancel()
	r.w.answer(ctx, r.ring, &r.bell)
	select {
	case e := <-r.Ended():
		return r, e
	default:
		return r, stagetest.Ended{}
	}
}

func matched() *ingestv1.FinishRequest {
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Matched{Matched: &ingestv1.MatchResult{NewRows: 7}}}
}

func away(proto.Message) error { return fault.New(fault.Unavailable, "away", "the ledger is away") }

func only[R proto.Message](f func() error) func(proto.Message) error {
	return func(m proto.Message) error {
		if _, ok := m.(R); ok {
			return f()
		}
		return nil
	}
}

func TestALeaseIsRenewedWhileTheHandlerWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, e := try(t, nil, func(ctx context.Context, _ *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
			time.Sleep(10 * time.Minute)
			return matched(), ctx.Err()
		})
		if e.Finish.GetMatched().GetNewRows() != 7 || r.bell.acks.Load() != 1 {
			t.Errorf("ended with %v and %d acks, want its result and one", e, r.bell.acks.Load())
		}
		// Every 10 s of a lease of 30 s, and the ring with it.
		if n := len(r.Renewed()); n < 50 || n > 60 {
			t.Errorf("renewed %d times in 10 minutes, want 50 to 60", n)
		}
		if n := r.bell.holds.Load(); n < 50 || n > 60 {
			t.Errorf("the ring was held %d times in 10 minutes, want 50 to 60", n)
		}
	})
}

func TestProgressIsToldOnceASecondAndOnlyWhenItMoved(t *testing.T) {
	for name, lease := range map[string]time.Duration{"a lease of 30 s": 30 * time.Second, "a lease of 2 s": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var moving int
				r, _ := try(t, func(r *rig) { r.Lease = lease }, func(ctx context.Context, r *rig, c *Claim) (*ingestv1.FinishRequest, error) {
					for n := range int64(1000) { // 20 s
						c.Progress(n, 1000)
						time.Sleep(20 * time.Millisecond)
					}
					moving = len(r.Renewed())
					time.Sleep(20 * time.Second)
					return matched(), ctx.Err()
				})
				all := r.Renewed()
				if lease == 30*time.Second && (moving < 18 || moving > 20) {
					t.Errorf("told %d times in 20 s of progress, want once a second", moving)
				}
				if lease == 2*time.Second && moving > 40 { // renewals of two thirds of a second tell it too
					t.Errorf("told %d times in 20 s of progress", moving)
				}
				if still := len(all) - moving; lease == 30*time.Second && still > 3 {
					t.Errorf("told %d times in 20 s without progress, want the renewals alone", still)
				}
				if last := all[len(all)-1]; last.Done != 999 || last.Total != 1000 {
					t.Errorf("the last that was told is %d of %d", last.Done, last.Total)
				}
				if r.bell.holds.Load() == 0 {
					t.Error("the ring was not held while progress moved")
				}
			})
		})
	}
}

func TestALeaseThatCannotBeRenewedEndsTheHandlerBeforeItEnds(t *testing.T) {
	for name, before := range map[string]func(proto.Message) error{
		"the ledger is away":     only[*ingestv1.RenewRequest](func() error { return away(nil) }),
		"the ledger is silent":   only[*ingestv1.RenewRequest](func() error { time.Sleep(time.Hour); return nil }),
		"the ledger says things": only[*ingestv1.RenewRequest](func() error { return fault.New(fault.Internal, "broken", "broken") }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var worked time.Duration
				r, e := try(t, func(r *rig) { r.Before(before) }, func(ctx context.Context, _ *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
					<-ctx.Done()
					worked = time.Since(start)
					if !errors.Is(context.Cause(ctx), ErrLost) {
						t.Errorf("ended because of %v", context.Cause(ctx))
					}
					return matched(), nil // what it did is worth nothing
				})
				if worked != 27*time.Second {
					t.Errorf("worked %s of a lease of 30 s, want 27 s", worked)
				}
				if e.Finish != nil || e.Release != nil || r.bell.acks.Load() != 1 {
					t.Errorf("ended with %v and %d acks, want let go", e, r.bell.acks.Load())
				}
			})
		})
	}
}

func TestTheLeaseCountsFromWhenItWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		slow := only[*ingestv1.ClaimRequest](func() error { time.Sleep(9 * time.Second); return nil })
		try(t, func(r *rig) {
			r.Before(func(m proto.Message) error {
				if _, ok := m.(*ingestv1.RenewRequest); ok {
					return away(m)
				}
				return slow(m)
			})
		}, func(ctx context.Context, _ *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
			<-ctx.Done()
			if d := time.Since(start); d != 27*time.Second {
				t.Errorf("worked until %s after the claim was sent, want 27 s", d)
			}
			return nil, ctx.Err()
		})
	})
}

func TestAStageTakenByAnotherIsLetGoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, e := try(t, nil, func(ctx context.Context, r *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
			r.Take(r.ring)
			start := time.Now()
			<-ctx.Done()
			if d := time.Since(start); d > 11*time.Second {
				t.Errorf("went on for %s, want until the next renewal", d)
			}
			return nil, ctx.Err()
		})
		if e != (stagetest.Ended{}) || r.bell.acks.Load() != 1 {
			t.Errorf("ended with %v and %d acks, want let go", e, r.bell.acks.Load())
		}
	})
}

func TestAStaleResultIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]error{"finish": nil, "handler": fault.New(fault.Stale, "stale", "fenced off")} {
			r, e := try(t, nil, func(_ context.Context, r *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
				r.Take(r.ring)
				return matched(), answer
			})
			if e != (stagetest.Ended{}) || r.bell.acks.Load() != 1 {
				t.Errorf("%s: ended with %v and %d acks, want let go", name, e, r.bell.acks.Load())
			}
		}
	})
}

func TestAHandlerWithoutProgressIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var worked time.Duration
		_, e := try(t, func(r *rig) { r.w.StallLimit = time.Minute }, func(ctx context.Context, _ *rig, c *Claim) (*ingestv1.FinishRequest, error) {
			time.Sleep(50 * time.Second)
			c.Progress(1, 2)
			start := time.Now()
			<-ctx.Done()
			worked = time.Since(start)
			return nil, fault.Wrap(fault.Unavailable, "away", ctx.Err(), "read")
		})
		if worked < 59*time.Second || worked > 62*time.Second {
			t.Errorf("stopped after %s without progress, want a minute", worked)
		}
		if e.Release.GetReason() != ingestv1.ReleaseReason_RELEASE_REASON_FAULT || e.Release.GetCode() != "stalled" {
			t.Errorf("ended with %v, want a fault", e)
		}
	})
}

func TestAHandlerThatHangsForGoodKeepsItsLeaseNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last atomic.Pointer[time.Time]
		r, e := try(t, func(r *rig) {
			r.w.StallLimit = time.Minute
			r.Before(only[*ingestv1.RenewRequest](func() error { now := time.Now(); last.Store(&now); return nil }))
		}, func(context.Context, *rig, *Claim) (*ingestv1.FinishRequest, error) {
			start := time.Now()
			time.Sleep(time.Hour) // deaf
			if d := last.Load().Sub(start); d > time.Minute {
				t.Errorf("renewed for %s, want no longer than the stall limit", d)
			}
			return matched(), nil
		})
		if e != (stagetest.Ended{}) || r.bell.acks.Load() != 1 {
			t.Errorf("ended with %v, want let go", e)
		}
	})
}

func TestTheEndIsToldAgainWhileTheLedgerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, result := range map[string]error{"finish": nil, "release": fault.New(fault.Invalid, "bad", "bad file")} {
			var asked atomic.Int64
			r, e := try(t, nil, func(_ context.Context, r *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
				back := time.Now().Add(20 * time.Second)
				r.Before(func(m proto.Message) error {
					if asked.Add(1); time.Now().Before(back) {
						return away(m)
					}
					return nil
				})
				return matched(), result
			})
			if (result == nil) != (e.Finish != nil) || (result != nil) != (e.Release.GetCode() == "bad") || r.bell.acks.Load() != 1 || asked.Load() < 10 {
				t.Errorf("%s: ended with %v after %d calls", name, e, asked.Load())
			}
			if e.Finish != nil && e.Finish.Claim.Token == 0 {
				t.Errorf("%s: without a token", name)
			}
			_, e = try(t, nil, func(_ context.Context, r *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
				r.Before(away) // for good
				return matched(), result
			})
			if e != (stagetest.Ended{}) {
				t.Errorf("%s: ended with %v although the ledger was away", name, e)
			}
		}
	})
}

func TestHowAStageIsGivenBack(t *testing.T) {
	broken := fault.New(fault.Invalid, "counts-do-not-add-up", "rows got lost")
	for name, c := range map[string]struct {
		handle func(context.Context, *rig) (*ingestv1.FinishRequest, error)
		finish error
		reason ingestv1.ReleaseReason
		code   string
		rest   time.Duration
	}{
		"transient": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			return nil, fault.New(fault.Exhausted, "provider-busy", "busy")
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE, code: "provider-busy"},
		"transient, with a wish": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			return nil, RetryAfter(fault.New(fault.Unavailable, "provider-busy", "busy"), 90*time.Second)
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE, code: "provider-busy", rest: 90 * time.Second},
		"fault": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			return nil, fault.New(fault.DataLoss, "rows-missing", "rows are missing")
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_FAULT, code: "rows-missing"},
		"error without a kind": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			return nil, errors.New("what")
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_FAULT, code: "internal"},
		"panic": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			panic("Ada Lovelace")
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_FAULT, code: "panic"},
		"nothing": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			return nil, nil
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_FAULT, code: "no-result"},
		"drained": {handle: func(ctx context.Context, r *rig) (*ingestv1.FinishRequest, error) {
			r.drain()
			<-ctx.Done()
			return nil, fault.New(fault.Internal, "odd", "half done: %v", ctx.Err())
		}, reason: ingestv1.ReleaseReason_RELEASE_REASON_DRAIN, code: "drain"},
		"a result that the ledger refuses": {handle: func(context.Context, *rig) (*ingestv1.FinishRequest, error) {
			return matched(), nil
		}, finish: broken, reason: ingestv1.ReleaseReason_RELEASE_REASON_FAULT, code: "counts-do-not-add-up"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, e := try(t, func(r *rig) {
					if c.finish != nil {
						r.Before(only[*ingestv1.FinishRequest](func() error { return c.finish }))
					}
				}, func(ctx context.Context, r *rig, _ *Claim) (*ingestv1.FinishRequest, error) { return c.handle(ctx, r) })
				if got := e.Release; got.GetReason() != c.reason || got.GetCode() != c.code || got.GetRetryAfter().AsDuration() != c.rest {
					t.Errorf("given back with %v, want %s %q after %s", got, c.reason, c.code, c.rest)
				}
				if e.Release.GetMessage() == "" {
					t.Error("given back without a word")
				}
				if r.bell.acks.Load() != 1 {
					t.Errorf("%d acks, want one", r.bell.acks.Load())
				}
			})
		})
	}
}

func TestAResultOfADrainedHandlerCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, e := try(t, nil, func(ctx context.Context, r *rig, _ *Claim) (*ingestv1.FinishRequest, error) {
			r.drain()
			<-ctx.Done()
			return matched(), nil
		})
		if e.Finish == nil {
			t.Errorf("ended with %v, want its result", e)
		}
	})
}

func TestAClaimGrantedWhileDrainingIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, e := try(t, func(r *rig) {
			r.Before(only[*ingestv1.ClaimRequest](func() error { r.drain(); return nil }))
		}, func(context.Context, *rig, *Claim) (*ingestv1.FinishRequest, error) {
			t.Error("the handler was begun")
			return matched(), nil
		})
		if e.Release.GetReason() != ingestv1.ReleaseReason_RELEASE_REASON_DRAIN || r.bell.acks.Load() != 1 {
			t.Errorf("ended with %v and %d acks, want a drain", e, r.bell.acks.Load())
		}
	})
}

func TestHowARingIsAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		prepare    func(*rig)
		acks, naks int64
	}{
		"refused":             {func(r *rig) { r.Put(r.ring, nil) }, 1, 0},
		"held by another":     {func(r *rig) { r.Take(r.ring) }, 1, 0},
		"ledger away":         {func(r *rig) { r.Before(away) }, 0, 1},
		"ledger broken":       {func(r *rig) { r.Before(func(proto.Message) error { return errors.New("broken") }) }, 0, 1},
		"granted for no time": {func(r *rig) { r.Lease = 0 }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, e := try(t, c.prepare, func(context.Context, *rig, *Claim) (*ingestv1.FinishRequest, error) {
					t.Error("the handler was begun")
					return matched(), nil
				})
				if r.bell.acks.Load() != c.acks || r.bell.naks.Load() != c.naks || e != (stagetest.Ended{}) {
					t.Errorf("%d acks, %d naks, %v; want %d and %d", r.bell.acks.Load(), r.bell.naks.Load(), e, c.acks, c.naks)
				}
			})
		})
	}
}
