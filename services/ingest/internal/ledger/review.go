package ledger

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

// Plan is what would become of the rows of a job under review.
type Plan struct {
	Object Object `json:"object"` // an outcome for every row
	Counts Counts `json:"counts"`
}

// codePlanRejected is the problem of a job whose plan was rejected.
const codePlanRejected = "plan-rejected"

// maxReason bounds why a plan was rejected, in characters.
const maxReason = 500

// Approve lets a job in AWAITING_APPROVAL take effect: READY, with its old number, so before all higher ones that have not
// started; by is the API key that approves. An approved job is answered again, wherever it has come. One that never had a
// plan to approve, or has ended without, is Precondition "no-plan".
func (l *Ledger) Approve(ctx context.Context, account uuid.UUID, ref Ref, by string) (Job, error) {
	var view jobRow
	_, err := l.withJob(ctx, account, ref, loads{view: &view}, func(c *change) error { return c.approve(by) })
	return viewed(view, err)
}

// Reject ends a job in AWAITING_APPROVAL: REJECTED "plan-rejected". One that was rejected so is answered again; any other is
// Precondition "no-plan". A reason of more than 500 characters is Invalid "reason-too-long". The reason stays with the job:
// no event repeats it.
func (l *Ledger) Reject(ctx context.Context, account uuid.UUID, ref Ref, reason string) (Job, error) {
	reason = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, reason))
	if utf8.RuneCountInString(reason) > maxReason {
		return Job{}, fault.New(fault.Invalid, "reason-too-long", "the reason is longer than %d characters", maxReason)
	}
	var view jobRow
	_, err := l.withJob(ctx, account, ref, loads{view: &view}, func(c *change) error { return c.reject(reason) })
	return viewed(view, err)
}

// planning reports whether what merge makes of the job now is its plan.
func (c *change) planning() bool { return c.job.underReview() && c.job.ApprovedBy == nil }

// underReview reports whether the job takes effect by an approved plan alone.
func (r *jobRow) underReview() bool { return r.Kind == Import && r.Settings.Review && !r.CheckOnly }

// planned takes the plan: the job steps aside, and people are told.
func (c *change) planned(r Result) error {
	if r.Outcomes == (Object{}) {
		return fault.New(fault.Invalid, "no-outcomes", "a plan names no outcomes")
	}
	p := &Plan{Object: r.Outcomes, Counts: r.Counts}
	p.Counts.Blank = c.job.Blank
	c.job.Plan = p
	if err := c.enter(AwaitingApproval, nil); err != nil {
		return err
	}
	c.events[len(c.events)-1].Counts = &p.Counts
	c.yield()
	c.open(event.Notify, NoticeApproval)
	return nil
}

func (c *change) approve(by string) error {
	switch {
	case c.job.ApprovedBy != nil:
		return nil
	case c.job.State != AwaitingApproval:
		return c.noPlan()
	}
	c.job.ApprovedBy = &by
	c.job.Confirmed = true // who has seen the plan has seen what matching may ask about
	c.job.Started = nil
	c.moved = true
	return c.enter(Ready, nil)
}

func (c *change) reject(reason string) error {
	switch {
	case c.job.State == Rejected && c.job.Problem != nil && c.job.Problem.Code == codePlanRejected:
		return nil
	case c.job.State != AwaitingApproval:
		return c.noPlan()
	}
	told := Problem{Code: codePlanRejected, Message: "The plan was rejected.", Hint: "nothing was spent or changed; retry the job to make a new plan"}
	if err := c.end(Rejected, &told); err != nil {
		return err
	}
	if reason != "" {
		kept := told
		kept.Message = "The plan was rejected: " + reason
		c.job.Problem = &kept
	}
	return nil
}

func (c *change) noPlan() error {
	err := fault.New(fault.Precondition, "no-plan", "job %d is %s and has no plan that awaits approval", c.job.Number, c.job.State)
	if c.job.underReview() && !c.job.State.Final() {
		err = err.Hint("wait until it is AWAITING_APPROVAL")
	}
	return err
}
