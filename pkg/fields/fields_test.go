package fields_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

func TestSchemaOf(t *testing.T) {
	t.Parallel()
	s, err := fields.SchemaOf([]*accountsv1.Field{
		{Name: "email", Type: accountsv1.FieldType_FIELD_TYPE_STANDARD, Number: 5, Standard: true},
		{Name: "customer_number", Label: "Customer number", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Unique: true, MaxLength: 20, Number: 256, Key: 9, Headings: []string{"KdNr"}, Required: true},
		{Name: "pin", Label: "PIN", Type: accountsv1.FieldType_FIELD_TYPE_SECRET, Number: 257},
		{Name: "colour", Label: "Colour", Type: accountsv1.FieldType_FIELD_TYPE_CRITERION, Number: 300,
			Codes: []*accountsv1.Code{{Code: "r", Label: "Red"}, {Code: "g", Label: "Green", Retired: true}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []contact.Spec{
		{Name: "customer_number", Label: "Customer number", Type: contact.TypeText, MaxRunes: 20, MaxBytes: 80, Key: 9, Number: 256, Required: true, Headings: []string{"KdNr"}},
		{Name: "pin", Label: "PIN", Type: contact.TypeText, MaxRunes: 1000, MaxBytes: 4000, Secret: true, Key: contact.NoKey, Number: 257},
		{Name: "colour", Label: "Colour", Type: contact.TypeCriterion, MaxRunes: 1000, MaxBytes: 4000, Key: contact.NoKey, Number: 300,
			Codes: []contact.CodeEntry{{Code: "r", Label: "Red"}, {Code: "g", Label: "Green", Retired: true}}},
	}
	if diff := cmp.Diff(want, s.Own()); diff != "" {
		t.Errorf("own fields (-want +got):\n%s", diff)
	}
	if got := s.KeyName(9); got != "customer_number" {
		t.Errorf("key 9 is called %q, want customer_number", got)
	}
	if got := s.KeyName(contact.Email); got != "email" {
		t.Errorf("key 2 is called %q, want email", got)
	}
}

func TestFieldsThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	text := accountsv1.FieldType_FIELD_TYPE_TEXT
	for name, all := range map[string][]*accountsv1.Field{
		"unknown type":       {{Name: "a", Number: 256, Type: 99}},
		"standard's number":  {{Name: "a", Number: 5, Type: text}},
		"number too large":   {{Name: "a", Number: 1 << 16, Type: text}},
		"standard's key":     {{Name: "a", Number: 256, Type: text, Unique: true, Key: 2}},
		"unique, no key":     {{Name: "a", Number: 256, Type: text, Unique: true}},
		"key too large":      {{Name: "a", Number: 256, Type: text, Unique: true, Key: 16}},
		"standard's name":    {{Name: "email", Number: 256, Type: text}},
		"one number for two": {{Name: "a", Number: 256, Type: text}, {Name: "b", Number: 256, Type: text}},
		"one key for two":    {{Name: "a", Number: 256, Type: text, Unique: true, Key: 8}, {Name: "b", Number: 257, Type: text, Unique: true, Key: 8}},
	} {
		if _, err := fields.SchemaOf(all); !errors.Is(err, fault.Invalid) || fault.Code(err) != "bad-field" {
			t.Errorf("%s: %v, want a fault bad-field", name, err)
		}
	}
}
