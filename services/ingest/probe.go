package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
)

// tryStore writes, reads and deletes a small object: a store that cannot is found out now and not by the first file.
func tryStore(ctx context.Context, store *blob.Store) error {
	if err := store.EnsureBucket(ctx); err != nil {
		return err
	}
	content := []byte("contactmill")
	o, err := store.Put(ctx, "probe/"+uuid.NewString(), bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return fmt.Errorf("the bucket cannot be written: %w", err)
	}
	r, err := store.ReadVerified(ctx, o)
	if err != nil {
		return fmt.Errorf("the bucket cannot be read: %w", err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("the bucket gives other bytes than were written: %w", err)
	}
	if err := store.Delete(ctx, o.Name); err != nil {
		return fmt.Errorf("objects cannot be deleted: %w", err)
	}
	return nil
}
