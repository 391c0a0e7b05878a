package pg

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/deploy/standalone/parts/keep"
)

// owner is the superuser of a cluster.
const owner = "owner"

// clusterMajor is the major version of the cluster in data, 0 if there is none.
func clusterMajor(data string) (int, error) {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read version of cluster: %w: start as the user who made it, or choose another state directory", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("%s is not a cluster of PostgreSQL %d or later: choose another state directory", data, Oldest)
	}
	return major, nil
}

// secret reads the owner's password, and makes one first if there is none. It is written before the cluster, so that no cluster
// is ever without it.
func secret(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err == nil && len(bytes.TrimSpace(b)) > 0 {
		return string(bytes.TrimSpace(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read password: %w", err)
	}
	password := rand.Text()
	if err := keep.File(name, []byte(password+"\n")); err != nil {
		return "", fmt.Errorf("keep password: %w", err)
	}
	return password, nil
}

// initialise makes the cluster beside its place and moves it there when it is complete.
func initialise(ctx context.Context, bin binaries, id identity, o *Options, password string) error {
	fresh := o.data() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear a half-made cluster: %w", err)
	}
	if err := os.RemoveAll(o.data()); err != nil { // without PG_VERSION: a directory that never was a cluster
		return fmt.Errorf("clear a half-made cluster: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("make directory of cluster: %w", err)
	}
	if err := id.give(fresh); err != nil {
		return fmt.Errorf("give directory of cluster to uid %d: %w", id.uid, err)
	}
	handed, err := os.CreateTemp(o.Dir, ".initdb-*") // initdb reads the password as the identity
	if err != nil {
		return fmt.Errorf("hand over password: %w", err)
	}
	defer os.Remove(handed.Name())
	_, err = handed.WriteString(password)
	if err := errors.Join(err, handed.Close(), id.give(handed.Name())); err != nil {
		return fmt.Errorf("hand over password: %w", err)
	}

	cmd := command(ctx, bin, id, o.Dir, "initdb", "-D", fresh, "-U", owner, "--auth=scram-sha-256", "--pwfile="+handed.Name(),
		"--encoding=UTF8", "--locale=C", "--data-checksums")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make cluster: %w", explain(string(out), o, err))
	}
	if err := os.Rename(fresh, o.data()); err != nil {
		return fmt.Errorf("move cluster into place: %w", err)
	}
	return keep.Dir(o.Dir)
}
