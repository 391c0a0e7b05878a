// Package inquiry asks a provider about phones and emails of an account and pays for none of them twice.
//
// A batch is in the ledger before it is sent, with each of its values held by it alone and, where it costs, with the question
// itself, sealed; its answer is there before the next batch is sent. So whoever comes next, whatever has happened, first asks
// again what was noted and not answered, under the same ids, and then only what no batch has. A provider that fails rests for
// that account, longer each time; another account's inquiries go on.
package inquiry

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

const (
	// batchSubjects is how many subjects are asked about at once, where the provider does not want fewer.
	batchSubjects = 5_000

	// windowRows is how many rows are looked up at once, and mostWaiting how many may wait for a batch to fill: what is known of
	// most rows need not make the batches of the others small.
	windowRows  = batchSubjects
	mostWaiting = 10 * windowRows
)

// Config is how a provider is asked.
type Config struct {
	Address string        // what it says of itself is kept under it
	Timeout time.Duration // for one batch
	Backoff time.Duration // its rest after a first failure
}

// Desk asks one provider for all accounts.
type Desk struct {
	cfg      Config
	ledger   *ledger
	keys     *keyring.Keyring
	provider providerv1.ProviderServiceClient
	log      *slog.Logger
	last     atomic.Pointer[Description] // what it said of itself last
}

// New makes a desk for the provider at the other end of a connection. db is of schema enrichment.
func New(db *postgres.DB, keys *keyring.Keyring, conn grpc.ClientConnInterface, cfg Config, log *slog.Logger) (*Desk, error) {
	sql, err := postgres.Queries[statements](queries, "queries")
	if err != nil {
		return nil, err
	}
	return &Desk{cfg: cfg, ledger: &ledger{db: db, sql: sql}, keys: keys, provider: providerv1.NewProviderServiceClient(conn), log: log}, nil
}

// Order says for whom is asked, and how.
type Order struct {
	Account, Job uuid.UUID
	Since        time.Time // answers asked for before are too old to be used again
	GoOn         bool      // without a provider that is down, where others would fail

	// Say takes what is said of a row, in the order in which rows were added: JSON objects, {} for a value that is not known, nil
	// for one that was not asked about.
	Say func(row int64, phone, email []byte) error
}

// Inquiry is one order's way through the provider. It is for one goroutine.
type Inquiry struct {
	desk  *Desk
	order Order
	about *Description // nil until a first row has come
	line  *line
	down  bool // the provider is, and the order goes on

	window  []asked // not looked up yet
	waiting []asked // looked up, not told yet
	known   map[value]place
	batch   gathering
	last    *answered // of a batch that is not in the ledger yet
	answers *cache

	sent, met, later int64
}

// Result is what became of the rows of an order.
type Result struct {
	Sent     int64 // rows that the provider was asked about, now or before
	Known    int64 // of these, rows that it knows something of
	Later    int64 // rows with a value that it was not asked about
	Micros   int64 // cost of the batches that the job asked
	Currency string
}

// Begin begins an inquiry, which has to be closed. Nothing is asked before a row is added.
func (d *Desk) Begin(o Order) *Inquiry {
	return &Inquiry{desk: d, order: o, line: &line{desk: d}, known: map[value]place{}, answers: newCache()}
}

// Close ends what is still on its way.
func (q *Inquiry) Close() { q.line.hangUp() }

// Add asks about a row's phone and email, normalised, either of which may be empty. Rows are told later, see Order.Say.
func (q *Inquiry) Add(ctx context.Context, row int64, phone, email []byte) error {
	if len(phone) == 0 && len(email) == 0 {
		return nil
	}
	q.window = append(q.window, asked{row: row, phone: string(phone), email: string(email)})
	if len(q.window) < windowRows {
		return nil
	}
	return q.look(ctx)
}

// Sent is how many rows have been told so far.
func (q *Inquiry) Sent() int64 { return q.sent + q.later }

// End asks what is left to ask.
func (q *Inquiry) End(ctx context.Context) (Result, error) {
	if err := q.look(ctx); err != nil {
		return Result{}, err
	}
	if err := q.ask(ctx); err != nil {
		return Result{}, err
	}
	if err := q.save(ctx); err != nil {
		return Result{}, err
	}
	r := Result{Sent: q.sent, Known: q.met, Later: q.later}
	if q.about == nil || !q.about.Paid() {
		return r, nil
	}
	var err error
	r.Currency = q.about.Currency
	if r.Micros, err = q.desk.ledger.costOf(ctx, q.order.Account, q.order.Job, q.about.Name); err != nil {
		return Result{}, err
	}
	return r, nil
}

// Settle asks again, under their ids, all batches of an account that the provider has not answered.
func (d *Desk) Settle(ctx context.Context, account uuid.UUID) error {
	q := d.Begin(Order{Account: account})
	defer q.Close()
	return q.begin(ctx)
}

// begin finds out whom there is to ask, and settles what was left unanswered before.
func (q *Inquiry) begin(ctx context.Context) error {
	if q.about != nil || q.down {
		return nil
	}
	name, err := q.desk.name(ctx)
	if err != nil {
		return err
	}
	if err := q.desk.rested(ctx, q.order.Account, name); err != nil {
		return err
	}
	about, err := q.desk.Describe(ctx)
	if err != nil {
		return q.desk.failed(ctx, q.order.Account, name, fmt.Errorf("ask provider %s what it is: %w", name, err))
	}
	if about.Name != name {
		if err := q.desk.rested(ctx, q.order.Account, about.Name); err != nil {
			return err
		}
	}
	if about.Paid() {
		if err := q.settle(ctx, about); err != nil {
			return err
		}
	}
	q.about = about
	return nil
}
