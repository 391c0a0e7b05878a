package inquiry

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

//go:embed queries/*.sql
var queries embed.FS

type statements struct {
	AnswerOfBatch, InsertBatch, HoldValues, FreeValue, FreeBatch, AnswersOfValues, AnswersOfBatches, AnsweredOfBatches, AnswerBatch, FailBatch, OpenBatch string
	Breaker, OpenBreaker, RestBreaker, CloseBreaker                                                                                                       string
	AccountsWithOpenBatches, ClaimOpenBatches, NextOpenBatch, CostOfJob, SumBatches, ListBatches, Description, KeepDescription                            string
}

// ledger remembers what was asked of providers and what they answered.
type ledger struct {
	db  *postgres.DB
	sql statements
}

// batch is one question to a provider.
type batch struct {
	account, job uuid.UUID
	provider     string
	id           string
	subjects     int
	currency     string // empty where it costs nothing

	// where it costs something
	question []byte        // sealed
	price    int64         // of a subject, at most, when it was noted
	rest     time.Duration // until the background asks it again
	values   []uuid.UUID
	kinds    []int16
	at       []int32
	since    time.Time // values that were answered before may be asked about again
}

// answered is a batch with its answer, which is not in the ledger yet.
type answered struct {
	batch
	response *providerv1.EnrichResponse
	known    int
}

// errHeld: another batch has some of the values.
var errHeld = fault.New(fault.Aborted, "values-held", "somebody else is asking about some of the same values")

// next saves the answer to the batch before, notes the next one, and looks whether that has been answered already, all in
// one transaction. Either may be nil. The answer is nil where the provider has to be asked. A provider that rests is a Down.
func (l *ledger) next(ctx context.Context, before *answered, b *batch) (*providerv1.EnrichResponse, error) {
	var account uuid.UUID
	if before != nil {
		account = before.account
	} else {
		account = b.account
	}
	var saved []byte
	err := l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		saved = nil
		q := &pgx.Batch{}
		if before != nil {
			packed, err := pack(before.response)
			if err != nil {
				return err
			}
			q.Queue(l.sql.AnswerBatch, before.account, before.provider, before.id, before.known, before.response.CostMicros, packed)
			q.Queue(l.sql.CloseBreaker, before.account, before.provider)
		}
		var down *Down
		held := int64(0)
		if b != nil {
			l.queueBreaker(q, b.account, b.provider, &down)
			q.Queue(l.sql.InsertBatch, b.account, b.provider, b.id, b.job, b.subjects, b.question, b.rest.Seconds(), b.currency)
			if len(b.values) > 0 {
				q.Queue(l.sql.HoldValues, b.account, b.provider, b.id, b.values, b.kinds, b.at, b.since).Exec(func(tag pgconn.CommandTag) error {
					held = tag.RowsAffected()
					return nil
				})
			}
			q.Queue(l.sql.AnswerOfBatch, b.account, b.provider, b.id).QueryRow(func(row pgx.Row) error { return row.Scan(&saved) })
		}
		if b == nil {
			return postgres.Last(ctx, tx, q)
		}
		if err := tx.SendBatch(ctx, q).Close(); err != nil {
			return err
		}
		if down != nil && saved == nil {
			return down
		}
		if held != int64(len(b.values)) {
			return errHeld
		}
		return nil
	})
	if errors.Is(err, postgres.ErrCommitUnknown) {
		return l.next(ctx, before, b) // every statement is idempotent
	}
	if err != nil {
		return nil, fmt.Errorf("keep batches of account %s: %w", account, err)
	}
	if saved == nil {
		return nil, nil
	}
	return unpack(saved)
}

// queueBreaker has the breaker looked at: down is set while the provider rests.
func (l *ledger) queueBreaker(q *pgx.Batch, account uuid.UUID, provider string, down **Down) {
	q.Queue(l.sql.Breaker, account, provider).Query(func(rows pgx.Rows) error {
		d, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Down, error) {
			var failures int
			var code string
			var seconds float64
			err := row.Scan(&failures, &code, &seconds)
			return resting(provider, code, failures, seconds), err
		})
		if len(d) > 0 {
			*down = d[0]
		}
		return err
	})
}

// recall adds to places where values were answered.
func (l *ledger) recall(ctx context.Context, account uuid.UUID, provider string, values []uuid.UUID, since time.Time, places map[value]place) error {
	if len(values) == 0 {
		return nil
	}
	err := l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, l.sql.AnswersOfValues, account, provider, values, since)
		if err != nil {
			return err
		}
		var v value
		var p place
		var fresh bool
		held, batches := map[value]place{}, map[string]bool{}
		_, err = pgx.ForEachRow(rows, []any{&v, &p.batch, &p.at, &fresh}, func() error {
			p.stale = !fresh
			held[v], batches[p.batch] = p, true
			return nil
		})
		if err != nil || len(held) == 0 {
			return err
		}
		if rows, err = tx.Query(ctx, l.sql.AnsweredOfBatches, account, provider, slices.Collect(maps.Keys(batches))); err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		clear(batches)
		for _, id := range ids {
			batches[id] = true
		}
		for v, p := range held {
			if batches[p.batch] {
				places[v] = p
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up values of account %s: %w", account, err)
	}
	return nil
}

// answers gets the answers to batches.
func (l *ledger) answers(ctx context.Context, account uuid.UUID, provider string, ids []string) (map[string]*providerv1.EnrichResponse, error) {
	found := make(map[string]*providerv1.EnrichResponse, len(ids))
	q := &pgx.Batch{}
	q.Queue(l.sql.AnswersOfBatches, account, provider, ids).Query(func(rows pgx.Rows) error {
		var id string
		var packed []byte
		_, err := pgx.ForEachRow(rows, []any{&id, &packed}, func() (err error) {
			found[id], err = unpack(packed)
			return err
		})
		return err
	})
	if err := l.db.Read(ctx, account, q); err != nil {
		return nil, fmt.Errorf("look up answers of account %s: %w", account, err)
	}
	return found, nil
}

// open is a batch without an answer whose question is known.
type open struct {
	batch
	age time.Duration
}

// oldest is the open batch of an account that was noted first, nil if there is none.
func (l *ledger) oldest(ctx context.Context, account uuid.UUID, provider string) (found *open, err error) {
	err = l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		b := &open{batch: batch{account: account, provider: provider}}
		var seconds float64
		err := tx.QueryRow(ctx, l.sql.OpenBatch, account, provider).Scan(&b.id, &b.job, &b.subjects, &b.question, &seconds)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		b.age, found = toDuration(seconds), b
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for open batches of account %s: %w", account, err)
	}
	return found, nil
}

// giveUp closes a batch without an answer and lets go of its values, all it has where nil stands for them.
func (l *ledger) giveUp(ctx context.Context, b *batch, values []uuid.UUID, code string) error {
	err := l.db.InAccount(ctx, b.account, func(ctx context.Context, tx pgx.Tx) error {
		q := &pgx.Batch{}
		q.Queue(l.sql.FailBatch, b.account, b.provider, b.id, code)
		if values == nil {
			q.Queue(l.sql.FreeBatch, b.account, b.provider, b.id)
		}
		for _, v := range values {
			q.Queue(l.sql.FreeValue, b.account, b.provider, b.id, v)
		}
		return postgres.Last(ctx, tx, q)
	})
	if errors.Is(err, postgres.ErrCommitUnknown) {
		return l.giveUp(ctx, b, values, code)
	}
	if err != nil {
		return fmt.Errorf("give up batch %s of account %s: %w", b.id, b.account, err)
	}
	return nil
}

// costOf sums up what the batches of a job cost.
func (l *ledger) costOf(ctx context.Context, account, job uuid.UUID, provider string) (micros int64, err error) {
	q := &pgx.Batch{}
	q.Queue(l.sql.CostOfJob, account, job, provider).QueryRow(func(row pgx.Row) error { return row.Scan(&micros) })
	if err := l.db.Read(ctx, account, q); err != nil {
		return 0, fmt.Errorf("sum up the cost of job %s: %w", job, err)
	}
	return micros, nil
}

func pack(r *providerv1.EnrichResponse) ([]byte, error) {
	b, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("pack answer of batch %s: %w", r.BatchId, err)
	}
	return s2.Encode(nil, b), nil
}

func unpack(b []byte) (*providerv1.EnrichResponse, error) {
	plain, err := s2.Decode(nil, b)
	if err != nil {
		return nil, fmt.Errorf("unpack answer: %w", err)
	}
	r := &providerv1.EnrichResponse{}
	if err := proto.Unmarshal(plain, r); err != nil {
		return nil, fmt.Errorf("unpack answer: %w", err)
	}
	return r, nil
}

func toDuration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
