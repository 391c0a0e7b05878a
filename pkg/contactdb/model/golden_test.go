package model_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/contactdb/model"
)

var update = flag.Bool("update", false, "write what became of the cases' operations into their files anew")

// TestGoldenCases does the sequences in testdata: some that tell a story, and those in which the database and the model were
// not alike once. An operation is a line; lines that begin with // are for the reader, indented ones say what became of the
// operation before, or at the end what the account is.
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
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, w, string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(b), got); diff != "" {
				t.Errorf("the case (-file +model and database):\n%s", diff)
			}
		})
	}
}

// replay does the sequence in a text with the database and the model, and returns the text with what became of it.
func replay(t *testing.T, w *world, text string) string {
	t.Helper()
	var out strings.Builder
	p := newPair(w, most)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "\t") || line == "account":
			continue
		case line == "" || strings.HasPrefix(line, "//"):
			out.WriteString(line + "\n")
			continue
		}
		op, err := model.Parse(schema, p.n+1, line)
		if err != nil {
			t.Fatal(err)
		}
		if diff := p.do(t.Context(), op); diff != "" {
			t.Fatalf("%s\n\n%s", line, diff)
		}
		out.WriteString(op.String(schema) + "\n" + indented(p.told))
	}
	if diff := p.histories(t.Context()); diff != "" {
		t.Fatal(diff)
	}
	return out.String() + "account\n" + indented(p.model.State())
}

func indented(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\t" + strings.Join(lines, "\n\t") + "\n"
}
