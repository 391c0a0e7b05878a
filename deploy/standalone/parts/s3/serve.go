package s3

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"github.com/contactmill/contactmill/deploy/standalone/parts/keep"
)

// settings go from Start to the child.
type settings struct {
	Dir     string
	Address string
	Key     key
}

const (
	healthPath = "/healthz"
	// maxRequests bounds the requests worked on at once; more wait for a 503. One process's services hold far fewer.
	maxRequests = 512
	maxParts    = 10000
	// copyLimit is S3's own limit for a copy in one request, in bytes.
	copyLimit = 5 << 30
)

// Serve is the body of the child.
func Serve(ctx context.Context, raw json.RawMessage, ready func(any) error) error {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	backend, err := open(s.Dir)
	if err != nil {
		return err
	}

	// The gateway's end also ends the wait for its health, which a foreign program on the port may keep waiting.
	running, end := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess: s.Key.Access, RootUserSecret: s.Key.Secret, Region: region,
			Ports: []string{s.Address}, MaxConnections: maxRequests, MaxRequests: maxRequests, MultipartMaxParts: maxParts,
			HealthPath: healthPath, KeepAlive: true, DisableACLs: true, Quiet: true,
		})
		end(cmp.Or(err, errors.New("told to end before it was ready")))
		ended <- err
	}()
	if err := healthy(running, "http://"+s.Address+healthPath); err != nil {
		return fmt.Errorf("wait for gateway: %w", err)
	}
	if err := ready(struct{}{}); err != nil {
		return fmt.Errorf("report to parent: %w", err)
	}
	return <-ended
}

// healthy waits until url answers, or ctx ends and gives its cause.
func healthy(ctx context.Context, url string) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("make request: %w", err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// open opens the backend, with metadata in extended attributes if the file system has them and in files beside the data if not.
// The choice is kept in a file, because neither finds the metadata of the other.
func open(dir string) (*durable, error) {
	data, beside := filepath.Join(dir, "data"), filepath.Join(dir, "meta")
	options := posix.PosixOpts{CopyObjectThreshold: copyLimit} // zero, the library's default, refuses every copy
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)

	var storer meta.MetadataStorer = meta.XattrMeta{}
	sidecar, err := wantSidecar(dir, data)
	if err != nil {
		return nil, err
	}
	if sidecar {
		files, err := meta.NewSideCar(beside)
		if err != nil {
			return nil, fmt.Errorf("open metadata: %w", err)
		}
		storer, options.SideCarDir = files, beside
	} else {
		beside = ""
	}
	backend, err := posix.New(data, storer, options)
	if err != nil {
		return nil, fmt.Errorf("open objects: %w", err)
	}
	return newDurable(backend, data, beside), nil
}

func wantSidecar(dir, data string) (bool, error) {
	choice := filepath.Join(dir, "metadata")
	if b, err := os.ReadFile(choice); err == nil {
		return string(b) == "files", nil
	}
	kind := "attributes"
	if err := probeAttributes(data); err != nil {
		kind = "files"
	}
	if err := keep.File(choice, []byte(kind)); err != nil {
		return false, fmt.Errorf("keep the kind of metadata: %w", err)
	}
	return kind == "files", nil
}

// probeAttributes sets an attribute and reads it back. The library's own probe only reads, which some file systems allow that cannot set.
func probeAttributes(dir string) error {
	const name, value = "probe", "1"
	var attributes meta.XattrMeta
	if err := attributes.StoreAttribute(nil, dir, "", name, []byte(value)); err != nil {
		return err
	}
	if got, err := attributes.RetrieveAttribute(nil, dir, "", name); err != nil || string(got) != value {
		return fmt.Errorf("attribute reads %q: %w", got, err)
	}
	return attributes.DeleteAttribute(dir, "", name)
}
