// Package contact is the noun the whole system turns on: the fields a contact has, the keys it is recognised by, and
// how the text of a cell becomes a value. It is pure: no clock, no files, no network; what varies (today, country, date
// order) comes in with each call.
//
// The normalisers are on the hot path of every import. Each takes the cell as []byte, appends the normal form to dst
// and returns the extended slice with a finding code: empty when all is well, a warning's code when the value was taken
// with a remark, an error's code when it was refused, in which case dst comes back as it was given. None of them
// allocates for ordinary input, none keeps the cell, and all of them want valid UTF-8 without NUL and refuse the rest.
//
// A Normaliser looks for damage besides: what spreadsheets and text programs did to a cell on its way here. Where it is
// certain what stood there, that is taken, with a warning for which Code.Repaired holds; where it is not, the cell is refused.
package contact

import (
	"reflect"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Code is a finding's code; see package finding for the catalogue.
type Code = finding.Code

// Field names a standard field by its place in the table. The numbers are stored in row chunks and journals: new
// fields are added at the end, none is renumbered. Numbers from FirstCustom on belong to an account's own fields.
type Field uint16

const (
	NoField Field = iota
	FieldFirstName
	FieldLastName
	FieldFullName
	FieldPhone
	FieldEmail
	FieldBirthDate
	FieldSSN
	FieldAccountNumber
	FieldZip
	FieldExternalID
	FieldContactID
	FieldAddress
	FieldCity
	FieldState
	FieldCountry
	FieldCompany
	FieldVATNumber
	FieldChangedAt // when the row's values were so: what a file says of its rows, and no value of a contact

	fieldEnd
	FirstCustom Field = 256
)

// Type says how a field's cells are checked and normalised.
type Type uint8

const (
	TypeText      Type = iota // one line, NFC, trimmed
	TypeLines                 // text that may hold line breaks, kept as LF
	TypeID                    // trimmed, NFC, case kept, invisible characters removed
	TypeContactID             // a UUID
	TypeEmail
	TypePhone
	TypeBirthDate
	TypeSSN
	TypeZip
	TypeCountry
	TypeVAT
	TypeNumber        // a decimal number; its normal form has no thousands, no leading zeros and a point
	TypeDate          // any day of the calendar
	TypeBoolean       // true or false
	TypeCriterion     // one code of the field's code book
	TypeCriteria      // any number of codes, in the book's order, with ; between
	TypeAuthorisation // True, False or Empty
	TypeMoment        // a second in UTC, not in the future
)

// Spec is what the table knows about a field.
type Spec struct {
	Name     string // snake_case, stable: in files, API and SQL
	Label    string // for people, as in the import template
	Type     Type
	MaxRunes int  // of the normal form
	MaxBytes int  // of the normal form in UTF-8
	Secret   bool // encrypted at rest, masked everywhere
	Key      Key  // the key this field alone makes, or NoKey

	// Of an account's own fields.
	Number   Field       // its number, FirstCustom or more; NoField for a standard one
	Required bool        // a row without a value is INVALID
	Headings []string    // other names that files have for it
	Codes    []CodeEntry // the code book of a criterion

	book *codeBook // made of Codes by NewSchema
}

// Equal compares what was given; what NewSchema made of it does not count.
func (s Spec) Equal(o Spec) bool {
	s.book, o.book = nil, nil
	return reflect.DeepEqual(s, o)
}

// CodeEntry is a line of a code book.
type CodeEntry struct {
	Code    string // what is stored
	Label   string // for people; files may have it instead of the code
	Retired bool   // no longer taken from files, still shown
}

// Key is what a contact is recognised by. The numbers are stored with keyed hashes and never change.
type Key uint8

const (
	ContactID     Key = 0
	ExternalID    Key = 1
	Email         Key = 2
	Phone         Key = 3
	AccountNumber Key = 4
	SSN           Key = 5
	VAT           Key = 6
	NameBirthZip  Key = 7 // the fall-back, asked only when no unique key finds anyone; not unique

	OwnKey     = 8  // the first of those that an account's own unique fields make
	Keys       = 16 // how many there are
	NoKey  Key = 255
)

// Unique reports whether at most one contact of an account can have this key.
func (k Key) Unique() bool { return k != NameBirthZip && k < Keys }

// String returns the key's stable snake_case name; that of an own field is "own_8" and so on, for only the account's
// schema knows what it is called, see [Schema.KeyName].
func (k Key) String() string {
	if k >= OwnKey && k < Keys {
		return ownKeyNames[k-OwnKey]
	}
	switch k {
	case ContactID:
		return "contact_id"
	case ExternalID:
		return "external_id"
	case Email:
		return "email"
	case Phone:
		return "phone"
	case AccountNumber:
		return "account_number"
	case SSN:
		return "ssn"
	case VAT:
		return "vat_number"
	case NameBirthZip:
		return "name_birth_zip"
	}
	return "none"
}

var ownKeyNames = [Keys - OwnKey]string{"own_8", "own_9", "own_10", "own_11", "own_12", "own_13", "own_14", "own_15"}

// KeyByName is the inverse of Key.String.
func KeyByName(name string) (Key, bool) {
	for k := range Key(Keys) {
		if k.String() == name {
			return k, true
		}
	}
	return NoKey, false
}

var fields = [fieldEnd]Spec{
	NoField:            {Key: NoKey},
	FieldFirstName:     std("first_name", "First name", TypeText, 300, 1200, false, NoKey),
	FieldLastName:      std("last_name", "Last name", TypeText, 300, 1200, false, NoKey),
	FieldFullName:      std("full_name", "Full name", TypeText, 600, 2400, false, NoKey),
	FieldPhone:         std("phone", "Phone number", TypePhone, 16, 16, false, Phone),
	FieldEmail:         std("email", "Email", TypeEmail, 254, 254, false, Email),
	FieldBirthDate:     std("birth_date", "Date of birth", TypeBirthDate, 10, 10, false, NoKey),
	FieldSSN:           std("ssn", "Social security number", TypeSSN, 9, 9, true, SSN),
	FieldAccountNumber: std("account_number", "Account number", TypeID, 128, 512, false, AccountNumber),
	FieldZip:           std("zip", "Zip code", TypeZip, 16, 16, false, NoKey),
	FieldExternalID:    std("external_id", "External id", TypeID, 256, 1024, false, ExternalID),
	FieldContactID:     std("contact_id", "Contact id", TypeContactID, 36, 36, false, ContactID),
	FieldAddress:       std("address", "Address", TypeLines, 500, 2000, false, NoKey),
	FieldCity:          std("city", "City", TypeText, 200, 800, false, NoKey),
	FieldState:         std("state", "State", TypeText, 200, 800, false, NoKey),
	FieldCountry:       std("country", "Country", TypeCountry, 2, 2, false, NoKey),
	FieldCompany:       std("company", "Company", TypeText, 300, 1200, false, NoKey),
	FieldVATNumber:     std("vat_number", "VAT number", TypeVAT, 16, 16, false, VAT),
	FieldChangedAt:     std("changed_at", "Changed at", TypeMoment, 20, 20, false, NoKey),
}

// std is a line of the table.
func std(name, label string, t Type, maxRunes, maxBytes int, secret bool, key Key) Spec {
	return Spec{Name: name, Label: label, Type: t, MaxRunes: maxRunes, MaxBytes: maxBytes, Secret: secret, Key: key}
}

// Spec returns the table's line for a standard field, and false for NoField and an account's own fields.
func (f Field) Spec() (Spec, bool) {
	if f == NoField || f >= fieldEnd {
		return Spec{Key: NoKey}, false
	}
	return fields[f], true
}

// Kept reports whether the field is a value that contacts have: of the standard ones the contact id is none, by which a row
// says whom it is about, and neither is when the row was changed.
func (f Field) Kept() bool { return f != NoField && f != FieldContactID && f != FieldChangedAt }

// String returns the field's stable name, or the empty string for one that the table does not have.
func (f Field) String() string {
	if f >= fieldEnd {
		return ""
	}
	return fields[f].Name
}

// Fields returns all standard fields in the order of their numbers.
func Fields() []Field {
	all := make([]Field, 0, fieldEnd-1)
	for f := NoField + 1; f < fieldEnd; f++ {
		all = append(all, f)
	}
	return all
}

// FieldByName finds a standard field by its stable name.
func FieldByName(name string) (Field, bool) {
	for f := NoField + 1; f < fieldEnd; f++ {
		if fields[f].Name == name {
			return f, true
		}
	}
	return NoField, false
}

// Template returns the fields of the standard import template in its order.
func Template() []Field {
	return []Field{FieldFirstName, FieldLastName, FieldPhone, FieldEmail, FieldBirthDate, FieldSSN, FieldAccountNumber, FieldZip}
}
