// Package parts starts the real servers that the platform stands on, for standalone use and for tests: PostgreSQL, an S3 server,
// NATS, and an SMTP server that keeps the mail in files. All of them listen on 127.0.0.1, keep their state in one directory, and end
// with this process, however it ends.
package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
	"github.com/contactmill/contactmill/deploy/standalone/parts/mailbox"
	"github.com/contactmill/contactmill/deploy/standalone/parts/nats"
	"github.com/contactmill/contactmill/deploy/standalone/parts/pg"
	"github.com/contactmill/contactmill/deploy/standalone/parts/s3"
)

// Child runs a part if this process was executed as one, and then does not return. Some parts are this very program, executed
// again: each main that starts parts, and each TestMain, calls Child before anything else.
func Child() {
	child.Main(map[string]child.Part{s3.Part: s3.Serve, nats.Part: nats.Serve})
}

// Options of Start. All may be left zero.
type Options struct {
	// State is the directory of everything that lasts; by default DefaultState. Its servers run once at a time.
	State string
	// DatabaseURL is the owner's URL of a PostgreSQL server to use instead of starting one.
	DatabaseURL string
	// PostgresSource says where PostgreSQL's binaries come from; by default the first that works.
	PostgresSource pg.Source
	// PostgresSettings override settings of the PostgreSQL server.
	PostgresSettings map[string]string
	// Ports of the servers; 0 lets the kernel choose.
	Ports Ports
	// NATSChild runs NATS as a child that can be killed, instead of inside this process.
	NATSChild bool
	// MailFault decides what goes wrong with mail; by default the recipient's address does (see mailbox.ByRecipient).
	MailFault func(mailbox.Envelope) mailbox.Fault
	// Progress is told, in one short sentence each, of what may take longer than a second. It may be nil, and is called from several goroutines at once.
	Progress func(string)
}

// Ports of the servers.
type Ports struct{ Postgres, S3, NATS, SMTP int }

// Setenv takes CONTACTMILL_DATABASE_URL and CONTACTMILL_POSTGRES from the environment, for example with os.Getenv.
func (o *Options) Setenv(get func(string) string) {
	o.DatabaseURL = get("CONTACTMILL_DATABASE_URL")
	o.PostgresSource = pg.Source(get("CONTACTMILL_POSTGRES"))
}

// Parts are the running servers.
type Parts struct {
	// Postgres is nil if DatabaseURL named an outside server.
	Postgres *pg.Server
	S3       *s3.Server
	NATS     *nats.Server
	Mail     *mailbox.Server

	options     Options
	databaseURL string
	lock        *os.File
	stopping    chan struct{}
	watchers    sync.WaitGroup

	once sync.Once
	done chan struct{}
	err  error // written before done is closed
}

// DefaultState is /var/lib/contactmill for root and contactmill in the user's state directory for everybody else.
func DefaultState() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/contactmill", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "contactmill"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a state directory: %w: name one", err)
	}
	return filepath.Join(home, ".local", "state", "contactmill"), nil
}

// Start starts all servers at once and returns when every one of them answers. If one does not start, none is left running. The
// servers outlive ctx: Stop ends them.
func Start(ctx context.Context, o Options) (*Parts, error) {
	if o.State == "" {
		state, err := DefaultState()
		if err != nil {
			return nil, err
		}
		o.State = state
	}
	if err := os.MkdirAll(o.State, 0o711); err != nil { // PostgreSQL's user passes through
		return nil, fmt.Errorf("make the state directory: %w: choose another one, or give this one to uid %d", err, os.Geteuid())
	}
	lock, err := child.Lock(filepath.Join(o.State, "lock"))
	if errors.Is(err, child.ErrLocked) {
		return nil, fmt.Errorf("%s is in use by another process: stop it, or choose another state directory", o.State)
	}
	if err != nil {
		return nil, fmt.Errorf("use the state directory: %w: choose another one, or give this one to uid %d", err, os.Geteuid())
	}

	p := &Parts{options: o, lock: lock, databaseURL: o.DatabaseURL, stopping: make(chan struct{}), done: make(chan struct{})}
	if err := p.start(ctx, o); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	p.watch()
	return p, nil
}

func (p *Parts) start(ctx context.Context, o Options) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if o.DatabaseURL != "" {
			return pg.Check(ctx, o.DatabaseURL)
		}
		p.Postgres, err = pg.Start(ctx, o.postgres(o.Ports.Postgres))
		return err
	})
	group.Go(func() (err error) {
		p.S3, err = s3.Start(ctx, o.s3(o.Ports.S3))
		return err
	})
	group.Go(func() (err error) {
		if o.NATSChild {
			p.NATS, err = nats.Spawn(ctx, o.nats(o.Ports.NATS))
		} else {
			p.NATS, err = nats.Start(o.nats(o.Ports.NATS))
		}
		return err
	})
	group.Go(func() (err error) {
		p.Mail, err = mailbox.Start(mailbox.Options{Dir: filepath.Join(o.State, "mail"), Port: o.Ports.SMTP, Fault: o.MailFault})
		return err
	})
	return group.Wait()
}

// DatabaseURL is the URL of the database's owner.
func (p *Parts) DatabaseURL() string {
	if p.Postgres != nil {
		return p.Postgres.URL()
	}
	return p.databaseURL
}

// Env is the environment by which tests find the servers, as NAME=value.
func (p *Parts) Env() []string {
	return []string{
		"CONTACTMILL_TEST_POSTGRES=" + p.DatabaseURL(),
		"CONTACTMILL_TEST_NATS=" + p.NATS.URL(),
		"CONTACTMILL_TEST_S3=" + p.S3.URL(),
		"CONTACTMILL_TEST_SMTP=" + p.Mail.URL(),
		"CONTACTMILL_TEST_MAILDIR=" + p.Mail.Dir(),
	}
}

// Done is closed when a server has ended by itself, or after Stop. Err then tells which and how.
func (p *Parts) Done() <-chan struct{} { return p.done }

// Err is nil while all servers run and after Stop ended them in order.
func (p *Parts) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// server is what all of them have in common.
type server interface {
	Done() <-chan struct{}
	Err() error
	Stop() error
}

func (p *Parts) servers() map[string]server {
	all := map[string]server{}
	if p.Postgres != nil {
		all["PostgreSQL"] = p.Postgres
	}
	if p.S3 != nil {
		all["the S3 server"] = p.S3
	}
	if p.NATS != nil {
		all["NATS"] = p.NATS
	}
	if p.Mail != nil {
		all["the SMTP server"] = p.Mail
	}
	return all
}

// watch ends Parts when a server ends although nobody stops it.
func (p *Parts) watch() {
	for name, s := range p.servers() {
		p.watchers.Go(func() {
			select {
			case <-p.stopping:
			case <-s.Done():
				reason := s.Err()
				if reason == nil {
					reason = errors.New("it was told to")
				}
				p.finish(fmt.Errorf("%s ended: %w", name, reason))
			}
		})
	}
}

func (p *Parts) finish(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.done)
	})
}

// Stop ends all servers in order and waits for them. Whoever uses them is stopped before. A second call does nothing.
func (p *Parts) Stop() error {
	select {
	case <-p.stopping:
		return nil
	default:
	}
	close(p.stopping)
	p.watchers.Wait()
	var group errgroup.Group
	for _, s := range p.servers() {
		group.Go(s.Stop)
	}
	err := errors.Join(group.Wait(), child.Unlock(p.lock))
	p.finish(err)
	return err
}
