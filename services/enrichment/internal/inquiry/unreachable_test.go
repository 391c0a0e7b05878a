package inquiry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// A provider that cannot be reached, for whatever reason, is down like one that fails: it rests, and then the job goes on.
func TestAProviderThatIsNotReached(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	nameless := manual.NewBuilderWithScheme("nameless")
	nameless.BuildCallback = func(_ resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) {
		cc.ReportError(errors.New("no such host"))
	}
	stranger := credentials.NewTLS(&tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13})
	for name, to := range map[string]struct {
		addr    string
		options []grpc.DialOption
	}{
		"nobody listens":     {closed.Addr().String(), []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}},
		"it speaks no TLS":   {c.addr, []grpc.DialOption{grpc.WithTransportCredentials(stranger)}},
		"its name is no one": {"nameless:///provider", []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithResolvers(nameless)}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := grpc.NewClient(to.addr, to.options...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			d, err := New(c.database.Open(t, "enrichment", "enrichment"), c.keys, conn, Config{Address: to.addr, Timeout: time.Minute, Backoff: time.Minute}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = c.run(t.Context(), d, nil, people(0, 3))
			down, ok := errors.AsType[*Down](err)
			if !ok || down.Failures == 0 || down.Left <= 0 || !fault.Of(err).Transient() {
				t.Fatalf("%v, want it to rest and to be asked again", err)
			}
			c.heal(t)
		})
	}
	if r, _, err := c.run(t.Context(), c.Desk, nil, people(0, 3)); err != nil || r.Sent != 3 {
		t.Errorf("then %+v, %v; want to go on", r, err)
	}
}
