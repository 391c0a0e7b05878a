package mapping_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/mapping"
)

// truth is what a heading means: right is the field's name or "", narrow says that no field is right too.
type truth struct {
	heading, right string
	narrow         bool
}

// vendors reads testdata/headings.txt.
func vendors(t testing.TB) (names []string, of map[string][]truth) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "headings.txt"))
	if err != nil {
		t.Fatal(err)
	}
	of = map[string][]truth{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch heading, right, _ := strings.Cut(line, "\t"); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			names = append(names, strings.Trim(line, "[]"))
		default:
			narrow := strings.HasPrefix(right, "?")
			name := names[len(names)-1]
			of[name] = append(of[name], truth{heading, strings.Trim(right, "?-"), narrow})
		}
	}
	return names, of
}

// score counts what became of headings.
type score struct{ right, wrong, missed int }

func (s score) String() string {
	n := float64(max(s.right+s.wrong+s.missed, 1)) / 100
	return fmt.Sprintf("%d right (%.1f %%), %d wrong (%.1f %%), %d not at all (%.1f %%)", s.right, float64(s.right)/n, s.wrong, float64(s.wrong)/n, s.missed, float64(s.missed)/n)
}

func (s *score) add(w truth, got string) (good bool) {
	switch {
	case got == w.right || got == "" && w.narrow:
		s.right++
		return true
	case got == "":
		s.missed++
	default:
		s.wrong++
	}
	return false
}

func TestVendors(t *testing.T) {
	t.Parallel()
	names, of := vendors(t)
	var all score
	for _, name := range names {
		for _, w := range of[name] {
			got := alone(w.heading, nil)
			if !all.add(w, got.Field.String()) {
				t.Logf("%s: %q is %q with %.2f by %q (guess %q), want %q", name, w.heading, got.Field, got.Confidence, got.How, got.Guess, w.right)
			}
		}
	}
	t.Logf("headings of %d programs: %s", len(names), all)
	if all.wrong > 0 || all.missed > 3 {
		t.Error("was: none wrong, 3 not at all")
	}
}

// TestSlips writes the programs' headings with a slip of the pen in them. What slips into another word that is right is
// wrong here, and cannot be told.
func TestSlips(t *testing.T) {
	t.Parallel()
	names, of := vendors(t)
	var all score
	seen, n := map[string]bool{}, 0
	for _, name := range names {
		for _, w := range of[name] {
			if seen[w.heading] {
				continue
			}
			seen[w.heading] = true
			for _, slipped := range slips(w.heading) {
				if n++; n%7 == 0 {
					all.add(w, alone(slipped, nil).Field.String())
				}
			}
		}
	}
	t.Logf("the same with a slip in them: %s", all)
	if total := all.right + all.wrong + all.missed; all.right*1000 < total*846 || all.wrong*10000 > total*11 {
		t.Error("was: 84.7 % right, 0.1 % wrong")
	}
}

// slips are a heading with a letter left out, put in or exchanged, and with neighbours swapped, at each place.
func slips(heading string) (all []string) {
	r := []rune(heading)
	for i := range r {
		other := string(rune('a' + (i*7+int(r[i]))%26))
		all = append(all, string(r[:i])+string(r[i+1:]), string(r[:i])+other+string(r[i:]), string(r[:i])+other+string(r[i+1:]))
		if i+1 < len(r) && r[i] != r[i+1] {
			all = append(all, string(r[:i])+string(r[i+1])+string(r[i])+string(r[i+2:]))
		}
	}
	return all
}

func TestVendorCorpus(t *testing.T) {
	t.Parallel()
	root := os.Getenv("CONTACTMILL_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	text, err := os.ReadFile(filepath.Join(root, "vendor_headers", "headers.json"))
	if err != nil {
		t.Skipf("CORPUS ABSENT, NOTHING PROVEN HERE: set CONTACTMILL_CORPORA to the folder that holds vendor_headers: %v", err)
	}
	var corpus map[string]struct{ Header, Columns []string }
	if err := json.Unmarshal(text, &corpus); err != nil {
		t.Fatal(err)
	}
	_, of := vendors(t)
	var all score
	for name, vendor := range corpus {
		known := map[string]truth{}
		for _, w := range of[name] {
			known[w.heading] = w
		}
		headings := append(vendor.Header, vendor.Columns...)
		res := mapping.Map(mapping.Request{Headings: headings})
		for i, heading := range headings {
			w, ok := known[heading]
			if !ok {
				t.Errorf("%s: nobody says what %q means", name, heading)
				continue
			}
			w.narrow = w.narrow || slices.ContainsFunc(res.Columns, func(c mapping.Column) bool { return c.Field.String() == w.right }) // beside a better column it is none
			if got := res.Columns[i]; !all.add(w, got.Field.String()) {
				t.Errorf("%s: %q is %q with %.2f, want %q", name, heading, got.Field, got.Confidence, w.right)
			}
		}
		if res.Question != nil && name != "mailchimp_unsubscribed_export_extra" {
			t.Errorf("%s: asks %q: %s", name, res.Question.Code, res.Question.Message)
		}
	}
	t.Logf("corpus of headings, each file at once: %s", all)
}
