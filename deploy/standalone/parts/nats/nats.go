// Package nats runs a NATS server with JetStream on a directory: inside this process, or as a child that can be killed.
//
// Every message it acknowledges is synced to disk. It listens on 127.0.0.1 only and asks for a password, which is part of its URL.
package nats

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
	"github.com/contactmill/contactmill/deploy/standalone/parts/keep"
)

const (
	user = "contactmill"
	// readyWithin bounds the start, which reads the streams from disk.
	readyWithin = time.Minute
	stopWithin  = 20 * time.Second
	// maxMemory and maxStore bound JetStream, in bytes. Streams are on disk; what lies in them is small, and the disk is shared.
	maxMemory = 64 << 20
	maxStore  = 8 << 30
)

// Options of a server. Dir is required.
type Options struct {
	// Dir holds the streams, the password and the log.
	Dir string
	// Port to listen on; 0 lets the kernel choose.
	Port int
}

// Server is a running server, here or in a child.
type Server struct {
	url  string
	here *server.Server // nil if it is a child
	life life
}

// life is what a server inside the process and a child have in common.
type life interface {
	Done() <-chan struct{}
	Err() error
	Stop() error
	Kill()
}

// Start starts the server inside this process and returns when it accepts connections.
func Start(o Options) (*Server, error) {
	password, err := secret(o.Dir)
	if err != nil {
		return nil, err
	}
	log, err := child.OpenLog(filepath.Join(o.Dir, "nats.log"))
	if err != nil {
		return nil, err
	}
	s, err := serve(o, password, log)
	if err != nil {
		log.Close()
		return nil, err
	}
	return s, nil
}

func serve(o Options, password string, log *os.File) (*Server, error) {
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	if err := free(o.Port); err != nil { // the server would retry and tell nobody
		return nil, err
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: user, Host: "127.0.0.1", Port: o.Port, Username: user, Password: password,
		JetStream: true, StoreDir: filepath.Join(o.Dir, "store"), JetStreamMaxMemory: maxMemory, JetStreamMaxStore: maxStore,
		SyncAlways: true, // the default syncs every two minutes, and a power cut loses what was acknowledged since
		NoSigs:     true, // signals belong to the process
		MaxPayload: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("set up NATS: %w", err)
	}
	said := newLog(log)
	ns.SetLoggerV2(said, false, false, false)
	ns.Start()
	// Start has read the streams when it returns; after a fatal message the server would never be ready.
	if err := said.fatal(); err != nil || !ns.ReadyForConnections(readyWithin) {
		ns.Shutdown()
		return nil, fmt.Errorf("start NATS on %s: %w", o.Dir, cmp.Or(err, fmt.Errorf("not ready within %v", readyWithin)))
	}
	s := &Server{url: address(password, ns.Addr().(*net.TCPAddr).Port), here: ns, life: inside(ns, log)}
	return s, nil
}

// URL is nats://USER:PASSWORD@127.0.0.1:PORT.
func (s *Server) URL() string { return s.url }

// Connect connects a client, without the network if the server is inside this process.
func (s *Server) Connect(options ...nats.Option) (*nats.Conn, error) {
	if s.here != nil {
		options = append(options, nats.InProcessServer(s.here))
	}
	conn, err := nats.Connect(s.url, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return conn, nil
}

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.life.Done() }

// Err tells how the server ended; nil while it runs.
func (s *Server) Err() error { return s.life.Err() }

// Stop ends the server in order.
func (s *Server) Stop() error { return s.life.Stop() }

// Kill ends a child at once. Inside this process there is no such thing: there it is the same as Stop.
func (s *Server) Kill() { s.life.Kill() }

// Port the server listens on.
func (s *Server) Port() int {
	u, err := url.Parse(s.url)
	if err != nil {
		return 0 // cannot be: the URL is ours
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0
	}
	return port
}

// PID of the child; of this process if the server is inside it.
func (s *Server) PID() int {
	if child, ok := s.life.(outsider); ok {
		return child.PID()
	}
	return os.Getpid()
}

func address(password string, port int) string {
	u := url.URL{Scheme: "nats", User: url.UserPassword(user, password), Host: "127.0.0.1:" + strconv.Itoa(port)}
	return u.String()
}

func free(port int) error {
	if port == server.RANDOM_PORT {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is taken by another program: choose another port, or let the kernel choose (0)", port)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return l.Close()
}

// secret reads the password, and makes one first if there is none.
func secret(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make directory of NATS: %w: choose another state directory", err)
	}
	name := filepath.Join(dir, "password")
	b, err := os.ReadFile(name)
	if password := strings.TrimSpace(string(b)); err == nil && password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read password: %w", err)
	}
	password := rand.Text()
	if err := keep.File(name, []byte(password+"\n")); err != nil {
		return "", fmt.Errorf("keep password: %w", err)
	}
	return password, nil
}

// insider is the life of a server inside this process.
type insider struct {
	ns   *server.Server
	log  *os.File
	done chan struct{}
}

func inside(ns *server.Server, log *os.File) *insider {
	i := &insider{ns: ns, log: log, done: make(chan struct{})}
	go func() {
		defer close(i.done)
		ns.WaitForShutdown()
	}()
	return i
}

func (i *insider) Done() <-chan struct{} { return i.done }
func (i *insider) Err() error            { return nil }
func (i *insider) Kill()                 { _ = i.Stop() }

func (i *insider) Stop() error {
	i.ns.Shutdown()
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-i.done:
	case <-timer.C:
		return fmt.Errorf("NATS did not end within %v", stopWithin)
	}
	if err := i.log.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// outsider is the life of a child.
type outsider struct{ *child.Process }

func (o outsider) Stop() error {
	if err := o.Process.Stop(syscall.SIGTERM, stopWithin); err != nil {
		return fmt.Errorf("stop NATS: %w", err)
	}
	return nil
}
