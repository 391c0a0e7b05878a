package parts

import (
	"slices"
	"syscall"
	"testing"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.NATSChild = true
	p := start(t, o)
	before := p.Env()
	for _, name := range []string{Postgres, S3, NATS} {
		if err := p.Restart(t.Context(), name); err == nil {
			t.Errorf("%s was started again although it runs", name)
		}
		was := p.Process(name)
		if err := syscall.Kill(was.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-was.Done()
		if err := p.Restart(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if is := p.Process(name); is.PID() == was.PID() || is.Err() != nil {
			t.Errorf("%s started again is process %d (%v), was %d", name, is.PID(), is.Err(), was.PID())
		}
	}
	if after := p.Env(); !slices.Equal(before, after) {
		t.Errorf("the servers' addresses are %q, were %q", after, before)
	}
	if err := answers(t.Context(), p.Env()); err != nil {
		t.Errorf("after the restarts: %v", err)
	}
	if err := p.Restart(t.Context(), "mail"); err == nil {
		t.Error("a server that is no process was started again")
	}
}
