package ledger

import (
	"context"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/google/uuid"
)

// Life is one life of an instance of a worker.
type Life struct {
	Instance    string // name that outlives restarts
	Incarnation uuid.UUID
}

// StartInstance begins a life of an instance: it ends the leases that earlier lives of it still hold, and returns how
// many. From then on an earlier life claims nothing. Idempotent; a life that was itself superseded is Stale.
func (l *Ledger) StartInstance(ctx context.Context, life Life) (ended int, err error) {
	return l.startInstance(ctx, life)
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
)

// Work is all that a worker needs.
type Work struct {
	Job        Job // its Question, for a notice about one, is the one last asked
	Account    Account
	Results    Results
	Notice     string   // NoticeEnded or NoticeQuestion, for notify
	Recipients []string // who is to be told, for notify
	Committing bool     // an earlier token had leave to commit: look first whether the job was applied
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
	return l.claim(ctx, account, job, stage, life)
}

// Renew keeps the lease of a claim from now on and notes how far the work is; total 0 means unknown. A lease that ended
// revives if nobody took the stage since. Stale if the claim is no longer the stage's: taken, given back or cancelled.
func (l *Ledger) Renew(ctx context.Context, account uuid.UUID, c Claim, done, total int64) (Renewal, error) {
	return l.renew(ctx, account, c, done, total)
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

	Columns []Column // validate: every column of the file
	Rows    int64    // validate
	Blank   int64    // validate
	Invalid int64    // validate

	NewRows int64 // match: rows that will be new contacts

	Sent  int64 // enrich
	Known int64 // enrich

	Counts Counts // merge: the nine outcomes and Rows; blank lines and the provider's numbers are known already
}

// Finish ends a stage with its result and opens what follows; it returns the stage of the job that is runnable now, or
// nothing. The same claim finished again changes nothing and answers again. Stale as for Renew. Invalid
// "counts-do-not-add-up" if rows got lost. Precondition "no-leave" if a merge that changes contacts never had leave to
// commit.
func (l *Ledger) Finish(ctx context.Context, account uuid.UUID, c Claim, r Result) (next event.Stage, err error) {
	return l.finish(ctx, account, c, r)
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
func (l *Ledger) Release(ctx context.Context, account uuid.UUID, c Claim, r Return) (parked bool, err error) {
	return l.release(ctx, account, c, r)
}

// LeaveToCommit lets a merge commit: the job is COMMITTING and can be cancelled no more. Idempotent for a token. Stale
// as for Renew, so also for a cancelled job.
func (l *Ledger) LeaveToCommit(ctx context.Context, account uuid.UUID, c Claim) error {
	return l.leaveToCommit(ctx, account, c)
}
