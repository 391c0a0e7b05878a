package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/contactmill/contactmill/pkg/providercheck"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/cli"
)

const providerKey = "the-key-of-the-example"

// exampleProvider is docs/provider, built.
func exampleProvider(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "provider")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "docs", "provider")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build docs/provider: %v\n%s", err, said)
	}
	return program
}

// serve runs it on a directory and returns where it listens and what ends it.
func serveExample(t *testing.T, program, dir string) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, "127.0.0.1:0", dir, providerKey)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("docs/provider says %q", line)
	}
	return addr, func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}
}

func checked(t *testing.T, environ []string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), append([]string{"provider", "check"}, args...), environ, strings.NewReader(""), &out, &errs)
	return result{code: code, out: out.String(), err: errs.String()}
}

var took = regexp.MustCompile(` in [0-9.]+m?s`)

// The example that the page of providers shows keeps every rule, also of batches that it answered before it was killed.
func TestTheExampleKeepsTheContract(t *testing.T) {
	t.Parallel()
	program, dir := exampleProvider(t), t.TempDir()
	addr, stop := serveExample(t, program, dir)
	r := checked(t, nil, addr, "--key", providerKey, "--phone", "+12025550177", "--budget", "10")
	if r.code != 0 || r.err != "" {
		t.Errorf("code %d, %s", r.code, r.err)
	}
	golden(t, "provider.table", took.ReplaceAllString(r.out, " in TIME"))
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	if shown := took.ReplaceAllString(string(page), " in TIME"); !strings.Contains(shown, "```\n$ contactmill provider check ") || !strings.Contains(shown, took.ReplaceAllString(r.out, " in TIME")) {
		t.Errorf("docs/providers.md does not show what the check says:\n%s", r.out)
	}
	source, err := os.ReadFile(filepath.Join("..", "..", "docs", "provider", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "\n)\n\n") // what is imported is no matter of the page
	if !strings.Contains(string(page), "```go\n"+body+"```\n") {
		t.Error("docs/providers.md does not show docs/provider/main.go as it is, from its first variable on")
	}
	for _, rule := range providercheck.Rules() {
		if !strings.Contains(string(page), "| `"+rule[0]+"` | "+rule[1]+" |\n") {
			t.Errorf("docs/providers.md does not say: | `%s` | %s |", rule[0], rule[1])
		}
	}
	stop()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 20 {
		t.Errorf("the example remembers %d batches, %v", len(files), err)
	}
	addr, stop = serveExample(t, program, dir)
	defer stop()
	for _, budget := range [][]string{nil, {"--budget", "9.99"}} { // nothing large is spent unless somebody said so
		r = checked(t, []string{"CONTACTMILL_PROVIDER_KEY=" + providerKey}, append([]string{addr, "-o", "json"}, budget...)...)
		var report providercheck.Report
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 || !report.Passed() || report.Provider != "example" || report.Currency != "EUR" || report.ChargedMicros < 1 || report.ChargedMicros > 1_000_000 {
			t.Errorf("%+v, %v: %+v", r, err, report)
		}
		for _, one := range report.Results {
			if one.Rule == "largest" && (one.Verdict != providercheck.Skipped || one.Seen != "it might cost 10.00 EUR, more than may be spent") {
				t.Errorf("the largest batch costs more than the budget: %+v", one)
			}
		}
	}
}

// described is a provider that can do no more than that.
type described struct {
	providerv1.UnimplementedProviderServiceServer
}

func (described) Describe(context.Context, *providerv1.DescribeRequest) (*providerv1.DescribeResponse, error) {
	return &providerv1.DescribeResponse{Name: "behind-tls"}, nil
}

func TestAProviderBehindTLS(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})))
	providerv1.RegisterProviderServiceServer(server, described{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"by its CA":       {[]string{"--ca", file}, "describe          passed   behind-tls, for nothing, batches of 10000"},
		"in the clear":    {[]string{"--plaintext"}, "describe          failed   Unavailable: "},
		"as on a machine": {nil, "describe          failed   Unavailable: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := checked(t, nil, append(c.args, l.Addr().String())...); r.code != 1 || !strings.Contains(r.out, c.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAProviderThatIsNone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"another service":   {[]string{s.addr, "--key", apiKey, "-o", "jsonl"}, 1, `{"rule":"describe","demands":"Describe names the provider, its price, its largest batch and its facts, the same each time","verdict":"failed","seen":"Unimplemented: `},
		"nobody":            {[]string{"127.0.0.1:1"}, 1, "describe          failed   Unavailable: "},
		"no address":        {nil, 2, ""},
		"no port":           {[]string{"provider.example.com"}, 1, ""},
		"no time":           {[]string{s.addr, "--timeout", "0s"}, 2, ""},
		"a negative budget": {[]string{s.addr, "--budget", "-1"}, 2, ""},
		"a CA that is none": {[]string{s.addr, "--ca", "provider_test.go"}, 1, ""},
		"TLS where is none": {[]string{"127.0.0.2:1", "--ca", filepath.Join("nowhere", "ca.pem")}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := checked(t, nil, c.args...)
			if r.code != c.code || !strings.Contains(r.out, c.want) || (c.want == "") != (r.err != "") {
				t.Errorf("%+v", r)
			}
		})
	}
}
