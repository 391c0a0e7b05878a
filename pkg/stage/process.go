package stage

import (
	"context"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// Service is a service that works stages.
type Service interface {
	Run(ctx context.Context) error
	Ready() error
	Close() // after Run has returned and the last call has ended
}

// Server is a service that answers calls beside its work.
type Server interface {
	Register(reg grpc.ServiceRegistrar)
	Auth() rpc.Authenticator // who knows users' keys
}

// process is what a worker service with the config C is told when it is a process of its own.
type process[C any] struct {
	run.Config
	Worker     C
	Addr       string        `env:"GRPC_ADDR"` // host:port to tell its health on, and to serve on if it is a Server; empty: neither
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
	if cfg.Addr == "" {
		return p, nil
	}
	o := rpc.Options{Addr: cfg.Addr, ServiceKey: cfg.ServiceKey, Reflection: cfg.Reflection, TLS: cfg.TLS, Telemetry: tel}
	calls, answers := any(s).(Server)
	if answers {
		o.Auth = calls.Auth()
	}
	if p.server, err = rpc.NewServer(o); err != nil {
		s.Close()
		return nil, err
	}
	if answers {
		calls.Register(p.server.Registrar())
	}
	return p, nil
}

// serving is a worker service with its server, if it has one.
type serving struct {
	Service
	server *rpc.Server
}

// UsualMemory is what the service says of itself; 0 if it says nothing.
func (p serving) UsualMemory() int64 {
	if s, ok := p.Service.(interface{ UsualMemory() int64 }); ok {
		return s.UsualMemory()
	}
	return 0
}

func (p serving) Run(ctx context.Context) error {
	defer p.Close()
	if p.server == nil {
		return p.Service.Run(ctx)
	}
	return run.Group(p.Service, p.server).Run(ctx)
}
