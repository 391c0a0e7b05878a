package ingest_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/telemetry"
	"github.com/contactmill/contactmill/services/ingest"
)

// Settings that would lose data, double work or never do it are refused with the setting's name.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tc := range map[string]struct {
		change func(*ingest.Config)
		says   string
	}{
		"short lease":       {func(c *ingest.Config) { c.Lease = 999 * time.Millisecond }, "CONTACTMILL_LEASE"},
		"endless lease":     {func(c *ingest.Config) { c.Lease = 2 * time.Hour }, "CONTACTMILL_LEASE"},
		"no validation":     {func(c *ingest.Config) { c.Validations = 0 }, "CONTACTMILL_VALIDATIONS_PER_ACCOUNT"},
		"files not kept":    {func(c *ingest.Config) { c.RawDays = 0 }, "CONTACTMILL_RAW_DAYS"},
		"results not kept":  {func(c *ingest.Config) { c.ResultDays = -1 }, "CONTACTMILL_RESULT_DAYS"},
		"no upload":         {func(c *ingest.Config) { c.Uploads = 0 }, "CONTACTMILL_UPLOADS"},
		"file too large":    {func(c *ingest.Config) { c.MaxFileSize = 1 << 40 }, "CONTACTMILL_MAX_FILE_SIZE"},
		"upload not kept":   {func(c *ingest.Config) { c.UploadKeep = time.Minute }, "CONTACTMILL_UPLOAD_KEEP"},
		"bad store":         {func(c *ingest.Config) { c.S3URL = "http://a:b@127.0.0.1/" }, "S3"},
		"bucket of another": {func(c *ingest.Config) { c.S3URL = config.Secret(strings.Replace(string(c.S3URL), "://", "://x", 1)) }, "object store"},
		"owner's login":     {func(c *ingest.Config) { c.DatabaseURL = config.Secret(w.db.OwnerURL) }, "row-level security"},
	} {
		cfg := w.config()
		tc.change(&cfg)
		s, err := ingest.New(t.Context(), cfg, w.telemetry())
		if err == nil {
			s.Close()
			t.Errorf("%s: it starts", name)
			continue
		}
		if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want it to name %s", name, err, tc.says)
		}
	}
}

// A stream of our name whose settings cannot be put right is not worked with.
func TestRefusesForeignStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, err := nats.Connect(w.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	name := w.prefix + "_JOBS"
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{w.prefix + "_jobs.*"}, Storage: jetstream.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	s, err := ingest.New(t.Context(), w.config(), w.telemetry())
	if err == nil {
		s.Close()
	}
	if fault.Of(err) != fault.Precondition || err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("start on a stream in memory: %v, want Precondition naming %s", err, name)
	}
}

// The service as a process of its own serves gRPC and HTTP, is ready, and ends when told to.
func TestProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free, most likely still so in a moment
	if err != nil {
		t.Fatal(err)
	}
	site := l.Addr().String()
	l.Close()
	env := []string{
		"CONTACTMILL_DATABASE_URL=" + w.db.URL("ingest"), "CONTACTMILL_NATS_URL=" + w.nats, "CONTACTMILL_NATS_PREFIX=" + w.prefix, "CONTACTMILL_S3_URL=" + w.s3,
		"CONTACTMILL_ACCOUNTS_ADDR=" + w.accounts, "CONTACTMILL_SERVICE_KEY=" + serviceKey, "CONTACTMILL_GRPC_ADDR=127.0.0.1:0", "CONTACTMILL_HTTP_ADDR=" + site,
	}
	if _, err := ingest.Process(t.Context(), append(slices.Clone(env), "CONTACTMILL_RAW_DAY=3"), w.telemetry()); err == nil || !strings.Contains(err.Error(), "CONTACTMILL_RAW_DAY") {
		t.Errorf("start with a setting that nobody knows: %v", err)
	}
	if _, err := ingest.Process(t.Context(), append(slices.Clone(env[:len(env)-1]), "CONTACTMILL_HTTP_ADDR=0.0.0.0:0"), w.telemetry()); fault.Code(err) != "no-tls" {
		t.Errorf("start in the clear on every address: %v, want no-tls", err)
	}
	p, err := ingest.Process(t.Context(), env, telemetry.New("ingest", "0", w.out))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if r, ok := p.(interface{ Ready() error }); !ok || r.Ready() != nil {
		t.Errorf("not ready, or does not say so")
	}
	a := ask(t, "GET", "http://"+site+"/jobs/1")
	var e struct{ Code string }
	if a.status != http.StatusUnauthorized || json.Unmarshal([]byte(a.body), &e) != nil || e.Code != "no-credential" {
		t.Errorf("job without a key: %d %s", a.status, a.body)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
