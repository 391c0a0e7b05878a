package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/postgres"
)

// change is one change of one job: what was loaded under the account's lock, altered in memory by the rules of flow.go
// and lease.go, and what is to be saved.
type change struct {
	ledger  *Ledger
	account uuid.UUID
	at      time.Time // the database's clock, read under the lock
	queue   queueRow
	job     jobRow
	stages  []*stageRow
	token   int64 // a fresh one, if it was asked for

	queueDirty bool
	jobDirty   bool
	jobFresh   bool
	moved      bool  // the turn or the room for validations may have become free, or wanted
	life       *Life // was seen
	events     []eventRow
	rings      []ring
	parked     []string  // codes of what was parked, for the log
	remember   *said     // of the columns of the job's file
	others     []*jobRow // the other job that was asked for
	seen       *seen     // of the job's file
	unseen     int64     // number of an import that was undone
	refusal    error     // returned after the commit: the change is to be kept, but the caller refused
}

// errNothing ends a change that has nothing to save.
var errNothing = errors.New("nothing to save")

// withJob changes a job: load under the lock, decide, save, commit. decide returning errNothing rolls back without an
// error. The change is returned with an error too: what it was about to do may have been done if its COMMIT went
// unanswered.
func (l *Ledger) withJob(ctx context.Context, account uuid.UUID, ref Ref, extra loads, decide func(*change) error) (*change, error) {
	c := &change{ledger: l, account: account}
	err := l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		if err := c.load(ctx, tx, ref, extra); err != nil {
			return err
		}
		if err := decide(c); err != nil {
			return err
		}
		return c.save(ctx, tx, extra)
	})
	if errors.Is(err, errNothing) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.committed()
	return c, c.refusal
}

// loads says what a change needs beside the job and its stages.
type loads struct {
	token   bool          // a fresh token
	view    *jobRow       // filled with the job as it is after the change
	results *[]*resultRow // filled with what earlier stages left, after the change
	fields  *[]*fieldsRow // filled with the account's own fields that the job goes by
	other   uuid.UUID     // another job of the account
	outlook *outlook      // filled with what matching is to compare with
}

type resultRow struct {
	Stage  event.Stage `db:"stage"`
	Result []byte      `db:"result"`
}

func (c *change) load(ctx context.Context, tx pgx.Tx, ref Ref, extra loads) error {
	sql := &c.ledger.sql
	b := &pgx.Batch{}
	id, number := ref.key()
	one(b, sql.LockQueue, &c.queue, c.account)
	b.Queue(sql.Clock).QueryRow(func(r pgx.Row) error { return r.Scan(&c.at) })
	if extra.token {
		b.Queue(sql.Token).QueryRow(func(r pgx.Row) error { return r.Scan(&c.token) })
	}
	one(b, sql.LoadJob, &c.job, c.account, id, number)
	if extra.other != uuid.Nil {
		many(b, sql.LoadJob, &c.others, c.account, extra.other, 0)
	}
	if id != uuid.Nil {
		many(b, sql.LoadStages, &c.stages, c.account, id)
	}
	if err := send(ctx, tx, b); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return noSuchJob()
		}
		return fmt.Errorf("load job: %w", err)
	}
	if id == uuid.Nil { // by number, as people do: one more round trip
		b := &pgx.Batch{}
		many(b, sql.LoadStages, &c.stages, c.account, c.job.ID)
		if err := send(ctx, tx, b); err != nil {
			return fmt.Errorf("load stages: %w", err)
		}
	}
	return nil
}

// save ends the transaction, unless there is nothing to save.
func (c *change) save(ctx context.Context, tx pgx.Tx, extra loads) error {
	sql := &c.ledger.sql
	b := &pgx.Batch{}
	if c.jobFresh {
		j := &c.job
		if a := &j.AccountSettings; a.FieldsHash != "" {
			b.Queue(sql.FreezeFields, c.account, a.FieldsHash, a.Fields)
		}
		b.Queue(sql.InsertJob, c.account, j.ID, j.Number, j.State, j.CheckOnly, j.RequestID, j.BodyHash, j.Settings, j.AccountSettings, j.SubmittedBy,
			j.SubmitterEmail, j.FileName, j.FileObject, j.FileSize, j.FileSHA256, j.Upload, j.RetryOf, j.Created, j.LastEvent,
			j.Kind, j.UndoOf, j.UndoOfNumber, j.Started, j.FileKept, j.Confirmed, j.ForecastOf, j.ForecastOfNumber)
	} else if c.jobDirty {
		b.Queue(sql.SaveJob, c.job.args()...)
	}
	for _, s := range c.stages {
		if s.fresh {
			b.Queue(sql.InsertStage, c.account, c.job.ID, s.Stage, s.Round, s.Notice, s.Opened)
			c.rings = append(c.rings, ring{job: c.job.ID, stage: s.Stage, round: s.Round})
		} else if s.dirty {
			b.Queue(sql.SaveStage, s.args(c.account, c.job.ID)...)
			if s.State == runnable && s.Rung == nil && s.NotBefore == nil {
				c.rings = append(c.rings, ring{job: c.job.ID, stage: s.Stage, round: s.Round})
			}
		}
	}
	for _, e := range c.events {
		b.Queue(sql.InsertEvent, c.account, e.Number, e.Type, e.Job, e.JobNumber, e.State, e.At, e.Counts, e.Problem)
	}
	if c.queueDirty {
		b.Queue(sql.SaveQueue, c.account, c.queue.LastNumber, c.queue.LastEvent, c.queue.RowPace, c.queue.JobSeconds)
	}
	if c.moved {
		opened := func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, pgx.RowToStructByName[openedRow])
			for _, o := range found {
				c.rings = append(c.rings, ring{job: o.Job, stage: o.Stage, round: o.Round})
			}
			return err
		}
		b.Queue(sql.GiveTurn, c.account, c.at).Query(opened)
		b.Queue(sql.OpenValidations, c.account, c.at, c.ledger.cfg.Validations).Query(opened)
	}
	if m := c.remember; m != nil {
		b.Queue(sql.Remember, c.account, m.key, m.Mapping, m.DateOrder, m.Values, c.at)
		b.Queue(sql.ForgetOldest, c.account, mostRemembered)
	}
	c.queueSeen(b)
	c.queueLoads(b, extra)
	if extra.view != nil {
		one(b, sql.ViewJob, extra.view, c.account, c.job.ID, 0)
	}
	if c.life != nil {
		b.Queue(sql.Seen, c.life.Instance, c.life.Incarnation, c.at)
	}
	if b.Len() == 0 {
		return nil
	}
	if err := postgres.Last(ctx, tx, b); err != nil {
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.TableName == "instances" && e.Code == notNull {
			return errSuperseded() // see seen.sql
		}
		return fmt.Errorf("save job %s: %w", c.job.ID, err)
	}
	return nil
}

// queueLoads has read what there is beside the job.
func (c *change) queueLoads(b *pgx.Batch, extra loads) {
	sql := &c.ledger.sql
	if extra.results != nil {
		many(b, sql.Results, extra.results, c.account, c.job.ID)
	}
	if h := c.job.AccountSettings.FieldsHash; extra.fields != nil && h != "" {
		many(b, sql.FrozenFields, extra.fields, c.account, h)
	}
	if extra.outlook != nil {
		c.queueOutlook(b, extra.outlook)
	}
}

// notNull is the SQLSTATE of a column that may not be without a value.
const notNull = "23502"

type openedRow struct {
	Job   uuid.UUID   `db:"job_id"`
	Stage event.Stage `db:"stage"`
	Round int32       `db:"round"`
}

// committed tells the relay and the log.
func (c *change) committed() {
	for _, code := range c.parked {
		c.ledger.cfg.Log.Error("stage parked", "account", c.account, "job", c.job.ID, "job_number", c.job.Number, "state", string(c.job.State), "code", code)
	}
	if len(c.events) > 0 || len(c.rings) > 0 {
		c.ledger.wake(wake{account: c.account, rings: c.rings})
	}
}

// opened is the stage of this job, notices apart, that the change made runnable.
func (c *change) opened() event.Stage {
	for _, r := range c.rings {
		if r.job == c.job.ID && r.stage != event.Notify {
			return r.stage
		}
	}
	return ""
}

// send sends a batch in one round trip and reads all its answers.
func send(ctx context.Context, tx pgx.Tx, b *pgx.Batch) error {
	return tx.SendBatch(ctx, b).Close()
}

// one queues a statement that returns exactly one row; else the batch ends with pgx.ErrNoRows.
func one[T any](b *pgx.Batch, sql string, into *T, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[T])
		return err
	})
}

// many queues a statement that returns any number of rows.
func many[T any](b *pgx.Batch, sql string, into *[]*T, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByNameLax[T])
		return err
	})
}
