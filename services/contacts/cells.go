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

// read normalises values by field name: nil for one that is to be cleared; blank ones are left out, as they change
// nothing. Phones, zips and VAT numbers are read in the contact's country, given or stored, else in home. An error names
// the field and never the value.
func (c cells) read(values map[string]string, home contact.Country, stored string, now time.Time) (map[contact.Field]*string, error) {
	known := contact.Fields()
	rules := contact.Rules{Country: home, Today: day(now)}
	for _, code := range []string{stored, values[contact.FieldCountry.String()]} {
		text, _ := c.normaliser.Append(nil, contact.FieldCountry, []byte(code), rules)
		if country := contact.CountryByCode(string(text)); country != 0 {
			rules.Country = country
		}
	}
	read := make(map[contact.Field]*string, len(values))
	seen := 0
	for _, f := range known {
		cell, ok := values[f.String()]
		if !ok || f == contact.FieldContactID {
			continue
		}
		seen++
		if strings.TrimSpace(cell) == unset {
			read[f] = nil
			continue
		}
		text, err := c.one(f, cell, rules)
		if err != nil {
			return nil, err
		}
		if text != "" {
			read[f] = &text
		}
	}
	if seen != len(values) {
		return nil, fault.New(fault.Invalid, "unknown-field", "there is a field among them that a contact does not have").
			Hint("the fields are %s", strings.Join(fieldNames(), ", "))
	}
	return read, nil
}

// one normalises one value.
func (c cells) one(f contact.Field, cell string, rules contact.Rules) (string, error) {
	text, code := c.normaliser.Append(nil, f, []byte(cell), rules)
	if !code.Failed() {
		return string(text), nil
	}
	entry, _ := code.Entry()
	return "", fault.New(fault.Invalid, string(code), "%s: %s", f, entry.Text).Hint("%s", entry.Hint)
}

// hashes are the keys of values, blank ones left out.
func (c cells) hashes(account uuid.UUID, values map[contact.Field]string, country contact.Country) ([]uuid.UUID, error) {
	var hashes []uuid.UUID
	for _, f := range contact.Fields() {
		text, err := c.one(f, values[f], contact.Rules{Country: country})
		if err != nil {
			return nil, err
		}
		if text != "" {
			spec, _ := f.Spec()
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
func recognisable(values map[contact.Field]*string) error {
	for f := range values {
		if spec, _ := f.Spec(); spec.Key != contact.NoKey {
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

func fieldNames() []string {
	var names []string
	for _, c := range contactdb.Columns() {
		names = append(names, c.Name)
	}
	return names
}

func day(t time.Time) contact.Date {
	y, m, d := t.UTC().Date()
	date, _ := contact.DateOf(y, int(m), d) // a day of the calendar in this age
	return date
}
