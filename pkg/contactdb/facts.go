package contactdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Unenriched is a contact with values that no provider was asked about. A value that was is empty, and its hash the nil one.
type Unenriched struct {
	ID                   uuid.UUID
	Phone, Email         string
	PhoneHash, EmailHash uuid.UUID
}

// Unenriched reads at most limit contacts that a job made, in the order of their ids, the first behind after: those with a phone or
// an email that the job brought and nobody was asked about. There are none of a job that was not applied.
func (c *Contacts) Unenriched(ctx context.Context, account, job, after uuid.UUID, limit int) (page []Unenriched, err error) {
	err = c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		page, err = collect(ctx, tx, scanUnenriched, c.sql.UnenrichedOfJob, account, after, limit, job)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list contacts of job %s without facts: %w", job, err)
	}
	return page, nil
}

func scanUnenriched(row pgx.CollectableRow) (u Unenriched, err error) {
	var phone, email *string
	var phoneHash, emailHash uuid.NullUUID
	if err := row.Scan(&u.ID, &phone, &phoneHash, &email, &emailHash); err != nil {
		return u, err
	}
	u.PhoneHash, u.EmailHash = phoneHash.UUID, emailHash.UUID
	if phone != nil {
		u.Phone = *phone
	}
	if email != nil {
		u.Email = *email
	}
	return u, nil
}

// FactsOf is what a provider says of a contact's values.
type FactsOf struct {
	Contact      uuid.UUID
	Phone, Email SaidOf
}

// SaidOf is facts about the value with a hash; the zero value says nothing.
type SaidOf struct {
	Hash uuid.UUID
	JSON []byte // an object of names and values; {} is asked and not known
}

// arguments are the value's hash and facts, null if nothing is said.
func (s SaidOf) arguments() (hash uuid.NullUUID, facts *string) {
	if s.JSON == nil {
		return hash, nil
	}
	text := string(s.JSON)
	return uuid.NullUUID{UUID: s.Hash, Valid: true}, &text
}

// WriteFacts keeps facts for those contacts that still have the value they are about, and returns how many it changed. A contact
// is named once. Facts are no change of the contact's: they leave no trace in its history. A merge at work is Aborted.
func (c *Contacts) WriteFacts(ctx context.Context, account uuid.UUID, facts []FactsOf) (written int64, err error) {
	n := len(facts)
	ids, phones, emails := make([]uuid.UUID, n), make([]uuid.NullUUID, n), make([]uuid.NullUUID, n)
	phoneFacts, emailFacts := make([]*string, n), make([]*string, n)
	for i, f := range facts {
		ids[i] = f.Contact
		phones[i], phoneFacts[i] = f.Phone.arguments()
		emails[i], emailFacts[i] = f.Email.arguments()
	}
	err = c.edit(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		var q script
		high, low := gate(account)
		q.add("wait for merges", c.sql.KeepMergesOut, high, low)
		q.read("share holdings", noneIsFine(new(Holdings).scan), c.sql.ShareHoldings, account)
		// Planned for any number of contacts: by index.
		q.add("set up facts", c.sql.PlanForAny)
		q.count("write facts", &written, c.sql.WriteFacts, account, ids, phones, phoneFacts, emails, emailFacts)
		return q.run(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("write facts of %d contacts: %w", n, err)
	}
	return written, nil
}

// noneIsFine lets an account that never had contacts have no holdings.
func noneIsFine(scan func(pgx.Row) error) func(pgx.Row) error {
	return func(r pgx.Row) error {
		if err := scan(r); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	}
}
