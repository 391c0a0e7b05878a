package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// leaving bounds the wait for a child of a parent that died: the child is told at once, and then leaves.
const leaving = 15 * time.Second

// ErrLocked means that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock opens the file and locks it for as long as the file, or a copy of its descriptor in a child, is open. It does not wait.
func Lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("lock %s: %w", name, err)
}

// Unlock gives the lock back and closes the file. Closing alone would leave it to whatever child is being started just then: until
// it executes its program it holds a copy of every descriptor.
func Unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// lockFor waits for the lock of the part on its directory.
func lockFor(ctx context.Context, dir, part string) (*os.File, error) {
	begun := time.Now()
	for {
		f, err := Lock(filepath.Join(dir, part+".lock"))
		if !errors.Is(err, ErrLocked) {
			return f, err
		}
		if time.Since(begun) > leaving {
			return nil, fmt.Errorf("another %s server runs on %s: stop it, or choose another state directory", part, dir)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lock of %s: %w", dir, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
