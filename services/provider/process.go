package provider

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
	TLS        rpc.TLS
	Addr       string        `env:"GRPC_ADDR,required"` // host:port to serve gRPC on
	ServiceKey config.Secret `env:"SERVICE_KEY,required"`
	Reflection bool          `env:"REFLECTION"`
}

// Process makes the service as a process of its own. Only other services call it, so it knows no API keys.
func Process(_ context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
	cfg, err := config.Load[process](env)
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(rpc.Options{Addr: cfg.Addr, ServiceKey: cfg.ServiceKey, Reflection: cfg.Reflection, TLS: cfg.TLS, Telemetry: tel})
	if err != nil {
		return nil, err
	}
	New().Register(server.Registrar())
	return server, nil
}
