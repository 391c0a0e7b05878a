package systemtest

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corpus is a file of the public corpora, which are kept beside the repository.
func corpus(t *testing.T, name ...string) string {
	t.Helper()
	dir := os.Getenv("CONTACTMILL_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path, err := filepath.Abs(filepath.Join(append([]string{dir}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skipf("the public corpora are not here: %s: name their directory in CONTACTMILL_CORPORA", path)
	} else if err != nil {
		t.Fatalf("the public corpora are not here: %v: name their directory in CONTACTMILL_CORPORA", err)
	}
	return path
}

// congress is a real file, added, handed in again, and some of it changed.
func congress(t *testing.T, s *target) {
	path := corpus(t, "congress", "legislators_contacts.csv")
	a := s.tenant(t, 1000)
	const ids = "bioguide_id=external_id"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	people := records(t, content)

	j := a.imports(t, 0, path, "add", "--map", ids)
	if diff := cmp.Diff(counts{Rows: 537, Added: 537}, j.Counts.rows()); diff != "" {
		t.Errorf("add (-want +got):\n%s", diff)
	}
	var dates, phones int
	for _, c := range a.all(t) {
		if c.Values["birth_date"] != "" {
			dates++
		}
		if strings.HasPrefix(c.Values["phone"], "+1") {
			phones++
		}
	}
	if dates != 537 || phones != 536 {
		t.Errorf("%d birth dates and %d phones, want 537 and 536", dates, phones)
	}

	before := a.all(t)
	j = a.imports(t, 0, path, "upsert", "--map", ids)
	if diff := cmp.Diff(counts{Rows: 537, Unchanged: 537}, j.Counts.rows()); diff != "" {
		t.Errorf("upsert of the same (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, a.all(t)); diff != "" {
		t.Errorf("upsert of the same changed something (-want +got):\n%s", diff)
	}

	var b strings.Builder
	w := csv.NewWriter(&b)
	change := [][]string{{"bioguide_id", "city"}}
	known, unknown := column(t, people, "bioguide_id")[100:110], []string{"X1", "X2", "X3", "X4", "X5"}
	for i, id := range append(slices.Clone(known), unknown...) {
		change = append(change, []string{id, "City" + string(rune('a'+i))})
	}
	if err := w.WriteAll(change); err != nil {
		t.Fatal(err)
	}
	j = a.imports(t, 3, file(t, "change.csv", []byte(b.String())), "update", "--map", ids)
	if diff := cmp.Diff(counts{Rows: 15, Updated: 10, Unmatched: 5}, j.Counts.rows()); diff != "" {
		t.Errorf("update (-want +got):\n%s", diff)
	}
	if j.State != "COMPLETED_WITH_REJECTS" {
		t.Errorf("update ended %s, want COMPLETED_WITH_REJECTS", j.State)
	}
	if diff := cmp.Diff(unknown, column(t, a.report(t, j, "unmatched"), "bioguide_id")); diff != "" {
		t.Errorf("report of unmatched rows (-want +got):\n%s", diff)
	}
	changed := map[string]string{}
	for _, c := range a.all(t) {
		if city := c.Values["city"]; city != "" {
			changed[c.Values["external_id"]] = city
		}
	}
	want := map[string]string{}
	for i, id := range known {
		want[id] = "City" + string(rune('a'+i))
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("cities after the update (-want +got):\n%s", diff)
	}
	if n := a.held(t); n != 537 {
		t.Errorf("%d contacts after the update, want 537", n)
	}
}
