package nats

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Part{Part: Serve})
	os.Exit(m.Run())
}

func stream(t *testing.T, s *Server) (jetstream.JetStream, jetstream.Stream) {
	t.Helper()
	conn, err := s.Connect(nats.MaxReconnects(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	str, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "T", Subjects: []string{"t.>"}, Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	return js, str
}

func messages(t *testing.T, str jetstream.Stream) int {
	t.Helper()
	info, err := str.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(info.State.Msgs)
}

func TestInside(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	js, _ := stream(t, s)
	for i := range 10 {
		if _, err := js.Publish(t.Context(), "t.a", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if conn, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", s.Port())); err == nil {
		conn.Close()
		t.Error("a client without a password was let in")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()

	o.Port = s.Port()
	again, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Kill()
	if again.URL() != s.URL() {
		t.Error("another URL after the restart on the same port")
	}
	over, err := nats.Connect(again.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	if _, str := stream(t, again); messages(t, str) != 10 {
		t.Errorf("%d messages after the restart, want 10", messages(t, str))
	}
	if !again.here.JetStreamConfig().SyncAlways {
		t.Error("the server does not sync every message")
	}
}

func TestAcknowledgedMessagesSurviveKill(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	s, err := Spawn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	js, _ := stream(t, s)
	const killAt = 100
	acknowledged := 0
	for i := 0; ; i++ {
		if i == killAt {
			go s.Kill()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := js.Publish(ctx, "t.a", make([]byte, 512))
		cancel()
		if err != nil {
			break
		}
		acknowledged++
	}
	<-s.Done()
	if s.Err() == nil {
		t.Error("no error although the child was killed")
	}

	o.Port = s.Port()
	again, err := Spawn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Kill)
	_, str := stream(t, again)
	if got := messages(t, str); got < acknowledged {
		t.Errorf("%d messages after kill -9, want at least the %d acknowledged ones", got, acknowledged)
	}

	// the same address comes back empty when the directory was lost
	again.Kill()
	if err := os.RemoveAll(filepath.Join(o.Dir, "store")); err != nil {
		t.Fatal(err)
	}
	empty, err := Spawn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(empty.Kill)
	if _, str := stream(t, empty); messages(t, str) != 0 {
		t.Errorf("%d messages in a wiped directory, want none", messages(t, str))
	}
	if err := empty.Stop(); err != nil || empty.Err() != nil {
		t.Errorf("stop: %v, ended with %v, want a clean end", err, empty.Err())
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := Options{Dir: t.TempDir(), Port: l.Addr().(*net.TCPAddr).Port}
	if _, err := Start(o); err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("inside: error %v, want one that says that the port is taken", err)
	}
	if _, err := Spawn(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("child: error %v, want one that says that the port is taken", err)
	}
}

func TestDirectoryThatIsAFile(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(o.Dir, "store"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Start(o); err == nil {
		s.Kill()
		t.Error("started on a file instead of a directory")
	}
}
