// Package pg runs a real PostgreSQL server, 15 to 18, as a child process: it finds or gets the binaries, makes the cluster, starts
// the server and stops it, as root or as an ordinary user, without a container.
//
// The server listens on 127.0.0.1 only, asks every client for a password (SCRAM), and is as durable as PostgreSQL can be:
// fsync, synchronous_commit and data checksums are on. When its parent dies it shuts down by itself.
package pg

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
)

// Bounds of life and death.
const (
	// leftBehind is how long a start waits for the processes of a server that was killed: they need a moment to notice and leave.
	leftBehind = 15 * time.Second
	// recovery is how long a start may take: after a crash the server first replays up to max_wal_size of log.
	recovery = 5 * time.Minute
	// stopWithin bounds a fast shutdown, which writes a checkpoint.
	stopWithin = 60 * time.Second
	// leastFree is the free space in bytes below which no start is tried; a server that fills its disk stops in the middle of work.
	leastFree = 512 << 20
)

// Options of a server. Dir is required, all else may be left zero.
type Options struct {
	// Dir holds the cluster, its password and its log. It is made if it does not exist.
	Dir string
	// Source is where the binaries come from; Any tries all in order.
	Source Source
	// Cache keeps downloaded binaries; by default a folder in the user's cache directory.
	Cache string
	// Port to listen on; 0 lets the kernel choose.
	Port int
	// Settings override the server's settings, for example {"max_connections": "300"}.
	Settings map[string]string
	// Progress is told, in one short sentence each, of what may take longer than a second. It may be nil.
	Progress func(string)
}

func (o *Options) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

func (o *Options) data() string     { return filepath.Join(o.Dir, "data") }
func (o *Options) password() string { return filepath.Join(o.Dir, "password") }
func (o *Options) log() string      { return filepath.Join(o.Dir, "postgres.log") }

// Server is a running server.
type Server struct {
	process *child.Process
	version Version
	url     string
	port    int
}

// Start starts the server on the cluster in o.Dir and makes the cluster first if there is none. It returns when the server
// answers. Each error is one sentence that names the way out.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := room(o.Dir); err != nil {
		return nil, err
	}
	made, err := clusterMajor(o.data())
	if err != nil {
		return nil, err
	}
	bin, err := locate(ctx, &o, made)
	if err != nil {
		return nil, err
	}
	id, err := identityFor(bin, &o)
	if err != nil {
		return nil, err
	}
	password, err := secret(o.password())
	if err != nil {
		return nil, err
	}
	if made == 0 {
		o.progress("making a new PostgreSQL %d cluster in %s", bin.Version.Major, o.Dir)
		if err := initialise(ctx, bin, id, &o, password); err != nil {
			return nil, err
		}
	}
	return launch(ctx, bin, id, &o, password)
}

// URL is the connection URL of the cluster's owner, a superuser, for the database "postgres".
func (s *Server) URL() string { return s.url }

// Version of the server.
func (s *Server) Version() Version { return s.version }

// Port the server listens on.
func (s *Server) Port() int { return s.port }

// PID of the server's first process.
func (s *Server) PID() int { return s.process.PID() }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err tells how the server ended; nil while it runs.
func (s *Server) Err() error { return s.process.Err() }

// Stop ends all sessions, writes a checkpoint and waits for the end of the server.
func (s *Server) Stop() error {
	if err := s.process.Stop(syscall.SIGINT, stopWithin); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}

// Kill ends the server as a power cut of its process would: without a checkpoint and without a word to its sessions.
func (s *Server) Kill() { s.process.Kill() }

func ownerURL(password string, port int) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(owner, password),
		Host:     "127.0.0.1:" + strconv.Itoa(port),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// room makes dir and makes sure that it can be written and has space.
func room(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("make the state directory: %w: choose another one, or give this one to uid %d", err, os.Geteuid())
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("write to the state directory: %w: choose another one, or give this one to uid %d", err, os.Geteuid())
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return fmt.Errorf("write to the state directory: %w", err)
	}

	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look for free space in %s: %w", dir, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < leastFree {
		return fmt.Errorf("the disk of %s has %d MiB free and %d MiB are needed to start: free some, or choose another state directory",
			dir, free>>20, leastFree>>20)
	}
	return nil
}
