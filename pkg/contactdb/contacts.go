package contactdb

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed queries/*.sql
var contactsQueries embed.FS

// contactsSQL is what the service contacts asks; the merge has statements of its own.
type contactsSQL struct {
	PlacesOfAll, PlacesOfJob, PlacesOfList, PlacesOfListAndJob string
	CountOfJob, CountOfListAndJob                              string
	ContactsByID, ContactsOfKeys, ContactsOfFallback           string
	ListsOfContacts, Lists, ListByName                         string
	InsertList, TakePosition, InsertMember                     string
	Holdings, LockHoldings, MakeHoldings, UpdateHoldings       string
	ShareHoldings, KeepEditsOut, KeepMergesOut                 string
	LockContact, InsertContact, UpdateContact                  string
	InsertChange, ChangesOfContact, RestoredContact            string
	JobsOfNumbers, JobByID                                     string
	InsertKeys, DeleteKeys, InsertFallback, DeleteFallback     string
	InsertKeyChanges, Suppressed                               string
	MatchKeys, MatchFallbacks, MatchContacts                   string
	MatchSpans                                                 string
	SetLockWait, PlanForAny, ExportSnapshot                    string
	UnenrichedOfJob, WriteFacts                                string
	JobAtWork                                                  string // the one that runs as contacts_all
}

// Masked stands for a secret value wherever one would be shown.
const Masked = "***-**-****"

// Contacts is the contact database as the service contacts uses it: reading, matching, and edits by hand. Reading never
// waits for a merge: it sees the contacts as they were before, until the merge commits.
type Contacts struct {
	db       *postgres.DB
	ring     *keyring.Keyring
	sql      contactsSQL
	lockWait time.Duration
}

// NewContacts takes a database opened as the role contacts. lockWait is how long a hand edit waits for a merge that is
// at work on the same contacts.
func NewContacts(db *postgres.DB, ring *keyring.Keyring, lockWait time.Duration) (*Contacts, error) {
	sql, err := postgres.Queries[contactsSQL](contactsQueries, "queries")
	if err != nil {
		return nil, err
	}
	return &Contacts{db: db, ring: ring, sql: sql, lockWait: lockWait}, nil
}

// Contact is a contact as it is shown.
type Contact struct {
	ID uuid.UUID
	image
	Facts       []Facts  // those that still belong to their value
	Lists       []string // names, in order
	CreatedJob  uuid.NullUUID
	CreatedLine int64 // of that job's file; 0 if a person made it
	CreatedAt   time.Time
	UpdatedAt   time.Time

	origins origins
}

// HasOwn tells whether it has values of the account's own fields.
func (c Contact) HasOwn() bool {
	for f := range c.Values {
		if f >= contact.FirstCustom {
			return true
		}
	}
	return false
}

// Facts is what a provider said of a value: a JSON object of names and values.
type Facts struct {
	About contact.Field
	JSON  json.RawMessage
}

// Filter narrows contacts; all that is set must hold.
type Filter struct {
	List string        // on the list of that name
	Job  uuid.NullUUID // made by that job
	Keys []uuid.UUID   // has these keys, by their hashes
}

// Cursor is where a page ended. Lists are in upload order, everything else in the order of creation.
type Cursor struct {
	After    uuid.UUID
	Position int64 // with Filter.List
}

// Page reads at most limit contacts after the cursor. next is nil at the end. A list that does not exist is NotFound.
func (c *Contacts) Page(ctx context.Context, account uuid.UUID, f Filter, after Cursor, limit int) (page []Contact, next *Cursor, err error) {
	err = c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		places, err := c.places(ctx, tx, account, f, after, limit+1)
		if err != nil {
			return err
		}
		if len(places) > limit {
			places = places[:limit]
			next = &places[limit-1]
		}
		page, err = c.read(ctx, tx, account, places)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list contacts of account %s: %w", account, err)
	}
	return page, next, nil
}

// Count counts the contacts that the filter leaves. Without one it reads a single row, however many there are.
func (c *Contacts) Count(ctx context.Context, account uuid.UUID, f Filter) (n int64, err error) {
	err = c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		n, err = c.count(ctx, tx, account, f)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count contacts of account %s: %w", account, err)
	}
	return n, nil
}

// Contact reads one contact; NotFound if the account has none of that id.
func (c *Contacts) Contact(ctx context.Context, account, id uuid.UUID) (Contact, error) {
	var found []Contact
	err := c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		found, err = c.read(ctx, tx, account, []Cursor{{After: id}})
		return err
	})
	if err != nil {
		return Contact{}, fmt.Errorf("read contact %s: %w", id, err)
	}
	if len(found) == 0 {
		return Contact{}, unknownContact()
	}
	return found[0], nil
}

func unknownContact() error {
	return fault.New(fault.NotFound, "unknown-contact", "there is no such contact")
}

// places finds the contacts of a page by id, in the page's order.
func (c *Contacts) places(ctx context.Context, tx pgx.Tx, account uuid.UUID, f Filter, after Cursor, limit int) ([]Cursor, error) {
	if len(f.Keys) > 0 {
		return c.placeOfKeys(ctx, tx, account, f, after)
	}
	if f.List == "" {
		if f.Job.Valid {
			return collect(ctx, tx, scanID, c.sql.PlacesOfJob, account, after.After, limit, f.Job.UUID)
		}
		return collect(ctx, tx, scanID, c.sql.PlacesOfAll, account, after.After, limit)
	}
	list, err := c.list(ctx, tx, account, f.List)
	if err != nil {
		return nil, err
	}
	if f.Job.Valid {
		return collect(ctx, tx, scanPlace, c.sql.PlacesOfListAndJob, account, list.ID, after.Position, limit, f.Job.UUID)
	}
	return collect(ctx, tx, scanPlace, c.sql.PlacesOfList, account, list.ID, after.Position, limit)
}

// placeOfKeys finds the one contact that has all the keys and meets the rest of the filter.
func (c *Contacts) placeOfKeys(ctx context.Context, tx pgx.Tx, account uuid.UUID, f Filter, after Cursor) ([]Cursor, error) {
	if f.List != "" {
		if _, err := c.list(ctx, tx, account, f.List); err != nil {
			return nil, err
		}
	}
	owners, err := c.owners(ctx, tx, account, f.Keys)
	if err != nil || len(owners) != len(f.Keys) || after != (Cursor{}) {
		return nil, err // a page that ended had the only one
	}
	id := owners[0].contact
	if slices.ContainsFunc(owners, func(o owner) bool { return o.contact != id }) {
		return nil, nil
	}
	found, err := c.read(ctx, tx, account, []Cursor{{After: id}})
	if err != nil || len(found) == 0 ||
		f.Job.Valid && found[0].CreatedJob != f.Job ||
		f.List != "" && !slices.Contains(found[0].Lists, f.List) {
		return nil, err
	}
	return []Cursor{{After: id}}, nil
}

func (c *Contacts) count(ctx context.Context, tx pgx.Tx, account uuid.UUID, f Filter) (int64, error) {
	if len(f.Keys) > 0 {
		places, err := c.placeOfKeys(ctx, tx, account, f, Cursor{})
		return int64(len(places)), err
	}
	if f.List == "" && !f.Job.Valid {
		h, err := c.holdings(ctx, tx, account)
		return h.Held, err
	}
	var n int64
	if f.List == "" {
		err := tx.QueryRow(ctx, c.sql.CountOfJob, account, f.Job.UUID).Scan(&n)
		return n, err
	}
	list, err := c.list(ctx, tx, account, f.List)
	if err != nil || !f.Job.Valid {
		return list.Members, err
	}
	err = tx.QueryRow(ctx, c.sql.CountOfListAndJob, account, list.ID, f.Job.UUID).Scan(&n)
	return n, err
}

// holdings reads the account's own row without a lock; zero for one that never had contacts.
func (c *Contacts) holdings(ctx context.Context, tx pgx.Tx, account uuid.UUID) (h Holdings, err error) {
	err = h.scan(tx.QueryRow(ctx, c.sql.Holdings, account))
	if errors.Is(err, pgx.ErrNoRows) {
		return Holdings{}, nil
	}
	return h, err
}

// read reads the contacts at places, in their order; those that do not exist are left out.
func (c *Contacts) read(ctx context.Context, tx pgx.Tx, account uuid.UUID, places []Cursor) ([]Contact, error) {
	if len(places) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(places))
	at := make(map[uuid.UUID]int, len(places))
	for i, p := range places {
		ids[i], at[p.After] = p.After, i
	}
	found, err := collect(ctx, tx, scanContact, c.sql.ContactsByID, account, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Contact) int { return at[a.ID] - at[b.ID] })
	for i := range found {
		at[found[i].ID] = i
	}
	rows, err := tx.Query(ctx, c.sql.ListsOfContacts, account, ids)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var list string
	_, err = pgx.ForEachRow(rows, []any{&id, &list}, func() error {
		if i, ok := at[id]; ok && i < len(found) && found[i].ID == id {
			found[i].Lists = append(found[i].Lists, list)
		}
		return nil
	})
	return found, err
}

// hashedColumns are the columns of unique keys, in the order in which the statements name them.
func hashedColumns() []Column {
	return slices.DeleteFunc(Columns(), func(c Column) bool { return c.Hash == "" })
}

// scanContact reads a line of contacts_by_id.sql.
func scanContact(row pgx.CollectableRow) (Contact, error) {
	var c Contact
	var origins, phoneFacts, emailFacts []byte
	s := newImageScan()
	into := []any{&c.ID, &c.CreatedJob, &c.CreatedLine, &c.CreatedAt, &c.UpdatedAt, &origins, &phoneFacts, &emailFacts}
	if err := row.Scan(append(into, s.into()...)...); err != nil {
		return c, err
	}
	var err error
	if c.origins, err = readOrigins(origins); err != nil {
		return c, fmt.Errorf("contact %s: %w", c.ID, err)
	}
	for _, f := range []Facts{{contact.FieldPhone, phoneFacts}, {contact.FieldEmail, emailFacts}} {
		if f.JSON != nil {
			c.Facts = append(c.Facts, f)
		}
	}
	if c.image, err = s.image(); err != nil {
		return c, fmt.Errorf("contact %s: %w", c.ID, err)
	}
	return c, nil
}

func scanID(row pgx.CollectableRow) (p Cursor, err error) {
	err = row.Scan(&p.After)
	return p, err
}

func scanPlace(row pgx.CollectableRow) (p Cursor, err error) {
	err = row.Scan(&p.After, &p.Position)
	return p, err
}

// owner is a contact that has a key.
type owner struct {
	hash    uuid.UUID
	key     contact.Key
	contact uuid.UUID
}

// owners finds the contacts that have any of some unique keys.
func (c *Contacts) owners(ctx context.Context, tx pgx.Tx, account uuid.UUID, hashes []uuid.UUID) ([]owner, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	return collect(ctx, tx, func(row pgx.CollectableRow) (o owner, err error) {
		var key int16
		err = row.Scan(&o.hash, &key, &o.contact)
		o.key = contact.Key(key)
		return o, err
	}, c.sql.ContactsOfKeys, account, hashes)
}

func collect[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
