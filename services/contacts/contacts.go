// Package contacts is the service that shows contacts, takes edits by hand, and tells which contacts the rows of a file
// belong to.
//
//	In        gRPC: ContactsService and ListsService for people, MatchService and FactsService for enrichment
//	Out       gRPC to accounts: country, package and fields of the account
//	Owns      with merge: the contact database (schema contacts), through pkg/contactdb
//	Promises  readers see a job whole or not at all and never wait for one (P4); an edit by hand follows the rules of a
//	          row, and meets a merge with ABORTED after two seconds; a stream of matches is answered from one snapshot;
//	          someone else's id looks like an unknown one (P10); secret values are masked and no fault holds a value
//	          (P11, P12)
package contacts

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// role logs in to the contact database, which merge shares under a role of its own.
const role = "contacts"

// readyLimit is how long the database may take to answer before the service calls itself not ready.
const readyLimit = 2 * time.Second

// maxConns bounds the connections to the database: every matching holds one or two for as long as it lasts.
const maxConns = 20

// Config is what the service is told from outside.
type Config struct {
	DatabaseURL  config.Secret `env:"DATABASE_URL,required"` // of the role contacts
	KeyringFile  string        `env:"KEYRING_FILE,required"`
	AccountsAddr string        `env:"ACCOUNTS_ADDR,required"` // host:port, several with commas
	ServiceKey   config.Secret `env:"SERVICE_KEY,required"`
	LockWait     time.Duration `env:"LOCK_WAIT" envDefault:"2s"` // of an edit by hand for a merge at work
	TLS          rpc.TLS
}

// Service serves contacts, lists and matching.
type Service struct {
	db       *postgres.DB
	contacts *contactdb.Contacts
	accounts *grpc.ClientConn
	edge     *contactsEdge
}

// New connects to the database. Its error is Precondition while the schema is not of this program's version.
func New(ctx context.Context, cfg Config) (*Service, error) {
	ring, err := keyring.Load(cfg.KeyringFile)
	if err != nil {
		return nil, fmt.Errorf("load keyring: %w", err)
	}
	accounts, err := rpc.Dial(cfg.AccountsAddr, rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS})
	if err != nil {
		return nil, fmt.Errorf("reach accounts: %w", err)
	}
	s := &Service{accounts: accounts}
	if s.db, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{Schema: role, MaxConns: maxConns}); err != nil {
		s.Close()
		return nil, fmt.Errorf("open contact database: %w", err)
	}
	if err := postgres.CheckVersion(ctx, s.db, contactdb.Schema); err != nil {
		s.Close()
		return nil, fmt.Errorf("check contact database: %w", err)
	}
	if s.contacts, err = contactdb.NewContacts(s.db, ring, cfg.LockWait); err != nil {
		s.Close()
		return nil, err
	}
	s.edge = &contactsEdge{
		contacts: s.contacts,
		cells:    cells{normaliser: contact.NewNormaliser(), ring: ring},
		accounts: accountsv1.NewAccountsServiceClient(accounts),
		schemas:  newSchemas(accountsv1.NewFieldsServiceClient(accounts), time.Now),
		now:      time.Now,
	}
	return s, nil
}

// Register adds the gRPC services to a server.
func (s *Service) Register(reg grpc.ServiceRegistrar) {
	contactsv1.RegisterContactsServiceServer(reg, s.edge)
	contactsv1.RegisterListsServiceServer(reg, &listsEdge{contacts: s.contacts})
	contactsv1.RegisterMatchServiceServer(reg, &matchEdge{contacts: s.contacts})
	contactsv1.RegisterFactsServiceServer(reg, &factsEdge{contacts: s.contacts})
}

// Ready tells whether the database answers.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	return postgres.Map(s.db.Pool().Ping(ctx))
}

// Run serves until ctx ends; there is no work of its own to do. Calls at work may still need the database afterwards:
// Close comes when the server has ended.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Close ends the connections to the database and to accounts.
func (s *Service) Close() {
	if s.db != nil {
		s.db.Close()
	}
	_ = s.accounts.Close() // closing twice is the only error it knows
}
