package contactdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
)

// Changed gives the rows that changed their contact, in their order, and with them those that had words which were not
// followed.
func (m *Merges) Changed(ctx context.Context, tx pgx.Tx, c Change) (*RowList, error) {
	if !c.keeps() {
		return readRows(ctx, tx, false, false, m.sql.ReadChangedRows)
	}
	return readRows(ctx, tx, true, false, m.sql.ReadChangedAndKeptRows, c.Job.Account, nullTime(c.Policies.AsOf))
}

// keeps tells whether rows may have words that are not followed.
func (c *Change) keeps() bool {
	return c.withholds() || len(ownNumbers(c.Own, contact.TypeAuthorisation)) > 0
}

// RowList is numbers of rows as they come from the database. The zero value has none.
type RowList struct {
	rows pgx.Rows
	at   int64
	ok   bool
	did  Did
	into []any

	fields  []int32
	reasons []int16
	values  []*string
	since   []int64
}

// Did is what a row did.
type Did struct {
	Changed bool       // it changed its contact
	Kept    []row.Kept // the values that it did not change although it had other words for them, in the order of their fields
	Effect  int64      // in a plan: of what becomes of its contact, see [Effect]
}

func readRows(ctx context.Context, tx pgx.Tx, kept, effects bool, sql string, args ...any) (*RowList, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	l := &RowList{rows: rows, ok: true, did: Did{Changed: true}}
	l.into = []any{&l.at}
	if kept || effects {
		l.into = append(l.into, &l.did.Changed)
	}
	if effects {
		l.into = append(l.into, &l.did.Effect)
	}
	if kept {
		l.into = append(l.into, &l.fields, &l.reasons, &l.values, &l.since)
	}
	return l, l.step()
}

// Of is what a row did, valid until the next call. Rows must be asked in growing order.
func (l *RowList) Of(n int64) (Did, error) {
	for l.ok && l.at < n {
		if err := l.step(); err != nil {
			return Did{}, err
		}
	}
	if !l.ok || l.at != n {
		return Did{}, nil
	}
	return l.did, nil
}

func (l *RowList) step() error {
	if !l.rows.Next() {
		l.ok = false
		if err := l.rows.Err(); err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
		return nil
	}
	if err := l.rows.Scan(l.into...); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	l.did.Kept = l.did.Kept[:0]
	for i, f := range l.fields {
		k := row.Kept{Field: uint16(f), Reason: keptReasons[l.reasons[i]], Since: l.since[i]}
		if l.values[i] != nil {
			k.Value = []byte(*l.values[i])
		}
		l.did.Kept = append(l.did.Kept, k)
	}
	return nil
}

// Close gives the connection back to the transaction.
func (l *RowList) Close() {
	if l.rows != nil {
		l.rows.Close()
	}
}
