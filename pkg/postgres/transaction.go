package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactmill/contactmill/pkg/fault"
)

// endLimit is for COMMIT and ROLLBACK, which the caller's cancelling does not stop.
const endLimit = 15 * time.Second

// InAccount runs fn in a transaction that sees the rows of one account, and commits unless fn fails. If fn does nothing with
// it for ten seconds the server ends it: Unavailable. It begins with the first statement, and in the same round trip if that
// is a batch; [Last] ends it in that of a batch. Cancelling ctx stops fn, never a COMMIT that was sent. Errors are mapped as
// by [Map]; see [ErrCommitUnknown] for the one that needs care.
func (db *DB) InAccount(ctx context.Context, account uuid.UUID, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return db.inAccount(ctx, opening{begin: "begin"}, account, fn)
}

// Snapshot is InAccount for reading: all statements see the account as it is at the first one, and none may write. It locks
// nothing, so fn may take its time between statements.
func (db *DB) Snapshot(ctx context.Context, account uuid.UUID, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return db.inAccount(ctx, opening{begin: "begin isolation level repeatable read read only", settings: []setting{{standstill, "0"}}}, account, fn)
}

func (db *DB) inAccount(ctx context.Context, o opening, account uuid.UUID, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if account == uuid.Nil {
		return noAccount()
	}
	o.settings = append(o.settings, setting{accountSetting, account.String()})
	return db.run(ctx, o, fn)
}

// Across runs fn in a transaction under the role <schema>_all, which sees every account. It is for the few listed
// queries that have to: relay, reconciler, fair share, sweeper, look-up of API keys.
func (db *DB) Across(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return db.run(ctx, opening{begin: "begin", settings: []setting{{"role", db.schema + "_all"}}}, fn)
}

// Read sends a batch of statements that only read, of one account, and reads its answers: one round trip in all. Each
// statement sees what is committed when it begins.
func (db *DB) Read(ctx context.Context, account uuid.UUID, b *pgx.Batch) error {
	if account == uuid.Nil {
		return noAccount()
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return Map(err)
	}
	defer conn.Release()
	// A batch is a transaction of its own, and so this lasts as long as it does.
	all := &pgx.Batch{}
	all.Queue("select set_config('"+accountSetting+"', $1, true), set_config('transaction_read_only', 'on', true)", account.String())
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	if err := conn.SendBatch(ctx, all).Close(); err != nil {
		return mapInTx(ctx, conn.Conn(), err)
	}
	return nil
}

func noAccount() error {
	return fault.New(fault.Internal, "no-account", "transaction without an account")
}

// Last sends a batch with COMMIT behind it, in one round trip, and reads its answers. tx is the one that InAccount or Across
// gave: it has ended when Last returns, whatever it returns. As COMMIT is on its way before the answers are seen, what is to
// keep it from happening has to be an error of the server.
func Last(ctx context.Context, tx pgx.Tx, b *pgx.Batch) error {
	t, ok := tx.(*transaction)
	if !ok {
		return fault.New(fault.Internal, "not-ours", "a transaction that was not begun here")
	}
	return t.last(ctx, b)
}

func (db *DB) run(ctx context.Context, o opening, fn func(ctx context.Context, tx pgx.Tx) error) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return Map(err)
	}
	t := &transaction{conn: conn, opening: o}
	defer t.release(ctx)
	if err := fn(ctx, t); err != nil {
		return mapInTx(ctx, conn.Conn(), err)
	}
	if t.tx == nil || t.ended {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.commit(ctx)
}

// accountSetting is what the policies of row-level security go by.
const accountSetting = "contactmill.account"

// opening is how a transaction begins.
type opening struct {
	begin    string
	settings []setting // for as long as it lasts
}

type setting struct{ name, value string }

// transaction is one that begins with the first use that is made of it.
type transaction struct {
	conn    *pgxpool.Conn
	opening opening
	tx      pgx.Tx // nil before it begins
	ended   bool   // COMMIT was sent
}

// start begins, unless it has begun, in a round trip of its own.
func (t *transaction) start(ctx context.Context) error {
	if t.tx != nil {
		return nil
	}
	return t.SendBatch(ctx, &pgx.Batch{}).Close()
}

// SendBatch implements pgx.Tx.
func (t *transaction) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.tx != nil {
		return t.tx.SendBatch(ctx, b)
	}
	all := &pgx.Batch{}
	all.BeginTx(pgx.TxOptions{BeginQuery: t.opening.begin})
	for _, s := range t.opening.settings {
		all.Queue("select set_config($1, $2, true)", s.name, s.value)
	}
	own := all.Len()
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	r := t.conn.SendBatch(ctx, all)
	t.tx = r.Tx()
	for range own {
		if _, err := r.Exec(); err != nil { // it is the error of all that follows
			break
		}
	}
	return r
}

func (t *transaction) last(ctx context.Context, b *pgx.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	all := &pgx.Batch{QueuedQueries: b.QueuedQueries}
	all.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		t.ended = true
		if tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	return t.committed(t.SendBatch(ctx, all).Close())
}

func (t *transaction) commit(ctx context.Context) error {
	if err := t.open(); err != nil {
		return err
	}
	t.ended = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	return t.committed(t.tx.Commit(ctx))
}

// open is an error if it is known beforehand that COMMIT will not be heard.
func (t *transaction) open() error {
	if t.conn.Conn().IsClosed() {
		return fault.New(fault.Unavailable, "database-unavailable", "the database went away before COMMIT")
	}
	return nil
}

// committed tells a COMMIT that failed from one that nobody answered. pgconn.SafeToRetry is no help there: of a connection
// that broke while it waited for the answer to a simple query it says that nothing was sent.
func (t *transaction) committed(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return fault.Wrap(fault.Internal, "transaction-broken", err, "a statement had failed before COMMIT")
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Severity == "ERROR" {
		return Map(err)
	}
	return fault.Wrap(fault.Unavailable, "commit-unknown", errors.Join(ErrCommitUnknown, err), "COMMIT was not answered")
}

// release ends what is left of the transaction and gives the connection back. An error here means that the connection is
// gone, and the transaction with it.
func (t *transaction) release(ctx context.Context) {
	defer t.conn.Release()
	if t.tx == nil || t.conn.Conn().IsClosed() || t.conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	_ = t.tx.Rollback(ctx)
}

// Exec implements pgx.Tx.
func (t *transaction) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.start(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.tx.Exec(ctx, sql, args...)
}

// Query implements pgx.Tx.
func (t *transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.tx.Query(ctx, sql, args...)
}

// QueryRow implements pgx.Tx.
func (t *transaction) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.start(ctx); err != nil {
		return failed{err}
	}
	return t.tx.QueryRow(ctx, sql, args...)
}

// failed is the row of a transaction that could not begin.
type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

// CopyFrom implements pgx.Tx.
func (t *transaction) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if err := t.start(ctx); err != nil {
		return 0, err
	}
	return t.tx.CopyFrom(ctx, table, columns, rows)
}

// Begin implements pgx.Tx: a savepoint.
func (t *transaction) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.tx.Begin(ctx)
}

// Prepare implements pgx.Tx.
func (t *transaction) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.tx.Prepare(ctx, name, sql)
}

// Conn implements pgx.Tx.
func (t *transaction) Conn() *pgx.Conn { return t.conn.Conn() }

// LargeObjects implements pgx.Tx, for nobody.
func (t *transaction) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Commit implements pgx.Tx, for nobody: whoever gave the transaction ends it.
func (t *transaction) Commit(context.Context) error { return notYours() }

// Rollback implements pgx.Tx, for nobody: see Commit.
func (t *transaction) Rollback(context.Context) error { return notYours() }

func notYours() error {
	return fault.New(fault.Internal, "not-yours-to-end", "a transaction is ended by what its function returns, or by Last")
}
