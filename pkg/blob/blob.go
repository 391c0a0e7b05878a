// Package blob is the S3 storage that holds raw files and what lies between stages.
//
// Each call to the server has a deadline and is tried again where that does no harm, which is everywhere: names are written once with one
// content, so a put whose outcome is unknown is put again. Reads that stall are cut and go on at their offset. Who reads by an Object gets
// the bytes that were written, or DataLoss.
package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	// PartSize is the size in bytes of each part of a multipart upload but the last, which may be smaller. S3 allows no less.
	PartSize = 5 << 20
	// MaxParts is S3's limit; with PartSize it makes 48.8 GiB an object.
	MaxParts = 10_000

	defaultRegion = "us-east-1"
	dialTimeout   = 5 * time.Second
	idleConns     = 32 // kept open, per host
	idleConnFor   = 90 * time.Second
)

// Object names content: its size in bytes and the SHA-256 of all of it.
type Object struct {
	Name   string
	Size   int64
	SHA256 [sha256.Size]byte
}

// Info is what the server tells about an object.
type Info struct {
	Name     string
	Size     int64
	ETag     string
	Modified time.Time
}

// Store is one bucket. It is safe for concurrent use.
type Store struct {
	core   minio.Core
	bucket string
	limits limits
	lines  *http.Transport
}

// Open makes a store of "http(s)://ACCESS:SECRET@HOST[:PORT]/BUCKET[?region=REGION]" and asks the server once whether it accepts the
// credentials. The bucket may be missing still: see EnsureBucket.
func Open(ctx context.Context, address string) (*Store, error) {
	s, err := newStore(address, defaultLimits())
	if err != nil {
		return nil, err
	}
	if _, err := s.exists(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newStore(address string, l limits) (*Store, error) {
	bad := func(why string) error { // without the address: it holds a secret
		return fault.New(fault.Invalid, "blob-address", "address of the S3 storage: %s", why).Hint("http(s)://ACCESS:SECRET@HOST/BUCKET")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, bad("not a URL")
	}
	secret, hasSecret := u.User.Password()
	bucket := strings.Trim(u.Path, "/")
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, bad("the scheme must be http or https")
	case u.Host == "":
		return nil, bad("no host")
	case !hasSecret || u.User.Username() == "":
		return nil, bad("no access key and secret")
	case bucket == "" || strings.Contains(bucket, "/"):
		return nil, bad("the path must be one bucket")
	}
	region := u.Query().Get("region")
	if region == "" {
		region = defaultRegion // set, so that the client does not ask for it
	}
	lines := transport()
	client, err := minio.New(u.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(u.User.Username(), secret, ""),
		Secure:     u.Scheme == "https",
		Region:     region,
		Transport:  lines,
		MaxRetries: 1, // we try again ourselves, with a deadline for each try
	})
	if err != nil {
		return nil, bad("refused by the client library")
	}
	return &Store{core: minio.Core{Client: client}, bucket: bucket, limits: l, lines: lines}, nil
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     idleConnFor,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // bytes and ranges as they are stored
	}
}

// Close gives up idle connections.
func (s *Store) Close() { s.lines.CloseIdleConnections() }

// Ready returns nil if the bucket can be reached.
func (s *Store) Ready(ctx context.Context) error {
	ok, err := s.exists(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Unavailable, "blob-bucket-missing", "bucket %s does not exist", s.bucket)
	}
	return nil
}

// EnsureBucket makes the bucket if it is missing.
func (s *Store) EnsureBucket(ctx context.Context) error {
	ok, err := s.exists(ctx)
	if err != nil || ok {
		return err
	}
	return s.do(ctx, s.limits.call, "make bucket "+s.bucket, func(ctx context.Context) error {
		err := s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{})
		if code := minio.ToErrorResponse(err).Code; code == minio.BucketAlreadyOwnedByYou || code == minio.BucketAlreadyExists {
			return nil // somebody was quicker
		}
		return err
	})
}

func (s *Store) exists(ctx context.Context) (bool, error) {
	var ok bool
	err := s.do(ctx, s.limits.call, "look for bucket "+s.bucket, func(ctx context.Context) (err error) {
		ok, err = s.core.BucketExists(ctx, s.bucket)
		return err
	})
	return ok, err
}

// Put stores size bytes of r under a name. A reader with fewer or more bytes is Invalid, and nothing is stored.
func (s *Store) Put(ctx context.Context, name string, r io.Reader, size int64) (Object, error) {
	w, err := s.Writer(ctx, name)
	if err != nil {
		return Object{}, err
	}
	n, err := io.Copy(w, io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = fault.New(fault.Invalid, "blob-size", "content of %s is not of the %d bytes announced", name, size)
	}
	if err != nil {
		w.Abort()
		return Object{}, fmt.Errorf("put %s: %w", name, err)
	}
	return w.Close()
}

// PutBytes stores content that is in memory already, without a copy of it unless it is more than a part. It is the caller's
// again afterwards.
func (s *Store) PutBytes(ctx context.Context, name string, content []byte) (Object, error) {
	if len(content) > PartSize {
		return s.Put(ctx, name, bytes.NewReader(content), int64(len(content)))
	}
	if err := checkName(name); err != nil {
		return Object{}, err
	}
	o := Object{Name: name, Size: int64(len(content)), SHA256: sha256.Sum256(content)}
	if err := s.putSmall(ctx, name, content, o.SHA256); err != nil {
		return Object{}, err
	}
	return o, nil
}

// Stat tells of an object, or NotFound.
func (s *Store) Stat(ctx context.Context, name string) (Info, error) {
	if err := checkName(name); err != nil {
		return Info{}, err
	}
	var o minio.ObjectInfo
	err := s.do(ctx, s.limits.call, "stat "+name, func(ctx context.Context) (err error) {
		o, err = s.core.StatObject(ctx, s.bucket, name, minio.StatObjectOptions{})
		return err
	})
	if err != nil {
		return Info{}, err
	}
	return toInfo(o), nil
}

// Delete removes an object. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.do(ctx, s.limits.call, "delete "+name, func(ctx context.Context) error {
		err := s.core.RemoveObject(ctx, s.bucket, name, minio.RemoveObjectOptions{})
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			return nil
		}
		return err
	})
}

func toInfo(o minio.ObjectInfo) Info {
	return Info{Name: o.Key, Size: o.Size, ETag: o.ETag, Modified: o.LastModified.UTC()}
}
