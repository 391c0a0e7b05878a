package s3

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// durable adds to the posix backend what it lacks: nothing is acknowledged before it is on disk.
//
// The order of a put is: data synced, file linked into its directory, file synced again for its attributes, directories synced. So a
// name never appears with less than all of its data, even after a power cut in the middle.
type durable struct {
	*posix.Posix
	data   string // directory of the buckets
	beside string // directory of metadata kept in files; empty if it is in attributes
	dirs   *directories
	ends   ends
}

func newDurable(p *posix.Posix, data, beside string) *durable {
	return &durable{Posix: p, data: data, beside: beside, dirs: newDirectories()}
}

func (d *durable) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if err := d.Posix.CreateBucket(ctx, in, acl); err != nil {
		return err
	}
	return d.settle(*in.Bucket, "")
}

func (d *durable) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := d.PutObjectWithPostFunc(ctx, in, syncData)
	if err != nil {
		return out, err
	}
	return out, d.settle(*in.Bucket, *in.Key)
}

func (d *durable) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := d.Posix.CopyObject(ctx, in)
	if err != nil {
		return out, err
	}
	return out, d.settle(*in.Bucket, *in.Key)
}

func (d *durable) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	out, err := d.Posix.CreateMultipartUpload(ctx, in)
	if err != nil {
		return out, err
	}
	upload := d.upload(*in.Key, out.UploadId)
	if err := d.settle(*in.Bucket, filepath.Dir(upload)); err != nil { // it carries the name of the object
		return out, err
	}
	return out, d.settle(*in.Bucket, upload)
}

func (d *durable) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	// The backend makes the directories that it misses when it links a part. One that is still on its way when its upload ends must not bring
	// that back.
	upload := filepath.Join(d.data, *in.Bucket, d.upload(*in.Key, *in.UploadId))
	done := func() {}
	var over error
	out, err := d.UploadPartWithPostFunc(ctx, in, func(f *os.File) error {
		if err := syncData(f); err != nil {
			return err
		}
		done = d.ends.hold(*in.UploadId)
		if _, err := os.Lstat(upload); errors.Is(err, fs.ErrNotExist) {
			over = s3err.GetNoSuchUploadErr(*in.UploadId)
		}
		return over
	})
	done()
	if over != nil {
		return nil, over // the backend would make it an error of the server
	}
	if err != nil {
		return out, err
	}
	return out, d.settle(*in.Bucket, d.part(*in.Key, *in.UploadId, *in.PartNumber))
}

func (d *durable) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	out, err := d.Posix.UploadPartCopy(ctx, in)
	if err != nil {
		return out, err
	}
	return out, d.settle(*in.Bucket, d.part(*in.Key, *in.UploadId, *in.PartNumber))
}

// CompleteMultipartUpload syncs the assembled data while it is written: the backend links it and removes the parts in one go, and
// whoever asks again after a crash in between must find all of the object.
func (d *durable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	assemble := func(part, whole *os.File) (bool, error) {
		if _, err := io.Copy(whole, part); err != nil {
			return true, err // the backend goes on from here by other means
		}
		return true, syncData(whole)
	}
	defer d.ends.end(*in.UploadId)()
	defer d.dirs.removing(d.parents(*in.Bucket, d.upload(*in.Key, *in.UploadId)))()
	out, version, err := d.CompleteMultipartUploadWithCopy(ctx, in, assemble)
	if err != nil {
		return out, version, err
	}
	return out, version, d.settle(*in.Bucket, *in.Key)
}

func (d *durable) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	upload := d.upload(*in.Key, *in.UploadId)
	defer d.ends.end(*in.UploadId)()
	defer d.dirs.removing(d.parents(*in.Bucket, upload))()
	if err := d.Posix.AbortMultipartUpload(ctx, in); err != nil {
		return err
	}
	return d.settleRemoval(*in.Bucket, upload)
}

func (d *durable) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	defer d.dirs.removing(d.parents(*in.Bucket, *in.Key))()
	out, err := d.Posix.DeleteObject(ctx, in)
	if err != nil {
		return out, err
	}
	return out, d.settleRemoval(*in.Bucket, *in.Key)
}

func (d *durable) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var gone []string
	for _, object := range in.Delete.Objects {
		gone = append(gone, d.parents(*in.Bucket, *object.Key)...)
	}
	defer d.dirs.removing(gone)()
	out, err := d.Posix.DeleteObjects(ctx, in)
	if err != nil {
		return out, err
	}
	keys := make([]string, len(out.Deleted))
	for i, object := range out.Deleted {
		keys[i] = *object.Key
	}
	return out, d.settleRemoval(*in.Bucket, keys...)
}

// ends keeps the end of a multipart upload apart from its parts that are being linked. A few uploads share a lock.
type ends [64]sync.RWMutex

var endsSeed = maphash.MakeSeed()

func (e *ends) of(upload string) *sync.RWMutex {
	return &e[maphash.String(endsSeed, upload)%uint64(len(e))]
}

// hold keeps an upload from ending until the returned function is called.
func (e *ends) hold(upload string) (done func()) {
	e.of(upload).RLock()
	return e.of(upload).RUnlock
}

// end waits for the parts of an upload that are being linked and keeps others from it until the returned function is called.
func (e *ends) end(upload string) (done func()) {
	e.of(upload).Lock()
	return e.of(upload).Unlock
}
