// Package s3 runs an S3 server on a directory, as a child process: VersityGW's gateway over its posix backend.
//
// Everything it acknowledges is on disk: data, metadata and directory entries of a put, a part, a completed multipart upload, a
// copy and a deletion (see durable.go). The child exists because the backend changes the working directory of its process.
// The server has no lifecycle rules of its own.
package s3

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
	"github.com/contactmill/contactmill/deploy/standalone/parts/keep"
)

// Part is the name of the child.
const Part = "s3"

const (
	region     = "us-east-1"
	stopWithin = 20 * time.Second
	// portTries bounds how often another port is tried: the gateway cannot be handed a socket, so a free port may be lost to another program.
	portTries = 5
)

// Options of a server. Dir is required.
type Options struct {
	// Dir holds the objects, their metadata where the file system cannot keep it, the credentials and the log.
	Dir string
	// Bucket is made if it does not exist; by default "contactmill".
	Bucket string
	// Port to listen on; 0 lets the kernel choose.
	Port int
}

// Server is a running server.
type Server struct {
	process *child.Process
	address string
	bucket  string
	key     key
}

// key is the credential, kept in the file key.json.
type key struct {
	Access string `json:"access"`
	Secret string `json:"secret"`
}

// Start starts the server and returns when its bucket is there.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Bucket == "" {
		o.Bucket = "contactmill"
	}
	for _, dir := range []string{"data", "meta"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make directory of the S3 server: %w: choose another state directory", err)
		}
	}
	k, err := credential(filepath.Join(o.Dir, "key.json"))
	if err != nil {
		return nil, err
	}

	var s *Server
	for try := 1; ; try++ {
		s, err = launch(ctx, o, k)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "address already in use") {
			return nil, err
		}
		if o.Port != 0 {
			return nil, fmt.Errorf("port %d is taken by another program: choose another port, or let the kernel choose (0)", o.Port)
		}
		if try == portTries || ctx.Err() != nil {
			return nil, err
		}
	}
	if err := s.makeBucket(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

func launch(ctx context.Context, o Options, k key) (*Server, error) {
	port := o.Port
	if port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("look for a free port: %w", err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("make %s absolute: %w", o.Dir, err)
	}
	var answer struct{}
	process, err := child.Again(ctx, Part, settings{Dir: dir, Address: address, Key: k}, &answer, filepath.Join(dir, "s3.log"))
	if err != nil {
		return nil, err
	}
	return &Server{process: process, address: address, bucket: o.Bucket, key: k}, nil
}

func (s *Server) makeBucket(ctx context.Context) error {
	client, err := minio.New(s.address, &minio.Options{Creds: credentials.NewStaticV4(s.key.Access, s.key.Secret, ""), Region: region})
	if err != nil {
		return fmt.Errorf("make S3 client: %w", err)
	}
	exists, err := client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("look for bucket %s: %w", s.bucket, err)
	}
	if exists {
		return nil
	}
	if err := client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: region}); err != nil {
		return fmt.Errorf("make bucket %s: %w", s.bucket, err)
	}
	return nil
}

// URL is http://ACCESS:SECRET@127.0.0.1:PORT/BUCKET.
func (s *Server) URL() string {
	u := url.URL{Scheme: "http", User: url.UserPassword(s.key.Access, s.key.Secret), Host: s.address, Path: "/" + s.bucket}
	return u.String()
}

// Port the server listens on.
func (s *Server) Port() int {
	addr, err := net.ResolveTCPAddr("tcp", s.address)
	if err != nil {
		return 0 // cannot be: the address is ours
	}
	return addr.Port
}

// PID of the child.
func (s *Server) PID() int { return s.process.PID() }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err tells how the server ended; nil while it runs.
func (s *Server) Err() error { return s.process.Err() }

// Stop lets running requests finish and ends the server.
func (s *Server) Stop() error {
	if err := s.process.Stop(syscall.SIGTERM, stopWithin); err != nil {
		return fmt.Errorf("stop S3 server: %w", err)
	}
	return nil
}

// Kill ends the server at once, in the middle of its requests.
func (s *Server) Kill() { s.process.Kill() }

// credential reads the key, and makes one first if there is none.
func credential(name string) (key, error) {
	var k key
	b, err := os.ReadFile(name)
	if err == nil {
		if err := json.Unmarshal(b, &k); err != nil || k.Access == "" || k.Secret == "" {
			return key{}, fmt.Errorf("%s holds no S3 credential: put the old file back, or remove it to get a new one", name)
		}
		return k, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key{}, fmt.Errorf("read S3 credential: %w", err)
	}
	k = key{Access: rand.Text()[:20], Secret: rand.Text() + rand.Text()}
	b, err = json.Marshal(k)
	if err != nil {
		return key{}, fmt.Errorf("encode S3 credential: %w", err)
	}
	if err := keep.File(name, b); err != nil {
		return key{}, fmt.Errorf("keep S3 credential: %w", err)
	}
	return k, nil
}
