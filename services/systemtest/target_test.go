package systemtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long anything may take that has no limit of its own: far more than it ever does.
	patience = 3 * time.Minute
	// lease of the targets' workers. Shorter than the default, so that what dies is taken over soon.
	lease = 5 * time.Second
)

// topology is how the services are spread over processes.
type topology struct {
	name     string
	replicas int      // of each service; 0: all in one process
	env      []string // settings besides
}

func topologies(t *testing.T) []topology {
	all := []topology{{name: "single"}, {name: "many", replicas: 1}, {name: "two", replicas: 2}}
	wanted := os.Getenv("CONTACTMILL_TOPOLOGY")
	if wanted == "" {
		return all
	}
	i := slices.IndexFunc(all, func(o topology) bool { return o.name == wanted })
	if i < 0 {
		t.Fatalf("CONTACTMILL_TOPOLOGY=%s: say single, many or two", wanted)
	}
	return all[i : i+1]
}

// target is a running platform.
type target struct {
	topology
	dir      string
	bin      string
	ingest   []string // addresses of its replicas
	client   []string // environment by which the command line finds it, without a key
	operator string   // key

	supervisor int // process id of contactmill-cluster or contactmill-standalone
	mu         sync.Mutex
}

// start starts a platform in a directory of its own and stops it at the end of the test.
func start(t *testing.T, o topology) *target {
	t.Helper()
	s := &target{topology: o, bin: bin(t), dir: stateDir(t)}
	program, args := "contactmill-cluster", []string{"--state", s.dir, "--replicas", strconv.Itoa(o.replicas)}
	if o.replicas == 0 {
		free := freeAddresses(t, 2)
		program, args = "contactmill-standalone", []string{"--state", s.dir, "--grpc", free[0], "--http", free[1]}
	}
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	log, err := os.OpenFile(filepath.Join(s.dir, "target.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-gone
		log.Close()
		if t.Failed() {
			s.tell(t)
		}
	})
	first := make(chan error, 1)
	go func() {
		defer close(gone)
		s.keep(ctx, filepath.Join(s.bin, program), args, log, first)
	}()
	if err := <-first; err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	s.read(t)
	return s
}

// keep runs the program, and again when it ends before ctx does, as an operating system's supervisor would.
func (s *target) keep(ctx context.Context, program string, args []string, log *os.File, first chan<- error) {
	for once := true; ctx.Err() == nil; once = false {
		cmd := exec.Command(program, args...)
		cmd.Env = append(append(foreign(), fmt.Sprintf("CONTACTMILL_LEASE=%v", lease)), s.env...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := s.wiped(); err != nil {
			fmt.Fprintln(log, err)
			continue
		}
		if err := cmd.Start(); err != nil {
			if once {
				first <- err
			}
			return
		}
		s.mu.Lock()
		s.supervisor = cmd.Process.Pid
		s.mu.Unlock()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if once && !s.up(ctx, ended, first) {
			_ = cmd.Process.Kill() // it may have ended
			return
		}
		select {
		case <-ended:
			continue
		case <-ctx.Done():
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
}

// wiped removes the streams of a NATS that is within the one process, which has ended, if that was asked for.
func (s *target) wiped() error {
	asked := filepath.Join(s.dir, "run", "nats.wipe")
	if _, err := os.Stat(asked); s.replicas > 0 || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "nats", "store")); err != nil {
		return err
	}
	return os.Remove(asked)
}

// up waits for the first client.env.
func (s *target) up(ctx context.Context, ended chan error, first chan<- error) bool {
	limit := time.After(patience)
	for {
		if _, err := os.Stat(filepath.Join(s.dir, "client.env")); err == nil {
			first <- nil
			return true
		}
		select {
		case err := <-ended:
			ended <- err
			first <- fmt.Errorf("it ended (%v): %s", err, s.said())
			return false
		case <-limit:
			first <- fmt.Errorf("not ready within %v: %s", patience, s.said())
			return false
		case <-ctx.Done():
			first <- ctx.Err()
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *target) said() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "target.log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

func (s *target) read(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "client.env"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "CONTACTMILL_API_KEY":
			continue
		case "CONTACTMILL_ADDR":
			s.ingest = strings.Split(value, ",")
		}
		s.client = append(s.client, line)
	}
	key, err := os.ReadFile(filepath.Join(s.dir, "operator.key"))
	if err != nil {
		t.Fatal(err)
	}
	s.operator = strings.TrimSpace(string(key))
}

// pid is the process that runs the whole of a single target, and the one that watches over the others of another.
func (s *target) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.supervisor
}

// tell writes what the services complained of to the test's log.
func (s *target) tell(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(s.dir, "log", "*.log")) // the pattern is good
	for _, name := range append(names, filepath.Join(s.dir, "contactmill.log"), filepath.Join(s.dir, "target.log")) {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var said []string
		for scan := bufio.NewScanner(bytes.NewReader(b)); scan.Scan(); {
			if line := scan.Text(); !strings.Contains(line, `"level":"INFO"`) {
				said = append(said, line)
			}
		}
		if len(said) > 0 {
			t.Logf("the last of %d warnings in %s:\n%s", len(said), filepath.Base(name), strings.Join(said[max(0, len(said)-8):], "\n"))
		}
	}
}

// bin is the directory of the built programs.
func bin(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CONTACTMILL_BIN")
	if dir == "" {
		dir = filepath.Join("..", "..", "bin")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"contactmill", "contactmill-standalone", "contactmill-cluster"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("the programs to test are not built: %v: run make build, or name their directory in CONTACTMILL_BIN", err)
		}
	}
	return dir
}

// stateDir is a directory that PostgreSQL's user can pass through; a test's own temporary one is closed to it.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "contactmill-system-*")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if os.Getenv("CONTACTMILL_TEST_KEEP") != "" {
			t.Logf("the state is kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// freeAddresses lie below those that the kernel gives to outgoing connections: a process that is started again finds its own.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var free []string
	for range 1000 {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(15_000+rand.IntN(15_000)))
		if err != nil {
			continue // taken: another one
		}
		defer l.Close()
		if free = append(free, l.Addr().String()); len(free) == n {
			return free
		}
	}
	t.Fatal("no port is free")
	return nil
}

// foreign is the environment without settings of ours.
func foreign() []string {
	return slices.DeleteFunc(os.Environ(), func(line string) bool { return strings.HasPrefix(line, "CONTACTMILL_") })
}

// await waits until ok, which is asked again and again, says yes. what says what is missing.
func await(t *testing.T, ok func() (done bool, what string)) {
	t.Helper()
	awaitFor(t, patience, ok)
}

func awaitFor(t *testing.T, limit time.Duration, ok func() (done bool, what string)) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		done, what := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", limit, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(25 * time.Millisecond):
		}
	}
}
