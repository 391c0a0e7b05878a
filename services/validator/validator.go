// Package validator turns the file of a job into rows: it finds out how the file is written, maps its columns to fields,
// checks and normalises every cell, and says of each that is wrong what and where.
//
//	In        JOBS validate
//	Out       chunks of rows and their keys in S3; gRPC to ingest (claims)
//	Owns      nothing
//	Promises  every record of the file becomes one row, taken or INVALID with its findings, or the whole file is refused
//	          with a reason (P3); what only a person can decide is asked, never guessed; memory is bounded whatever the
//	          file (P14); a secret cell leaves this package sealed or masked only
package validator

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// readyLimit is how long a dependency may take to answer before the service calls itself not ready.
const readyLimit = 2 * time.Second

// Config is what the service is told from outside.
type Config struct {
	stage.Config
	S3URL   config.Secret `env:"S3_URL,required"`
	Keyring string        `env:"KEYRING_FILE,required"`
	Slots   int           `env:"VALIDATOR_SLOTS" envDefault:"2"` // jobs at once
	Dir     string        `env:"SPOOL_DIR"`                      // for workbooks, encrypted and without a name; empty: where the system has temporary files
}

// Service works the stage validate.
type Service struct {
	cfg        Config
	blob       *blob.Store
	keys       *keyring.Keyring
	link       *stage.Link
	normaliser *contact.Normaliser
	workers    int // of one job
}

// New connects to S3 and NATS and reads the keyring.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (_ *Service, err error) {
	s := &Service{cfg: cfg, normaliser: contact.NewNormaliser(), workers: runtime.GOMAXPROCS(0)}
	if s.keys, err = keyring.Load(cfg.Keyring); err != nil {
		return nil, fmt.Errorf("open keys of validator: %w", err)
	}
	if s.blob, err = blob.Open(ctx, cfg.S3URL.Reveal()); err != nil {
		return nil, fmt.Errorf("open files of validator: %w", err)
	}
	if s.link, err = stage.Connect(ctx, cfg.Config, "validator", tel); err != nil {
		s.blob.Close()
		return nil, err
	}
	return s, nil
}

// Ready tells whether S3 and NATS answer.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	return errors.Join(s.blob.Ready(ctx), s.link.Ready())
}

// Run works until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	return s.link.Worker(event.Validate, s.cfg.Slots, s.validate).Run(ctx)
}

// Close ends the connections, after Run has returned.
func (s *Service) Close() {
	s.link.Close()
	s.blob.Close()
}

// Process makes the service as a process of its own.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	return stage.Process(ctx, env, tel, New)
}
