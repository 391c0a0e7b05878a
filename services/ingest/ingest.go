// Package ingest is the service that takes files and knows what becomes of them.
//
//	In        gRPC: UploadService, JobsService and EventsService for customers, WorkService for the workers;
//	          HTTP: a job and its reports, see internal/web
//	Out       JOBS, the doorbell of the workers; EVENTS and progress for watchers; raw files in S3;
//	          asks accounts what an account has settled
//	Owns      schema ingest: uploads, jobs, stages, leases, events, outbox; in S3 the prefix raw/, and the removal of
//	          everything in raw/ and work/ by age
//	Promises  an upload that was answered is never lost (P1), nor by losing all of NATS (P1b); the same request id is one
//	          job (P2); jobs of an account take effect one at a time in their order (P5), fenced; a job under
//	          review spends and changes nothing before its plan was approved, and then no more than that; a poison job stops
//	          itself only (P6); events without gaps, a watcher resumes (P9); reports are inert (P18)
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/account"
	"github.com/contactmill/contactmill/services/ingest/internal/jobs"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/sweep"
	"github.com/contactmill/contactmill/services/ingest/internal/upload"
	"github.com/contactmill/contactmill/services/ingest/internal/web"
	"github.com/contactmill/contactmill/services/ingest/internal/work"
)

const (
	// readyLimit is how long a part may take to answer before the service calls itself not ready.
	readyLimit = 2 * time.Second
	day        = 24 * time.Hour
)

// Schema is what the service keeps in the database.
var Schema = ledger.Schema

// Config is what the service is told from outside.
type Config struct {
	DatabaseURL  config.Secret `env:"DATABASE_URL,required"` // of the role ingest
	DatabaseConn int32         `env:"DATABASE_CONNECTIONS" envDefault:"16"`
	NATSURL      config.Secret `env:"NATS_URL,required"`
	NATSPrefix   string        `env:"NATS_PREFIX"` // before every stream and subject, for systems that share a server
	NATSReplicas int           `env:"NATS_REPLICAS" envDefault:"1"`
	S3URL        config.Secret `env:"S3_URL,required"`
	AccountsAddr string        `env:"ACCOUNTS_ADDR,required"`
	ServiceKey   config.Secret `env:"SERVICE_KEY,required"`
	TLS          rpc.TLS

	Lease       time.Duration `env:"LEASE" envDefault:"30s"`                 // of a claimed stage; all services alike
	Validations int           `env:"VALIDATIONS_PER_ACCOUNT" envDefault:"2"` // of one account at once

	MaxFileSize int64         `env:"MAX_FILE_SIZE" envDefault:"2147483648"` // bytes
	Uploads     int           `env:"UPLOADS" envDefault:"32"`               // at once, 10 MiB each at most
	UploadIdle  time.Duration `env:"UPLOAD_IDLE" envDefault:"60s"`          // between two messages
	UploadLimit time.Duration `env:"UPLOAD_LIMIT" envDefault:"1h"`          // of one stream
	UploadKeep  time.Duration `env:"UPLOAD_KEEP" envDefault:"24h"`          // of an unfinished upload

	SweepEvery time.Duration `env:"SWEEP_EVERY" envDefault:"1h"`
	RawDays    int           `env:"RAW_DAYS" envDefault:"7"`     // uploaded files are kept after the end of their jobs
	ResultDays int           `env:"RESULT_DAYS" envDefault:"30"` // results and reports likewise
}

// check refuses settings under which work would be lost, doubled or never be done.
func (c Config) check() error {
	refuse := func(name, format string, args ...any) error {
		return fault.New(fault.Invalid, "bad-setting", "%s%s %s", config.Prefix, name, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Lease < time.Second || c.Lease > time.Hour:
		return refuse("LEASE", "is %s, must be 1s to 1h: shorter leases end under a worker's feet, longer ones hold a job after a crash", c.Lease)
	case c.Validations < 1:
		return refuse("VALIDATIONS_PER_ACCOUNT", "is %d, must be at least 1", c.Validations)
	case c.MaxFileSize < 1 || c.MaxFileSize > blob.PartSize*blob.MaxParts:
		return refuse("MAX_FILE_SIZE", "is %d, must be 1 to %d bytes", c.MaxFileSize, int64(blob.PartSize*blob.MaxParts))
	case c.Uploads < 1:
		return refuse("UPLOADS", "is %d, must be at least 1", c.Uploads)
	case c.UploadIdle < time.Second || c.UploadLimit < c.UploadIdle:
		return refuse("UPLOAD_IDLE", "is %s, must be at least 1s and at most UPLOAD_LIMIT", c.UploadIdle)
	case c.UploadKeep < c.UploadLimit:
		return refuse("UPLOAD_KEEP", "is %s, must be at least UPLOAD_LIMIT: else an upload expires under way", c.UploadKeep)
	case c.SweepEvery < time.Second:
		return refuse("SWEEP_EVERY", "is %s, must be at least 1s", c.SweepEvery)
	case c.RawDays < 1:
		return refuse("RAW_DAYS", "is %d, must be at least 1: a failed job is retried with its file", c.RawDays)
	case c.ResultDays < 1:
		return refuse("RESULT_DAYS", "is %d, must be at least 1: nobody could fetch a report", c.ResultDays)
	}
	return nil
}

// Service takes files and knows what becomes of them.
type Service struct {
	log      *slog.Logger
	db       *postgres.DB
	bus      *bus.Bus
	store    *blob.Store
	accounts *grpc.ClientConn

	ledger     *ledger.Ledger
	relay      *ledger.Relay
	reconciler *ledger.Reconciler
	sweeper    *sweep.Sweeper
	hub        *jobs.Hub

	uploads *upload.Service
	jobs    *jobs.Service
	events  *jobs.Events
	work    *work.Service
}

// New connects to all parts and tries them. It refuses settings that would lose data, an old or newer schema, streams
// with other settings, and a bucket that cannot be written.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Service{log: tel.Log}
	if err := s.connect(ctx, cfg); err != nil {
		s.Close()
		return nil, err
	}
	var err error
	if s.ledger, err = ledger.New(s.db, ledger.Config{Lease: cfg.Lease, Validations: cfg.Validations, Log: s.log}); err != nil {
		s.Close()
		return nil, err
	}
	settled := account.New(s.accounts)
	s.relay = ledger.NewRelay(s.ledger, s.bus)
	s.reconciler = ledger.NewReconciler(s.ledger)
	s.sweeper = sweep.New(s.ledger, s.store, sweep.Config{
		Every: cfg.SweepEvery, FileAge: time.Duration(cfg.RawDays) * day, WorkAge: time.Duration(cfg.ResultDays) * day, OrphanAge: max(day, cfg.UploadKeep),
	}, s.log)
	s.hub = jobs.NewHub(s.ledger, s.bus, s.log)
	s.events = jobs.NewEvents(s.ledger, s.hub)
	s.work = work.New(s.ledger, s.bus, s.log)
	s.jobs = jobs.New(s.ledger, s.store, settled, []byte(cfg.ServiceKey.Reveal()), s.log)
	s.uploads = upload.New(s.ledger, s.store, settled, s.sweeper.Soon, upload.Limits{
		FileSize: cfg.MaxFileSize, Idle: cfg.UploadIdle, Total: cfg.UploadLimit, Keep: cfg.UploadKeep, Slots: cfg.Uploads,
	}, s.log)
	return s, nil
}

func (s *Service) connect(ctx context.Context, cfg Config) error {
	var err error
	if s.db, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{Schema: Schema.Name, MaxConns: cfg.DatabaseConn}); err != nil {
		return fmt.Errorf("open database of ingest: %w", err)
	}
	if err = postgres.CheckVersion(ctx, s.db, Schema); err != nil {
		return fmt.Errorf("check database of ingest: %w", err)
	}
	if s.store, err = blob.Open(ctx, cfg.S3URL.Reveal()); err != nil {
		return fmt.Errorf("open object store: %w", err)
	}
	if err = tryStore(ctx, s.store); err != nil {
		return fmt.Errorf("try object store: %w", err)
	}
	s.bus, err = bus.Connect(ctx, cfg.NATSURL.Reveal(), "ingest", bus.Options{
		Config: event.Config{Prefix: cfg.NATSPrefix, Lease: cfg.Lease, Replicas: cfg.NATSReplicas}, Log: s.log,
	})
	if err != nil {
		return err
	}
	if err = s.bus.EnsureStreams(ctx); err != nil {
		return err
	}
	s.accounts, err = rpc.Dial(cfg.AccountsAddr, rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS})
	return err
}

// Register adds the services to a server.
func (s *Service) Register(reg grpc.ServiceRegistrar) {
	ingestv1.RegisterUploadServiceServer(reg, s.uploads)
	ingestv1.RegisterJobsServiceServer(reg, s.jobs)
	ingestv1.RegisterEventsServiceServer(reg, s.events)
	ingestv1.RegisterWorkServiceServer(reg, s.work)
}

// Web serves jobs and reports over HTTP, by calls to a server that the service was registered with; conn carries no
// credential.
func (s *Service) Web(conn grpc.ClientConnInterface) http.Handler { return web.Handler(conn, s.log) }

// Run rings, reconciles, sweeps and feeds watchers until ctx ends. Uploads and watches under way are then told to go on
// elsewhere.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context) error{s.relay.Run, s.reconciler.Run, s.sweeper.Run, s.hub.Run, s.uploads.Run} {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}

// Ready tells whether the service can do its work: every part answers.
func (s *Service) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	if err := s.db.Pool().Ping(ctx); err != nil {
		return fault.Wrap(fault.Unavailable, "database-unavailable", err, "the database does not answer")
	}
	return errors.Join(s.bus.Ready(), s.store.Ready(ctx))
}

// Close gives the connections back, after Run has returned and the last call has ended.
func (s *Service) Close() {
	if s.accounts != nil {
		if err := s.accounts.Close(); err != nil {
			s.log.Warn("connection to accounts not closed", "error", err)
		}
	}
	if s.bus != nil {
		s.bus.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}
