package model_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tally counts what became of rows and edits: sequences that never come to a rule show nothing of it.
type tally struct {
	mu  sync.Mutex
	met map[string]int
}

// rare is so often that all of these come up.
const rare = 2000

// all are the outcomes and refusals that the rules have.
var all = []string{
	"ADDED", "ADDED restored", "CONFLICT duplicate-contact", "CONFLICT several-contacts", "DUPLICATE duplicate-contact", "DUPLICATE known-contact",
	"DUPLICATE repeats-row", "HELD changed-since", "HELD key-taken", "HELD plan-changed", "HELD touched", "INVALID no-key", "INVALID phone-invalid", "UNCHANGED",
	"UNCHANGED already-undone", "UNCHANGED consent-kept", "UNCHANGED kept-by-rule", "UNCHANGED newer-here", "UNMATCHED no-contact", "UPDATED",
	"UPDATED consent-kept", "UPDATED kept-by-rule", "UPDATED newer-here", "UPDATED put-back", "UPDATED removed", "added", "called", "set",
	"refused: consent-kept", "refused: duplicate-contact", "refused: no-plan", "refused: not-undoable", "refused: package-too-small", "refused: several-contacts",
	"refused: unknown-contact",
}

// add takes what was said of an operation: the words before any contact, line or number.
func (y *tally) add(lines []string) {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, l := range lines {
		if strings.HasPrefix(l, "all: ") {
			continue
		}
		l, _, _ = strings.Cut(l, ";")
		l, _, _ = strings.Cut(l, "#")
		l, _, _ = strings.Cut(l, " line")
		y.met[strings.TrimSpace(l)]++
	}
}

func (y *tally) check(t *testing.T) {
	var lines []string
	for _, word := range slices.Sorted(maps.Keys(y.met)) {
		lines = append(lines, fmt.Sprintf("%6d %s", y.met[word], word))
		if !slices.Contains(all, word) {
			t.Errorf("nobody says what %q is", word)
		}
	}
	t.Logf("what came up:\n%s", strings.Join(lines, "\n"))
	if n, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String()); err != nil || n*lanes < rare || t.Failed() {
		return
	}
	for _, word := range all {
		if y.met[word] == 0 {
			t.Errorf("%q never came up", word)
		}
	}
}
