package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const serviceKey = "5erv1ce"

// keys is who may come in by which key. Safe to change while it is asked.
type keys struct {
	mu    sync.Mutex
	known map[string]rpc.Caller
	fails error
	asked int
}

func (k *keys) Authenticate(_ context.Context, key string) (rpc.Caller, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.fails != nil {
		return rpc.Caller{}, k.fails
	}
	c, ok := k.known[key]
	if !ok {
		return rpc.Caller{}, fault.New(fault.Unauthenticated, "bad-api-key", "the API key is not valid")
	}
	return c, nil
}

func (k *keys) set(change func(*keys)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
}

var account = uuid.MustParse("0199a3a0-0000-7000-8000-000000000001")

func users() *keys {
	id := uuid.MustParse("0199a3a0-0000-7000-8000-000000000002")
	return &keys{known: map[string]rpc.Caller{
		"cm_submitter": {Account: account, Role: rpc.Submitter, KeyID: id, Email: "sue@example.com"},
		"cm_admin":     {Account: account, Role: rpc.Admin, KeyID: id},
		"cm_operator":  {Role: rpc.Operator, KeyID: id},
		"cm_odd":       {Account: account, Role: rpc.Service, KeyID: id},
	}}
}

// services answers the methods of the tests by functions; nil answers well.
type services struct {
	accountsv1.UnimplementedAccountsServiceServer
	accountsv1.UnimplementedAuthServiceServer
	ingestv1.UnimplementedEventsServiceServer

	unary  func(ctx context.Context) error
	create func(ctx context.Context) error
	watch  func(ctx context.Context) error
	auth   rpc.Authenticator
}

func call(ctx context.Context, f func(context.Context) error) error {
	if f == nil {
		return nil
	}
	return f(ctx)
}

func (s *services) GetAccount(ctx context.Context, _ *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	return &accountsv1.GetAccountResponse{}, call(ctx, s.unary)
}

func (s *services) CreateAccount(ctx context.Context, _ *accountsv1.CreateAccountRequest) (*accountsv1.CreateAccountResponse, error) {
	return &accountsv1.CreateAccountResponse{}, call(ctx, s.create)
}

func (s *services) CreateKey(ctx context.Context, _ *accountsv1.CreateKeyRequest) (*accountsv1.CreateKeyResponse, error) {
	return &accountsv1.CreateKeyResponse{}, call(ctx, s.create)
}

func (s *services) Authenticate(ctx context.Context, r *accountsv1.AuthenticateRequest) (*accountsv1.AuthenticateResponse, error) {
	c, err := s.auth.Authenticate(ctx, r.GetKey())
	if err != nil {
		return nil, err
	}
	a := &accountsv1.AuthenticateResponse{KeyId: c.KeyID.String(), Role: accountsv1.Role(c.Role), Email: c.Email}
	if c.Account != uuid.Nil {
		a.AccountId = c.Account.String()
	}
	return a, nil
}

func (s *services) WatchEvents(_ *ingestv1.WatchEventsRequest, stream grpc.ServerStreamingServer[ingestv1.WatchEventsResponse]) error {
	if err := stream.Send(&ingestv1.WatchEventsResponse{}); err != nil {
		return err
	}
	return call(stream.Context(), s.watch)
}

// serve runs a server until the test ends, or until stop is called, which waits for it.
func serve(t *testing.T, s *services, o rpc.Options) (server *rpc.Server, stop func()) {
	t.Helper()
	if o.Addr == "" && o.Listen == nil {
		o.Addr = "127.0.0.1:0"
	}
	if o.Telemetry == nil {
		o.Telemetry = telemetry.New("test", "v0", io.Discard)
	}
	o.ServiceKey = serviceKey
	server, err := rpc.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	accountsv1.RegisterAccountsServiceServer(server.Registrar(), s)
	accountsv1.RegisterAuthServiceServer(server.Registrar(), s)
	ingestv1.RegisterEventsServiceServer(server.Registrar(), s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("server ended: %v", err)
		}
	})
	t.Cleanup(stop)
	return server, stop
}

func dial(t *testing.T, addr string, o rpc.DialOptions) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func get(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := accountsv1.NewAccountsServiceClient(conn).GetAccount(ctx, &accountsv1.GetAccountRequest{})
	return err
}

func create(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := accountsv1.NewAccountsServiceClient(conn).CreateAccount(ctx, &accountsv1.CreateAccountRequest{})
	return err
}

// watch opens a stream, reads its first answer and then what it ends with.
func watch(ctx context.Context, conn grpc.ClientConnInterface, opened func()) error {
	stream, err := ingestv1.NewEventsServiceClient(conn).WatchEvents(ctx, &ingestv1.WatchEventsRequest{})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	opened()
	for {
		if _, err := stream.Recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func TestFaultsCrossWithCodeAndHint(t *testing.T) {
	t.Parallel()
	private := errors.New("ada@example.com")
	var answer error
	fail := func(context.Context) error { return answer }
	server, _ := serve(t, &services{create: fail, watch: fail}, rpc.Options{Auth: users()})
	operator := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_operator"})
	submitter := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_submitter"})
	for kind := fault.Internal; kind <= fault.Stale; kind++ {
		answer = fault.Wrap(kind, "the-code", private, "the text").Hint("the hint")
		for name, err := range map[string]error{
			"unary":  create(t.Context(), operator),
			"stream": watch(t.Context(), submitter, func() {}),
		} {
			if !errors.Is(err, kind) || fault.Code(err) != "the-code" || fault.HintOf(err) != "the hint" || err.Error() != "the text" {
				t.Errorf("%s: %s arrived as %s, code %q, hint %q: %v", name, kind, fault.Of(err), fault.Code(err), fault.HintOf(err), err)
			}
		}
	}
	answer = private
	if err := create(t.Context(), operator); fault.Of(err) != fault.Internal || err.Error() != "internal error" {
		t.Errorf("an error without kind arrived as %s: %v", fault.Of(err), err)
	}
}

func TestPanicIsOneCallsInternalError(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	server, _ := serve(t, &services{create: func(context.Context) error { panic("ada@example.com") }},
		rpc.Options{Auth: users(), Telemetry: telemetry.New("test", "v0", &log)})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_operator"})
	if err := create(t.Context(), conn); fault.Code(err) != "panic" || fault.Of(err) != fault.Internal {
		t.Errorf("got %v", err)
	}
	if err := get(t.Context(), conn); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if s := log.String(); !contains(s, `"msg":"call panicked"`, "rpc_test.go") || contains(s, "ada@") {
		t.Errorf("log: %s", s)
	}
}

func TestUnaryCallsHaveADeadline(t *testing.T) {
	t.Parallel()
	var has bool
	server, _ := serve(t, &services{unary: func(ctx context.Context) error { _, has = ctx.Deadline(); return nil }}, rpc.Options{Auth: users()})
	conn := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_admin"})
	if err := get(t.Context(), conn); err != nil || !has {
		t.Errorf("deadline set: %t, %v", has, err)
	}
}

func TestCallerAndAccount(t *testing.T) {
	t.Parallel()
	var got rpc.Caller
	server, _ := serve(t, &services{unary: func(ctx context.Context) (err error) {
		got, err = rpc.CallerOf(ctx)
		if err == nil && got.Account != uuid.Nil {
			_, err = rpc.AccountOf(ctx)
		}
		return err
	}}, rpc.Options{Auth: users()})
	user := dial(t, server.Addr(), rpc.DialOptions{Key: "cm_submitter"})
	if err := get(t.Context(), user); err != nil || got.Account != account || got.Role != rpc.Submitter || got.Email != "sue@example.com" {
		t.Errorf("user: %+v, %v", got, err)
	}
	service := dial(t, server.Addr(), rpc.DialOptions{ServiceKey: serviceKey})
	other := uuid.New()
	ctx := rpc.WithAccount(rpc.WithAccount(t.Context(), account), other) // the last one counts
	if err := get(ctx, service); err != nil || got != (rpc.Caller{Account: other, Role: rpc.Service}) {
		t.Errorf("service: %+v, %v", got, err)
	}
	if err := get(t.Context(), service); err != nil || got != (rpc.Caller{Role: rpc.Service}) {
		t.Errorf("service without account: %+v, %v", got, err)
	}
	if _, err := rpc.CallerOf(t.Context()); fault.Of(err) != fault.Unauthenticated {
		t.Errorf("no caller: %v", err)
	}
	if _, err := rpc.AccountOf(rpc.WithCaller(t.Context(), rpc.Caller{Role: rpc.Operator})); fault.Of(err) != fault.Invalid {
		t.Errorf("no account: %v", err)
	}
}

// pipe is a listener without a network, and how to dial it.
func pipe() (net.Listener, func(context.Context, string) (net.Conn, error)) {
	l := bufconn.Listen(1 << 16)
	return l, func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }
}
