package testprovider

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const usage = `testprovider is a provider of enrichment for tests: it costs money, remembers what it was paid, and misbehaves on command.

  --state DIR        where it keeps what it was paid
  --grpc HOST:PORT   the provider's contract (default 127.0.0.1:0, a free port)
  --http HOST:PORT   POST /behave, GET /paid (default 127.0.0.1:0)
  --name NAME        (default test)
  --currency CODE    (default EUR)
  --price MICROS     of each subject, in millionths (default 1000); -1: it costs nothing
  --max-batch N      (default 10000)
  --key KEY          callers must show it: authorization: Bearer KEY
  --cert FILE, --cert-key FILE   TLS

While it serves, DIR/addresses.json is {"grpc": "HOST:PORT", "http": "HOST:PORT"}.
`

// Main runs the program and returns its exit code: 0 if it was stopped in order, 1 on an error, 2 for a wrong flag.
func Main(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("testprovider", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	o := Options{}
	flags.StringVar(&o.State, "state", "", "")
	flags.StringVar(&o.GRPC, "grpc", "", "")
	flags.StringVar(&o.HTTP, "http", "", "")
	flags.StringVar(&o.Name, "name", "", "")
	flags.StringVar(&o.Currency, "currency", "", "")
	flags.Int64Var(&o.Price, "price", 0, "")
	flags.IntVar(&o.MaxBatch, "max-batch", 0, "")
	flags.StringVar(&o.Key, "key", "", "")
	flags.StringVar(&o.Cert, "cert", "", "")
	flags.StringVar(&o.CertKey, "cert-key", "", "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 || o.State == "" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, o); err != nil {
		fmt.Fprintf(stderr, "testprovider: %v\n", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	file := filepath.Join(o.State, "addresses.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) { // of one that was killed
		return fmt.Errorf("remove old addresses: %w", err)
	}
	p, err := Start(o)
	if err != nil {
		return err
	}
	if err := tell(file, p); err != nil {
		p.close()
		return err
	}
	return errors.Join(p.Run(ctx), os.Remove(file))
}

// tell writes the addresses, whole or not at all.
func tell(file string, p *Provider) error {
	b, err := json.Marshal(map[string]string{"grpc": p.Addr(), "http": p.Control()})
	if err == nil {
		err = os.WriteFile(file+".new", append(b, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return fmt.Errorf("write addresses: %w", err)
	}
	return nil
}
