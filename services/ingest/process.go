package ingest

import (
	"context"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// process is what the service is told when it is a process of its own.
type process struct {
	run.Config
	Ingest     Config
	Addr       string `env:"GRPC_ADDR,required"` // host:port to serve gRPC on
	HTTPAddr   string `env:"HTTP_ADDR"`          // host:port to serve jobs and reports on; empty: not
	Reflection bool   `env:"REFLECTION"`
}

// Process makes the service as a process of its own: with its gRPC server, and one for HTTP where that is wanted.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	cfg, err := config.Load[process](env)
	if err != nil {
		return nil, err
	}
	s, err := New(ctx, cfg.Ingest, tel)
	if err != nil {
		return nil, err
	}
	p := &serving{Service: s}
	if err := p.serve(cfg, tel); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// serving is the service with its servers.
type serving struct {
	*Service
	server *rpc.Server
	site   *site // nil without HTTP
}

func (p *serving) serve(cfg process, tel *telemetry.Telemetry) error {
	auth := rpc.RemoteAuth(p.accounts)
	var err error
	p.server, err = rpc.NewServer(rpc.Options{
		Addr: cfg.Addr, Auth: auth, ServiceKey: cfg.Ingest.ServiceKey, Reflection: cfg.Reflection, TLS: cfg.Ingest.TLS, Telemetry: tel,
	})
	if err != nil {
		return err
	}
	p.Register(p.server.Registrar())
	if cfg.HTTPAddr != "" {
		p.site, err = newSite(p.Service, cfg.HTTPAddr, cfg.Ingest.TLS, auth, tel)
	}
	return err
}

// Run serves until ctx ends, and closes what the service holds.
func (p *serving) Run(ctx context.Context) error {
	defer p.Close() // the last calls have ended
	parts := []run.Service{p.Service, p.server}
	if p.site != nil {
		parts = append(parts, p.site)
	}
	return run.Group(parts...).Run(ctx)
}
