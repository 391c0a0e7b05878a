package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	// maxAckPending bounds the rings of one stage that are being worked on or were put off with Nak, over all workers.
	maxAckPending = 10_000
	// maxWaiting bounds the slots of one stage that wait for a ring, over all workers.
	maxWaiting = 4096

	ensureTries = 3
	ensureWait  = 100 * time.Millisecond
)

// EnsureStreams makes the streams and the consumer of each stage where they are missing, and puts right what settings the server lets
// change. What stays different is Precondition: to run on would lose or double work. It may be called at any time by any number of processes.
func (b *Bus) EnsureStreams(ctx context.Context) error {
	b.ensuring.Lock()
	defer b.ensuring.Unlock()

	// The server may stumble over its own clearing up: a stream made while the last other one is being deleted is refused once.
	for try := 1; ; try++ {
		err := b.ensureAll(ctx)
		if err == nil {
			b.link.well()
			return nil
		}
		if try == ensureTries || ctx.Err() != nil || !b.conn.IsConnected() || !fault.Of(err).Transient() {
			return err
		}
		select {
		case <-time.After(ensureWait):
		case <-ctx.Done():
		}
	}
}

func (b *Bus) ensureAll(ctx context.Context) error {
	for _, want := range []jetstream.StreamConfig{b.jobs(), b.events()} {
		if err := b.ensureStream(ctx, want); err != nil {
			return fmt.Errorf("ensure stream %s: %w", want.Name, err)
		}
	}
	for _, s := range event.Stages() {
		if err := b.ensureConsumer(ctx, b.consumer(s)); err != nil {
			return fmt.Errorf("ensure consumer %s: %w", b.names.Consumer(s), err)
		}
	}
	return nil
}

func (b *Bus) jobs() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:       b.names.JobsStream(),
		Subjects:   []string{b.names.AllJobs()},
		Retention:  jetstream.WorkQueuePolicy,
		Storage:    jetstream.FileStorage,
		Discard:    jetstream.DiscardNew, // DiscardOld would drop work that nobody has seen yet
		MaxMsgs:    event.MaxRings,
		MaxMsgSize: event.MaxRingBytes,
		Replicas:   b.names.Replicas,
	}
}

func (b *Bus) events() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:       b.names.EventsStream(),
		Subjects:   []string{b.names.AllEvents()},
		Retention:  jetstream.LimitsPolicy,
		Storage:    jetstream.FileStorage,
		Discard:    jetstream.DiscardOld, // watchers read the ledger
		MaxMsgs:    event.MaxEvents,
		MaxMsgSize: event.MaxEventBytes,
		MaxAge:     event.MaxEventAge,
		Duplicates: event.DuplicateWindow,
		Replicas:   b.names.Replicas,
	}
}

func (b *Bus) consumer(s event.Stage) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       b.names.Consumer(s),
		FilterSubject: b.names.JobsSubject(s),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.names.Lease,
		MaxDeliver:    -1, // with a limit the server steps over the message and reports no lag; the ledger counts attempts
		MaxAckPending: maxAckPending,
		MaxWaiting:    maxWaiting,
	}
}

func (b *Bus) ensureStream(ctx context.Context, want jetstream.StreamConfig) error {
	have, err := b.streamConfig(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if have, err = b.makeStream(ctx, want); err == nil {
			b.log.Info("stream made", "stream", want.Name)
		}
	}
	if err != nil {
		return toFault(err)
	}
	if streamDiffers(have, want) == "" {
		return nil
	}
	next := withStream(have, want)
	uctx, cancel := call(ctx)
	defer cancel()
	_, refusal := b.js.UpdateStream(uctx, next)
	if have, err = b.streamConfig(ctx, want.Name); err != nil {
		return toFault(err)
	}
	return settled(streamDiffers(have, want), refusal)
}

// makeStream creates a stream; if another process was quicker, or the answer was lost, it returns what is there.
func (b *Bus) makeStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.StreamConfig, error) {
	cctx, cancel := call(ctx)
	defer cancel()
	s, err := b.js.CreateStream(cctx, want)
	if err != nil {
		if have, again := b.streamConfig(ctx, want.Name); again == nil {
			return have, nil
		}
		return jetstream.StreamConfig{}, err
	}
	return s.CachedInfo().Config, nil
}

func (b *Bus) streamConfig(ctx context.Context, name string) (jetstream.StreamConfig, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return jetstream.StreamConfig{}, err
	}
	return s.CachedInfo().Config, nil
}

func (b *Bus) ensureConsumer(ctx context.Context, want jetstream.ConsumerConfig) error {
	have, err := b.consumerConfig(ctx, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if have, err = b.makeConsumer(ctx, want); err == nil {
			b.log.Info("consumer made", "consumer", want.Durable)
		}
	}
	if err != nil {
		return toFault(err)
	}
	if consumerDiffers(have, want) == "" {
		return nil
	}
	next := withConsumer(have, want)
	uctx, cancel := call(ctx)
	defer cancel()
	_, refusal := b.js.UpdateConsumer(uctx, b.names.JobsStream(), next)
	if have, err = b.consumerConfig(ctx, want.Durable); err != nil {
		return toFault(err)
	}
	return settled(consumerDiffers(have, want), refusal)
}

// makeConsumer is makeStream for a consumer.
func (b *Bus) makeConsumer(ctx context.Context, want jetstream.ConsumerConfig) (jetstream.ConsumerConfig, error) {
	cctx, cancel := call(ctx)
	defer cancel()
	c, err := b.js.CreateConsumer(cctx, b.names.JobsStream(), want)
	if err != nil {
		if have, again := b.consumerConfig(ctx, want.Durable); again == nil {
			return have, nil
		}
		return jetstream.ConsumerConfig{}, err
	}
	return c.CachedInfo().Config, nil
}

func (b *Bus) consumerConfig(ctx context.Context, name string) (jetstream.ConsumerConfig, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	c, err := b.js.Consumer(ctx, b.names.JobsStream(), name)
	if err != nil {
		return jetstream.ConsumerConfig{}, err
	}
	return c.CachedInfo().Config, nil
}

// settled turns what is still different after an update into an error.
func settled(difference string, refusal error) error {
	if difference == "" {
		return nil
	}
	return fault.Wrap(fault.Precondition, "bus-settings", refusal, "%s", difference).
		Hint("delete it in NATS: it is made anew and the ledger rings again, so no job is lost")
}
