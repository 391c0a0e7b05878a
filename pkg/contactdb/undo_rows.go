package contactdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
)

// found is what an undo finds at a contact, as the session's table undone has it.
type found int16

const (
	foundBack     found = iota // fields that come back; they are in the table changed
	foundNothing               // nothing is left of what the job did, or the contact is gone
	foundKept                  // fields that somebody else changed since
	foundRemoved               // a contact that the job made, and nobody touched since
	foundTouched               // one that somebody touched
	foundRestored              // a contact that comes back
	foundLeft                  // a membership that ends
	foundJoined                // a membership that comes back
	foundListKept              // a membership that stays as it is
	foundTaken                 // keys that belong to other contacts by now
)

// UndoneRow is what an undo did to a contact, or would do.
type UndoneRow struct {
	Contact uuid.UUID
	Line    int64 // of the job that was undone; 0 where that is not known
	Outcome row.Outcome
	Reason  finding.Code
	Detail  string // names of fields and lists, numbers of jobs and ids; no contact data
}

// UndoneList is what an undo did to each contact, in the order of their ids.
type UndoneList struct {
	rows   pgx.Rows
	schema *contact.Schema
	list   string // that the job put contacts on

	at      uuid.UUID // the contact at hand, and what of it is read so far
	line    int64
	more    bool
	all     [foundTaken + 1]bool
	put     fieldSet // that came back
	back    []string // lists that it is on again, or no more
	kept    []string
	taken   map[uuid.UUID]fieldSet
	touched []string

	// the row read last, of the contact at hand or of the next
	next struct {
		contact uuid.UUID
		line    int64
		found   found
		fields  *int64
		own     []string
		origins []byte
		other   uuid.NullUUID
		lists   []string
	}
}

// fieldSet is standard fields and own ones by their numbers.
type fieldSet struct {
	bits uint64
	own  []contact.Field
}

// Undone tells what an undo did in this transaction, or what [Merges.PlanUndo] found. It is to be closed before the next statement.
func (m *Merges) Undone(ctx context.Context, tx pgx.Tx, c UndoChange) (*UndoneList, error) {
	l := &UndoneList{schema: c.Schema}
	if err := tx.QueryRow(ctx, m.undo.ReadListName, c.Job.Account, c.Of).Scan(&l.list); err != nil {
		return nil, fmt.Errorf("read list of the undone job: %w", err)
	}
	rows, err := tx.Query(ctx, m.undo.ReadUndone)
	if err != nil {
		return nil, fmt.Errorf("read what was undone: %w", err)
	}
	l.rows = rows
	return l, l.step()
}

// Next is the next contact; io.EOF after the last.
func (l *UndoneList) Next() (*UndoneRow, error) {
	if !l.more {
		return nil, io.EOF
	}
	l.at, l.line, l.all = l.next.contact, 0, [foundTaken + 1]bool{}
	l.put, l.back, l.kept, l.touched, l.taken = fieldSet{}, l.back[:0], l.kept[:0], l.touched[:0], nil
	for l.more && l.next.contact == l.at {
		if err := l.take(); err != nil {
			return nil, err
		}
		if err := l.step(); err != nil {
			return nil, err
		}
	}
	return l.row(), nil
}

// Close gives the connection back to the transaction.
func (l *UndoneList) Close() { l.rows.Close() }

func (l *UndoneList) step() error {
	l.more = l.rows.Next()
	if !l.more {
		if err := l.rows.Err(); err != nil {
			return fmt.Errorf("read what was undone: %w", err)
		}
		return nil
	}
	n := &l.next
	if l.plain() {
		return nil
	}
	if err := l.rows.Scan(&n.contact, &n.line, &n.found, &n.fields, &n.own, &n.origins, &n.other, &n.lists); err != nil {
		return fmt.Errorf("read what was undone: %w", err)
	}
	return nil
}

// plain reads a row of a contact whose standard fields come back, which mostly are all, from the wire: contact, line, found and
// fields alone are filled in. It tells whether it was one.
func (l *UndoneList) plain() bool {
	raw := l.rows.RawValues()
	for i, f := range l.rows.FieldDescriptions() {
		if i < 4 && f.Format != pgx.BinaryFormatCode || i >= 4 && raw[i] != nil {
			return false
		}
	}
	if len(raw[0]) != 16 || len(raw[1]) != 8 || len(raw[2]) != 2 || len(raw[3]) != 8 || found(binary.BigEndian.Uint16(raw[2])) != foundBack {
		return false
	}
	n := &l.next
	fields := int64(binary.BigEndian.Uint64(raw[3]))
	n.contact, n.line, n.found, n.fields = uuid.UUID(raw[0]), int64(binary.BigEndian.Uint64(raw[1])), foundBack, &fields
	n.own, n.origins, n.other, n.lists = nil, nil, uuid.NullUUID{}, nil
	return true
}

// take adds the row read last to what is known of the contact at hand.
func (l *UndoneList) take() error {
	n := &l.next
	if n.found < foundBack || n.found > foundTaken {
		return fmt.Errorf("read what was undone: %d is no kind of finding", n.found)
	}
	l.line, l.all[n.found] = max(l.line, n.line), true
	set, err := l.set(n.fields, n.own)
	if err != nil {
		return err
	}
	switch n.found {
	case foundBack:
		l.put = set
	case foundLeft, foundJoined:
		l.back = append(l.back, "list "+l.list)
	case foundListKept:
		l.kept = append(l.kept, "list "+l.list)
	case foundKept:
		givers, err := l.givers(n.origins, &set)
		if err != nil {
			return err
		}
		l.kept = append(givers, l.kept...)
	case foundTouched:
		if l.touched, err = l.givers(n.origins, nil); err != nil {
			return err
		}
		for _, name := range n.lists {
			l.touched = append(l.touched, "list "+name)
		}
	case foundTaken:
		if l.taken == nil {
			l.taken = map[uuid.UUID]fieldSet{}
		}
		t := l.taken[n.other.UUID]
		t.bits |= set.bits
		l.taken[n.other.UUID] = t
	}
	return nil
}

// row is what became of the contact at hand. What is kept makes it held, whatever else was put back.
func (l *UndoneList) row() *UndoneRow {
	r := &UndoneRow{Contact: l.at, Line: l.line, Outcome: row.Held}
	switch {
	case l.all[foundTouched]:
		r.Reason = finding.Touched
	case l.all[foundTaken]:
		r.Reason = finding.KeyTaken
	case l.all[foundKept] || l.all[foundListKept]:
		r.Reason = finding.ChangedSince
	case l.all[foundRemoved]:
		r.Outcome, r.Reason = row.Updated, finding.Removed
		return r
	case l.all[foundRestored]:
		r.Outcome, r.Reason = row.Added, finding.Restored
		return r
	case l.all[foundBack] || l.all[foundLeft] || l.all[foundJoined]:
		r.Outcome, r.Reason = row.Updated, finding.PutBack
		return r
	default:
		r.Outcome, r.Reason = row.Unchanged, finding.AlreadyUndone
		return r
	}
	parts := slices.Clone(l.touched)
	for _, kept := range l.kept { // a call on the job's own list is a touch of the contact too
		if !slices.Contains(parts, kept) {
			parts = append(parts, kept)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(l.taken), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		parts = append(parts, fmt.Sprintf("contact %s by %s", id, strings.Join(l.names(l.taken[id]), ", ")))
	}
	if back := append(l.names(l.put), l.back...); len(back) > 0 {
		parts = append(parts, "put back: "+strings.Join(back, ", "))
	}
	r.Detail = strings.Join(parts, "; ")
	return r
}

// set is fields by their bits and own fields by their numbers.
func (l *UndoneList) set(fields *int64, own []string) (s fieldSet, err error) {
	if fields != nil {
		s.bits = uint64(*fields) &^ ownBit
	}
	for _, number := range own {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return s, fmt.Errorf("read what was undone: %q is no number of a field", number)
		}
		s.own = append(s.own, contact.Field(n))
	}
	return s, nil
}

// names are the names of fields in the order of their numbers. Keys of own fields are the fields'.
func (l *UndoneList) names(s fieldSet) []string {
	var names []string
	for rest := s.bits &^ ownKeyBits; rest != 0; rest &= rest - 1 {
		names = append(names, contact.Field(bits.TrailingZeros64(rest)).String())
	}
	if len(s.own) == 0 {
		for rest := s.bits & ownKeyBits; rest != 0; rest &= rest - 1 {
			names = append(names, l.schema.KeyName(contact.Key(bits.TrailingZeros64(rest)-firstOwnKey+contact.OwnKey)))
		}
	}
	for _, f := range s.own {
		names = append(names, l.name(f))
	}
	return names
}

// name is a field's name; one that the account no longer has goes by its number.
func (l *UndoneList) name(f contact.Field) string {
	if name := l.schema.Name(f); name != "" {
		return name
	}
	return fmt.Sprintf("field %d", f)
}

// givers tell who gave the fields their values: "phone by job 7", "city by hand 2026-01-02T03:04:05Z", in the order of the fields;
// nil for all that origins name.
func (l *UndoneList) givers(origins []byte, of *fieldSet) ([]string, error) {
	if origins == nil {
		origins = []byte("{}")
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(origins, &all); err != nil {
		return nil, fmt.Errorf("read origins of contact %s: %w", l.at, err)
	}
	by := map[contact.Field]string{}
	if of != nil { // those that nothing names have been so since the contact was made
		for rest := of.bits &^ ownKeyBits; rest != 0; rest &= rest - 1 {
			by[contact.Field(bits.TrailingZeros64(rest))] = ""
		}
		for _, f := range of.own {
			by[f] = ""
		}
	}
	give := func(f contact.Field, text string) {
		if _, asked := by[f]; of == nil || asked {
			by[f] = text
		}
	}
	var jobs []originEntry
	if err := json.Unmarshal(orNull(all["jobs"]), &jobs); err != nil {
		return nil, fmt.Errorf("read origins of contact %s: %w", l.at, err)
	}
	for _, e := range jobs {
		text := fmt.Sprintf(" by job %d", e.job)
		for rest := e.fields &^ (ownBit | ownKeyBits); rest != 0; rest &= rest - 1 {
			give(contact.Field(bits.TrailingZeros64(rest)), text)
		}
		for _, f := range e.own {
			give(f, text)
		}
	}
	for name, raw := range all {
		if name == "jobs" {
			continue
		}
		f, ok := contact.FieldByName(name)
		if !ok {
			n, err := strconv.ParseUint(name, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("read origins of contact %s: %q is no field", l.at, name)
			}
			f = contact.Field(n)
		}
		var o override
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("read origins of contact %s: %w", l.at, err)
		}
		give(f, " by hand "+o.At.UTC().Format(time.RFC3339))
	}
	fields := slices.Sorted(maps.Keys(by))
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = l.name(f) + by[f]
	}
	return texts, nil
}

// originEntry is what a job changed: [fields, job number, line, own fields, seconds], of which the last two may be missing.
type originEntry struct {
	fields uint64
	job    int64
	own    []contact.Field
}

func (e *originEntry) UnmarshalJSON(b []byte) error {
	var line, seconds json.RawMessage
	parts := []any{&e.fields, &e.job, &line, &e.own, &seconds}
	return json.Unmarshal(b, &parts)
}

func orNull(b json.RawMessage) json.RawMessage {
	if b == nil {
		return json.RawMessage("null")
	}
	return b
}
