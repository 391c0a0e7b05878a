package model_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contactdb/model"
)

// TestGoldenCases does the sequences in testdata: those in which the database and the model were not alike once, and some
// that tell a story. A line that begins with // is for the reader.
func TestGoldenCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			for _, line := range run(t, w, file) {
				t.Log(line)
			}
		})
	}
}

// run does the sequence of a file and returns what became of each operation, and the account at the end.
func run(t *testing.T, w *world, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := newPair(w, most)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		op, err := model.Parse(schema, p.n+1, line)
		if err != nil {
			t.Fatal(err)
		}
		if again := op.String(schema); again != line {
			t.Fatalf("the line %q is written %q", line, again)
		}
		if diff := p.do(t.Context(), op); diff != "" {
			t.Fatalf("%s\n\n%s", line, diff)
		}
	}
	return p.model.State()
}
