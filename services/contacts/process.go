package contacts

import (
	"context"
	"fmt"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// process is what the service is told when it is a process of its own.
type process struct {
	run.Config
	Contacts   Config
	Addr       string `env:"GRPC_ADDR,required"` // host:port to serve gRPC on
	Reflection bool   `env:"REFLECTION"`
}

// Process makes the service as a process of its own, with a gRPC server.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	cfg, err := config.Load[process](env)
	if err != nil {
		return nil, err
	}
	s, err := New(ctx, cfg.Contacts)
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(rpc.Options{Addr: cfg.Addr, Auth: rpc.RemoteAuth(s.accounts), ServiceKey: cfg.Contacts.ServiceKey,
		Reflection: cfg.Reflection, TLS: cfg.Contacts.TLS, Telemetry: tel})
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("serve contacts: %w", err)
	}
	s.Register(server.Registrar())
	return &serving{Service: s, server: server}, nil
}

// serving is the service with its server.
type serving struct {
	*Service
	server *rpc.Server
}

func (p *serving) Run(ctx context.Context) error {
	defer p.Close() // the last calls have ended
	return p.server.Run(ctx)
}
