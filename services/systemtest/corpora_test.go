package systemtest

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

// chatwoot is two files that a support desk's users send.
func chatwoot(t *testing.T, s *target) {
	a := s.tenant(t, 100)
	j := a.imports(t, 0, corpus(t, "chatwoot", "contacts.csv"), "add")
	if diff := cmp.Diff(counts{Rows: 25, Added: 25}, j.Counts.rows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// 22 rows are short; the third repeats an email and has a bad phone, which the account lets fall
	b := s.tenant(t, 100)
	operator := &tenant{s: s, key: s.operator}
	operator.ok(t, &struct{ ID string }{}, "accounts", "set", b.name, "--bad-cell", "drop-cell")
	j = b.imports(t, 0, corpus(t, "chatwoot", "invalid_contacts.csv"), "add")
	if diff := cmp.Diff(counts{Rows: 25, Added: 24, Duplicate: 1}, j.Counts.rows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if listed := b.report(t, j, "duplicate"); len(listed) != 2 || column(t, listed, "line")[0] != "4" {
		t.Errorf("the duplicate is %q, want line 4", listed)
	}
}

// naughty are strings that break programs, and payloads that spreadsheets would run, as name, company and own field: in,
// listed, out in a report that runs nothing, and in again, where they change nothing.
func naughty(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	a.ok(t, &struct{ Name string }{}, "fields", "add", "remark", "--label", "Remark", "--type", "text", "--max-length", "1000")
	content, err := os.ReadFile(corpus(t, "blns", "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	strange := len(all)
	payloads, err := os.ReadFile(corpus(t, "csv_injection", "Intruder", "csv-payload.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(payloads)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	must(w.Write([]string{"External id", "Last name", "Company", "Remark"}))
	for i, text := range all {
		must(w.Write([]string{fmt.Sprintf("N%d", i), text, text, text}))
	}
	w.Flush()
	j := a.imports(t, 0, file(t, "naughty.csv", []byte(b.String())), "add")
	if j.Counts.Added != len(all) {
		t.Fatalf("%+v, want %d added", j.Counts, len(all))
	}
	held := map[string]map[string]string{}
	for _, c := range a.all(t) {
		held[c.Values["external_id"]] = c.Values
	}
	equal := 0
	for i, text := range all {
		want, c := strings.TrimFunc(norm.NFC.String(text), edge), held[fmt.Sprintf("N%d", i)]
		if c["last_name"] != want || c["company"] != want || c["remark"] != want {
			t.Errorf("%q is held as %q", text, c)
		} else if i < strange {
			equal++
		}
	}
	t.Logf("%d of %d strings equal, %d payloads", equal, strange, len(all)-strange)

	out := a.command(t, "jobs", "report", j.ID)
	if out.code != 0 {
		t.Fatal(out)
	}
	for _, row := range records(t, []byte(out.out))[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				t.Errorf("a cell of the report would be run: %q", cell)
			}
		}
	}
	again := a.imports(t, 0, file(t, "again.csv", []byte(out.out)), "upsert", "--ignore", "line", "--ignore", "outcome", "--ignore", "reason", "--ignore", "contact_id")
	if again.Counts.Unchanged != len(all) {
		t.Errorf("the report handed in again: %+v, want %d unchanged", again.Counts, len(all))
	}
}

// edge is what is trimmed off texts: white space, and what has no width.
func edge(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' || r == '\u2060' || r == '\u180e'
}
