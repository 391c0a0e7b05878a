package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/deploy/standalone"
	"github.com/contactmill/contactmill/deploy/standalone/cluster"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

// platform is what is measured: a process for each service, or all in this one.
type platform struct {
	client   standalone.ClientEnv
	settings *standalone.Settings
	run      func(ctx context.Context, started func()) error
	pids     string // directory of the processes' pid files; empty: this process alone
}

// start builds the platform; run lets it serve.
func start(ctx context.Context, o options, log io.Writer) (*platform, error) {
	state := filepath.Join(o.state, "platform")
	if o.bin != "" {
		bin, err := filepath.Abs(o.bin)
		if err != nil {
			return nil, err
		}
		co := cluster.Options{State: state, Bin: bin, Replicas: 1, Log: slog.New(slog.NewJSONHandler(log, nil))}
		co.Parts.Setenv(os.Getenv)
		c, err := cluster.Start(ctx, co)
		if err != nil {
			return nil, fmt.Errorf("%w (make build makes the programs; -one measures without)", err)
		}
		return &platform{client: c.Client, settings: c.Settings, run: c.Run, pids: filepath.Join(state, "run")}, nil
	}
	so := standalone.Options{State: state, GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Telemetry: telemetry.New("bench", "", log)}
	so.Parts.Setenv(os.Getenv)
	p, err := standalone.Start(ctx, so)
	if err != nil {
		return nil, err
	}
	return &platform{client: p.Client, settings: p.Settings, run: p.Run}, nil
}

// accounts is where the accounts service listens.
func (p *platform) accounts() string {
	if p.client.Accounts != "" {
		return p.client.Accounts
	}
	return p.client.Addr
}

// usage is the memory of a process in bytes: resident now, and at most so far.
type usage struct {
	process   string
	now, most int64
}

// memory looks at the processes, by name. Those that ended meanwhile are left out.
func (p *platform) memory() []usage {
	if p.pids == "" {
		return []usage{resident("all services and this program", os.Getpid())}
	}
	files, err := filepath.Glob(filepath.Join(p.pids, "*.pid"))
	if err != nil {
		return nil // the pattern is good
	}
	var all []usage
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			continue
		}
		all = append(all, resident(strings.TrimSuffix(filepath.Base(name), ".pid"), pid))
	}
	slices.SortFunc(all, func(a, b usage) int { return strings.Compare(a.process, b.process) })
	return all
}

// resident reads what Linux says of a process.
func resident(name string, pid int) usage {
	u := usage{process: name}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		field, value, _ := strings.Cut(s.Text(), ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch {
		case err != nil:
		case field == "VmRSS":
			u.now = kib << 10
		case field == "VmHWM":
			u.most = kib << 10
		}
	}
	return u
}
