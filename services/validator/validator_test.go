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
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

var (
	account = uuid.MustParse("0190a000-0000-7000-8000-00000000000a")
	job     = uuid.MustParse("0190a000-0000-7000-8000-00000000000b")
)

// read runs a file's bytes through the same steps as a job, on one worker.
func read(t *testing.T, file string, mapping map[string]string, change func(*plan)) (rows []string, keys []row.Keys, total tally) {
	t.Helper()
	f, err := sheet.Open(strings.NewReader(file), sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	columns, question, problem := mapColumns(f.Heading, mapping)
	if question != nil || problem != nil {
		t.Fatalf("question %v, problem %v", question, problem)
	}
	ring, err := keyring.New()
	if err != nil {
		t.Fatal(err)
	}
	today, _ := contact.DateOf(2026, 11, 21)
	p := newPlan(account, job, columns)
	p.home, p.today = contact.CountryByCode("US"), today
	if change != nil {
		change(p)
	}
	w := &worker{plan: p, parser: f.Parser(), normaliser: contact.NewNormaliser(), seal: ring, hasher: ring.Hasher(), tally: tally{filled: make([]int64, len(columns))}}
	total.filled = make([]int64, len(columns))
	for b, err := range f.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		cells, hashes, err := w.read(b)
		if err != nil {
			t.Fatal(err)
		}
		total.add(&w.tally)
		rows = append(rows, show(t, cells, ring)...)
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
func show(t *testing.T, cells []byte, ring *keyring.Keyring) (out []string) {
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
	got, keys, total := read(t, file, mapping, func(p *plan) { p.adds = true })
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
	columns, _, _ := mapColumns(f.Heading, nil)
	ring, err := keyring.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{plan: newPlan(account, job, columns), parser: f.Parser(), normaliser: contact.NewNormaliser(), seal: ring, hasher: ring.Hasher(), tally: tally{filled: make([]int64, 2)}}
	for b := range f.Blocks() {
		cells, _, err := w.read(b)
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

func TestMapping(t *testing.T) {
	for name, c := range map[string]struct {
		headings string
		said     map[string]string
		fields   string
		question string
		problem  string
	}{
		"by heading":            {"Email;First name;Shoe size", nil, "email;first_name;", "", ""},
		"said":                  {"kundennr;E-Mail", map[string]string{"KundenNr": "external_id"}, "external_id;email", "", ""},
		"said wins":             {"Email;Private email", map[string]string{"Private email": "email"}, ";email", "", ""},
		"ignored":               {"Email;Phone", map[string]string{"Phone": "-"}, "email;", "", ""},
		"two for one":           {"Email;email", nil, "", "two-columns-for-one-field", ""},
		"by position":           {"Email;email", map[string]string{"#2": "email", "#1": "-"}, ";email", "", ""},
		"position is not there": {"Email", map[string]string{"#7": "email"}, "", "mapped-column-missing", ""},
		"no key":                {"First name;City", nil, "", "no-key-column", ""},
		"said heading is gone":  {"Email", map[string]string{"Mail": "email"}, "", "mapped-column-missing", ""},
		"field unknown":         {"Email", map[string]string{"Email": "mail"}, "", "", "unknown-field"},
		"nothing maps":          {"Shoe size;Hat size", nil, "", "", "nothing-maps"},
		"name, birth and zip":   {"First name;Last name;Birth date;Zip", nil, "first_name;last_name;birth_date;zip", "", ""},
	} {
		columns, q, p := mapColumns(strings.Split(c.headings, ";"), c.said)
		if q.GetCode() != c.question || p.GetCode() != c.problem {
			t.Errorf("%s: question %q problem %q, want %q %q", name, q.GetCode(), p.GetCode(), c.question, c.problem)
			continue
		}
		if q != nil && q.Hint == "" || p != nil && p.Hint == "" {
			t.Errorf("%s: nobody is told what to do", name)
		}
		if c.question == "" && c.problem == "" {
			var got []string
			for _, col := range columns {
				got = append(got, col.field.String())
			}
			if s := strings.Join(got, ";"); s != c.fields {
				t.Errorf("%s: %s, want %s", name, s, c.fields)
			}
		}
	}
}

func TestDateOrderIsDecidedByTheColumn(t *testing.T) {
	for name, c := range map[string]struct {
		cells   string
		order   contact.DateOrder
		decided bool
	}{
		"iso":            {"1990-01-02 1991-03-04", contact.YMD, true},
		"day first":      {"01/02/1990 25/12/1980", contact.DMY, true},
		"month first":    {"01/02/1990 12/25/1980", contact.MDY, true},
		"open":           {"01/02/1990 03/04/1980", contact.ISO, false},
		"both":           {"25/12/1990 12/25/1980", contact.ISO, false},
		"empty":          {"", contact.ISO, true},
		"one slip of 21": {strings.Repeat("25/12/1990 ", 21) + "12/25/1980", contact.DMY, true},
	} {
		var v votes
		for _, cell := range strings.Fields(c.cells) {
			v.count([]byte(cell))
		}
		if o, ok := v.order(); ok != c.decided || ok && o != c.order {
			t.Errorf("%s: %v, %v; want %v, %v", name, o, ok, c.order, c.decided)
		}
	}
}

func TestSaidOrderWins(t *testing.T) {
	columns, _, _ := mapColumns([]string{"Email", "Birth date"}, nil)
	v := make([]votes, 2)
	v[1].count([]byte("25/12/1990"))
	if open := decide(columns, ingestv1.DateOrder_DATE_ORDER_MDY, v); open >= 0 || columns[1].dates.Order != contact.MDY {
		t.Errorf("open %d, order %v", open, columns[1].dates.Order)
	}
}

func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	file.WriteString("External id,First name,Last name,Email,Phone number,Date of birth,Address,City,Zip code,Company\n")
	for i := range 20_000 {
		fmt.Fprintf(&file, "C%08d,Noah,Alwickov,noah.alwickov%d@example.org,(202) %03d-%04d,1960-10-21,193 Orchard Hill,Miami,33111,\n", i, i, 200+i%700, i%10_000)
	}
	ring, err := keyring.New()
	if err != nil {
		b.Fatal(err)
	}
	norm := contact.NewNormaliser()
	b.SetBytes(int64(file.Len()))
	rows := int64(0)
	for b.Loop() {
		f, err := sheet.Open(bytes.NewReader(file.Bytes()), sheet.Options{})
		if err != nil {
			b.Fatal(err)
		}
		columns, _, _ := mapColumns(f.Heading, nil)
		p := newPlan(account, job, columns)
		p.home = contact.CountryByCode("US")
		p.today, _ = contact.DateOf(2026, 11, 21)
		w := &worker{plan: p, parser: f.Parser(), normaliser: norm, seal: ring, hasher: ring.Hasher(), tally: tally{filled: make([]int64, len(columns))}}
		for block, err := range f.Blocks() {
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := w.read(block); err != nil {
				b.Fatal(err)
			}
			rows += w.rows
			block.Release()
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
