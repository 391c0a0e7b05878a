package contactdb

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/postgres"
)

// A plan says what a job under review would do; once a person has approved it, nothing else is done. What would become of a
// contact is compared by its effect: a hash of the fields that change, and of what they are before and after.

//go:embed plan/*.sql
var planQueries embed.FS

type planSQL struct {
	ReadEffects, HoldRows, ReadLeft string
}

// planStatements are those about plans, for jobs with own fields and for jobs without.
type planStatements struct {
	planSQL
	ownEffects string
}

func newPlanStatements() (p planStatements, err error) {
	if p.planSQL, err = postgres.Queries[planSQL](planQueries, "plan"); err != nil {
		return p, err
	}
	p.ownEffects, p.ReadEffects = variant(p.ReadEffects, "own"), variant(p.ReadEffects)
	return p, nil
}

func (p *planStatements) effects(c Change) string {
	if len(c.Own) > 0 {
		return p.ownEffects
	}
	return p.ReadEffects
}

// effectsBatch is how many effects are read at once.
const effectsBatch = 5_000

// Effect is what would become of a row's contact.
type Effect struct {
	Row     int64
	Changes bool  // the row changes something after those before it; if not, it meets one that does
	Hash    int64 // of what becomes of the contact, 0 if that is nothing
}

// Effects is the effects of rows as the database gives them, between [Merges.Plan] and [Merges.Apply]. Other statements may
// come between two calls.
type Effects struct {
	tx    pgx.Tx
	batch []Effect
	ended bool
}

// Effects begins to read the effects of the rows that were compared.
func (m *Merges) Effects(ctx context.Context, tx pgx.Tx, c Change) (*Effects, error) {
	if _, err := tx.Exec(ctx, "declare effects no scroll cursor for "+m.plans.effects(c), pgx.QueryExecModeExec, c.Job.Account); err != nil {
		return nil, fmt.Errorf("read effects of rows: %w", err)
	}
	return &Effects{tx: tx}, nil
}

// Of is the effect of a row; it changes nothing if there is none. Rows must be asked in growing order.
func (e *Effects) Of(ctx context.Context, n int64) (Effect, error) {
	for {
		for len(e.batch) > 0 && e.batch[0].Row < n {
			e.batch = e.batch[1:]
		}
		if len(e.batch) > 0 && e.batch[0].Row == n {
			return e.batch[0], nil
		}
		if len(e.batch) > 0 || e.ended {
			return Effect{Row: n}, nil
		}
		found, err := e.tx.Query(ctx, fmt.Sprintf("fetch %d from effects", effectsBatch))
		if err == nil {
			e.batch, err = pgx.CollectRows(found, pgx.RowToStructByPos[Effect])
		}
		if err != nil {
			return Effect{}, fmt.Errorf("read effects of rows: %w", err)
		}
		e.ended = len(e.batch) == 0
	}
}

// Close ends the reading.
func (e *Effects) Close(ctx context.Context) error {
	if _, err := e.tx.Exec(ctx, "close effects"); err != nil {
		return fmt.Errorf("read effects of rows: %w", err)
	}
	return nil
}

// Hold takes rows out of the job, and with them all that meet them at a contact: what would become of it is theirs together. It
// returns all that were taken out.
func (m *Merges) Hold(ctx context.Context, tx pgx.Tx, rows []int64) ([]int64, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	held, err := collect(ctx, tx, pgx.RowTo[int64], m.plans.HoldRows, rows)
	if err != nil {
		return nil, fmt.Errorf("hold rows: %w", err)
	}
	return held, nil
}

// Left is what is left of a difference after rows were held.
func (m *Merges) Left(ctx context.Context, tx pgx.Tx, d Difference) (Difference, error) {
	var bits int64
	if err := tx.QueryRow(ctx, m.plans.ReadLeft).Scan(&d.changes, &bits); err != nil {
		return d, fmt.Errorf("read what is left to change: %w", err)
	}
	d.fields = uint64(bits)
	return d, nil
}

// Planned is [Merges.Changed] with the effects of the rows, for the plan of a job under review.
func (m *Merges) Planned(ctx context.Context, tx pgx.Tx, c Change) (*RowList, error) {
	effects := m.plans.effects(c)
	sql, args := "select e.row, e.changes, e.effect from ("+effects+") as e order by e.row", []any{c.Job.Account}
	kept := c.keeps()
	if kept {
		sql = "select coalesce(e.row, k.row), coalesce(e.changes, false), coalesce(e.effect, 0), k.fields, k.reasons, k.values, k.since from (" + effects +
			") as e full join (" + m.sql.ReadChangedAndKeptRows + ") as k on k.row = e.row order by 1"
		args = append(args, nullTime(c.Policies.AsOf))
	}
	return readRows(ctx, tx, kept, true, sql, args...)
}
