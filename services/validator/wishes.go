package validator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/contactmill/contactmill/pkg/fault"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

const (
	// page is what is asked for at least and remembered by; maxWish at most.
	page    = 64 << 10
	maxWish = 1 << 20
	// maxWished bounds what is asked for in one inspection.
	maxWished = 64 << 20
	// maxPages bounds what of it is remembered: a longest piece and what is read beside it.
	maxPages = 4 * maxWish / page
)

// wishes reads a file that the client has: what is asked for and not here yet is wished for, a piece at a time. Reading on
// where the last piece ended asks for ever larger ones.
type wishes struct {
	ctx    context.Context //nolint:containedctx // it is the stream's, and ReadAt has no room for it
	in     inspectStream
	done   func()
	pieces chan *validatorv1.InspectRequest
	broken chan error

	mu     sync.Mutex
	size   int64
	pages  map[int64][]byte
	order  []int64 // of pages, the oldest first
	wished int64
	next   int64 // where the last piece ended
	length int64 // of the last one
	fail   error // what ended the reading for good
}

func newWishes(ctx context.Context, in inspectStream, done func()) *wishes {
	return &wishes{ctx: ctx, in: in, done: done, pieces: make(chan *validatorv1.InspectRequest), broken: make(chan error, 1), pages: map[int64][]byte{}}
}

// receive takes messages until the stream ends, at the latest when the handler returns.
func (w *wishes) receive() {
	defer w.done()
	for {
		m, err := w.in.Recv()
		if err != nil {
			w.broken <- err
			return
		}
		select {
		case w.pieces <- m:
		case <-w.in.Context().Done():
			return
		}
	}
}

func (w *wishes) message() (*validatorv1.InspectRequest, error) {
	select {
	case m := <-w.pieces:
		return m, nil
	case err := <-w.broken:
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "piece-missing", "the stream ended before the file was inspected").Hint("answer every wish with its piece")
		}
		return nil, err
	case <-w.ctx.Done():
		return nil, context.Cause(w.ctx)
	}
}

// header is the first message.
func (w *wishes) header() (*validatorv1.InspectHeader, error) {
	m, err := w.message()
	if err != nil {
		return nil, err
	}
	h := m.GetHeader()
	if h == nil {
		return nil, fault.New(fault.Invalid, "header-missing", "the first message must be the header")
	}
	if h.GetSize() < 0 {
		return nil, fault.New(fault.Invalid, "size-negative", "the size is negative")
	}
	w.size = h.GetSize()
	return h, nil
}

// ReadAt implements io.ReaderAt.
func (w *wishes) ReadAt(p []byte, at int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(p) {
		if at >= w.size {
			return n, io.EOF
		}
		here := at / page * page
		b, ok := w.pages[here]
		if !ok {
			if err := w.wish(here, at+int64(len(p)-n)); err != nil {
				w.fail = err
				return n, err
			}
			b = w.pages[here]
		}
		k := copy(p[n:], b[at-here:])
		n += k
		at += int64(k)
	}
	return n, nil
}

// wish has the pages from one on here, as far as is needed, and more while the file is read in its order.
func (w *wishes) wish(from, needed int64) error {
	if w.fail != nil {
		return w.fail
	}
	length := (needed - from + page - 1) / page * page
	if from == w.next && from > 0 {
		length = max(length, 2*w.length)
	}
	length = min(length, maxWish, w.size-from)
	for at := from + page; at < from+length; at += page { // up to what is here
		if _, ok := w.pages[at]; ok {
			length = at - from
		}
	}
	if w.wished += length; w.wished > maxWished {
		return fault.New(fault.Precondition, "inspect-too-large", "more than %d bytes of the file would have to be looked at", maxWished).Hint("hand it in with --check")
	}
	err := w.in.Send(&validatorv1.InspectResponse{Part: &validatorv1.InspectResponse_Wish{Wish: &validatorv1.Wish{Offset: from, Length: int32(length)}}})
	if err != nil {
		return err
	}
	m, err := w.message()
	if err != nil {
		return err
	}
	piece := m.GetPiece()
	if piece == nil || piece.GetOffset() != from || int64(len(piece.GetData())) != length {
		return fault.New(fault.Invalid, "piece-wrong", "%d bytes from byte %d were asked for, and something else came", length, from).
			Hint("the file may have changed: inspect it again")
	}
	for at := int64(0); at < length; at += page {
		w.pages[from+at] = bytes.Clone(piece.GetData()[at:min(at+page, length)]) // each goes by itself
		w.order = append(w.order, from+at)
	}
	for len(w.order) > maxPages {
		delete(w.pages, w.order[0])
		w.order = w.order[1:]
	}
	w.next, w.length = from+length, length
	return nil
}

// err is what kept a piece from coming.
func (w *wishes) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fail
}

// seen is how many bytes were asked for.
func (w *wishes) seen() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wished
}
