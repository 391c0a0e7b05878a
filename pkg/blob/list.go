package blob

import (
	"context"
	"iter"
	"time"

	"github.com/minio/minio-go/v7"
)

// pageSize is how many names one call lists or deletes; S3 allows no more.
const pageSize = 1000

// List yields what lies under a prefix that ends with a slash, in the order of the names. After an error it ends.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Info{}, err)
			return
		}
		after := ""
		for {
			page, err := s.page(ctx, prefix, after)
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, i := range page {
				if !yield(i, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Name
		}
	}
}

// page lists up to pageSize names behind after.
func (s *Store) page(ctx context.Context, prefix, after string) ([]Info, error) {
	var page []Info
	err := s.do(ctx, s.limits.call, "list "+prefix, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		page = page[:0]
		for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: pageSize}) {
			if o.Err != nil {
				return o.Err
			}
			if page = append(page, toInfo(o)); len(page) == pageSize {
				break
			}
		}
		return ctx.Err()
	})
	return page, err
}

// DeletePrefix deletes all that lies under a prefix that ends with a slash.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	after := ""
	for {
		page, err := s.page(ctx, prefix, after)
		if err != nil {
			return err
		}
		if err := s.deleteAll(ctx, prefix, page); err != nil {
			return err
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].Name
	}
}

func (s *Store) deleteAll(ctx context.Context, prefix string, page []Info) error {
	if len(page) == 0 {
		return nil
	}
	return s.do(ctx, s.limits.part, "delete "+prefix, func(ctx context.Context) error {
		names := make(chan minio.ObjectInfo, len(page))
		for _, i := range page {
			names <- minio.ObjectInfo{Key: i.Name}
		}
		close(names)
		var first error
		for e := range s.core.RemoveObjects(ctx, s.bucket, names, minio.RemoveObjectsOptions{}) {
			if first == nil && minio.ToErrorResponse(e.Err).Code != minio.NoSuchKey {
				first = e.Err
			}
		}
		return first
	})
}

// AbortIncomplete aborts the uploads under a prefix that ends with a slash and that were begun before a time, and returns how many.
func (s *Store) AbortIncomplete(ctx context.Context, prefix string, before time.Time) (int, error) {
	if err := checkPrefix(prefix); err != nil {
		return 0, err
	}
	aborted := 0
	var name, id string // behind which the next page begins
	for {
		var page minio.ListMultipartUploadsResult
		err := s.do(ctx, s.limits.call, "list uploads of "+prefix, func(ctx context.Context) (err error) {
			page, err = s.core.ListMultipartUploads(ctx, s.bucket, prefix, name, id, "", pageSize)
			return err
		})
		if err != nil {
			return aborted, err
		}
		for _, u := range page.Uploads {
			if !u.Initiated.Before(before) {
				continue
			}
			if err := s.Abort(ctx, u.Key, u.UploadID); err != nil {
				return aborted, err
			}
			aborted++
		}
		if !page.IsTruncated || page.NextKeyMarker == "" {
			return aborted, nil
		}
		name, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
}
