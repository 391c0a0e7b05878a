package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	inFlight   = 2        // parts on their way while one is being filled: at most 3 x PartSize of memory
	firstGrant = 64 << 10 // most objects are small
)

// Writer stores what is written to it as one object, which is there after Close and never before. Content of less than a part goes in one
// call. A Writer that is not closed must be aborted. It is not safe for concurrent use.
type Writer struct {
	store *Store
	name  string

	// A Writer is one operation that is called piece by piece; these are the caller's context and the one of the parts on their way.
	ctx    context.Context
	pctx   context.Context
	cancel context.CancelFunc

	group  *errgroup.Group
	free   chan []byte
	buf    []byte
	hash   hash.Hash
	size   int64
	upload string // id, "" until the first part is full
	parts  []*Part
	err    error // sticky
}

var errClosed = errors.New("writer is closed")

// Writer begins an object. ctx governs all its calls.
func (s *Store) Writer(ctx context.Context, name string) (*Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	w := &Writer{store: s, name: name, ctx: ctx, hash: sha256.New(), free: make(chan []byte, inFlight+1)}
	cctx, cancel := context.WithCancel(ctx)
	w.group, w.pctx = errgroup.WithContext(cctx)
	w.cancel = cancel
	w.group.SetLimit(inFlight)
	return w, nil
}

// Write takes p, and waits while as many parts as allowed are on their way. After an error all that is left is Abort.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == PartSize {
			w.err = w.flush()
			continue
		}
		n := min(len(p), PartSize-len(w.buf))
		w.fill(p[:n])
		w.hash.Write(p[:n])
		w.size += int64(n)
		written += n
		p = p[n:]
	}
	return written, w.err
}

// fill appends to the buffer, which grows by doubling up to PartSize.
func (w *Writer) fill(p []byte) {
	if need := len(w.buf) + len(p); need > cap(w.buf) {
		grant := max(cap(w.buf), firstGrant)
		for grant < need {
			grant *= 2
		}
		if w.upload != "" {
			grant = PartSize
		}
		grown := make([]byte, len(w.buf), min(grant, PartSize))
		copy(grown, w.buf)
		w.buf = grown
	}
	w.buf = append(w.buf, p...)
}

// flush sends the buffer off as the next part.
func (w *Writer) flush() error {
	if err := w.pctx.Err(); err != nil { // a part failed, or the caller gave up
		return w.wait()
	}
	if len(w.parts) == MaxParts {
		return fault.New(fault.Exhausted, "blob-too-large", "%s has more than %d bytes", w.name, int64(MaxParts)*PartSize)
	}
	if w.upload == "" {
		id, err := w.store.Begin(w.ctx, w.name)
		if err != nil {
			return err
		}
		w.upload = id
	}
	part := &Part{}
	w.parts = append(w.parts, part)
	number, data := len(w.parts), w.buf
	w.buf = nil
	w.group.Go(func() error {
		p, err := w.store.Part(w.pctx, w.name, w.upload, number, data)
		if err != nil {
			return err
		}
		*part = p
		w.free <- data[:0]
		return nil
	})
	select {
	case w.buf = <-w.free:
	default:
	}
	return nil
}

// wait returns what the first part failed with, once none is on its way.
func (w *Writer) wait() error {
	err := w.group.Wait()
	if err == nil && w.ctx.Err() != nil {
		return toFault(w.ctx, w.ctx.Err(), "write "+w.name)
	}
	return err
}

// Close stores what is left and returns the object. After an error nothing is stored under the name by this Writer, unless the error came from
// the last call and its outcome is unknown.
func (w *Writer) Close() (Object, error) {
	if w.err == nil {
		w.err = w.finish()
	}
	if w.err != nil {
		err := w.err
		w.Abort()
		return Object{}, fmt.Errorf("write %s: %w", w.name, err)
	}
	w.cancel()
	w.buf, w.err = nil, errClosed
	return Object{Name: w.name, Size: w.size, SHA256: w.sum()}, nil
}

// sum is the checksum of all that was written.
func (w *Writer) sum() (sum [sha256.Size]byte) {
	w.hash.Sum(sum[:0])
	return sum
}

func (w *Writer) finish() error {
	if w.upload == "" && len(w.parts) == 0 {
		if err := w.ctx.Err(); err != nil {
			return toFault(w.ctx, err, "write "+w.name)
		}
		return w.store.putSmall(w.ctx, w.name, w.buf, w.sum())
	}
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if err := w.wait(); err != nil {
		return err
	}
	parts := make([]Part, len(w.parts))
	for i, p := range w.parts {
		parts[i] = *p
	}
	return w.store.Complete(w.ctx, w.name, w.upload, parts)
}

// Abort gives the object up, takes back what was sent and returns when that is done. After Close it does nothing. If the server cannot be
// reached, or lets a part that it was still taking bring the upload back, AbortIncomplete finds what is left.
func (w *Writer) Abort() {
	if errors.Is(w.err, errClosed) {
		return
	}
	w.cancel()
	_ = w.group.Wait() // given up: how the parts ended does not matter
	if w.upload != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), w.store.limits.call)
		defer cancel()
		_ = w.store.Abort(ctx, w.name, w.upload) // what is left is swept
	}
	w.buf, w.err = nil, errClosed
}
