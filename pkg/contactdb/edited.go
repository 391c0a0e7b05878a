package contactdb

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/keyring"
)

// replacedKind is added to a field's number for the hash of a value that a person replaced, where the field is no key.
const replacedKind = 64

// mostReplaced is how many replaced values an override remembers: the latest are what an older file brings back.
const mostReplaced = 8

// fallbackFields make up the fallback key.
var fallbackFields = []contact.Field{contact.FieldFirstName, contact.FieldLastName, contact.FieldBirthDate, contact.FieldZip}

// ownColumns stand for the account's own fields, which have no columns, in the order of the schema.
func ownColumns(s *contact.Schema) []Column {
	var all []Column
	for _, spec := range s.Own() {
		all = append(all, Column{Field: spec.Number, Name: OwnName(spec.Number), Key: spec.Key, Type: "jsonb"})
	}
	return all
}

// edited is a contact with an edit applied.
type edited struct {
	values  map[contact.Field]string
	hashes  map[contact.Key]uuid.UUID
	secrets map[contact.Field]string
	changed []contact.Field
	origins origins
}

// state applies an edit to a contact, or to nothing.
func (c *Contacts) state(account, id uuid.UUID, before *Contact, e Edit) edited {
	if before == nil {
		before = &Contact{}
	}
	now := edited{
		values:  orEmpty(maps.Clone(before.Values)),
		hashes:  orEmpty(maps.Clone(before.hashes)),
		secrets: orEmpty(maps.Clone(before.secrets)),
		origins: orEmpty(maps.Clone(before.origins)),
	}
	for _, col := range append(Columns(), ownColumns(e.Schema)...) {
		value, ok := e.Values[col.Field]
		spec, _ := e.Schema.Spec(col.Field)
		if !ok || !c.change(account, &now, col, spec.Secret, value) {
			continue
		}
		now.changed = append(now.changed, col.Field)
	}
	if slices.ContainsFunc(now.changed, func(f contact.Field) bool { return slices.Contains(fallbackFields, f) }) {
		delete(now.hashes, contact.NameBirthZip)
		if text, ok := fallbackText(now.values); ok {
			now.hashes[contact.NameBirthZip] = c.ring.Hash(account, uint8(contact.NameBirthZip), text)
		}
	}
	return now
}

// change puts a value in place; false if it is there already. Keys are compared by their hashes: of a secret value
// nothing else can be.
func (c *Contacts) change(account uuid.UUID, now *edited, col Column, secret bool, value *string) bool {
	old, had := now.values[col.Field]
	if value == nil {
		delete(now.values, col.Field)
		delete(now.hashes, col.Key)
		delete(now.secrets, col.Field)
		return had
	}
	if col.Key != contact.NoKey {
		hash := uuid.UUID(c.ring.Hash(account, uint8(col.Key), []byte(*value)))
		if had && now.hashes[col.Key] == hash && (old == *value || old == Masked) {
			return false
		}
		now.hashes[col.Key] = hash
	} else if secret {
		hash := c.ownHash(account, col.Field, *value)
		if had && now.secrets[col.Field] == base64.RawStdEncoding.EncodeToString(hash[:]) {
			return false
		}
		now.secrets[col.Field] = base64.RawStdEncoding.EncodeToString(hash[:])
	} else if had && old == *value {
		return false
	}
	now.values[col.Field] = *value
	return true
}

// originOf is the override that an edit leaves for a column: with what was replaced there before, and with all that the
// contact is known to have had, the latest last. past are those, oldest first.
func (c *Contacts) originOf(account uuid.UUID, before *Contact, past []image, col Column, e Edit) (json.RawMessage, error) {
	earlier, _, err := before.origins.override(col.Field)
	if err != nil {
		return nil, err
	}
	had := earlier.Replaced
	for _, m := range append(past, before.image) {
		if old, ok := m.Values[col.Field]; ok {
			hash := c.hashOf(account, &m, col, old)
			text := hex.EncodeToString(hash[:])
			had = append(slices.DeleteFunc(slices.Clone(had), func(s string) bool { return s == text }), text)
		}
	}
	return json.Marshal(override{By: e.By, At: e.At.UTC(), Replaced: had[max(0, len(had)-mostReplaced):]})
}

// hashOf is the keyed hash of a value in an image of a contact.
func (c *Contacts) hashOf(account uuid.UUID, before *image, col Column, value string) uuid.UUID {
	if hash, isKey := before.hashes[col.Key]; isKey {
		return hash
	}
	if col.Field < contact.FirstCustom {
		return c.ring.Hash(account, replacedKind+uint8(col.Field), []byte(value))
	}
	if stored, secret := before.secrets[col.Field]; secret {
		b, err := base64.RawStdEncoding.DecodeString(stored)
		if hash, short := uuid.FromBytes(b); err == nil && short == nil {
			return hash
		}
	}
	return c.ownHash(account, col.Field, value)
}

// ownHash is the keyed hash of an own field's value that is no key.
func (c *Contacts) ownHash(account uuid.UUID, f contact.Field, value string) [16]byte {
	var o OwnValues
	return o.Hash(c.ring.Hasher(), account, f, []byte(value))
}

// ownChanges are the own fields that an edit changes, as the statements take them; nil if there are none.
func (c *Contacts) ownChanges(account, id uuid.UUID, now edited, s *contact.Schema) ([]byte, error) {
	var own OwnValues
	for _, f := range now.changed {
		if f < contact.FirstCustom {
			continue
		}
		value, ok := now.values[f]
		spec, _ := s.Spec(f)
		switch {
		case !ok:
			own.Clear(f)
		case spec.Secret:
			sealed, err := c.ring.Seal([]byte(value), keyring.ForContact(account, OwnName(f), id))
			if err != nil {
				return nil, err
			}
			own.Secret(f, c.ownHash(account, f, value), sealed)
		default:
			own.Text(f, []byte(value))
		}
	}
	return own.JSON(), nil
}

// fallbackText is what the fallback key is a hash of; false if a part is missing.
func fallbackText(values map[contact.Field]string) ([]byte, bool) {
	birth, code := contact.ParseDate([]byte(values[contact.FieldBirthDate]), contact.DateRules{})
	if values[contact.FieldBirthDate] == "" || code.Failed() {
		return nil, false
	}
	return contact.AppendNameBirthZip(nil, []byte(values[contact.FieldFirstName]), []byte(values[contact.FieldLastName]),
		birth, []byte(values[contact.FieldZip]))
}
