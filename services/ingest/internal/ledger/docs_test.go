package ledger

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/architecture.md draws the states twice, as a diagram and as a table.
func TestDocsDrawTheStates(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[State][]State{}
	for _, s := range States() {
		want[s] = sorted(Follows(s))
	}

	drawn := map[State][]State{}
	for _, s := range States() {
		drawn[s] = []State{}
	}
	for _, arrow := range regexp.MustCompile(`(?m)^ +([A-Z_]+) --> ([A-Z_]+)$`).FindAllSubmatch(page, -1) {
		from := State(arrow[1])
		drawn[from] = append(drawn[from], State(arrow[2]))
	}
	for s := range drawn {
		drawn[s] = sorted(drawn[s])
	}
	if diff := cmp.Diff(want, drawn); diff != "" {
		t.Errorf("the diagram differs from the table in code (-code +diagram):\n%s", diff)
	}

	listed := map[State][]State{}
	for _, line := range regexp.MustCompile(`(?m)^\| ([A-Z_]+) \|[^|]*\|([A-Z_, ]*)\|$`).FindAllStringSubmatch(string(page), -1) {
		following := []State{}
		for s := range strings.SplitSeq(line[2], ",") {
			if s = strings.TrimSpace(s); s != "" {
				following = append(following, State(s))
			}
		}
		listed[State(line[1])] = sorted(following)
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("the table of the page differs from the table in code (-code +page):\n%s", diff)
	}
}

func sorted(states []State) []State {
	out := append([]State{}, states...)
	slices.Sort(out)
	return out
}
