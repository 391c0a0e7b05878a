package contactdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Staged is a row of a job that has something to do.
type Staged struct {
	Row     int64 // from 0
	Line    int64
	Contact uuid.UUID // the contact it changes, or the id of the one it makes
	Known   bool      // the contact is there
	Unset   uint64    // fields it clears, bit n for field number n; own keys it clears by OwnKeyBit
	Filled  uint64    // standard fields it has a value for, likewise
	Values  [64][]byte
	Keys    uint16 // keys it has, bit n for key n
	Hashes  *[contact.Keys][16]byte
	Own     []byte    // what it says of own fields, as OwnValues has it; nil for nothing
	AsOf    time.Time // when its values were so, if it says that; in whole seconds

	PhoneFacts, EmailFacts []byte // JSON objects, nil for none
}

// null is a field of length -1 in COPY's binary form.
const null = 0xffffffff

const (
	worthMeasuring = 10_000 // rows

	daysTo2000 = 10957 // from 1970, where our days begin, to where PostgreSQL's do

	copyHead  = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	copyChunk = 64 << 10
)

// columnHashes are the keys that one column alone makes, in their order, with their columns in staged.
var columnHashes = [...]string{contact.ExternalID: "external_id_hash", contact.Email: "email_hash", contact.Phone: "phone_hash",
	contact.AccountNumber: "account_number_hash", contact.SSN: "ssn_hash", contact.VAT: "vat_number_hash", contact.NameBirthZip: "name_birth_zip_hash",
	8: "own_8_hash", 9: "own_9_hash", 10: "own_10_hash", 11: "own_11_hash", 12: "own_12_hash", 13: "own_13_hash", 14: "own_14_hash", 15: "own_15_hash"}

// Stage sends the rows that next gives, until io.EOF, to the session's table of staged rows. fields are those a row may
// have values for, standard and own ones, with changed_at if a row may say it, and keys those it may have; facts tells whether a row may have facts. What next
// returns is used before it is called again.
//
// Rows travel in COPY's binary form and nothing is allocated for any of them. COPY into a table with row-level security
// is refused by the server, therefore the temporary table.
func (m *Merges) Stage(ctx context.Context, tx pgx.Tx, fields []contact.Field, keys uint16, facts bool, next func() (*Staged, error)) error {
	e := &encoder{next: next, facts: facts, keys: keys &^ (1 << contact.ContactID)}
	columns := []string{"row", "line", "contact_id", "known", "unset"}
	for _, f := range fields {
		e.own = e.own || f >= contact.FirstCustom
		e.asOf = e.asOf || f == contact.FieldChangedAt
		if c, ok := ColumnOf(f); ok {
			e.fields = append(e.fields, column{field: f, date: c.Type == "date"})
			columns = append(columns, c.Name)
		}
	}
	for rest := e.keys; rest != 0; rest &= rest - 1 {
		columns = append(columns, columnHashes[bits.TrailingZeros16(rest)])
	}
	if e.own {
		columns = append(columns, "own")
		if err := m.makeOwn(ctx, tx); err != nil {
			return err
		}
	}
	if facts {
		columns = append(columns, "phone_facts", "email_facts")
	}
	if e.asOf {
		columns = append(columns, "as_of")
	}
	e.buf = append(e.buf, copyHead...)
	e.width = uint16(len(columns))
	// The columns are names of our own table, which the file only chooses among.
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, e, "copy staged ("+strings.Join(columns, ", ")+") from stdin (format binary)")
	if err := e.stop(); err != nil {
		return err // the server only tells that the client gave up
	}
	if err != nil {
		return fmt.Errorf("stage rows: %w", err)
	}
	return m.measure(ctx, tx, m.sql.MeasureStaged, tag.RowsAffected())
}

// makeOwn makes the tables that only jobs with own fields need.
func (m *Merges) makeOwn(ctx context.Context, tx pgx.Tx) error {
	for _, sql := range []string{m.sql.MakeKept, m.sql.MakeMetOwn, m.sql.MakeChangedOwn} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make tables of own fields: %w", err)
		}
	}
	return nil
}

// measure tells the planner how large a table of ours is, which nobody else does for temporary ones: without, a large
// file is joined as if it were small. Small ones it guesses well enough.
func (m *Merges) measure(ctx context.Context, tx pgx.Tx, sql string, rows int64) error {
	if rows < worthMeasuring {
		return nil
	}
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("measure staged rows: %w", err)
	}
	return nil
}

type column struct {
	field contact.Field
	date  bool
}

// encoder is the rows as a stream of COPY's binary form.
type encoder struct {
	next   func() (*Staged, error)
	fields []column
	keys   uint16
	own    bool
	facts  bool
	asOf   bool
	width  uint16

	buf []byte
	at  int
	end bool

	mu      sync.Mutex // the connection reads in a goroutine that may outlive its COPY if the session is lost
	err     error
	stopped bool
}

// stop ends reading: when it returns nobody asks for rows any more. It returns why there were no more, if they broke off.
func (e *encoder) stop() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	return e.err
}

// Read is asked by the connection, which sends while the next rows are made.
func (e *encoder) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return 0, io.ErrClosedPipe
	}
	for e.at == len(e.buf) {
		if e.end {
			return 0, io.EOF
		}
		e.buf, e.at = e.buf[:0], 0
		if e.err = e.fill(); e.err != nil {
			return 0, e.err
		}
	}
	n := copy(p, e.buf[e.at:])
	e.at += n
	return n, nil
}

func (e *encoder) fill() error {
	for len(e.buf) < copyChunk {
		s, err := e.next()
		if errors.Is(err, io.EOF) {
			e.end = true
			e.buf = append(e.buf, 0xff, 0xff)
			return nil
		}
		if err != nil {
			return err
		}
		if err := e.append(s); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) append(s *Staged) error {
	b := e.buf
	be := binary.BigEndian
	b = be.AppendUint16(b, e.width)
	b = be.AppendUint64(be.AppendUint32(b, 8), uint64(s.Row))
	b = be.AppendUint64(be.AppendUint32(b, 8), uint64(s.Line))
	b = append(be.AppendUint32(b, 16), s.Contact[:]...)
	b = append(be.AppendUint32(b, 1), flag(s.Known))
	b = be.AppendUint64(be.AppendUint32(b, 8), s.Unset)
	for _, c := range e.fields {
		if s.Filled&(1<<c.field) == 0 {
			b = be.AppendUint32(b, null)
			continue
		}
		v := s.Values[c.field]
		if c.date {
			d, code := contact.ParseDate(v, contact.DateRules{})
			if code != "" {
				return fmt.Errorf("stage row %d: value of %s is no date", s.Row, c.field)
			}
			b = be.AppendUint32(be.AppendUint32(b, 4), uint32(int32(d)-daysTo2000))
			continue
		}
		b = append(be.AppendUint32(b, uint32(len(v))), v...)
	}
	for rest := e.keys; rest != 0; rest &= rest - 1 {
		k := bits.TrailingZeros16(rest)
		if s.Keys&(1<<k) == 0 {
			b = be.AppendUint32(b, null)
			continue
		}
		b = append(be.AppendUint32(b, 16), s.Hashes[k][:]...)
	}
	if e.own {
		b = appendJSONB(b, s.Own)
	}
	if e.facts {
		b = appendFacts(appendFacts(b, s.PhoneFacts), s.EmailFacts)
	}
	if e.asOf {
		b = appendMoment(b, s.AsOf)
	}
	e.buf = b
	return nil
}

func appendFacts(b, facts []byte) []byte {
	if facts == nil {
		return binary.BigEndian.AppendUint32(b, null)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(facts))), facts...)
}

// appendJSONB appends the binary form of jsonb: a version and the text.
func appendJSONB(b, text []byte) []byte {
	if text == nil {
		return binary.BigEndian.AppendUint32(b, null)
	}
	return append(append(binary.BigEndian.AppendUint32(b, uint32(1+len(text))), 1), text...)
}

func appendMoment(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint32(b, null)
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(t.Unix()))
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
