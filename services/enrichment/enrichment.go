// Package enrichment matches the rows of a job to contacts and asks a provider about those that are new.
//
//	In        JOBS match and enrich
//	Out       verdicts and facts in S3; gRPC to ingest (claims), contacts (matches), accounts (packages), a provider
//	Owns      schema enrichment: the ledger of batches asked of providers
//	Promises  a row has exactly one verdict, decided by one rule; a batch is in the ledger before it is sent and its answer
//	          before the next one is sent, so that no batch is paid twice (P6); a provider that is away or answers nonsense
//	          costs the job nothing but time
package enrichment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// readyLimit is how long a dependency may take to answer before the service calls itself not ready.
const readyLimit = 2 * time.Second

// Config is what the service is told from outside.
type Config struct {
	stage.Config
	DatabaseURL     config.Secret `env:"DATABASE_URL,required"` // of the role enrichment
	S3URL           config.Secret `env:"S3_URL,required"`
	Contacts        string        `env:"CONTACTS_ADDR,required"`
	Accounts        string        `env:"ACCOUNTS_ADDR,required"`
	Provider        string        `env:"PROVIDER_ADDR,required"`
	ProviderName    string        `env:"PROVIDER_NAME" envDefault:"bundled"` // in the ledger: what was paid to whom
	ProviderTimeout time.Duration `env:"PROVIDER_TIMEOUT" envDefault:"60s"`  // for one batch
	Slots           int           `env:"ENRICHMENT_SLOTS" envDefault:"2"`    // jobs at once, of each stage
}

// Service works the stages match and enrich.
type Service struct {
	cfg       Config
	tel       *telemetry.Telemetry
	db        *postgres.DB
	ledger    *ledger
	blob      *blob.Store
	link      *stage.Link
	conns     []*grpc.ClientConn
	matcher   contactsv1.MatchServiceClient
	accounts  accountsv1.AccountsServiceClient
	providers providerv1.ProviderServiceClient
	provider  string
}

// New connects to the database, S3 and NATS. Its error is Precondition while the schema is not of this program's version.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (_ *Service, err error) {
	s := &Service{cfg: cfg, tel: tel, provider: cfg.ProviderName}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	sql, err := postgres.Queries[statements](queries, "queries")
	if err != nil {
		return nil, err
	}
	if s.db, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{Schema: Schema.Name}); err != nil {
		return nil, fmt.Errorf("open database of enrichment: %w", err)
	}
	if err = postgres.CheckVersion(ctx, s.db, Schema); err != nil {
		return nil, fmt.Errorf("check database of enrichment: %w", err)
	}
	s.ledger = &ledger{db: s.db, sql: sql}
	if s.blob, err = blob.Open(ctx, cfg.S3URL.Reveal()); err != nil {
		return nil, fmt.Errorf("open files of enrichment: %w", err)
	}
	dial := func(addr string) (*grpc.ClientConn, error) {
		conn, err := rpc.Dial(addr, rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS})
		if err == nil {
			s.conns = append(s.conns, conn)
		}
		return conn, err
	}
	contacts, err := dial(cfg.Contacts)
	if err != nil {
		return nil, err
	}
	accounts, err := dial(cfg.Accounts)
	if err != nil {
		return nil, err
	}
	provider, err := dial(cfg.Provider)
	if err != nil {
		return nil, err
	}
	s.matcher, s.accounts, s.providers = contactsv1.NewMatchServiceClient(contacts), accountsv1.NewAccountsServiceClient(accounts), providerv1.NewProviderServiceClient(provider)
	s.link, err = stage.Connect(ctx, cfg.Config, "enrichment", tel)
	return s, err
}

// Ready tells whether database, S3 and NATS answer.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	return errors.Join(postgres.Map(s.db.Pool().Ping(ctx)), s.blob.Ready(ctx), s.link.Ready())
}

// Run works until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	return run.Group(s.link.Worker(event.Match, s.cfg.Slots, s.match), s.link.Worker(event.Enrich, s.cfg.Slots, s.enrich)).Run(ctx)
}

// Close ends the connections, after Run has returned.
func (s *Service) Close() {
	if s.link != nil {
		s.link.Close()
	}
	for _, c := range s.conns {
		_ = c.Close() // nothing is on its way any more
	}
	if s.blob != nil {
		s.blob.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}

// Process makes the service as a process of its own.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	return stage.Process(ctx, env, tel, New)
}

// open reads an object that an earlier stage left; owned has looked at its name.
func (s *Service) open(ctx context.Context, o *ingestv1.Object) (io.ReadCloser, error) {
	b, err := stage.FromObject("", o)
	if err != nil {
		return nil, err
	}
	return s.blob.ReadVerified(ctx, b)
}

// owned checks that what earlier stages left, and the objects given besides, lie where this job's things lie.
func owned(c *stage.Claim, besides ...*ingestv1.Object) error {
	for _, chunk := range c.Work.GetValidated().GetChunks() {
		besides = append(besides, chunk.GetCells(), chunk.GetKeys())
	}
	for _, o := range besides {
		if !strings.HasPrefix(o.GetName(), blob.JobPrefix(c.Account, c.Job)) {
			return fault.New(fault.DataLoss, "object-foreign", "an earlier stage left an object that is not of this job")
		}
	}
	return nil
}
