// Package merge applies jobs to the contact database.
//
//	In        JOBS merge
//	Out       outcomes in S3; gRPC to ingest (claims, leave to commit), accounts (packages)
//	Owns      with the service contacts: schema contacts
//	Promises  a job takes effect whole or not at all, and once (P4); a job whose token is no longer the newest changes
//	          nothing (P5); every row has exactly one outcome and the counts add up, or the database refuses them (P3);
//	          after leave to commit only the database's answer says what became of a job; of a job under review nothing is
//	          applied that its plan did not say
package merge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	// readyLimit is how long a dependency may take to answer before the service calls itself not ready.
	readyLimit = 2 * time.Second

	// connsPerJob: the transaction that applies it, and the short one that raises the fence.
	connsPerJob = 2

	// tempBuffers is how much of its staged rows a session keeps in memory; what is more lies in files of the server.
	tempBuffers = "64MB"
)

// Config is what the service is told from outside.
type Config struct {
	stage.Config
	DatabaseURL config.Secret `env:"DATABASE_URL,required"` // of the role merge
	S3URL       config.Secret `env:"S3_URL,required"`
	Accounts    string        `env:"ACCOUNTS_ADDR,required"`
	Keyring     string        `env:"KEYRING_FILE,required"`
	Slots       int           `env:"MERGE_SLOTS" envDefault:"2"` // jobs at once
}

// Service works the stage merge.
type Service struct {
	cfg  Config
	db   *postgres.DB
	link *stage.Link
	conn *grpc.ClientConn
	work *worker
}

// New connects to the database, S3 and NATS. Its error is Precondition while the schema is not of this program's version.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (_ *Service, err error) {
	s := &Service{cfg: cfg, work: &worker{log: tel.Log}}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.work.ring, err = keyring.Load(cfg.Keyring); err != nil {
		return nil, fmt.Errorf("open keyring of merge: %w", err)
	}
	if s.db, err = open(ctx, cfg.DatabaseURL.Reveal(), cfg.Slots); err != nil {
		return nil, fmt.Errorf("open database of merge: %w", err)
	}
	if err = postgres.CheckVersion(ctx, s.db, contactdb.Schema); err != nil {
		return nil, fmt.Errorf("check database of merge: %w", err)
	}
	if s.work.contacts, err = contactdb.NewMerges(s.db); err != nil {
		return nil, err
	}
	if s.work.blob, err = blob.Open(ctx, cfg.S3URL.Reveal()); err != nil {
		return nil, fmt.Errorf("open files of merge: %w", err)
	}
	if s.conn, err = rpc.Dial(cfg.Accounts, rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS}); err != nil {
		return nil, fmt.Errorf("connect merge to accounts: %w", err)
	}
	s.work.accounts = accountsv1.NewAccountsServiceClient(s.conn)
	s.link, err = stage.Connect(ctx, cfg.Config, "merge", tel)
	return s, err
}

// open connects with room for each slot, and with the one setting that a session takes only at its start.
func open(ctx context.Context, address string, slots int) (*postgres.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fault.New(fault.Invalid, "bad-database-url", "the database address cannot be read").
			Hint("write it as postgres://user:password@host:port/database")
	}
	q := u.Query()
	q.Set("temp_buffers", tempBuffers)
	u.RawQuery = q.Encode()
	return postgres.Open(ctx, u.String(), postgres.Options{Schema: contactdb.Schema.Name, MaxConns: int32(connsPerJob*slots + 1)})
}

// Ready tells whether database, S3 and NATS answer.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	return errors.Join(postgres.Map(s.db.Pool().Ping(ctx)), s.work.blob.Ready(ctx), s.link.Ready())
}

// Run works until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	return s.link.Worker(event.Merge, s.cfg.Slots, s.work.handle).Run(ctx)
}

// Close ends the connections, after Run has returned.
func (s *Service) Close() {
	if s.link != nil {
		s.link.Close()
	}
	if s.conn != nil {
		_ = s.conn.Close() // nothing is on its way any more
	}
	if s.work.blob != nil {
		s.work.blob.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}

// worker applies jobs, one for each call.
type worker struct {
	contacts *contactdb.Merges
	blob     *blob.Store
	ring     *keyring.Keyring
	accounts accountsv1.AccountsServiceClient
	log      *slog.Logger

	fail func(point string) error // in tests: called between durable steps, and what it returns ends the work there
}

// Process makes the service as a process of its own.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	return stage.Process(ctx, env, tel, New)
}
