// Command parts starts PostgreSQL, an S3 server, NATS and an SMTP server for tests, runs a command that finds them in its
// environment (CONTACTMILL_TEST_*), stops them and exits with the command's code:
//
//	parts [--state DIR] -- COMMAND ARGS...
//
// Without a command it prints the environment as export lines and stays until it is interrupted. Without --state everything is
// thrown away at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/contactmill/contactmill/deploy/standalone/parts"
)

func main() {
	parts.Child()
	runtime.LockOSThread() // the command's death signal is tied to the thread that starts it
	code, err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "parts:", err)
	}
	os.Exit(code)
}

func run(args []string, stdout, stderr io.Writer) (int, error) {
	flags := flag.NewFlagSet("parts", flag.ContinueOnError)
	flags.SetOutput(stderr)
	state := flags.String("state", "", "`directory` that keeps the servers' state")
	if err := flags.Parse(args); err != nil {
		return 2, nil // the flag set has said it
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)

	o := parts.Options{
		State:            *state,
		PostgresSettings: map[string]string{"max_connections": "300"},
		Progress:         func(s string) { fmt.Fprintln(stderr, "parts:", s) },
	}
	o.Setenv(os.Getenv)
	if o.State == "" {
		dir, err := os.MkdirTemp("", "contactmill-parts-*")
		if err != nil {
			return 1, fmt.Errorf("make state directory: %w", err)
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user passes through
			return 1, fmt.Errorf("open state directory: %w", err)
		}
		o.State = dir
	}
	p, err := start(o, signals)
	if err != nil {
		return 1, err
	}

	code := 0
	if flags.NArg() > 0 {
		code, err = command(p, flags.Args(), signals)
	} else {
		for _, setting := range p.Env() {
			name, value, _ := strings.Cut(setting, "=")
			fmt.Fprintf(stdout, "export %s='%s'\n", name, value)
		}
		select {
		case <-signals:
		case <-p.Done():
			code, err = 1, p.Err()
		}
	}
	if stopErr := p.Stop(); stopErr != nil && code == 0 {
		code = 1
		err = errors.Join(err, stopErr)
	}
	return code, err
}

// start starts the parts unless a signal comes first.
func start(o parts.Options, signals <-chan os.Signal) (*parts.Parts, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type result struct {
		p   *parts.Parts
		err error
	}
	started := make(chan result, 1)
	go func() {
		p, err := parts.Start(ctx, o)
		started <- result{p, err}
	}()
	select {
	case r := <-started:
		return r.p, r.err
	case s := <-signals:
		cancel()
		r := <-started
		if r.err == nil {
			r.err = r.p.Stop()
		}
		return nil, errors.Join(fmt.Errorf("stopped by %v before all was ready", s), r.err)
	}
}

// command runs the command with the parts' environment, forwards signals to it, and ends it when a part ends.
func command(p *parts.Parts, args []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), p.Env()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return 127, fmt.Errorf("start command: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	var lost error
	partEnded := p.Done()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // the only error is that it has ended
		case <-partEnded:
			partEnded, lost = nil, p.Err()
			_ = cmd.Process.Signal(syscall.SIGTERM)
		case err := <-ended:
			code := exitCode(cmd.ProcessState)
			if lost != nil && code == 0 {
				code = 1
			}
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				err = nil // its code tells
			}
			return code, errors.Join(lost, err)
		}
	}
}

// exitCode is the code a shell would report.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
