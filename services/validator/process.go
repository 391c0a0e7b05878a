package validator

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
	Validator  Config
	Addr       string `env:"GRPC_ADDR"` // host:port to serve inspection on; empty: jobs alone
	Reflection bool   `env:"REFLECTION"`
}

// Process makes the service as a process of its own, with a gRPC server for inspection if it is told where.
func Process(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	cfg, err := config.Load[process](env)
	if err != nil {
		return nil, err
	}
	s, err := New(ctx, cfg.Validator, tel)
	if err != nil {
		return nil, err
	}
	p := &serving{Service: s}
	if cfg.Addr != "" {
		if p.server, err = rpc.NewServer(rpc.Options{Addr: cfg.Addr, Auth: rpc.RemoteAuth(s.accounts), ServiceKey: cfg.Validator.ServiceKey,
			Reflection: cfg.Reflection, TLS: cfg.Validator.TLS, Telemetry: tel}); err != nil {
			s.Close()
			return nil, fmt.Errorf("serve validator: %w", err)
		}
		s.Register(p.server.Registrar())
	}
	return p, nil
}

// serving is the service with its server, if it has one.
type serving struct {
	*Service
	server *rpc.Server
}

// UsualMemory is what the process needs for as many jobs at once as it may have, or for one workbook with as many strings as
// are let in: with two slots on two cores less than 128 MiB above what is resident when idle. Figures are measured, with room
// for garbage.
func (p *serving) UsualMemory() int64 {
	const strings, idle, job, worker = 136 << 20, 32 << 20, 32 << 20, 4 << 20
	return max(strings, idle+int64(p.cfg.Slots)*int64(job+p.workers*worker))
}

func (p *serving) Run(ctx context.Context) error {
	defer p.Close() // the last calls have ended
	if p.server == nil {
		return p.Service.Run(ctx)
	}
	return run.Group(p.Service, p.server).Run(ctx)
}
