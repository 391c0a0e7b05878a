package contactdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
)

// Edit is a change of one contact by a person.
type Edit struct {
	By     uuid.UUID                 // the API key of who makes it
	At     time.Time                 // when
	Schema *contact.Schema           // the account's fields; nil for the standard ones alone
	Values map[contact.Field]*string // normal forms; nil clears the field; what is not in it stays
}

// Add makes a contact and puts it on lists. A key that a contact has already is Exists and names the contact; more
// contacts than most is Exhausted with both numbers; a merge at work is Aborted.
func (c *Contacts) Add(ctx context.Context, account uuid.UUID, e Edit, lists []string, most int64) (uuid.UUID, error) {
	id := uuid.Must(uuid.NewV7())
	now := c.state(account, id, nil, e)
	if err := c.sign(account, &Contact{}, nil, &now, e); err != nil {
		return uuid.Nil, err
	}
	err := c.edit(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		h, err := c.lock(ctx, tx, account)
		if err != nil {
			return err
		}
		if err := c.refuseKnown(ctx, tx, account, e.Schema, now.hashes); err != nil {
			return err
		}
		if h.Held+1 > most {
			return fault.New(fault.Exhausted, CodePackage, "the account holds %d contacts and its package is %d", h.Held, most).
				Hint("ask for a larger package, or remove contacts")
		}
		if err := c.write(ctx, tx, c.sql.InsertContact, account, id, e, now, nil); err != nil {
			return err
		}
		version, err := c.moveKeys(ctx, tx, account, id, h.KeyVersion, nil, now.hashes)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, c.sql.UpdateHoldings, account, h.Held+1, version); err != nil {
			return err
		}
		return c.join(ctx, tx, account, id, lists)
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("add contact in account %s: %w", account, err)
	}
	return id, nil
}

// Set changes a contact, and leaves in the journal what it was. What it says twice changes nothing. Errors are those of Add,
// and NotFound.
func (c *Contacts) Set(ctx context.Context, account, id uuid.UUID, e Edit) error {
	err := c.edit(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		h, alone, err := c.hold(ctx, tx, account, e.touchesKeys())
		if err != nil {
			return err
		}
		before, err := c.lockContact(ctx, tx, account, id)
		if err != nil {
			return err
		}
		now := c.state(account, id, &before, e)
		if len(now.changed) == 0 {
			return nil
		}
		if err := refuseWithdrawn(&before, now, e.Schema); err != nil {
			return err
		}
		if err := c.refuseTaken(ctx, tx, account, id, e.Schema, before.hashes, now.hashes); err != nil {
			return err
		}
		if err := c.remember(ctx, tx, account, &before, &now, e); err != nil {
			return err
		}
		if err := c.write(ctx, tx, c.sql.UpdateContact, account, id, e, now, &before); err != nil {
			return err
		}
		version, err := c.moveKeys(ctx, tx, account, id, h.KeyVersion, before.hashes, now.hashes)
		if err != nil || !alone {
			return err
		}
		_, err = tx.Exec(ctx, c.sql.UpdateHoldings, account, h.Held, version)
		return err
	})
	if err != nil {
		return fmt.Errorf("change contact %s: %w", id, err)
	}
	return nil
}

// remember signs an edit, and leaves in the journal what the contact was before it, under an id of the edit's own.
func (c *Contacts) remember(ctx context.Context, tx pgx.Tx, account uuid.UUID, before *Contact, now *edited, e Edit) error {
	changes, err := collect(ctx, tx, scanPast, c.sql.ChangesOfContact, account, before.ID, mostChanges)
	if err != nil {
		return err
	}
	var past []image
	for _, ch := range slices.Backward(changes) {
		past = append(past, ch.image)
	}
	if err := c.sign(account, before, past, now, e); err != nil {
		return err
	}
	var fields uint64
	own := []string{}
	for _, f := range now.changed {
		if f < contact.FirstCustom {
			fields |= 1 << f
			continue
		}
		fields |= ownBit
		own = append(own, OwnName(f))
		if spec, _ := e.Schema.Spec(f); spec.Key != contact.NoKey {
			fields |= OwnKeyBit(spec.Key)
		}
	}
	_, err = tx.Exec(ctx, c.sql.InsertChange, account, uuid.Must(uuid.NewV7()), before.ID, int64(fields), own, e.By)
	return err
}

// sign puts the one who edits into the origins of what changes.
func (c *Contacts) sign(account uuid.UUID, before *Contact, past []image, now *edited, e Edit) error {
	for _, col := range append(Columns(), ownColumns(e.Schema)...) {
		if !slices.Contains(now.changed, col.Field) {
			continue
		}
		origin, err := c.originOf(account, before, past, col, e)
		if err != nil {
			return err
		}
		now.origins[col.Name] = origin
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
		return fault.Wrap(fault.Aborted, "job-being-applied", err, "job %d is being applied", job).Hint("try again in a moment")
	}
	return fault.Wrap(fault.Aborted, "contacts-being-changed", err, "the account's contacts are being changed").Hint("try again in a moment")
}

// jobAtWork finds the number of the job whose merge holds the account's holdings. It is the one query of this service that runs as
// contacts_all: what a merge is at is told to nobody but it.
func (c *Contacts) jobAtWork(ctx context.Context, account uuid.UUID) (number int64, found bool, err error) {
	err = c.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, c.sql.JobAtWork, account).Scan(&number)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look for the job at work: %w", err)
	}
	return number, true, nil
}

// hold keeps merges out until the transaction ends. Who may change a key, or is the first to edit a contact of the account,
// is alone; edits of other values do not wait for each other.
func (c *Contacts) hold(ctx context.Context, tx pgx.Tx, account uuid.UUID, keys bool) (h Holdings, alone bool, err error) {
	if h, err = c.holdings(ctx, tx, account); err != nil {
		return h, false, err
	}
	if keys || !h.Edited {
		h, err = c.lock(ctx, tx, account)
		return h, true, err
	}
	var q script
	high, low := gate(account)
	q.add("wait for merges", c.sql.KeepMergesOut, high, low)
	q.read("share holdings", h.scan, c.sql.ShareHoldings, account)
	return h, false, q.run(ctx, tx)
}

// lock takes the account's holdings, without which nobody adds contacts or changes keys.
func (c *Contacts) lock(ctx context.Context, tx pgx.Tx, account uuid.UUID) (h Holdings, err error) {
	var q script
	high, low := gate(account)
	q.add("wait for edits", c.sql.KeepEditsOut, high, low)
	q.add("make holdings", c.sql.MakeHoldings, account)
	q.read("lock holdings", h.scan, c.sql.LockHoldings, account)
	return h, q.run(ctx, tx)
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

// refuseWithdrawn keeps to what a person decided: an authorisation that was withdrawn is not turned on again, nor taken
// back, by an edit.
func refuseWithdrawn(before *Contact, now edited, s *contact.Schema) error {
	for _, f := range now.changed {
		if spec, _ := s.Spec(f); spec.Type == contact.TypeAuthorisation && before.Values[f] == Withdrawn {
			entry, _ := finding.ConsentKept.Entry()
			return fault.New(fault.Precondition, string(finding.ConsentKept), "%s: %s", spec.Name, entry.Text).Hint("%s", entry.Hint)
		}
	}
	return nil
}

// touchesKeys tells whether the edit can change a key.
func (e Edit) touchesKeys() bool {
	for f := range e.Values {
		if spec, _ := e.Schema.Spec(f); spec.Key != contact.NoKey || slices.Contains(fallbackFields, f) {
			return true
		}
	}
	return false
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
	own, err := c.ownChanges(account, id, now, e.Schema)
	if err != nil {
		return err
	}
	args = append(args, sealed, own)
	for k := contact.Key(contact.OwnKey); k < contact.Keys; k++ {
		args = append(args, nullable(now.hashes, k))
	}
	if before != nil {
		args = append(args, slices.Contains(now.changed, contact.FieldSSN))
	}
	_, err = tx.Exec(ctx, sql, args...)
	return err
}
