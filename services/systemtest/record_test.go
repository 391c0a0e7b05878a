package systemtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// connect opens the target's database as its owner, past all row-level security. Where it is may change with each start.
func (s *target) connect(ctx context.Context) (*pgx.Conn, error) {
	password, err := os.ReadFile(filepath.Join(s.dir, "postgres", "password"))
	if err != nil {
		return nil, err
	}
	state, err := os.ReadFile(filepath.Join(s.dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(state), "\n")
	if len(lines) < 4 {
		return nil, fmt.Errorf("PostgreSQL's postmaster.pid has %d lines, its port is in the fourth", len(lines))
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword("owner", strings.TrimSpace(string(password))), Host: "127.0.0.1:" + lines[3], Path: "/contactmill", RawQuery: "sslmode=disable"}
	return pgx.Connect(ctx, u.String())
}

// rows reads all rows of a query, as soon as PostgreSQL answers.
func rows[T any](t *testing.T, s *target, sql string, args ...any) []T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var conn *pgx.Conn
	await(t, func() (bool, string) {
		var err error
		conn, err = s.connect(ctx)
		return err == nil, fmt.Sprint("connect to PostgreSQL: ", err)
	})
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByName[T])
	if err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
	return all
}

// charge is what a stage of a job was charged.
type charge struct {
	Stage, State, Instance            string
	Faults, LeasesLost, InstancesLost int
}

func (c charge) String() string {
	return fmt.Sprintf("%s %s by %s: %d faults, %d leases and %d instances lost", c.Stage, c.State, c.Instance, c.Faults, c.LeasesLost, c.InstancesLost)
}

// charges of a job's stages.
func charges(t *testing.T, s *target, job string) []charge {
	t.Helper()
	return rows[charge](t, s, `select stage, state, coalesce(instance, '') as instance, faults, leases_lost, instances_lost
		from ingest.stages where job_id = $1 order by opened_at, stage`, job)
}

// trace is what a job has left in the contact database.
type trace struct{ Applied, Contacts, Journal, Members int }

func traceOf(t *testing.T, s *target, job string) trace {
	t.Helper()
	return rows[trace](t, s, `select
		(select count(*) from contacts.applied where job_id = $1) as applied,
		(select count(*) from contacts.contacts where created_job = $1) as contacts,
		(select count(*) from contacts.journal where job_id = $1) as journal,
		(select count(*) from contacts.list_members where added_by_job = $1) as members`, job)[0]
}
