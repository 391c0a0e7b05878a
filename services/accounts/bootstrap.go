package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// Seed is what a new installation begins with.
type Seed struct {
	Account    string   // name; left as it is if there is one already
	Country    string   // ISO 3166 alpha-2
	Package    int64    // contacts
	Recipients []string // email addresses
	KeyName    string   // the name by which the seed's keys are known again
	Renew      bool     // ends keys of that name and makes new ones: for a secret that was lost
}

// Demo is the account that a first run begins with.
func Demo() Seed {
	return Seed{Account: "demo", Country: "US", Package: 20_000_000, Recipients: []string{"team@example.com"}, KeyName: "first run"}
}

// Seeded is what a seed led to. A secret is there only if its key was made by this call: nobody can tell it again.
type Seeded struct {
	Account  uuid.UUID
	Admin    config.Secret // key of an admin of the account
	Operator config.Secret // key of an operator
}

// bootstrapper is who the audit says made the seed.
var bootstrapper = actor{Role: "bootstrap"}

// Bootstrap makes the account, an admin's and an operator's key, as far as they are missing. Run by several at once or
// again, it makes each of them once.
func (s *Service) Bootstrap(ctx context.Context, seed Seed) (Seeded, error) {
	id, err := s.seedAccount(ctx, seed)
	if err != nil {
		return Seeded{}, fmt.Errorf("make account %s: %w", seed.Account, err)
	}
	done := Seeded{Account: id}
	if done.Admin, err = s.seedKey(ctx, seed, apiKey{AccountID: id, Role: rpc.Admin, Name: seed.KeyName}); err != nil {
		return Seeded{}, fmt.Errorf("make an admin's key: %w", err)
	}
	if done.Operator, err = s.seedKey(ctx, seed, apiKey{AccountID: operators, Role: rpc.Operator, Name: seed.KeyName}); err != nil {
		return Seeded{}, fmt.Errorf("make an operator's key: %w", err)
	}
	return done, nil
}

func (s *Service) seedAccount(ctx context.Context, seed Seed) (uuid.UUID, error) {
	id, found, err := s.store.byName(ctx, seed.Account)
	if err != nil || found {
		return id, err
	}
	a, err := toAccount(&accountsv1.Account{Name: seed.Account, Country: seed.Country, Package: seed.Package, Recipients: seed.Recipients})
	if err != nil {
		return uuid.Nil, err
	}
	a.ID = uuid.Must(uuid.NewV7())
	err = s.store.insert(ctx, bootstrapper, &a)
	if errors.Is(err, fault.Exists) { // somebody else made it since we looked
		id, _, err = s.store.byName(ctx, seed.Account)
		return id, err
	}
	return a.ID, err
}

// seedKey makes the key unless there is a good one of its name; then the secret is empty.
func (s *Service) seedKey(ctx context.Context, seed Seed, k apiKey) (config.Secret, error) {
	var secret string
	err := s.db.InAccount(ctx, k.AccountID, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.store.sql.LockBootstrap); err != nil {
			return fmt.Errorf("wait for another bootstrap: %w", err)
		}
		if seed.Renew {
			if err := s.endKeys(ctx, tx, k); err != nil {
				return err
			}
		}
		var there bool
		if err := tx.QueryRow(ctx, s.store.sql.KeyNamedExists, k.AccountID, k.Name, k.Role.String()).Scan(&there); err != nil || there {
			return err
		}
		k.ID = uuid.Must(uuid.NewV7())
		key, hash := newSecret(k.ID)
		secret = key
		return s.store.insertKeyIn(ctx, tx, bootstrapper, &k, hash)
	})
	if err != nil {
		return "", err
	}
	return config.Secret(secret), nil
}

func (s *Service) endKeys(ctx context.Context, tx pgx.Tx, k apiKey) error {
	rows, err := tx.Query(ctx, s.store.sql.RevokeKeysNamed, k.AccountID, k.Name)
	if err != nil {
		return err
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	for _, id := range ended {
		if err := s.store.audit(ctx, tx, bootstrapper, k.AccountID, "key.revoked", id, nil); err != nil {
			return err
		}
	}
	return nil
}
