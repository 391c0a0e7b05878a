// Package fields reads an account's own fields off the wire, so that all who work with a job's rows have them alike.
package fields

import (
	"math"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	// usualRunes bounds the values of a field that says nothing of their length.
	usualRunes = 1_000

	// runeBytes is the most that a character takes in UTF-8.
	runeBytes = 4
)

// types are those of own fields; a secret one is text.
var types = map[accountsv1.FieldType]contact.Type{
	accountsv1.FieldType_FIELD_TYPE_TEXT:          contact.TypeText,
	accountsv1.FieldType_FIELD_TYPE_SECRET:        contact.TypeText,
	accountsv1.FieldType_FIELD_TYPE_NUMBER:        contact.TypeNumber,
	accountsv1.FieldType_FIELD_TYPE_DATE:          contact.TypeDate,
	accountsv1.FieldType_FIELD_TYPE_BOOLEAN:       contact.TypeBoolean,
	accountsv1.FieldType_FIELD_TYPE_CRITERION:     contact.TypeCriterion,
	accountsv1.FieldType_FIELD_TYPE_CRITERIA:      contact.TypeCriteria,
	accountsv1.FieldType_FIELD_TYPE_AUTHORISATION: contact.TypeAuthorisation,
}

// SchemaOf is the standard fields and the account's own among those given; standard ones may be among them and are passed
// over. A field that this program cannot keep (its type, number or key is not known to it) is an error of kind Invalid
// with the code "bad-field".
func SchemaOf(all []*accountsv1.Field) (*contact.Schema, error) {
	var own []contact.Spec
	for _, f := range all {
		if f.GetStandard() {
			continue
		}
		spec, err := toSpec(f)
		if err != nil {
			return nil, err
		}
		own = append(own, spec)
	}
	s, err := contact.NewSchema(own)
	if err != nil {
		return nil, fault.New(fault.Invalid, "bad-field", "%v", err)
	}
	return s, nil
}

func toSpec(f *accountsv1.Field) (contact.Spec, error) {
	t, ok := types[f.GetType()]
	if !ok {
		return contact.Spec{}, fault.New(fault.Invalid, "bad-field", "the field %q has the type %d, which this program does not know", f.GetName(), f.GetType())
	}
	if n := f.GetNumber(); n < int32(contact.FirstCustom) || n > math.MaxUint16 {
		return contact.Spec{}, fault.New(fault.Invalid, "bad-field", "the field %q has the number %d: own fields have %d to %d", f.GetName(), n, contact.FirstCustom, math.MaxUint16)
	}
	key := contact.NoKey
	if f.GetUnique() {
		if k := f.GetKey(); k < contact.OwnKey || k >= contact.Keys {
			return contact.Spec{}, fault.New(fault.Invalid, "bad-field", "the unique field %q has the key %d: own ones have %d to %d", f.GetName(), k, contact.OwnKey, contact.Keys-1)
		}
		key = contact.Key(f.GetKey())
	}
	runes := int(f.GetMaxLength())
	if runes <= 0 {
		runes = usualRunes
	}
	spec := contact.Spec{
		Name: f.GetName(), Label: f.GetLabel(), Type: t, MaxRunes: runes, MaxBytes: runes * runeBytes,
		Secret: f.GetType() == accountsv1.FieldType_FIELD_TYPE_SECRET, Key: key,
		Number: contact.Field(f.GetNumber()), Required: f.GetRequired(), Headings: f.GetHeadings(),
	}
	for _, c := range f.GetCodes() {
		spec.Codes = append(spec.Codes, contact.CodeEntry{Code: c.GetCode(), Label: c.GetLabel(), Retired: c.GetRetired()})
	}
	return spec, nil
}
