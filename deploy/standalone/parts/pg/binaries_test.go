package pg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackageOfAnotherContentIsRefused(t *testing.T) {
	programs := t.TempDir()
	t.Setenv("PATH", programs)
	o := Options{Dir: t.TempDir(), Source: NPM, Cache: t.TempDir()}
	refused := func(want string) {
		t.Helper()
		if s, err := Start(t.Context(), o); err == nil {
			s.Kill()
			t.Fatal("started")
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "CONTACTMILL_DATABASE_URL") {
			t.Errorf("error %q, want one with %q and the ways out", err, want)
		}
	}

	refused("there is no npm")
	script := "#!/bin/sh\nprintf 'something else' > \"$4/package.tgz\"\n"
	if err := os.WriteFile(filepath.Join(programs, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	refused("SHA-512 differs")
	if left, err := os.ReadDir(o.Cache); err != nil || len(left) != 0 {
		t.Errorf("%v %v is left in the cache, want nothing", left, err)
	}
	script = "#!/bin/sh\necho 'code E404' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(programs, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	refused("code E404")
}

func TestExplain(t *testing.T) {
	t.Parallel()
	o := &Options{Dir: "/state", Port: 5432}
	for said, want := range map[string]string{
		"FATAL:  could not write to file \"pg_wal/xlogtemp.7\": No space left on device":             "the disk of /state is full",
		"LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use\nFATAL:  no socket": "port 5432 is taken",
		"FATAL:  lock file \"postmaster.pid\" already exists\nHINT:  Is another running?":            "another PostgreSQL runs on /state/data",
		"FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use":                     "another PostgreSQL runs on /state/data",
		"FATAL:  could not open file \"base\": Permission denied":                                    "PostgreSQL may not use /state",
		"2026-11-21 UTC [7] FATAL:  something new\n2026-11-21 UTC [7] LOG:  shut down":               "something new (all of it is in /state/postgres.log)",
		"": "exit status 1",
	} {
		got := explain(said, o, errors.New("exit status 1")).Error()
		if !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%q is explained as %q, want one line with %q", said, got, want)
		}
	}
}
