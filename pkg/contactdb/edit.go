package contactdb

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/row"
)

// replacedKind is added to a field's number for the hash of a value that a person replaced, where the field is no key.
const replacedKind = 64

// mostReplaced is how many replaced values an override remembers: the latest are what an older file brings back.
const mostReplaced = 8

// mostCandidates bounds the contacts that are named as sharing a fallback key.
const mostCandidates = 20

// Edit is a change of one contact by a person.
type Edit struct {
	By     uuid.UUID                 // the API key of who makes it
	At     time.Time                 // when
	Values map[contact.Field]*string // normal forms; nil clears the field; what is not in it stays
}

// override is the origin of a value that a person gave. Replaced are the values before, as hashes, so that an older file
// can be known by them.
type override struct {
	By       uuid.UUID `json:"by"`
	At       time.Time `json:"at"`
	Replaced []string  `json:"replaced,omitempty"`
}

// Add makes a contact and puts it on lists. A key that a contact has already is Exists and names the contact; more
// contacts than most is Exhausted with both numbers; a merge at work is Aborted.
func (c *Contacts) Add(ctx context.Context, account uuid.UUID, e Edit, lists []string, most int64) (uuid.UUID, error) {
	id := uuid.Must(uuid.NewV7())
	now := c.state(account, id, nil, e)
	err := c.edit(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		held, version, err := c.lock(ctx, tx, account)
		if err != nil {
			return err
		}
		if err := c.refuseKnown(ctx, tx, account, now.hashes); err != nil {
			return err
		}
		if held+1 > most {
			return fault.New(fault.Exhausted, "package-too-small", "the account holds %d contacts and its package is %d", held, most).
				Hint("ask for a larger package, or remove contacts")
		}
		if err := c.write(ctx, tx, c.sql.InsertContact, account, id, e, now, nil); err != nil {
			return err
		}
		version, err = c.moveKeys(ctx, tx, account, id, version, nil, now.hashes)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, c.sql.UpdateHoldings, account, held+1, version); err != nil {
			return err
		}
		return c.join(ctx, tx, account, id, lists)
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("add contact in account %s: %w", account, err)
	}
	return id, nil
}

// Set changes a contact. What it says twice changes nothing. Errors are those of Add, and NotFound.
func (c *Contacts) Set(ctx context.Context, account, id uuid.UUID, e Edit) error {
	err := c.edit(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		var held, version int64
		if e.touchesKeys() {
			var err error
			if held, version, err = c.lock(ctx, tx, account); err != nil {
				return err
			}
		}
		before, err := c.lockContact(ctx, tx, account, id)
		if err != nil {
			return err
		}
		now := c.state(account, id, &before, e)
		if len(now.changed) == 0 {
			return nil
		}
		if err := c.refuseTaken(ctx, tx, account, id, before.hashes, now.hashes); err != nil {
			return err
		}
		if err := c.write(ctx, tx, c.sql.UpdateContact, account, id, e, now, &before); err != nil {
			return err
		}
		after, err := c.moveKeys(ctx, tx, account, id, version, before.hashes, now.hashes)
		if err != nil || after == version {
			return err
		}
		_, err = tx.Exec(ctx, c.sql.UpdateHoldings, account, held, after)
		return err
	})
	if err != nil {
		return fmt.Errorf("change contact %s: %w", id, err)
	}
	return nil
}

// edit is a transaction that gives up when a lock is not to be had in time, and then says who has it.
func (c *Contacts) edit(ctx context.Context, account uuid.UUID, fn func(ctx context.Context, tx pgx.Tx) error) error {
	err := c.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		wait := fmt.Sprintf("%dms", c.lockWait.Milliseconds())
		if _, err := tx.Exec(ctx, c.sql.SetLockWait, wait); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
	if err == nil || fault.Code(err) != "lock-timeout" {
		return err
	}
	job, found, lookErr := c.jobAtWork(ctx, account)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case found:
		return fault.Wrap(fault.Aborted, "job-being-applied", err, "job %s is being applied", job).Hint("try again in a moment")
	}
	return fault.Wrap(fault.Aborted, "contacts-being-changed", err, "the account's contacts are being changed").Hint("try again in a moment")
}

// jobAtWork finds the job whose merge holds the account's holdings. It is the one query of this service that runs as
// contacts_all: what a merge is at is told to nobody but it.
func (c *Contacts) jobAtWork(ctx context.Context, account uuid.UUID) (job uuid.UUID, found bool, err error) {
	err = c.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, c.sql.JobAtWork, account).Scan(&job)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("look for the job at work: %w", err)
	}
	return job, true, nil
}

// lock takes the account's holdings, without which nobody adds contacts or changes keys.
func (c *Contacts) lock(ctx context.Context, tx pgx.Tx, account uuid.UUID) (held, version int64, err error) {
	err = tx.QueryRow(ctx, c.sql.LockHoldings, account).Scan(&held, &version)
	if !errors.Is(err, pgx.ErrNoRows) {
		return held, version, err
	}
	if _, err := tx.Exec(ctx, c.sql.MakeHoldings, account); err != nil {
		return 0, 0, err
	}
	err = tx.QueryRow(ctx, c.sql.LockHoldings, account).Scan(&held, &version)
	return held, version, err
}

func (c *Contacts) lockContact(ctx context.Context, tx pgx.Tx, account, id uuid.UUID) (Contact, error) {
	err := tx.QueryRow(ctx, c.sql.LockContact, account, id).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Contact{}, unknownContact()
	}
	if err != nil {
		return Contact{}, err
	}
	found, err := c.read(ctx, tx, account, []Cursor{{After: id}})
	if err == nil && len(found) == 0 {
		err = unknownContact()
	}
	if err != nil {
		return Contact{}, err
	}
	return found[0], nil
}

// touchesKeys tells whether the edit can change a key.
func (e Edit) touchesKeys() bool {
	for f := range e.Values {
		if spec, _ := f.Spec(); spec.Key != contact.NoKey || slices.Contains(fallbackFields, f) {
			return true
		}
	}
	return false
}

// fallbackFields make up the fallback key.
var fallbackFields = []contact.Field{contact.FieldFirstName, contact.FieldLastName, contact.FieldBirthDate, contact.FieldZip}

// edited is a contact with an edit applied.
type edited struct {
	values  map[contact.Field]string
	hashes  map[contact.Key]uuid.UUID
	changed []contact.Field
	origins map[string]json.RawMessage
}

// state applies an edit to a contact, or to nothing.
func (c *Contacts) state(account, id uuid.UUID, before *Contact, e Edit) edited {
	if before == nil {
		before = &Contact{}
	}
	now := edited{
		values:  orEmpty(maps.Clone(before.Values)),
		hashes:  orEmpty(maps.Clone(before.hashes)),
		origins: orEmpty(maps.Clone(before.origins)),
	}
	for _, col := range Columns() {
		value, ok := e.Values[col.Field]
		if !ok || !c.change(account, &now, col, value) {
			continue
		}
		now.changed = append(now.changed, col.Field)
		now.origins[col.Name] = c.originOf(account, before, col, e)
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
func (c *Contacts) change(account uuid.UUID, now *edited, col Column, value *string) bool {
	old, had := now.values[col.Field]
	if value == nil {
		delete(now.values, col.Field)
		delete(now.hashes, col.Key)
		return had
	}
	if col.Key != contact.NoKey {
		hash := uuid.UUID(c.ring.Hash(account, uint8(col.Key), []byte(*value)))
		if had && now.hashes[col.Key] == hash && (old == *value || old == Masked) {
			return false
		}
		now.hashes[col.Key] = hash
	} else if had && old == *value {
		return false
	}
	now.values[col.Field] = *value
	return true
}

// originOf is the override that an edit leaves for a column, with the value it replaced added to those before.
func (c *Contacts) originOf(account uuid.UUID, before *Contact, col Column, e Edit) json.RawMessage {
	o := override{By: e.By, At: e.At.UTC()}
	if was, ok := before.origins[col.Name]; ok {
		var earlier override
		if json.Unmarshal(was, &earlier) == nil { // a job's origin is no object, and has none
			o.Replaced = earlier.Replaced
		}
	}
	if old, had := before.Values[col.Field]; had {
		hash, isKey := before.hashes[col.Key]
		if !isKey {
			hash = c.ring.Hash(account, replacedKind+uint8(col.Field), []byte(old))
		}
		text := hex.EncodeToString(hash[:])
		o.Replaced = append(slices.DeleteFunc(slices.Clone(o.Replaced), func(s string) bool { return s == text }), text)
		o.Replaced = o.Replaced[max(0, len(o.Replaced)-mostReplaced):]
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("override as JSON: %v", err)) // ids, a time and hex: it cannot fail
	}
	return b
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

// refuseKnown applies the rule of matching in mode add: whoever has one of the keys is a duplicate.
func (c *Contacts) refuseKnown(ctx context.Context, tx pgx.Tx, account uuid.UUID, hashes map[contact.Key]uuid.UUID) error {
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
	return duplicate(owners)
}

// refuseTaken refuses new keys of a contact that another contact has.
func (c *Contacts) refuseTaken(ctx context.Context, tx pgx.Tx, account, id uuid.UUID, before, now map[contact.Key]uuid.UUID) error {
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
	return duplicate(slices.DeleteFunc(owners, func(o owner) bool { return o.contact == id }))
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
func duplicate(owners []owner) error {
	var hits []row.Hit
	for _, o := range owners {
		i := slices.IndexFunc(hits, func(h row.Hit) bool { return h.Contact == o.contact })
		if i < 0 {
			i, hits = len(hits), append(hits, row.Hit{Contact: o.contact})
		}
		hits[i].Keys |= 1 << o.key
	}
	v := row.Relate(hits, [16]byte{}, nil)
	if _, action := row.Decide(row.Add, v.Relation); action == row.AddContact {
		return nil
	}
	if v.Relation == row.Several {
		var named []string
		for _, s := range v.Several {
			named = append(named, fmt.Sprintf("%s by %s", s.Contact, keyNames(s.Keys)))
		}
		return fault.New(fault.Exists, "several-contacts", "the keys belong to several contacts: %s", strings.Join(named, ", ")).
			Hint("correct the keys, or merge the contacts")
	}
	return fault.New(fault.Exists, "duplicate-contact", "contact %s has the same %s", v.Contact, keyNames(v.Keys)).
		Hint("correct the value, or change that contact instead")
}

func keyNames(mask uint8) string {
	var names []string
	for k := range contact.Key(contact.Keys) {
		if mask&(1<<k) != 0 {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, " and ")
}

// write inserts or updates the contact's row: insert_contact.sql and update_contact.sql take the same arguments, the
// latter one more, whether the secret is new.
func (c *Contacts) write(ctx context.Context, tx pgx.Tx, sql string, account, id uuid.UUID, e Edit, now edited, before *Contact) error {
	origins, err := json.Marshal(now.origins)
	if err != nil {
		return fmt.Errorf("write origins: %w", err)
	}
	args := []any{account, id, e.At, origins, nullable(now.hashes, contact.NameBirthZip)}
	for _, col := range hashedColumns() {
		args = append(args, nullable(now.hashes, col.Key))
	}
	var sealed []byte
	for _, col := range Columns() {
		value, ok := now.values[col.Field]
		spec, _ := col.Field.Spec()
		switch {
		case spec.Secret && ok && slices.Contains(now.changed, col.Field):
			if sealed, err = c.ring.Seal([]byte(value), keyring.ForContact(account, col.Name, id)); err != nil {
				return err
			}
		case spec.Secret:
		case ok:
			args = append(args, value)
		default:
			args = append(args, nil)
		}
	}
	args = append(args, sealed)
	if before != nil {
		args = append(args, slices.Contains(now.changed, contact.FieldSSN))
	}
	_, err = tx.Exec(ctx, sql, args...)
	return err
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
