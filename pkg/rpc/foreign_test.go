package rpc

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// silent is a provider that answers nothing.
type silent struct {
	providerv1.UnimplementedProviderServiceServer
}

func (silent) Enrich(s grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]) error {
	<-s.Context().Done()
	return s.Context().Err()
}

// A server that was told nothing of pings ends connections of clients that ping as often as our own services may.
func TestAForeignServerIsNotPingedToDeath(t *testing.T) {
	t.Parallel()
	for foreign, want := range map[bool]fault.Kind{true: fault.Deadline, false: fault.Unavailable} {
		synctest.Test(t, func(t *testing.T) {
			l := bufconn.Listen(1 << 16)
			server := grpc.NewServer()
			providerv1.RegisterProviderServiceServer(server, silent{})
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			conn, err := Dial("provider:1", DialOptions{Foreign: foreign, Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			stream, err := providerv1.NewProviderServiceClient(conn).Enrich(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); fault.Of(err) != want {
				t.Errorf("foreign %v: a call that lasts an hour ended with %v, want %v", foreign, err, want)
			}
			conn.Close()
			server.Stop()
			<-served
		})
	}
}
