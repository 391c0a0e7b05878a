// Package mailbox runs an SMTP server that keeps every message it accepts as a file, for standalone use and for tests.
//
// The files are DIR/1.eml, DIR/2.eml and so on; the numbers grow across restarts. A message is on disk, complete and under its
// name, before the sender hears 250. The envelope is kept in two fields put before the message: X-Envelope-From and, for each
// recipient, X-Envelope-To.
package mailbox

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/contactmill/contactmill/deploy/standalone/parts/keep"
)

// Limits of one message and one connection.
const (
	maxMessage    = 32 << 20
	maxRecipients = 100
	idle          = 60 * time.Second
)

// Options of a server. Dir is required.
type Options struct {
	Dir string
	// Port to listen on; 0 lets the kernel choose.
	Port int
	// Fault decides what goes wrong with a message. Without it [ByRecipient] decides.
	Fault func(Envelope) Fault
}

// Envelope of a message that is about to be accepted.
type Envelope struct {
	From string
	To   []string
	// Attempt counts the messages offered with this sender and these recipients, from 1.
	Attempt int
}

// Server is a running server.
type Server struct {
	dir      string
	fault    func(Envelope) Fault
	smtp     *smtp.Server
	listener net.Listener
	done     chan struct{}
	stopping chan struct{}
	once     sync.Once
	err      error // written before done is closed

	mu       sync.Mutex
	last     int            // number of the newest file
	attempts map[string]int // by envelope
}

// Start starts the server.
func Start(o Options) (*Server, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make mail directory: %w: choose another state directory", err)
	}
	last, err := newest(o.Dir)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(o.Port))
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w: choose another port, or let the kernel choose (0)", err)
	}
	if o.Fault == nil {
		o.Fault = ByRecipient
	}
	s := &Server{
		dir: o.Dir, fault: o.Fault, listener: listener, last: last, attempts: map[string]int{},
		done: make(chan struct{}), stopping: make(chan struct{}),
	}
	s.smtp = smtp.NewServer(s)
	s.smtp.Domain = "localhost"
	s.smtp.MaxMessageBytes, s.smtp.MaxRecipients = maxMessage, maxRecipients
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = idle, idle
	s.smtp.ErrorLog = silent{} // it would print the recipients' doings to standard error

	go func() {
		defer close(s.done)
		err := s.smtp.Serve(listener)
		if !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.err = err
		}
	}()
	return s, nil
}

// URL is smtp://127.0.0.1:PORT.
func (s *Server) URL() string { return "smtp://" + s.listener.Addr().String() }

// Dir is where the messages lie.
func (s *Server) Dir() string { return s.dir }

// Port the server listens on.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err tells why the server ended by itself; nil while it runs and after Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop closes all connections and ends the server.
func (s *Server) Stop() error {
	s.once.Do(func() {
		close(s.stopping)
		_ = s.smtp.Close() // the sessions are cut on purpose
	})
	<-s.done
	return nil
}

// NewSession is part of the SMTP library's interface.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

// keep writes a message to its file.
func (s *Server) keep(e Envelope, body io.Reader) error {
	f, err := os.CreateTemp(s.dir, ".incoming-*")
	if err != nil {
		return fmt.Errorf("make file for message: %w", err)
	}
	defer os.Remove(f.Name())
	var head strings.Builder
	fmt.Fprintf(&head, "X-Envelope-From: <%s>\r\n", e.From)
	for _, to := range e.To {
		fmt.Fprintf(&head, "X-Envelope-To: <%s>\r\n", to)
	}
	_, err = io.Copy(f, io.MultiReader(strings.NewReader(head.String()), body))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write message: %w", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	number := s.last + 1
	if err := os.Rename(f.Name(), filepath.Join(s.dir, strconv.Itoa(number)+".eml")); err != nil {
		return fmt.Errorf("name message: %w", err)
	}
	s.last = number
	if err := keep.Dir(s.dir); err != nil {
		return fmt.Errorf("sync mail directory: %w", err)
	}
	return nil
}

func (s *Server) attempt(from string, to []string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := from + "\n" + strings.Join(to, "\n")
	s.attempts[key]++
	return s.attempts[key]
}

// newest is the highest number of a message in dir.
func newest(dir string) (int, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("list mail directory: %w", err)
	}
	last := 0
	for _, file := range files {
		name, isMessage := strings.CutSuffix(file.Name(), ".eml")
		if number, err := strconv.Atoi(name); isMessage && err == nil {
			last = max(last, number)
		}
	}
	return last, nil
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}
