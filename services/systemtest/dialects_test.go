package systemtest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
)

// tableRows is one table, as rows of cells.
var tableRows = [][]string{
	{"Customer ID", "First name", "Last name", "E-mail", "Phone", "Date of birth", "ZIP", "City", "Notes to self"},
	{"D1", "Zoë", "O'Brien", "zoe@example.com", "(202) 224-3121", "13/01/1990", "02134", "Boston", "likes \"quotes\""},
	{"D2", "Ann", "Müller, Jr.", "ann@example.com", "202-224-3122", "28/02/1985", "10115", "New York; NY", "two\nlines"},
	{"D3", "Bad", "Mail", "nobody at nowhere", "202-224-3123", "01/03/1970", "20001", "Washington", ""},
	{"D1", "Zoë", "Again", "zoe2@example.com", "", "", "", "", "same id"},
	{"D4", "José", "Núñez", "jose@example.com", "202 224 3124", "31/12/1960", "20002", "Washington | DC", "tab\there"},
	{"D5", "Short", "", "", "", "", "", "", ""},
}

// written writes the table; a cell is quoted where it has to be, or always.
func written(rows [][]string, delimiter, end string, cell func(string) string) string {
	var b strings.Builder
	for _, row := range rows {
		for i, c := range row {
			if i > 0 {
				b.WriteString(delimiter)
			}
			if strings.ContainsAny(c, delimiter+"\"'\n\r\\") {
				c = cell(c)
			}
			b.WriteString(c)
		}
		b.WriteString(end)
	}
	return b.String()
}

func doubled(c string) string { return `"` + strings.ReplaceAll(c, `"`, `""`) + `"` }
func single(c string) string  { return `'` + strings.ReplaceAll(c, `'`, `''`) + `'` }
func escaped(c string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c) + `"`
}

// dialects are the table in many forms, each of which is read without a question.
func dialects() map[string][]byte {
	latin, err := charmap.Windows1252.NewEncoder().String(written(tableRows, ";", "\r\n", doubled))
	must(err)
	plain := []byte(written(tableRows, ",", "\n", doubled))
	var rows strings.Builder
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", "\n", "&#10;")
	for i, row := range tableRows {
		var cells []string
		for _, c := range row {
			cells = append(cells, escape.Replace(c))
		}
		rows.WriteString(rowOf(i+1, cells...))
	}
	mixed := strings.Replace(written(tableRows, ",", "\n", doubled), "self\n", "self\r\n", 1)
	return map[string][]byte{
		"1-comma.csv":            plain,
		"2-excel.csv":            append([]byte("\ufeff"), written(tableRows, ",", "\r\n", doubled)...),
		"3-semicolon-latin.csv":  []byte(latin),
		"4-tab.tsv":              []byte(written(tableRows, "\t", "\n", doubled)),
		"5-pipe.txt":             []byte(written(tableRows, "|", "\r\n", doubled)),
		"6-cr.csv":               []byte(strings.ReplaceAll(written(tableRows, ",", "\r", doubled), "two\nlines", "two\rlines")),
		"7-utf16-mark.csv":       utf16of(binary.LittleEndian, true, written(tableRows, "\t", "\r\n", doubled)),
		"8-utf16-big-bare.csv":   utf16of(binary.BigEndian, false, written(tableRows, ";", "\n", doubled)),
		"9-single-quotes.csv":    []byte(written(tableRows, ",", "\n", single)),
		"10-escaped.csv":         []byte(written(tableRows, ",", "\n", escaped)),
		"11-sep.csv":             []byte("sep=;\r\n" + written(tableRows, ";", "\r\n", doubled)),
		"12-titles.csv":          []byte("Contacts of the shop\n\nexported 2024-05-01\n" + written(tableRows, ",", "\n", doubled)),
		"13-mixed-ends.csv":      []byte(mixed),
		"14-workbook.xlsx":       sheetOf(rows.String()),
		"15-packed.csv.gz":       zipped(plain),
		"16-packed.zip":          archive("contacts.csv", string(plain)),
		"17-workbook-packed.zip": archive("contacts.xlsx", string(sheetOf(rows.String()))),
	}
}

// oneTable reads one table in all its forms to the same contacts and outcomes.
func oneTable(t *testing.T, s *target) {
	type result struct {
		Counts   counts
		Outcomes []string
		Values   map[string]map[string]string
	}
	read := func(t *testing.T, name string, content []byte) result {
		a := s.tenant(t, 100)
		operator := &tenant{s: s, key: s.operator}
		operator.ok(t, &struct{ ID string }{}, "accounts", "set", a.name, "--country", "US")
		j := a.imports(t, 3, file(t, name, content), "upsert")
		got := result{Counts: j.Counts.rows(), Values: map[string]map[string]string{}}
		got.Counts.Blank = 0 // above the heading of one of them
		all := a.report(t, j, "")
		for i, id := range column(t, all, "Customer ID") {
			reason, _, _ := strings.Cut(column(t, all, "reason")[i], " [line") // they begin on other lines
			got.Outcomes = append(got.Outcomes, id+" "+column(t, all, "outcome")[i]+" "+reason)
		}
		for _, c := range a.all(t) {
			values := maps.Clone(c.Values)
			got.Values[values["external_id"]] = values
		}
		return got
	}
	all := dialects()
	want := read(t, "1-comma.csv", all["1-comma.csv"])
	if diff := cmp.Diff(counts{Rows: 6, Added: 4, Duplicate: 1, Invalid: 1}, want.Counts); diff != "" {
		t.Errorf("the plain one (-want +got):\n%s", diff)
	}
	if v := want.Values["D2"]; v["last_name"] != "Müller, Jr." || v["city"] != "New York; NY" || v["birth_date"] != "1985-02-28" || v["phone"] != "+12022243122" {
		t.Errorf("the plain one was read as %v", v)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, read(t, name, all[name])); diff != "" {
				t.Errorf("(-as plain CSV +as %s):\n%s", name, diff)
			}
		})
	}
}

// ownFields makes fields of every type, fills the templates in and imports them.
func ownFields(t *testing.T, s *target) {
	a := s.tenant(t, 100)
	var made struct{ Name string }
	for _, args := range [][]string{
		{"nickname", "--label", "Nickname", "--type", "text", "--max-length", "20"},
		{"points", "--label", "Points", "--type", "number"},
		{"member_since", "--label", "Member since", "--type", "date"},
		{"vip", "--label", "VIP", "--type", "boolean"},
		{"segment", "--label", "Segment", "--type", "criterion"},
		{"interests", "--label", "Interests", "--type", "criteria"},
		{"newsletter", "--label", "Newsletter", "--type", "authorisation"},
		{"pin", "--label", "PIN", "--type", "secret"},
		{"badge", "--label", "Badge", "--type", "text", "--unique"},
		{"region", "--label", "Region", "--type", "text", "--required"},
	} {
		a.ok(t, &made, append([]string{"fields", "add"}, args...)...)
	}
	a.ok(t, &made, "codes", "set", "segment", "A=Gold customer", "B=Silver customer")
	a.ok(t, &made, "codes", "set", "interests", "MUS=Music", "SPO=Sport", "ART=Fine art")

	csvTemplate := a.command(t, "template")
	if csvTemplate.code != 0 {
		t.Fatal(csvTemplate)
	}
	template := records(t, []byte(strings.TrimPrefix(csvTemplate.out, "\ufeff")))
	for _, label := range []string{"Nickname", "Segment", "Newsletter", "Badge", "Region"} {
		if !slices.Contains(template[0], label) {
			t.Errorf("the template has no column %s: %q", label, template[0])
		}
	}
	row := func(values map[string]string) []string {
		cells := make([]string, len(template[0]))
		for label, v := range values {
			i := slices.Index(template[0], label)
			if i < 0 {
				t.Fatalf("the template has no column %s", label)
			}
			cells[i] = v
		}
		return cells
	}
	// the template as it comes is a file that can be imported: its example is valid
	if j := a.imports(t, 0, file(t, "template.csv", []byte(csvTemplate.out)), "upsert", "--check"); j.State != "CHECKED" || j.Counts.Added != 1 {
		t.Errorf("the template's example row: %+v", j)
	}
	rows := [][]string{template[0],
		row(map[string]string{"Email": "a@example.com", "Nickname": "Al", "Points": "1,234.50", "Member since": "2020-02-29", "VIP": "yes", "Segment": "A", "Interests": "MUS;ART", "Newsletter": "True", "PIN": "4711", "Badge": "B-1", "Region": "North"}),
		row(map[string]string{"Email": "b@example.com", "Segment": "silver customer", "Interests": "Fine art; Sport", "VIP": "FALSE", "Region": "South"}),
		row(map[string]string{"Email": "c@example.com", "Segment": "C", "Region": "West"}),
		row(map[string]string{"Email": "d@example.com", "Segment": "A"}),
		row(map[string]string{"Email": "e@example.com", "Badge": "B-1", "Region": "East"}),
		row(map[string]string{"Email": "f@example.com", "Nickname": strings.Repeat("x", 21), "Region": "East"}),
	}
	j := a.imports(t, 3, file(t, "filled.csv", []byte(written(rows, ",", "\r\n", doubled))), "add")
	if diff := cmp.Diff(counts{Rows: 6, Added: 2, Invalid: 3, Duplicate: 1}, j.Counts.rows()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	all := a.report(t, j, "")
	for i, want := range []string{"", "", "code-unknown", "value-missing", "", "too-long"} {
		if reason := column(t, all, "reason")[i]; !strings.Contains(reason, want) {
			t.Errorf("row %d: reason %q, want %q", i+1, reason, want)
		}
	}
	for _, reason := range append(column(t, all, "reason"), column(t, all, "PIN")...) {
		if strings.Contains(reason, "4711") {
			t.Errorf("a secret is shown: %q", reason)
		}
	}
	first := a.all(t, "--email", "a@example.com")[0].Values
	for field, want := range map[string]string{"nickname": "Al", "points": "1234.5", "member_since": "2020-02-29", "vip": "true", "segment": "A", "interests": "MUS;ART", "newsletter": "True", "badge": "B-1", "region": "North"} {
		if first[field] != want {
			t.Errorf("%s is %q, want %q", field, first[field], want)
		}
	}
	if strings.Contains(first["pin"], "4711") || first["pin"] == "" {
		t.Errorf("the secret field shows as %q", first["pin"])
	}
	second := a.all(t, "--email", "b@example.com")[0].Values
	if second["segment"] != "B" || second["interests"] != "SPO;ART" || second["vip"] != "false" {
		t.Errorf("the second contact has %v", second)
	}
	// a value of the file's own is mapped to a code, and listed until it is
	var asked struct {
		Unknown []struct {
			Field, Value string
			Rows         int
		} `json:"unknown_values"`
	}
	a.ok(t, &asked, "jobs", "get", j.ID)
	if len(asked.Unknown) != 1 || asked.Unknown[0].Field != "segment" || asked.Unknown[0].Value != "C" || asked.Unknown[0].Rows != 1 {
		t.Errorf("unknown values: %+v, want C of segment in one row", asked.Unknown)
	}
	third := [][]string{template[0], rows[3]}
	a.imports(t, 0, file(t, "mapped.csv", []byte(written(third, ",", "\n", doubled))), "add", "--value", "segment:C=B")
	if got := a.all(t, "--email", "c@example.com")[0].Values["segment"]; got != "B" {
		t.Errorf("segment is %q, want B", got)
	}
	// the unique field recognises a contact
	known := [][]string{{"Badge", "Region", "Nickname"}, {"B-1", "North", "Bo"}}
	if j := a.imports(t, 0, file(t, "badge.csv", []byte(written(known, ",", "\n", doubled))), "update"); j.Counts.Updated != 1 {
		t.Errorf("an update by an own unique field: %+v", j.Counts)
	}
	if got := a.all(t, "--email", "a@example.com")[0].Values["nickname"]; got != "Bo" {
		t.Errorf("nickname is %q, want Bo", got)
	}
	authorisations(t, s)
	inWorkbook(t, a)
}

// authorisations are read in every spelling there is, and in no other.
func authorisations(t *testing.T, s *target) {
	a := s.tenant(t, 100)
	var made struct{ Name string }
	a.ok(t, &made, "fields", "add", "newsletter", "--label", "Newsletter", "--type", "authorisation")
	var b strings.Builder
	b.WriteString("External id,Newsletter\n")
	spellings := []string{"True", "TRUE", "true", "T", "t", "False", "FALSE", "false", "F", "f", "Empty", "", "yes", "asdfasdf", "null", "1"}
	for i, s := range spellings {
		fmt.Fprintf(&b, "A%d,%s\n", i, s)
	}
	a.imports(t, 3, file(t, "consent.csv", []byte(b.String())), "add")
	got := map[string]string{}
	for _, c := range a.all(t) {
		got[c.Values["external_id"]] = c.Values["newsletter"]
	}
	want := map[string]string{}
	for i, s := range spellings[:12] {
		v := ""
		switch {
		case i < 5:
			v = "True"
		case i < 10:
			v = "False"
		}
		_ = s
		want[fmt.Sprintf("A%d", i)] = v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("authorisations (-want +got):\n%s", diff)
	}
}

// inWorkbook fills the template in that comes as a workbook.
func inWorkbook(t *testing.T, a *tenant) {
	r := a.command(t, "template", "--format", "xlsx")
	if r.code != 0 || !strings.HasPrefix(r.out, "PK") {
		t.Fatalf("the template as a workbook: exit code %d, %s", r.code, r.err)
	}
	filled := fillWorkbook(t, []byte(r.out), map[string]string{"Email": "w@example.com", "Segment": "Gold customer", "Region": "North", "Points": "7"})
	j := a.imports(t, 0, file(t, "template.xlsx", filled), "add")
	if j.Counts.Added != 1 {
		t.Errorf("the template as a workbook: %+v", j)
	}
	if v := a.all(t, "--email", "w@example.com")[0].Values; v["segment"] != "A" || v["points"] != "7" {
		t.Errorf("the contact from the workbook has %v", v)
	}
}
