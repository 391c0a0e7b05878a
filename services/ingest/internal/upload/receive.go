package upload

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

type stream = grpc.ClientStreamingServer[ingestv1.UploadRequest, ingestv1.UploadResponse]

const (
	maxChunk = 1 << 20
	// A stream may hold this many messages whatever their size, and one more for each KiB received: files of single bytes
	// and endless empty messages cost us more than they are worth.
	freeMessages    = 10_000
	bytesPerMessage = 1 << 10
)

// receiver reads the messages of a stream one ahead, so that silence can be timed: gRPC has no deadline between messages.
type receiver struct {
	messages chan message
	idle     time.Duration
	total    <-chan time.Time
	draining [2]<-chan struct{} // of this service, and of the server

	count int64
	bytes int64
}

type message struct {
	m   *ingestv1.UploadRequest
	err error
}

// receive starts reading. The reading ends with the stream's context, at the latest when the handler returns; done is
// called then.
func receive(in stream, idle, total time.Duration, draining <-chan struct{}, done func()) *receiver {
	r := &receiver{messages: make(chan message), idle: idle, total: time.After(total), draining: [...]<-chan struct{}{draining, rpc.Draining(in.Context())}}
	go func() {
		defer done()
		for {
			m, err := in.Recv()
			select {
			case r.messages <- message{m, err}:
			case <-in.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return r
}

// next waits for a message; io.EOF after the last.
func (r *receiver) next(ctx context.Context) (*ingestv1.UploadRequest, error) {
	silence := time.NewTimer(r.idle)
	defer silence.Stop()
	select {
	case got := <-r.messages:
		if got.err != nil {
			return nil, got.err
		}
		r.count++
		return got.m, nil
	case <-silence.C:
		return nil, fault.New(fault.Deadline, "upload-idle", "nothing was received for %s", r.idle).Hint("ask GetUpload for the offset and resume")
	case <-r.total:
		return nil, fault.New(fault.Deadline, "upload-too-slow", "the upload took too long").Hint("ask GetUpload for the offset and resume")
	case <-r.draining[0]:
		return nil, draining()
	case <-r.draining[1]:
		return nil, draining()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func draining() error {
	return fault.New(fault.Unavailable, "draining", "this instance is stopping").Hint("ask GetUpload for the offset and resume")
}

// header is the first message.
func (r *receiver) header(ctx context.Context) (*ingestv1.UploadHeader, error) {
	m, err := r.next(ctx)
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "header-missing", "the stream ended before the header")
	}
	if err != nil {
		return nil, err
	}
	h := m.GetHeader()
	if h == nil {
		return nil, fault.New(fault.Invalid, "header-missing", "the first message must be the header")
	}
	return h, nil
}

// chunk is the next bytes, maybe none; io.EOF after the last.
func (r *receiver) chunk(ctx context.Context) ([]byte, error) {
	m, err := r.next(ctx)
	if err != nil {
		return nil, err
	}
	if m.GetHeader() != nil {
		return nil, fault.New(fault.Invalid, "header-repeated", "only the first message may be a header")
	}
	c := m.GetChunk()
	if len(c) > maxChunk {
		return nil, fault.New(fault.Invalid, "chunk-too-large", "a chunk holds %d bytes, the limit is %d", len(c), maxChunk)
	}
	r.bytes += int64(len(c))
	if r.count > freeMessages+r.bytes/bytesPerMessage {
		return nil, fault.New(fault.Exhausted, "too-many-messages", "the stream has %d messages for %d bytes", r.count, r.bytes).
			Hint("send chunks of 64 KiB to 1 MiB")
	}
	return c, nil
}
