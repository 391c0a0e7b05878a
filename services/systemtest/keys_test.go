package systemtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keysChosen matches rows by the keys that a job names. A value of another contact's that was not chosen finds nobody, and
// makes no second profile.
func keysChosen(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	a.imports(t, 0, file(t, "base.csv", []byte("External id,Email,Phone number,City\nA,a@example.com,(202) 224-3121,Rome\n,b@example.com,(202) 224-3122,Oslo\n")), "add")
	var ann, bob contact
	for _, c := range a.all(t) {
		if c.Values["external_id"] == "A" {
			ann = c
		} else {
			bob = c
		}
	}
	content := []byte("External id,Email,Phone number,City\n" +
		"A,,(202) 224-3129,Bern\n" + // Ann, with a new phone
		"N1,,(202) 224-3122,Lima\n" + // nobody, with Bob's phone
		"N2,new@example.com,,Kyiv\n" + // nobody
		",b@example.com,,Bonn\n") // nothing to match it by
	name := file(t, "rows.csv", content)
	plan := a.imports(t, 3, name, "upsert", "--match-by", "external_id", "--check")
	got := a.imports(t, 3, name, "upsert", "--match-by", "external_id")
	want := counts{Rows: 4, Added: 1, Updated: 1, Conflict: 1, Invalid: 1}
	if diff := cmp.Diff(want, got.Counts.rows()); diff != "" {
		t.Errorf("matched by the external id (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, plan.Counts.rows()); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
	for outcome, reason := range map[string]string{"conflict": "duplicate-contact", "invalid": "no-key"} {
		rows := a.report(t, got, outcome)
		if reasons := column(t, rows, "reason"); len(reasons) != 1 || !strings.HasPrefix(reasons[0], reason) {
			t.Errorf("reasons of %s: %q, want %s", outcome, reasons, reason)
		}
		if ids := column(t, rows, "contact_id"); outcome == "conflict" && (len(ids) != 1 || ids[0] != bob.ID) {
			t.Errorf("the conflict names %q, want Bob, %s", ids, bob.ID)
		}
	}
	var now contact
	a.ok(t, &now, "contacts", "get", ann.ID)
	if now.Values["city"] != "Bern" || now.Values["phone"] != "+12022243129" {
		t.Errorf("Ann is %v", now.Values)
	}
	if a.ok(t, &now, "contacts", "get", bob.ID); now.Values["city"] != "Oslo" || now.Values["external_id"] != "" {
		t.Errorf("Bob is %v", now.Values)
	}

	// the same row in mode add is a duplicate, and by all keys it is Bob
	one := file(t, "one.csv", []byte("External id,Phone number,City\nN1,(202) 224-3122,Lima\n"))
	if j := a.imports(t, 0, one, "add", "--match-by", "external_id"); j.Counts.Duplicate != 1 {
		t.Errorf("added: %+v, want a duplicate", j.Counts)
	}
	if j := a.imports(t, 0, one, "update"); j.Counts.Updated != 1 {
		t.Errorf("matched by all keys: %+v, want Bob updated", j.Counts)
	}

	// a file without any of the keys is asked about; what the account chose holds for all its files
	a.ok(t, &struct{}{}, "accounts", "set", "--match-by", "external_id,account_number")
	j := a.imports(t, 5, file(t, "none.csv", []byte("Email,Kennziffer,City\na@example.com,A,Nice\n")), "upsert")
	if j.Question == nil || j.Question.Code != "no-key-column" || !strings.Contains(j.Question.Message, "external_id or account_number") {
		t.Fatalf("a file without the keys to match by: %+v", j)
	}
	a.ok(t, &j, "jobs", "answer", j.ID, "--map", "Kennziffer=external_id", "--wait")
	if diff := cmp.Diff(counts{Rows: 1, Updated: 1}, j.Counts.rows()); diff != "" {
		t.Errorf("answered (-want +got):\n%s", diff)
	}
}
