package systemtest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shortest is the client that the documentation keeps: built as it stands there, it hands a file in and prints the report.
func shortest(t *testing.T, s *target) {
	program := filepath.Join(t.TempDir(), "client")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "docs", "client")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build docs/client: %v\n%s", err, said)
	}
	a := s.tenant(t, 100)
	name := file(t, "f.csv", table(append(people(0, 20), entry{person: 30, bad: true})))
	hand := func() [][]string {
		cmd := exec.CommandContext(t.Context(), program, name, "client-1")
		cmd.Env = append(foreign(), "CONTACTMILL_ADDR="+s.ingest[0], "CONTACTMILL_API_KEY="+a.key)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("docs/client: %v\n%s", err, &said)
		}
		if !strings.Contains(said.String(), "COMPLETED_WITH_REJECTS") {
			t.Errorf("docs/client does not tell how the job ended:\n%s", &said)
		}
		return records(t, out.Bytes())
	}
	if rows := hand(); len(rows) != 22 {
		t.Errorf("docs/client prints a report of %d lines, want 22", len(rows))
	}
	hand() // the same request id is the same submission
	if j := a.get(t, "1"); j.Counts.Added != 20 || a.held(t) != 20 {
		t.Errorf("the job ended as %+v, want 20 added", j)
	}
	if r := a.command(t, "jobs", "get", "2"); r.code != 4 {
		t.Errorf("the same request sent again made a second job: %v", r)
	}
}
