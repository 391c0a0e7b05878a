package systemtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lists take the contacts of files, new and known, in the files' order.
func lists(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	a.imports(t, 0, file(t, "one.csv", table(people(0, 10))), "add", "--list", "Spring fair")
	a.imports(t, 0, file(t, "two.csv", table(people(5, 10))), "upsert", "--list", "Spring fair")
	a.imports(t, 0, file(t, "three.csv", table(people(14, 3))), "upsert", "--list", "Autumn")
	a.imports(t, 0, file(t, "four.csv", table(people(50, 3))), "add")
	var all []struct {
		Name     string
		Contacts int
	}
	a.ok(t, &all, "lists", "list")
	got := map[string]int{}
	for _, l := range all {
		got[l.Name] = l.Contacts
	}
	if diff := cmp.Diff(map[string]int{"Spring fair": 15, "Autumn": 3}, got); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	for name, want := range got {
		if n := a.held(t, "--list", name); n != want {
			t.Errorf("%d contacts are on %s, want %d", n, name, want)
		}
	}
	both := a.all(t, "--external-id", person(14).id())
	if len(both) != 1 || len(both[0].Lists) != 2 {
		t.Errorf("the contact that two files named: %+v, want one on two lists", both)
	}
	var made contact
	a.ok(t, &made, "contacts", "add", "external_id=H1", "last_name=Hand", "--list", "Autumn", "--list", "By hand")
	if a.held(t, "--list", "Autumn") != 4 || a.held(t, "--list", "By hand") != 1 {
		t.Errorf("a contact put on lists by hand is not on them: %+v", made)
	}
	if r := a.command(t, "lists", "create", "Autumn"); r.code != 1 {
		t.Errorf("a second list of a name: %v, want exit code 1", r)
	}
	// an update that finds nobody puts nobody on a list
	a.imports(t, 3, file(t, "five.csv", table(people(900, 2))), "update", "--list", "Autumn")
	if n := a.held(t, "--list", "Autumn"); n != 4 {
		t.Errorf("%d contacts are on Autumn after an update of nobody, want 4", n)
	}
}

// check-only runs tell what would be and change nothing.
func check(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	a.imports(t, 0, file(t, "one.csv", table(people(0, 10))), "add")
	before := a.all(t)
	some := people(5, 10)
	some[0].last, some[1].last = "Changed", "Changed"
	content := table(append(some, entry{person: 30, bad: true}))
	want := map[string]counts{
		"add":    {Rows: 11, Added: 5, Duplicate: 5, Invalid: 1},
		"update": {Rows: 11, Updated: 2, Unchanged: 3, Unmatched: 5, Invalid: 1},
		"upsert": {Rows: 11, Added: 5, Updated: 2, Unchanged: 3, Invalid: 1},
	}
	name := file(t, "two.csv", content)
	for _, mode := range []string{"add", "update", "upsert"} {
		var j job
		untouched(t, s, a, "a check of "+mode, func() {
			j = a.imports(t, 3, name, mode, "--check", "--list", "Never", "--recipient", "another."+a.recipient)
		})
		if diff := cmp.Diff(want[mode], j.Counts.rows()); j.State != "CHECKED" || diff != "" {
			t.Errorf("check of %s ended %s (-want +got):\n%s", mode, j.State, diff)
		}
		if j.Counts.Sent != 0 {
			t.Errorf("check of %s sent %d rows to the provider", mode, j.Counts.Sent)
		}
		if n := len(a.report(t, j, "added")) - 1; n != want[mode].Added {
			t.Errorf("report of what %s would add has %d rows, want %d", mode, n, want[mode].Added)
		}
	}
	if diff := cmp.Diff(before, a.all(t)); diff != "" {
		t.Errorf("checks changed contacts (-before +after):\n%s", diff)
	}
	var none []struct{ Name string }
	if a.ok(t, &none, "lists", "list"); len(none) != 0 {
		t.Errorf("checks made the lists %v", none)
	}
	s.mailed(t, a.email, 3) // the submitter of the checks is told of each; the recipients were told of the import alone
	if n := len(s.letters(t, "another."+a.recipient)); n != 0 {
		t.Errorf("the checks sent %d mails to the job's recipient, want none", n)
	}
	if n := len(s.letters(t, a.recipient)); n > 1 {
		t.Errorf("%d mails to the account's recipient, want that of the import", n)
	}
	// what was foretold is what comes
	for _, mode := range []string{"upsert"} {
		if diff := cmp.Diff(want[mode], a.imports(t, 3, name, mode).Counts.rows()); diff != "" {
			t.Errorf("%s after its check (-foretold +got):\n%s", mode, diff)
		}
	}
}

// byHand adds and changes single contacts under the rules of files.
func byHand(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	var c contact
	a.ok(t, &c, "contacts", "add", "external_id=H1", "first_name=Ada", "email= ADA@Example.com ", "phone=(202) 224-3121", "birth_date=1952-12-10")
	want := map[string]string{"external_id": "H1", "first_name": "Ada", "email": "ada@example.com", "phone": "+12022243121", "birth_date": "1952-12-10"}
	if diff := cmp.Diff(want, c.Values, ignoreCaseOf("email")); diff != "" {
		t.Errorf("added by hand (-want +got):\n%s", diff)
	}
	var got contact
	a.ok(t, &got, "contacts", "get", c.ID)
	if diff := cmp.Diff(c, got); diff != "" {
		t.Errorf("read again (-added +got):\n%s", diff)
	}
	a.ok(t, &got, "contacts", "set", c.ID, "last_name=Lovelace", "birth_date=UNSET", "first_name=")
	delete(want, "birth_date")
	want["last_name"] = "Lovelace"
	if diff := cmp.Diff(want, got.Values, ignoreCaseOf("email")); diff != "" {
		t.Errorf("set by hand: an empty value changes nothing, UNSET clears (-want +got):\n%s", diff)
	}
	for name, args := range map[string][]string{
		"a key of another contact": {"contacts", "add", "external_id=H2", "email=ada@example.com"},
		"a bad cell":               {"contacts", "add", "external_id=H2", "email=nobody"},
		"a field that is none":     {"contacts", "add", "external_id=H2", "shoe_size=7"},
		"nothing":                  {"contacts", "add", "city=London"},
	} {
		if r := a.command(t, args...); r.code != 1 || len(strings.TrimSpace(r.err)) == 0 {
			t.Errorf("%s: %v, want exit code 1 and why", name, r)
		}
	}
	if n := a.held(t); n != 1 {
		t.Fatalf("%d contacts, want 1", n)
	}
	// files find what was made by hand, and the other way round
	j := a.imports(t, 0, file(t, "f.csv", []byte("External id,Email,City\nH1,,London\n,other@example.com,Paris\n")), "upsert")
	if diff := cmp.Diff(counts{Rows: 2, Added: 1, Updated: 1}, j.Counts.rows()); diff != "" {
		t.Errorf("a file after edits by hand (-want +got):\n%s", diff)
	}
	if r := a.command(t, "contacts", "set", c.ID, "email=other@example.com"); r.code != 1 {
		t.Errorf("a key of a contact made by a file: %v, want exit code 1", r)
	}
	a.ok(t, &got, "contacts", "set", c.ID, "email=free@example.com")
	if n := a.held(t, "--email", "ada@example.com"); n != 0 {
		t.Errorf("%d contacts have the email that was given up, want none", n)
	}
	if n := a.held(t, "--email", "free@example.com"); n != 1 {
		t.Errorf("%d contacts have the new email, want 1", n)
	}
	// the email that was given up is free again
	j = a.imports(t, 0, file(t, "g.csv", []byte("Email,Last name\nada@example.com,Second\n")), "add")
	if j.Counts.Added != 1 {
		t.Errorf("a file with an email that was given up: %+v, want 1 added", j.Counts)
	}
}

func ignoreCaseOf(key string) cmp.Option {
	return cmp.Transformer("lower", func(m map[string]string) map[string]string {
		lowered := map[string]string{}
		for k, v := range m {
			if k == key {
				v = strings.ToLower(v)
			}
			lowered["="+k] = v
		}
		return lowered
	})
}
