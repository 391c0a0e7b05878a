// Package cluster runs the platform on one machine as it runs on many: a process for each service and replica, next to the
// real parts, each of them started again when it ends. It is what tests of processes that die are made with.
//
// In the state directory, run/NAME.pid is the process of a service (merge-1, merge-2) or part (postgres, s3, nats) while it
// runs, and log/NAME.log what it said. If run/nats.wipe is there when NATS ends, its streams are removed before it starts
// again, and then the file.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/contactmill/contactmill/deploy/standalone"
	"github.com/contactmill/contactmill/deploy/standalone/parts"
	"github.com/contactmill/contactmill/deploy/standalone/parts/keep"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/services/accounts"
)

// Options of Start.
type Options struct {
	State    string // directory
	Bin      string // directory of the services' binaries, contactmill-NAME
	Replicas int    // of each service
	Provider string // address of a provider of enrichment; the bundled one if empty
	Parts    parts.Options
	Environ  []string // further settings of the services, as CONTACTMILL_NAME=value; each gets those it knows
	Log      *slog.Logger
}

// Cluster is the running parts and the processes that are to run next to them.
type Cluster struct {
	Client   standalone.ClientEnv
	Settings *standalone.Settings

	o         Options
	parts     *parts.Parts
	processes []*process
}

// Start starts the parts, prepares them, and decides which processes are to run. They run when Run is called.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	o.Parts.State, o.Parts.NATSChild = o.State, true
	ports, err := newPorts()
	if err != nil {
		return nil, err
	}
	defer ports.close()
	taken, err := ports.numbers(3)
	if err != nil {
		return nil, err
	}
	o.Parts.Ports = parts.Ports{Postgres: taken[0], S3: taken[1], NATS: taken[2]}
	for _, dir := range []string{"run", "log"} {
		if err := os.MkdirAll(filepath.Join(o.State, dir), 0o711); err != nil {
			return nil, fmt.Errorf("make the state directory: %w: choose another one", err)
		}
	}
	ports.close() // the parts are about to listen
	running, err := parts.Start(ctx, o.Parts)
	if err != nil {
		return nil, err
	}
	c := &Cluster{o: o, parts: running}
	defer func() {
		if err != nil {
			err = errors.Join(err, running.Stop())
		}
	}()
	if err := clearRun(o.State); err != nil {
		return nil, err
	}
	settings, err := standalone.Prepare(ctx, o.State, running)
	if err != nil {
		return nil, err
	}
	c.Settings = settings
	key, err := adminKey(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("make account demo: %w", err)
	}
	at, err := c.plan(settings, ports)
	if err != nil {
		return nil, err
	}
	c.Client = standalone.ClientEnv{Addr: at.Ingest, Contacts: at.Contacts, Accounts: at.Accounts, Validator: at.Validator, Enrichment: at.Enrichment, Key: key}
	return c, nil
}

// adminKey makes the account demo, through the service that no process of ours runs yet.
func adminKey(ctx context.Context, settings *standalone.Settings) (string, error) {
	cfg, err := config.Part[accounts.Config](settings.Env("accounts", "first-run", standalone.Addresses{}))
	if err != nil {
		return "", err
	}
	s, err := accounts.New(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer s.Close()
	return settings.AdminKey(ctx, s)
}

// clearRun removes what an earlier run that was killed left of its processes.
func clearRun(state string) error {
	left, err := filepath.Glob(filepath.Join(state, "run", "*"))
	if err != nil {
		return fmt.Errorf("look for processes of an earlier run: %w", err)
	}
	for _, name := range append(left, filepath.Join(state, "client.env")) {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what an earlier run left: %w", err)
		}
	}
	return nil
}

// Run runs all processes until ctx ends, then stops them in order: workers give their work back, the services answer what
// was asked, the parts stop. client.env is there from when all are ready until they stop; started is called in between.
func (c *Cluster) Run(ctx context.Context, started func()) (err error) {
	defer func() { err = errors.Join(err, c.parts.Stop()) }()
	all := context.WithoutCancel(ctx)
	core, stopCore := context.WithCancel(all)
	defer stopCore()
	work, stopWork := context.WithCancel(core)
	defer stopWork()
	var coreGroup, workGroup sync.WaitGroup
	defer func() {
		stopWork()
		workGroup.Wait()
		stopCore()
		coreGroup.Wait()
	}()
	for _, name := range []string{parts.Postgres, parts.S3, parts.NATS} {
		if c.parts.Process(name) != nil {
			coreGroup.Go(func() { c.keepPart(core, name) })
		}
	}
	for _, p := range c.processes {
		group, ctx := &coreGroup, core
		if p.worker {
			group, ctx = &workGroup, work
		}
		group.Go(func() { c.keepProcess(ctx, p) })
	}
	if err := c.ready(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before all was ready
		}
		return err
	}
	file := filepath.Join(c.o.State, "client.env")
	var lines []byte
	for _, line := range c.Client.Env() {
		lines = append(append(lines, line...), '\n')
	}
	if err := keep.File(file, lines); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	started()
	<-ctx.Done()
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("remove %s: %w", file, err)
	}
	return nil
}
