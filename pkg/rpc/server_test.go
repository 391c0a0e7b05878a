package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	atWork, goOn := make(chan struct{}), make(chan struct{})
	s := &services{
		unary: func(ctx context.Context) error {
			close(atWork)
			select {
			case <-goOn:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		watch: func(ctx context.Context) error {
			select {
			case <-rpc.Draining(ctx):
				return fault.New(fault.Unavailable, "draining", "going away")
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	server, stop := serve(t, s, rpc.Options{Auth: users()})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin"})
	unary, watched, health := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { unary <- get(t.Context(), conn) }()
	<-atWork
	open := make(chan struct{}, 2)
	go func() { watched <- watch(t.Context(), conn, func() { open <- struct{}{} }) }()
	go func() { health <- watchHealth(t.Context(), conn, func() { open <- struct{}{} }) }()
	<-open
	<-open
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	if err := <-watched; fault.Code(err) != "draining" {
		t.Errorf("watch ended with %v", err)
	}
	if err := <-health; fault.Of(err) != fault.Unavailable {
		t.Errorf("health watch ended with %v", err)
	}
	close(goOn)
	if err := <-unary; err != nil {
		t.Errorf("the call at work ended with %v", err)
	}
	<-stopped
}

func watchHealth(ctx context.Context, conn grpc.ClientConnInterface, opened func()) error {
	w, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if _, err := w.Recv(); err != nil {
		return err
	}
	opened()
	for {
		if _, err := w.Recv(); err != nil {
			return err
		}
	}
}

func TestDrainLimitCutsOff(t *testing.T) {
	t.Parallel()
	atWork := make(chan struct{})
	s := &services{unary: func(ctx context.Context) error { close(atWork); <-ctx.Done(); return ctx.Err() }}
	server, stop := serve(t, s, rpc.Options{Auth: users(), DrainLimit: time.Millisecond})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin"})
	ended := make(chan error, 1)
	go func() { ended <- get(t.Context(), conn) }()
	<-atWork
	stop()
	if err := <-ended; err == nil {
		t.Error("the call that was cut off ended well")
	}
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	var one, two atomic.Int32
	count := func(n *atomic.Int32) *services {
		return &services{unary: func(context.Context) error { n.Add(1); return nil }}
	}
	a, stop := serve(t, count(&one), rpc.Options{Auth: users()})
	b, _ := serve(t, count(&two), rpc.Options{Auth: users()})
	conn := dial(t, a.Addr()+", "+b.Addr(), rpc.DialOptions{Key: "cm_admin"})
	for one.Load() == 0 || two.Load() == 0 {
		if err := get(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	for range 20 {
		if err := get(t.Context(), conn); err != nil {
			t.Fatalf("with one replica gone: %v", err)
		}
	}
}

func TestOnlyMethodsThatMayBeAreTriedAgain(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	fail := func(context.Context) error {
		if tries.Add(1) < 3 {
			return fault.New(fault.Unavailable, "", "not now")
		}
		return nil
	}
	server, _ := serve(t, &services{unary: fail, create: fail}, rpc.Options{Auth: users()})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_operator"})
	if err := create(t.Context(), conn); fault.Of(err) != fault.Unavailable || tries.Load() != 1 {
		t.Errorf("CreateAccount: %d tries, %v; want one and its error", tries.Load(), err)
	}
	tries.Store(0)
	if err := get(t.Context(), conn); err != nil || tries.Load() != 3 {
		t.Errorf("GetAccount: %d tries, %v; want three and no error", tries.Load(), err)
	}
}

func TestLongWatchOutlivesPingsAndRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, dialer := pipe()
		end := make(chan struct{})
		serve(t, &services{watch: func(context.Context) error { <-end; return nil }}, rpc.Options{Auth: users(), Listen: l})
		conn := dial(t, "pipe:1", rpc.DialOptions{Key: "cm_admin", Dialer: dialer})
		err := watch(t.Context(), conn, func() {
			time.Sleep(6 * time.Hour)
			if err := get(t.Context(), conn); err != nil {
				t.Errorf("a call beside it: %v", err)
			}
			close(end)
		})
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := rpc.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	certify(t, files, 1)
	server, _ := serve(t, &services{}, rpc.Options{Auth: users(), TLS: files})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin", TLS: rpc.TLS{CA: files.Cert}})
	if err := get(t.Context(), conn); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	if err := get(t.Context(), dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin", TLS: rpc.TLS{System: true}})); fault.Of(err) != fault.Unavailable {
		t.Errorf("with a certificate that nobody vouches for: %v", err)
	}
	if err := get(t.Context(), dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin"})); err == nil {
		t.Error("a server with TLS took a call without")
	}

	certify(t, files, 2) // renewed while the server runs
	if err := get(t.Context(), dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin", TLS: rpc.TLS{CA: files.Cert}})); err != nil {
		t.Errorf("after its renewal: %v", err)
	}
}

func TestNoListenerBeyondThisHostWithoutTLS(t *testing.T) {
	t.Parallel()
	tel := telemetry.New("test", "v0", io.Discard)
	if _, err := rpc.NewServer(rpc.Options{Listen: anywhere{}, Telemetry: tel}); fault.Code(err) != "no-tls" {
		t.Errorf("got %v", err)
	}
	if _, err := rpc.NewServer(rpc.Options{Listen: anywhere{}, TLS: rpc.TLS{Insecure: true}, Telemetry: tel}); err != nil {
		t.Errorf("on purpose: %v", err)
	}
	if _, err := rpc.NewServer(rpc.Options{Listen: anywhere{}, TLS: rpc.TLS{Cert: "/no/such", Key: "/no/such"}, Telemetry: tel}); fault.Code(err) != "bad-certificate" {
		t.Errorf("without its files: %v", err)
	}
}

// anywhere is a listener on every address, which opens no port.
type anywhere struct{ net.Listener }

func (anywhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 1} }
func (anywhere) Close() error   { return nil }

// certify writes a certificate for 127.0.0.1 that vouches for itself.
func certify(t *testing.T, files rpc.TLS, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		files.Key:  {Type: "PRIVATE KEY", Bytes: pkcs8},
		files.Cert: {Type: "CERTIFICATE", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_000_000_000+serial, 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStreamsOfOneConnectionLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, dialer := pipe()
		end := make(chan struct{})
		serve(t, &services{watch: func(context.Context) error { <-end; return nil }}, rpc.Options{Auth: users(), Listen: l})
		greedy := dial(t, "pipe:1", rpc.DialOptions{Key: "cm_admin", Dialer: dialer})
		const most = 256
		ended := make(chan error)
		for range most {
			go func() { ended <- watch(t.Context(), greedy, func() {}) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := get(ctx, greedy); fault.Of(err) != fault.Deadline {
			t.Errorf("one call more on the same connection: %v, want it to wait for a free stream", err)
		}
		if err := get(t.Context(), dial(t, "pipe:2", rpc.DialOptions{Key: "cm_admin", Dialer: dialer})); err != nil {
			t.Errorf("a call on another connection: %v", err)
		}
		close(end)
		for range most {
			if err := <-ended; err != nil {
				t.Errorf("a stream ended with %v", err)
			}
		}
		if err := get(t.Context(), greedy); err != nil {
			t.Errorf("when the streams are done: %v", err)
		}
	})
}
