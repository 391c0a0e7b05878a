package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/minio/minio-go/v7"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Get reads length bytes of an object from offset on, to its end if length is negative. Fewer bytes, when the object ends before, are no
// error; an offset at or behind the end is Invalid, unless it is 0. A read that stalls or is cut goes on where it was; if the object was replaced meanwhile that is
// DataLoss. ctx governs the reading too.
func (s *Store) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fault.New(fault.Invalid, codeRange, "offset %d of %s is negative", offset, name)
	}
	if length == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	r, err := s.open(ctx, name, offset, length)
	if offset == 0 && fault.Code(err) == codeRange { // an empty object has no range
		r, err = s.open(ctx, name, 0, -1)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ReadVerified reads a whole object. Its reader ends with io.EOF only if size and SHA-256 of all that it gave are the object's, else with
// DataLoss. What was read before must not be acted upon for good until then.
func (s *Store) ReadVerified(ctx context.Context, o Object) (io.ReadCloser, error) {
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	r, err := s.open(ctx, o.Name, 0, -1)
	if err != nil {
		return nil, err
	}
	if r.end != o.Size {
		err := errors.Join(fault.New(fault.DataLoss, "blob-size", "%s has %d bytes, want %d", o.Name, r.end, o.Size), r.Close())
		return nil, err
	}
	return &verified{reader: r, want: o, hash: sha256.New()}, nil
}

type verified struct {
	reader *reader
	want   Object
	hash   hash.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.reader.Read(p)
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && [sha256.Size]byte(v.hash.Sum(nil)) != v.want.SHA256 {
		return n, fault.New(fault.DataLoss, "blob-hash", "%s has not the content that was written", v.want.Name)
	}
	return n, err
}

func (v *verified) Close() error { return v.reader.Close() }

// reader is an object between two offsets, over as many calls as it takes.
type reader struct {
	store *Store
	ctx   context.Context // the caller's, of the whole reading
	name  string
	etag  string // of the first answer; "" before
	at    int64
	end   int64 // offset behind the last byte; -1 until the first answer

	body   io.ReadCloser // nil when the line was cut
	cancel context.CancelFunc
	wait   *backoff.ExponentialBackOff
	failed uint // tries since the last byte
	err    error
}

func (s *Store) open(ctx context.Context, name string, offset, length int64) (*reader, error) {
	r := &reader{store: s, ctx: ctx, name: name, at: offset, end: -1, wait: s.limits.backoff()}
	if length > 0 {
		r.end = offset + length
	}
	if err := s.do(ctx, s.limits.call+s.limits.idle, "read "+name, func(context.Context) error { return r.connect() }); err != nil {
		return nil, err
	}
	return r, nil
}

// connect asks for what is left.
func (r *reader) connect() error {
	opts := minio.GetObjectOptions{}
	ranged := r.at > 0 || r.end >= 0
	if ranged {
		to := ""
		if r.end >= 0 {
			to = strconv.FormatInt(r.end-1, 10)
		}
		opts.Set("Range", fmt.Sprintf("bytes=%d-%s", r.at, to))
	}
	if r.etag != "" {
		if err := opts.SetMatchETag(r.etag); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(r.ctx)
	stalled := time.AfterFunc(r.store.limits.call, cancel)
	body, info, header, err := r.store.core.GetObject(ctx, r.store.bucket, r.name, opts)
	stalled.Stop()
	if err != nil {
		cancel()
		return err
	}
	start, total := int64(0), info.Size
	if ranged {
		if start, total, err = contentRange(header.Get("Content-Range")); err != nil {
			start = -1
		}
	}
	switch {
	case start != r.at:
		err = fault.New(fault.Unavailable, "blob-other-range", "storage answers another range of %s", r.name)
	case r.etag != "" && info.ETag != r.etag:
		err = fault.New(fault.DataLoss, "blob-changed", "%s was replaced meanwhile", r.name)
	}
	if err != nil {
		cancel()
		return errors.Join(err, body.Close())
	}
	r.etag = info.ETag
	if r.end < 0 || r.end > total {
		r.end = total
	}
	r.body, r.cancel = body, cancel
	return nil
}

// Read gives the next bytes, and goes on after a cut.
func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.at == r.end {
			r.err = io.EOF
			break
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, err := r.try(p[:min(int64(len(p)), r.end-r.at)])
		if n > 0 {
			r.at += int64(n)
			if r.failed > 0 {
				r.failed = 0
				r.wait.Reset()
			}
			if err != nil {
				r.drop()
			}
			return n, nil
		}
		if err != nil {
			r.drop()
			r.err = r.again(err)
		}
	}
	return 0, r.err
}

// try reads from the line there is, or makes one first.
func (r *reader) try(p []byte) (int, error) {
	if r.body == nil {
		if err := r.connect(); err != nil {
			return 0, err
		}
	}
	stalled := time.AfterFunc(r.store.limits.idle, r.cancel)
	defer stalled.Stop()
	n, err := r.body.Read(p)
	if errors.Is(err, io.EOF) && r.at+int64(n) < r.end {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// again waits before the next try, or returns the error that ends the reading.
func (r *reader) again(cause error) error {
	r.failed++
	if r.ctx.Err() != nil || !retryable(cause) || r.failed >= r.store.limits.tries {
		return toFault(r.ctx, cause, "read "+r.name)
	}
	select {
	case <-time.After(r.wait.NextBackOff()):
		return nil
	case <-r.ctx.Done():
		return toFault(r.ctx, cause, "read "+r.name)
	}
}

func (r *reader) drop() {
	if r.body == nil {
		return
	}
	r.cancel()
	_ = r.body.Close() // a line that is given up
	r.body = nil
}

// Close gives the line back; if the object was not read to its end the line is cut.
func (r *reader) Close() error {
	r.drop()
	if r.err == nil {
		r.err = errors.New("reader is closed")
	}
	return nil
}

// contentRange reads "bytes 5-9/100".
func contentRange(h string) (start, total int64, err error) {
	span, all, ok1 := strings.Cut(strings.TrimPrefix(h, "bytes "), "/")
	from, _, ok2 := strings.Cut(span, "-")
	if !ok1 || !ok2 {
		return 0, 0, errors.New("no content range")
	}
	if start, err = strconv.ParseInt(from, 10, 64); err != nil {
		return 0, 0, err
	}
	total, err = strconv.ParseInt(all, 10, 64)
	return start, total, err
}
