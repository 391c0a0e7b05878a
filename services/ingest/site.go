package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

const (
	siteBuffer = 256 << 10 // bytes between the HTTP handler and the methods
	siteDrain  = 10 * time.Second
	siteHeader = 16 << 10
)

// site serves jobs and reports over HTTP. Its handler calls a gRPC server in memory, with the same checks as the one on
// the network; as that takes no service key, nobody comes this way but users.
type site struct {
	inside *rpc.Server
	conn   *grpc.ClientConn
	listen net.Listener
	http   *http.Server
	tls    rpc.TLS
}

func newSite(s *Service, addr string, tls rpc.TLS, auth rpc.Authenticator, tel *telemetry.Telemetry) (*site, error) {
	listen, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "cannot-listen", err, "listen on %s", addr)
	}
	if a, ok := listen.Addr().(*net.TCPAddr); tls.Cert == "" && !tls.Insecure && !(ok && a.IP.IsLoopback()) {
		return nil, errors.Join(fault.New(fault.Precondition, "no-tls", "API keys would travel to %s without TLS", listen.Addr()).
			Hint("set certificate and key, or set TLS_INSECURE if something else encrypts"), listen.Close())
	}
	memory := bufconn.Listen(siteBuffer)
	inside, err := rpc.NewServer(rpc.Options{Listen: memory, Auth: auth, Telemetry: tel})
	if err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	s.Register(inside.Registrar())
	conn, err := rpc.Dial("ingest:0", rpc.DialOptions{Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) }})
	if err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	return &site{inside: inside, conn: conn, listen: listen, tls: tls, http: &http.Server{
		Handler: s.Web(conn), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: siteHeader,
	}}, nil
}

// Run serves until ctx ends, then lets requests at work end for a while.
func (s *site) Run(ctx context.Context) error {
	defer s.conn.Close()
	// The methods outlive the requests that call them.
	inside, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.inside.Run(inside) }()
	g.Go(func() error {
		err := s.serve()
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve HTTP on %s: %w", s.listen.Addr(), err)
	})
	g.Go(func() error {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), siteDrain)
		defer cancel()
		if err := s.http.Shutdown(limit); err != nil {
			return s.http.Close() // requests that did not end are cut off
		}
		return nil
	})
	err := g.Wait()
	stop()
	return errors.Join(err, <-ended)
}

func (s *site) serve() error {
	if s.tls.Cert != "" {
		return s.http.ServeTLS(s.listen, s.tls.Cert, s.tls.Key)
	}
	return s.http.Serve(s.listen)
}
