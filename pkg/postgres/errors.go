package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/contactmill/contactmill/pkg/fault"
)

// meaning of the SQLSTATEs that are more than our own bug; a two-letter key stands for its whole class.
var meaning = map[string]struct {
	kind fault.Kind
	code string
	text string
}{
	"23505": {fault.Exists, "exists", "there is one already"},
	"40001": {fault.Aborted, "serialization-failure", "lost against another transaction"},
	"40P01": {fault.Aborted, "deadlock", "lost against another transaction"},
	"55P03": {fault.Aborted, "lock-timeout", "somebody else works on it"},
	"57014": {fault.Deadline, "statement-timeout", "the database ended the statement"},
	"53100": {fault.Exhausted, "database-full", "the database's disk is full"},

	"08":    {fault.Unavailable, "database-unavailable", "the connection to the database broke"},
	"53":    {fault.Unavailable, "database-overloaded", "the database has no room for more"}, // connections, memory
	"57P01": {fault.Unavailable, "database-unavailable", "the database ended the session"},
	"57P02": {fault.Unavailable, "database-unavailable", "the database crashed"},
	"57P03": {fault.Unavailable, "database-unavailable", "the database is starting up or shutting down"},
	"57P05": {fault.Unavailable, "database-unavailable", "the database ended the session"},
	"25P03": {fault.Unavailable, "database-unavailable", "the database ended the session"},
	"25P04": {fault.Unavailable, "database-unavailable", "the database ended the session"},
	"25006": {fault.Unavailable, "database-read-only", "the database takes no writes now"}, // a standby, or in fail-over
	"58":    {fault.Unavailable, "database-broken", "the database's system failed"},
}

// Map gives an error of pgx its kind: unique violation Exists; serialization failure, deadlock and lock timeout
// Aborted; a lost connection, shutdown, start-up or too many connections Unavailable; a full disk Exhausted; a
// statement timeout Deadline. Any other error of the server is Internal. Faults, context errors, pgx.ErrNoRows and
// foreign errors pass as they are.
//
// The text of what it returns has no DETAIL and no value of a row. The *pgconn.PgError within is a copy without them;
// it tells constraint, table and SQLSTATE.
func Map(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return mapServer(err, e)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return unavailable(err)
	}
	if pgconn.SafeToRetry(err) || errors.Is(err, puddle.ErrClosedPool) {
		return unavailable(err)
	}
	if text := unencoded.ReplaceAllString(err.Error(), "unable to encode a value into"); text != err.Error() {
		return &scrubbed{text: text, whole: err}
	}
	return err
}

// Constraint is the name of the constraint that err broke, or nothing.
func Constraint(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.ConstraintName
	}
	return ""
}

// mapInTx is Map for what a transaction's function returned. That may be an error of another part, say an object that
// ended early; only if this connection is gone too it was the database's.
func mapInTx(ctx context.Context, conn *pgx.Conn, err error) error {
	mapped := Map(err)
	if mapped != err || ctx.Err() != nil || !conn.IsClosed() { //nolint:errorlint // whether Map knew it, not what it is
		return mapped
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return unavailable(err)
}

func unavailable(err error) error {
	return fault.Wrap(fault.Unavailable, "database-unavailable", err, "the database cannot be reached")
}

func mapServer(err error, e *pgconn.PgError) error {
	clean := scrub(err, e)
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok && strings.HasPrefix(e.Code, "28") || e.Code == "3D000" {
		// a password being changed, a database being restored: the operator's to mend, no job's fault
		return fault.Wrap(fault.Unavailable, "database-refuses-login", clean, "the database refuses the login").
			Hint("check the user, password and database name of the database address")
	}
	if e.Code == "0A000" && e.Routine == "RevalidateCachedQuery" {
		// a migration ran between two uses of a prepared statement; pgx has forgotten it by the next try
		return fault.Wrap(fault.Aborted, "plan-changed", clean, "the database changed under the statement")
	}
	m, ok := meaning[e.Code]
	if !ok && len(e.Code) == 5 {
		m, ok = meaning[e.Code[:2]]
	}
	if !ok {
		return fault.Wrap(fault.Internal, "database-error", clean, "database error %s", e.Code)
	}
	return fault.Wrap(m.kind, m.code, clean, "%s", m.text)
}

// scrub takes the values of rows out of an error: DETAIL, CONTEXT and query always, the message where it quotes what
// it could not take (class 22: "invalid input syntax for type date: ...").
func scrub(err error, e *pgconn.PgError) error {
	c := &pgconn.PgError{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: e.Message,
		Position: e.Position, SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName,
		DataTypeName: e.DataTypeName, ConstraintName: e.ConstraintName, File: e.File, Line: e.Line, Routine: e.Routine,
	}
	if strings.HasPrefix(e.Code, "22") {
		c.Message = fmt.Sprintf("data exception in %s", e.Routine)
	}
	return &scrubbed{text: strings.ReplaceAll(err.Error(), e.Error(), c.Error()), server: c, whole: err}
}

// scrubbed stands for an error whose text held values. What callers ask for, they find; what it said is not shown.
type scrubbed struct {
	text   string
	server *pgconn.PgError // may be nil
	whole  error
}

func (s *scrubbed) Error() string { return s.text }

func (s *scrubbed) Is(target error) bool { return errors.Is(s.whole, target) }

func (s *scrubbed) Unwrap() error {
	if s.server == nil {
		return nil
	}
	return s.server
}

// pgx quotes the value that it could not encode; (?s) as values have line ends.
var unencoded = regexp.MustCompile(`(?s)unable to encode .* into`)
