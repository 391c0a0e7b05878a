package inquiry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// schema is that of the service, whose package cannot be imported here.
var schema = postgres.Schema{Name: "enrichment", FS: os.DirFS("../..")}

const serviceKey = config.Secret("the-key-of-a-provider-for-tests")

// counter is a desk at a provider over real gRPC, with a real database.
type counter struct {
	*Desk
	provider *inquirytest.Provider
	database *postgrestest.Database
	owner    *pgx.Conn
	account  uuid.UUID
	addr     string
	keys     *keyring.Keyring
}

func newCounter(t testing.TB, p *inquirytest.Provider) *counter {
	t.Helper()
	c := &counter{provider: p, database: postgrestest.DB(t, schema), account: uuid.Must(uuid.NewV7())}
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", ServiceKey: serviceKey, DrainLimit: time.Second, Telemetry: telemetry.New("provider", "", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	providerv1.RegisterProviderServiceServer(server.Registrar(), p)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the provider ended with %v", err)
		}
	})
	c.addr = server.Addr()
	if c.keys, err = keyring.New(); err != nil {
		t.Fatal(err)
	}
	if c.owner, err = pgx.Connect(t.Context(), c.database.OwnerURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.owner.Close(context.WithoutCancel(t.Context())) })
	c.Desk = c.desk(t, c.database.Open(t, "enrichment", "enrichment"))
	return c
}

// desk is one more at the same provider and database.
func (c *counter) desk(t testing.TB, db *postgres.DB) *Desk {
	t.Helper()
	conn, err := rpc.Dial(c.addr, rpc.DialOptions{Key: "svc_" + serviceKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d, err := New(db, c.keys, conn, Config{Address: c.addr, Timeout: time.Minute, Backoff: time.Minute}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pair is what is asked of a row.
type pair struct{ phone, email string }

// people are so many rows from a number on.
func people(from, n int) (all []pair) {
	for i := from; i < from+n; i++ {
		all = append(all, pair{fmt.Sprintf("+1202%07d", i), fmt.Sprintf("p%d@example.%s", i, [...]string{"com", "net"}[i%2])})
	}
	return all
}

// told is what was said of a row.
type told struct{ Phone, Email string }

// run asks about rows for a new job of the counter's account.
func (c *counter) run(ctx context.Context, d *Desk, change func(*Order), rows []pair) (Result, map[int64]told, error) {
	said := map[int64]told{}
	last := int64(-1)
	o := Order{Account: c.account, Job: uuid.Must(uuid.NewV7()), Since: time.Now().Add(-time.Hour), Say: func(row int64, phone, email []byte) error {
		if row <= last {
			return fmt.Errorf("row %d is told behind row %d", row, last)
		}
		last, said[row] = row, told{string(phone), string(email)}
		return nil
	}}
	if change != nil {
		change(&o)
	}
	q := d.Begin(o)
	defer q.Close()
	for i, p := range rows {
		if err := q.Add(ctx, int64(i), []byte(p.phone), []byte(p.email)); err != nil {
			return Result{}, said, err
		}
	}
	r, err := q.End(ctx)
	return r, said, err
}

// heal ends all rests.
func (c *counter) heal(t *testing.T) {
	t.Helper()
	c.exec(t, "update enrichment.breakers set open_until = now()")
}

func (c *counter) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := c.owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count[T any](t *testing.T, c *counter, sql string, args ...any) (n T) {
	t.Helper()
	if err := c.owner.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// whole checks that the ledger and the provider agree: what was charged is in it, once, and nothing is open.
func (c *counter) whole(t *testing.T) {
	t.Helper()
	batches, micros := c.provider.Charged()
	if n := c.provider.Twice(); n != 0 {
		t.Errorf("%d values were paid twice", n)
	}
	if n := count[int](t, c, "select count(*) from enrichment.batches where answer is null or question is not null"); n != 0 {
		t.Errorf("%d batches are left open", n)
	}
	if n, cost := count[int](t, c, "select count(*) from enrichment.batches"), count[int64](t, c, "select coalesce(sum(cost_micros), 0)::bigint from enrichment.batches"); n != batches || cost != micros {
		t.Errorf("the ledger has %d batches for %d, the provider charged %d for %d", n, cost, batches, micros)
	}
}

// saidRight checks that each row was told what the provider knows.
func saidRight(t *testing.T, rows []pair, said map[int64]told) {
	t.Helper()
	for i, p := range rows {
		want := told{}
		if p.phone != "" {
			want.Phone = `{"line_type":"mobile"}`
		}
		if p.email != "" {
			want.Email = `{"domain_kind":"free"}`
			if i := len(p.email) - len("@example.net"); p.email[i:] == "@example.net" {
				want.Email = "{}"
			}
		}
		if got := said[int64(i)]; got != want {
			t.Fatalf("row %d (%v) is told %v, want %v", i, p, got, want)
		}
	}
}

var errKilled = errors.New("killed")
