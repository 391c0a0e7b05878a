package inquiry

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// grace is how long, beyond the provider's time, an open batch is left to whoever noted it before the background asks it again.
const grace = time.Minute

func (d *Desk) settleAfter() time.Duration { return d.cfg.Timeout + grace }

// settle asks again, under their ids, all batches of the account that were noted and not answered, the oldest first.
func (q *Inquiry) settle(ctx context.Context, about *Description) error {
	for {
		b, err := q.desk.ledger.oldest(ctx, q.order.Account, about.Name)
		if b == nil || err != nil {
			return err
		}
		if err := q.settleOne(ctx, about, b); err != nil {
			return fmt.Errorf("settle batch %s of account %s: %w", b.id, b.account, err)
		}
	}
}

func (q *Inquiry) settleOne(ctx context.Context, about *Description, b *open) error {
	request, err := q.desk.unseal(&b.batch)
	if errors.Is(err, fault.DataLoss) {
		q.desk.log.ErrorContext(ctx, "question of an open batch cannot be read", "account", b.account, "provider", b.provider, "batch", b.id, "error", err)
		return q.desk.ledger.giveUp(ctx, &b.batch, nil, "question-lost")
	}
	if err != nil {
		return err
	}
	if b.age >= about.Remembers { // asked again under its id it could be charged again
		q.desk.log.WarnContext(ctx, "open batch is older than the provider remembers", "account", b.account, "provider", b.provider, "batch", b.id)
		return q.desk.giveUp(ctx, &b.batch, request, "provider-forgot")
	}
	a, err := q.question(ctx, about, &b.batch, request)
	if errors.Is(err, fault.Invalid) {
		return nil // given up: it is nobody's any more
	}
	if err != nil {
		return err
	}
	_, err = q.desk.ledger.next(ctx, &answered{b.batch, a, known(a)}, nil)
	return err
}

// giveUp closes a batch without an answer, and lets go of its values.
func (d *Desk) giveUp(ctx context.Context, b *batch, q *providerv1.EnrichRequest, code string) error {
	var values []uuid.UUID
	for _, s := range q.Subjects {
		if s.Phone != "" {
			values = append(values, d.keys.Hash(b.account, uint8(contact.Phone), []byte(s.Phone)))
		}
		if s.Email != "" {
			values = append(values, d.keys.Hash(b.account, uint8(contact.Email), []byte(s.Email)))
		}
	}
	return d.ledger.giveUp(ctx, b, values, code)
}

// seal encrypts a question for the ledger, and what it may cost.
func (d *Desk) seal(b *batch, q *providerv1.EnrichRequest) ([]byte, error) {
	plain, err := proto.MarshalOptions{}.MarshalAppend(binary.AppendUvarint(nil, uint64(b.price)), q)
	if err != nil {
		return nil, fmt.Errorf("seal question of batch %s: %w", b.id, err)
	}
	return d.keys.Seal(plain, forQuestion(b))
}

// unseal is the question of an open batch, whose price it sets; DataLoss if it is not the one that was sealed for it.
func (d *Desk) unseal(b *batch) (*providerv1.EnrichRequest, error) {
	plain, err := d.keys.Open(b.question, forQuestion(b))
	if err != nil {
		return nil, err
	}
	q := &providerv1.EnrichRequest{}
	price, n := binary.Uvarint(plain)
	if n <= 0 || proto.Unmarshal(plain[n:], q) != nil || q.BatchId != b.id {
		return nil, fault.New(fault.DataLoss, "question-broken", "the question of batch %s is none", b.id)
	}
	b.price = int64(price)
	return q, nil
}

// forQuestion is what a sealed question is bound to.
func forQuestion(b *batch) []byte {
	bound := append([]byte{'q'}, b.account[:]...)
	bound = append(bound, b.provider...)
	return append(append(bound, 0), b.id...)
}

// Unsettled lists accounts with batches that nobody has asked again for a while.
func (d *Desk) Unsettled(ctx context.Context, most int) (accounts []uuid.UUID, err error) {
	name, err := d.name(ctx)
	if err != nil {
		return nil, err
	}
	err = d.ledger.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, d.ledger.sql.AccountsWithOpenBatches, name, most)
		if err != nil {
			return err
		}
		accounts, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for open batches: %w", err)
	}
	return accounts, nil
}

// SettleUnsettled settles an account that Unsettled has listed, unless another instance does.
func (d *Desk) SettleUnsettled(ctx context.Context, account uuid.UUID) error {
	name, err := d.name(ctx)
	if err != nil {
		return err
	}
	mine := false
	err = d.ledger.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, d.ledger.sql.ClaimOpenBatches, account, name, d.settleAfter().Seconds())
		mine = tag.RowsAffected() > 0
		return err
	})
	if err != nil && !errors.Is(err, postgres.ErrCommitUnknown) {
		return fmt.Errorf("take open batches of account %s: %w", account, err)
	}
	if !mine || err != nil { // taken or not, they are due again
		return nil
	}
	return d.Settle(ctx, account)
}

// NextUnsettled is in what time there will be something to settle, false if there is nothing.
func (d *Desk) NextUnsettled(ctx context.Context) (in time.Duration, some bool, err error) {
	name, err := d.name(ctx)
	if err != nil {
		return 0, false, err
	}
	err = d.ledger.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var seconds *float64
		err := tx.QueryRow(ctx, d.ledger.sql.NextOpenBatch, name).Scan(&seconds)
		if seconds != nil {
			in, some = max(0, toDuration(*seconds)), true
		}
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("look for open batches: %w", err)
	}
	return in, some, nil
}

// Known tells which of the values, keyed hashes of phones and emails, the account's ledger has an answer for that is no older.
func (d *Desk) Known(ctx context.Context, account uuid.UUID, about *Description, since time.Time, values []uuid.UUID) (map[uuid.UUID]bool, error) {
	places := make(map[value]place, len(values))
	if err := d.ledger.recall(ctx, account, about.Name, values, since, places); err != nil {
		return nil, err
	}
	fresh := make(map[uuid.UUID]bool, len(places))
	for v, p := range places {
		if !p.stale {
			fresh[v] = true
		}
	}
	return fresh, nil
}
