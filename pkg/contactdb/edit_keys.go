package contactdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
)

// allKeys are the keys by which a person's contact is matched, whatever files are matched by.
const allKeys = 0

// mostCandidates bounds the contacts that are named as sharing a fallback key.
const mostCandidates = 20

// refuseKnown applies the rule of matching in mode add: whoever has one of the keys is a duplicate.
func (c *Contacts) refuseKnown(ctx context.Context, tx pgx.Tx, account uuid.UUID, s *contact.Schema, hashes map[contact.Key]uuid.UUID) error {
	if err := c.refuseSuppressed(ctx, tx, account, hashes); err != nil {
		return err
	}
	owners, err := c.owners(ctx, tx, account, uniqueOf(hashes))
	if err != nil {
		return err
	}
	if fallback, ok := hashes[contact.NameBirthZip]; ok && len(owners) == 0 {
		found, err := collect(ctx, tx, pgx.RowTo[uuid.UUID], c.sql.ContactsOfFallback, account, fallback, mostCandidates)
		if err != nil {
			return err
		}
		for _, id := range found {
			owners = append(owners, owner{hash: fallback, key: contact.NameBirthZip, contact: id})
		}
	}
	return duplicate(owners, s)
}

// refuseTaken refuses new keys of a contact that another contact has.
func (c *Contacts) refuseTaken(ctx context.Context, tx pgx.Tx, account, id uuid.UUID, s *contact.Schema, before, now map[contact.Key]uuid.UUID) error {
	added := differing(now, before)
	if len(added) == 0 {
		return nil
	}
	if err := c.refuseSuppressed(ctx, tx, account, added); err != nil {
		return err
	}
	owners, err := c.owners(ctx, tx, account, uniqueOf(added))
	if err != nil {
		return err
	}
	return duplicate(slices.DeleteFunc(owners, func(o owner) bool { return o.contact == id }), s)
}

// refuseSuppressed refuses the keys of people who were erased. A phone alone does not tell a person.
func (c *Contacts) refuseSuppressed(ctx context.Context, tx pgx.Tx, account uuid.UUID, hashes map[contact.Key]uuid.UUID) error {
	var asked []uuid.UUID
	for key, h := range hashes {
		if key != contact.Phone {
			asked = append(asked, h)
		}
	}
	var suppressed bool
	if err := tx.QueryRow(ctx, c.sql.Suppressed, account, asked).Scan(&suppressed); err != nil {
		return err
	}
	if suppressed {
		return fault.New(fault.Precondition, "suppressed", "this person was erased and is kept out")
	}
	return nil
}

// duplicate says which contacts have the keys, and by which; nil if none has.
func duplicate(owners []owner, schema *contact.Schema) error {
	var hits []row.Hit
	for _, o := range owners {
		i := slices.IndexFunc(hits, func(h row.Hit) bool { return h.Contact == o.contact })
		if i < 0 {
			i, hits = len(hits), append(hits, row.Hit{Contact: o.contact})
		}
		hits[i].Keys |= 1 << o.key
	}
	v := row.Relate(hits, [16]byte{}, allKeys, nil)
	if _, action := row.Decide(row.Add, v.Relation); action == row.AddContact {
		return nil
	}
	if v.Relation == row.Several {
		var named []string
		for _, s := range v.Several {
			named = append(named, fmt.Sprintf("%s by %s", s.Contact, keyNames(s.Keys, schema)))
		}
		return fault.New(fault.Exists, "several-contacts", "the keys belong to several contacts: %s", strings.Join(named, ", ")).
			Hint("correct the keys, or merge the contacts")
	}
	return fault.New(fault.Exists, "duplicate-contact", "contact %s has the same %s", v.Contact, keyNames(v.Keys, schema)).
		Hint("correct the value, or change that contact instead")
}

func keyNames(mask uint16, s *contact.Schema) string {
	var names []string
	for k := range contact.Key(contact.Keys) {
		if mask&(1<<k) != 0 {
			names = append(names, s.KeyName(k))
		}
	}
	return strings.Join(names, " and ")
}

// moveKeys brings the rows of a contact's keys from what it had to what it has, and leaves both in the key changes under
// a new version, which it returns.
func (c *Contacts) moveKeys(ctx context.Context, tx pgx.Tx, account, id uuid.UUID, version int64, before, now map[contact.Key]uuid.UUID) (int64, error) {
	gone, come := differing(before, now), differing(now, before)
	if len(gone)+len(come) == 0 {
		return version, nil
	}
	if old, ok := gone[contact.NameBirthZip]; ok {
		if _, err := tx.Exec(ctx, c.sql.DeleteFallback, account, old, id); err != nil {
			return 0, err
		}
	}
	if hashes := uniqueOf(gone); len(hashes) > 0 {
		if _, err := tx.Exec(ctx, c.sql.DeleteKeys, account, id, hashes); err != nil {
			return 0, err
		}
	}
	if fallback, ok := come[contact.NameBirthZip]; ok {
		if _, err := tx.Exec(ctx, c.sql.InsertFallback, account, fallback, id); err != nil {
			return 0, err
		}
	}
	if hashes, kinds := pairs(come, true); len(hashes) > 0 {
		if _, err := tx.Exec(ctx, c.sql.InsertKeys, account, id, hashes, kinds); err != nil {
			return 0, err
		}
	}
	version++
	goneHashes, goneKinds := pairs(gone, false)
	hashes, kinds := pairs(come, false)
	_, err := tx.Exec(ctx, c.sql.InsertKeyChanges, account, version, id, append(hashes, goneHashes...), append(kinds, goneKinds...))
	return version, err
}

// differing are the keys of a that b has not or has otherwise.
func differing(a, b map[contact.Key]uuid.UUID) map[contact.Key]uuid.UUID {
	d := map[contact.Key]uuid.UUID{}
	for k, h := range a {
		if b[k] != h {
			d[k] = h
		}
	}
	return d
}

// pairs lists keys as two arrays in the order of the hashes.
func pairs(keys map[contact.Key]uuid.UUID, uniqueOnly bool) (hashes []uuid.UUID, kinds []int16) {
	order := slices.SortedFunc(maps.Keys(keys), func(a, b contact.Key) int { return slices.Compare(bytesOf(keys[a]), bytesOf(keys[b])) })
	for _, k := range order {
		if uniqueOnly && !k.Unique() {
			continue
		}
		hashes, kinds = append(hashes, keys[k]), append(kinds, int16(k))
	}
	return hashes, kinds
}

func uniqueOf(keys map[contact.Key]uuid.UUID) []uuid.UUID {
	hashes, _ := pairs(keys, true)
	return hashes
}

func bytesOf(u uuid.UUID) []byte { return u[:] }

func nullable(hashes map[contact.Key]uuid.UUID, k contact.Key) uuid.NullUUID {
	h, ok := hashes[k]
	return uuid.NullUUID{UUID: h, Valid: ok}
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}
