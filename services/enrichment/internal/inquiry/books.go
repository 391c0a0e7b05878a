package inquiry

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// pageBatches is how many batches are read at once.
const pageBatches = 1_000

// Filter chooses batches; what is nil chooses all.
type Filter struct {
	Job           *uuid.UUID // that asked them
	Provider      *string
	Since, Before *time.Time // when they were sent
}

// Sum is what was asked of a provider in a month.
type Sum struct {
	Month              string // 2026-11, in UTC
	Provider, Currency string
	Batches            int64
	Open, Failed       int64 // of the batches
	Subjects, Known    int64 // of those that were answered
	Micros             int64
}

// Batch is one question to a provider, as the ledger has it.
type Batch struct {
	ID, Provider string
	Job          uuid.UUID
	Subjects     int64
	Sent         time.Time
	Answered     *time.Time // nil until it is
	Known        int64
	Micros       int64
	Currency     string
	Failed       string // code of why it was given up
}

// Sums adds up the batches of an account, the newest month first.
func (d *Desk) Sums(ctx context.Context, account uuid.UUID, f Filter) (sums []Sum, err error) {
	err = d.ledger.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, d.ledger.sql.SumBatches, account, f.Job, f.Provider, f.Since, f.Before)
		if err != nil {
			return err
		}
		sums, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Sum])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("add up batches of account %s: %w", account, err)
	}
	return sums, nil
}

// Batches calls yield with the batches of an account in the order in which they were sent, however many there are: no transaction
// is open meanwhile.
func (d *Desk) Batches(ctx context.Context, account uuid.UUID, f Filter, yield func(*Batch) error) error {
	var last Batch
	for {
		var page []*Batch
		err := d.ledger.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, d.ledger.sql.ListBatches, account, f.Job, f.Provider, f.Since, f.Before, last.Sent, last.Provider, last.ID, pageBatches)
			if err != nil {
				return err
			}
			page, err = pgx.CollectRows(rows, toBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("list batches of account %s: %w", account, err)
		}
		for _, b := range page {
			if err := yield(b); err != nil {
				return err
			}
		}
		if len(page) < pageBatches {
			return nil
		}
		last = *page[len(page)-1]
	}
}

func toBatch(row pgx.CollectableRow) (*Batch, error) {
	b := &Batch{}
	return b, row.Scan(&b.ID, &b.Provider, &b.Job, &b.Subjects, &b.Sent, &b.Answered, &b.Known, &b.Micros, &b.Currency, &b.Failed)
}
