package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/contactmill/contactmill/deploy/standalone/parts"
)

// asMain makes the test binary the command itself.
const asMain = "PARTS_TEST_MAIN"

func TestMain(m *testing.M) {
	parts.Child()
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

func lent(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asMain+"=1", "TMPDIR="+t.TempDir())
	return cmd
}

func TestCommandGetsPartsAndGivesItsCode(t *testing.T) {
	t.Parallel()
	cmd := lent(t, "--", "sh", "-c", `
		for name in POSTGRES NATS S3 SMTP MAILDIR; do eval "test -n \"\$CONTACTMILL_TEST_$name\"" || exit 1; done
		test -d "$CONTACTMILL_TEST_MAILDIR" && exit 7`)
	var said bytes.Buffer
	cmd.Stderr = &said
	_ = cmd.Run() // the code is the result
	if got := cmd.ProcessState.ExitCode(); got != 7 {
		t.Errorf("exit code %d, want the command's 7; it said:\n%s", got, &said)
	}
	left, err := os.ReadDir(strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "TMPDIR="))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%v is left in the temporary directory, want nothing", left)
	}
}

func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	cmd := lent(t, "--", "/no/such/command")
	_ = cmd.Run() // the code is the result
	if got := cmd.ProcessState.ExitCode(); got != 127 {
		t.Errorf("exit code %d, want 127", got)
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	t.Parallel()
	cmd := lent(t, "--", "sh", "-c", `trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("command says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code is the result
	if got := cmd.ProcessState.ExitCode(); got != 9 {
		t.Errorf("exit code %d, want the command's 9", got)
	}
}

func TestWithoutACommandItExportsAndStays(t *testing.T) {
	t.Parallel()
	cmd := lent(t, "--state", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, name := range []string{"POSTGRES", "NATS", "S3", "SMTP", "MAILDIR"} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "export CONTACTMILL_TEST_"+name+"='") {
			t.Errorf("line %q, want the export of %s", lines.Text(), name)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v, want code 0", err)
	}
}
