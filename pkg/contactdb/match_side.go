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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

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
	cut, err := m.share(ctx, len(m.asked), shareFrom, func(s *side, conn *pgx.Conn, from, to int) error {
		return s.run(ctx, conn, m.account, name, sql, m.asked[from:to], id)
	})
	if err != nil {
		return err
	}
	m.sides[0].each(m.asked[:cut], found)
	if cut < len(m.asked) {
		m.sides[1].each(m.asked[cut:], found)
	}
	return nil
}

// share runs fn for n things: once for the first of them and, from worth on, at the same time on the second connection for the
// others. It returns how many the first side had.
func (m *Matching) share(ctx context.Context, n, worth int, fn func(s *side, conn *pgx.Conn, from, to int) error) (int, error) {
	cut := n
	shared := make(chan error, 1)
	if n >= worth && m.helper.ready(ctx) {
		cut = n / 2
		go func() { shared <- fn(&m.sides[1], m.helper.tx.Conn(), cut, n) }()
	} else {
		shared <- nil
	}
	err := fn(&m.sides[0], m.conn, 0, cut)
	return cut, errors.Join(err, <-shared)
}

// side is one connection's part of a question.
type side struct {
	array  []byte  // the ids that are asked, once each and in order, as PostgreSQL's binary form of uuid[]
	starts []int32 // by id in array, the first of asked that asks it; one more at the end
	lines  []line

	last []byte // of spans, an array as well
	met  []met
	by   []meeting
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
	answer, err := execute(ctx, conn, name, sql, account[:], s.array)
	if err != nil {
		return err
	}
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

// execute runs a statement with parameters in binary form for an answer in binary form.
func execute(ctx context.Context, conn *pgx.Conn, name, sql string, parameters ...[]byte) (*pgconn.ResultReader, error) {
	statement, err := conn.Prepare(ctx, "contactdb_"+name, sql) // once for each connection
	if err != nil {
		return nil, err
	}
	binaryForm := []int16{pgtype.BinaryFormatCode}
	return conn.PgConn().ExecPrepared(ctx, statement.Name, parameters, binaryForm, binaryForm), nil
}

// ask fills array and starts. An id that several rows ask is asked once.
func (s *side) ask(asked []ask, id func(ask) []byte) {
	s.array = newArray(s.array)
	s.starts = s.starts[:0]
	for i, a := range asked {
		if b := id(a); i == 0 || !bytes.Equal(s.array[len(s.array)-16:], b) {
			s.starts = append(s.starts, int32(i))
			s.array = appendID(s.array, b)
		}
	}
	endArray(s.array)
	s.starts = append(s.starts, int32(len(asked)))
}

// newArray begins an array of ids in the memory of another.
func newArray(old []byte) []byte { return append(old[:0], make([]byte, arrayHeader)...) }

func appendID(array, id []byte) []byte { return append(append(array, 0, 0, 0, 16), id...) }

// endArray writes the array's header.
func endArray(array []byte) {
	binary.BigEndian.PutUint32(array[0:], 1)
	binary.BigEndian.PutUint32(array[8:], pgtype.UUIDOID)
	binary.BigEndian.PutUint32(array[12:], uint32((len(array)-arrayHeader)/arrayStep))
	binary.BigEndian.PutUint32(array[16:], 1)
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
		"begin isolation level repeatable read read only; set transaction snapshot '%s'; set local contactmill.account = '%s'; set local idle_in_transaction_session_timeout = 0; set local plan_cache_mode = force_generic_plan; set local enable_bitmapscan = off",
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
