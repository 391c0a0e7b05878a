// Package enrichment matches the rows of a job to contacts and asks a provider about those that are new.
//
//	In        JOBS match and enrich; gRPC: LedgerService
//	Out       verdicts and facts in S3; gRPC to ingest (claims), contacts (matches, facts that come later), accounts (packages), a
//	          provider
//	Owns      schema enrichment: the ledger of what was asked of providers, their breakers, what is to be enriched later
//	Promises  a row has exactly one verdict, decided by one rule; a batch is in the ledger before it is sent, with each of its
//	          values held by it alone, and its answer before the next one is sent, so that nothing is paid twice; a provider that
//	          is away or answers nonsense costs the job nothing but time, and other accounts not even that
package enrichment

import (
	"context"
	"embed"
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
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is what enrichment keeps in the database.
var Schema = postgres.Schema{Name: "enrichment", FS: migrations}

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
	ProviderKey     config.Secret `env:"PROVIDER_KEY"`                      // what stands behind "Bearer "; empty: no credential
	ProviderCA      string        `env:"PROVIDER_CA"`                       // PEM file
	ProviderSystem  bool          `env:"PROVIDER_TLS_SYSTEM"`               // TLS with the CAs that the system knows
	ProviderPlain   bool          `env:"PROVIDER_TLS_INSECURE"`             // on purpose: in the clear, any host
	ProviderTimeout time.Duration `env:"PROVIDER_TIMEOUT" envDefault:"60s"` // for one batch
	ProviderBackoff time.Duration `env:"PROVIDER_BACKOFF" envDefault:"1s"`  // its rest for an account after a first failure
	ProviderSlots   int           `env:"PROVIDER_SLOTS" envDefault:"4"`     // jobs enriched at once: they wait most of the time
	Slots           int           `env:"ENRICHMENT_SLOTS" envDefault:"2"`   // jobs matched at once
	Keyring         string        `env:"KEYRING_FILE,required"`
}

// Service works the stages match and enrich.
type Service struct {
	cfg      Config
	tel      *telemetry.Telemetry
	db       *postgres.DB
	blob     *blob.Store
	link     *stage.Link
	conns    []*grpc.ClientConn
	auth     rpc.Authenticator
	matcher  contactsv1.MatchServiceClient
	accounts accountsv1.AccountsServiceClient
	desk     *inquiry.Desk
	later    *later
}

// New connects to the database, S3 and NATS. Its error is Precondition while the schema is not of this program's version.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (_ *Service, err error) {
	s := &Service{cfg: cfg, tel: tel}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	sql, err := postgres.Queries[statements](queries, "queries")
	if err != nil {
		return nil, err
	}
	keys, err := keyring.Load(cfg.Keyring)
	if err != nil {
		return nil, fmt.Errorf("open keys of enrichment: %w", err)
	}
	if s.db, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{Schema: Schema.Name}); err != nil {
		return nil, fmt.Errorf("open database of enrichment: %w", err)
	}
	if err = postgres.CheckVersion(ctx, s.db, Schema); err != nil {
		return nil, fmt.Errorf("check database of enrichment: %w", err)
	}
	if s.blob, err = blob.Open(ctx, cfg.S3URL.Reveal()); err != nil {
		return nil, fmt.Errorf("open files of enrichment: %w", err)
	}
	dial := func(addr string, o rpc.DialOptions) (*grpc.ClientConn, error) {
		conn, err := rpc.Dial(addr, o)
		if err == nil {
			s.conns = append(s.conns, conn)
		}
		return conn, err
	}
	ours := rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS}
	contacts, err := dial(cfg.Contacts, ours)
	if err != nil {
		return nil, err
	}
	accounts, err := dial(cfg.Accounts, ours)
	if err != nil {
		return nil, err
	}
	provider, err := dial(cfg.Provider, rpc.DialOptions{Foreign: true, Key: cfg.ProviderKey, TLS: rpc.TLS{CA: cfg.ProviderCA, System: cfg.ProviderSystem, Insecure: cfg.ProviderPlain}})
	if err != nil {
		return nil, fmt.Errorf("reach the provider: %w", err)
	}
	s.auth = rpc.RemoteAuth(accounts)
	s.matcher, s.accounts = contactsv1.NewMatchServiceClient(contacts), accountsv1.NewAccountsServiceClient(accounts)
	s.desk, err = inquiry.New(s.db, keys, provider, inquiry.Config{Address: cfg.Provider, Timeout: cfg.ProviderTimeout, Backoff: cfg.ProviderBackoff}, tel.Log)
	if err != nil {
		return nil, err
	}
	s.later = &later{db: s.db, sql: sql, desk: s.desk, facts: contactsv1.NewFactsServiceClient(contacts), log: tel.Log,
		lease: cfg.ProviderTimeout + time.Minute, woken: make(chan struct{}, 1)}
	s.link, err = stage.Connect(ctx, cfg.Config, "enrichment", tel)
	return s, err
}

// Register adds the ledger's reading side to a server.
func (s *Service) Register(reg grpc.ServiceRegistrar) {
	enrichmentv1.RegisterLedgerServiceServer(reg, &books{desk: s.desk})
}

// Auth knows users' keys.
func (s *Service) Auth() rpc.Authenticator { return s.auth }

// Ready tells whether database, S3 and NATS answer.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	return errors.Join(postgres.Map(s.db.Pool().Ping(ctx)), s.blob.Ready(ctx), s.link.Ready())
}

// Run works until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	return run.Group(s.link.Worker(event.Match, s.cfg.Slots, s.match), s.link.Worker(event.Enrich, s.cfg.ProviderSlots, s.enrich), s.later).Run(ctx)
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
