package run

import (
	"runtime/debug"
	"strings"
)

// memoryLimit is how many bytes the process is to stay below: what the setting says, else what the service thinks right. 0
// leaves all to the runtime, as does an operator who has set GOMEMLIMIT, which the runtime goes by already.
func memoryLimit(env []string, cfg Config, s Service) int64 {
	for _, line := range env {
		if value, ok := strings.CutPrefix(line, "GOMEMLIMIT="); ok && value != "" {
			return 0
		}
	}
	if cfg.MemoryLimit > 0 {
		return int64(cfg.MemoryLimit) << 20
	}
	if m, ok := s.(interface{ UsualMemory() int64 }); ok {
		return m.UsualMemory()
	}
	return 0
}

// limitMemory has garbage collected in time. It is a soft limit: what is in use is never refused.
func limitMemory(bytes int64) {
	if bytes > 0 {
		debug.SetMemoryLimit(bytes)
	}
}
