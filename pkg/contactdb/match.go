package contactdb

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Matching finds the contacts that rows belong to, all in one snapshot of an account's contacts. It is for one goroutine.
type Matching struct {
	Held       int64 // contacts of the account
	KeyVersion int64 // grows with every key change outside a job

	account uuid.UUID
	conn    *pgx.Conn
	sql     *contactsSQL

	asked []ask  // what the statement at work asks, in its order
	array []byte // that as PostgreSQL's binary form of uuid[]
	head  []int32
	hits  []hit
}

// Batch is the keys of some rows, by the key's number: 16 bytes for each row, zero where a row has none; an array is
// empty where no row has the key.
type Batch struct {
	Rows int
	Keys [contact.Keys][]byte
}

// Hits lists the contacts that rows of a batch belong to, ordered by row: a contact once for each row that it shares a
// key with.
type Hits struct {
	Rows        []uint32 // row, from 0
	Contacts    []byte   // 16 bytes of contact id
	Keys        []uint32 // the keys that hit, bit n for key n
	ExternalIDs []byte   // 16 bytes, the hash of the contact's external id; zero where it has none
}

type ask struct {
	row int32
	key contact.Key
}

type hit struct {
	next     int32 // of the same row, -1 at the end
	keys     uint8
	known    bool // external is filled in
	contact  uuid.UUID
	external [16]byte
}

const end = -1

// Match runs fn on a snapshot of the account's contacts. Nothing that happens meanwhile changes what is found.
func (c *Contacts) Match(ctx context.Context, account uuid.UUID, fn func(ctx context.Context, m *Matching) error) error {
	return c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		held, version, err := c.holdings(ctx, tx, account)
		if err != nil {
			return fmt.Errorf("read holdings of account %s: %w", account, err)
		}
		// One plan for any number of rows: by index. Planned for a batch, it may come out as a scan of all accounts.
		if _, err := tx.Exec(ctx, c.sql.PlanForAny); err != nil {
			return fmt.Errorf("set up matching: %w", err)
		}
		return fn(ctx, &Matching{Held: held, KeyVersion: version, account: account, conn: tx.Conn(), sql: &c.sql})
	})
}

// Find looks the rows of a batch up and appends what it found to dst, whose slices it truncates first. All unique keys
// are asked; the fallback key only for rows that none of them finds.
func (m *Matching) Find(ctx context.Context, b *Batch, dst *Hits) error {
	dst.Rows, dst.Contacts, dst.Keys, dst.ExternalIDs = dst.Rows[:0], dst.Contacts[:0], dst.Keys[:0], dst.ExternalIDs[:0]
	if m.Held == 0 {
		return nil
	}
	m.hits = m.hits[:0]
	m.head = m.head[:0]
	for range b.Rows {
		m.head = append(m.head, end)
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

func (m *Matching) findUnique(ctx context.Context, b *Batch) error {
	m.begin()
	for key := contact.ExternalID; key.Unique(); key++ {
		m.askAll(b, key)
	}
	return m.run(ctx, "match_keys", m.sql.MatchKeys, func(n int, id [][]byte) {
		a := m.asked[n]
		h := m.hit(a.row, uuid.UUID(id[1]))
		h.keys |= 1 << a.key
		if a.key == contact.ExternalID {
			h.known = true
			copy(h.external[:], b.Keys[a.key][int(a.row)*16:])
		}
	})
}

// findByID looks up contact ids, and finds the external ids with them.
func (m *Matching) findByID(ctx context.Context, b *Batch) error {
	m.begin()
	m.askAll(b, contact.ContactID)
	return m.run(ctx, "match_contacts", m.sql.MatchContacts, func(n int, external [][]byte) {
		a := m.asked[n]
		h := m.hit(a.row, uuid.UUID(b.Keys[a.key][int(a.row)*16:][:16]))
		h.keys |= 1 << a.key
		h.known = true
		copy(h.external[:], external[1])
	})
}

func (m *Matching) findFallback(ctx context.Context, b *Batch) error {
	m.begin()
	m.askAll(b, contact.NameBirthZip)
	return m.run(ctx, "match_fallbacks", m.sql.MatchFallbacks, func(n int, id [][]byte) {
		m.hit(m.asked[n].row, uuid.UUID(id[1])).keys |= 1 << contact.NameBirthZip
	})
}

// fillExternalIDs reads the external ids of contacts that were found by another key.
func (m *Matching) fillExternalIDs(ctx context.Context) error {
	m.begin()
	for i := range m.hits {
		if !m.hits[i].known {
			m.ask(ask{row: int32(i)}, m.hits[i].contact[:])
		}
	}
	return m.run(ctx, "match_contacts", m.sql.MatchContacts, func(n int, external [][]byte) {
		copy(m.hits[m.asked[n].row].external[:], external[1])
	})
}

// hit is the entry for a row and a contact; made if it is new.
func (m *Matching) hit(row int32, id uuid.UUID) *hit {
	last := &m.head[row]
	for *last != end {
		h := &m.hits[*last]
		if h.contact == id {
			return h
		}
		last = &h.next
	}
	*last = int32(len(m.hits)) // before append, which may move what last points to
	m.hits = append(m.hits, hit{next: end, contact: id})
	return &m.hits[len(m.hits)-1]
}

// arrayHeader is one dimension, no nulls, element type uuid; the number of elements and the lower bound 1 follow.
const arrayHeader = 20

func (m *Matching) begin() {
	m.asked = m.asked[:0]
	m.array = append(m.array[:0], make([]byte, arrayHeader)...)
	binary.BigEndian.PutUint32(m.array[0:], 1)
	binary.BigEndian.PutUint32(m.array[8:], pgtype.UUIDOID)
	binary.BigEndian.PutUint32(m.array[16:], 1)
}

func (m *Matching) ask(a ask, id []byte) {
	m.asked = append(m.asked, a)
	m.array = append(append(m.array, 0, 0, 0, 16), id...)
}

// askAll asks the key of every row that has it; the fallback key only of rows without a hit.
func (m *Matching) askAll(b *Batch, key contact.Key) {
	hashes := b.Keys[key]
	for row := 0; len(hashes) >= 16; row, hashes = row+1, hashes[16:] {
		h := hashes[:16]
		if binary.LittleEndian.Uint64(h)|binary.LittleEndian.Uint64(h[8:]) == 0 || !key.Unique() && m.head[row] != end {
			continue
		}
		m.ask(ask{int32(row), key}, h)
	}
}

// run executes a statement on what was asked and hands each line of its answer to found, with the index of what was
// asked; the line's columns are in binary form and valid during the call. Nothing asked is nothing run.
func (m *Matching) run(ctx context.Context, name, sql string, found func(n int, columns [][]byte)) error {
	if len(m.asked) == 0 {
		return nil
	}
	binary.BigEndian.PutUint32(m.array[12:], uint32(len(m.asked)))
	statement, err := m.conn.Prepare(ctx, "contactdb_"+name, sql)
	if err != nil {
		return err
	}
	binaryForm := []int16{pgtype.BinaryFormatCode}
	answer := m.conn.PgConn().ExecPrepared(ctx, statement.Name, [][]byte{m.account[:], m.array}, binaryForm, binaryForm)
	for answer.NextRow() {
		columns := answer.Values()
		n := int(int32(binary.BigEndian.Uint32(columns[0]))) - 1
		found(n, columns)
	}
	_, err = answer.Close()
	return err
}
