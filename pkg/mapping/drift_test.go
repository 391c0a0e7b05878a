package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/mapping"
)

// A file that has lost a column by which contacts were recognised is asked about; one that is known, or is another, is not.
func TestDrift(t *testing.T) {
	t.Parallel()
	schema, err := contact.NewSchema([]contact.Spec{{Name: "customer_number", Label: "Customer number", Type: contact.TypeText, MaxRunes: 20, MaxBytes: 80, Key: 9, Number: 256}})
	if err != nil {
		t.Fatal(err)
	}
	file := func(job int64, headings, keys string) mapping.Earlier {
		e := mapping.Earlier{Job: job, Headings: strings.Split(headings, ";")}
		for _, k := range strings.Split(keys, ";") {
			if heading, field, ok := strings.Cut(k, "="); ok {
				e.Keys = append(e.Keys, mapping.EarlierKey{Heading: heading, Field: field})
			}
		}
		return e
	}
	monthly := file(41, "External id;First name;Last name;Email;City", "External id=external_id;Email=email")
	mails := file(7, "Email;Phone;First name;City", "Email=email;Phone=phone")
	for name, c := range map[string]struct {
		headings string
		sample   string
		said     map[string]string
		keys     uint16
		earlier  []mapping.Earlier
		asks     string // a part of the message; empty where nothing is asked
		hint     string
		columns  []int
	}{
		"renamed": {"Ref A;First name;Last name;Email;City", "", nil, 0, []mapping.Earlier{monthly}, `In job 41, a file like this one, the column "External id" was external_id; this file has none`,
			`contactmill jobs answer JOB --map "Ref A=external_id"; or, if the file is meant without: contactmill jobs answer JOB --confirm`, []int{0}},
		"renamed, and others new": {"Tag;First name;Last name;Email;City;Ref A", "a;;;;;1|;;;;;2|;;;;;3", nil, 0, []mapping.Earlier{monthly}, "external_id", `--map "Ref A=external_id"`, []int{5, 0}},
		"missing":                 {"First name;Last name;Email;City", "", nil, 0, []mapping.Earlier{monthly}, "this file has none", "--map HEADING=external_id", nil},
		"nearly the word":         {"Externl id;First name;Last name;Email;City", "", nil, 0, []mapping.Earlier{monthly}, `"Externl id" only looks like it`, `--map "Externl id=external_id"`, []int{0}},
		"another that was there": {"Ref A;Externl id;First name;City", "", nil, 0, []mapping.Earlier{file(41, "External id;Externl id;First name;City", "External id=external_id")}, `"Externl id" only looks like it`,
			`if another column has it now: contactmill jobs answer JOB --map "Ref A=external_id"; if the file is meant without: contactmill jobs answer JOB --confirm --map "Externl id=-".`, []int{1, 0}},
		"nearly the word, as before": {"Externl id;First name;Last name;City", "", nil, 0, []mapping.Earlier{file(41, "Externl id;First name;Last name;Email", "Externl id=external_id")}, "", "", nil},
		"by another word":            {"Contact ext id;External ID;Last name;Email;City", "", nil, 0, []mapping.Earlier{monthly}, "", "", nil},
		"said":                       {"Ref A;First name;Last name;Email;City", "", map[string]string{"Ref A": "external_id"}, 0, []mapping.Earlier{monthly}, "", "", nil},
		"said to be ignored":         {"External id;First name;Last name;Email;Town", "", map[string]string{"External id": "-"}, 0, []mapping.Earlier{monthly}, "", "", nil},
		"known":                      {"CITY;ref a;First name;Last name;Email", "", nil, 0, []mapping.Earlier{monthly, file(50, "Ref A;First name;Last name;Email;City", "Email=email")}, "", "", nil},
		"another file":               {"Email;Company;Address;Zip", "", nil, 0, []mapping.Earlier{monthly}, "", "", nil},
		"nothing earlier":            {"Email;City", "", nil, 0, nil, "", "", nil},
		"most like":                  {"Email;Kd;First name;City", "", nil, 0, []mapping.Earlier{mails, monthly}, "", "", nil},
		"an own key":                 {"Kd;Email;City;Zip", "", nil, 0, []mapping.Earlier{file(3, "Customer number;Email;City;Zip", "Customer number=customer_number;Email=email")}, "was customer_number", `"Kd=customer_number"`, []int{0}},
		"a key not matched by":       {"Ref A;First name;Last name;Email;City", "", nil, 1 << contact.Email, []mapping.Earlier{monthly}, "", "", nil},
		"email is left":              {"E;Phone;First name;City", "", nil, 0, []mapping.Earlier{mails}, "", "", nil},
		"nothing is left":            {"E;P;First name;Last name;City;Zip;Company", "", nil, 0, []mapping.Earlier{file(8, "Email;Phone;First name;Last name;City;Zip;Company", "Email=email;Phone=phone")}, `"Phone" was phone`, "--map", []int{0, 1}},
		"one of two":                 {"Ref A;Email", "", nil, 0, []mapping.Earlier{file(9, "External id;Email", "External id=external_id;Email=email")}, "was external_id", `"Ref A=external_id"`, []int{0}},
		"two of three":               {"First name;Email", "", nil, 0, []mapping.Earlier{file(9, "External id;Email", "External id=external_id;Email=email")}, "", "", nil},
		"a field that is gone":       {"Kd;Email;City;Zip", "", nil, 0, []mapping.Earlier{file(3, "Number;Email;City;Zip", "Number=old_number;Email=email")}, "", "", nil},
	} {
		r := mapping.Request{Headings: strings.Split(c.headings, ";"), Schema: schema, Said: c.said, Keys: c.keys}
		for _, row := range strings.Split(c.sample, "|") {
			r.Sample = append(r.Sample, strings.Split(row, ";"))
		}
		q := mapping.Drift(r, mapping.Map(r), c.earlier)
		if (q != nil) != (c.asks != "") {
			t.Errorf("%s: asked %+v, want %q", name, q, c.asks)
			continue
		}
		if q == nil {
			continue
		}
		if q.Code != "key-column-gone" || !strings.Contains(q.Message, c.asks) || !strings.Contains(q.Hint, c.hint) || !strings.Contains(q.Hint, "answer JOB --confirm") {
			t.Errorf("%s: asked %+v, want %q and %q", name, q, c.asks, c.hint)
		}
		if d := cmp.Diff(c.columns, q.Columns); d != "" {
			t.Errorf("%s: columns (-want +got):\n%s", name, d)
		}
	}
}

func TestReportOf(t *testing.T) {
	t.Parallel()
	for headings, want := range map[string][]int{
		"Email;line;outcome;reason;contact_id;job":                                                  {1, 2, 3, 4, 5},
		"job;reason;Email;contact_id;LINE; outcome ":                                                {4, 5, 1, 3, 0},
		"line;contact_id;Email;line_2;outcome;reason;contact_id_2;job":                              {3, 4, 5, 6, 7},
		"Job;job_2;job_3;line;outcome;reason;contact_id;job_4;x":                                    {3, 4, 5, 6, 7},
		"line_2;job_2;Email;line;outcome;reason;contact_id;job":                                     {3, 4, 5, 6, 7},
		"line;line_3;Email;line_2;outcome;reason;contact_id;job":                                    {3, 4, 5, 6, 7},
		"line_2;outcome;reason;contact_id;job;line;Email":                                           {0, 1, 2, 3, 4},
		"outcome;line_2;line;Email;reason;contact_id;job":                                           {1, 0, 4, 5, 6},
		"Email;line;outcome;reason;contact_id":                                                      nil,
		"Email;line;outcome;reason;contact_id;Beruf":                                                nil,
		"Email;line_2;outcome;reason;contact_id;job":                                                nil,
		"job;line;outcome;reason;contact_id;line_2;outcome_2;reason_2;contact_id_2;job_2;outcome_4": {5, 6, 7, 8, 9},
	} {
		r, ok := mapping.ReportOf(strings.Split(headings, ";"), map[string]string{"Email": "email"})
		if ok != (want != nil) {
			t.Errorf("%s is a report: %t", headings, ok)
		}
		if got := r.Columns(); ok && !cmp.Equal(got[:], want) {
			t.Errorf("%s: columns %v, want %v", headings, got, want)
		}
	}
	for said, want := range map[string]bool{"job": false, "#6": false, "line": true} {
		if _, ok := mapping.ReportOf(strings.Split("Email;line;outcome;reason;contact_id;job", ";"), map[string]string{said: "-"}); ok != want {
			t.Errorf("with %s said to be something, it is a report: %t", said, ok)
		}
	}
}
