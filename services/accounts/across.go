package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The queries of this file, and no others, see all accounts. They run as accounts_all, which may only read.
//
//	KeyForLogin      a caller sends a key; which account it belongs to is the answer
//	KeyAccount       an operator names a key by its id alone
//	AccountIDByName  an operator names an account
//	EveryAccount     an operator lists them

// login is what a key's id leads to.
type login struct {
	Account uuid.UUID // operators for an operator's key
	Role    string
	Email   string
	Hash    []byte
	Revoked bool
}

// keyForLogin looks a key up among those of all accounts; false if there is none.
func (s *store) keyForLogin(ctx context.Context, key uuid.UUID) (l login, found bool, err error) {
	found, err = s.lookUp(ctx, s.sql.KeyForLogin, key, &l.Account, &l.Role, &l.Email, &l.Hash, &l.Revoked)
	if err != nil {
		return login{}, false, fmt.Errorf("look up key %s: %w", key, err)
	}
	return l, found, nil
}

// keyAccount finds the account of a key of all accounts; false if there is none.
func (s *store) keyAccount(ctx context.Context, key uuid.UUID) (id uuid.UUID, found bool, err error) {
	found, err = s.lookUp(ctx, s.sql.KeyAccount, key, &id)
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("look up account of key %s: %w", key, err)
	}
	return id, found, nil
}

// byName finds an account of all by its name; false if there is none.
func (s *store) byName(ctx context.Context, name string) (id uuid.UUID, found bool, err error) {
	found, err = s.lookUp(ctx, s.sql.AccountIDByName, name, &id)
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("look up account by name: %w", err)
	}
	return id, found, nil
}

// every lists all accounts by name.
func (s *store) every(ctx context.Context) ([]account, error) {
	var all []account
	err := s.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.sql.EveryAccount)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanAccount)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return all, nil
}

// lookUp reads the one row of a query with one argument; false if there is none.
func (s *store) lookUp(ctx context.Context, sql string, by any, into ...any) (bool, error) {
	err := s.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, sql, by).Scan(into...)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
