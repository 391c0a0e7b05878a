// Package contactdb is the contact database: its migrations, its SQL and one method for each query. Only the services
// merge and contacts, which own the schema together, import it.
//
// A contact is one row of contacts, with its values and the keyed hashes of its keys, found by id only. Each unique key
// is a row of contact_keys, found by hash; the fallback key is a row of contact_fallbacks. The values of an account's own
// fields lie together in one column (own.go), and unique ones are keys like the others. holdings is an account's own row.
//
// The rules everyone here keeps:
//   - whoever writes contacts, keys, lists or members first locks the account's row of holdings, at the gate (merges.go),
//     so that a merge and a hand edit never meet: for update, or, to change only values that are no keys, for share. It is
//     made by whoever finds it missing;
//   - whoever changes a contact, a job or a person, leaves in journal what the fields were before, with their origins. A
//     value's origin is the contact's maker unless contacts.origins names another; it stands for the value: undo and the
//     policies ask for origins, and never compare what the values are;
//   - every hash in contacts has its row in contact_keys or contact_fallbacks, and the other way round;
//   - holdings.held is the number of contacts, lists.members that of a list's members;
//   - a key that comes or goes outside a job grows holdings.key_version by one and leaves the old and the new hash in
//     key_changes under the new version: a merge matches the rows again that these touch.
package contactdb

import (
	"embed"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the schema and its two roles: contacts is the service of that name, merge applies jobs.
var Schema = postgres.Schema{Name: "contacts", Roles: []string{"merge"}, FS: migrations}

// Column is where a field's value is kept.
type Column struct {
	Field contact.Field
	Name  string      // column of contacts.contacts, the field's own name
	Hash  string      // column of the keyed hash; empty for a field that is no key
	Key   contact.Key // the key it makes alone, or contact.NoKey
	Type  string      // type in SQL
}

// Columns lists all fields that are kept, in the order of their numbers. The contact id is a field and no column here, and what files alone have is neither.
func Columns() []Column {
	var all []Column
	for _, f := range contact.Fields() {
		if c, ok := ColumnOf(f); ok {
			all = append(all, c)
		}
	}
	return all
}

// ColumnOf returns the column of a field, and false for one that is not kept under its own name.
func ColumnOf(f contact.Field) (Column, bool) {
	spec, ok := f.Spec()
	if !ok || !f.Kept() {
		return Column{}, false
	}
	c := Column{Field: f, Name: spec.Name, Key: spec.Key, Type: "text"}
	if spec.Key != contact.NoKey {
		c.Hash = spec.Name + "_hash"
	}
	switch {
	case spec.Secret:
		c.Type = "bytea"
	case spec.Type == contact.TypeBirthDate:
		c.Type = "date"
	}
	return c, true
}
