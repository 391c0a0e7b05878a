// Package standalone runs the whole platform on one machine with real parts: every service in this process, composed by
// the same constructors as their own mains, with PostgreSQL and an S3 server as children, NATS and an SMTP catcher inside.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/deploy/standalone/parts"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	"github.com/contactmill/contactmill/services/accounts"
	"github.com/contactmill/contactmill/services/contacts"
	"github.com/contactmill/contactmill/services/email"
	"github.com/contactmill/contactmill/services/enrichment"
	"github.com/contactmill/contactmill/services/ingest"
	"github.com/contactmill/contactmill/services/merge"
	"github.com/contactmill/contactmill/services/provider"
	"github.com/contactmill/contactmill/services/validator"
)

// Options of Start.
type Options struct {
	State      string // directory
	GRPC, HTTP string // addresses to listen on; port 0 is one that is free
	Provider   string // address of a provider of enrichment; the bundled one if empty
	Parts      parts.Options
	Telemetry  *telemetry.Telemetry
	Environ    []string // further settings of the services, as CONTACTMILL_NAME=value
}

// Platform is the running platform.
type Platform struct {
	Settings *Settings
	Client   ClientEnv
	HTTP     string // address of pages and metrics

	dir     string
	closers []func()
	workers []func(context.Context) error // give their work back before the rest stops
	core    []func(context.Context) error
	web     *http.Server
	page    net.Listener
	ready   []func() error
}

// Start starts the parts and builds every service. The platform serves when Run is called.
func Start(ctx context.Context, o Options) (_ *Platform, err error) {
	p := &Platform{dir: o.State}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	grpcListener, err := listen(o.GRPC, "--grpc")
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { grpcListener.Close() })
	if p.page, err = listen(o.HTTP, "--http"); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() { p.page.Close() })
	p.HTTP = p.page.Addr().String()
	o.Parts.State = o.State
	running, err := parts.Start(ctx, o.Parts)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func() {
		if err := running.Stop(); err != nil {
			o.Telemetry.Log.Warn("parts did not stop in order", "error", err)
		}
	})
	if p.Settings, err = Prepare(ctx, o.State, running); err != nil {
		return nil, err
	}
	return p, p.compose(ctx, o, grpcListener)
}

// compose builds the services on one gRPC server, by which they also reach each other.
func (p *Platform) compose(ctx context.Context, o Options, l net.Listener) error {
	addr := l.Addr().String()
	at := Addresses{Accounts: addr, Ingest: addr, Contacts: addr, Provider: addr, Foreign: o.Provider, Web: "http://" + p.HTTP}
	env := func(service string) []string { return append(p.Settings.Env(service, o.State, at), o.Environ...) }
	tel := func(service string) *telemetry.Telemetry { return o.Telemetry.For(service) }

	accountsCfg, err := config.Part[accounts.Config](env("accounts"))
	if err != nil {
		return err
	}
	who, err := accounts.New(ctx, accountsCfg)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, who.Close)
	auth := rpc.Remember(who)
	server, err := rpc.NewServer(rpc.Options{Listen: l, Auth: auth, ServiceKey: config.Secret(p.Settings.secrets.ServiceKey), Reflection: true, Telemetry: o.Telemetry})
	if err != nil {
		return err
	}
	who.Register(server.Registrar())
	provider.New().Register(server.Registrar())

	ingestCfg, err := config.Part[ingest.Config](env("ingest"))
	if err != nil {
		return err
	}
	taker, err := ingest.New(ctx, ingestCfg, tel("ingest"))
	if err != nil {
		return err
	}
	p.closers = append(p.closers, taker.Close)
	taker.Register(server.Registrar())

	contactsCfg, err := config.Part[contacts.Config](env("contacts"))
	if err != nil {
		return err
	}
	reader, err := contacts.New(ctx, contactsCfg)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, reader.Close)
	reader.Register(server.Registrar())

	p.core = append(p.core, server.Run, taker.Run, reader.Run)
	p.ready = append(p.ready, who.Ready, taker.Ready, reader.Ready)
	if err := p.hire(ctx, env, tel, server.Registrar()); err != nil {
		return err
	}
	conn, err := rpc.Dial(addr, rpc.DialOptions{})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func() { conn.Close() })
	p.serveWeb(o.Telemetry.Handler(p.Ready), taker.Web(conn))

	key, err := p.Settings.AdminKey(ctx, who)
	if err != nil {
		return fmt.Errorf("make account demo: %w", err)
	}
	p.Client = ClientEnv{Addr: addr, Key: key}
	return nil
}

// worker is what all workers are like.
type worker interface {
	Run(context.Context) error
	Ready() error
	Close()
}

// hire builds the workers; what they serve beside their work is registered.
func (p *Platform) hire(ctx context.Context, env func(string) []string, tel func(string) *telemetry.Telemetry, reg grpc.ServiceRegistrar) error {
	for _, build := range []func() (worker, error){
		func() (worker, error) { return hired(ctx, "validator", env, tel, validator.New) },
		func() (worker, error) { return hired(ctx, "enrichment", env, tel, enrichment.New) },
		func() (worker, error) { return hired(ctx, "merge", env, tel, merge.New) },
		func() (worker, error) { return hired(ctx, "email", env, tel, email.New) },
	} {
		w, err := build()
		if err != nil {
			return err
		}
		if s, ok := w.(interface{ Register(grpc.ServiceRegistrar) }); ok {
			s.Register(reg)
		}
		p.closers = append(p.closers, w.Close)
		p.workers = append(p.workers, w.Run)
		p.ready = append(p.ready, w.Ready)
	}
	return nil
}

func hired[C any, W worker](ctx context.Context, service string, env func(string) []string, tel func(string) *telemetry.Telemetry, build func(context.Context, C, *telemetry.Telemetry) (W, error)) (worker, error) {
	cfg, err := config.Part[C](env(service))
	if err != nil {
		return nil, err
	}
	return build(ctx, cfg, tel(service))
}

func (p *Platform) serveWeb(ops, pages http.Handler) {
	mux := http.NewServeMux()
	for _, path := range []string{"/metrics", "/livez", "/readyz"} {
		mux.Handle(path, ops)
	}
	mux.Handle("/", pages)
	p.web = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}

// Ready tells whether every service is.
func (p *Platform) Ready() error {
	var errs []error
	for _, r := range p.ready {
		errs = append(errs, r())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends or a part breaks, then stops everything in order: workers give their work back, the services
// answer what was asked, the parts stop. client.env is there from when the platform is ready until it stops; started is
// called in between.
func (p *Platform) Run(ctx context.Context, started func()) (err error) {
	defer p.close()
	core, stopCore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCore()
	work, stopWork := context.WithCancelCause(core)
	defer stopWork(nil)
	var errs lockedErrors
	var coreGroup, workGroup sync.WaitGroup
	run := func(g *sync.WaitGroup, ctx context.Context, f func(context.Context) error) {
		g.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				errs.add(err)
				stopWork(err)
			}
		})
	}
	for _, f := range p.core {
		run(&coreGroup, core, f)
	}
	run(&coreGroup, core, p.runWeb)
	for _, f := range p.workers {
		run(&workGroup, work, f)
	}
	file := filepath.Join(p.dir, "client.env")
	if err := p.Client.write(p.dir); err != nil {
		errs.add(err)
		stopWork(err)
	} else {
		started()
	}
	select {
	case <-ctx.Done():
	case <-work.Done():
	case <-p.Settings.Parts.Done():
		errs.add(p.Settings.Parts.Err())
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs.add(fmt.Errorf("remove %s: %w", file, err))
	}
	stopWork(nil)
	workGroup.Wait()
	stopCore()
	coreGroup.Wait()
	return errs.join()
}

func (p *Platform) runWeb(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if p.web.Shutdown(limit) != nil {
			p.web.Close()
		}
	})
	defer stop()
	if err := p.web.Serve(p.page); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}

func (p *Platform) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
	p.closers = nil
}

func listen(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: stop what listens there, or choose another address with %s HOST:PORT", addr, err, flag)
	}
	return l, nil
}

type lockedErrors struct {
	mu   sync.Mutex
	errs []error
}

func (l *lockedErrors) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *lockedErrors) join() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}
