package parts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/contactmill/contactmill/deploy/standalone/parts/nats"
	"github.com/contactmill/contactmill/deploy/standalone/parts/pg"
	"github.com/contactmill/contactmill/deploy/standalone/parts/s3"
)

// The servers that can be processes of their own, which is also how their directories in the state directory are called.
const (
	Postgres = "postgres"
	S3       = "s3"
	NATS     = "nats"
)

// Process is a server that is a process of its own.
type Process interface {
	PID() int
	Done() <-chan struct{}
	Err() error
}

// Process is the server of that name, nil if it is no process of ours.
func (p *Parts) Process(name string) Process {
	switch {
	case name == Postgres && p.Postgres != nil:
		return p.Postgres
	case name == S3 && p.S3 != nil:
		return p.S3
	case name == NATS && p.NATS != nil && p.options.NATSChild:
		return p.NATS
	}
	return nil
}

// Restart starts a server that has ended once more, on the same port and data. Done has been closed by its end; Stop stops the
// new one. It is not called for one server by two at once, nor while Stop runs.
func (p *Parts) Restart(ctx context.Context, name string) error {
	old := p.Process(name)
	if old == nil {
		return fmt.Errorf("start %s again: it is no process of ours", name)
	}
	select {
	case <-old.Done():
	default:
		return fmt.Errorf("start %s again: it still runs", name)
	}
	var err error
	switch o := p.options; name {
	case Postgres:
		err = again(&p.Postgres, func() (*pg.Server, error) { return pg.Start(ctx, o.postgres(p.Postgres.Port())) })
	case S3:
		err = again(&p.S3, func() (*s3.Server, error) { return s3.Start(ctx, o.s3(p.S3.Port())) })
	case NATS:
		err = again(&p.NATS, func() (*nats.Server, error) { return nats.Spawn(ctx, o.nats(p.NATS.Port())) })
	default:
		err = errors.New("there is no such server")
	}
	if err != nil {
		return fmt.Errorf("start %s again: %w", name, err)
	}
	return nil
}

// again replaces a server by the started one; without one the old stays, which has ended.
func again[S any](at *S, start func() (S, error)) error {
	s, err := start()
	if err == nil {
		*at = s
	}
	return err
}

func (o *Options) postgres(port int) pg.Options {
	return pg.Options{Dir: filepath.Join(o.State, Postgres), Source: o.PostgresSource, Port: port, Settings: o.PostgresSettings, Progress: o.Progress}
}

func (o *Options) s3(port int) s3.Options {
	return s3.Options{Dir: filepath.Join(o.State, S3), Port: port}
}

func (o *Options) nats(port int) nats.Options {
	return nats.Options{Dir: filepath.Join(o.State, NATS), Port: port}
}
