package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Life is one life of an instance of a worker.
type Life struct {
	Instance    string // name that outlives restarts
	Incarnation uuid.UUID
}

// Claim is a stage held under a token.
type Claim struct {
	Job   uuid.UUID
	Stage event.Stage
	Token int64
}

// Reasons to refuse a claim.
const (
	ReasonDone        = "done"
	ReasonNotRunnable = "not-runnable"
	ReasonHeld        = "held"
	ReasonUnknownJob  = "unknown-job"
)

// What a notice is about.
const (
	NoticeEnded    = "ended"
	NoticeQuestion = "question"
	NoticeApproval = "approval"
)

// Work is all that a worker needs.
type Work struct {
	Job        Job     // its Question, for a notice about one, is the one last asked
	Account    Account // with what the job says itself over it
	Results    Results
	Notice     string     // NoticeEnded, NoticeQuestion or NoticeApproval, for notify
	Recipients []string   // who is to be told, for notify
	Committing bool       // an earlier token had leave to commit: look first whether the job was applied
	Planning   bool       // merge makes the plan of a job under review and changes nothing
	Plan       *Object    // the plan that was approved, for enrich and merge
	Confirmed  bool       // a person has said that the file is meant as it is
	Usual      []KeyShare // for match: of the last import of such a file
	Ahead      int64      // for match: jobs that go before a check
}

// Grant is a claim granted, or refused with a reason.
type Grant struct {
	Granted bool
	Reason  string
	Token   int64 // larger than any before
	Lease   time.Duration
	Work    Work
}

// Claim hands out a stage if it is runnable, or if its lease ended. Refusing is no error.
func (l *Ledger) Claim(ctx context.Context, account, job uuid.UUID, stage event.Stage, life Life) (Grant, error) {
	if err := life.check(); err != nil {
		return Grant{}, err
	}
	var g Grant
	var results []*resultRow
	var frozen []*fieldsRow
	more := loads{token: true, results: &results}
	if stage != event.Notify { // a notice speaks of no field
		more.fields = &frozen
	}
	var ahead outlook
	if stage == event.Match {
		more.outlook = &ahead
	}
	c, err := l.withJob(ctx, account, Ref{ID: job}, more, func(c *change) (err error) {
		g, err = c.claim(stage, life)
		return err
	})
	if errors.Is(err, postgres.ErrCommitUnknown) && g.Granted {
		err = l.confirm(ctx, c, g.Token, more, err)
	}
	switch {
	case fault.Code(err) == codeUnknownJob:
		return Grant{Reason: ReasonUnknownJob}, nil
	case err != nil:
		return Grant{}, err
	case !g.Granted:
		return g, nil
	}
	g.Work.Job = c.job.toJob()
	if g.Work.Notice == NoticeQuestion {
		g.Work.Job.Question = c.job.Question
	}
	g.Work.Results = toResults(results, stage)
	if len(ahead.Usual) > 0 {
		g.Work.Usual = ahead.Usual[0].Shares
	}
	g.Work.Ahead = ahead.Ahead
	if len(frozen) > 0 {
		g.Work.Account.Fields = frozen[0].Fields
	}
	return g, nil
}

// Renew keeps the lease of a claim from now on and notes how far the work is; total 0 means unknown. A lease that ended
// revives if nobody took the stage since. Stale if the claim is no longer the stage's: taken, given back or cancelled.
func (l *Ledger) Renew(ctx context.Context, account uuid.UUID, k Claim, done, total int64) (Renewal, error) {
	var r Renewal
	_, err := l.withJob(ctx, account, Ref{ID: k.Job}, loads{}, func(c *change) error {
		s, err := c.hold(k)
		if s == nil || err != nil {
			return err
		}
		c.note(s, done, total)
		c.extend(s)
		r = Renewal{Lease: l.cfg.Lease, JobNumber: c.job.Number, Progress: progress(s.Stage, s.Done, s.Total, s.Rate, c.at)}
		return nil
	})
	if err != nil {
		return Renewal{}, notHeld(k, err)
	}
	return r, nil
}

// Renewal is a kept lease, and what there is to tell watchers.
type Renewal struct {
	Lease     time.Duration
	JobNumber int64
	Progress  Progress
}

// Result is what a stage left. Body is opaque: later stages get it as it is. The rest is what the ledger decides by.
type Result struct {
	Body     []byte
	Rejected *Problem  // validate, match, merge: the whole job is refused
	Question *Question // validate, match: only a person can answer

	Columns []Column   // validate: every column of the file
	Rows    int64      // validate
	Blank   int64      // validate
	Invalid int64      // validate
	Facts   *FileFacts // validate: what the file turned out to be
	// validate: the job, by id, whose report the file is, corrected; uuid.Nil for none
	Corrects   uuid.UUID
	LikeNumber int64          // validate: the job, by number, whose file's columns are the same or most alike; 0 for none
	Unknown    []UnknownValue // validate
	// validate: hash of the column names; nil where the file has none that a mapping could be remembered under
	HeadingsKey []byte

	NewRows  int64      // match: rows that will be new contacts
	Forecast *Forecast  // match, of a check or a job under review
	Shares   []KeyShare // match

	Sent  int64 // enrich
	Known int64 // enrich
	Later int64 // enrich: rows that are left to be enriched later
	Cost  *Cost // enrich

	Outcomes Object // merge, of a plan
	Counts   Counts // merge: the nine outcomes, Rows, NewerHere and Removed; blank lines and the provider's numbers are known already
}

// Finish ends a stage with its result and opens what follows; it returns the stage of the job that is runnable now, or
// nothing. The same claim finished again changes nothing and answers again. Stale as for Renew. Invalid
// "counts-do-not-add-up" if rows got lost. Precondition "no-leave" if a merge that changes contacts never had leave to
// commit.
func (l *Ledger) Finish(ctx context.Context, account uuid.UUID, k Claim, r Result) (next event.Stage, err error) {
	c, err := l.withJob(ctx, account, Ref{ID: k.Job}, loads{other: r.Corrects}, func(c *change) error {
		for _, s := range c.stages {
			if s.Stage == k.Stage && s.has(k.Token) && s.State == stageDone { // finished before
				next = c.runnableNow()
				return errNothing
			}
		}
		s, err := c.hold(k)
		if s == nil || err != nil {
			return err
		}
		return c.advance(s, r)
	})
	if err != nil {
		return "", notHeld(k, err)
	}
	if next == "" {
		next = c.opened()
	}
	return next, nil
}

// Reason is why a stage is given back.
type Reason string

// The reasons.
const (
	Drain       Reason = "drain"       // the worker is stopping; not charged
	Unavailable Reason = "unavailable" // a dependency is; not charged
	Fault       Reason = "fault"       // the job's own doing; the eighth parks it
)

// CodeNotApplied is the code by which a merge in COMMITTING says that the contact database answered "not applied" under
// a raised fence. Only such faults can park a job that had leave to commit; after others it is tried again.
const CodeNotApplied = "not-applied"

// Return is a stage given back.
type Return struct {
	Reason     Reason
	Code       string // stable, for people and alerts
	Message    string // one sentence without contact data
	RetryAfter time.Duration
}

// Release gives a stage back; parked tells whether that was the fault too many and the job FAILED. Stale as for Renew.
func (l *Ledger) Release(ctx context.Context, account uuid.UUID, k Claim, r Return) (parked bool, err error) {
	_, err = l.withJob(ctx, account, Ref{ID: k.Job}, loads{}, func(c *change) error {
		s, err := c.hold(k)
		if s == nil || err != nil {
			return err
		}
		parked, err = c.giveBack(s, r)
		return err
	})
	if err != nil {
		return false, notHeld(k, err)
	}
	return parked, nil
}

// LeaveToCommit lets a merge commit: the job is COMMITTING and can be cancelled no more. Idempotent for a token. Stale
// as for Renew, so also for a cancelled job.
func (l *Ledger) LeaveToCommit(ctx context.Context, account uuid.UUID, k Claim) error {
	_, err := l.withJob(ctx, account, Ref{ID: k.Job}, loads{}, func(c *change) error {
		s, err := c.hold(k)
		if s == nil || err != nil {
			return err
		}
		return c.leave(s)
	})
	return notHeld(k, err)
}

// confirm finds out whether a claim whose COMMIT went unanswered was granted: under the lock, so that nothing of it is
// still on its way. What was to be loaded with it was not answered either, and is loaded now. If the claim was not granted, or that cannot
// be told, it returns why.
func (l *Ledger) confirm(ctx context.Context, c *change, token int64, more loads, why error) error {
	holds := false
	err := l.underLock(ctx, c.account, func(b *pgx.Batch) {
		b.Queue(l.sql.Holds, c.account, token).QueryRow(func(r pgx.Row) error { return r.Scan(&holds) })
		c.queueLoads(b, more)
	})
	if err != nil || !holds {
		return why
	}
	return nil
}

// claim decides on a claim.
func (c *change) claim(stage event.Stage, life Life) (Grant, error) {
	refused := Grant{Reason: ReasonNotRunnable}
	var free *stageRow
	for _, s := range c.stages {
		if s.Stage != stage {
			continue
		}
		if c.ended(s) {
			if err := c.endLease(s); err != nil {
				return Grant{}, err
			}
		}
		switch {
		case s.State == runnable && (s.NotBefore == nil || !s.NotBefore.After(c.at)):
			if free == nil {
				free = s
			}
		case s.State == runnable:
			refused.Reason = ReasonNotRunnable
		case s.State == claimed:
			refused.Reason = ReasonHeld
		default:
			refused.Reason = ReasonDone
		}
	}
	if free == nil {
		if !c.touched() {
			return refused, errNothing
		}
		return refused, nil
	}
	c.grant(free, life)
	c.life = &life
	var err error
	switch stage {
	case event.Validate:
		err = c.enter(Validating, nil)
	case event.Match:
		err = c.enter(Matching, nil)
	case event.Merge:
		if c.job.State == Ready { // an undo begins with it
			err = c.enter(Merging, nil)
		}
	}
	if err != nil {
		return Grant{}, err
	}
	g := Grant{Granted: true, Token: c.token, Lease: c.ledger.cfg.Lease}
	g.Work = Work{
		Account: c.job.Settings.over(c.job.AccountSettings), Notice: free.Notice, Confirmed: c.job.Confirmed,
		Committing: stage == event.Merge && c.job.State == Committing, Planning: stage == event.Merge && c.planning(),
	}
	if (stage == event.Enrich || stage == event.Merge) && c.job.ApprovedBy != nil {
		g.Work.Plan = &c.job.Plan.Object
	}
	if stage == event.Notify {
		g.Work.Recipients = c.recipients()
	}
	return g, nil
}

// leave lets the holder of merge commit.
func (c *change) leave(s *stageRow) error {
	switch {
	case s.Stage != event.Merge || c.job.CheckOnly || c.planning():
		return fault.New(fault.Invalid, "nothing-to-commit", "stage %s of job %d commits nothing", s.Stage, c.job.Number)
	case c.job.State == Committing && c.job.LeaveToken != nil && *c.job.LeaveToken == *s.Token:
		return nil
	}
	token := *s.Token
	c.job.LeaveToken = &token
	c.jobDirty = true
	return c.enter(Committing, nil)
}

// touched reports whether a change has anything to save.
func (c *change) touched() bool {
	for _, s := range c.stages {
		if s.dirty || s.fresh {
			return true
		}
	}
	return c.jobDirty || c.queueDirty || c.moved
}

// runnableNow is the stage of the job that is open, notices apart.
func (c *change) runnableNow() event.Stage {
	for _, s := range c.stages {
		if s.open() && s.Stage != event.Notify {
			return s.Stage
		}
	}
	return ""
}

// notHeld turns "no such job" into Stale: whoever holds a claim knows the job.
func notHeld(k Claim, err error) error {
	if fault.Code(err) == codeUnknownJob {
		return stale(k)
	}
	return err
}
