package accounts

import (
	"bytes"
	"encoding/csv"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
)

// template is what an import file looks like: the fields of the standard template, then the account's own, and a row of
// an invented person that passes every check.
type template struct {
	headings []string
	example  []string // a cell for each heading, empty where nothing is certain to pass
	own      []field
}

const (
	templateName     = "contactmill-template.csv"
	templateNameXLSX = "contactmill-template.xlsx"
	plainCountry     = "US" // of the template that belongs to no account
	standardColumns  = 8
)

// examples are the values of the invented person. Where a country decides what is right there are several, and the first
// that passes there is taken.
var examples = map[contact.Field][]string{
	contact.FieldFirstName:     {"Jane"},
	contact.FieldLastName:      {"Doe"},
	contact.FieldPhone:         {"(202) 555-0143", "+1 202-555-0143"},
	contact.FieldEmail:         {"jane.doe@example.com"},
	contact.FieldBirthDate:     {"1980-12-31"},
	contact.FieldSSN:           {"536-22-8145"},
	contact.FieldAccountNumber: {"A-1001"},
	contact.FieldZip:           {"20001", "1000", "100000", "100-0001", "SW1A 1AA", "K1A 0B1", "1000 AA", "10-000", "01310-100", "100"},
}

// newTemplate makes the template of an account in a country.
func newTemplate(country string, own []field, n *contact.Normaliser) template {
	t := template{own: own}
	rules := contact.Rules{Country: contact.CountryByCode(country)}
	rules.Today, _ = contact.DateOf(2026, 1, 1)
	for _, f := range contact.Template() {
		spec, _ := f.Spec()
		cell := ""
		for _, e := range examples[f] {
			if _, found := n.Append(nil, f, []byte(e), rules); found == "" {
				cell = e
				break
			}
		}
		t.add(spec.Label, cell)
	}
	for i := range own {
		t.add(own[i].Label, own[i].example())
	}
	return t
}

func (t *template) add(heading, example string) {
	t.headings, t.example = append(t.headings, heading), append(t.example, example)
}

// example is a cell that the field takes.
func (f *field) example() string {
	switch f.Type {
	case number:
		return "42"
	case date:
		return "2024-12-31"
	case boolean:
		return "true"
	case authorisation:
		return "True"
	case criterion, criteria:
		var some []string
		for _, c := range f.Codes {
			if !c.Retired && len(some) < map[fieldType]int{criterion: 1, criteria: 2}[f.Type] {
				some = append(some, c.Code)
			}
		}
		return strings.Join(some, ";")
	}
	return "Example"[:min(int(f.MaxLength), len("Example"))]
}

// csv is the template as CSV, UTF-8 with CR LF line ends.
func (t *template) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	err := w.WriteAll([][]string{each(t.headings, inert), each(t.example, inert)})
	return b.Bytes(), err
}
