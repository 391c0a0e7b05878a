package systemtest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// person is somebody by number: the same number is always the same person, with keys that nobody else has.
type person int

func (p person) id() string    { return fmt.Sprintf("P%06d", int(p)) }
func (p person) email() string { return fmt.Sprintf("person.%d@example.com", int(p)) }

// phone is a line of Washington, in one of the ways people write it. 600,000 people have one of their own.
func (p person) phone() string {
	exchange, line := 220+int(p)/10_000%60, int(p)%10_000 // none of these exchanges is one of the services' (211, 311, ...)
	switch int(p) % 3 {
	case 0:
		return fmt.Sprintf("(202) %03d-%04d", exchange, line)
	case 1:
		return fmt.Sprintf("202.%03d.%04d", exchange, line)
	}
	return fmt.Sprintf("+1 202 %03d %04d", exchange, line)
}

// entry is a row about a person.
type entry struct {
	person
	last string // name
	bad  bool   // its email is none
}

// heading is of the files that table makes.
var heading = []string{"External id", "First name", "Last name", "Email", "Phone number", "Date of birth", "City"}

func (e entry) cells() []string {
	n := int(e.person)
	email := e.email()
	if e.bad {
		email = "nobody at nowhere"
	}
	return []string{e.id(), "First" + strconv.Itoa(n%97), e.last, email, e.phone(), fmt.Sprintf("%04d-%02d-%02d", 1940+n%60, 1+n%12, 1+n%28), "Washington"}
}

// people are so many persons from the first on, with their own last names.
func people(first, n int) []entry {
	var all []entry
	for i := range n {
		all = append(all, entry{person: person(first + i), last: "Last" + strconv.Itoa((first+i)%89)})
	}
	return all
}

// table is a CSV file of entries.
func table(entries []entry) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{heading}
	for _, e := range entries {
		rows = append(rows, e.cells())
	}
	if err := w.WriteAll(rows); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// file writes a file for the command line.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// records reads a CSV file, without a byte order mark.
func records(t *testing.T, content []byte) [][]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))).ReadAll()
	if err != nil {
		t.Fatalf("%v in:\n%.500s", err, content)
	}
	return all
}

// column is the cells under a heading.
func column(t *testing.T, rows [][]string, heading string) []string {
	t.Helper()
	if len(rows) == 0 {
		t.Fatal("the file has no heading")
	}
	for i, name := range rows[0] {
		if name == heading {
			var cells []string
			for _, row := range rows[1:] {
				cells = append(cells, row[i])
			}
			return cells
		}
	}
	t.Fatalf("no column %q among %q", heading, rows[0])
	return nil
}
