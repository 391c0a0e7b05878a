package accounts

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

var fieldTypes = map[accountsv1.FieldType]fieldType{
	accountsv1.FieldType_FIELD_TYPE_TEXT:          text,
	accountsv1.FieldType_FIELD_TYPE_NUMBER:        number,
	accountsv1.FieldType_FIELD_TYPE_DATE:          date,
	accountsv1.FieldType_FIELD_TYPE_BOOLEAN:       boolean,
	accountsv1.FieldType_FIELD_TYPE_CRITERION:     criterion,
	accountsv1.FieldType_FIELD_TYPE_CRITERIA:      criteria,
	accountsv1.FieldType_FIELD_TYPE_AUTHORISATION: authorisation,
	accountsv1.FieldType_FIELD_TYPE_SECRET:        secret,
}

// toField reads a new field; number and key are given later. unique tells whether it is to have a key.
func toField(p *accountsv1.Field) (f field, unique bool, err error) {
	f = field{Name: p.GetName(), Type: fieldTypes[p.GetType()], Required: p.GetRequired()}
	if len(f.Name) > mostNameBytes || !fieldName.MatchString(f.Name) {
		return f, false, fault.New(fault.Invalid, "bad-field-name", "a field's name is snake_case: 1 to %d of a-z, 0-9 and single _ between them, beginning with a letter", mostNameBytes)
	}
	if _, standard := contact.FieldByName(f.Name); standard {
		return f, false, fault.New(fault.Exists, "standard-field", "%s is a standard field, which every account has", f.Name)
	}
	if slices.Contains(reserved, f.Name) {
		return f, false, fault.New(fault.Invalid, "bad-field-name", "%s is a column of the reports and cannot be a field", f.Name)
	}
	if f.Type == "" {
		return f, false, fault.New(fault.Invalid, "bad-field-type", "a field's type is text, number, date, boolean, criterion, criteria, authorisation or secret")
	}
	if p.GetUnique() && !f.Type.mayBeUnique() {
		return f, false, fault.New(fault.Invalid, "cannot-be-unique", "fields of the types text, number and date can be unique, not those of the type %s", f.Type)
	}
	label := p.GetLabel()
	if label == "" { // shoe_size: Shoe size
		label = strings.ToUpper(f.Name[:1]) + strings.ReplaceAll(f.Name[1:], "_", " ")
	}
	if f.Label, err = toHeading("label", label); err != nil {
		return f, false, err
	}
	if f.Headings, err = toHeadings(p.GetHeadings()); err != nil {
		return f, false, err
	}
	if f.MaxLength, err = toLength(f.Type, p.GetMaxLength()); err != nil {
		return f, false, err
	}
	return f, p.GetUnique(), nil
}

// toHeading takes a label, or another heading of a field: one line that has a letter or a digit.
func toHeading(what, s string) (string, error) {
	line, found := contact.AppendText(nil, []byte(s), mostLabelRunes, 0)
	if found.Failed() || foldedHeading(string(line)) == "" {
		return "", fault.New(fault.Invalid, "bad-"+what, "a %s is one line of 1 to %d characters with a letter or a digit among them", what, mostLabelRunes)
	}
	return string(line), nil
}

// toHeadings takes each heading once, whatever its case.
func toHeadings(in []string) ([]string, error) {
	if len(in) > mostHeadings {
		return nil, fault.New(fault.Invalid, "too-many-headings", "a field has at most %d headings, not %d", mostHeadings, len(in))
	}
	out, seen := []string{}, map[string]bool{}
	for _, h := range in {
		h, err := toHeading("heading", h)
		if err != nil {
			return nil, err
		}
		if folded := foldedHeading(h); !seen[folded] {
			seen[folded] = true
			out = append(out, h)
		}
	}
	return out, nil
}

// toLength takes the most characters of a value; 0 means the default of the type.
func toLength(t fieldType, n int32) (int32, error) {
	switch {
	case !t.measured() && n == 0:
		return 0, nil
	case !t.measured():
		return 0, fault.New(fault.Invalid, "bad-max-length", "fields of the types text and secret have a greatest length, not those of the type %s", t)
	case n == 0:
		return defaultLength, nil
	case n < 0 || n > mostLength:
		return 0, fault.New(fault.Invalid, "bad-max-length", "values have at most 1 to %d characters, not %d", mostLength, n)
	}
	return n, nil
}

// toCodes reads lines of a code book. An empty label is left so: what it means depends on what the book has.
func toCodes(in []*accountsv1.Code) ([]code, error) {
	if len(in) > mostCodes {
		return nil, fault.New(fault.Invalid, "too-many-codes", "a field has at most %d codes, not %d", mostCodes, len(in))
	}
	out := make([]code, 0, len(in))
	for i, p := range in {
		word, found := contact.AppendID(nil, []byte(p.GetCode()), mostCodeRunes, 0)
		switch {
		case found.Failed() || foldedCode(string(word)) == "":
			return nil, fault.New(fault.Invalid, "bad-code", "code %d: a code is one line of 1 to %d characters", i+1, mostCodeRunes)
		case strings.ContainsRune(string(word), ';'):
			return nil, fault.New(fault.Invalid, "bad-code", "the code %q holds a semicolon, which stands between codes", word)
		case foldedCode(string(word)) == "unset":
			return nil, fault.New(fault.Invalid, "bad-code", "%s in a file clears a field, so it cannot be a code", word)
		}
		label, found := contact.AppendText(nil, []byte(p.GetLabel()), mostLabelRunes, 0)
		if found.Failed() || len(label) > 0 && foldedCode(string(label)) == "" {
			return nil, fault.New(fault.Invalid, "bad-label", "the label of the code %q is no line of at most %d characters", word, mostLabelRunes)
		}
		if foldedCode(string(label)) == "unset" {
			return nil, fault.New(fault.Invalid, "bad-label", "%s in a file clears a field, so it cannot be a label", label)
		}
		out = append(out, code{Code: string(word), Label: string(label), Retired: p.GetRetired()})
	}
	return out, nil
}

// fieldChange is what UpdateField sets; nil leaves a thing as it is.
type fieldChange struct {
	Label     *string
	Required  *bool
	MaxLength *int32
	Headings  []string
}

// toFieldChange reads what is to be changed, all but what depends on the field's type.
func toFieldChange(p *accountsv1.UpdateFieldRequest) (fieldChange, error) {
	c := fieldChange{Required: p.Required, MaxLength: p.MaxLength}
	if p.Label != nil {
		label, err := toHeading("label", p.GetLabel())
		if err != nil {
			return c, err
		}
		c.Label = &label
	}
	if p.GetSetHeadings() {
		headings, err := toHeadings(p.GetHeadings())
		if err != nil {
			return c, err
		}
		c.Headings = headings
	} else if len(p.GetHeadings()) > 0 {
		return c, fault.New(fault.Invalid, "headings-not-set", "headings are given, but set_headings is not")
	}
	return c, nil
}

// apply changes a field and names what is set, for the audit.
func (c fieldChange) apply(f *field) (set []string, err error) {
	if c.Label != nil {
		f.Label = *c.Label
		set = append(set, "label")
	}
	if c.Required != nil {
		f.Required = *c.Required
		set = append(set, "required")
	}
	if c.MaxLength != nil {
		if f.MaxLength, err = toLength(f.Type, *c.MaxLength); err != nil {
			return nil, err
		}
		set = append(set, "max_length")
	}
	if c.Headings != nil {
		f.Headings = c.Headings
		set = append(set, "headings")
	}
	return set, nil
}

func fromField(f field) *accountsv1.Field {
	p := &accountsv1.Field{
		Name: f.Name, Label: f.Label, Type: fromType(f.Type), Required: f.Required, Unique: f.Key != 0, MaxLength: f.MaxLength,
		Headings: f.Headings, Number: f.Number, Key: int32(f.Key), CreatedAt: timestamppb.New(f.CreatedAt),
	}
	for _, c := range f.Codes {
		p.Codes = append(p.Codes, &accountsv1.Code{Code: c.Code, Label: c.Label, Retired: c.Retired})
	}
	return p
}

func fromType(stored fieldType) accountsv1.FieldType {
	for p, t := range fieldTypes {
		if t == stored {
			return p
		}
	}
	return accountsv1.FieldType_FIELD_TYPE_UNSPECIFIED
}

// standardFields are the fields that every account has, in the order of their numbers.
func standardFields() []*accountsv1.Field {
	var all []*accountsv1.Field
	for _, f := range contact.Fields() {
		spec, _ := f.Spec()
		p := &accountsv1.Field{Name: spec.Name, Label: spec.Label, Type: accountsv1.FieldType_FIELD_TYPE_STANDARD, Number: int32(f),
			Standard: true, MaxLength: int32(spec.MaxRunes), Unique: spec.Key.Unique()}
		if spec.Type == contact.TypeText {
			p.Type = accountsv1.FieldType_FIELD_TYPE_TEXT
		}
		all = append(all, p)
	}
	return all
}
