package run_test

import (
	"bytes"
	"context"
	"math"
	"runtime/debug"
	"testing"

	"github.com/contactmill/contactmill/pkg/run"
)

// modest is a service that thinks right what it is.
type modest struct {
	service
	bytes int64
}

func (m modest) UsualMemory() int64 { return m.bytes }

// The limit is the process's, so nothing else runs meanwhile, and it is put back.
func TestMemoryLimit(t *testing.T) {
	none := debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetMemoryLimit(none) })
	for name, c := range map[string]struct {
		env   []string
		usual int64 // of the service
		want  int64
	}{
		"nobody says anything":            {nil, 0, math.MaxInt64},
		"as the service thinks":           {nil, 700 << 20, 700 << 20},
		"as the setting says":             {[]string{"CONTACTMILL_MEMORY_LIMIT_MIB=900"}, 700 << 20, 900 << 20},
		"as the runtime was told":         {[]string{"GOMEMLIMIT=1GiB", "CONTACTMILL_MEMORY_LIMIT_MIB=900"}, 700 << 20, math.MaxInt64},
		"as if the runtime was not asked": {[]string{"GOMEMLIMIT="}, 700 << 20, 700 << 20},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		got := int64(-1)
		s := modest{func(context.Context) error { got = debug.SetMemoryLimit(-1); return nil }, c.usual}
		var w bytes.Buffer
		if code := run.Process("mill", c.env, nil, &w, builder(s)); code != 0 || got != c.want {
			t.Errorf("%s: code %d, the limit is %d, want %d; %s", name, code, got, c.want, w.String())
		}
	}
	var w bytes.Buffer
	if code := run.Process("mill", []string{"CONTACTMILL_MEMORY_LIMIT_MIB=-1"}, nil, &w, builder(modest{})); code != 1 {
		t.Errorf("a negative limit: code %d, %s", code, w.String())
	}
}
