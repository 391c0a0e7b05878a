package model

import (
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
)

// key is something that a contact is recognised by.
type key struct {
	kind contact.Key
	text string
}

// keysOf are the keys that values make, in the order of their kinds.
func (a *Account) keysOf(values map[contact.Field]string) []key {
	var all []key
	for _, f := range a.Schema.Fields() {
		spec, _ := a.Schema.Spec(f)
		if v, ok := values[f]; ok && spec.Key != contact.NoKey {
			all = append(all, key{spec.Key, v})
		}
	}
	parts := []string{values[contact.FieldFirstName], values[contact.FieldLastName], values[contact.FieldBirthDate], values[contact.FieldZip]}
	if !slices.Contains(parts, "") {
		all = append(all, key{contact.NameBirthZip, strings.Join(parts, "/")})
	}
	slices.SortFunc(all, func(a, b key) int { return int(a.kind) - int(b.kind) })
	return all
}

// owners are the contacts that have a key.
func (a *Account) owners(k key) []int {
	var found []int
	for _, id := range a.ids() {
		if slices.Contains(a.keysOf(a.Contacts[id].Values), k) {
			found = append(found, id)
		}
	}
	return found
}

// hits are the contacts that have one of some keys, with the kinds that hit, in the order of the contacts.
func (a *Account) hits(keys []key, ask func(contact.Key) bool) []Hit {
	var found []Hit
	for _, id := range a.ids() {
		h := Hit{Contact: id}
		for _, k := range keys {
			if ask(k.kind) && (k.kind == contact.ContactID && k.text == name(id) || slices.Contains(a.owners(k), id)) {
				h.Keys = append(h.Keys, k.kind)
			}
		}
		if len(h.Keys) > 0 {
			found = append(found, h)
		}
	}
	return found
}

// Hit is a contact that has keys of a row.
type Hit struct {
	Contact int
	Keys    []contact.Key
}

// relate says how a row stands to the account's contacts. Unique keys are asked first, and the fallback key only if none
// of them finds anyone. chosen are the keys that rows are matched by, none for all: another unique key that hits somebody
// else makes a conflict, and so does one that hits anybody where no chosen key hits.
func (a *Account) relate(keys []key, chosen []contact.Key) (row.Relation, []Hit) {
	isChosen := func(k contact.Key) bool { return len(chosen) == 0 || slices.Contains(chosen, k) }
	hits := a.hits(keys, func(k contact.Key) bool { return k.Unique() && isChosen(k) })
	others := a.hits(keys, func(k contact.Key) bool { return k.Unique() && !isChosen(k) })
	if len(hits) == 0 && len(others) == 0 && isChosen(contact.NameBirthZip) {
		hits = a.hits(keys, func(k contact.Key) bool { return k == contact.NameBirthZip })
	}
	if len(hits) > 1 {
		return row.Several, hits
	}
	for _, o := range others {
		if len(hits) == 0 || o.Contact != hits[0].Contact {
			return row.Other, []Hit{o}
		}
	}
	if len(hits) == 0 {
		return row.None, nil
	}
	has, filled := a.Contacts[hits[0].Contact].Values[contact.FieldExternalID]
	for _, k := range keys {
		if filled && k.kind == contact.ExternalID && k.text != has {
			return row.Other, hits
		}
	}
	return row.One, hits
}
