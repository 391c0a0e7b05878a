package contactdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

	asked []ask   // what the statement at work asks, in the order of the ids
	head  []int32 // by row, its first hit
	hits  []hit
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
		m := &Matching{Held: h.Held, KeyVersion: h.KeyVersion, account: account, conn: tx.Conn(), sql: &c.sql}
		m.helper = &helper{contacts: c, account: account, main: tx}
		defer m.helper.end()
		return fn(ctx, m)
	})
}

// Find looks the rows of a batch up and puts what it found into dst, whose slices it uses again. All unique keys are
// asked; the fallback key only for rows that none of them finds.
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
	m.asked = m.asked[:0]
	for key := contact.ExternalID; key < contact.Keys; key++ {
		if key.Unique() {
			m.askAll(b, key)
		}
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

// findByID looks up contact ids, and finds the external ids with them.
func (m *Matching) findByID(ctx context.Context, b *Batch) error {
	m.asked = m.asked[:0]
	m.askAll(b, contact.ContactID)
	return m.run(ctx, "match_contacts", m.sql.MatchContacts, b.id, func(a ask, external []byte) {
		h := m.hit(a.row, uuid.UUID(b.id(a)))
		h.keys |= 1 << a.key
		h.known = true
		copy(h.external[:], external)
	})
}

func (m *Matching) findFallback(ctx context.Context, b *Batch) error {
	m.asked = m.asked[:0]
	m.askAll(b, contact.NameBirthZip)
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

// askAll asks the key of every row that has it; the fallback key only of rows without a hit.
func (m *Matching) askAll(b *Batch, key contact.Key) {
	hashes := b.Keys[key]
	for row := 0; len(hashes) >= 16; row, hashes = row+1, hashes[16:] {
		first := binary.BigEndian.Uint64(hashes)
		if first|binary.BigEndian.Uint64(hashes[8:]) == 0 || !key.Unique() && m.head[row] != end {
			continue
		}
		m.asked = append(m.asked, ask{first, int32(row), key})
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

// shareFrom is the number of ids from which two connections are faster than one.
const shareFrom = 2000

// run executes a statement on what is asked, half of it on the second connection if that is worth it, and hands each line
// of the answer to found: what was asked and the 16 bytes that were found, or none for NULL. Nothing asked is nothing run.
func (m *Matching) run(ctx context.Context, name, sql string, id func(ask) []byte, found func(a ask, bytes []byte)) error {
	if len(m.asked) == 0 {
		return nil
	}
	slices.SortFunc(m.asked, func(a, b ask) int {
		switch {
		case a.order < b.order:
			return -1
		case a.order > b.order:
			return 1
		}
		return bytes.Compare(id(a), id(b))
	})
	mine, rest := m.asked, m.asked[:0]
	if len(m.asked) >= shareFrom && m.helper.ready(ctx) {
		mine, rest = m.asked[:len(m.asked)/2], m.asked[len(m.asked)/2:]
	}
	shared := make(chan error, 1)
	if len(rest) > 0 {
		go func() { shared <- m.sides[1].run(ctx, m.helper.tx.Conn(), m.account, name, sql, rest, id) }()
	} else {
		shared <- nil
	}
	err := m.sides[0].run(ctx, m.conn, m.account, name, sql, mine, id)
	if err := errors.Join(err, <-shared); err != nil {
		return err
	}
	m.sides[0].each(mine, found)
	if len(rest) > 0 {
		m.sides[1].each(rest, found)
	}
	return nil
}

// side is one connection's part of a question.
type side struct {
	array  []byte  // the ids that are asked, once each and in order, as PostgreSQL's binary form of uuid[]
	starts []int32 // by id in array, the first of asked that asks it; one more at the end
	lines  []line
}

type line struct {
	n     int32 // of the id that was asked
	null  bool
	bytes [16]byte
}

const (
	// arrayHeader is one dimension, no nulls, element type uuid, the number of elements, lower bound 1.
	arrayHeader = 20

	// arrayStep is a length and a uuid.
	arrayStep = 20
)

func (s *side) run(ctx context.Context, conn *pgx.Conn, account uuid.UUID, name, sql string, asked []ask, id func(ask) []byte) error {
	s.ask(asked, id)
	s.lines = s.lines[:0]
	statement, err := conn.Prepare(ctx, "contactdb_"+name, sql) // once for each connection
	if err != nil {
		return err
	}
	binaryForm := []int16{pgtype.BinaryFormatCode}
	answer := conn.PgConn().ExecPrepared(ctx, statement.Name, [][]byte{account[:], s.array}, binaryForm, binaryForm)
	n := 0
	for answer.NextRow() {
		columns := answer.Values()
		n = s.find(columns[0], n)
		l := line{n: int32(n), null: columns[1] == nil}
		copy(l.bytes[:], columns[1])
		s.lines = append(s.lines, l)
	}
	_, err = answer.Close()
	return err
}

// ask fills array and starts. An id that several rows ask is asked once.
func (s *side) ask(asked []ask, id func(ask) []byte) {
	s.array = append(s.array[:0], make([]byte, arrayHeader)...)
	s.starts = s.starts[:0]
	for i, a := range asked {
		if b := id(a); i == 0 || !bytes.Equal(s.array[len(s.array)-16:], b) {
			s.starts = append(s.starts, int32(i))
			s.array = append(append(s.array, 0, 0, 0, 16), b...)
		}
	}
	binary.BigEndian.PutUint32(s.array[0:], 1)
	binary.BigEndian.PutUint32(s.array[8:], pgtype.UUIDOID)
	binary.BigEndian.PutUint32(s.array[12:], uint32(len(s.starts)))
	binary.BigEndian.PutUint32(s.array[16:], 1)
	s.starts = append(s.starts, int32(len(asked)))
}

// find returns the number of an id that was asked. Answers mostly come in the order of the ids, which from tells.
func (s *side) find(id []byte, from int) int {
	for n := from; n < len(s.starts)-1 && n < from+8; n++ {
		if bytes.Equal(s.id(n), id) {
			return n
		}
	}
	return sort.Search(len(s.starts)-2, func(n int) bool { return bytes.Compare(s.id(n), id) >= 0 })
}

func (s *side) id(n int) []byte { return s.array[arrayHeader+n*arrayStep+4:][:16] }

func (s *side) each(asked []ask, found func(a ask, bytes []byte)) {
	for i := range s.lines {
		l := &s.lines[i]
		for _, a := range asked[s.starts[l.n]:s.starts[l.n+1]] {
			if l.null {
				found(a, nil)
			} else {
				found(a, l.bytes[:])
			}
		}
	}
}

// helper is a second connection that sees the snapshot of the first.
type helper struct {
	contacts *Contacts
	account  uuid.UUID
	main     pgx.Tx
	tx       pgx.Tx
	tried    bool
}

// helperWait is how long a connection is waited for. All matchings may hold their first and want a second: then they go
// on with one.
const helperWait = 200 * time.Millisecond

// ready tells whether there is a second connection; the first call gets it.
func (h *helper) ready(ctx context.Context) bool {
	if h == nil || h.tried {
		return h != nil && h.tx != nil
	}
	h.tried = true
	var snapshot string
	if err := h.main.QueryRow(ctx, h.contacts.sql.ExportSnapshot).Scan(&snapshot); err != nil {
		return false // the main connection is broken, which its next statement tells
	}
	wait, cancel := context.WithTimeout(ctx, helperWait)
	defer cancel()
	tx, err := h.contacts.db.Pool().BeginTx(wait, pgx.TxOptions{BeginQuery: fmt.Sprintf(
		"begin isolation level repeatable read read only; set transaction snapshot '%s'; set local contactmill.account = '%s'; set local plan_cache_mode = force_generic_plan; set local enable_bitmapscan = off",
		snapshot, h.account)})
	if err != nil {
		return false // it only makes things faster
	}
	h.tx = tx
	return true
}

func (h *helper) end() {
	if h.tx == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperWait)
	defer cancel()
	_ = h.tx.Rollback(ctx) // it has written nothing; a connection that cannot roll back is closed
}
