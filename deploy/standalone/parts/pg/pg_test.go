package pg

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// helperDir makes the test binary a program that starts a server in the directory named and waits to be killed.
const helperDir = "PG_TEST_HELPER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		s, err := Start(context.Background(), options(dir))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("ready", s.PID(), s.URL())
		<-s.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// options run the tests on the source that the environment asks for.
func options(dir string) Options {
	return Options{Dir: dir, Source: Source(os.Getenv("CONTACTMILL_POSTGRES")), Settings: map[string]string{"shared_buffers": "32MB"}}
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func query[T any](t *testing.T, s *Server, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

func TestClusterIsDurableAndComesBack(t *testing.T) {
	t.Parallel()
	var told []string
	o := options(t.TempDir())
	o.Progress = func(s string) { told = append(told, s) }
	s := start(t, o)
	got := map[string]string{}
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "data_checksums", "server_encoding", "lc_collate", "password_encryption", "max_connections", "log_error_verbosity"} {
		if name == "lc_collate" { // no setting since 16
			got[name] = query[string](t, s, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'")
			continue
		}
		got[name] = query[string](t, s, "SELECT current_setting($1)", name)
	}
	want := map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on", "server_encoding": "UTF8",
		"lc_collate": "C", "password_encryption": "scram-sha-256", "max_connections": "200", "log_error_verbosity": "terse"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if len(told) == 0 || !strings.Contains(strings.Join(told, "\n"), "making a new PostgreSQL") {
		t.Errorf("told %q, want a word about the new cluster", told)
	}
	if info, err := os.Stat(o.password()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v %v, want mode 0600", info, err)
	}

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	told = nil
	start(t, o)
	if strings.Contains(strings.Join(told, "\n"), "making") {
		t.Errorf("told %q at the second start, want nothing about a new cluster", told)
	}
}

func TestCompressionIsOneThatTheServerWasBuiltWith(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	if err := start(t, o).Stop(); err != nil {
		t.Fatal(err)
	}
	bin, err := locate(t.Context(), &o, 0)
	if err != nil {
		t.Fatal(err)
	}
	id, err := identityFor(bin, &o)
	if err != nil {
		t.Fatal(err)
	}
	for best, want := range map[string]string{"pglz": "pglz", "unknown": "on"} {
		if got := compression(t.Context(), bin, id, &o, best); got != want {
			t.Errorf("compression is %q where %q is best, want %q", got, best, want)
		}
	}
}

func TestAcknowledgedRowsSurviveKill(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	s := start(t, o)
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (n int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	const killAt = 200
	acknowledged := 0
	for n := 0; ; n++ {
		if _, err := conn.Exec(t.Context(), "INSERT INTO kept VALUES ($1)", n); err != nil {
			break
		}
		if acknowledged++; acknowledged == killAt {
			s.Kill()
		}
	}

	o.Port = s.Port()
	again := start(t, o)
	if got := query[int](t, again, "SELECT count(*)::int FROM kept"); got < acknowledged {
		t.Errorf("%d rows after kill -9, want at least the %d acknowledged ones", got, acknowledged)
	}
	if again.URL() != s.URL() {
		t.Errorf("another URL after the restart on the same port")
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
	if err := again.Err(); err != nil {
		t.Errorf("server ended with %v, want a clean end", err)
	}
}

// helper starts the test binary as a parent of a server and returns it with the server's pid and URL.
func helper(t *testing.T, dir string, as *syscall.Credential) (parent *exec.Cmd, pid int, url string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe") // the path of the binary may be closed to the other user
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), helperDir+"="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(line, "ready %d %s", &pid, &url); err != nil {
		t.Fatalf("helper says %q", line)
	}
	return cmd, pid, url
}

func TestServerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent, _, url := helper(t, dir, nil)
	parent.Process.Kill()
	parent.Wait()

	s := start(t, options(dir)) // waits until the orphan is gone
	log, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "received fast shutdown request") {
		t.Errorf("the orphan was not shut down cleanly; log:\n%s", log)
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil && s.URL() != url {
		conn.Close(context.Background())
		t.Error("the server of the dead parent still answers")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestEveryUserCanRunIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become other users; as an ordinary user every other test shows the same")
	}
	t.Parallel()
	open := func(t *testing.T) string {
		dir, err := os.MkdirTemp("", "pg-test-*")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
		return dir
	}

	t.Run("root drops its rights", func(t *testing.T) {
		t.Parallel()
		o := options(filepath.Join(open(t), "postgres"))
		s := start(t, o)
		if uid := ownerOf(t, fmt.Sprintf("/proc/%d", s.PID())); uid == 0 {
			t.Error("PostgreSQL runs as root")
		}
		if uid := ownerOf(t, o.password()); uid != 0 {
			t.Errorf("password belongs to uid %d, want root", uid)
		}
	})
	t.Run("root in a closed directory", func(t *testing.T) {
		t.Parallel()
		dir := open(t)
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		o := options(filepath.Join(dir, "postgres"))
		if err := start(t, o).Stop(); err != nil {
			t.Fatal(err)
		}
		start(t, o)
	})
	for name, uid := range map[string]int{"ordinary user": nobody, "uid without a name": 54321} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := open(t)
			if err := os.Chown(dir, uid, uid); err != nil {
				t.Fatal(err)
			}
			_, pid, _ := helper(t, dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}})
			if got := ownerOf(t, fmt.Sprintf("/proc/%d", pid)); got != uid {
				t.Errorf("PostgreSQL runs as uid %d, want %d", got, uid)
			}
		})
	}
}

func ownerOf(t *testing.T, name string) int {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

func TestErrorsNameTheWayOut(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	other := t.TempDir()
	if err := os.Mkdir(filepath.Join(other, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "data", "PG_VERSION"), []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	port := options(t.TempDir())
	port.Port = taken.Addr().(*net.TCPAddr).Port
	source := options(t.TempDir())
	source.Source = "cargo"

	for name, test := range map[string]struct {
		o    Options
		want []string
	}{
		"port taken":      {port, []string{fmt.Sprint("port ", port.Port), "choose another port"}},
		"another version": {options(other), []string{"was made by PostgreSQL 12", "install PostgreSQL 12", "another state directory"}},
		"no directory":    {options(filepath.Join(file, "state")), []string{"state directory", "choose another one"}},
		"unknown source":  {source, []string{`"cargo"`, "installed, npm or apt"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Start(t.Context(), test.o)
			if err == nil {
				s.Kill()
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") && name != "another version" {
				t.Errorf("error %q is more than one line", err)
			}
		})
	}
}

func TestBuffersAreAPartOfTheMemory(t *testing.T) {
	t.Parallel()
	for memory, want := range map[uint64]string{0: "128MB", 1 << 30: "128MB", 8 << 30: "512MB", 24 << 30: "1536MB", 1 << 40: "2048MB"} {
		if got := buffers(memory); got != want {
			t.Errorf("of %d MiB: %s, want %s", memory>>20, got, want)
		}
	}
	if memory() < 64<<20 {
		t.Errorf("this machine has %d bytes of memory", memory())
	}
}
