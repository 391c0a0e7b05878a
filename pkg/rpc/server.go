package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// Bounds of a server. Clients ping every 20 s, so pings more often than every 10 s are abuse; connections are renewed
// now and then so that load finds new replicas, but a stream lives as long as it likes.
const (
	maxStreams      = 256      // at once on one connection
	maxMessage      = 4 << 20  // bytes received
	maxHeaders      = 16 << 10 // bytes
	pingsAtMost     = 10 * time.Second
	pingAfter       = 30 * time.Second
	pingAnswer      = 10 * time.Second
	renewConnection = 10 * time.Minute
	handshakeLimit  = 10 * time.Second
	drainLimit      = 10 * time.Second

	unaryDefault = 30 * time.Second // for a unary call that sets no deadline
	unaryLimit   = 5 * time.Minute  // for one that does
)

// Options of NewServer.
type Options struct {
	Listen     net.Listener // where to serve; or:
	Addr       string       // host:port to listen on; port 0 is one that is free
	Auth       Authenticator
	ServiceKey config.Secret // of our own services, without "svc_"; empty: none may call
	Reflection bool          // tell anybody about the methods; not in production
	TLS        TLS
	DrainLimit time.Duration // for calls at work when the server ends; 0 is 10 s
	Telemetry  *telemetry.Telemetry
}

// Server is a gRPC server of ours.
type Server struct {
	grpc     *grpc.Server
	health   *health.Server
	listener net.Listener
	gate     gate
	tel      *telemetry.Telemetry
	drain    time.Duration
	draining chan struct{} // closed when Run's context ends
}

// NewServer listens; it serves when run. It refuses to listen beyond this host without TLS.
func NewServer(o Options) (*Server, error) {
	if o.Telemetry == nil {
		return nil, errors.New("make server: it needs telemetry")
	}
	l := o.Listen
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", o.Addr); err != nil {
			return nil, fault.Wrap(fault.Unavailable, "cannot-listen", err, "listen on %s", o.Addr)
		}
	}
	creds, err := o.TLS.server(l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &Server{
		health:   health.NewServer(),
		listener: l,
		gate:     gate{o.Auth, o.ServiceKey.Reveal()},
		tel:      o.Telemetry,
		drain:    o.DrainLimit,
		draining: make(chan struct{}),
	}
	if s.drain == 0 {
		s.drain = drainLimit
	}
	s.grpc = grpc.NewServer(
		grpc.Creds(creds),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeLimit),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsAtMost, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingAnswer, MaxConnectionAge: renewConnection}),
		grpc.WaitForHandlers(true),
	)
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	healthv1.RegisterHealthServer(s.grpc, s.health)
	if o.Reflection {
		reflection.Register(s.grpc)
	}
	return s, nil
}

// Registrar takes the services, before Run.
func (s *Server) Registrar() grpc.ServiceRegistrar { return s.grpc }

// Addr is the address that it listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends. Then it takes no more calls, tells streams by [Draining], waits for calls at work up to the
// drain limit and cuts off what is left. It can be run once.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(s.listener) }()
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	s.health.Shutdown()
	close(s.draining)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	}()
	limit := time.NewTimer(s.drain)
	defer limit.Stop()
	select {
	case <-stopped:
	case <-limit.C:
		s.tel.Log.Warn("calls cut off", "after", s.drain.String())
		s.grpc.Stop()
		<-stopped
	}
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	}
	return nil
}

type drainingKey struct{}

// Draining is closed when the server that ctx's call came to is going away. A stream that would last (a watch) then ends
// with Unavailable, and its client goes on at another replica. Without a server it is nil, which is never closed.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainingKey{}).(chan struct{})
	return c
}
