package testprovider

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// childArgs are those of the program, in a process that is this test's own binary again.
const childArgs = "CONTACTMILL_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childArgs) != "" {
		os.Exit(Main(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

// child is the program, which is killed and started again.
type child struct {
	dir, grpc, http string
	cmd             *exec.Cmd
}

func (c *child) start(t *testing.T) {
	t.Helper()
	c.cmd = exec.Command(os.Args[0], "--state", c.dir, "--grpc", c.grpc, "--http", c.http)
	c.cmd.Env = append(os.Environ(), childArgs+"=1")
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		if _, err := os.Stat(filepath.Join(c.dir, "addresses.json")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the program does not serve")
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = c.cmd.Wait() // it was killed
	if err := os.Remove(filepath.Join(c.dir, "addresses.json")); err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

// freeAddress is one below those that the kernel gives to outgoing connections, so that it is still free after a kill.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := "127.0.0.1:" + strconv.Itoa(15_000+rand.IntN(15_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Killed again and again while batches come in, it charges each of them once and answers all of them alike.
func TestKilledItChargesOnce(t *testing.T) {
	t.Parallel()
	const batches, kills, callers = 200, 5, 8
	c := &child{dir: t.TempDir(), grpc: freeAddress(t), http: freeAddress(t)}
	c.start(t)
	defer func() { c.kill(t) }()
	conn, err := grpc.NewClient(c.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.2, MaxDelay: 50 * time.Millisecond}, MinConnectTimeout: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &running{ProviderServiceClient: providerv1.NewProviderServiceClient(conn), control: c.http}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	work := make(chan int)
	answered := make(chan struct{}, batches)
	var again sync.Map // batches that were asked more than once
	var g sync.WaitGroup
	for range callers {
		g.Go(func() {
			for i := range work {
				q := batch(fmt.Sprint("b", i), i*10, 1+i%9)
				for first := true; ; first = false {
					a, err := r.ask(ctx, q)
					if err == nil && a.CostMicros != int64(1000*len(q.Subjects)) {
						t.Errorf("batch %d costs %d", i, a.CostMicros)
					}
					if err == nil || ctx.Err() != nil {
						break
					}
					if code := status.Code(err); code != codes.Unavailable {
						t.Errorf("batch %d: %v", i, err)
						break
					}
					if first {
						again.Store(i, true)
					}
				}
				answered <- struct{}{}
			}
		})
	}
	go func() {
		defer close(work)
		for i := range batches {
			work <- i
		}
	}()
	for n := range batches {
		<-answered
		if n%(batches/(kills+1)) == batches/(kills+1)-1 && n < batches-callers {
			c.kill(t)
			c.start(t)
		}
	}
	g.Wait()
	subjects, retried := 0, 0
	for i := range batches {
		subjects += 1 + i%9
	}
	again.Range(func(any, any) bool { retried++; return true })
	p := r.paid(t)
	if p.Batches != batches || p.Subjects != subjects || p.CostMicros != int64(1000*subjects) {
		t.Errorf("%d batches with %d subjects were paid %d; want %d with %d", p.Batches, p.Subjects, p.CostMicros, batches, subjects)
	}
	if retried == 0 {
		t.Error("no batch met a kill, so nothing is shown")
	}
	t.Logf("%d batches were asked again", retried)
}
