package ledger

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/postgres"
)

const (
	maxPage   = 500  // jobs
	maxEvents = 1000 // of one reading
)

// Job returns a job; NotFound if the account has none of that name.
func (l *Ledger) Job(ctx context.Context, account uuid.UUID, ref Ref) (Job, error) {
	id, number := ref.key()
	found, err := read[jobRow](ctx, l, account, l.sql.ViewJob, account, id, number)
	return only(found, err)
}

// JobByRequest returns the job of a request id; NotFound if none was accepted.
func (l *Ledger) JobByRequest(ctx context.Context, account uuid.UUID, requestID string) (Job, error) {
	found, err := read[jobRow](ctx, l, account, l.sql.ViewRequest, account, requestID)
	return only(found, err)
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
	before := p.Before
	if before <= 0 {
		before = math.MaxInt64
	}
	states := make([]string, len(p.States))
	for i, s := range p.States {
		states[i] = string(s)
	}
	found, err := read[jobRow](ctx, l, account, l.sql.ViewJobs, account, before, states, min(max(p.Size, 1), maxPage))
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	jobs := make([]Job, len(found))
	for i, r := range found {
		jobs[i] = r.toJob()
	}
	return jobs, nil
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
	found, err := read[resultRow](ctx, l, account, l.sql.Results, account, job)
	if err != nil {
		return Results{}, fmt.Errorf("read results of job %s: %w", job, err)
	}
	return toResults(found, ""), nil
}

// Events returns at most limit events with a number above after, in order, all of the account or of one job (job not
// nil). Fewer than limit are all there are.
func (l *Ledger) Events(ctx context.Context, account uuid.UUID, job uuid.UUID, after int64, limit int) ([]Event, error) {
	limit = min(max(limit, 1), maxEvents)
	sql, args := l.sql.Events, []any{account, after, limit}
	if job != uuid.Nil {
		sql, args = l.sql.EventsOfJob, []any{account, job, after, limit}
	}
	found, err := read[eventRow](ctx, l, account, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read events after %d: %w", after, err)
	}
	events := make([]Event, len(found))
	for i, r := range found {
		events[i] = r.toEvent()
	}
	return events, nil
}

// LastEvent is the number of the account's last event; 0 if there is none.
func (l *Ledger) LastEvent(ctx context.Context, account uuid.UUID) (int64, error) {
	found, err := read[queueRow](ctx, l, account, l.sql.LastEvent, account)
	if err != nil {
		return 0, fmt.Errorf("read number of last event: %w", err)
	}
	if len(found) == 0 {
		return 0, nil
	}
	return found[0].LastEvent, nil
}

// toResults puts results in their places, the newest round of each, of the stages that come before a stage; of all for "".
func toResults(found []*resultRow, before event.Stage) Results {
	var r Results
	limit := slices.Index(event.Stages(), before)
	for _, f := range found {
		if at := slices.Index(event.Stages(), f.Stage); limit >= 0 && at >= limit {
			continue
		}
		switch f.Stage {
		case event.Validate:
			r.Validated = f.Result
		case event.Match:
			r.Matched = f.Result
		case event.Enrich:
			r.Enriched = f.Result
		case event.Merge:
			r.Merged = f.Result
		}
	}
	return r
}

// read runs one query of one account.
func read[T any](ctx context.Context, l *Ledger, account uuid.UUID, sql string, args ...any) ([]*T, error) {
	var found []*T
	b := &pgx.Batch{}
	many(b, sql, &found, args...)
	err := l.db.Read(ctx, account, b)
	return found, err
}

// write runs one statement of one account in a transaction of its own, and returns the rows that it returns.
func write[T any](ctx context.Context, l *Ledger, account uuid.UUID, sql string, args ...any) ([]*T, error) {
	var found []*T
	err := l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		many(b, sql, &found, args...)
		return postgres.Last(ctx, tx, b)
	})
	return found, err
}

func only(found []*jobRow, err error) (Job, error) {
	if err != nil {
		return Job{}, fmt.Errorf("read job: %w", err)
	}
	if len(found) == 0 {
		return Job{}, noSuchJob()
	}
	return found[0].toJob(), nil
}

func viewed(view jobRow, err error) (Job, error) {
	if err != nil {
		return Job{}, err
	}
	return view.toJob(), nil
}
