package systemtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contract is what scripts rely on: words, exit codes, JSON, where results and progress go.
func contract(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	name := file(t, "f.csv", table(append(people(0, 3), entry{person: 9, bad: true})))

	r := a.command(t, "import", name, "--mode", "add", "--request-id", "one", "--wait", "-o", "json")
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.out), &raw); err != nil || r.code != 3 {
		t.Fatalf("import --wait -o json: %v, %v", err, r)
	}
	for key, kind := range map[string]string{"id": `"`, "number": "1", "state": `"COMPLETED_WITH_REJECTS"`, "counts": "{", "request_id": `"one"`} {
		if !strings.HasPrefix(string(raw[key]), kind) {
			t.Errorf("a job's %s is %s, want %s...", key, raw[key], kind)
		}
	}
	var got map[string]int
	if err := json.Unmarshal(raw["counts"], &got); err != nil {
		t.Fatalf("counts are %s: %v", raw["counts"], err)
	}
	want := map[string]int{"rows": 4, "added": 3, "updated": 0, "unchanged": 0, "duplicate": 0, "unmatched": 0, "invalid": 1, "conflict": 0, "held": 0,
		"suppressed": 0, "blank": 0, "sent_to_provider": 3, "known_to_provider": got["known_to_provider"], "newer_here": 0, "removed": 0, "enriched_later": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	var id string
	if err := json.Unmarshal(raw["id"], &id); err != nil {
		t.Fatal(err)
	}

	// the same request id is the same job, and with --wait ends as it did
	if again := a.imports(t, 3, name, "add", "--request-id", "one"); again.ID != id {
		t.Errorf("the same request id is job %s, want %s", again.ID, id)
	}
	// a job is named by its id or its number
	for _, command := range []string{"get", "watch"} {
		by := a.command(t, "jobs", command, "1", "-o", "json")
		if diff := cmp.Diff(a.command(t, "jobs", command, id, "-o", "json"), by, cmp.AllowUnexported(run{})); diff != "" {
			t.Errorf("jobs %s by id and by number (-id +number):\n%s", command, diff)
		}
	}
	a.imports(t, 0, file(t, "g.csv", table(people(20, 1))), "add")
	var page []map[string]any
	a.ok(t, &page, "jobs", "list")
	if len(page) != 2 || page[0]["number"] != 2.0 || page[1]["number"] != 1.0 {
		t.Errorf("jobs list -o json: %v, want 2 and 1", page)
	}
	if lines := strings.Split(strings.TrimSpace(a.command(t, "jobs", "list", "-o", "jsonl").out), "\n"); len(lines) != 2 || !json.Valid([]byte(lines[0])) {
		t.Errorf("jobs list -o jsonl: %q, want two lines of JSON", lines)
	}
	r = a.command(t, "contacts", "list", "--count", "-o", "json")
	var exact map[string]int
	if err := json.Unmarshal([]byte(r.out), &exact); err != nil || !cmp.Equal(exact, map[string]int{"count": 4}) {
		t.Errorf("contacts list --count -o json: %v", r)
	}
	r = a.command(t, "template")
	if heading := records(t, []byte(r.out)); r.code != 0 || len(heading) != 2 || !slices.Contains(heading[0], "First name") {
		t.Errorf("template: %v", r)
	}
	if j := a.imports(t, 0, file(t, "template.csv", []byte(r.out)), "add"); j.Counts.Added != 1 {
		t.Errorf("the template handed in: %+v, want 1 added", j)
	}

	for _, test := range []struct {
		code int
		args []string
	}{
		{2, []string{"bogus"}},
		{2, []string{"jobs", "bogus"}},
		{2, []string{"import", name}},
		{2, []string{"import", name, "--mode", "merge"}},
		{2, []string{"import", name, "--mode", "add", "--bogus"}},
		{2, []string{"import", name, "--mode", "add", "--map", "nothing"}},
		{2, []string{"jobs", "get"}},
		{2, []string{"jobs", "list", "-o", "xml"}},
		{4, []string{"jobs", "get", "99"}},
		{4, []string{"jobs", "report", "99"}},
		{4, []string{"jobs", "get", "not-a-job"}},
		{1, []string{"jobs", "cancel", "1"}},
		{1, []string{"jobs", "retry", "1"}},
		{0, []string{"--help"}},
		{0, []string{"import", "--help"}},
	} {
		r := a.command(t, test.args...)
		if r.code != test.code {
			t.Errorf("contactmill %s: want exit code %d, got %v", strings.Join(test.args, " "), test.code, r)
		}
		if r.code != 0 && (r.out != "" || r.err == "") {
			t.Errorf("contactmill %s: errors go to standard error, got %v", strings.Join(test.args, " "), r)
		}
	}
	// the command line never stays silent about a table
	if r := a.command(t, "import", name, "--mode", "update", "--wait"); r.code != 3 || !strings.Contains(r.out, "3 unchanged") || strings.Contains(r.err, "unchanged") {
		t.Errorf("import --wait: %v, want the result on standard output and exit code 3", r)
	}
}

// retry makes new jobs of those that came to nothing.
func retry(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	j := a.imports(t, 5, file(t, "f.csv", []byte("First name,City\nAda,London\n")), "add")
	a.ok(t, &j, "jobs", "cancel", fmt.Sprint(j.Number))
	if j.State != "CANCELLED" {
		t.Fatalf("cancelled: %+v", j)
	}
	var same job
	a.ok(t, &same, "jobs", "cancel", j.ID)
	if same.ID != j.ID || same.State != "CANCELLED" {
		t.Errorf("cancelled again: %+v, want the same answer", same)
	}
	var again job
	a.ends(t, 5, &again, "jobs", "retry", j.ID, "--wait")
	if again.RetryOf != j.ID || again.Number != j.Number+1 || again.State != "NEEDS_ANSWER" {
		t.Errorf("tried again: %+v, want a new job that asks the same", again)
	}
	a.ok(t, &again, "jobs", "answer", again.ID, "--map", "City=external_id", "--wait")
	if again.State != "COMPLETED" || a.held(t) != 1 {
		t.Errorf("tried again and answered: %+v, want COMPLETED", again)
	}
	if j := a.get(t, j.ID); j.State != "CANCELLED" {
		t.Errorf("the cancelled job became %s: final is final", j.State)
	}
	s.mailed(t, a.recipient, 4) // a question and an end of each
	var one, two job
	a.ok(t, &one, "jobs", "retry", j.ID, "--request-id", "once")
	a.ok(t, &two, "jobs", "retry", j.ID, "--request-id", "once")
	if one.ID != two.ID {
		t.Errorf("one retry sent twice is jobs %d and %d, want one", one.Number, two.Number)
	}
}
