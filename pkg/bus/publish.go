package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

// Ring says that a stage of a job may be worked on. When it returns nil the ring is on disk. After an error it may be there all the same; ring
// again: a second ring does no harm. A full stream is Exhausted.
func (b *Bus) Ring(ctx context.Context, r event.Ring) error {
	data, err := r.Encode()
	if err != nil {
		return fault.Wrap(fault.Invalid, "ring", err, "ring cannot be sent")
	}
	m := nats.NewMsg(b.names.JobsSubject(r.Stage))
	m.Data = data
	if err := b.publish(ctx, m, jetstream.WithExpectStream(b.names.JobsStream())); err != nil {
		return fmt.Errorf("ring %s of job %s: %w", r.Stage, r.Job, err)
	}
	return nil
}

// PublishEvent sends a numbered event. When it returns nil the event is on disk. After an error it may be there all the same; send it again:
// within event.DuplicateWindow the stream keeps one.
func (b *Bus) PublishEvent(ctx context.Context, e event.Envelope) error {
	data, err := e.Encode()
	if err != nil {
		return fault.Wrap(fault.Invalid, "event", err, "event cannot be sent")
	}
	m := nats.NewMsg(b.names.EventsSubject(e.Account))
	m.Header.Set("Content-Type", event.ContentType)
	m.Data = data
	if err := b.publish(ctx, m, jetstream.WithExpectStream(b.names.EventsStream()), jetstream.WithMsgID(e.ID())); err != nil {
		return fmt.Errorf("publish event %s: %w", e.ID(), err)
	}
	return nil
}

// Progress tells watchers how far a job is, without any promise.
func (b *Bus) Progress(_ context.Context, p event.Progress) error {
	data, err := p.Encode()
	if err != nil {
		return fault.Wrap(fault.Invalid, "progress", err, "progress cannot be sent")
	}
	if !b.conn.IsConnected() { // old progress is worth nothing: do not let it queue up for the next connection
		return fault.New(fault.Unavailable, "bus-unavailable", "nats is not connected")
	}
	if err := b.conn.Publish(b.names.ProgressSubject(p.Account), data); err != nil {
		return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "publish progress of job %s", p.Job)
	}
	return nil
}

// publish sends m to its stream and waits for the acknowledgement. A stream that is gone is made anew and m sent once more.
func (b *Bus) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) error {
	if !b.conn.IsConnected() { // else it would be sent after the reconnect, when the caller has long given up
		return fault.New(fault.Unavailable, "bus-unavailable", "nats is not connected")
	}
	err := b.publishOnce(ctx, m, opts...)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		if err := b.EnsureStreams(ctx); err != nil {
			return err
		}
		err = b.publishOnce(ctx, m, opts...)
	}
	if err != nil {
		return toFault(err)
	}
	b.link.well()
	return nil
}

func (b *Bus) publishOnce(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) error {
	ctx, cancel := call(ctx)
	defer cancel()
	_, err := b.js.PublishMsg(ctx, m, opts...)
	return err
}

// Codes of the server's API that the client library does not name.
const (
	codeMaxMessages jetstream.ErrorCode = 10077 // storing a message failed: a limit is reached or the disk is full
	codeNoStorage   jetstream.ErrorCode = 10047 // insufficient storage resources
	codeNoResources jetstream.ErrorCode = 10023 // insufficient resources
	codeMaxBytes    jetstream.ErrorCode = 10028 // limit of the NATS account
)

// toFault gives an error of JetStream its kind.
func toFault(err error) error {
	api, isAPI := errors.AsType[*jetstream.APIError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Cancelled, "cancelled", err, "cancelled while talking to nats")
	case isAPI && (api.ErrorCode == codeMaxMessages || api.ErrorCode == codeNoStorage || api.ErrorCode == codeNoResources || api.ErrorCode == codeMaxBytes):
		return fault.Wrap(fault.Exhausted, "bus-full", err, "nats is full")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "jetstream is not on").Hint("start NATS with JetStream enabled")
	case isAPI && api.Code >= 400 && api.Code < 500 && api.Code != 404 && api.Code != 408:
		return fault.Wrap(fault.Precondition, "bus-refused", err, "nats refuses")
	case errors.Is(err, nats.ErrMaxPayload):
		return fault.Wrap(fault.Invalid, "bus-too-large", err, "message is too large for nats")
	}
	return fault.Wrap(fault.Unavailable, "bus-unavailable", err, "nats does not answer")
}
