package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/contactmill/contactmill/deploy/standalone"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
)

const usage = `contactmill-cluster runs the platform on this machine in a process for each service and replica.

  --state DIR     where everything lasts
  --replicas N    processes of each service (default 1)
  --provider A    provider of enrichment, HOST:PORT (default: the bundled one)
  --bin DIR       where the services' programs are (default: beside this one)

While it is ready, DIR/client.env tells clients where it is. DIR/run/NAME.pid is the process of a service or part: each that
ends is started again. DIR/log/NAME.log is what it said. Settings of services are taken from the environment, e.g. CONTACTMILL_LEASE=5s.
`

// connections of PostgreSQL are enough for many pools.
const connections = "500"

// Main runs the program and returns its exit code: 0 if it was stopped in order, 1 on an error, 2 for a wrong flag.
func Main(args, environ []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("contactmill-cluster", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	o := Options{Log: slog.New(slog.NewTextHandler(stderr, nil))}
	flags.StringVar(&o.State, "state", "", "")
	flags.StringVar(&o.Bin, "bin", "", "")
	flags.StringVar(&o.Provider, "provider", "", "")
	flags.IntVar(&o.Replicas, "replicas", 1, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 || o.State == "" || o.Replicas < 1 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, stop, o, environ, stderr); err != nil {
		fmt.Fprintf(stderr, "contactmill-cluster: %v\n", err)
		if h := fault.HintOf(err); h != "" {
			fmt.Fprintf(stderr, "  %s\n", h)
		}
		return 1
	}
	return 0
}

func serve(ctx context.Context, stop func(), o Options, environ []string, stderr io.Writer) error {
	var err error
	if o.State, err = filepath.Abs(o.State); err != nil {
		return fmt.Errorf("find the state directory: %w", err)
	}
	if o.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the services' programs: %w: name their directory with --bin DIR", err)
		}
		o.Bin = filepath.Dir(self)
	}
	if o.Bin, err = filepath.Abs(o.Bin); err != nil {
		return fmt.Errorf("find the services' programs: %w", err)
	}
	for _, s := range services() {
		if _, err := os.Stat(filepath.Join(o.Bin, "contactmill-"+s.name)); err != nil {
			return fmt.Errorf("find the program of %s: %w: build it, or name the directory with --bin DIR", s.name, err)
		}
	}
	if o.Provider, err = standalone.ProviderOf(o.Provider, environ); err != nil {
		return err
	}
	o.Parts.PostgresSettings = map[string]string{"max_connections": connections}
	o.Parts.Progress = func(s string) { fmt.Fprintln(stderr, s) }
	o.Parts.Setenv(func(name string) string {
		value := ""
		for _, line := range environ {
			if v, ok := strings.CutPrefix(line, name+"="); ok {
				value = v
			}
		}
		return value
	})
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		switch {
		case !strings.HasPrefix(name, config.Prefix), strings.HasPrefix(name, config.Prefix+"TEST_"):
		case name == "CONTACTMILL_DATABASE_URL", name == "CONTACTMILL_POSTGRES", name == "CONTACTMILL_PROVIDER_ADDR": // ours
		default:
			o.Environ = append(o.Environ, line)
		}
	}
	c, err := Start(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before all was ready
		}
		return err
	}
	return c.Run(ctx, func() {
		fmt.Fprintf(stderr, "ready: %d processes, gRPC %s\n", len(c.processes), c.Client.Addr)
		context.AfterFunc(ctx, func() {
			stop() // a second Ctrl-C ends the program at once
			fmt.Fprintln(stderr, "stopping")
		})
	})
}
