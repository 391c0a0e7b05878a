// Package postgres is how a service talks to PostgreSQL: transactions that see one account only, and the few listed
// ones that see all; errors as faults, without the values that PostgreSQL puts into them; migrations and roles.
//
// One schema has one owner in the code, one role per service that uses it (named as the schema, unless Schema.Roles
// says more), and one role <schema>_all. Row-level security is forced on every table:
//
//	ALTER TABLE job ENABLE ROW LEVEL SECURITY;
//	ALTER TABLE job FORCE ROW LEVEL SECURITY;
//	CREATE POLICY own ON job USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
//	CREATE POLICY every ON job TO ingest_all USING (true);
//
// A transaction of [DB.InAccount] sets the account and so sees that account's rows. One of [DB.Across] takes the role
// <schema>_all and sees every row. Anything else sees none.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	defaultMaxConns = 10
	connectLimit    = 5 * time.Second // for one connection attempt
)

// ErrCommitUnknown is found in the error of a transaction whose COMMIT was sent but not answered: it may be there or
// not. Look for what it wrote before doing it again.
var ErrCommitUnknown = errors.New("whether the transaction was committed is unknown")

// name is what a schema or role may be called; such a name needs no quotes in SQL.
var name = regexp.MustCompile(`^[a-z][a-z0-9_]{0,50}$`)

// Options of Open.
type Options struct {
	Schema   string // looked into first for unqualified names, and the stem of the role Across takes
	MaxConns int32  // largest number of connections; 0 is 10

	OnNotice func(text string) // gets what the server remarks, such as plans it was set to tell; nil for nobody
}

// DB is a pool of connections for the use of one service.
type DB struct {
	pool   *pgxpool.Pool
	schema string
}

// Open connects to the database of url, a postgres:// address, and checks that it answers. Its error is Invalid for a
// bad address and Unavailable if nobody answers or the login is refused.
func Open(ctx context.Context, url string, opts Options) (*DB, error) {
	if !name.MatchString(opts.Schema) {
		return nil, fault.New(fault.Invalid, "bad-schema-name", "schema name %q is not of the form [a-z][a-z0-9_]*", opts.Schema)
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's error quotes the address; it hides the password where it finds it, which is not always
		return nil, fault.New(fault.Invalid, "bad-database-url", "the database address cannot be read").
			Hint("write it as postgres://user:password@host:port/database")
	}
	cfg.MaxConns = defaultMaxConns
	if opts.MaxConns > 0 {
		cfg.MaxConns = opts.MaxConns
	}
	configure(cfg.ConnConfig, opts.Schema)
	if opts.OnNotice != nil {
		cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { opts.OnNotice(n.Message) }
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool for schema %s: %w", opts.Schema, Map(err))
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect for schema %s: %w", opts.Schema, Map(err))
	}
	return &DB{pool: pool, schema: opts.Schema}, nil
}

// standstill ends a session that does nothing in the middle of a transaction: a process that was stopped, or whose line was cut,
// must not keep what it has locked from whoever takes over. Those that wait for others on purpose and may hold locks for it say
// so themselves.
const (
	standstill      = "idle_in_transaction_session_timeout"
	standstillLimit = "10s"
)

// configure sets what every connection of ours has: dates in UTC, our schema first, an end to standing still unless the address
// says another, and a dead peer noticed in half a minute where the system's default is two hours.
func configure(cfg *pgx.ConnConfig, schema string) {
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["search_path"] = schema + ", public"
	if cfg.RuntimeParams[standstill] == "" {
		cfg.RuntimeParams[standstill] = standstillLimit
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "contactmill " + schema
	}
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > connectLimit {
		cfg.ConnectTimeout = connectLimit
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	cfg.DialFunc = dialer.DialContext
}

// Pool is the bare pool, for what the transactions here do not offer. Errors of it are not mapped: see [Map]. Outside
// InAccount and Across row-level security shows it no rows.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Schema is the name of the schema the pool was opened for.
func (db *DB) Schema() string { return db.schema }

// Close waits for transactions at work and closes every connection.
func (db *DB) Close() { db.pool.Close() }
