package contactdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Matching finds the contacts that rows belong to, all in one snapshot of an account's contacts. It is for one goroutine.
//
// Its statements bypass the type system of pgx: keys travel as the binary array that they nearly are already, and
// answers are read from the wire. They are asked in the order of their hashes, which is the order of the index: the
// more at once, the less each costs.
type Matching struct {
	Held       int64 // contacts of the account
	KeyVersion int64 // grows with every key change outside a job

	account uuid.UUID
	conn    *pgx.Conn
	sql     *contactsSQL
	helper  *helper // a second connection on the same snapshot; nil if there is none to be had

	knownFrom  int // rows of a batch from which findKnown comes before all else; 0 for never
	sampleStep int // rows for one of its sample

	open  []uint16 // by row, the unique keys it has of which it is not known yet whom they find, bit n for key n
	asked []ask    // what the statement at work asks, in the order of the ids
	head  []int32  // by row, its first hit
	hits  []hit
	wants wants
	ids   []uuid.UUID
	spans []span
	sides [2]side
}

// Batch is the keys of some rows, by the key's number: 16 bytes for each row, zero where a row has none; an array is
// empty where no row has the key.
type Batch struct {
	Rows int
	Keys [contact.Keys][]byte
}

// Hits lists the contacts that rows of a batch belong to, ordered by row and contact: a contact once for each row that it shares a
// key with.
type Hits struct {
	Rows        []uint32 // row, from 0
	Contacts    []byte   // 16 bytes of contact id
	Keys        []uint32 // the keys that hit, bit n for key n
	ExternalIDs []byte   // 16 bytes, the hash of the contact's external id; zero where it has none
}

type ask struct {
	order uint64 // the first bytes of the id
	row   int32
	key   contact.Key
}

type hit struct {
	next     int32 // of the same row, end after the last
	keys     uint16
	known    bool // external is filled in
	contact  uuid.UUID
	external [16]byte
}

const end = -1

// Match runs fn on a snapshot of the account's contacts. Nothing that happens meanwhile changes what is found.
func (c *Contacts) Match(ctx context.Context, account uuid.UUID, fn func(ctx context.Context, m *Matching) error) error {
	return c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		h, err := c.holdings(ctx, tx, account)
		if err != nil {
			return fmt.Errorf("read holdings of account %s: %w", account, err)
		}
		// One plan for any number of rows: by index. Planned for a batch, it may come out as a scan of all accounts.
		if _, err := tx.Exec(ctx, c.sql.PlanForAny); err != nil {
			return fmt.Errorf("set up matching: %w", err)
		}
		m := &Matching{Held: h.Held, KeyVersion: h.KeyVersion, account: account, conn: tx.Conn(), sql: &c.sql, knownFrom: knownFrom, sampleStep: sampleStep}
		m.helper = &helper{contacts: c, account: account, main: tx}
		defer m.helper.end()
		return fn(ctx, m)
	})
}

// Find looks the rows of a batch up and puts what it found into dst, whose slices it uses again. It finds by all unique
// keys; by the fallback key only rows that none of them finds.
func (m *Matching) Find(ctx context.Context, b *Batch, dst *Hits) error {
	dst.Rows, dst.Contacts, dst.Keys, dst.ExternalIDs = dst.Rows[:0], dst.Contacts[:0], dst.Keys[:0], dst.ExternalIDs[:0]
	if m.Held == 0 {
		return nil
	}
	m.hits = m.hits[:0]
	m.head = m.head[:0]
	m.open = m.open[:0]
	for range b.Rows {
		m.head = append(m.head, end)
		m.open = append(m.open, 0)
	}
	b.each(func(row int, key contact.Key, _ []byte) { m.open[row] |= 1 << key })
	if m.knownFrom > 0 && b.Rows >= m.knownFrom {
		if err := m.findKnown(ctx, b); err != nil {
			return fmt.Errorf("look up known contacts: %w", err)
		}
	}
	if err := m.findUnique(ctx, b); err != nil {
		return fmt.Errorf("look up keys: %w", err)
	}
	if err := m.findByID(ctx, b); err != nil {
		return fmt.Errorf("look up contact ids: %w", err)
	}
	if err := m.findFallback(ctx, b); err != nil {
		return fmt.Errorf("look up fallback keys: %w", err)
	}
	if err := m.fillExternalIDs(ctx); err != nil {
		return fmt.Errorf("look up external ids: %w", err)
	}
	for row, i := range m.head {
		for ; i != end; i = m.hits[i].next {
			h := &m.hits[i]
			dst.Rows = append(dst.Rows, uint32(row))
			dst.Contacts = append(dst.Contacts, h.contact[:]...)
			dst.Keys = append(dst.Keys, uint32(h.keys))
			dst.ExternalIDs = append(dst.ExternalIDs, h.external[:]...)
		}
	}
	return nil
}

// findUnique looks up the unique keys that are open.
func (m *Matching) findUnique(ctx context.Context, b *Batch) error {
	m.asked = m.asked[:0]
	b.each(func(row int, key contact.Key, hash []byte) {
		if m.open[row]>>key&1 == 1 && key != contact.ContactID {
			m.ask(row, key, hash)
		}
	})
	return m.findAsked(ctx, b)
}

// findAsked looks up the unique keys that are asked.
func (m *Matching) findAsked(ctx context.Context, b *Batch) error {
	for _, a := range m.asked {
		m.open[a.row] &^= 1 << a.key
	}
	return m.run(ctx, "match_keys", m.sql.MatchKeys, b.id, func(a ask, id []byte) {
		h := m.hit(a.row, uuid.UUID(id))
		h.keys |= 1 << a.key
		if a.key == contact.ExternalID {
			h.known = true
			copy(h.external[:], b.id(a))
		}
	})
}

// findByID looks up the contact ids that are open, and finds the external ids with them.
func (m *Matching) findByID(ctx context.Context, b *Batch) error {
	m.asked = m.asked[:0]
	for row, open := range m.open {
		if open>>contact.ContactID&1 == 1 {
			m.ask(row, contact.ContactID, b.Keys[contact.ContactID][16*row:])
		}
	}
	return m.run(ctx, "match_contacts", m.sql.MatchContacts, b.id, func(a ask, external []byte) {
		h := m.hit(a.row, uuid.UUID(b.id(a)))
		h.keys |= 1 << a.key
		h.known = true
		copy(h.external[:], external)
	})
}

// findFallback looks up the fallback keys of rows without a hit.
func (m *Matching) findFallback(ctx context.Context, b *Batch) error {
	m.asked = m.asked[:0]
	b.eachOf(contact.NameBirthZip, func(row int, hash []byte) {
		if m.head[row] == end {
			m.ask(row, contact.NameBirthZip, hash)
		}
	})
	return m.run(ctx, "match_fallbacks", m.sql.MatchFallbacks, b.id, func(a ask, id []byte) {
		m.hit(a.row, uuid.UUID(id)).keys |= 1 << a.key
	})
}

// fillExternalIDs reads the external ids of contacts that were found by another key.
func (m *Matching) fillExternalIDs(ctx context.Context) error {
	m.asked = m.asked[:0]
	for i := range m.hits {
		if h := &m.hits[i]; !h.known {
			m.asked = append(m.asked, ask{order: binary.BigEndian.Uint64(h.contact[:]), row: int32(i)})
		}
	}
	id := func(a ask) []byte { return m.hits[a.row].contact[:] }
	return m.run(ctx, "match_contacts", m.sql.MatchContacts, id, func(a ask, external []byte) {
		copy(m.hits[a.row].external[:], external)
	})
}

func (m *Matching) ask(row int, key contact.Key, id []byte) {
	m.asked = append(m.asked, ask{binary.BigEndian.Uint64(id), int32(row), key})
}

// each goes through the unique keys of all rows, key by key.
func (b *Batch) each(fn func(row int, key contact.Key, hash []byte)) {
	for key := range contact.Key(contact.Keys) {
		if key.Unique() {
			b.eachOf(key, func(row int, hash []byte) { fn(row, key, hash) })
		}
	}
}

// eachOf goes through the rows that have the key.
func (b *Batch) eachOf(key contact.Key, fn func(row int, hash []byte)) {
	hashes := b.Keys[key]
	for row := 0; len(hashes) >= 16; row, hashes = row+1, hashes[16:] {
		if binary.BigEndian.Uint64(hashes)|binary.BigEndian.Uint64(hashes[8:]) != 0 {
			fn(row, hashes[:16])
		}
	}
}

// id is what an ask is about.
func (b *Batch) id(a ask) []byte { return b.Keys[a.key][int(a.row)*16:][:16] }

// hit is the entry for a row and a contact; made if it is new. Those of a row are in the order of their ids.
func (m *Matching) hit(row int32, id uuid.UUID) *hit {
	last := &m.head[row]
	for *last != end {
		h := &m.hits[*last]
		if h.contact == id {
			return h
		}
		if bytes.Compare(h.contact[:], id[:]) > 0 {
			break
		}
		last = &h.next
	}
	next := *last
	*last = int32(len(m.hits)) // before append, which may move what last points to
	m.hits = append(m.hits, hit{next: next, contact: id})
	return &m.hits[len(m.hits)-1]
}
