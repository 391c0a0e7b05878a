package contact_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// The numbers are stored: this test is the list that must never change but at its end.
func TestStoredNumbers(t *testing.T) {
	t.Parallel()
	for k, want := range []string{"contact_id", "external_id", "email", "phone", "account_number", "ssn", "vat_number", "name_birth_zip"} {
		if got := contact.Key(k).String(); got != want {
			t.Errorf("key %d is %s, want %s", k, got, want)
		}
		if got, ok := contact.KeyByName(want); !ok || got != contact.Key(k) {
			t.Errorf("KeyByName(%s) = %d, %v", want, got, ok)
		}
		if got := contact.Key(k).Unique(); got != (want != "name_birth_zip") {
			t.Errorf("key %s: unique is %v", want, got)
		}
	}
	names := []string{"", "first_name", "last_name", "full_name", "phone", "email", "birth_date", "ssn", "account_number", "zip",
		"external_id", "contact_id", "address", "city", "state", "country", "company", "vat_number", "changed_at"}
	for f, want := range names {
		if got := contact.Field(f).String(); got != want {
			t.Errorf("field %d is %q, want %q", f, got, want)
		}
		if want == "" {
			continue
		}
		if got, ok := contact.FieldByName(want); !ok || got != contact.Field(f) {
			t.Errorf("FieldByName(%s) = %d, %v", want, got, ok)
		}
		spec, ok := contact.Field(f).Spec()
		if !ok || spec.Label == "" || spec.MaxRunes == 0 || spec.MaxBytes < spec.MaxRunes || spec.Secret != (want == "ssn") {
			t.Errorf("field %s: %+v, %v", want, spec, ok)
		}
		if spec.Key != contact.NoKey && spec.Key.String() != want {
			t.Errorf("field %s makes the key %s", want, spec.Key)
		}
	}
	if got := len(contact.Fields()); got != len(names)-1 {
		t.Errorf("%d fields, want %d", got, len(names)-1)
	}
	if _, ok := contact.FirstCustom.Spec(); ok || contact.FirstCustom.String() != "" {
		t.Error("a custom field has a line in the standard table")
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	seen := map[contact.Code]bool{}
	for _, e := range finding.All() {
		if seen[e.Code] || e.Code == "" || e.Text == "" || e.Hint == "" || strings.ToLower(string(e.Code)) != string(e.Code) {
			t.Errorf("entry %+v is a double or lacks something", e)
		}
		seen[e.Code] = true
		if e.Code.Failed() != (e.Severity != finding.Warning) {
			t.Errorf("%s: failed is %v with severity %s", e.Code, e.Code.Failed(), e.Severity)
		}
	}
	if contact.Code("").Failed() || !contact.Code("never-heard-of").Failed() {
		t.Error("no code must be no failure, an unknown one must be one")
	}
}

type sample struct {
	cell, want string
	code       contact.Code
}

func check(t *testing.T, samples []sample, appendTo func(dst, cell []byte) ([]byte, contact.Code)) {
	t.Helper()
	for _, s := range samples {
		cell := []byte(s.cell)
		got, code := appendTo([]byte("kept"), cell)
		if string(got) != "kept"+s.want || code != s.code {
			t.Errorf("%q: got %q, %q; want %q, %q", s.cell, got, code, "kept"+s.want, s.code)
		}
		if string(cell) != s.cell {
			t.Errorf("%q was changed to %q", s.cell, cell)
		}
	}
}
