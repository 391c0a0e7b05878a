// Package bus is NATS as this system uses it: JOBS is the doorbell of the workers, EVENTS wakes watchers, progress flows by and may be lost.
//
// The ledger is what is true, so everything here may vanish at any time. Whoever notices that a stream or consumer is gone makes it anew,
// and the ledger's reconciler rings again.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	callTimeout   = 5 * time.Second // one question to the server, or one publish and its acknowledgement
	reconnectWait = 250 * time.Millisecond
	pingEvery     = 10 * time.Second // with two unanswered the connection counts as lost
	maxPings      = 2
)

// Options of a connection.
type Options struct {
	// Config names and times the streams.
	event.Config
	// Log gets connection changes and what the server reports out of turn; nil means slog.Default().
	Log *slog.Logger
	// Undecodable is called for each ring that cannot be read, after it was thrown away; nil for none.
	Undecodable func(event.Stage)
}

// Bus is a connection to NATS. It is safe for concurrent use and reconnects for ever.
type Bus struct {
	names       event.Config
	log         *slog.Logger
	undecodable func(event.Stage)

	conn *nats.Conn
	js   jetstream.JetStream
	link *link

	ensuring sync.Mutex // one EnsureStreams at a time
}

// Connect connects to the NATS servers given (comma separated, credentials may be in it) under the client name given, and waits for the
// first connection until ctx ends: then it returns Unavailable.
func Connect(ctx context.Context, servers, name string, opts Options) (*Bus, error) {
	names, err := opts.Checked()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "bus-config", err, "settings of the bus")
	}
	b := &Bus{names: names, log: opts.Log, undecodable: opts.Undecodable, link: newLink()}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.undecodable == nil {
		b.undecodable = func(event.Stage) {}
	}
	b.conn, err = nats.Connect(servers,
		nats.Name(name),
		nats.Timeout(callTimeout),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // else two refusals end it for good, and credentials are rotated
		nats.ReconnectWait(reconnectWait),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(maxPings),
		nats.ConnectHandler(func(*nats.Conn) { b.link.up() }),
		nats.ReconnectHandler(func(*nats.Conn) {
			b.log.Info("nats reconnected")
			b.link.up()
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.link.down()
			if err != nil {
				b.log.Warn("nats connection lost", "error", err)
			}
		}),
		nats.ErrorHandler(b.reported),
	)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "bus-unavailable", withoutURL(err), "connect to nats")
	}
	if b.js, err = jetstream.New(b.conn, jetstream.WithDefaultTimeout(callTimeout)); err != nil {
		b.conn.Close()
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	if !b.conn.IsConnected() {
		b.log.Info("waiting for nats")
	}
	if err := b.link.wait(ctx); err != nil {
		if last := b.conn.LastError(); last != nil {
			err = fmt.Errorf("%w; last error: %w", err, last)
		}
		b.conn.Close()
		return nil, fault.Wrap(fault.Unavailable, "bus-unavailable", err, "nats cannot be reached").Hint("check that NATS runs and that its address is right")
	}
	return b, nil
}

// Ready returns nil while the connection stands and the server has reported no error since it last answered well.
func (b *Bus) Ready() error {
	if err := b.link.ready(); err != nil {
		return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "nats is not well")
	}
	return nil
}

// Close drops the connection. Consume and the watches must have returned before.
func (b *Bus) Close() { b.conn.Close() }

// reported takes errors that belong to no call of ours.
func (b *Bus) reported(_ *nats.Conn, sub *nats.Subscription, err error) {
	args := []any{"error", err}
	if sub != nil {
		args = append(args, "subject", sub.Subject)
	}
	b.log.Error("nats reported an error", args...)
	b.link.trouble(err, errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrAuthorization))
}

// call bounds one exchange with the server.
func call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}

// withoutURL keeps an address, which may hold a password, out of an error's text.
func withoutURL(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("the address cannot be read")
	}
	return err
}
