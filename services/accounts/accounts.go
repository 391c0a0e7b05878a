// Package accounts is the service that knows the tenants: their settings, their API keys, and who a caller is.
//
//	In        gRPC: AccountsService for operators and admins, FieldsService for admins, AuthService for the other services
//	Out       nothing
//	Owns      schema accounts: tenants with their policies, API keys, fields and code books, and the record of who
//	          changed what
//	Promises  an admin sees and changes its own account only, and someone else's looks like an unknown one (P10);
//	          of a key's secret only a SHA-256 is kept, and it is shown once; a key that is unknown, malformed or
//	          revoked is refused with one text; a revoked key is refused everywhere within 30 seconds; every change
//	          leaves an audit row that this service itself can neither change nor delete (P20)
package accounts

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/postgres"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// readyLimit is how long the database may take to answer before the service calls itself not ready.
const readyLimit = 2 * time.Second

// Config is what the service is told from outside.
type Config struct {
	DatabaseURL config.Secret `env:"DATABASE_URL,required"` // of the role accounts
}

// Service serves accounts and keys. It is an rpc.Authenticator for servers in its own process; others use
// rpc.RemoteAuth.
type Service struct {
	db    *postgres.DB
	store *store
}

// New connects to the database. Its error is Precondition while the schema is not of this program's version.
func New(ctx context.Context, cfg Config) (*Service, error) {
	db, err := postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{Schema: Schema.Name})
	if err != nil {
		return nil, fmt.Errorf("open database of accounts: %w", err)
	}
	if err := postgres.CheckVersion(ctx, db, Schema); err != nil {
		db.Close()
		return nil, fmt.Errorf("check database of accounts: %w", err)
	}
	s, err := newStore(db)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &Service{db: db, store: s}, nil
}

// Register adds the gRPC services to a server.
func (s *Service) Register(reg grpc.ServiceRegistrar) {
	accountsv1.RegisterAccountsServiceServer(reg, &accountsEdge{store: s.store, checks: contact.NewNormaliser()})
	accountsv1.RegisterFieldsServiceServer(reg, &fieldsEdge{store: s.store})
	accountsv1.RegisterAuthServiceServer(reg, &authEdge{service: s})
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

// Close ends the connections to the database.
func (s *Service) Close() { s.db.Close() }
