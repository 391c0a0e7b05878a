// Package migrate brings the database of every service up to date, as the step before their start or roll-out.
//
//	In        the database owner's URL; a password for each role that shall log in
//	Out       schemas, roles and tables, by each owner's migrations
//	Owns      nothing: each schema belongs to its service
//	Promises  run again it changes nothing; run twice at once, one works and the other waits; a migration is applied whole or not at all
package migrate

import (
	"context"
	"fmt"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/telemetry"
	"github.com/contactmill/contactmill/services/accounts"
	"github.com/contactmill/contactmill/services/email"
	"github.com/contactmill/contactmill/services/enrichment"
	"github.com/contactmill/contactmill/services/ingest"
)

// Config names the database's owner, who may create roles and schemas, and passwords for the roles that the services log
// in as. A role without one keeps the password it has.
type Config struct {
	run.Config
	OwnerURL   config.Secret `env:"OWNER_URL,required"` // postgres://owner:password@host:port/database
	Accounts   config.Secret `env:"ACCOUNTS_PASSWORD"`
	Ingest     config.Secret `env:"INGEST_PASSWORD"`
	Enrichment config.Secret `env:"ENRICHMENT_PASSWORD"`
	Contacts   config.Secret `env:"CONTACTS_PASSWORD"`
	Merge      config.Secret `env:"MERGE_PASSWORD"`
	Email      config.Secret `env:"EMAIL_PASSWORD"`
}

// Schemas are those of all owners.
func Schemas() []postgres.Schema {
	return []postgres.Schema{accounts.Schema, ingest.Schema, enrichment.Schema, contactdb.Schema, email.Schema}
}

// passwords by role, without those that are not given.
func (c Config) passwords() (map[string]string, error) {
	given := map[string]config.Secret{
		"accounts": c.Accounts, "ingest": c.Ingest, "enrichment": c.Enrichment, "contacts": c.Contacts, "merge": c.Merge, "email": c.Email,
	}
	passwords := map[string]string{}
	for _, schema := range Schemas() {
		for _, role := range schema.Users() {
			password, known := given[role]
			if !known {
				return nil, fault.New(fault.Internal, "role-without-setting", "role %s has no setting for its password", role)
			}
			if password != "" {
				passwords[role] = password.Reveal()
			}
		}
	}
	return passwords, nil
}

// Service migrates once.
type Service struct{ cfg Config }

// Process makes the service of its environment.
func Process(_ context.Context, env []string, _ *telemetry.Telemetry) (run.Service, error) {
	cfg, err := config.Load[Config](env)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg}, nil
}

// Run returns when everything is up to date.
func (s *Service) Run(ctx context.Context) error {
	passwords, err := s.cfg.passwords()
	if err != nil {
		return err
	}
	owner := s.cfg.OwnerURL.Reveal()
	if err := postgres.Migrate(ctx, owner, Schemas()...); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := postgres.SetPasswords(ctx, owner, passwords); err != nil {
		return fmt.Errorf("let the services into the database: %w", err)
	}
	return nil
}
