package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

func TestStaleTokensAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	j := r.accept(a, "one")
	old := r.take(j, event.Validate)
	r.lapse(old)
	k := r.take(j, event.Validate) // a claim ends the lease by itself
	if k.Token <= old.Token {
		t.Fatalf("token %d follows %d", k.Token, old.Token)
	}
	refuse := func(what string, k Claim) {
		t.Helper()
		_, err := r.Renew(ctx, a, k, 1, 2)
		wantFault(t, what+" renews", err, fault.Stale, "stale")
		_, err = r.Finish(ctx, a, k, Result{Body: []byte("v"), Rows: 1})
		wantFault(t, what+" finishes", err, fault.Stale, "stale")
		_, err = r.Release(ctx, a, k, Return{Reason: Fault, Code: "late"})
		wantFault(t, what+" releases", err, fault.Stale, "stale")
		wantFault(t, what+" asks for leave", r.LeaveToCommit(ctx, a, k), fault.Stale, "stale")
	}
	refuse("the earlier holder", old)
	refuse("an unknown job's holder", Claim{Job: uuid.Must(uuid.NewV7()), Stage: event.Validate, Token: k.Token})
	refuse("a holder of another stage", Claim{Job: j.ID, Stage: event.Merge, Token: k.Token})
	if _, err := r.Renew(ctx, newAccount(), k, 1, 2); fault.Of(err) != fault.Stale {
		t.Fatalf("another account renews: %v", err)
	}
	if _, err := r.Renew(ctx, a, k, 1, 2); err != nil {
		t.Fatalf("the holder renews: %v", err)
	}
	if _, err := r.Release(ctx, a, k, Return{Reason: Drain}); err != nil {
		t.Fatal(err)
	}
	refuse("who gave it back", k)
	k = r.take(j, event.Validate)
	if _, err := r.Cancel(ctx, a, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	refuse("a cancelled job's holder", k)
}

func TestLateRenewalRevives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "one")
	k := r.take(j, event.Validate)
	r.lapse(k)
	r.reconcile()
	if _, err := r.Renew(t.Context(), a, k, 1, 2); err != nil {
		t.Fatalf("late renewal of a stage nobody took: %v", err)
	}
	if g := r.try(j, event.Validate); g.Reason != ReasonHeld {
		t.Fatalf("claim of a revived stage: %+v", g)
	}
	r.lapse(k)
	r.reconcile()
	if _, err := r.Finish(t.Context(), a, k, Result{Body: []byte("v"), Rows: 1}); err != nil {
		t.Fatalf("late end of a stage nobody took: %v", err)
	}
	r.is(j, Ready)
}

func TestFaultsPark(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j, next := r.accept(a, "one"), r.accept(a, "two")
	r.validate(next)
	for i := 1; i <= maxFaults; i++ {
		for _, reason := range []Reason{Drain, Unavailable} { // never charged
			k := r.take(j, event.Validate)
			if parked, err := r.Release(t.Context(), a, k, Return{Reason: reason, Code: "provider-down"}); err != nil || parked {
				t.Fatalf("%s: parked %v, %v", reason, parked, err)
			}
			r.sql(`UPDATE ingest.stages SET not_before = NULL`)
		}
		k := r.take(j, event.Validate)
		parked, err := r.Release(t.Context(), a, k, Return{Reason: Fault, Code: "boom", Message: "It broke."})
		if err != nil || parked != (i == maxFaults) {
			t.Fatalf("fault %d: parked %v, %v", i, parked, err)
		}
		r.sql(`UPDATE ingest.stages SET not_before = NULL`)
	}
	if now := r.is(j, Failed); now.Problem == nil || now.Problem.Code != "boom" {
		t.Fatalf("parked job is %+v", now)
	}
	r.merge(next) // the account goes on
	if g := r.try(j, event.Notify); !g.Granted {
		t.Fatal("nobody is told of the parked job")
	}
}

func TestBackOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Ledger.cfg.FaultBackoff = time.Hour
	a := newAccount()
	j := r.accept(a, "one")
	k := r.take(j, event.Validate)
	if _, err := r.Release(t.Context(), a, k, Return{Reason: Fault}); err != nil {
		t.Fatal(err)
	}
	if g := r.try(j, event.Validate); g.Granted || g.Reason != ReasonNotRunnable {
		t.Fatalf("claim before the time: %+v", g)
	}
	r.sql(`UPDATE ingest.stages SET not_before = clock_timestamp()`)
	r.take(j, event.Validate)
	for _, c := range []struct {
		n    int
		want time.Duration
	}{{0, time.Second}, {1, 2 * time.Second}, {4, 16 * time.Second}, {5, 30 * time.Second}, {500, 30 * time.Second}} {
		if got := doubled(time.Second, c.n, 30*time.Second); got != c.want {
			t.Errorf("a second doubled %d times is %s, want %s", c.n, got, c.want)
		}
	}
}

func TestLostLeasesParkWhenTheInstanceLivesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		sign func(r *rig, j Job, k Claim) // of life, after the loss
		when string
	}{
		{"seen before the loss is found", func(r *rig, j Job, _ Claim) { r.take(r.accept(newAccount(), "other"), event.Validate) }, "before"},
		{"seen afterwards", func(r *rig, j Job, _ Claim) { r.take(r.accept(newAccount(), "other"), event.Validate) }, "after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			j := r.accept(newAccount(), "one")
			losses := 0
			for r.now(j).State != Failed && losses < 6 {
				k := r.take(j, event.Validate)
				r.lapse(k)
				if c.when == "before" {
					c.sign(r, j, k)
				}
				r.reconcile()
				if c.when == "after" {
					c.sign(r, j, k)
				}
				losses++
			}
			want := maxLeasesLost
			if c.when == "after" {
				want++ // the last one's kind shows when the next claim ends
			}
			now := r.is(j, Failed)
			if losses != want || now.Problem.Code != "lease-lost" {
				t.Fatalf("parked after %d losses with %+v, want %d and lease-lost", losses, now.Problem, want)
			}
		})
	}
}

func TestLateCallShowsThatTheInstanceLives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "one")
	for i := range maxLeasesLost {
		k := r.take(j, event.Validate)
		r.lapse(k)
		r.reconcile()
		r.life = Life{Instance: fmt.Sprintf("worker-%d", i+1), Incarnation: uuid.Must(uuid.NewV7())} // another worker takes it
		next := r.take(j, event.Validate)
		_, err := r.Renew(t.Context(), a, k, 1, 2)
		wantFault(t, "late renewal", err, fault.Stale, "stale")
		if i < maxLeasesLost-1 {
			if _, err := r.Release(t.Context(), a, next, Return{Reason: Drain}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if now := r.is(j, Failed); now.Problem.Code != "lease-lost" {
		t.Fatalf("parked with %+v", now.Problem)
	}
}

func TestLostInstancesParkAtTenInARow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "one")
	lose := func() {
		t.Helper()
		r.life.Incarnation = uuid.Must(uuid.NewV7()) // the one before never came back
		k := r.take(j, event.Validate)
		r.lapse(k)
		r.reconcile()
	}
	for range maxInstancesLost - 1 {
		lose()
	}
	k := r.take(j, event.Validate) // another end in between: not in a row
	if _, err := r.Release(t.Context(), a, k, Return{Reason: Drain}); err != nil {
		t.Fatal(err)
	}
	for range maxInstancesLost - 1 {
		lose()
	}
	r.is(j, Validating)
	lose()
	if now := r.is(j, Failed); now.Problem.Code != "instance-lost" {
		t.Fatalf("parked with %+v", now.Problem)
	}
}

func TestStartInstanceEndsLeasesOfEarlierLives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	start := func(life Life, want int) {
		t.Helper()
		if n, err := r.StartInstance(ctx, life); err != nil || n != want {
			t.Fatalf("start %s: %d leases ended, %v, want %d", life.Instance, n, err, want)
		}
	}
	start(r.life, 0)
	one, two := r.accept(newAccount(), "1"), r.accept(newAccount(), "2")
	k := r.take(one, event.Validate)
	r.take(two, event.Validate)
	start(r.life, 0) // the answer was lost: it ends nothing of its own
	start(Life{Instance: "worker-1", Incarnation: uuid.Must(uuid.NewV7())}, 0)
	next := Life{Instance: r.life.Instance, Incarnation: uuid.Must(uuid.NewV7())}
	start(next, 2)
	start(next, 0)
	_, err := r.Renew(ctx, one.Account, k, 1, 2)
	wantFault(t, "renewal by the earlier life", err, fault.Stale, "stale")
	_, err = r.Claim(ctx, one.Account, one.ID, event.Validate, r.life)
	wantFault(t, "claim by the earlier life", err, fault.Stale, "instance-superseded")
	_, err = r.StartInstance(ctx, r.life)
	wantFault(t, "start of the earlier life", err, fault.Stale, "instance-superseded")
	r.life = next
	r.take(one, event.Validate)
	r.take(two, event.Validate)
}

func TestCommittingIsLeftOnlyByTheContactDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	j, next := r.accept(a, "one"), r.accept(a, "two")
	r.validate(j)
	r.validate(next)
	r.complete(j, r.take(j, event.Match), Result{Body: []byte("m")})
	k := r.take(j, event.Merge)
	r.leave(j, k)
	for range 2 * maxInstancesLost { // whatever is lost, it is tried again
		r.lapse(k)
		r.reconcile()
		g := r.try(j, event.Merge)
		if !g.Granted || !g.Work.Committing {
			t.Fatalf("claim of a committing job: %+v", g)
		}
		k = Claim{Job: j.ID, Stage: event.Merge, Token: g.Token}
	}
	for range 2 * maxFaults {
		if parked, err := r.Release(ctx, a, k, Return{Reason: Fault, Code: "boom"}); err != nil || parked {
			t.Fatalf("fault while committing: parked %v, %v", parked, err)
		}
		r.sql(`UPDATE ingest.stages SET not_before = NULL`)
		k = r.take(j, event.Merge)
	}
	r.is(j, Committing)
	if g := r.try(next, event.Match); g.Granted {
		t.Fatal("the next job went on while it is unknown whether this one was applied")
	}
	parked, err := r.Release(ctx, a, k, Return{Reason: Fault, Code: CodeNotApplied})
	if err != nil || !parked {
		t.Fatalf("not applied, and faulty: parked %v, %v", parked, err)
	}
	r.is(j, Failed)
	r.merge(next)
}

func TestNoticeThatCannotBeSentChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	j := r.accept(a, "one")
	if _, err := r.Cancel(t.Context(), a, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	for range maxFaults {
		k := r.take(j, event.Notify)
		if _, err := r.Release(t.Context(), a, k, Return{Reason: Fault, Code: "bad-template"}); err != nil {
			t.Fatal(err)
		}
		r.sql(`UPDATE ingest.stages SET not_before = NULL`)
	}
	if g := r.try(j, event.Notify); g.Granted || g.Reason != ReasonDone {
		t.Fatalf("parked notice: %+v", g)
	}
	r.is(j, Cancelled)
}
