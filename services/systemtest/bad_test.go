package systemtest

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// badFiles are handed in by the command line: what is said, the exit code, and that nothing is changed or lost.
func badFiles(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	a.imports(t, 0, file(t, "good.csv", table(people(0, 10))), "add")
	before := a.all(t)

	random := make([]byte, 4000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	text := func(lines ...string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }
	const head = "External id,Last name,Email"
	for _, test := range []struct {
		name    string
		content []byte
		code    int
		state   string // empty: refused before there is a job
		problem string // its code, of the job or its question
	}{
		{"empty file", nil, 1, "", ""},
		{"not a CSV", random, 1, "REJECTED", "not-a-table"},
		{"a picture", append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), random...), 1, "REJECTED", "file-is-image"},
		{"no heading", text("P000001,Ada,ada@example.com", "P000002,Bob,bob@example.com"), 5, "NEEDS_ANSWER", "no-heading"},
		{"nothing maps", text("foo,bar,baz", "1,2,3"), 1, "REJECTED", "nothing-maps"},
		{"10 MB in a cell", text(head, "P000001,A,a@example.com", "P000002,"+strings.Repeat("x", 10<<20)+",b@example.com"), 1, "REJECTED", "record-too-long"},
		{"no key column", text("First name,City", "Ada,London"), 5, "NEEDS_ANSWER", "no-key-column"},
		{"two columns for one field", text("External id,Email,E-mail", "P000001,a@example.com,b@example.com"), 5, "NEEDS_ANSWER", "two-columns-for-one-field"},
		{"dates that can be read in two ways", text("External id,Date of birth", "P000001,01/02/1990"), 5, "NEEDS_ANSWER", "date-order"},
	} {
		name := file(t, strings.ReplaceAll(test.name, " ", "-")+".csv", test.content)
		r := a.command(t, "import", name, "--mode", "upsert", "--wait")
		if r.code != test.code {
			t.Errorf("%s: want exit code %d, got %v", test.name, test.code, r)
		}
		said := r.err
		if test.state != "" {
			said = r.out
			var newest []job
			a.ok(t, &newest, "jobs", "list", "--limit", "1")
			j := newest[0]
			p := j.Problem
			if j.State == "NEEDS_ANSWER" {
				p = j.Question
			}
			if j.State != test.state || p == nil || p.Code != test.problem {
				t.Errorf("%s: job is %s with %+v, want %s with %s", test.name, j.State, p, test.state, test.problem)
			} else if p.Message == "" || p.Hint == "" || !strings.Contains(r.out, p.Message) {
				t.Errorf("%s: the problem %+v is not told, or says not what to do, in %v", test.name, p, r)
			}
		}
		if len(strings.Split(strings.TrimSpace(said), "\n")) < 2 {
			t.Errorf("%s: want a sentence and what to do, got %v", test.name, r)
		}
	}
	if diff := cmp.Diff(before, a.all(t)); diff != "" {
		t.Errorf("bad files changed contacts (-before +after):\n%s", diff)
	}

	// a bad row in the middle is kept out and listed, the others go in
	for i, test := range []struct{ name, bad, finding string }{
		{"a stray quote", `P000101,"B "oops" x,b@example.com`, "quote-stray"},
		{"too many cells", "P000101,B,b@example.com,more", "row-long"},
		{"bytes that are no text", "P000101,B\xff\xfe,b@example.com", "invalid-utf8"},
		{"an email that is none", "P000101,B,nobody", "email"},
	} {
		rest := people(200+10*i, 2)
		name := file(t, "row.csv", text(head, rest[0].id()+",Zoë,"+rest[0].email(), test.bad, "", rest[1].id()+",Zoë,"+rest[1].email()))
		j := a.imports(t, 3, name, "add")
		if diff := cmp.Diff(counts{Rows: 3, Added: 2, Invalid: 1, Blank: 1}, j.Counts.rows()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
			continue
		}
		listed := a.report(t, j, "invalid")
		if len(listed) != 2 || column(t, listed, "line")[0] != "3" || !strings.Contains(column(t, listed, "reason")[0], test.finding) {
			t.Errorf("%s: report %q, want line 3 with %s", test.name, listed, test.finding)
		}
	}
	if n := a.held(t); n != 10+8 {
		t.Errorf("%d contacts, want 18", n)
	}
}

// badCallers have no key, a bad one, or somebody else's.
func badCallers(t *testing.T, s *target) {
	a, other := s.tenant(t, 100), s.tenant(t, 100)
	j := a.imports(t, 0, file(t, "mine.csv", table(people(0, 2))), "add")
	mine := a.all(t)[0]

	for _, key := range []string{"", "cm_bad", a.key[:len(a.key)-1], a.key + "x"} {
		r := (&tenant{s: s, key: key}).command(t, "import", file(t, "f.csv", table(people(5, 2))), "--mode", "add")
		if r.code != 1 || len(strings.Split(strings.TrimSpace(r.err), "\n")) < 2 || r.out != "" {
			t.Errorf("a bad key: want exit code 1 and what to do, got %v", r)
		}
	}

	// somebody else's thing answers exactly like one that does not exist
	const unknown = "0190a000-0000-7000-8000-000000000000"
	for _, args := range [][]string{
		{"jobs", "get"}, {"jobs", "cancel"}, {"jobs", "retry"}, {"jobs", "report"}, {"jobs", "watch"}, {"jobs", "answer"}, {"contacts", "get"},
	} {
		id := j.ID
		if args[0] == "contacts" {
			id = mine.ID
		}
		theirs, none := other.command(t, append(args, id)...), other.command(t, append(args, unknown)...)
		if theirs.code != 4 {
			t.Errorf("%q on somebody else's: want exit code 4, got %v", args, theirs)
		}
		if diff := cmp.Diff(none.String(), theirs.String()); diff != "" {
			t.Errorf("%q answers differently for somebody else's (-unknown +somebody else's):\n%s", args, diff)
		}
	}
	theirs, none := other.command(t, "contacts", "set", mine.ID, "last_name=Taken"), other.command(t, "contacts", "set", unknown, "last_name=Taken")
	if theirs.code != 4 || theirs.String() != none.String() {
		t.Errorf("somebody else's contact is set: %v, an unknown one: %v", theirs, none)
	}
	if r := a.command(t, "accounts", "list"); r.code != 1 {
		t.Errorf("an admin lists all accounts: %v", r)
	}
	if r := other.command(t, "contacts", "list", "--job", j.ID, "-o", "json"); r.code != 0 || strings.TrimSpace(r.out) != "[]" {
		t.Errorf("contacts by somebody else's job: %v, want none", r)
	}
	if diff := cmp.Diff(mine, a.all(t)[0]); diff != "" {
		t.Errorf("the contact has changed (-before +after):\n%s", diff)
	}

	// the same by HTTP
	links := s.mailed(t, a.recipient, 1)[0].links()
	if len(links) == 0 {
		t.Fatal("the mail has no links")
	}
	for _, link := range links {
		for key, want := range map[string]int{"": http.StatusUnauthorized, "cm_bad": http.StatusUnauthorized, a.key: http.StatusOK} {
			if code, body := fetch(t, link, key); code != want {
				t.Errorf("GET %s: %d %s, want %d", link, code, body, want)
			}
		}
		if code, body := fetch(t, link, other.key); code != http.StatusNotFound || bytes.Contains(body, []byte(j.ID)) {
			t.Errorf("GET %s by somebody else: %d %s, want 404", link, code, body)
		}
	}
}

// packageTooSmall refuses a file as a whole.
func packageTooSmall(t *testing.T, s *target) {
	a := s.tenant(t, 25)
	a.imports(t, 0, file(t, "first.csv", table(people(0, 20))), "add")
	before := a.all(t)
	j := a.imports(t, 1, file(t, "second.csv", table(people(10, 20))), "upsert")
	if j.State != "REJECTED" || j.Problem == nil || j.Problem.Code != "package-too-small" || j.Problem.Hint == "" {
		t.Fatalf("a file that is too large for the package ended as %+v", j)
	}
	for _, number := range []string{"25", "20", "10"} { // package, held, new
		if !strings.Contains(j.Problem.Message, number) {
			t.Errorf("%q does not tell the number %s", j.Problem.Message, number)
		}
	}
	if diff := cmp.Diff(before, a.all(t)); diff != "" {
		t.Errorf("the rejected file changed contacts (-before +after):\n%s", diff)
	}
	// known contacts are no new ones; what fits goes in, to the last place
	if j := a.imports(t, 0, file(t, "third.csv", table(people(5, 20))), "upsert"); j.Counts.Added != 5 || a.held(t) != 25 {
		t.Errorf("a file that fits ended as %+v with %d contacts, want 5 added, 25 held", j, a.held(t))
	}
	if r := a.command(t, "contacts", "add", "external_id=X"); r.code != 1 || !strings.Contains(r.err, "25") {
		t.Errorf("a contact by hand into a full package: %v, want exit code 1 and the numbers", r)
	}
	// the operator makes room, and the rejected job is tried again as a new one
	operator := &tenant{s: s, key: s.operator}
	var grown struct{ Package int }
	operator.ok(t, &grown, "accounts", "set", a.name, "--package", "100")
	var again job
	a.ok(t, &again, "jobs", "retry", j.ID, "--wait")
	if again.State != "COMPLETED" || again.RetryOf != j.ID || again.Number <= j.Number || again.Counts.Added != 5 {
		t.Errorf("the job tried again ended as %+v, want a new one with 5 added", again)
	}
	if j := a.get(t, j.ID); j.State != "REJECTED" {
		t.Errorf("the rejected job became %s", j.State)
	}
}
