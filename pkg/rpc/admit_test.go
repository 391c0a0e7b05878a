package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// bare is a connection that adds nothing to a call.
func bare(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestRoles(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, &services{auth: users()}, rpc.Options{Auth: users()})
	methods := map[string]func(context.Context, grpc.ClientConnInterface) error{
		"get":    get,
		"create": create,
		"key": func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := accountsv1.NewAccountsServiceClient(c).CreateKey(ctx, &accountsv1.CreateKeyRequest{})
			return err
		},
		"watch": func(ctx context.Context, c grpc.ClientConnInterface) error { return watch(ctx, c, func() {}) },
		"auth": func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := accountsv1.NewAuthServiceClient(c).Authenticate(ctx, &accountsv1.AuthenticateRequest{Key: "cm_admin"})
			return err
		},
	}
	for who, c := range map[string]struct {
		dial rpc.DialOptions
		may  string
	}{
		"submitter": {rpc.DialOptions{Key: "cm_submitter"}, "get watch"},
		"admin":     {rpc.DialOptions{Key: "cm_admin"}, "get watch key"},
		"operator":  {rpc.DialOptions{Key: "cm_operator"}, "get create key"},
		"service":   {rpc.DialOptions{ServiceKey: serviceKey}, "get auth"},
	} {
		conn := dial(t, server.Addr(), c.dial)
		for method, call := range methods {
			err := call(t.Context(), conn)
			if may := strings.Contains(c.may, method); may && err != nil || !may && fault.Code(err) != "not-permitted" {
				t.Errorf("%s may %s: %t, got %v", who, method, may, err)
			}
		}
	}
}

func TestEveryBadCredentialLooksAlike(t *testing.T) {
	t.Parallel()
	auth := users()
	server, _ := serve(t, &services{}, rpc.Options{Auth: auth})
	conn := bare(t, server.Addr())
	good := "Bearer cm_admin"
	for name, sent := range map[string][]string{
		"none":               nil,
		"empty":              {""},
		"two good ones":      {good, good},
		"good and bad":       {good, "Bearer cm_other"},
		"unknown key":        {"Bearer cm_other"},
		"no key":             {"Bearer "},
		"no scheme":          {"cm_admin"},
		"basic":              {"Basic cm_admin"},
		"alg none":           {"Bearer eyJhbGciOiJub25lIn0.e30."},
		"wrong service key":  {"Bearer svc_other"},
		"empty service key":  {"Bearer svc_"},
		"service key alone":  {"Bearer " + serviceKey},
		"too long":           {"Bearer cm_" + strings.Repeat("x", 300)},
		"trailing space":     {"Bearer cm_admin "},
		"two keys in a line": {"Bearer cm_admin, Bearer cm_admin"},
	} {
		md := metadata.MD{}
		md.Append("authorization", sent...)
		err := get(metadata.NewOutgoingContext(t.Context(), md), conn)
		if s := status.Convert(err); s.Code() != codes.Unauthenticated || s.Message() != "the credential is missing or not good" || fault.Code(err) != "no-credential" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := get(metadata.AppendToOutgoingContext(t.Context(), "authorization", "bearer cm_admin"), conn); err != nil {
		t.Errorf("the scheme in lower case: %v", err)
	}

	auth.set(func(k *keys) {
		k.fails = fault.New(fault.Unavailable, "database-unavailable", "the database cannot be reached")
	})
	err := create(metadata.AppendToOutgoingContext(t.Context(), "authorization", good), conn)
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("when nobody can tell: %v, want Unavailable", err)
	}
	auth.set(func(k *keys) { k.fails = errors.New("it broke") })
	if err := create(metadata.AppendToOutgoingContext(t.Context(), "authorization", good), conn); fault.Of(err) != fault.Internal {
		t.Errorf("when the look-up is broken: %v, want Internal", err)
	}
	auth.set(func(k *keys) { k.fails = nil })
	if err := get(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer cm_odd"), conn); fault.Of(err) != fault.Internal {
		t.Errorf("a key that claims to be a service: %v", err)
	}
}

func TestWhoMayNameAnAccount(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	server, _ := serve(t, &services{}, rpc.Options{Auth: users(), Telemetry: telemetry.New("test", "v0", &log)})
	id := uuid.NewString()
	for name, c := range map[string]struct {
		bearer string
		named  []string
		kind   fault.Kind
	}{
		"user, a foreign one":  {"cm_admin", []string{id}, fault.Denied},
		"user, its own":        {"cm_admin", []string{account.String()}, fault.Denied},
		"operator":             {"cm_operator", []string{id}, fault.Denied},
		"service, twice":       {"svc_" + serviceKey, []string{id, id}, fault.Invalid},
		"service, no UUID":     {"svc_" + serviceKey, []string{"x"}, fault.Invalid},
		"service, nil":         {"svc_" + serviceKey, []string{uuid.Nil.String()}, fault.Invalid},
		"unknown key, foreign": {"cm_other", []string{id}, fault.Unauthenticated},
	} {
		md := metadata.Pairs("authorization", "Bearer "+c.bearer)
		md.Append("contactmill-account", c.named...)
		if err := get(metadata.NewOutgoingContext(t.Context(), md), bare(t, server.Addr())); fault.Of(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
	if s := log.String(); !contains(s, `"level":"WARN"`, `"code":"account-named"`, `"account":"`+account.String()) {
		t.Errorf("no line for the operators: %s", s)
	}
}

func TestWhatNeedsNoCredential(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, &services{}, rpc.Options{Auth: users()})
	conn := bare(t, server.Addr())
	r, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || r.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", r, err)
	}
	for _, method := range []string{
		"/contactmill.accounts.v1.AccountsService/NoSuch", "/no.such.Service/Method", "/contactmill.ingest.v1.JobsService/GetJob",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	} {
		if err := conn.Invoke(t.Context(), method, &accountsv1.GetAccountRequest{}, &accountsv1.GetAccountResponse{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, want UNIMPLEMENTED", method, err)
		}
	}
	// without its slash a path names no method: it must not pass by the table
	if err := conn.Invoke(t.Context(), "contactmill.accounts.v1.AccountsService/GetAccount", &accountsv1.GetAccountRequest{}, &accountsv1.GetAccountResponse{}); err == nil {
		t.Error("a path without its slash was served")
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, &services{}, rpc.Options{Auth: users()})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin"})
	client := accountsv1.NewAccountsServiceClient(conn)
	big := &accountsv1.GetAccountRequest{Account: strings.Repeat("x", 4<<20)}
	if _, err := client.GetAccount(t.Context(), big); fault.Of(err) != fault.Exhausted {
		t.Errorf("a message of more than 4 MiB: %v", err)
	}
	if _, err := client.GetAccount(t.Context(), big, grpc.UseCompressor(gzip.Name)); fault.Of(err) != fault.Exhausted {
		t.Errorf("the same, small on the wire: %v", err)
	}
	bulky := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 20<<10))
	if err := get(bulky, bare(t, server.Addr())); err == nil {
		t.Error("20 KiB of metadata were taken")
	}
	if err := get(t.Context(), conn); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestRemember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := users()
		r := rpc.Remember(k)
		ask := func(key string) error { _, err := r.Authenticate(t.Context(), key); return err }
		for range 3 {
			if err := ask("cm_admin"); err != nil {
				t.Fatal(err)
			}
		}
		if k.asked != 1 {
			t.Errorf("asked %d times, want once", k.asked)
		}
		for range 3 {
			if err := ask("cm_new"); fault.Of(err) != fault.Unauthenticated {
				t.Errorf("unknown key: %v", err)
			}
		}
		k.known["cm_new"] = rpc.Caller{Role: rpc.Operator}
		if err := ask("cm_new"); err != nil {
			t.Errorf("a key just made: %v", err)
		}
		delete(k.known, "cm_admin")
		time.Sleep(29 * time.Second)
		if err := ask("cm_admin"); err != nil {
			t.Errorf("within 30 s: %v", err)
		}
		time.Sleep(time.Second)
		if err := ask("cm_admin"); fault.Of(err) != fault.Unauthenticated {
			t.Errorf("revoked 30 s ago: %v", err)
		}
		k.fails = fault.New(fault.Unavailable, "", "x")
		time.Sleep(30 * time.Second)
		if err := ask("cm_new"); fault.Of(err) != fault.Unavailable {
			t.Errorf("too old and nobody to ask: %v", err)
		}
	})
}

func TestRevokedKeyEndsItsStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := users()
		l, dialer := pipe()
		serve(t, &services{watch: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, rpc.Options{Auth: k, Listen: l})
		conn := dial(t, "pipe:1", rpc.DialOptions{Key: "cm_admin", Dialer: dialer})
		begun := time.Now()
		err := watch(t.Context(), conn, func() {
			time.Sleep(45 * time.Second)
			k.set(func(k *keys) { delete(k.known, "cm_admin") })
		})
		if took := time.Since(begun); fault.Of(err) != fault.Unauthenticated || took > 61*time.Second {
			t.Errorf("ended after %s with %v", took, err)
		}
	})
}

func TestRemoteAuth(t *testing.T) {
	t.Parallel()
	k := users()
	accounts, _ := serve(t, &services{auth: k}, rpc.Options{})
	server, _ := serve(t, &services{unary: func(ctx context.Context) error {
		c, err := rpc.CallerOf(ctx)
		if want := k.known["cm_submitter"]; err == nil && c != want {
			t.Errorf("caller %+v, want %+v", c, want)
		}
		return err
	}}, rpc.Options{Auth: rpc.RemoteAuth(dial(t, accounts.Addr(), rpc.DialOptions{ServiceKey: serviceKey}))})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_submitter"})
	for range 3 {
		if err := get(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	if k.asked != 1 {
		t.Errorf("accounts was asked %d times, want once", k.asked)
	}
	if err := get(t.Context(), dial(t, server.Addr(), rpc.DialOptions{Key: "cm_other"})); fault.Code(err) != "no-credential" {
		t.Errorf("unknown key: %v", err)
	}
	operator := rpc.RemoteAuth(dial(t, accounts.Addr(), rpc.DialOptions{ServiceKey: serviceKey}))
	if c, err := operator.Authenticate(t.Context(), "cm_operator"); err != nil || c != k.known["cm_operator"] {
		t.Errorf("operator: %+v, %v", c, err)
	}
	misled := rpc.RemoteAuth(dial(t, accounts.Addr(), rpc.DialOptions{ServiceKey: "other"}))
	if _, err := misled.Authenticate(t.Context(), "cm_admin"); fault.Of(err) != fault.Internal || fault.Code(err) != "service-key-refused" {
		t.Errorf("with a wrong service key: %v", err)
	}
	gone := rpc.RemoteAuth(dial(t, "127.0.0.1:1", rpc.DialOptions{ServiceKey: serviceKey}))
	if _, err := gone.Authenticate(t.Context(), "cm_admin"); fault.Of(err) != fault.Unavailable {
		t.Errorf("without accounts: %v", err)
	}
}

func TestDialRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addr string
		o    rpc.DialOptions
		code string
	}{
		"two credentials": {"127.0.0.1:1", rpc.DialOptions{Key: "a", ServiceKey: "b"}, "two-credentials"},
		"no port":         {"127.0.0.1", rpc.DialOptions{}, "bad-address"},
		"empty":           {"", rpc.DialOptions{}, "bad-address"},
		"one of two":      {"127.0.0.1:1,", rpc.DialOptions{}, "bad-address"},
		"in the clear":    {"127.0.0.1:1,ingest:1", rpc.DialOptions{Key: config.Secret("a")}, "no-tls"},
	} {
		if _, err := rpc.Dial(c.addr, c.o); fault.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if conn, err := rpc.Dial("ingest:1", rpc.DialOptions{TLS: rpc.TLS{Insecure: true}}); err != nil {
		t.Errorf("in the clear on purpose: %v", err)
	} else {
		conn.Close()
	}
}

// syncBuffer is a log that is written and read at once.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func contains(s string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}
