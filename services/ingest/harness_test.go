package ingest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	serviceKey = "service key of these tests"
	patience   = 30 * time.Second // far more than anything here takes
)

// world is the parts of one test: a database, a bucket and streams of its own, and an accounts service.
type world struct {
	t        *testing.T
	db       *postgrestest.Database
	s3       string
	nats     string
	prefix   string
	accounts string
	store    *blob.Store
	ledger   *ledger.Ledger
	out      *safeBuffer
	policies atomic.Pointer[accountsv1.Policies] // that every account has settled
	gone     atomic.Bool                         // the own field glove_size was deleted
	complete atomic.Bool                         // every account goes on without its provider, and uses answers for 30 days
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: postgrestest.DB(t, ingest.Schema), nats: need(t, "CONTACTMILL_TEST_NATS"), prefix: strings.ToLower(rand.Text()[:12]), out: &safeBuffer{}}
	t.Cleanup(func() { // the last thing: what was logged, at every level, holds no contact data
		for _, canary := range []string{"example.com", "+1555", "Ann", "Zo\u00eb", "contacts.csv", serviceKey} {
			if strings.Contains(w.out.String(), canary) {
				t.Errorf("the log holds %q", canary)
			}
		}
	})
	u, err := url.Parse(need(t, "CONTACTMILL_TEST_S3"))
	if err != nil {
		t.Fatal("CONTACTMILL_TEST_S3 is no address")
	}
	u.Path = "/test-" + w.prefix
	w.s3 = u.String()
	if w.store, err = blob.Open(t.Context(), w.s3); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	if err := w.store.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.ledger, err = ledger.New(w.db.Open(t, "ingest", "ingest"), ledger.Config{}); err != nil {
		t.Fatal(err)
	}
	w.accounts = w.serve(func(reg grpc.ServiceRegistrar) {
		accountsv1.RegisterAccountsServiceServer(reg, accounts{policies: &w.policies, complete: &w.complete})
		accountsv1.RegisterFieldsServiceServer(reg, fields{gone: &w.gone})
	})
	return w
}

func need(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run the tests with real parts, as in `go run ./deploy/standalone/cmd/parts -- go test ./services/...`", name)
	}
	return v
}

// accounts answers as the accounts service does, with the same settings for everybody.
type accounts struct {
	accountsv1.UnimplementedAccountsServiceServer
	policies *atomic.Pointer[accountsv1.Policies]
	complete *atomic.Bool
}

func (a accounts) GetAccount(ctx context.Context, _ *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	id, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	out := &accountsv1.Account{Id: id.String(), Name: "demo", Country: "US", Recipients: []string{"office@example.com"}, LegacyEncoding: "windows-1250", Policies: a.policies.Load()}
	if a.complete.Load() {
		out.ProviderDown, out.ProviderDays = accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE, 30
	}
	return &accountsv1.GetAccountResponse{Account: out}, nil
}

// fields answers with one standard field and two that are everybody's own.
type fields struct {
	accountsv1.UnimplementedFieldsServiceServer
	gone *atomic.Bool
}

func (f fields) ListFields(context.Context, *accountsv1.ListFieldsRequest) (*accountsv1.ListFieldsResponse, error) {
	all := []*accountsv1.Field{
		{Name: "email", Type: accountsv1.FieldType_FIELD_TYPE_STANDARD, Number: 5, Standard: true},
		{Name: "glove_size", Label: "Glove size", Type: accountsv1.FieldType_FIELD_TYPE_NUMBER, Number: 256},
		{Name: "colour", Label: "Colour", Type: accountsv1.FieldType_FIELD_TYPE_CRITERION, Number: 257, Codes: []*accountsv1.Code{{Code: "r", Label: "Red"}}},
	}
	if f.gone.Load() {
		all = append(all[:1], all[2])
	}
	return &accountsv1.ListFieldsResponse{Fields: all}, nil
}

// keys says who a key belongs to: "cm_<account>", and "cm_admin_<account>" for an admin's.
type keys struct{}

func (keys) Authenticate(_ context.Context, key string) (rpc.Caller, error) {
	role := rpc.Submitter
	name, admin := strings.CutPrefix(strings.TrimPrefix(key, "cm_"), "admin_")
	if admin {
		role = rpc.Admin
	}
	id, err := uuid.Parse(name)
	if err != nil {
		return rpc.Caller{}, fault.New(fault.Unauthenticated, "", "no such key")
	}
	return rpc.Caller{Account: id, Role: role, KeyID: uuid.NewSHA1(id, []byte("key")), Email: "submitter@example.com"}, nil
}

// serve runs a server until the test ends, or until stop of the replica that it belongs to.
func (w *world) serve(register func(grpc.ServiceRegistrar)) string {
	w.t.Helper()
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", Auth: keys{}, ServiceKey: serviceKey, Telemetry: w.telemetry()})
	if err != nil {
		w.t.Fatal(err)
	}
	register(server.Registrar())
	w.run(server.Run)
	return server.Addr()
}

func (w *world) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("a part of the test ended with: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) telemetry() *telemetry.Telemetry {
	t := telemetry.New("test", "0", w.out)
	return t.Configured("test", telemetry.Config{Level: slog.LevelDebug})
}

func (w *world) config() ingest.Config {
	return ingest.Config{
		DatabaseURL: config.Secret(w.db.URL("ingest")), DatabaseConn: 8, NATSURL: config.Secret(w.nats), NATSPrefix: w.prefix, NATSReplicas: 1, S3URL: config.Secret(w.s3),
		AccountsAddr: w.accounts, ServiceKey: serviceKey, Lease: 30 * time.Second, Validations: 2, MaxFileSize: 64 << 20, Uploads: 8,
		UploadIdle: patience, UploadLimit: time.Hour, UploadKeep: 24 * time.Hour, SweepEvery: time.Hour, RawDays: 7, ResultDays: 30,
	}
}

// replica is one instance of the service with its server.
type replica struct {
	w       *world
	service *ingest.Service
	addr    string
	stop    func()
}

func (w *world) replica(change ...func(*ingest.Config)) *replica {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	s, err := ingest.New(w.t.Context(), cfg, w.telemetry())
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", Auth: keys{}, ServiceKey: serviceKey, Telemetry: w.telemetry()})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Register(server.Registrar())
	r := &replica{w: w, service: s, addr: server.Addr()}
	w.t.Cleanup(s.Close)
	stopServer, stopService := w.run(server.Run), w.run(s.Run)
	r.stop = func() { stopServer(); stopService() }
	return r
}

// client speaks to a replica as an account.
type client struct {
	t       *testing.T
	account uuid.UUID
	conn    *grpc.ClientConn
	uploads ingestv1.UploadServiceClient
	jobs    ingestv1.JobsServiceClient
	events  ingestv1.EventsServiceClient
}

func (r *replica) client(account uuid.UUID) *client { return r.caller(account, "cm_"+account.String()) }

func (r *replica) admin(account uuid.UUID) *client {
	return r.caller(account, "cm_admin_"+account.String())
}

func (r *replica) caller(account uuid.UUID, key string) *client {
	r.w.t.Helper()
	conn := dial(r.w.t, r.addr, key)
	return &client{r.w.t, account, conn, ingestv1.NewUploadServiceClient(conn), ingestv1.NewJobsServiceClient(conn), ingestv1.NewEventsServiceClient(conn)}
}

// dial connects with an API key; none if it is empty.
func dial(t *testing.T, addr, key string) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(addr, rpc.DialOptions{Key: config.Secret(key)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func header(requestID string, content []byte) *ingestv1.UploadHeader {
	sum := sha256.Sum256(content)
	return &ingestv1.UploadHeader{
		RequestId: requestID, FileName: "contacts.csv", Size: int64(len(content)), Sha256: hex.EncodeToString(sum[:]),
		Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD},
	}
}

// upload sends a header and content from its offset on, in chunks of 256 KiB.
func (c *client) upload(ctx context.Context, h *ingestv1.UploadHeader, content []byte) (*ingestv1.UploadResponse, error) {
	s, err := c.open(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := send(s, content[h.GetOffset():]); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return s.CloseAndRecv()
}

type uploadStream = grpc.ClientStreamingClient[ingestv1.UploadRequest, ingestv1.UploadResponse]

func (c *client) open(ctx context.Context, h *ingestv1.UploadHeader) (uploadStream, error) {
	s, err := c.uploads.Upload(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: h}}); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return s, nil
}

func send(s uploadStream, content []byte) error {
	for len(content) > 0 {
		n := min(len(content), 256<<10)
		if err := s.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: content[:n]}}); err != nil {
			return err
		}
		content = content[n:]
	}
	return nil
}

// mustUpload hands a file in.
func (c *client) mustUpload(content string) *ingestv1.Job {
	c.t.Helper()
	resp, err := c.upload(c.t.Context(), header(uuid.NewString(), []byte(content)), []byte(content))
	if err != nil {
		c.t.Fatalf("upload: %v", err)
	}
	return resp.GetJob()
}

func (w *world) objects(prefix string) []string {
	w.t.Helper()
	var names []string
	for o, err := range w.store.List(w.t.Context(), prefix) {
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, o.Name)
	}
	return names
}

func (w *world) content(name string) []byte {
	w.t.Helper()
	r, err := w.store.Get(w.t.Context(), name, 0, -1)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// wanted fails the test unless err has the kind and code.
func wanted(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.Of(err) != kind || fault.Code(err) != code {
		t.Errorf("%s: %v (%s, %s), want %s, %s", what, err, fault.Of(err), fault.Code(err), kind, code)
	}
}

// until asks again until ok, or fails the test.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %s in vain for: %s", patience, what)
		}
	}
}

// noise is content that is the same for the same size and seed.
func noise(size int, seed byte) []byte {
	b := make([]byte, size)
	state := uint32(seed) + 1
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
