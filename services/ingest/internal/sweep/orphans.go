package sweep

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
)

const (
	rawPrefix  = "raw/"
	workPrefix = "work/"

	// incompleteAge is when a multipart upload is given up though it was never aborted. Most are by their upload's row or
	// their writer long before; one that still makes progress after so long there is not.
	incompleteAge = 7 * 24 * time.Hour
)

// orphans removes old objects that belong to no upload and no job, and multipart uploads that no row knows: what was
// stored right before a crash.
func (s *Sweeper) orphans(ctx context.Context, now time.Time) error {
	for _, prefix := range [...]string{rawPrefix, workPrefix} {
		if err := s.orphansOf(ctx, prefix, now.Add(-s.cfg.OrphanAge)); err != nil {
			return fmt.Errorf("look for orphans in %s: %w", prefix, err)
		}
		aborted, err := s.store.AbortIncomplete(ctx, prefix, now.Add(-incompleteAge))
		if err != nil {
			return fmt.Errorf("abort incomplete uploads in %s: %w", prefix, err)
		}
		if aborted > 0 {
			s.log.Info("incomplete uploads aborted", "prefix", prefix, "count", aborted)
		}
	}
	return nil
}

// orphansOf reads the names in their order, so that those of one account come together, and asks the ledger for a batch
// of them at a time.
func (s *Sweeper) orphansOf(ctx context.Context, prefix string, before time.Time) error {
	var account uuid.UUID
	found := map[uuid.UUID][]string{} // by upload or job
	names := 0
	flush := func() error {
		defer func() { clear(found); names = 0 }()
		return s.removeUnknown(ctx, prefix, account, found)
	}
	for o, err := range s.store.List(ctx, prefix) {
		if err != nil {
			return err
		}
		owner, id, ok := parse(prefix, o.Name)
		if !ok || !o.Modified.Before(before) {
			continue // not ours, or maybe of something that is only beginning
		}
		if owner != account || names >= 10*batch {
			if err := flush(); err != nil {
				return err
			}
			account = owner
		}
		found[id] = append(found[id], o.Name)
		names++
	}
	return flush()
}

func (s *Sweeper) removeUnknown(ctx context.Context, prefix string, account uuid.UUID, found map[uuid.UUID][]string) error {
	if len(found) == 0 {
		return nil
	}
	var uploads, jobs []uuid.UUID
	for id := range found {
		if prefix == rawPrefix {
			uploads = append(uploads, id)
		} else {
			jobs = append(jobs, id)
		}
	}
	knownUploads, knownJobs, err := s.ledger.Known(ctx, account, uploads, jobs)
	if err != nil {
		return err
	}
	for id, names := range found {
		switch {
		case knownUploads[id]:
			continue
		case knownJobs[id]:
			if err := s.superseded(ctx, account, id, names); err != nil {
				return err
			}
			continue
		}
		for _, name := range names {
			if err := s.store.Delete(ctx, name); err != nil {
				return err
			}
		}
		s.log.Info("orphan swept", "account", account, "prefix", prefix, "id", id, "objects", len(names))
	}
	return nil
}

// parse reads account and upload or job out of a name that blob.RawName or blob.WorkName made.
func parse(prefix, name string) (account, id uuid.UUID, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(name, prefix), "/", 3)
	if len(parts) < 2 {
		return uuid.Nil, uuid.Nil, false
	}
	account, err := uuid.Parse(parts[0])
	if err != nil {
		return uuid.Nil, uuid.Nil, false
	}
	if id, err = uuid.Parse(parts[1]); err != nil {
		return uuid.Nil, uuid.Nil, false
	}
	made := blob.RawName(account, id)
	if prefix == workPrefix {
		made = blob.JobPrefix(account, id)
	}
	return account, id, strings.HasPrefix(name, made)
}
