package upload

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// abortFor bounds the clearing up after a stream that was refused.
const abortFor = 5 * time.Second

// put stores a file of one part.
func (s *Service) put(ctx context.Context, file ledger.Object, content []byte) error {
	stored, err := s.store.Put(ctx, file.Name, bytes.NewReader(content), file.Size)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(stored.SHA256[:]); got != file.SHA256 {
		return fault.New(fault.DataLoss, "file-changed", "stored object %s has another SHA-256 than was received", file.Name)
	}
	return nil
}

// save puts a part and notes it in the upload's row, of which the part may be the first.
func (s *Service) save(ctx context.Context, account uuid.UUID, u ledger.Upload, content, hashState []byte) (ledger.Upload, error) {
	if u.Multipart == "" {
		id, err := s.store.Begin(ctx, u.Object)
		if err != nil {
			return u, err
		}
		if err := again(ctx, func() error { return s.ledger.SetMultipart(ctx, account, u, id) }); err != nil {
			if fault.Of(err) == fault.Stale { // it is noted nowhere
				s.abort(ctx, u.Object, id)
			}
			return u, fmt.Errorf("note multipart upload of %s: %w", u.ID, err)
		}
		u.Multipart = id
	}
	number := len(u.Parts) + 1
	stored, err := s.store.Part(ctx, u.Object, u.Multipart, number, content)
	if err != nil {
		return u, err
	}
	p := ledger.Part{Number: int32(number), ETag: stored.ETag, Size: stored.Size} // at most blob.MaxParts
	saved, err := s.ledger.SavePart(ctx, account, u, p, hashState, s.limits.Keep)
	if errors.Is(err, postgres.ErrCommitUnknown) {
		saved, err = s.lookUp(ctx, account, u, p, hashState)
	}
	if err != nil {
		return u, fmt.Errorf("note part %d of upload %s: %w", number, u.ID, err)
	}
	return saved, nil
}

// abort throws away a multipart upload that nobody knows. If that fails the sweeper finds it by age.
func (s *Service) abort(ctx context.Context, object, multipart string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortFor)
	defer cancel()
	if err := s.store.Abort(ctx, object, multipart); err != nil {
		s.log.Warn("multipart upload not aborted", "object", object, "error", err)
	}
}

// lookUp finds out whether a part was noted, and notes it if not.
func (s *Service) lookUp(ctx context.Context, account uuid.UUID, u ledger.Upload, p ledger.Part, hashState []byte) (ledger.Upload, error) {
	now, err := s.ledger.ResumeUpload(ctx, account, u.ID, s.limits.Keep)
	if err != nil {
		return u, err
	}
	switch n := len(now.Parts); {
	case now.Offset == u.Offset:
		return s.ledger.SavePart(ctx, account, now, p, hashState, s.limits.Keep)
	case now.Offset == u.Offset+p.Size && now.Parts[n-1] == p:
		return now, nil
	}
	return u, fault.New(fault.Stale, "stale", "upload %s was resumed by another stream", u.ID)
}

// complete makes the object of the parts in the row. Done before, by this stream or the one that it resumed, it is done.
func (s *Service) complete(ctx context.Context, u ledger.Upload) error {
	parts := make([]blob.Part, len(u.Parts))
	for i, p := range u.Parts {
		parts[i] = blob.Part{Number: int(p.Number), Size: p.Size, ETag: p.ETag}
	}
	err := s.store.Complete(ctx, u.Object, u.Multipart, parts)
	if fault.Of(err) == fault.Invalid && err != nil {
		// a stream that this one replaced has sent other bytes for a part
		return fault.Wrap(fault.Aborted, "upload-damaged", err, "the parts of the upload are not those that were saved").Hint("send the file again from the beginning")
	}
	return err
}
