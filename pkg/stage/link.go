package stage

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/bus"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// Config is what every worker is told.
type Config struct {
	NATS       config.Secret `env:"NATS_URL,required"`
	Prefix     string        `env:"NATS_PREFIX"` // of streams and subjects, where several systems share a NATS
	Ingest     string        `env:"INGEST_ADDR,required"`
	ServiceKey config.Secret `env:"SERVICE_KEY,required"`
	Instance   string        `env:"INSTANCE,required"` // outlives restarts, differs between replicas: a pod's name
	Lease      time.Duration `env:"LEASE" envDefault:"30s"`
	TLS        rpc.TLS
}

// Link is a worker process's connection to the doorbell and to the ledger.
type Link struct {
	Bus    *bus.Bus
	Ingest *grpc.ClientConn

	instance Instance
	log      *slog.Logger
}

// Connect connects a service's workers. It waits for NATS until ctx ends; the ledger is waited for by Run.
func Connect(ctx context.Context, cfg Config, service string, tel *telemetry.Telemetry) (*Link, error) {
	b, err := bus.Connect(ctx, cfg.NATS.Reveal(), service, bus.Options{Config: event.Config{Prefix: cfg.Prefix, Lease: cfg.Lease}, Log: tel.Log})
	if err != nil {
		return nil, fmt.Errorf("connect %s to the bus: %w", service, err)
	}
	conn, err := rpc.Dial(cfg.Ingest, rpc.DialOptions{ServiceKey: cfg.ServiceKey, TLS: cfg.TLS})
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("connect %s to the ledger: %w", service, err)
	}
	return &Link{Bus: b, Ingest: conn, instance: Instance{service + "@" + cfg.Instance, uuid.New()}, log: tel.Log}, nil
}

// Worker makes a worker of a stage, with so many slots.
func (l *Link) Worker(s event.Stage, slots int, handle Handler) *Worker {
	return &Worker{Stage: s, Slots: slots, Instance: l.instance, Bus: l.Bus, Ledger: ingestv1.NewWorkServiceClient(l.Ingest), Handle: handle, Log: l.log}
}

// Ready tells whether rings can be heard.
func (l *Link) Ready() error { return l.Bus.Ready() }

// Close ends the connections, after the workers have returned.
func (l *Link) Close() {
	l.Bus.Close()
	_ = l.Ingest.Close() // nothing is on its way any more
}
