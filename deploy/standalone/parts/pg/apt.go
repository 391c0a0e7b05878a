package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// noCluster keeps Debian's package from making and starting a server of its own, which nobody asked for.
const noCluster = "/etc/postgresql-common/createcluster.d/contactmill.conf"

// fromApt installs the distribution's package, as root only, and says so before it does.
func fromApt(ctx context.Context, o *Options) ([]binaries, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("apt-get needs root")
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return nil, errors.New("there is no apt-get")
	}
	o.progress("installing PostgreSQL on this machine: apt-get install postgresql")
	if err := os.MkdirAll(filepath.Dir(noCluster), 0o755); err != nil {
		return nil, fmt.Errorf("prepare apt-get: %w", err)
	}
	if err := os.WriteFile(noCluster, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return nil, fmt.Errorf("prepare apt-get: %w", err)
	}
	defer os.Remove(noCluster)

	for _, args := range [][]string{
		{"update", "-q"},
		{"install", "-q", "-y", "--no-install-recommends", "postgresql"},
	} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("apt-get %s: %w: %s", args[0], err, tail(out))
		}
	}
	return installed(ctx), nil
}

// tail is the last line of a program's output: where such programs say what went wrong.
func tail(out []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return lines[len(lines)-1]
}
