package email

import (
	"context"
	"embed"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is what email keeps in the database: who was told of what.
var Schema = postgres.Schema{Name: "email", FS: migrations}

//go:embed queries/*.sql
var queries embed.FS

type statements struct{ Open, Due, Begin, End, Tally string }

// deliveries remembers each mail from before it is sent.
type deliveries struct {
	db  *postgres.DB
	sql statements
}

// notice is one thing that is told of a job: its end, or a question.
type notice struct {
	account, job uuid.UUID
	name         string
}

// delivery is one mail that is to be sent.
type delivery struct {
	Recipient string
	MessageID string
	Age       time.Duration // since it was noted
}

// open notes the mails of a notice and returns those that have not ended.
func (d *deliveries) open(ctx context.Context, n notice, recipients, messageIDs []string) ([]delivery, error) {
	var due []delivery
	err := d.db.InAccount(ctx, n.account, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(d.sql.Open, n.account, n.job, n.name, recipients, messageIDs)
		b.Queue(d.sql.Due, n.account, n.job, n.name).Query(func(rows pgx.Rows) (err error) {
			due, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (delivery, error) {
				var one delivery
				var age int64
				err := r.Scan(&one.Recipient, &one.MessageID, &age)
				one.Age = time.Duration(age) * time.Second
				return one, err
			})
			return err
		})
		return postgres.Last(ctx, tx, b)
	})
	return due, err
}

// begin notes that a mail is about to be handed over; not if it has ended.
func (d *deliveries) begin(ctx context.Context, n notice, recipient string) (bool, error) {
	rows, err := d.exec(ctx, n, d.sql.Begin, recipient)
	return rows > 0, err
}

// How a mail can end.
const (
	sent    = "sent"
	refused = "refused"
	pending = "pending" // to be tried again
)

// end notes how a mail fared.
func (d *deliveries) end(ctx context.Context, n notice, recipient, state, code string) error {
	_, err := d.exec(ctx, n, d.sql.End, recipient, state, code)
	return err
}

func (d *deliveries) exec(ctx context.Context, n notice, sql string, args ...any) (rows int64, err error) {
	err = d.db.InAccount(ctx, n.account, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(sql, append([]any{n.account, n.job, n.name}, args...)...).Exec(func(tag pgconn.CommandTag) error {
			rows = tag.RowsAffected()
			return nil
		})
		return postgres.Last(ctx, tx, b)
	})
	return rows, err
}

// tally counts the mails of a notice.
func (d *deliveries) tally(ctx context.Context, n notice) (ok, bad int32, err error) {
	b := &pgx.Batch{}
	b.Queue(d.sql.Tally, n.account, n.job, n.name).QueryRow(func(row pgx.Row) error { return row.Scan(&ok, &bad) })
	err = d.db.Read(ctx, n.account, b)
	return ok, bad, err
}
