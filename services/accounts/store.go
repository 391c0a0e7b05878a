package accounts

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is what accounts keeps in the database.
var Schema = postgres.Schema{Name: "accounts", FS: migrations}

//go:embed queries/*.sql
var queries embed.FS

type statements struct {
	InsertAccount, Account, UpdateAccount                  string
	InsertKey, KeysOfAccount, RevokeKey                    string
	InsertAudit                                            string
	LockBootstrap, KeyNamedExists, RevokeKeysNamed         string
	LockAccount, SetPolicies, NumbersGiven                 string
	OwnFields, InsertField, UpdateField, RetireField       string
	CodesOfAccount, PutCodes                               string
	EveryAccount, AccountIDByName, KeyAccount, KeyForLogin string // the four that cross accounts: see across.go
}

// operators is the reserved account under which the operators' keys are kept: they belong to no tenant.
var operators = uuid.UUID{15: 1}

// account is a tenant.
type account struct {
	ID         uuid.UUID
	Name       string
	Country    string
	Package    int64
	Recipients []string
	RawDays    int32
	ResultDays int32
	BadCell    badCell
	Unknown    unknown
	Legacy     string // charset as the web names it; empty for the default
	Policies   policies
	Down       down
	Known      int32 // days that a provider's answers are used again
	CreatedAt  time.Time
}

// badCell and unknown are the policies as they are stored.
type (
	badCell string
	unknown string
)

const (
	rejectRow badCell = "reject-row"
	dropCell  badCell = "drop-cell"
	add       unknown = "add"
	keepOut   unknown = "keep-out"
)

// change holds what UpdateAccount sets; nil leaves a field as it is.
type change struct {
	Country    *string
	Package    *int64
	Recipients []string
	RawDays    *int32
	ResultDays *int32
	BadCell    *badCell
	Unknown    *unknown
	Legacy     *string
	Policies   policyChange
	Down       *down
	Known      *int32
}

// fields names what a change sets, for the audit.
func (c change) fields() []string {
	set := []string{}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"country", c.Country != nil}, {"package", c.Package != nil}, {"recipients", c.Recipients != nil},
		{"raw_days", c.RawDays != nil}, {"result_days", c.ResultDays != nil}, {"bad_cell", c.BadCell != nil},
		{"unknown_to_provider", c.Unknown != nil}, {"legacy_encoding", c.Legacy != nil},
		{"provider_down", c.Down != nil}, {"provider_days", c.Known != nil},
	} {
		if f.set {
			set = append(set, f.name)
		}
	}
	return append(set, c.Policies.names()...)
}

// apiKey is a key without its secret.
type apiKey struct {
	AccountID uuid.UUID // operators for an operator's
	ID        uuid.UUID
	Role      rpc.Role
	Name      string
	Email     string
	CreatedAt time.Time
	RevokedAt *time.Time
}

// actor is who makes a change, for the audit.
type actor struct {
	Role string
	Key  uuid.UUID
}

// store is the schema's SQL, one method per thing that is done. The methods here see one account
// only; across.go has those that see all.
type store struct {
	db  *postgres.DB
	sql statements
}

func newStore(db *postgres.DB) (*store, error) {
	sql, err := postgres.Queries[statements](queries, "queries")
	if err != nil {
		return nil, err
	}
	return &store{db: db, sql: sql}, nil
}

// insert makes the account and fills in when it was made. Its error is Exists if the name is taken.
func (s *store) insert(ctx context.Context, by actor, a *account) error {
	err := s.db.InAccount(ctx, a.ID, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.sql.InsertAccount, a.ID, a.Name, a.Country, a.Package, a.Recipients, a.RawDays, a.ResultDays,
			string(a.BadCell), string(a.Unknown), a.Legacy, a.Policies.Rules, string(a.Policies.HandMade), a.Policies.MatchBy,
			string(a.Down), a.Known).Scan(&a.CreatedAt)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, by, a.ID, "account.created", a.ID, nil)
	})
	if postgres.Constraint(err) == "accounts_name_unique" {
		return fault.New(fault.Exists, "account-name-taken", "there is already an account named %s", a.Name)
	}
	if err != nil {
		return fmt.Errorf("insert account %s: %w", a.ID, err)
	}
	return nil
}

// account reads one account; NotFound if there is none.
func (s *store) account(ctx context.Context, id uuid.UUID) (account, error) {
	var a account
	b := &pgx.Batch{}
	b.Queue(s.sql.Account, id).Query(func(rows pgx.Rows) (err error) {
		a, err = pgx.CollectExactlyOneRow(rows, scanAccount)
		return err
	})
	if err := s.db.Read(ctx, id, b); err != nil {
		return account{}, missing("account", id, err)
	}
	return a, nil
}

// update changes an account and returns it as it then is. Policies are changed under the lock that changes of its fields
// take too: none names a field that the account does not have.
func (s *store) update(ctx context.Context, by actor, id uuid.UUID, c change) (account, error) {
	var a account
	err := s.changeAccount(ctx, id, func(ctx context.Context, tx pgx.Tx, before account, own []field) error {
		schema, err := fields.SchemaOf(each(own, fromField))
		if err != nil {
			return err
		}
		p, err := before.Policies.with(c.Policies, schema)
		if err != nil {
			return err
		}
		a, err = one(ctx, tx, scanAccount, s.sql.UpdateAccount, id, c.Country, c.Package, c.Recipients, c.RawDays, c.ResultDays,
			(*string)(c.BadCell), (*string)(c.Unknown), c.Legacy, p.Rules, string(p.HandMade), p.MatchBy, (*string)(c.Down), c.Known)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, by, id, "account.changed", id, c.fields())
	})
	if err != nil {
		return account{}, missing("account", id, err)
	}
	return a, nil
}

// insertKey stores a key and the hash of its secret.
func (s *store) insertKey(ctx context.Context, by actor, k *apiKey, hash [32]byte) error {
	err := s.db.InAccount(ctx, k.AccountID, func(ctx context.Context, tx pgx.Tx) error {
		return s.insertKeyIn(ctx, tx, by, k, hash)
	})
	if err != nil {
		return fmt.Errorf("insert key %s: %w", k.ID, err)
	}
	return nil
}

func (s *store) insertKeyIn(ctx context.Context, tx pgx.Tx, by actor, k *apiKey, hash [32]byte) error {
	err := tx.QueryRow(ctx, s.sql.InsertKey, k.AccountID, k.ID, hash[:], k.Role.String(), k.Name, k.Email).Scan(&k.CreatedAt)
	if err != nil {
		return err
	}
	return s.audit(ctx, tx, by, k.AccountID, "key.created", k.ID, nil)
}

// keys lists an account's keys, oldest first.
func (s *store) keys(ctx context.Context, id uuid.UUID) ([]apiKey, error) {
	var keys []apiKey
	err := s.db.InAccount(ctx, id, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.sql.KeysOfAccount, id)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, scanKey)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list keys of account %s: %w", id, err)
	}
	return keys, nil
}

// revoke ends a key; a second time changes nothing.
func (s *store) revoke(ctx context.Context, by actor, id, key uuid.UUID) (apiKey, error) {
	var k apiKey
	err := s.db.InAccount(ctx, id, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		if k, err = one(ctx, tx, scanKey, s.sql.RevokeKey, id, key); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, id, "key.revoked", key, nil)
	})
	if err != nil {
		return apiKey{}, missing("key", key, err)
	}
	return k, nil
}

func (s *store) audit(ctx context.Context, tx pgx.Tx, by actor, id uuid.UUID, action string, object uuid.UUID, fields []string) error {
	if fields == nil {
		fields = []string{}
	}
	_, err := tx.Exec(ctx, s.sql.InsertAudit, id, uuid.Must(uuid.NewV7()), by.Role, by.Key, action, object, fields)
	if err != nil {
		return fmt.Errorf("record %s: %w", action, err)
	}
	return nil
}

func scanAccount(row pgx.CollectableRow) (a account, err error) {
	err = row.Scan(&a.ID, &a.Name, &a.Country, &a.Package, &a.Recipients, &a.RawDays, &a.ResultDays,
		(*string)(&a.BadCell), (*string)(&a.Unknown), &a.Legacy, &a.Policies.Rules, (*string)(&a.Policies.HandMade), &a.Policies.MatchBy,
		(*string)(&a.Down), &a.Known, &a.CreatedAt)
	return a, err
}

func scanKey(row pgx.CollectableRow) (k apiKey, err error) {
	var role string
	if err = row.Scan(&k.AccountID, &k.ID, &role, &k.Name, &k.Email, &k.CreatedAt, &k.RevokedAt); err != nil {
		return k, err
	}
	k.Role, err = toRole(role)
	return k, err
}

// one reads exactly one row; pgx.ErrNoRows if there is none.
func one[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// missing turns "no row" into NotFound, which looks the same for what is unknown and for what is somebody else's.
func missing(what string, id uuid.UUID, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "unknown-"+what, "there is no such %s", what)
	}
	return fmt.Errorf("%s %s: %w", what, id, err)
}
