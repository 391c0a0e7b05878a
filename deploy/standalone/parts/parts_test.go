package parts

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/nats-io/nats.go"

	"github.com/contactmill/contactmill/deploy/standalone/parts/pg"
)

// helperState makes the test binary a program that starts all parts and waits to be killed.
const helperState = "PARTS_TEST_HELPER_STATE"

func TestMain(m *testing.M) {
	Child()
	if state := os.Getenv(helperState); state != "" {
		p, err := Start(context.Background(), options(state))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(strings.Join(p.Env(), " "))
		<-p.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func options(state string) Options {
	return Options{
		State: state, PostgresSource: pg.Source(os.Getenv("CONTACTMILL_POSTGRES")),
		PostgresSettings: map[string]string{"shared_buffers": "32MB"},
	}
}

func start(t *testing.T, o Options) *Parts {
	t.Helper()
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	return p
}

// answers asks every server that the environment names.
func answers(ctx context.Context, env []string) error {
	found := map[string]string{}
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		found[name] = value
	}
	conn, err := pgx.Connect(ctx, found["CONTACTMILL_TEST_POSTGRES"])
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	client, err := nats.Connect(found["CONTACTMILL_TEST_NATS"])
	if err != nil {
		return err
	}
	defer client.Close()
	u, err := url.Parse(found["CONTACTMILL_TEST_S3"])
	if err != nil {
		return err
	}
	secret, _ := u.User.Password()
	store, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(u.User.Username(), secret, "")})
	if err != nil {
		return err
	}
	if there, err := store.BucketExists(ctx, strings.TrimPrefix(u.Path, "/")); err != nil || !there {
		return fmt.Errorf("bucket %s: %v %w", u.Path, there, err)
	}
	if _, err := os.Stat(found["CONTACTMILL_TEST_MAILDIR"]); err != nil {
		return err
	}
	return nil
}

func TestAllPartsAnswerAndComeBack(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	p := start(t, o)
	if err := answers(t.Context(), p.Env()); err != nil {
		t.Error(err)
	}
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second start on the same state: error %v, want one that says that it is in use", err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	<-p.Done()
	if err := p.Err(); err != nil {
		t.Errorf("ended with %v, want a clean end", err)
	}

	o.Ports = Ports{Postgres: p.Postgres.Port(), S3: p.S3.Port(), NATS: p.NATS.Port(), SMTP: p.Mail.Port()}
	o.NATSChild = true
	again := start(t, o)
	if diff := cmp.Diff(p.Env(), again.Env()); diff != "" {
		t.Errorf("environment after a restart on the same ports (-want +got):\n%s", diff)
	}
	if err := answers(t.Context(), again.Env()); err != nil {
		t.Error(err)
	}
}

func TestDoneTellsWhichPartEnded(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(p *Parts){
		"PostgreSQL":    func(p *Parts) { p.Postgres.Kill() },
		"the S3 server": func(p *Parts) { p.S3.Kill() },
		"NATS":          func(p *Parts) { p.NATS.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			o.NATSChild = true
			p := start(t, o)
			kill(p)
			<-p.Done()
			if err := p.Err(); err == nil || !strings.HasPrefix(err.Error(), name+" ended") {
				t.Errorf("error %v, want one that names %s", err, name)
			}
			if err := p.Stop(); err != nil {
				t.Errorf("stop of the rest: %v", err)
			}
		})
	}
}

func TestNothingIsLeftWhenAPartDoesNotStart(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	if err := os.WriteFile(filepath.Join(o.State, "mail"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "mail directory") {
		t.Fatalf("error %v, want one about the mail directory", err)
	}
	if err := os.Remove(filepath.Join(o.State, "mail")); err != nil {
		t.Fatal(err)
	}
	start(t, o)
}

func TestPartsEndWithTheirParent(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helperState+"="+state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := answers(t.Context(), strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()

	p := start(t, options(state)) // waits for the children of the dead parent to leave
	if err := answers(t.Context(), p.Env()); err != nil {
		t.Error(err)
	}
}

func TestOutsideDatabase(t *testing.T) {
	t.Parallel()
	outside, err := pg.Start(t.Context(), pg.Options{Dir: t.TempDir(), Settings: map[string]string{"shared_buffers": "32MB"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(outside.Kill)
	o := options(t.TempDir())
	o.Setenv(func(name string) string {
		return map[string]string{"CONTACTMILL_DATABASE_URL": outside.URL()}[name]
	})
	p := start(t, o)
	if p.Postgres != nil || p.DatabaseURL() != outside.URL() {
		t.Error("the outside database is not used")
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if outside.Err() != nil {
		t.Error("the outside database was stopped")
	}

	conn, err := pgx.Connect(t.Context(), outside.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "CREATE ROLE weak LOGIN PASSWORD 'weak'"); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(outside.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("weak", "weak")
	o.DatabaseURL = u.String()
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "CREATEROLE") {
		t.Errorf("error %v, want one that says what the user lacks", err)
	}
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t.TempDir())
	o.Progress = func(string) { cancel() }
	if _, err := Start(ctx, o); err == nil {
		t.Error("started although it was cancelled")
	}
	o.Progress = nil
	start(t, o)
}
