package contactdb_test

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

func TestEveryStatementOfTheMergeIsValidForItsRole(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, contactdb.Schema).Open(t, "merge", "contacts")
	postgrestest.PrepareAll(t, db, os.DirFS("."), "apply", "make_staged", "make_changed", "make_blocked", "make_met", "make_met_own", "make_kept", "make_changed_own")
	postgrestest.PrepareAll(t, db, os.DirFS("."), "queries")
}

func owner(t *testing.T, d *postgrestest.Database) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func strings(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryTableOfAnAccountIsClosedToOthers(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, contactdb.Schema)
	conn := owner(t, d)
	tables := strings(t, conn, `select relname from pg_class where relnamespace = 'contacts'::regnamespace and relkind in ('r', 'p')
		and relname <> 'schema_version' order by 1`)
	want := []string{"applied", "contact_fallbacks", "contact_keys", "contacts", "fences", "holdings", "journal", "key_changes", "list_members", "lists", "removed", "removed_lists", "removed_members", "restored", "suppressions"}
	if diff := cmp.Diff(want, tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	closed := strings(t, conn, `select c.relname from pg_class c where c.relnamespace = 'contacts'::regnamespace and c.relkind in ('r', 'p')
		and c.relrowsecurity and c.relforcerowsecurity
		and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'account_id' and a.attnotnull)
		and exists (select from pg_policies p where p.schemaname = 'contacts' and p.tablename = c.relname and p.policyname = 'own' and p.roles = '{public}')
		order by 1`)
	if diff := cmp.Diff(tables, closed); diff != "" {
		t.Errorf("tables with forced row-level security on account_id (-all +have):\n%s", diff)
	}
	if loose := strings(t, conn, `select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
		join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
		where c.relnamespace = 'contacts'::regnamespace and c.relname <> 'schema_version' and a.attname <> 'account_id' order by 1`); len(loose) > 0 {
		t.Errorf("indexes that do not lead with the account: %v", loose)
	}
	if mighty := strings(t, conn, `select rolname from pg_roles where rolname in ('contacts', 'merge', 'contacts_all') and (rolsuper or rolbypassrls or rolinherit)`); len(mighty) > 0 {
		t.Errorf("roles that see more than they should: %v", mighty)
	}
}

func TestNobodySeesARowWithoutItsAccount(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, contactdb.Schema)
	conn := owner(t, d)
	a, b := uuid.New(), uuid.New()
	for _, account := range []uuid.UUID{a, b} {
		if _, err := conn.Exec(t.Context(), `with c as (insert into contacts.contacts (account_id, contact_id) values ($1, $1)),
			k as (insert into contacts.contact_keys (account_id, hash, key, contact_id) values ($1, $1, 1, $1)),
			l as (insert into contacts.lists (account_id, list_id, name) values ($1, $1, 'l'))
			insert into contacts.holdings (account_id, held) values ($1, 1)`, account); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []string{"merge", "contacts"} {
		db := d.Open(t, role, "contacts")
		for _, table := range []string{"contacts", "contact_keys", "lists", "holdings"} {
			count := func(tx interface {
				QueryRow(context.Context, string, ...any) pgx.Row
			}) (n int) {
				if err := tx.QueryRow(t.Context(), "select count(*) from contacts."+table).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			if n := count(db.Pool()); n != 0 {
				t.Errorf("%s sees %d rows of %s without an account, want none", role, n, table)
			}
			err := db.InAccount(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
				if n := count(tx); n != 1 {
					t.Errorf("%s sees %d rows of %s within an account, want its own", role, n, table)
				}
				_, err := tx.Exec(ctx, "update contacts."+table+" set account_id = $1", b)
				if err == nil {
					t.Errorf("%s may give a row of %s to another account", role, table)
				}
				return err
			})
			if err == nil {
				t.Error("the transaction was committed after a refusal")
			}
		}
	}
}

func TestOutcomesThatDoNotAddUpAreRefused(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, contactdb.Schema).Open(t, "merge", "contacts")
	m, err := contactdb.NewMerges(db)
	if err != nil {
		t.Fatal(err)
	}
	j := contactdb.Job{Account: uuid.New(), ID: uuid.New(), Number: 1, Token: 1}
	write := func(a contactdb.Applied) error {
		return db.InAccount(t.Context(), j.Account, func(ctx context.Context, tx pgx.Tx) error {
			own, _, err := m.Begin(ctx, tx, j.Account)
			if err != nil {
				return err
			}
			if _, _, err := m.Raise(ctx, j, own); err != nil {
				return err
			}
			return m.Write(ctx, tx, j, a)
		})
	}
	a := contactdb.Applied{Rows: 10, Added: 1, Updated: 1, Unchanged: 1, Duplicate: 1, Unmatched: 1, Invalid: 1, Conflict: 1, Held: 1, Suppressed: 1}
	if got := postgres.Constraint(write(a)); got != "every_row_has_one_outcome" {
		t.Errorf("9 outcomes of 10 rows: refused by %q, want every_row_has_one_outcome", got)
	}
	a.Rows = 9
	if err := write(a); err != nil {
		t.Errorf("9 outcomes of 9 rows: %v", err)
	}
}
