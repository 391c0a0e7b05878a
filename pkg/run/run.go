// Package run is the life of a process: settings, start, signals, an orderly end, the exit code.
//
// At SIGTERM or SIGINT the process turns not ready, waits the drain delay so that balancers notice, cancels the
// context of its service, and waits for it up to the drain limit. A second signal ends it at once.
package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// Service runs until ctx ends or it cannot go on. What it started has ended when Run returns. It may also have a
// method Ready() error that tells whether it can serve, and a method UsualMemory() int64 with the bytes that its process
// should stay below where the operator says nothing of memory.
type Service interface {
	Run(ctx context.Context) error
}

// Config is what every process can be told. Each program's own config embeds it.
type Config struct {
	Telemetry  telemetry.Config
	Admin      string        `env:"ADMIN_LISTEN"`                 // address of /metrics, /livez and /readyz; empty: none
	DrainDelay time.Duration `env:"DRAIN_DELAY" envDefault:"0s"`  // between not ready and the end of the service's context
	DrainLimit time.Duration `env:"DRAIN_LIMIT" envDefault:"30s"` // for the service to end then

	// MemoryLimit in MiB is what the process should stay below, by collecting garbage in time; 0: what the service thinks right,
	// or no limit if it thinks nothing. GOMEMLIMIT goes before it.
	MemoryLimit uint32 `env:"MEMORY_LIMIT_MIB"`
}

// Builder makes the service out of its environment. ctx ends at a signal; it is for connecting, and not to be kept.
type Builder func(ctx context.Context, env []string, t *telemetry.Telemetry) (Service, error)

// Main is the whole of a program's main function. It does not return.
func Main(name string, build func(ctx context.Context, env []string, t *telemetry.Telemetry) (Service, error)) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(Process(name, os.Environ(), signals, os.Stderr, build))
}

// Process runs a program to its end and returns its exit code: 0 if it ended well, 1 if not. An error is one line on w.
func Process(name string, env []string, signals <-chan os.Signal, w io.Writer, build Builder) int {
	cfg, err := config.Part[Config](env)
	if err != nil {
		return complain(w, name, err)
	}
	t := telemetry.New(name, version(), w).Configured(name, cfg.Telemetry)
	if err := process(env, signals, t, cfg, build); err != nil {
		return complain(w, name, err)
	}
	return 0
}

// complain is for people; the log has said the same if it came so far.
func complain(w io.Writer, name string, err error) int {
	line := name + ": " + err.Error()
	if hint := fault.HintOf(err); hint != "" {
		line += " (" + hint + ")"
	}
	fmt.Fprintln(w, line)
	return 1
}

func process(env []string, signals <-chan os.Signal, t *telemetry.Telemetry, cfg Config, build Builder) error {
	var state atomic.Pointer[error] // of readiness, until and after the service says it itself
	setState := func(err error) { state.Store(&err) }
	setState(fault.New(fault.Unavailable, "starting", "starting"))
	var service Service
	ready := func() error {
		if err := *state.Load(); err != nil {
			return err
		}
		return readyOf(service)
	}
	closeAdmin, err := admin(cfg.Admin, t.Handler(ready))
	if err != nil {
		return err
	}
	defer closeAdmin()

	var stopped bool
	service, stopped, err = start(env, signals, t, build)
	if err != nil || stopped {
		return err
	}
	limitMemory(memoryLimit(env, cfg, service))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	setState(nil)
	t.Log.Info("started")

	select {
	case err := <-ended: // by itself: a job that is done, or an error
		return err
	case s := <-signals:
		t.Log.Info("draining", "signal", s.String())
	}
	setState(fault.New(fault.Unavailable, "draining", "draining"))
	delay := time.NewTimer(cfg.DrainDelay)
	defer delay.Stop()
	select {
	case err := <-ended:
		return err
	case <-signals:
		return errors.New("ended at once by a second signal")
	case <-delay.C:
	}
	cancel()
	limit := time.NewTimer(cfg.DrainLimit)
	defer limit.Stop()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		t.Log.Info("stopped")
		return nil
	case <-signals:
		return errors.New("ended at once by a second signal")
	case <-limit.C:
		return fault.New(fault.Deadline, "drain-limit", "work did not end within %s of being told to; it is cut off", cfg.DrainLimit)
	}
}

// start builds the service. A signal meanwhile ends the context of the builder, and then the process, without an error
// if the builder gave up because of it.
func start(env []string, signals <-chan os.Signal, t *telemetry.Telemetry, build Builder) (s Service, stopped bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type result struct {
		service Service
		err     error
	}
	built := make(chan result, 1)
	go func() {
		s, err := build(ctx, env, t)
		built <- result{s, err}
	}()
	select {
	case r := <-built:
		return r.service, false, r.err
	case <-signals:
	}
	cancel()
	select {
	case r := <-built:
		if r.err == nil || errors.Is(r.err, context.Canceled) {
			return nil, true, nil
		}
		return nil, true, r.err
	case <-signals:
		return nil, true, errors.New("ended at once by a second signal")
	}
}

// admin serves the operators' page.
func admin(addr string, h http.Handler) (closing func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "admin-listen", err, "listen for operators")
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends by Close only; a listener that breaks shows as a failing probe
	}()
	return func() { s.Close(); <-done }, nil
}

func readyOf(s Service) error {
	if r, ok := s.(interface{ Ready() error }); ok {
		return r.Ready()
	}
	return nil
}

// Group is services that live and end together: the first error ends all of them.
func Group(services ...Service) Service { return group(services) }

type group []Service

func (g group) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, s := range g {
		all.Go(func() error { return s.Run(ctx) })
	}
	return all.Wait()
}

func (g group) Ready() error {
	for _, s := range g {
		if err := readyOf(s); err != nil {
			return err
		}
	}
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
