package stage

import (
	"context"
	"testing"
)

// idle is a service that does nothing.
type idle struct{}

func (idle) Run(context.Context) error { return nil }
func (idle) Ready() error              { return nil }
func (idle) Close()                    {}

// modest is one that says what memory it needs.
type modest struct{ idle }

func (modest) UsualMemory() int64 { return 700 << 20 }

// What a service says of its memory is what its process says.
func TestUsualMemory(t *testing.T) {
	t.Parallel()
	for want, s := range map[int64]Service{0: idle{}, 700 << 20: modest{}} {
		if got := (serving{Service: s}).UsualMemory(); got != want {
			t.Errorf("the process of %T says %d bytes, want %d", s, got, want)
		}
	}
}
