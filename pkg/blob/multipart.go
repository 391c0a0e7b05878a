package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Part is one part that the server has.
type Part struct {
	Number int // from 1
	Size   int64
	ETag   string
}

// Begin opens a multipart upload and returns its id. One that is never completed nor aborted is found by AbortIncomplete.
func (s *Store) Begin(ctx context.Context, name string) (id string, err error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	err = s.do(ctx, s.limits.call, "begin upload of "+name, func(ctx context.Context) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.bucket, name, minio.PutObjectOptions{})
		return err
	})
	return id, err
}

// Part stores part number of an upload: PartSize bytes, or fewer if it is the last. The same number again replaces it. An upload that was
// completed or aborted is NotFound. data is not kept.
func (s *Store) Part(ctx context.Context, name, id string, number int, data []byte) (Part, error) {
	if err := checkName(name); err != nil {
		return Part{}, err
	}
	if number < 1 || number > MaxParts || len(data) > PartSize {
		return Part{}, fault.New(fault.Invalid, "blob-parts", "part %d of %d bytes: want 1 to %d of at most %d bytes", number, len(data), MaxParts, PartSize)
	}
	sum := sha256.Sum256(data)
	opts := minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum[:]), DisableContentSha256: true} // signed with the hash, not chunk by chunk
	var p minio.ObjectPart
	err := s.do(ctx, s.limits.part, "put part of "+name, func(ctx context.Context) (err error) {
		body := &body{data: data}
		defer body.revoke()
		p, err = s.core.PutObjectPart(ctx, s.bucket, name, id, number, body, int64(len(data)), opts)
		return err
	})
	if err != nil {
		return Part{}, err
	}
	return Part{Number: number, Size: int64(len(data)), ETag: p.ETag}, nil
}

// Complete makes the parts, which must be all and in order, the object. Called again after an unknown outcome it succeeds if the object is there.
func (s *Store) Complete(ctx context.Context, name, id string, parts []Part) error {
	if err := checkName(name); err != nil {
		return err
	}
	list := make([]minio.CompletePart, len(parts))
	var size int64
	for i, p := range parts {
		list[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.ETag}
		size += p.Size
	}
	err := s.do(ctx, s.limits.complete, "complete upload of "+name, func(ctx context.Context) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.bucket, name, id, list, minio.PutObjectOptions{})
		return err
	})
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	// The upload is gone: an earlier try, whose answer was lost, may have completed it.
	if have, serr := s.Stat(ctx, name); serr != nil || have.Size != size {
		return err
	}
	return nil
}

// Abort throws an upload and its parts away. One that is gone is no error.
func (s *Store) Abort(ctx context.Context, name, id string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.do(ctx, s.limits.call, "abort upload of "+name, func(ctx context.Context) error {
		err := s.core.AbortMultipartUpload(ctx, s.bucket, name, id)
		if minio.ToErrorResponse(err).Code == minio.NoSuchUpload {
			return nil
		}
		return err
	})
}

// putSmall stores content of at most PartSize, whose checksum is known, in one call.
func (s *Store) putSmall(ctx context.Context, name string, data []byte, sum [sha256.Size]byte) error {
	return s.do(ctx, s.limits.part, "put "+name, func(ctx context.Context) error {
		body := &body{data: data}
		defer body.revoke()
		_, err := s.core.PutObject(ctx, s.bucket, name, body, int64(len(data)), "", hex.EncodeToString(sum[:]), minio.PutObjectOptions{DisableContentSha256: true})
		return err
	})
}

// body is the body of one try. The HTTP transport may read on after the call has returned, when the buffer is used for something else: revoke
// ends that.
type body struct {
	mu   sync.Mutex
	data []byte
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *body) revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = nil
}
