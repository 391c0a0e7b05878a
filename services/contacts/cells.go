package contacts

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
)

// unset is the word that clears a field.
const unset = "UNSET"

// cells reads what people type as the cells of a file are read.
type cells struct {
	normaliser *contact.Normaliser
	ring       *keyring.Keyring
}

// read normalises values by field name, standard and own ones: nil for one that is to be cleared; blank ones are left out,
// as they change nothing. Phones, zips and VAT numbers are read in the contact's country, given or stored, else in home. An error names
// the field and never the value.
func (c cells) read(schema *contact.Schema, values map[string]string, home contact.Country, stored string, now time.Time) (map[contact.Field]*string, error) {
	rules := contact.Rules{Country: home, Today: day(now)}
	for _, code := range []string{stored, values[contact.FieldCountry.String()]} {
		text, _ := c.normaliser.Append(nil, contact.FieldCountry, []byte(code), rules)
		if country := contact.CountryByCode(string(text)); country != 0 {
			rules.Country = country
		}
	}
	read := make(map[contact.Field]*string, len(values))
	seen := 0
	for _, f := range schema.Fields() {
		spec, _ := schema.Spec(f)
		cell, ok := values[spec.Name]
		if !ok || !f.Kept() {
			continue
		}
		seen++
		if strings.TrimSpace(cell) == unset {
			read[f] = nil
			continue
		}
		text, err := c.one(&spec, cell, rules)
		switch {
		case err != nil:
			return nil, err
		case spec.Type == contact.TypeAuthorisation && text == contactdb.TakenBack:
			read[f] = nil
		case text != "":
			read[f] = &text
		}
	}
	if seen != len(values) {
		return nil, fault.New(fault.Invalid, "unknown-field", "there is a field among them that a contact does not have").
			Hint("the fields are %s", strings.Join(fieldNames(schema), ", "))
	}
	return read, nil
}

// one normalises one value.
func (c cells) one(spec *contact.Spec, cell string, rules contact.Rules) (string, error) {
	text, code := c.normaliser.AppendSpec(nil, spec, []byte(cell), rules)
	if !code.Failed() {
		return string(text), nil
	}
	entry, _ := code.Entry()
	return "", fault.New(fault.Invalid, string(code), "%s: %s", spec.Name, entry.Text).Hint("%s", entry.Hint)
}

// hashes are the keys of values, blank ones left out.
func (c cells) hashes(account uuid.UUID, values map[contact.Field]string, country contact.Country) ([]uuid.UUID, error) {
	var hashes []uuid.UUID
	for _, f := range contact.Fields() {
		spec, _ := f.Spec()
		text, err := c.one(&spec, values[f], contact.Rules{Country: country})
		if err != nil {
			return nil, err
		}
		if text != "" {
			hashes = append(hashes, c.ring.Hash(account, uint8(spec.Key), []byte(text)))
		}
	}
	return hashes, nil
}

// filled leaves out what would be cleared: a new contact has nothing to clear.
func filled(values map[contact.Field]*string) map[contact.Field]*string {
	for f, v := range values {
		if v == nil {
			delete(values, f)
		}
	}
	return values
}

// recognisable refuses a new contact without any key and without a name.
func recognisable(schema *contact.Schema, values map[contact.Field]*string) error {
	for f := range values {
		if spec, _ := schema.Spec(f); spec.Key != contact.NoKey {
			return nil
		}
		switch f {
		case contact.FieldFirstName, contact.FieldLastName, contact.FieldFullName, contact.FieldCompany:
			return nil
		}
	}
	entry, _ := finding.NoKey.Entry()
	return fault.New(fault.Invalid, string(finding.NoKey), "there is nothing to recognise the contact by").Hint("%s", entry.Hint)
}

// complete refuses a new contact without a value that the account requires.
func complete(schema *contact.Schema, values map[contact.Field]*string) error {
	for _, spec := range schema.Own() {
		if spec.Required && values[spec.Number] == nil {
			return missing(spec.Name)
		}
	}
	return nil
}

// keepsRequired refuses to clear a value that the account requires.
func keepsRequired(schema *contact.Schema, values map[contact.Field]*string) error {
	for _, spec := range schema.Own() {
		if v, ok := values[spec.Number]; ok && spec.Required && v == nil {
			return missing(spec.Name)
		}
	}
	return nil
}

func missing(field string) error {
	entry, _ := finding.ValueMissing.Entry()
	return fault.New(fault.Invalid, string(finding.ValueMissing), "%s: %s", field, entry.Text).Hint("give it a value")
}

func fieldNames(schema *contact.Schema) []string {
	var names []string
	for _, c := range contactdb.Columns() {
		names = append(names, c.Name)
	}
	for _, spec := range schema.Own() {
		names = append(names, spec.Name)
	}
	return names
}

func day(t time.Time) contact.Date {
	y, m, d := t.UTC().Date()
	date, _ := contact.DateOf(y, int(m), d) // a day of the calendar in this age
	return date
}
