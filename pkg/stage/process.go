package stage

import (
	"context"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// Service is a service that works stages.
type Service interface {
	Run(ctx context.Context) error
	Ready() error
	Close() // after Run has returned
}

// process is what a worker service with the config C is told when it is a process of its own.
type process[C any] struct {
	run.Config
	Worker     C
	Addr       string        `env:"GRPC_ADDR"` // host:port to tell its health on; empty: by HTTP alone
	ServiceKey config.Secret `env:"SERVICE_KEY"`
	Reflection bool          `env:"REFLECTION"`
	TLS        rpc.TLS
}

// Process makes a worker service as a process of its own.
func Process[C any, S Service](ctx context.Context, env []string, tel *telemetry.Telemetry, build func(context.Context, C, *telemetry.Telemetry) (S, error)) (run.Service, error) {
	cfg, err := config.Load[process[C]](env)
	if err != nil {
		return nil, err
	}
	s, err := build(ctx, cfg.Worker, tel)
	if err != nil {
		return nil, err
	}
	p := serving{Service: s}
	if cfg.Addr != "" {
		if p.server, err = rpc.NewServer(rpc.Options{Addr: cfg.Addr, ServiceKey: cfg.ServiceKey, Reflection: cfg.Reflection, TLS: cfg.TLS, Telemetry: tel}); err != nil {
			s.Close()
			return nil, err
		}
	}
	return p, nil
}

// serving is a worker service with its server, if it has one.
type serving struct {
	Service
	server *rpc.Server
}

func (p serving) Run(ctx context.Context) error {
	defer p.Close()
	if p.server == nil {
		return p.Service.Run(ctx)
	}
	return run.Group(p.Service, p.server).Run(ctx)
}
