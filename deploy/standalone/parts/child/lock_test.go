package child

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// TestUnlockedWhileAChildIsBeingStarted holds a copy of the lock's descriptor, as a child does between fork and exec.
func TestUnlockedWhileAChildIsBeingStarted(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	held, err := Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(name); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second lock: %v, want %v", err, ErrLocked)
	}
	copied, err := syscall.Dup(int(held.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(copied)
	if err := Unlock(held); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(name)
	if err != nil {
		t.Fatalf("lock again: %v", err)
	}
	if err := Unlock(again); err != nil {
		t.Error(err)
	}
}
