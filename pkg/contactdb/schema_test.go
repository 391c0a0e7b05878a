package contactdb_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// schemaLines tells what the migrations made, a line each: a migration's effect is read in the diff of schema.txt. Not
// NULL is told with the column, for PostgreSQL 18 keeps it as a constraint too; of a function's body there is a hash.
const schemaLines = `
with t as (select oid, relname, relrowsecurity, relforcerowsecurity, relacl from pg_class
           where relnamespace = 'contacts'::regnamespace and relkind = 'r' and relname <> 'schema_version')
select relname || ' ' || line from (
	select relname, 1 as part, 0 as place, concat_ws(' ', 'table', case when relrowsecurity then 'row-security' end, case when relforcerowsecurity then 'forced' end) as line from t
	union all
	select relname, 2, a.attnum, concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod),
		case when a.attcollation <> ty.typcollation then 'collate ' || co.collname end, case when a.attnotnull then 'not null' end,
		case when a.attgenerated <> '' then 'generated' when d.oid is not null then 'default' end || ' ' || pg_get_expr(d.adbin, d.adrelid))
	from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
	join pg_type ty on ty.oid = a.atttypid
	left join pg_collation co on co.oid = a.attcollation
	left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
	union all
	select relname, 3, 0, 'constraint ' || c.conname || ' ' || pg_get_constraintdef(c.oid) from t join pg_constraint c on c.conrelid = t.oid and c.contype <> 'n'
	union all
	select relname, 4, 0, pg_get_indexdef(i.indexrelid) from t join pg_index i on i.indrelid = t.oid
	where not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
	union all
	select relname, 5, 0, 'policy ' || polname || ' to ' || coalesce((select string_agg(rolname, ', ' order by rolname) from pg_roles where oid = any (polroles)), 'public')
		|| ' using ' || pg_get_expr(polqual, polrelid) from t join pg_policy on polrelid = t.oid
	union all
	select relname, 6, 0, 'grant ' || g.privilege_type || ' to ' || r.rolname from t, aclexplode(t.relacl) g join pg_roles r on r.oid = g.grantee where r.rolname in ('contacts', 'merge', 'contacts_all')
	union all
	select relname, 7, a.attnum, 'grant ' || g.privilege_type || ' (' || a.attname || ') to ' || r.rolname
	from t join pg_attribute a on a.attrelid = t.oid, aclexplode(a.attacl) g join pg_roles r on r.oid = g.grantee
	union all
	select p.proname::text, 8, 0, 'function (' || pg_get_function_arguments(p.oid) || ') ' || md5(p.prosrc) from pg_proc p where p.pronamespace = 'contacts'::regnamespace
) as lines
order by relname collate "C", part, place, line collate "C"`

func TestSchemaIsAsWritten(t *testing.T) {
	t.Parallel()
	database := postgrestest.DB(t, contactdb.Schema)
	conn, err := pgx.Connect(t.Context(), database.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), schemaLines)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	got := joined(lines)
	const golden = "testdata/schema.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("schema; -update writes it anew (-want +got):\n%s", d)
	}
}

func joined(lines []string) (all string) {
	for _, l := range lines {
		all += l + "\n"
	}
	return all
}
