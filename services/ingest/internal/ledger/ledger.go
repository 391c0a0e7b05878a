// Package ledger holds what is true about jobs: their order, turn, stages, leases, events and notices, in PostgreSQL.
//
// Every change of a job locks the account's row of queues first, so that changes of one account happen one after the
// other whichever replica makes them; numbers of jobs and events, and tokens, are given under that lock. A change is one
// transaction of four round trips: begin, load, save, commit. In between, pure Go decides (see change.go), by the table
// in state.go.
//
// What is to be rung or published is state as well: a RUNNABLE stage that was not rung, an event in the outbox. Relay
// sends it right after the commit; Reconciler ends leases and rings again. Losing NATS therefore loses nothing.
//
// A method whose COMMIT went unanswered returns an error with errors.Is(err, postgres.ErrCommitUnknown). Every method may
// simply be called again with the same arguments: Accept and Retry by request id, the holder's methods by token, Cancel
// by state. Claim is the exception: what it may have granted comes free with the lease.
package ledger

import (
	"context"
	"log/slog"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/google/uuid"
)

// Config is how the ledger behaves. The zero value of a field means its default.
type Config struct {
	Lease        time.Duration // of a claimed stage, by the database's clock; 30 s
	Validations  int           // of an account at work at once; 2
	FaultBackoff time.Duration // before a stage is tried again after its first fault, then doubling up to 5 min; 1 s
	Log          *slog.Logger  // parked jobs and relay troubles; slog.Default
}

// Ledger is the state machine of all jobs. It is safe for concurrent use, by any number of replicas.
type Ledger struct {
	db  *postgres.DB
	cfg Config
	// woken carries what a commit made sendable to the Relay of the same process; a full channel is no loss, as the
	// relay sweeps.
	woken chan wake
}

// New returns the ledger over a database migrated with Schema.
func New(db *postgres.DB, cfg Config) (*Ledger, error) {
	if cfg.Lease <= 0 {
		cfg.Lease = event.DefaultLease
	}
	if cfg.Validations <= 0 {
		cfg.Validations = 2
	}
	if cfg.FaultBackoff <= 0 {
		cfg.FaultBackoff = time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Ledger{db: db, cfg: cfg, woken: make(chan wake, 1024)}, nil
}

// Lease is how long a claim lasts.
func (l *Ledger) Lease() time.Duration { return l.cfg.Lease }

// Submission is a complete upload to be made a job of.
type Submission struct {
	RequestID      string // 1 to 128 bytes
	Upload         uuid.UUID
	FileName       string
	File           Object // complete and verified
	Settings       Settings
	Account        Account // frozen
	SubmittedBy    string
	SubmitterEmail string // told of the end of a check; may be empty
}

// Accept makes a job of a completed upload, in one transaction with its event, its first stage and the end of the
// upload. Once it returned, the job ends in a final state.
//
// A request id that was accepted before answers the same job and existing = true if file bytes and settings are the
// same, and Exists "request-id-reused" if not; the upload then stays as it is, for the caller to abandon. An upload that
// expired or is unknown is Precondition "upload-expired".
func (l *Ledger) Accept(ctx context.Context, account uuid.UUID, s Submission) (job Job, existing bool, err error) {
	return l.accept(ctx, account, s)
}

// Job returns a job; NotFound if the account has none of that name.
func (l *Ledger) Job(ctx context.Context, account uuid.UUID, ref Ref) (Job, error) {
	return l.job(ctx, account, ref)
}

// JobByRequest returns the job of a request id; NotFound if none was accepted.
func (l *Ledger) JobByRequest(ctx context.Context, account uuid.UUID, requestID string) (Job, error) {
	return l.jobByRequest(ctx, account, requestID)
}

// Page says which jobs to list: those with a number below Before (0: from the newest), at most Size (1 to 500), in one of
// States (nil: any).
type Page struct {
	Before int64
	Size   int
	States []State
}

// Jobs returns a page, newest first. The next page is Before the last one's number; fewer than Size are the last page.
func (l *Ledger) Jobs(ctx context.Context, account uuid.UUID, p Page) ([]Job, error) {
	return l.jobs(ctx, account, p)
}

// Results are what the stages of a job left, as given to Finish; nil where a stage has not ended or was not needed.
type Results struct {
	Validated []byte
	Matched   []byte
	Enriched  []byte
	Merged    []byte
}

// Results returns what the stages of a job left.
func (l *Ledger) Results(ctx context.Context, account, job uuid.UUID) (Results, error) {
	return l.results(ctx, account, job)
}

// Cancel ends a job before its effect is committed: CANCELLED at once, its stages dropped. A cancelled job is answered
// again; one that has leave to commit or is otherwise final is Precondition "too-late". Of Cancel and LeaveToCommit
// exactly one wins.
func (l *Ledger) Cancel(ctx context.Context, account uuid.UUID, ref Ref) (Job, error) {
	return l.cancel(ctx, account, ref)
}

// Resubmission is who asks for a retry.
type Resubmission struct {
	RequestID      string // empty: every call makes another job
	Account        Account
	SubmittedBy    string
	SubmitterEmail string
}

// Retry makes a new job of a FAILED, REJECTED or CANCELLED one, with the same file and settings; others are Precondition
// "not-retryable", and so is one whose file was swept ("file-swept"). A request id works as for Accept.
func (l *Ledger) Retry(ctx context.Context, account uuid.UUID, ref Ref, r Resubmission) (job Job, existing bool, err error) {
	return l.retry(ctx, account, ref, r)
}

// Answer is what a person answered to a job in NEEDS_ANSWER.
type Answer struct {
	Mapping   map[string]string // added to the job's
	DateOrder DateOrder         // empty: as before
}

// Answer adds an answer to the job's settings and has it validated again: QUEUED, with its old number, so before all
// higher ones that have not started. A job that asks nothing is Precondition "no-question". An empty answer is Invalid
// "empty-answer", unless matching asked: then it means "go on", and matching's question is not asked again.
func (l *Ledger) Answer(ctx context.Context, account uuid.UUID, ref Ref, a Answer) (Job, error) {
	return l.answer(ctx, account, ref, a)
}

// Events returns at most limit events with a number above after, in order, all of the account or of one job (job not
// nil). Fewer than limit are all there are.
func (l *Ledger) Events(ctx context.Context, account uuid.UUID, job uuid.UUID, after int64, limit int) ([]Event, error) {
	return l.events(ctx, account, job, after, limit)
}
