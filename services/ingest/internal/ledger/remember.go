package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
)

// mostRemembered is for how many sets of columns an account's mappings are remembered; the one not used for longest goes.
const mostRemembered = 1000

// Remembered is what people said of files with the same columns: what they said last, added to what they said before.
type Remembered struct {
	Mapping   map[string]string `db:"mapping"` // heading to field
	DateOrder DateOrder         `db:"date_order"`
	Values    Values            `db:"values"`
}

// Recalled is what validation goes by beside the file.
type Recalled struct {
	Remembered           // nothing if nothing was said of files with such columns
	Earlier    []Earlier // files that were imported last, of different columns each, the latest first
	Fields     []byte    // the account's own that the job goes by, opaque; nil for none
}

// Recall returns what was said of files with such columns, and the columns of at most 20 files that were imported; those with
// the key are always among them. It is for the holder of a claim: Stale if the claim is no longer the stage's.
func (l *Ledger) Recall(ctx context.Context, account uuid.UUID, k Claim, headingsKey []byte) (Recalled, error) {
	var found []*Remembered
	var files []*Earlier
	var frozen []*fieldsRow
	holds := false
	err := l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(l.sql.Holds, account, k.Token).QueryRow(func(r pgx.Row) error { return r.Scan(&holds) })
		many(b, l.sql.Recall, &found, account, headingsKey)
		many(b, l.sql.Earlier, &files, account, headingsKey, mostEarlier)
		many(b, l.sql.FieldsOfJob, &frozen, account, k.Job)
		return postgres.Last(ctx, tx, b)
	})
	switch {
	case err != nil:
		return Recalled{}, fmt.Errorf("recall a mapping: %w", err)
	case !holds:
		return Recalled{}, stale(k)
	}
	var out Recalled
	if len(found) > 0 {
		out.Remembered = *found[0]
	}
	for _, f := range files {
		out.Earlier = append(out.Earlier, *f)
	}
	if len(frozen) > 0 {
		out.Fields = frozen[0].Fields
	}
	return out, nil
}

// LookUp returns what Recall does, to anybody of the account. It does not count as a use.
func (l *Ledger) LookUp(ctx context.Context, account uuid.UUID, headingsKey []byte) (Remembered, error) {
	found, err := read[Remembered](ctx, l, account, l.sql.LookUp, account, headingsKey)
	if err != nil {
		return Remembered{}, fmt.Errorf("look up a mapping: %w", err)
	}
	if len(found) == 0 {
		return Remembered{}, nil
	}
	return *found[0], nil
}

// said is what there is to remember of a job.
type said struct {
	key []byte
	Remembered
}

// saidOf is what the people of a validated job said of its columns; nil if they said nothing. A column is remembered by its
// heading, or by which it is of several with the same one, never by its place: the same columns may come in another order.
func saidOf(j *jobRow, headingsKey []byte) *said {
	s := &j.Settings
	if len(headingsKey) == 0 || len(s.Mapping) == 0 && s.DateOrder == "" && len(s.Values) == 0 {
		return nil
	}
	out := &said{headingsKey, Remembered{Mapping: map[string]string{}, DateOrder: s.DateOrder, Values: s.Values}}
	if out.Values == nil {
		out.Values = Values{}
	}
	all := map[string]int{}
	for _, c := range j.Columns {
		all[compared(c.Heading)]++
	}
	nth := map[string]int{}
	for _, c := range j.Columns {
		name := compared(c.Heading)
		nth[name]++
		if c.How != howSaid {
			continue
		}
		field := c.Field
		if field == "" {
			field = "-"
		}
		if all[name] > 1 || name == "" || strings.HasPrefix(name, "#") {
			name = fmt.Sprintf("#%d of %s", nth[name], name)
		}
		out.Mapping[name] = field
	}
	return out
}

// howSaid is how a column was mapped that a person spoke of.
const howSaid = "said"

func compared(heading string) string { return strings.ToLower(strings.TrimSpace(heading)) }

// fieldsRow is an account's own fields as jobs go by them.
type fieldsRow struct {
	Fields []byte `db:"fields"`
}

func hashOf(fields []byte) string {
	if len(fields) == 0 {
		return ""
	}
	sum := sha256.Sum256(fields)
	return hex.EncodeToString(sum[:])
}

// Fields returns the account's own fields that an open job goes by, opaque; nil if there are none.
func (l *Ledger) Fields(ctx context.Context, job Job) ([]byte, error) {
	if job.FieldsHash == "" {
		return nil, nil
	}
	found, err := read[fieldsRow](ctx, l, job.Account, l.sql.FrozenFields, job.Account, job.FieldsHash)
	if err != nil {
		return nil, fmt.Errorf("read fields of job %s: %w", job.ID, err)
	}
	if len(found) == 0 {
		return nil, fault.New(fault.Precondition, "job-ended", "job %d has ended", job.Number)
	}
	return found[0].Fields, nil
}

// ForgetFields removes at most limit accounts' fields that no open job goes by, and returns for how many accounts it did.
func (l *Ledger) ForgetFields(ctx context.Context, limit int) (int, error) {
	keys, err := acrossAccounts[accountKey](ctx, l, l.across.UnusedFields, limit)
	if err != nil {
		return 0, fmt.Errorf("find unused fields: %w", err)
	}
	n := 0
	for _, k := range keys {
		err := l.underLock(ctx, k.Account, func(b *pgx.Batch) {
			b.Queue(l.sql.ForgetFields, k.Account).Exec(func(t pgconn.CommandTag) error { n += min(1, int(t.RowsAffected())); return nil })
		})
		if err != nil {
			return n, fmt.Errorf("forget fields of account %s: %w", k.Account, err)
		}
	}
	return n, nil
}

type accountKey struct {
	Account uuid.UUID `db:"account_id"`
}
