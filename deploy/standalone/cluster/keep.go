package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/contactmill/contactmill/deploy/standalone/parts"
	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
)

const (
	// A process that ends is started again at once; one that ends again within settled waits first, longer each time.
	settled   = 5 * time.Second
	firstWait = 50 * time.Millisecond
	mostWait  = time.Second

	// stopWithin bounds the end of a process: longer than the drain limit of services.
	stopWithin = 40 * time.Second
	// readyWithin bounds the start of all processes together.
	readyWithin = 2 * time.Minute
)

// keepProcess runs a process, again and again, until ctx ends.
func (c *Cluster) keepProcess(ctx context.Context, p *process) {
	c.keep(ctx, p.name, func(context.Context) (parts.Process, func(), error) {
		log, err := child.OpenLog(filepath.Join(c.o.State, "log", p.name+".log"))
		if err != nil {
			return nil, nil, err
		}
		defer log.Close()
		cmd := exec.Command(filepath.Join(c.o.Bin, p.binary))
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.o.State, p.env, log, log
		started, err := child.Start(cmd, syscall.SIGKILL)
		if err != nil {
			return nil, nil, fmt.Errorf("start %s: %w", p.name, err)
		}
		return started, func() {
			_ = syscall.Kill(started.PID(), syscall.SIGCONT) // a test may have paused it; the only error is that it is gone
			if err := started.Stop(syscall.SIGTERM, stopWithin); err != nil {
				c.o.Log.Warn("process did not stop in order", "process", p.name, "error", err)
			}
		}, nil
	})
}

// keepPart starts a part that has started before again when it ends, until ctx ends. Parts are stopped later, all together.
func (c *Cluster) keepPart(ctx context.Context, name string) {
	first := true
	c.keep(ctx, name, func(ctx context.Context) (parts.Process, func(), error) {
		if !first {
			if name == parts.NATS {
				if err := c.wipe(); err != nil {
					return nil, nil, err
				}
			}
			if err := c.parts.Restart(ctx, name); err != nil {
				return nil, nil, err
			}
		}
		first = false
		return c.parts.Process(name), func() {}, nil
	})
}

// wipe removes the streams of NATS, which has ended, if that was asked for.
func (c *Cluster) wipe() error {
	asked := filepath.Join(c.o.State, "run", "nats.wipe")
	if _, err := os.Stat(asked); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(c.o.State, parts.NATS, "store")); err != nil {
		return fmt.Errorf("remove the streams of NATS: %w", err)
	}
	if err := os.Remove(asked); err != nil {
		return fmt.Errorf("answer that the streams of NATS are gone: %w", err)
	}
	return nil
}

// keep starts something, and again when it has ended, until ctx ends; then it stops it.
func (c *Cluster) keep(ctx context.Context, name string, start func(context.Context) (running parts.Process, stop func(), err error)) {
	pid := filepath.Join(c.o.State, "run", name+".pid")
	wait := firstWait
	for ctx.Err() == nil {
		begun := time.Now()
		running, stop, err := start(ctx)
		if err == nil {
			err = writePID(pid, running.PID())
			select {
			case <-ctx.Done():
				stop()
				remove(pid)
				return
			case <-running.Done():
				remove(pid)
				err = errors.Join(err, running.Err())
			}
		}
		if ctx.Err() != nil {
			return
		}
		c.o.Log.Info("ended, and is started again", "process", name, "error", err)
		if time.Since(begun) > settled {
			wait = firstWait
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, mostWait)
	}
}

// writePID writes the file whole or not at all: tests read it at any moment.
func writePID(name string, pid int) error {
	fresh := name + ".new"
	if err := os.WriteFile(fresh, []byte(strconv.Itoa(pid)+"\n"), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(fresh, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func remove(name string) { _ = os.Remove(name) } // one that stays names a process that is gone, as after a kill -9

// ready waits until every process says that it is.
func (c *Cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready within %v", readyWithin))
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for _, p := range c.processes {
		for {
			err := askReady(ctx, client, p.admin)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				log := filepath.Join(c.o.State, "log", p.name+".log")
				return fmt.Errorf("%s is %w (%w); the end of %s: %s", p.name, context.Cause(ctx), err, log, lastLine(log))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func askReady(ctx context.Context, client *http.Client, addr string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

func lastLine(name string) string {
	lines := strings.Split(strings.TrimSpace(child.ReadLog(name, 0)), "\n")
	return lines[len(lines)-1]
}
