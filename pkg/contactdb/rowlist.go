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
	sql, args := m.sql.ReadChangedRows, []any(nil)
	kept := c.withholds() || len(ownNumbers(c.Own, contact.TypeAuthorisation)) > 0
	if kept {
		sql, args = m.sql.ReadChangedAndKeptRows, []any{c.Job.Account, nullTime(c.Policies.AsOf)}
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	l := &RowList{rows: rows, ok: true, withKept: kept, changed: true}
	return l, l.step()
}

// RowList is numbers of rows as they come from the database. The zero value has none.
type RowList struct {
	rows     pgx.Rows
	at       int64
	ok       bool
	withKept bool
	changed  bool

	fields  []int32
	reasons []int16
	values  []*string
	since   []int64
	kept    []row.Kept
}

// Of tells whether a row changed its contact, and which values it did not change although it had other words for them, in
// the order of their fields and valid until the next call. Rows must be asked in growing order.
func (l *RowList) Of(n int64) (changed bool, kept []row.Kept, err error) {
	for l.ok && l.at < n {
		if err := l.step(); err != nil {
			return false, nil, err
		}
	}
	if !l.ok || l.at != n {
		return false, nil, nil
	}
	return l.changed, l.kept, nil
}

func (l *RowList) step() error {
	if !l.rows.Next() {
		l.ok = false
		if err := l.rows.Err(); err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
		return nil
	}
	into := []any{&l.at, &l.changed, &l.fields, &l.reasons, &l.values, &l.since}
	if !l.withKept {
		into = into[:1]
	}
	if err := l.rows.Scan(into...); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	l.kept = l.kept[:0]
	for i, f := range l.fields {
		k := row.Kept{Field: uint16(f), Reason: keptReasons[l.reasons[i]], Since: l.since[i]}
		if l.values[i] != nil {
			k.Value = []byte(*l.values[i])
		}
		l.kept = append(l.kept, k)
	}
	return nil
}

// Close gives the connection back to the transaction.
func (l *RowList) Close() {
	if l.rows != nil {
		l.rows.Close()
	}
}
