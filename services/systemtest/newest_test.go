package systemtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newest keeps what is newer here than in a file, by when the file or the row says that it was so, in whatever order the files
// come.
func newest(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	is := func(what, id string, want map[string]string) {
		t.Helper()
		all := a.all(t, "--external-id", id)
		if len(all) != 1 {
			t.Fatalf("%s: %d contacts are %s", what, len(all), id)
		}
		delete(all[0].Values, "external_id")
		if diff := cmp.Diff(want, all[0].Values); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", what, id, diff)
		}
	}
	kept := func(what string, j job, want int) {
		t.Helper()
		var told struct {
			Counts struct {
				NewerHere int `json:"newer_here"`
			}
		}
		a.ok(t, &told, "jobs", "get", j.ID)
		if told.Counts.NewerHere != want {
			t.Errorf("%s: %d rows have something that is newer here, want %d", what, told.Counts.NewerHere, want)
		}
	}

	// by when the file was so: the older one is sent last
	a.imports(t, 0, file(t, "march.csv", []byte("External id,Phone number\nA,(202) 224-3122\nB,(202) 224-3123\n")), "add", "--as-of", "2026-03-02")
	older := file(t, "february.csv", []byte("External id,Phone number,City\nA,(202) 224-3121,Rome\nB,(202) 224-3123,\n"))
	plan := a.imports(t, 0, older, "upsert", "--as-of", "2026-02-01", "--rule", "*=newest", "--check")
	j := a.imports(t, 0, older, "upsert", "--as-of", "2026-02-01", "--rule", "*=newest")
	for _, j := range []job{plan, j} {
		if diff := cmp.Diff(counts{Rows: 2, Updated: 1, Unchanged: 1}, j.Counts.rows()); diff != "" {
			t.Errorf("an older file (-want +got):\n%s", diff)
		}
		kept("an older file", j, 1)
	}
	is("an older file", "A", map[string]string{"phone": "+12022243122", "city": "Rome"})                 // there was no city
	if back := column(t, a.returned(t, j), "value_here"); len(back) != 1 || back[0] != "'+12022243122" { // inert
		t.Errorf("returned to the sender: %q", back)
	}
	a.imports(t, 0, file(t, "april.csv", []byte("External id,Phone number\nA,(202) 224-3124\n")), "update", "--as-of", "2026-04-01", "--rule", "phone=newest")
	is("a newer file", "A", map[string]string{"phone": "+12022243124", "city": "Rome"})
	a.imports(t, 0, file(t, "again.csv", []byte("External id,Phone number\nA,(202) 224-3121\n")), "update", "--as-of", "2026-02-01")
	is("an older file where that does not matter", "A", map[string]string{"phone": "+12022243121", "city": "Rome"})

	// by when each row was so, as a column says that the account's rules make worth looking for
	a.ok(t, &struct{}{}, "accounts", "set", "--rule", "*=newest")
	first := a.imports(t, 0, file(t, "one.csv", []byte("External id,City,Last modified\nC,Rome,2026-03-01 14:05\nD,Rome,2026-03-01T14:05:00+02:00\nE,Rome,\n")), "add")
	if len(first.Columns) != 3 || first.Columns[2].Field != "changed_at" {
		t.Fatalf("the column was not found: %+v", first.Columns)
	}
	second := file(t, "two.csv", []byte("External id,City,changed_at\n"+
		"C,Oslo,2026-03-01 14:04\n"+ // a minute older
		"D,Oslo,2026-03-01 13:00\n"+ // an hour newer: the other was 12:05
		"E,Oslo,2026-03-01\n")) // the other is as old as its job
	j = a.imports(t, 0, second, "update")
	if diff := cmp.Diff(counts{Rows: 3, Updated: 1, Unchanged: 2}, j.Counts.rows()); diff != "" {
		t.Errorf("rows that say when they were so (-want +got):\n%s", diff)
	}
	kept("rows that say when they were so", j, 2)
	for id, city := range map[string]string{"C": "Rome", "D": "Oslo", "E": "Rome"} {
		is("rows that say when they were so", id, map[string]string{"city": city})
	}
	// a moment that is none is a finding like others
	j = a.imports(t, 3, file(t, "bad.csv", []byte("External id,City,changed_at\nC,Bern,soon\nD,Bern,2026-05-01\n")), "update")
	if diff := cmp.Diff(counts{Rows: 2, Updated: 1, Invalid: 1}, j.Counts.rows()); diff != "" {
		t.Errorf("a moment that is none (-want +got):\n%s", diff)
	}
}

// returned is the report of values that are newer here than in a job's file.
func (a *tenant) returned(t *testing.T, j job) [][]string {
	t.Helper()
	r := a.command(t, "jobs", "report", j.ID, "--return-to-sender")
	if r.code != 0 {
		t.Fatalf("return to sender of job %d: %v", j.Number, r)
	}
	return records(t, []byte(r.out))
}
