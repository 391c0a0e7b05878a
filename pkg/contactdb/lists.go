package contactdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
)

// List is a named set of contacts in upload order.
type List struct {
	ID        uuid.UUID
	Name      string
	Members   int64
	CreatedAt time.Time
}

// Lists reads the account's lists by name.
func (c *Contacts) Lists(ctx context.Context, account uuid.UUID) ([]List, error) {
	var lists []List
	err := c.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		lists, err = collect(ctx, tx, scanList, c.sql.Lists, account)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read lists of account %s: %w", account, err)
	}
	return lists, nil
}

// AddList makes an empty list; Exists if the name is in use.
func (c *Contacts) AddList(ctx context.Context, account uuid.UUID, name string) (List, error) {
	var list List
	err := c.edit(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		made, err := collect(ctx, tx, scanList, c.sql.InsertList, account, uuid.Must(uuid.NewV7()), name)
		if err != nil {
			return err
		}
		if len(made) == 0 {
			return fault.New(fault.Exists, "list-name-taken", "there is already a list of that name")
		}
		list = made[0]
		return nil
	})
	if err != nil {
		return List{}, fmt.Errorf("make list in account %s: %w", account, err)
	}
	return list, nil
}

// list finds a list by name; NotFound if there is none.
func (c *Contacts) list(ctx context.Context, tx pgx.Tx, account uuid.UUID, name string) (List, error) {
	rows, err := tx.Query(ctx, c.sql.ListByName, account, name)
	if err != nil {
		return List{}, err
	}
	list, err := pgx.CollectExactlyOneRow(rows, scanList)
	if errors.Is(err, pgx.ErrNoRows) {
		return List{}, fault.New(fault.NotFound, "unknown-list", "there is no such list")
	}
	return list, err
}

// join puts a contact at the end of lists, which are made if they are missing. The caller holds the holdings, so that
// nobody else adds to lists meanwhile.
func (c *Contacts) join(ctx context.Context, tx pgx.Tx, account, id uuid.UUID, names []string) error {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if _, err := tx.Exec(ctx, c.sql.InsertList, account, uuid.Must(uuid.NewV7()), name); err != nil {
			return err
		}
		var list uuid.UUID
		var position int64
		if err := tx.QueryRow(ctx, c.sql.TakePosition, account, name).Scan(&list, &position); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, c.sql.InsertMember, account, list, id, position); err != nil {
			return err
		}
	}
	return nil
}

func scanList(row pgx.CollectableRow) (l List, err error) {
	err = row.Scan(&l.ID, &l.Name, &l.Members, &l.CreatedAt)
	return l, err
}
