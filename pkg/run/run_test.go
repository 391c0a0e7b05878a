package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/pkg/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type service func(ctx context.Context) error

func (s service) Run(ctx context.Context) error { return s(ctx) }

type readiness struct {
	service
	err error
}

func (r readiness) Ready() error { return r.err }

func builder(s run.Service) run.Builder {
	return func(context.Context, []string, *telemetry.Telemetry) (run.Service, error) { return s, nil }
}

// output is written by the process and read after its end, or while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func TestEnds(t *testing.T) {
	t.Parallel()
	untilCancelled := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	deaf := make(chan struct{})
	t.Cleanup(func() { close(deaf) })
	for name, c := range map[string]struct {
		build   run.Builder
		env     []string
		signals int
		code    int
		says    string

		whileBuilding bool
	}{
		"by itself":         {builder(service(func(context.Context) error { return nil })), nil, 0, 0, "", false},
		"with an error":     {builder(service(func(context.Context) error { return errors.New("it broke") })), nil, 0, 1, "mill: it broke\n", false},
		"at a signal":       {builder(service(untilCancelled)), nil, 1, 0, `"msg":"stopped"`, false},
		"badly at a signal": {builder(service(func(ctx context.Context) error { <-ctx.Done(); return errors.New("lost it") })), nil, 1, 1, "mill: lost it\n", false},
		"after the limit": {builder(service(func(context.Context) error { <-deaf; return nil })),
			[]string{"CONTACTMILL_DRAIN_LIMIT=1ms"}, 1, 1, "mill: work did not end within 1ms of being told to; it is cut off\n", false},
		"by a second signal":          {builder(service(func(context.Context) error { <-deaf; return nil })), nil, 2, 1, "mill: ended at once by a second signal\n", false},
		"by a second signal in delay": {builder(service(untilCancelled)), []string{"CONTACTMILL_DRAIN_DELAY=1h"}, 2, 1, "second signal", false},
		"when it cannot start": {func(context.Context, []string, *telemetry.Telemetry) (run.Service, error) {
			return nil, fault.New(fault.Precondition, "", "schema x is old").Hint("run the migration first")
		}, nil, 0, 1, "mill: schema x is old (run the migration first)\n", false},
		"at a signal during the start": {func(ctx context.Context, _ []string, _ *telemetry.Telemetry) (run.Service, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("connect: %w", ctx.Err())
		}, nil, 1, 0, "", true},
		"with bad settings": {nil, []string{"CONTACTMILL_DRAIN_LIMIT=soon"}, 0, 1, "mill: CONTACTMILL_DRAIN_LIMIT is no time.Duration\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signals := make(chan os.Signal, 2)
			send := func() {
				for range c.signals {
					signals <- syscall.SIGTERM
				}
			}
			build := func(ctx context.Context, env []string, tel *telemetry.Telemetry) (run.Service, error) {
				if c.whileBuilding {
					send()
				}
				s, err := c.build(ctx, env, tel)
				if err != nil {
					return nil, err
				}
				return service(func(ctx context.Context) error { send(); return s.Run(ctx) }), nil
			}
			var w output
			if code := run.Process("mill", c.env, signals, &w, build); code != c.code || !strings.Contains(w.String(), c.says) {
				t.Errorf("code %d, said %q; want code %d and %q", code, w.String(), c.code, c.says)
			}
		})
	}
}

func TestOrderOfTheDrain(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	readyz := func() (int, string) {
		r, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		return r.StatusCode, string(b)
	}
	defer http.DefaultClient.CloseIdleConnections()
	signals := make(chan os.Signal, 2)
	running, cancelled := make(chan struct{}), make(chan struct{})
	s := service(func(ctx context.Context) error {
		close(running)
		<-ctx.Done()
		close(cancelled)
		if code, body := readyz(); code != http.StatusServiceUnavailable || body != "not ready: draining\n" {
			t.Errorf("while it drains: %d %s", code, body)
		}
		return nil
	})
	done := make(chan int)
	var w output
	go func() {
		done <- run.Process("mill", []string{"CONTACTMILL_ADMIN_LISTEN=" + addr, "CONTACTMILL_DRAIN_DELAY=300ms"}, signals, &w,
			func(context.Context, []string, *telemetry.Telemetry) (run.Service, error) {
				if code, body := readyz(); code != http.StatusServiceUnavailable || body != "not ready: starting\n" {
					t.Errorf("while it starts: %d %s", code, body)
				}
				return s, nil
			})
	}()
	<-running
	for code := 0; code != http.StatusOK; { // it says so just after Run began
		code, _ = readyz()
	}
	begin := time.Now()
	signals <- syscall.SIGTERM
	for code := http.StatusOK; code == http.StatusOK; {
		code, _ = readyz()
	}
	<-cancelled
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("cancelled %s after the signal, before the delay was over", took)
	}
	if code := <-done; code != 0 {
		t.Errorf("code %d: %s", code, w.String())
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	broke := errors.New("it broke")
	ended := make(chan struct{})
	g := run.Group(
		service(func(context.Context) error { return broke }),
		service(func(ctx context.Context) error { <-ctx.Done(); close(ended); return ctx.Err() }),
		service(func(context.Context) error { return nil }),
	)
	if err := g.Run(t.Context()); !errors.Is(err, broke) {
		t.Errorf("Run = %v, want the first error", err)
	}
	select {
	case <-ended:
	default:
		t.Error("Run returned before every service had ended")
	}
	ready := run.Group(service(nil), readiness{err: nil}, readiness{err: broke}).(interface{ Ready() error })
	if err := ready.Ready(); !errors.Is(err, broke) {
		t.Errorf("Ready = %v, want what the third says", err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
