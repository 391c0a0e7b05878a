package systemtest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateDocs = flag.Bool("update-docs", false, "write what the commands of docs/merging.md and docs/recipes.md say into them")

// page runs the commands that a page of docs shows, each part in an account of its own, and wants them to say what stands
// there. Ids and times may be others: an id of the page stands for the one that has its place in what the command says.
func page(name string) func(*testing.T, *target) {
	return func(t *testing.T, s *target) { runPage(t, s, filepath.Join("..", "..", "docs", name)) }
}

func runPage(t *testing.T, s *target, page string) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitAfter(string(b), "\n## ")
	for i, part := range parts {
		if !strings.Contains(part, "\n$ ") {
			continue
		}
		title, _, _ := strings.Cut(part, "\n")
		t.Run(title, func(t *testing.T) { parts[i] = shown(t, s, part) })
	}
	if *updateDocs {
		if err := os.WriteFile(page, []byte(strings.Join(parts, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shown runs the commands of a part and returns it as it should be.
func shown(t *testing.T, s *target, part string) string {
	a, dir := s.tenant(t, 1000), t.TempDir()
	ids := pairs{theirs: map[string]string{}, ours: map[string]string{}}
	out, inside := strings.Builder{}, false
	for i, block := range strings.SplitAfter(part, "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "\n$ ") {
			out.WriteString(block)
			continue
		}
		inside = true
		out.WriteString("\n")
		for _, step := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(block, "\n$ "), "```"), "\n$ ") {
			command, want, _ := strings.Cut(strings.TrimSuffix(step, "\n"), "\n")
			if name, found := strings.CutPrefix(command, "cat "); found { // shows a file, which is made here
				if err := os.WriteFile(filepath.Join(dir, name), []byte(want+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, "$ %s\n%s\n", command, want)
				continue
			}
			got := trailing.ReplaceAllString(strings.TrimSuffix(a.shell(t, dir, ids.toReal(command)), "\n"), "")
			if diff := cmp.Diff(strings.Split(timeless(want), "\n"), strings.Split(ids.toPage(want, timeless(got)), "\n")); diff != "" {
				t.Errorf("$ %s (-page +said):\n%s", command, diff)
			}
			if timeless(want) == ids.toPage(want, timeless(got)) {
				got = want
			} else {
				got = ids.toPage(want, got)
			}
			fmt.Fprintln(&out, strings.TrimSuffix("$ "+command+"\n"+got, "\n"))
		}
		out.WriteString("```")
	}
	if !inside {
		t.Error("nothing was run")
	}
	return out.String()
}

// shell runs a command line as a reader would.
func (a *tenant) shell(t *testing.T, dir, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(append(foreign(), a.s.client...), "CONTACTMILL_API_KEY="+a.key, "PATH="+a.s.bin+":"+os.Getenv("PATH"), "TZ=UTC")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", command, err)
	}
	return said.String()
}

var (
	anID     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	aTime    = regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?`)
	aMonth   = regexp.MustCompile(`(?m)^20\d\d-\d\d  `)
	trailing = regexp.MustCompile(`(?m) +$`)
	seconds  = regexp.MustCompile(`\d+\.\d s(\n|$)`)
)

// timeless is what was said, without when and how fast.
func timeless(s string) string {
	s = aMonth.ReplaceAllString(aTime.ReplaceAllString(s, "2026-01-01 00:00:00"), "2026-01  ")
	return seconds.ReplaceAllString(s, "0.1 s$1")
}

// pairs are ids of the page and those that they stand for.
type pairs struct{ theirs, ours map[string]string }

// toReal puts the ids that they stand for into a command of the page.
func (p pairs) toReal(command string) string {
	return anID.ReplaceAllStringFunc(command, func(id string) string {
		if real, ok := p.theirs[id]; ok {
			return real
		}
		return id
	})
}

// toPage puts the ids of the page into what was said. One that was not seen yet stands for the one at its place.
func (p pairs) toPage(want, got string) string {
	shown := anID.FindAllString(want, -1)
	for i, real := range anID.FindAllString(got, -1) {
		if _, known := p.ours[real]; known {
			continue
		}
		id := real
		if i < len(shown) && p.theirs[shown[i]] == "" {
			id = shown[i]
		}
		p.ours[real], p.theirs[id] = id, real
	}
	return anID.ReplaceAllStringFunc(got, func(real string) string { return p.ours[real] })
}
