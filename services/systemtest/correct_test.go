package systemtest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corrected has the rows that were INVALID corrected in a spreadsheet program and handed in again. Exactly those become contacts,
// with all that the first file said of them: also what the program does to numbers and dates by itself, and secret cells, which
// it never saw.
func corrected(t *testing.T, s *target) {
	for name, program := range map[string]func(*testing.T, string) string{
		"CSV": func(t *testing.T, report string) string {
			return spreadsheet(t, report, "corrected.csv", "Text - txt - csv (StarCalc)", "44,34,76,1")
		},
		"XLSX": func(t *testing.T, report string) string {
			return spreadsheet(t, report, "corrected.xlsx", "Calc MS Excel 2007 XML", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const good, bad = 500, 1000
			a := s.tenant(t, good+bad)
			rows := [][]string{{"Kunde", "First name", "Last name", "Email", "Phone number", "Date of birth", "SSN", "Zip", "Remark"}}
			for n := range good + bad {
				rows = append(rows, careful(n, n >= good))
			}
			first := a.imports(t, 3, file(t, "customers.csv", joined(t, rows)), "upsert", "--map", "Kunde=external_id", "--list", "Customers")
			if want := (counts{Rows: good + bad, Added: good, Invalid: bad}); first.Counts.rows() != want {
				t.Fatalf("the file ended as %+v, want %+v", first.Counts, want)
			}
			report := file(t, "f.csv", []byte(a.command(t, "jobs", "report", fmt.Sprint(first.Number), "--outcome", "invalid").out))

			var j job
			a.ok(t, &j, "import", program(t, report), "--wait") // neither mode nor mapping nor list: they are the first job's
			if want := (counts{Rows: bad, Added: bad}); j.State != "COMPLETED" || j.Counts.rows() != want {
				t.Fatalf("the corrected report ended %s as %+v (%+v), want %+v; the first of what is left:\n%q", j.State, j.Counts, j.Problem, want, head(a.report(t, j, "invalid"), 5))
			}
			if j.Corrects != first.ID || j.CorrectsNumber != first.Number {
				t.Errorf("the job says that it corrects job %d (%s), want %d (%s)", j.CorrectsNumber, j.Corrects, first.Number, first.ID)
			}
			got := map[string]map[string]string{}
			for _, c := range a.all(t, "--list", "Customers") {
				got[c.Values["external_id"]] = c.Values
			}
			want := map[string]map[string]string{}
			for n := range good + bad {
				cells := careful(n, false)
				want[cells[0]] = map[string]string{"external_id": cells[0], "first_name": cells[1], "last_name": cells[2], "email": cells[3],
					"phone": person(n).e164(), "birth_date": cells[5], "ssn": "***-**-****", "zip": cells[7]}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("contacts (-want +got):\n%.3000s", diff)
			}
			// the numbers behind the masks are those of the first file: who has them is found by them
			rows = [][]string{{"SSN", "City"}}
			for n := range good + bad {
				rows = append(rows, []string{careful(n, false)[6], "Found"})
			}
			if j := a.imports(t, 0, file(t, "found.csv", joined(t, rows)), "update", "--match-by", "ssn"); j.Counts.Updated != good+bad {
				t.Errorf("by their social security numbers %d of %d contacts are found", j.Counts.Updated, good+bad)
			}
		})
	}
}

// careful is a row with what spreadsheet programs like to change: leading zeros, something like an exponent, a sign in front.
func careful(n int, bad bool) []string {
	id := fmt.Sprintf("%07d", n)
	switch n % 5 {
	case 1:
		id = fmt.Sprintf("%dE%d", 100+n, n%7) // 1E+02 and the like to whoever thinks so
	case 2:
		id = fmt.Sprintf("K-%d", n)
	}
	email := person(n).email()
	if bad {
		email = strings.Replace(email, "@", " at ", 1)
	}
	last := [...]string{"O'Neil", "Überschär", "de la \"Cruz\", Jr.", "-Dash", "Łuński", "+Plus", "Line\nBreak"}[n%7]
	if n%7 == 6 {
		last = "Li, " + fmt.Sprint(n)
	}
	return []string{id, "First" + fmt.Sprint(n%97), last, email, person(n).phone(), fmt.Sprintf("%04d-%02d-%02d", 1940+n%60, 1+n%12, 1+n%28),
		fmt.Sprintf("%03d-%02d-%04d", 100+n%500, 1+n/500, 1+n), fmt.Sprintf("%05d", 501+n*7%90000), "=not imported " + fmt.Sprint(n)}
}

// e164 is the phone in normal form.
func (p person) e164() string {
	return "+1" + strings.NewReplacer("(", "", ")", "", " ", "", "-", "", ".", "", "+1", "").Replace(p.phone())
}

func joined(t *testing.T, rows [][]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func head(rows [][]string, n int) [][]string { return rows[:min(n, len(rows))] }

// correction is what a person does by hand, as a macro of LibreOffice: to each cell under the heading Email.
//
//go:embed testdata/correct.xba
var correction []byte

// library tells LibreOffice of the macro.
//
//go:embed testdata/script.xlb
var library []byte

// spreadsheet opens a CSV file in LibreOffice, corrects it and stores it as something else.
func spreadsheet(t *testing.T, report, name, filter, options string) string {
	t.Helper()
	program, err := exec.LookPath("soffice")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("LibreOffice is not there: %v: apt-get install libreoffice-calc-nogui", err)
		}
		t.Skipf("NOT TESTED: LibreOffice is not there (%v): apt-get install libreoffice-calc-nogui", err)
	}
	profile, stored := t.TempDir(), filepath.Join(t.TempDir(), name)
	office := func(args ...string) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, append([]string{"--headless", "--norestore", "-env:UserInstallation=file://" + profile}, args...)...)
		cmd.Env = append(foreign(), "HOME="+profile)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("soffice %s: %v: %s", strings.Join(args, " "), err, said)
		}
	}
	office("--terminate_after_init") // makes the profile, which would else be made over what comes next
	standard := filepath.Join(profile, "user", "basic", "Standard")
	for to, content := range map[string][]byte{"Correct.xba": correction, "script.xlb": library} {
		if err := os.WriteFile(filepath.Join(standard, to), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	office(fmt.Sprintf("macro:///Standard.Correct.Email(%q,%q,%q,%q)", report, stored, filter, options))
	if _, err := os.Stat(stored); err != nil {
		t.Fatalf("LibreOffice stored nothing: %v", err)
	}
	return stored
}
