// Package validator turns the file of a job into rows: it finds out how the file is written, maps its columns to fields,
// checks and normalises every cell, and says of each that is wrong what and where.
//
//	In        JOBS validate; gRPC: InspectService
//	Out       chunks of rows and their keys in S3; gRPC to ingest (claims, what was said of such files before, the job that a
//	          corrected report is of) and, for inspection, to accounts (the account and its fields)
//	Owns      nothing
//	Promises  every record of the file becomes one row, taken or INVALID with its findings, or the whole file is refused
//	          with a reason (P3); what only a person can decide is asked, never guessed; memory is bounded whatever the
//	          file (P14); a secret cell leaves this package sealed or masked only, and a mask is never taken for a value;
//	          inspection goes by the code of the real run and keeps nothing
package validator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/telemetry"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

// readyLimit is how long a dependency may take to answer before the service calls itself not ready.
const readyLimit = 2 * time.Second

// Config is what the service is told from outside.
type Config struct {
	stage.Config
	S3URL    config.Secret `env:"S3_URL,required"`
	Keyring  string        `env:"KEYRING_FILE,required"`
	Accounts string        `env:"ACCOUNTS_ADDR,required"`         // host:port, several with commas
	Slots    int           `env:"VALIDATOR_SLOTS" envDefault:"2"` // jobs at once
	Dir      string        `env:"SPOOL_DIR"`                      // for workbooks, encrypted and without a name; empty: where the system has temporary files
}

// Service works the stage validate.
type Service struct {
	cfg        Config
	log        *slog.Logger
	blob       *blob.Store
	keys       *keyring.Keyring
	link       *stage.Link
	accounts   *grpc.ClientConn
	inspector  *inspector
	normaliser *contact.Normaliser
	workers    int // of one job
}

// New connects to S3 and NATS and reads the keyring.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (_ *Service, err error) {
	s := &Service{cfg: cfg, log: tel.Log, normaliser: contact.NewNormaliser(), workers: runtime.GOMAXPROCS(0)}
	if s.keys, err = keyring.Load(cfg.Keyring); err != nil {
		return nil, fmt.Errorf("open keys of validator: %w", err)
	}
	if err := tryDir(cfg.Dir); err != nil {
		return nil, err
	}
	if s.blob, err = blob.Open(ctx, cfg.S3URL.Reveal()); err != nil {
		return nil, fmt.Errorf("open files of validator: %w", err)
	}
	if s.accounts, err = rpc.Dial(cfg.Accounts, rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS}); err != nil {
		s.blob.Close()
		return nil, fmt.Errorf("reach accounts: %w", err)
	}
	if s.link, err = stage.Connect(ctx, cfg.Config, "validator", tel); err != nil {
		s.blob.Close()
		return nil, errors.Join(err, s.accounts.Close())
	}
	s.inspector = newInspector(s, s.accounts, s.link.Ingest)
	return s, nil
}

// Register adds the inspection to a server.
func (s *Service) Register(reg grpc.ServiceRegistrar) {
	validatorv1.RegisterInspectServiceServer(reg, s.inspector)
}

// Auth knows users' keys.
func (s *Service) Auth() rpc.Authenticator { return rpc.RemoteAuth(s.accounts) }

// UsualMemory is what a process needs for as many jobs at once as it may have, or for one workbook with as many strings as are
// let in: with two slots on two cores less than 128 MiB above what is resident when idle. Figures are measured, with room for
// garbage.
func (s *Service) UsualMemory() int64 {
	const strings, idle, job, worker = 136 << 20, 32 << 20, 32 << 20, 4 << 20
	return max(strings, idle+int64(s.cfg.Slots)*int64(job+s.workers*worker))
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

// Close ends the connections, after Run has returned and the last call has ended.
func (s *Service) Close() {
	s.inspector.readers.Wait()
	if err := s.accounts.Close(); err != nil {
		s.log.Warn("connection to accounts not closed", "error", err)
	}
	s.link.Close()
	s.blob.Close()
}

// Process makes the service as a process of its own.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	return stage.Process(ctx, env, tel, New)
}
