// Package ledger holds what is true about jobs: their order, turn, stages, leases, events and notices, in PostgreSQL.
//
// Every change of a job locks the account's row of queues first, so that changes of one account happen one after the
// other whichever replica makes them; numbers of jobs and events, and tokens, are given under that lock. A change is one
// transaction of two round trips: begin and load, save and commit. In between, pure Go decides (see change.go), by the table
// in state.go.
//
// What is to be rung or published is state as well: a RUNNABLE stage that was not rung, an event in the outbox. Relay
// sends it right after the commit; Reconciler ends leases and rings again. Losing NATS therefore loses nothing.
//
// A method whose COMMIT went unanswered returns an error with errors.Is(err, postgres.ErrCommitUnknown). Every method may
// simply be called again with the same arguments: Accept and Retry by request id, the holder's methods by token, Cancel
// by state. Claim finds out by itself whether it was granted.
package ledger

import (
	"context"
	"log/slog"
	"sync/atomic"
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
	db     *postgres.DB
	cfg    Config
	sql    statements
	across acrossStatements
	// woken carries what a commit made sendable to the Relay of the same process; a full channel is no loss, as the
	// relay sweeps.
	woken chan wake
	// ringAll has the Reconciler ring all runnable work again, whenever it was rung.
	ringAll atomic.Bool
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
	l := &Ledger{db: db, cfg: cfg, woken: make(chan wake, 1024)}
	var err error
	if l.sql, err = postgres.Queries[statements](statementFiles, "queries"); err != nil {
		return nil, err
	}
	if l.across, err = postgres.Queries[acrossStatements](statementFiles, "across"); err != nil {
		return nil, err
	}
	return l, nil
}

// Lease is how long a claim lasts.
func (l *Ledger) Lease() time.Duration { return l.cfg.Lease }

// Cancel ends a job before its effect is committed: CANCELLED at once, its stages dropped. A cancelled job is answered
// again; one that has leave to commit or is otherwise final is Precondition "too-late". Of Cancel and LeaveToCommit
// exactly one wins.
func (l *Ledger) Cancel(ctx context.Context, account uuid.UUID, ref Ref) (Job, error) {
	var view jobRow
	_, err := l.withJob(ctx, account, ref, loads{view: &view}, (*change).cancel)
	return viewed(view, err)
}
