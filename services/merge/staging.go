package merge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/row"
)

// staging turns the rows of a job into what the database is to do, and notes the fate of each.
type staging struct {
	worker    *worker
	job       *job
	source    *source
	planned   *plan                 // nil without one
	overrides map[int64]row.Verdict // by row: what a second match found
	progress  func(done, total int64)

	fates *fates
	ids   ids
	new   int64
	known int64

	record record
	staged contactdb.Staged
	own    contactdb.OwnValues
	hasher *keyring.Hasher
	common uint16 // unique keys by which every known row so far was found
}

// stage streams the rows into the transaction's table of staged rows.
func (w *worker) stage(ctx context.Context, tx pgx.Tx, j *job, overrides map[int64]row.Verdict, progress func(done, total int64)) (*staging, error) {
	src, err := w.read(ctx, j)
	if err != nil {
		return nil, err
	}
	defer src.close()
	planned, err := w.plan(ctx, j)
	if err != nil {
		return nil, err
	}
	defer planned.close()
	s := &staging{worker: w, job: j, source: src, planned: planned, overrides: overrides, progress: progress, fates: newFates(j.rows), ids: newIDs(), hasher: w.ring.Hasher(), common: 0xffff}
	said := j.fields
	if j.changedAt >= 0 {
		said = append(slices.Clip(said), contact.FieldChangedAt)
	}
	err = w.contacts.Stage(ctx, tx, said, j.keys, j.facts != nil, s.next)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// meet tells whether two rows may change the same contact. If one unique key found all rows, none may: the second would
// repeat the first one's key.
func (s *staging) meet() bool { return s.known > 1 && s.common == 0 }

// next returns the next row that has something to do; io.EOF after the last.
func (s *staging) next() (*contactdb.Staged, error) {
	for {
		if err := s.source.nextRow(&s.record); err != nil {
			return nil, err
		}
		r := &s.record
		if r.n&0xfff == 0 {
			s.progress(r.n/2, s.job.rows)
		}
		v := r.verdict
		if o, ok := s.overrides[r.n]; ok {
			v = &o
		}
		p := s.job.decide(r, v)
		planned, err := s.planned.next()
		if err != nil {
			return nil, err
		}
		p.held = planned != nil && !p.agrees(planned, v)
		if err := s.fates.add(p); err != nil {
			return nil, err
		}
		if p.held || p.action == row.Nothing {
			continue
		}
		return s.fill(r, v, p.action)
	}
}

// fill makes the staged row.
func (s *staging) fill(r *record, v *row.Verdict, action row.Action) (*contactdb.Staged, error) {
	t := &s.staged
	t.Row, t.Line, t.Known = r.n, r.cells.Line, action == row.UpdateContact
	t.PhoneFacts, t.EmailFacts = nil, nil
	if t.Known {
		t.Contact = v.Contact
		s.common &= v.Keys &^ (1 << contact.NameBirthZip)
		s.known++
	} else {
		t.Contact = s.ids.at(s.new)
		t.PhoneFacts, t.EmailFacts = r.phone, r.email
		s.new++
	}
	t.Unset, t.Filled, t.Own = 0, 0, nil
	t.Keys, t.Hashes = r.keys.Mask, &r.keys.Hash
	if len(s.job.own) > 0 {
		if err := s.fillOwn(r); err != nil {
			return nil, fmt.Errorf("row %d: %w", r.n, err)
		}
	}
	for i, f := range s.job.fields {
		if f == contact.NoField || f >= contact.FirstCustom {
			continue
		}
		switch value := &r.cells.Values[i]; value.Kind {
		case row.Unset:
			t.Unset |= 1 << f
		case row.AsCell, row.AsText:
			t.Filled |= 1 << f
			t.Values[f] = value.Text
		}
	}
	if err := s.fillAsOf(r); err != nil {
		return nil, fmt.Errorf("row %d: %w", r.n, err)
	}
	if t.Filled&(1<<contact.FieldSSN) != 0 {
		if err := s.sealForContact(t); err != nil {
			return nil, fmt.Errorf("row %d: %w", r.n, err)
		}
	}
	return t, nil
}

// fillAsOf fills in when the row says that its values were so.
func (s *staging) fillAsOf(r *record) error {
	s.staged.AsOf = time.Time{}
	if s.job.changedAt < 0 {
		return nil
	}
	var text []byte
	switch value := &r.cells.Values[s.job.changedAt]; value.Kind {
	case row.AsCell, row.AsText:
		text = value.Text
	default:
		return nil
	}
	moment, code := contact.ParseMoment(text, contact.DateRules{})
	if code.Failed() {
		return fault.New(fault.DataLoss, "bad-moment", "when the row was so is in no normal form")
	}
	s.staged.AsOf = time.Unix(int64(moment), 0)
	return nil
}

// fillOwn fills in what a row says of the account's own fields. A new contact has nothing to clear.
func (s *staging) fillOwn(r *record) error {
	t := &s.staged
	s.own.Reset()
	for i, f := range s.job.fields {
		if f < contact.FirstCustom {
			continue
		}
		spec, value := &s.job.specs[i], &r.cells.Values[i]
		clears := value.Kind == row.Unset || spec.Type == contact.TypeAuthorisation && string(value.Text) == contactdb.TakenBack
		switch {
		case value.Kind == row.Empty || clears && !t.Known:
		case clears:
			s.own.Clear(f)
			if spec.Key != contact.NoKey {
				t.Unset |= contactdb.OwnKeyBit(spec.Key)
			}
		case spec.Secret:
			if err := s.sealOwn(spec, value.Text); err != nil {
				return err
			}
		default:
			s.own.Text(f, value.Text)
		}
	}
	t.Own = s.own.JSON()
	return nil
}

// sealOwn opens an own field's secret value, which is sealed for the row's line, and seals it for the contact.
func (s *staging) sealOwn(spec *contact.Spec, value []byte) error {
	t := &s.staged
	plain, err := s.worker.ring.Open(value, keyring.ForRow(s.job.Account, spec.Name, s.job.ID, uint64(t.Line)))
	if err != nil {
		return err
	}
	sealed, err := s.worker.ring.Seal(plain, keyring.ForContact(s.job.Account, contactdb.OwnName(spec.Number), t.Contact))
	if err != nil {
		return err
	}
	s.own.Secret(spec.Number, s.own.Hash(s.hasher, s.job.Account, spec.Number, plain), sealed)
	return nil
}

// sealForContact opens the SSN, which is sealed for the row's line, and seals it for the contact.
func (s *staging) sealForContact(t *contactdb.Staged) error {
	field := contact.FieldSSN.String()
	plain, err := s.worker.ring.Open(t.Values[contact.FieldSSN], keyring.ForRow(s.job.Account, field, s.job.ID, uint64(t.Line)))
	if err != nil {
		return err
	}
	t.Values[contact.FieldSSN], err = s.worker.ring.Seal(plain, keyring.ForContact(s.job.Account, field, t.Contact))
	return err
}

// change is what was staged, in the database's words.
func (s *staging) change(h contactdb.Holdings) contactdb.Change {
	return contactdb.Change{Policies: s.job.policies, Edited: h.Edited, Job: s.job.Job, New: s.new, Known: s.known > 0, Meet: s.meet(), Keys: s.job.keys, Own: s.job.own, List: s.job.list,
		Rows: s.job.rows, Ring: s.worker.ring}
}

// rematchBatch is how many rows are matched again at once.
const rematchBatch = 1_000

// rematch matches those rows again that a key change outside a job touched since the job was matched, by the same rule.
func (w *worker) rematch(ctx context.Context, tx pgx.Tx, j *job, h contactdb.Holdings) (map[int64]row.Verdict, error) {
	if h.KeyVersion == j.keyVersion {
		return nil, nil
	}
	touched, err := w.contacts.TouchedSince(ctx, tx, j.Account, j.keyVersion)
	if err != nil || len(touched) == 0 {
		return nil, err
	}
	src, err := w.read(ctx, j)
	if err != nil {
		return nil, err
	}
	defer src.close()
	m := &rematching{find: w.contacts.Matching(tx, j.Account, h), chosen: j.chosen, verdicts: map[int64]row.Verdict{}}
	var r record
	for {
		err := src.nextKeys(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !isTouched(&r, touched) {
			continue
		}
		m.add(&r)
		if len(m.rows) == rematchBatch {
			if err := m.flush(ctx); err != nil {
				return nil, err
			}
		}
	}
	return m.verdicts, m.flush(ctx)
}

// isTouched tells whether a row's verdict may be another now. What is wrong with a row itself, or repeats another row,
// stays so.
func isTouched(r *record, t contactdb.Touched) bool {
	switch r.verdict.Relation {
	case row.Bad, row.Repeat, row.Erased:
		return false
	case row.One, row.Other:
		if t.Has(contact.ContactID, r.verdict.Contact) {
			return true
		}
	case row.Several:
		for _, c := range r.verdict.Several {
			if t.Has(contact.ContactID, c.Contact) {
				return true
			}
		}
	}
	for k := range contact.Key(contact.Keys) {
		if r.keys.Mask&(1<<k) != 0 && t.Has(k, r.keys.Hash[k]) {
			return true
		}
	}
	return false
}

// rematching gathers a batch of rows and asks for their contacts.
type rematching struct {
	find     *contactdb.Matching
	chosen   uint16 // the keys that rows are matched by, 0 for all
	verdicts map[int64]row.Verdict

	batch contactdb.Batch
	rows  []int64
	hits  contactdb.Hits
}

func (m *rematching) add(r *record) {
	m.rows = append(m.rows, r.n)
	m.batch.Rows = len(m.rows)
	var none [16]byte
	for k := range m.batch.Keys {
		hash := none
		if r.keys.Mask&(1<<k) != 0 {
			hash = r.keys.Hash[k]
		}
		m.batch.Keys[k] = append(m.batch.Keys[k], hash[:]...)
	}
}

func (m *rematching) flush(ctx context.Context) error {
	if len(m.rows) == 0 {
		return nil
	}
	if err := m.find.Find(ctx, &m.batch, &m.hits); err != nil {
		return fmt.Errorf("match again: %w", err)
	}
	at := 0
	for i, n := range m.rows {
		var hits []row.Hit
		for ; at < len(m.hits.Rows) && m.hits.Rows[at] == uint32(i); at++ {
			o := at * 16
			hits = append(hits, row.Hit{Contact: [16]byte(m.hits.Contacts[o : o+16]), Keys: uint16(m.hits.Keys[at]), ExternalID: [16]byte(m.hits.ExternalIDs[o : o+16])})
		}
		external := [16]byte(m.batch.Keys[contact.ExternalID][i*16:])
		m.verdicts[n] = row.Relate(hits, external, m.chosen, nil)
	}
	m.rows = m.rows[:0]
	for k := range m.batch.Keys {
		m.batch.Keys[k] = m.batch.Keys[k][:0]
	}
	return nil
}
