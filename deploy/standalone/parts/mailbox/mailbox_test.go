package mailbox

import (
	"context"
	"errors"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	client "github.com/wneessen/go-mail"
)

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

func send(t *testing.T, s *Server, to string) error {
	t.Helper()
	c, err := client.NewClient("127.0.0.1", client.WithPort(s.Port()), client.WithTLSPolicy(client.NoTLS), client.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	m := client.NewMsg()
	if err := errors.Join(m.From("mill@example.com"), m.To(to)); err != nil {
		t.Fatal(err)
	}
	m.Subject("Your import of 3 rows")
	m.SetBodyString(client.TypeTextPlain, "done")
	return c.DialAndSendWithContext(t.Context(), m)
}

func kept(t *testing.T, s *Server) []string {
	t.Helper()
	files, err := os.ReadDir(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

func TestMessagesAreNumberedAcrossRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir})
	for range 2 {
		if err := send(t, s, "ann@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(); err != nil || s.Err() != nil {
		t.Fatalf("stop: %v, %v", err, s.Err())
	}
	s = start(t, Options{Dir: dir})
	if err := send(t, s, "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1.eml", "2.eml", "3.eml"}, kept(t, s)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	f, err := os.Open(filepath.Join(dir, "3.eml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{m.Header.Get("X-Envelope-From"), m.Header.Get("X-Envelope-To"), m.Header.Get("Subject")}
	if diff := cmp.Diff([]string{"<mill@example.com>", "<bob@example.com>", "Your import of 3 rows"}, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		to        string
		temporary bool // what the client says of the first error
		cut       bool // the client hears nothing of the message
		fine      bool // the client hears 250 and no more trouble
		maybe     bool // the client hears 250 and then the cut
		kept      int  // messages after the first attempt
	}{
		"refused":                {to: "refuse-1.a@fault.test", temporary: true},
		"rejected":               {to: "reject-1.a@fault.test"},
		"unknown":                {to: "explode-1.a@fault.test"},
		"cut, not kept":          {to: "unkept-1.a@fault.test", cut: true},
		"cut, kept":              {to: "kept-1.a@fault.test", cut: true, kept: 1},
		"cut after the answer":   {to: "answered-1.a@fault.test", maybe: true, kept: 1},
		"delayed":                {to: "delay-10.a@fault.test", fine: true, kept: 1},
		"no fault of no concern": {to: "ann@example.com", fine: true, kept: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Dir: t.TempDir()})
			err := send(t, s, test.to)
			var failed *client.SendError
			switch {
			case test.fine:
				if err != nil {
					t.Errorf("error %v, want none", err)
				}
			case test.maybe: // a client that goes on after the 250 may or may not notice
			case err == nil:
				t.Error("no error")
			case test.cut:
			case !errors.As(err, &failed) || failed.IsTemp() != test.temporary:
				t.Errorf("error %v, want temporary %v", err, test.temporary)
			}
			if got := len(kept(t, s)); got != test.kept {
				t.Errorf("%d messages kept, want %d", got, test.kept)
			}

			if strings.HasPrefix(test.to, "explode") {
				return
			}
			if err := send(t, s, test.to); err != nil {
				t.Errorf("second attempt: %v", err)
			}
		})
	}
}

func TestStopCutsADelay(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := start(t, Options{Dir: t.TempDir(), Fault: func(Envelope) Fault {
		close(begun)
		return Fault{Delay: time.Hour}
	}})
	sent := make(chan error, 1)
	go func() { sent <- send(t, s, "ann@example.com") }()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Fatal("Stop waits for the delay")
	}
	<-sent
}
