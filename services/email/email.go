// Package email tells people how jobs ended, and when one needs an answer or its plan an approval.
//
//	In        JOBS notify
//	Out       SMTP; gRPC to ingest (claims)
//	Owns      schema email: who was told of what
//	Promises  each recipient is told once of each end, question and plan; a mail server that is away is waited for; a mail
//	          sent twice, which SMTP cannot rule out between its yes and our note of it, has the same message id (P8)
package email

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/mail"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// readyLimit is how long a dependency may take to answer before the service calls itself not ready.
const readyLimit = 2 * time.Second

// Config is what the service is told from outside.
type Config struct {
	stage.Config
	DatabaseURL config.Secret `env:"DATABASE_URL,required"` // of the role email
	SMTP        config.Secret `env:"SMTP_URL,required"`     // smtp(s)://[user:password@]host[:port]?from=ADDRESS
	WebURL      string        `env:"WEB_URL"`               // what links in mails begin with; empty: no links
	Slots       int           `env:"EMAIL_SLOTS" envDefault:"4"`
}

// Service works the stage notify.
type Service struct {
	cfg        Config
	tel        *telemetry.Telemetry
	db         *postgres.DB
	deliveries *deliveries
	sender     *mail.Sender
	link       *stage.Link
}

// New connects to the database and NATS. Its error is Precondition while the schema is not of this program's version.
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
	if s.db, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{Schema: Schema.Name}); err != nil {
		return nil, fmt.Errorf("open database of email: %w", err)
	}
	if err = postgres.CheckVersion(ctx, s.db, Schema); err != nil {
		return nil, fmt.Errorf("check database of email: %w", err)
	}
	s.deliveries = &deliveries{db: s.db, sql: sql}
	if s.sender, err = mail.New(cfg.SMTP.Reveal()); err != nil {
		return nil, err
	}
	s.link, err = stage.Connect(ctx, cfg.Config, "email", tel)
	return s, err
}

// Ready tells whether database and NATS answer. A mail server that is away is no reason to be not ready: mail waits.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	return errors.Join(postgres.Map(s.db.Pool().Ping(ctx)), s.link.Ready())
}

// Run works until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	return s.link.Worker(event.Notify, s.cfg.Slots, s.notify).Run(ctx)
}

// Close ends the connections, after Run has returned.
func (s *Service) Close() {
	if s.link != nil {
		s.link.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}

// Process makes the service as a process of its own.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	return stage.Process(ctx, env, tel, New)
}
