package validator

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

var (
	account = uuid.MustParse("0190a000-0000-7000-8000-00000000000a")
	jobID   = uuid.MustParse("0190a000-0000-7000-8000-00000000000b")
)

// reader is a worker of a file with the columns as they map by themselves and by what is said.
func reader(t testing.TB, f *sheet.File, ring *keyring.Keyring, said map[string]string, schema *contact.Schema, values map[string]*ingestv1.ValueMap) *worker {
	t.Helper()
	found := mapping.Map(mapping.Request{Headings: f.Heading, Schema: schema, Said: said})
	if found.Question != nil || found.Problem != nil {
		t.Fatalf("question %v, problem %v", found.Question, found.Problem)
	}
	columns := columnsOf(found, schema, values)
	p := newPlan(account, jobID, schema, columns)
	p.mode, p.home = row.Upsert, contact.CountryByCode("US")
	p.today, _ = contact.DateOf(2026, 11, 21)
	return &worker{plan: p, parser: f.Parser(), normaliser: contact.NewNormaliser(), seal: ring, hasher: ring.Hasher(), tally: newTally(len(columns))}
}

// read runs a file's bytes through the same steps as a job, on one worker.
func read(t *testing.T, file string, said map[string]string, change func(*plan)) (rows []string, keys []row.Keys, total tally) {
	t.Helper()
	return readOwn(t, file, said, nil, nil, change)
}

// readOwn is read for an account with fields of its own.
func readOwn(t *testing.T, file string, said map[string]string, schema *contact.Schema, values map[string]*ingestv1.ValueMap, change func(*plan)) (rows []string, keys []row.Keys, total tally) {
	t.Helper()
	f, err := sheet.Open(strings.NewReader(file), sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New()
	if err != nil {
		t.Fatal(err)
	}
	w := reader(t, f, ring, said, schema, values)
	if change != nil {
		change(w.plan)
	}
	total = newTally(len(w.columns))
	for b, err := range f.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		cells, hashes, err := w.read(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		total.add(&w.tally)
		rows = append(rows, show(t, cells, ring, account, jobID)...)
		kr, err := row.NewKeysReader(bytes.NewReader(hashes))
		if err != nil {
			t.Fatal(err)
		}
		for k, err := kr.Next(); err != io.EOF; k, err = kr.Next() {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, *k)
		}
	}
	return rows, keys, total
}

// show writes rows as lines: line number, INVALID, fields with their values, findings.
func show(t testing.TB, cells []byte, ring *keyring.Keyring, account, job uuid.UUID) (out []string) {
	t.Helper()
	r, err := row.NewCellsReader(bytes.NewReader(cells))
	if err != nil {
		t.Fatal(err)
	}
	for {
		c, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		s := fmt.Sprint(c.Line)
		if c.Invalid {
			s += " INVALID"
		}
		for i, v := range c.Values {
			col := r.Header.Columns[r.Header.Mapped()[i]]
			text := string(v.Text)
			if col.Secret && v.Kind == row.AsText {
				plain, err := ring.Open(v.Text, keyring.ForRow(account, col.Field, job, uint64(c.Line)))
				if err != nil {
					t.Errorf("line %d: sealed value does not open: %v", c.Line, err)
				}
				text = "sealed:" + string(plain) + "/" + string(c.Cells[r.Header.Mapped()[i]])
			}
			switch v.Kind {
			case row.Unset:
				s += " " + col.Field + "=UNSET"
			case row.AsCell:
				s += " " + col.Field + "=" + text
			case row.AsText:
				s += " " + col.Field + ":=" + text
			}
		}
		for _, f := range c.Findings {
			s += fmt.Sprintf(" !%s@%d", f.Code, f.Column)
			if f.Warning {
				s += "(warning)"
			}
			if f.Value != "" {
				s += "<" + f.Value + ">"
			}
			if f.Repaired != "" {
				s += "=<" + f.Repaired + ">"
			}
		}
		out = append(out, s)
	}
}

func TestRows(t *testing.T) {
	const file = "id,First name,Last name,Email,Phone,Birth date,SSN,Zip\n" +
		"A1,Ada,Lovelace,Ada@Example.org,(202) 224-3441,1988-12-10,,20510\n" +
		"A2,Bob,,bob at home,+12022243442,,,\n" +
		"\n" +
		"A3,Cy,Twombly,,202 224 3443,2023-02-29,123-45-6789,\n" +
		"A4,Di,Prima,UNSET,,,219-09-9998,\n" +
		",Eve,Noone,,,,,\n" +
		",,,,,,,20510\n" +
		"A5,\"Flo\"x,Rida,,,,,\n" +
		"A6,Gus,Short\n"
	mapping := map[string]string{"id": "external_id"}
	got, keys, total := read(t, file, mapping, func(p *plan) { p.mode = row.Add })
	want := []string{
		"2 external_id=A1 first_name=Ada last_name=Lovelace email:=ada@example.org phone:=+12022243441 birth_date=1988-12-10 zip=20510",
		"3 INVALID !email-invalid@3<bob at home>",
		"5 INVALID !date-impossible@5<2023-02-29> !ssn-invalid@6<***-**-6789>",
		"6 external_id=A4 first_name=Di last_name=Prima email=UNSET ssn:=sealed:219099998/***-**-9998",
		"7 first_name=Eve last_name=Noone !no-key@-1(warning)",
		"8 INVALID !no-key@-1",
		"9 INVALID !quote-stray@1",
		"10 external_id=A6 first_name=Gus last_name=Short !row-short@-1(warning)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if total.rows != 8 || total.blank != 1 || total.invalid != 4 || total.broken != 1 || total.warnings != 2 {
		t.Errorf("tally %+v", total)
	}
	masks := []uint16{1<<contact.ExternalID | 1<<contact.Email | 1<<contact.Phone | 1<<contact.NameBirthZip, 0, 0, 1<<contact.ExternalID | 1<<contact.SSN, 0, 0, 0, 1 << contact.ExternalID}
	for i, k := range keys {
		if k.Mask != masks[i] || k.Invalid != strings.Contains(want[i], "INVALID") {
			t.Errorf("row %d: keys %b invalid %v, want %b", i, k.Mask, k.Invalid, masks[i])
		}
	}
}

func TestBadCellsAreDroppedWhereThePolicySaysSo(t *testing.T) {
	got, _, _ := read(t, "External id,Email,Phone\nA1,nonsense,202-224-3441\n", nil, func(p *plan) { p.drop = true })
	want := []string{"2 external_id=A1 phone:=+12022243441 !email-invalid@1(warning)<nonsense>"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatAReportMadeInertComesBack(t *testing.T) {
	got, _, _ := read(t, "Email,First name,Phone\na@example.org,'=SUM(A1),'+12022243441\nb@example.org,O'Brien,+12022243442\n", nil, nil)
	want := []string{"2 email=a@example.org first_name:==SUM(A1) phone:=+12022243441", "3 email=b@example.org first_name=O'Brien phone=+12022243442"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestARowsCountryReadsItsPhoneAndZip(t *testing.T) {
	got, _, _ := read(t, "Email,Phone,Zip,Country\na@example.org,030 123456,10115,Germany\nb@example.org,202-224-3441,20510,\n", nil, nil)
	want := []string{"2 email=a@example.org phone:=+4930123456 zip=10115 country:=DE", "3 email=b@example.org phone:=+12022243441 zip=20510"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestABrokenRecordWithASecretColumnIsWithheld(t *testing.T) {
	file := "Email,SSN\na@example.org,\"219-09-9998\"x\n"
	f, err := sheet.Open(strings.NewReader(file), sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New()
	if err != nil {
		t.Fatal(err)
	}
	w := reader(t, f, ring, nil, nil, nil)
	for b := range f.Blocks() {
		cells, _, err := w.read(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		r, err := row.NewCellsReader(bytes.NewReader(cells))
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Cells) != 1 || string(c.Cells[0]) != withheld {
			t.Errorf("cells %q", c.Cells)
		}
		for _, f := range c.Findings {
			if strings.Contains(f.Value, "9998") {
				t.Errorf("finding shows %q", f.Value)
			}
		}
	}
}

// What a job holds of its file does not grow with the file, and hardly with the cores.
func TestBlocksInFlightAreBounded(t *testing.T) {
	t.Parallel()
	const large = 2_000_000_000
	for _, c := range []struct {
		size    int64
		packed  bool
		workers int
		want    int
	}{
		{0, false, 2, leastBlock}, {100_000, false, 2, 100_000}, {100_000, true, 64, 100_000},
		{large, false, 1, mostBlock}, {large, false, 2, mostBlock}, {large, true, 1, fewBlock}, {large, false, 6, fewBlock}, {large, false, 64, fewBlock},
	} {
		if got := blockBytes(c.size, c.packed, c.workers); got != c.want {
			t.Errorf("a file of %d bytes, packed %t, with %d workers is read in blocks of %d bytes, want %d", c.size, c.packed, c.workers, got, c.want)
		}
	}
}

// The limit is what run asks a service for, and grows with what may be at work at once.
func TestUsualMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		slots, workers int
		mib            int64
	}{{1, 2, 136}, {2, 2, 136}, {2, 8, 160}, {4, 2, 192}} {
		s := &Service{cfg: Config{Slots: c.slots}, workers: c.workers}
		if got := s.UsualMemory() >> 20; got != c.mib {
			t.Errorf("%d slots with %d workers each: %d MiB, want %d", c.slots, c.workers, got, c.mib)
		}
	}
}
