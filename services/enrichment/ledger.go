package enrichment

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/postgres"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is what enrichment keeps in the database: the ledger of batches.
var Schema = postgres.Schema{Name: "enrichment", FS: migrations}

//go:embed queries/*.sql
var queries embed.FS

type statements struct{ Batch, InsertBatch, AnswerBatch string }

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
}

// answered is a batch with its answer, which is not in the ledger yet.
type answered struct {
	batch
	response *providerv1.EnrichResponse
	known    int
}

// next saves the answer to the batch before, notes the next one, and looks whether that has been answered already, all in
// one transaction. Either may be nil. The answer is nil where the provider has to be asked.
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
		}
		if b != nil {
			q.Queue(l.sql.InsertBatch, b.account, b.provider, b.id, b.job, b.subjects)
			q.Queue(l.sql.Batch, b.account, b.provider, b.id).QueryRow(func(row pgx.Row) error {
				var known *int
				return row.Scan(&saved, &known)
			})
		}
		return tx.SendBatch(ctx, q).Close()
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
