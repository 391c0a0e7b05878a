package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Users are the roles that log in to use the schema.
func (s Schema) Users() []string { return append([]string{s.Name}, s.Roles...) }

func (s Schema) all() string { return s.Name + "_all" }

func (s Schema) grantees() string { return strings.Join(append(s.Users(), s.all()), ", ") }

func (s Schema) check() error {
	for _, n := range s.Users() {
		if !name.MatchString(n) {
			return fault.New(fault.Invalid, "bad-schema-name", "name %q is not of the form [a-z][a-z0-9_]*", n)
		}
	}
	return nil
}

// ensure makes the roles and the schema if they are not there. Roles belong to the whole server, so somebody may do
// the same for another database at this moment: then it looks again.
func ensure(ctx context.Context, conn *pgx.Conn, s Schema) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := ensureOnce(ctx, conn, s)
		if err != nil && !racing(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(20), backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 10 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 1.5, MaxInterval: time.Second}))
	return err
}

// racing: duplicate_object, unique_violation in a catalogue, "tuple concurrently updated"
func racing(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"42710", "23505", "42P06", "XX000"}, e.Code)
}

func ensureOnce(ctx context.Context, conn *pgx.Conn, s Schema) error {
	if err := ensureRole(ctx, conn, s.all()); err != nil {
		return err
	}
	for _, user := range s.Users() {
		if err := ensureRole(ctx, conn, user); err != nil {
			return err
		}
		if err := ensureMember(ctx, conn, s.all(), user); err != nil {
			return err
		}
	}
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", s.Name).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.Exec(ctx, "create schema "+s.Name); err != nil {
			return fmt.Errorf("create schema: %w", err)
		}
	}
	if _, err := conn.Exec(ctx, "grant usage on schema "+s.Name+" to "+s.grantees()); err != nil {
		return fmt.Errorf("grant usage of schema: %w", err)
	}
	return nil
}

// ensureRole makes a role that cannot log in (SetPasswords changes that) and inherits nothing: policies hold for
// whoever inherits their role, so a service's role that inherited <schema>_all would see every account.
func ensureRole(ctx context.Context, conn *pgx.Conn, role string) error {
	var inherits bool
	err := conn.QueryRow(ctx, "select rolinherit from pg_roles where rolname = $1", role).Scan(&inherits)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		_, err = conn.Exec(ctx, "create role "+role+" nologin noinherit")
	case err == nil && inherits:
		_, err = conn.Exec(ctx, "alter role "+role+" noinherit")
	}
	if err != nil {
		return fmt.Errorf("make role %s: %w", role, err)
	}
	return nil
}

// ensureMember lets user take the role all by SET ROLE, and only so. Since PostgreSQL 16 that is a property of the
// grant; in 15 it follows from the user's NOINHERIT.
func ensureMember(ctx context.Context, conn *pgx.Conn, all, user string) error {
	var may, does bool
	err := conn.QueryRow(ctx, "select pg_has_role($1, $2, 'MEMBER'), pg_has_role($1, $2, 'USAGE')", user, all).Scan(&may, &does)
	if err != nil {
		return fmt.Errorf("read rights of role %s: %w", user, err)
	}
	if may && !does {
		return nil
	}
	grant := "grant " + all + " to " + user
	if conn.PgConn().ParameterStatus("server_version") >= "16" {
		grant += " with inherit false, set true"
	}
	if _, err := conn.Exec(ctx, grant); err != nil {
		return fmt.Errorf("make role %s a member of %s: %w", user, all, err)
	}
	return nil
}

// SetPasswords lets roles log in. Passwords are printable ASCII; what is sent and kept is their SCRAM verifier, so that
// no log of the server can hold one.
func SetPasswords(ctx context.Context, ownerURL string, passwords map[string]string) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("connect as owner: %w", Map(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for role, password := range passwords {
		if !name.MatchString(role) {
			return fault.New(fault.Invalid, "bad-role-name", "role name %q is not of the form [a-z][a-z0-9_]*", role)
		}
		v, err := verifier(password)
		if err != nil {
			return fmt.Errorf("password of role %s: %w", role, err)
		}
		_, err = backoff.Retry(ctx, func() (pgconn.CommandTag, error) {
			tag, err := conn.Exec(ctx, "alter role "+role+" login password '"+v+"'")
			if err != nil && !racing(err) {
				err = backoff.Permanent(err)
			}
			return tag, err
		}, backoff.WithMaxTries(20), backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)))
		if err != nil {
			return fmt.Errorf("set password of role %s: %w", role, Map(err))
		}
	}
	return nil
}

// verifier is what PostgreSQL keeps of a password (RFC 5803): it recognises the form and stores it as it is.
func verifier(password string) (string, error) {
	if password == "" || strings.ContainsFunc(password, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return "", fault.New(fault.Invalid, "bad-password", "a password is one or more printable ASCII characters")
	}
	const rounds = 4096 // PostgreSQL's own default
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sum(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(sum(salted, "Server Key"))), nil
}
