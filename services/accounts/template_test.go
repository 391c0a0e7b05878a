package accounts

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/sheet"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// template is the one by an account's key.
func (h *house) template(account string, format accountsv1.TemplateFormat) *accountsv1.GetTemplateResponse {
	h.t.Helper()
	c := accountsv1.NewAccountsServiceClient(h.dial(rpc.DialOptions{Key: config.Secret(h.key(account, accountsv1.Role_ROLE_SUBMITTER).GetSecret())}))
	res, err := c.GetTemplate(h.t.Context(), &accountsv1.GetTemplateRequest{Format: format})
	if err != nil {
		h.t.Fatalf("template of %s: %v", account, err)
	}
	return res
}

// everyType gives the account a field of each type.
func everyType(t *testing.T, c accountsv1.FieldsServiceClient) []*accountsv1.Field {
	t.Helper()
	codes := []*accountsv1.Code{{Code: "gone", Label: "Gone", Retired: true}, {Code: "-1", Label: "Minus one"}, {Code: "ö", Label: "Öl, \"raw\""}, {Code: "w", Label: "=Wine"}}
	var made []*accountsv1.Field
	for _, f := range []*accountsv1.Field{
		{Name: "nickname", Label: "+Nick", Type: textType, Required: true, MaxLength: 3}, {Name: "visits", Type: numberType, Unique: true}, {Name: "since", Type: dateType},
		{Name: "member", Type: booleanType}, {Name: "colour", Type: criterionType, Codes: codes}, {Name: "interests", Type: criteriaType, Codes: codes},
		{Name: "may_mail", Type: authorisationType}, {Name: "pin", Type: secretType}, {Name: "unknown_yet", Type: criterionType},
	} {
		made = append(made, create(t, c, f))
	}
	return made
}

func TestTemplateFollowsTheFields(t *testing.T) {
	h := newHouse(t)
	h.account("acme") // in Germany
	own := everyType(t, h.fields("acme"))
	schema, err := fields.SchemaOf(own)
	if err != nil {
		t.Fatal(err)
	}
	csvFile := h.template("acme", accountsv1.TemplateFormat_TEMPLATE_FORMAT_CSV)
	rows, err := csv.NewReader(bytes.NewReader(csvFile.GetContent())).ReadAll()
	if err != nil || len(rows) != 2 || csvFile.GetFileName() != "contactmill-template.csv" {
		t.Fatalf("%s: %d rows, %v, want a heading and an example", csvFile.GetFileName(), len(rows), err)
	}
	var labels []string
	for _, f := range contact.Template() {
		spec, _ := f.Spec()
		labels = append(labels, spec.Label)
	}
	for _, f := range own {
		labels = append(labels, strings.Replace(f.GetLabel(), "+Nick", "'+Nick", 1))
	}
	if d := cmp.Diff(labels, rows[0]); d != "" {
		t.Errorf("headings (-want +got):\n%s", d)
	}
	passes(t, schema, "DE", rows[1])

	workbook := h.template("acme", accountsv1.TemplateFormat_TEMPLATE_FORMAT_XLSX).GetContent()
	book, err := excelize.OpenReader(bytes.NewReader(workbook))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	sheets := book.GetSheetList()
	got, err := book.GetRows("Contacts")
	if err != nil {
		t.Fatal(err)
	}
	got[1] = append(got[1], make([]string, len(rows[1])-len(got[1]))...) // cells at the end that are empty are not there
	if d := cmp.Diff(rows, got); d != "" {
		t.Errorf("workbook (-CSV +XLSX):\n%s", d)
	}
	codes, err := book.GetRows("Codes")
	want := [][]string{{"Field", "Code", "Label"}, {"Colour", "'-1", "Minus one"}, {"Colour", "ö", "Öl, \"raw\""}, {"Colour", "w", "'=Wine"},
		{"Interests", "'-1", "Minus one"}, {"Interests", "ö", "Öl, \"raw\""}, {"Interests", "w", "'=Wine"}}
	if d := cmp.Diff(want, codes); d != "" || err != nil || !cmp.Equal(sheets, []string{"Contacts", "Codes"}) {
		t.Errorf("sheets %v, %v; codes (-want +got):\n%s", sheets, err, d)
	}
	if shown, err := book.GetSheetVisible("Codes"); shown || err != nil {
		t.Errorf("the sheet of codes is in view: %v, %v", shown, err)
	}
	offers, err := book.GetDataValidations("Contacts")
	if err != nil || len(offers) != 3 || offers[0].Formula1 != "Codes!$C$2:$C$4" || !strings.HasPrefix(offers[0].Sqref, "M2:") ||
		*offers[1].Prompt != "Any of these, with ; between: Minus one; Öl, \"raw\"; =Wine" || offers[2].Formula1 != "\"True,False,Empty\"" {
		t.Errorf("what the columns offer: %+v, %v", offers, err)
	}
	file, err := sheet.OpenAt(bytes.NewReader(workbook), int64(len(workbook)), sheet.Options{}) // by which it is read when it is handed in
	if err != nil {
		t.Fatalf("the workbook cannot be handed in as it is: %v", err)
	}
	defer file.Close()
	if file.Dialect.Sheet != "Contacts" || !cmp.Equal(file.Heading, rows[0]) {
		t.Errorf("of the workbook, sheet %s is read with the heading %q", file.Dialect.Sheet, file.Heading)
	}
}

// passes checks the example as an import does.
func passes(t *testing.T, schema *contact.Schema, country string, row []string) {
	t.Helper()
	n := contact.NewNormaliser()
	today, _ := contact.DateOf(2026, 1, 1)
	all := contact.Template()
	for _, spec := range schema.Own() {
		all = append(all, spec.Number)
	}
	for i, f := range all {
		spec, _ := schema.Spec(f)
		value, code := n.AppendSpec(nil, &spec, sheet.Strip([]byte(row[i])), contact.Rules{Country: contact.CountryByCode(country), Today: today})
		if code != "" || len(value) == 0 && spec.Name != "unknown_yet" {
			t.Errorf("%s: example of %s: value %q, finding %q", country, spec.Label, value, code)
		}
		if sheet.Computes([]byte(row[i])) && row[i][0] != '\'' {
			t.Errorf("example of %s is a formula to a spreadsheet", spec.Label)
		}
	}
}

func TestTemplateIsRightInEveryCountry(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	for _, country := range []string{"US", "CA", "GB", "DE", "FR", "ES", "IT", "PT", "NL", "BE", "CH", "AT", "PL", "CZ", "SE", "NO", "DK", "FI", "RU", "CN", "JP", "IN", "BR", "MX", "AU", "NZ", "ZA"} {
		c := newTemplate(country, nil, n)
		passes(t, nil, country, each(c.example, inert))
	}
}

func TestPromptsFitIntoASpreadsheet(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abc…", "😀😀": "😀😀", "😀😀😀": "😀…", strings.Repeat("x", 1<<20): "xxx…"} {
		if got := excerpt(in, 4); got != want {
			t.Errorf("%.20q: got %q, want %q", in, got, want)
		}
	}
}

func TestTemplateOfNoAccountIsTheStandardOne(t *testing.T) {
	h := newHouse(t)
	everyType(t, func() accountsv1.FieldsServiceClient { h.account("acme"); return h.fields("acme") }())
	res, err := h.operator.GetTemplate(t.Context(), &accountsv1.GetTemplateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := "First name,Last name,Phone number,Email,Date of birth,Social security number,Account number,Zip code\r\n" +
		"Jane,Doe,(202) 555-0143,jane.doe@example.com,1980-12-31,536-22-8145,A-1001,20001\r\n"
	if got := string(res.GetContent()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := h.operator.GetTemplate(t.Context(), &accountsv1.GetTemplateRequest{Format: 9}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a format that nobody has: %v", err)
	}
	plain, err := h.operator.GetTemplate(t.Context(), &accountsv1.GetTemplateRequest{Format: accountsv1.TemplateFormat_TEMPLATE_FORMAT_XLSX})
	if err != nil || plain.GetFileName() != "contactmill-template.xlsx" {
		t.Fatalf("%s, %v", plain.GetFileName(), err)
	}
	book, err := excelize.OpenReader(bytes.NewReader(plain.GetContent()))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if got := book.GetSheetList(); !cmp.Equal(got, []string{"Contacts"}) {
		t.Errorf("sheets %v, want one, for there are no codes", got)
	}
}
