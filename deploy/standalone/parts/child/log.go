package child

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// logLimit is the size in bytes above which a log is put aside at the next start, one old log being kept.
const logLimit = 16 << 20

// OpenLog opens a log file for appending. A log that has grown large is renamed to name.old first.
func OpenLog(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && info.Size() > logLimit {
		if err := os.Rename(name, name+".old"); err != nil {
			return nil, fmt.Errorf("put aside log: %w", err)
		}
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// ReadLog returns what was written to the log after the offset from, at most its last 64 KiB. A log that cannot be read is empty:
// it is only ever used to say more about another error.
func ReadLog(name string, from int64) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	const most = 64 << 10
	b, err := io.ReadAll(io.NewSectionReader(f, max(from, info.Size()-most), most))
	if err != nil {
		return ""
	}
	return string(b)
}

func lastLine(name string, from int64) string {
	lines := strings.Split(strings.TrimSpace(ReadLog(name, from)), "\n")
	return lines[len(lines)-1]
}
