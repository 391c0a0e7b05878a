package systemtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is the id of a service's process (merge-1) or a part's (postgres, s3, nats); 0 while it does not run. All services
// of a single target are its one process, as is NATS.
func (s *target) process(name string) int {
	if s.replicas > 0 {
		return readPID(filepath.Join(s.dir, "run", name+".pid"))
	}
	switch name {
	case "postgres":
		return readPID(filepath.Join(s.dir, "postgres", "data", "postmaster.pid"))
	case "s3":
		for _, child := range children(s.pid()) {
			if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child)); err == nil && slices.Contains(strings.Split(string(args), "\x00"), "s3") {
				return child
			}
		}
		return 0
	}
	return s.pid()
}

// services are the names of all processes of services, or of the one process.
func (s *target) services() []string {
	if s.replicas == 0 {
		return []string{"standalone"}
	}
	var names []string
	for _, service := range []string{"accounts", "ingest", "contacts", "provider", "validator", "enrichment", "merge", "email"} {
		names = append(names, s.replicasOf(service)...)
	}
	return names
}

// workers are the processes that claim stages, where each has others to take over from it.
func (s *target) workers() []string {
	if s.replicas < 2 {
		return nil
	}
	var names []string
	for _, service := range []string{"validator", "enrichment", "merge", "email"} {
		names = append(names, s.replicasOf(service)...)
	}
	return names
}

func (s *target) replicasOf(service string) []string {
	if s.replicas == 0 {
		return []string{"standalone"}
	}
	var names []string
	for i := range s.replicas {
		names = append(names, service+"-"+strconv.Itoa(i+1))
	}
	return names
}

// kill sends the signal to a process that runs, for which it waits, and returns the id.
func (s *target) kill(t *testing.T, name string, signal syscall.Signal) int {
	t.Helper()
	var pid int
	await(t, func() (bool, string) {
		if pid = s.process(name); pid == 0 {
			return false, name + " does not run"
		}
		err := syscall.Kill(pid, signal)
		return err == nil, fmt.Sprintf("send %v to %s (%d): %v", signal, name, pid, err)
	})
	return pid
}

// pause stops processes, with all that they have started, and returns what lets them go on, which is also done at the end
// of the test.
func (s *target) pause(t *testing.T, names ...string) (resume func()) {
	t.Helper()
	var stopped []int
	resume = func() {
		for _, pid := range stopped {
			if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Errorf("let process %d go on: %v", pid, err)
			}
		}
		stopped = nil
	}
	t.Cleanup(func() { resume() })
	for _, name := range names {
		pid := s.kill(t, name, syscall.SIGSTOP)
		stopped = append(stopped, pid)
		for _, child := range children(pid) {
			if syscall.Kill(child, syscall.SIGSTOP) == nil {
				stopped = append(stopped, child)
			}
		}
	}
	return resume
}

// replaced waits until a process has another id than the one that was killed.
func (s *target) replaced(t *testing.T, name string, killed int) {
	t.Helper()
	await(t, func() (bool, string) {
		pid := s.process(name)
		return pid != 0 && pid != killed, name + " was not started again"
	})
}

func readPID(name string) int {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

// children are the processes that a process started and that still run.
func children(parent int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	var found []int
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // gone since
		}
		// pid (name) state ppid ...; the name may hold anything
		rest := string(b[strings.LastIndexByte(string(b), ')')+1:])
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil {
				found = append(found, pid)
			}
		}
	}
	return found
}
