package merge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/stage"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// tries is how often a job is applied anew after it lost against another transaction, before it is given back.
	tries = 5

	// tryPause is the most that is waited before each.
	tryPause = 200 * time.Millisecond

	// settleLimit is how long the answer to a COMMIT that was not answered is looked for.
	settleLimit = 30 * time.Second
)

// errMoved is that keys changed while the rows were staged: they are staged again, under the account's lock.
var errMoved = errors.New("keys changed while rows were staged")

// leave is what a job needs of its claim.
type leave interface {
	Progress(done, total int64)
	LeaveToCommit(ctx context.Context) error
	Object(what string) string
}

// handle applies the job of a claim.
func (w *worker) handle(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	j, err := toJob(c)
	if err != nil && !j.committing {
		return nil, err
	}
	j.flaw = err
	return w.apply(ctx, j, c)
}

func (w *worker) apply(ctx context.Context, j *job, c leave) (*ingestv1.FinishRequest, error) {
	if j.check {
		r, err := w.check(ctx, j, c)
		if fault.Code(err) == contactdb.CodePackage {
			return toRejected(err), nil
		}
		return r, err
	}
	locked := false
	for try := 1; ; try++ {
		r, err := w.try(ctx, j, c, locked)
		switch {
		case err == nil:
			return r, nil
		case fault.Code(err) == contactdb.CodePackage:
			return toRejected(err), nil
		case errors.Is(err, errMoved):
			locked = true
			continue
		case !errors.Is(err, fault.Aborted) || try == tries:
			return nil, j.charge(err)
		}
		w.log.Info("merge tried again", "job", j.ID, "account", j.Account, "code", fault.Code(err))
		select {
		case <-time.After(tryPause/4 + rand.N(tryPause)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try applies the job in one transaction. Before that the fence is raised in a transaction of its own, so that an older
// claim's merge ends; behind the fence the database's word is final, and a job found applied is only told of.
func (w *worker) try(ctx context.Context, j *job, c leave, lockFirst bool) (*ingestv1.FinishRequest, error) {
	var own contactdb.Backend
	var a contactdb.Applied
	err := w.contacts.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) (err error) {
		var before contactdb.Holdings
		if own, before, err = w.contacts.Begin(ctx, tx, j.Account); err != nil {
			return err
		}
		if err := w.at("begun"); err != nil {
			return err
		}
		found := false
		if a, found, err = w.contacts.Raise(ctx, j.Job, own); err != nil {
			return err
		}
		if err := w.at("fenced"); err != nil || found {
			return err
		}
		j.unapplied = true
		a, err = w.work(ctx, tx, j, c, before, lockFirst)
		return err
	})
	if errors.Is(err, postgres.ErrCommitUnknown) {
		return w.settle(ctx, j, own, err)
	}
	if err != nil {
		return nil, err
	}
	if err := w.at("committed"); err != nil {
		return nil, err
	}
	return toResult(j, a), nil
}

// CodeNotApplied is the code of an error that comes after the database said, behind the fence, that the job was not
// applied. The ledger gives a job that had leave to commit up for no other.
const CodeNotApplied = "not-applied"

// charge gives an error that counts against the job the code that says what is known of a job that had leave to commit.
func (j *job) charge(err error) error {
	kind := fault.Of(err)
	if !j.committing || !j.unapplied || kind.Transient() || kind == fault.Stale {
		return err
	}
	told := fault.Wrap(kind, CodeNotApplied, err, "%s", fault.ToStatus(err).Message())
	if hint := fault.HintOf(err); hint != "" {
		told = told.Hint("%s", hint)
	}
	return told
}

// survive makes an error of a panic, so that it can be charged like one. What a panic says may be of the file, so it is
// not told.
func (w *worker) survive(j *job, err *error) {
	if p := recover(); p != nil {
		w.log.Error("merge panicked", "job", j.ID, "account", j.Account, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		*err = fault.New(fault.Internal, "panic", "the merge worker broke on this job")
	}
}

// work is all of the transaction but its beginning and its end.
func (w *worker) work(ctx context.Context, tx pgx.Tx, j *job, c leave, before contactdb.Holdings, lockFirst bool) (none contactdb.Applied, err error) {
	if j.committing {
		defer w.survive(j, &err)
	}
	if j.flaw != nil {
		return none, j.flaw
	}
	most, err := w.packageOf(ctx)
	if err != nil {
		return none, err
	}
	if j.isUndo() {
		a, err := w.undo(ctx, tx, j, c, most)
		if err != nil {
			return none, err
		}
		return a, w.finish(ctx, tx, j, c, a)
	}
	if lockFirst {
		if before, err = w.contacts.Lock(ctx, tx, j.Job); err != nil {
			return none, err
		}
	}
	overrides, err := w.rematch(ctx, tx, j, before)
	if err != nil {
		return none, err
	}
	s, err := w.stage(ctx, tx, j, overrides, c.Progress)
	if err != nil {
		return none, err
	}
	if err := w.at("staged"); err != nil {
		return none, err
	}
	held := before
	if !lockFirst {
		if held, err = w.contacts.Lock(ctx, tx, j.Job); err != nil {
			return none, err
		}
		if held.KeyVersion != before.KeyVersion {
			return none, errMoved
		}
	}
	if err := w.at("locked"); err != nil {
		return none, err
	}
	change := s.change(held)
	difference, err := w.contacts.Plan(ctx, tx, change, held.Held)
	if err == nil {
		difference, err = s.hold(ctx, tx, change, difference)
	}
	if err != nil {
		return none, err
	}
	if err := w.at("compared"); err != nil {
		return none, err
	}
	blocked, err := w.contacts.Apply(ctx, tx, change, difference, held.Held, most)
	if err != nil {
		return none, err
	}
	if err := w.at("applied"); err != nil {
		return none, err
	}
	a, err := w.outcomes(ctx, tx, s, held, blocked > 0, c.Object("outcomes"))
	if err != nil {
		return none, err
	}
	return a, w.finish(ctx, tx, j, c, a)
}

// finish writes that the job took effect, and asks leave to commit.
func (w *worker) finish(ctx context.Context, tx pgx.Tx, j *job, c leave, a contactdb.Applied) error {
	if err := w.at("outcomes"); err != nil {
		return err
	}
	if err := w.contacts.Write(ctx, tx, j.Job, a); err != nil {
		return err
	}
	if err := w.at("held"); err != nil {
		return err
	}
	if err := c.LeaveToCommit(ctx); err != nil {
		return fmt.Errorf("ask leave to commit: %w", err)
	}
	return w.at("leave")
}

// settle finds out what a COMMIT that was not answered did. Not even the end of the claim stops it: nobody else knows
// sooner.
func (w *worker) settle(ctx context.Context, j *job, own contactdb.Backend, unknown error) (*ingestv1.FinishRequest, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	a, found, err := w.contacts.Settle(ctx, j.Job, own)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "commit-unknown", errors.Join(unknown, err), "whether the job was applied is not known yet")
	}
	if !found {
		return nil, unknown
	}
	return toResult(j, a), nil
}

// check says what would become of the rows, and changes nothing. It makes the plan of a job under review too.
func (w *worker) check(ctx context.Context, j *job, c leave) (*ingestv1.FinishRequest, error) {
	var a contactdb.Applied
	most, err := w.packageOf(ctx)
	if err != nil {
		return nil, err
	}
	err = w.contacts.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) error {
		_, h, err := w.contacts.Begin(ctx, tx, j.Account)
		if err != nil {
			return err
		}
		if j.isUndo() {
			a, err = w.previewUndo(ctx, tx, j, c, h.Held, most)
			return err
		}
		overrides, err := w.rematch(ctx, tx, j, h)
		if err != nil {
			return err
		}
		s, err := w.stage(ctx, tx, j, overrides, c.Progress)
		if err != nil {
			return err
		}
		if s.new > 0 && h.Held+s.new > most {
			return contactdb.PackageTooSmall(h.Held, s.new, most)
		}
		if _, err := w.contacts.Plan(ctx, tx, s.change(h), h.Held); err != nil {
			return err
		}
		a, err = w.outcomes(ctx, tx, s, h, false, c.Object("outcomes"))
		return err
	})
	if err != nil {
		return nil, err
	}
	return toResult(j, a), nil
}

// packageOf is how many contacts the account may hold.
func (w *worker) packageOf(ctx context.Context) (int64, error) {
	r, err := w.accounts.GetAccount(ctx, &accountsv1.GetAccountRequest{})
	if err != nil {
		return 0, fmt.Errorf("read the account's package: %w", err)
	}
	return r.GetAccount().GetPackage(), nil
}

// at is a point between two durable steps.
func (w *worker) at(point string) error {
	if w.fail == nil {
		return nil
	}
	return w.fail(point)
}
