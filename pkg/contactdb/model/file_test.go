package model_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/row"
)

// file is a job at work: what the stages before leave of it, and how merge applies it.
type file struct {
	*account
	kind     string
	job      model.Job
	id       uuid.UUID
	fields   []contact.Field // that rows have words on
	own      []contact.Spec
	keys     []row.Keys
	mask     uint16
	verdicts []row.Verdict
	version  int64

	ended   []model.Ended
	actions []row.Action
	new     []uuid.UUID
	known   int
	common  uint16
	next    int
	staged  contactdb.Staged
	words   contactdb.OwnValues

	plan *plan // of a job that was approved
	held map[int]bool
}

// plan is what a job under review would do.
type plan struct {
	file    *file
	effects []int64 // by row
}

// errCancelled ends the transaction where a cancelled job is refused the leave to commit.
var errCancelled = errors.New("cancelled")

// predicts tells whether the job only says what it would do.
func (f *file) predicts() bool { return f.kind == "check" || f.kind == "review" }

// approve applies a job as its plan says.
func (a *account) approve(ctx context.Context, number int) (model.Result, error) {
	p := a.plans[number]
	if p == nil {
		return model.Result{Refused: model.NoPlan}, nil
	}
	f := &file{account: a, kind: "import", job: p.file.job, id: p.file.id, plan: p, held: map[int]bool{}}
	r, err := f.run(ctx)
	if err == nil {
		delete(a.plans, number)
	}
	return r, err
}

func (f *file) run(ctx context.Context) (r model.Result, err error) {
	if f.id == uuid.Nil {
		f.id = uuid.Must(uuid.NewV7())
	}
	f.prepare()
	if err := f.match(ctx); err != nil {
		return r, err
	}
	f.token++
	j := contactdb.Job{Account: f.account.id, ID: f.id, Number: int64(f.job.Number), Token: f.token, AsOf: hours(f.job.AsOf)}
	err = f.merges.InAccount(ctx, j.Account, func(ctx context.Context, tx pgx.Tx) error {
		own, held, err := f.merges.Begin(ctx, tx, j.Account)
		if err != nil {
			return err
		}
		if !f.predicts() {
			if _, _, err := f.merges.Raise(ctx, j, own); err != nil {
				return err
			}
			if held, err = f.merges.Lock(ctx, tx, j); err != nil {
				return err
			}
		}
		f.decide()
		if err := f.merges.Stage(ctx, tx, f.fields, f.mask, false, f.stage); err != nil {
			return err
		}
		c := contactdb.Change{Policies: f.policies(), Edited: held.Edited, Job: j, New: int64(len(f.new)), Known: f.known > 0, Meet: f.known > 1 && f.common == 0, Keys: f.mask, Own: f.own,
			List: f.job.List, Rows: int64(len(f.keys)), Ring: f.ring}
		if f.predicts() && c.New > 0 && held.Held+c.New > f.most {
			return contactdb.PackageTooSmall(held.Held, c.New, f.most)
		}
		d, err := f.merges.Plan(ctx, tx, c, held.Held)
		if err != nil {
			return err
		}
		if f.plan != nil {
			if d, err = f.hold(ctx, tx, c, d); err != nil {
				return err
			}
		}
		if !f.predicts() {
			blocked, err := f.merges.Apply(ctx, tx, c, d, held.Held, f.most)
			if err != nil {
				return err
			}
			if blocked > 0 {
				return fmt.Errorf("%d rows were in each other's way", blocked)
			}
		}
		if r, err = f.result(ctx, tx, c); err != nil || f.predicts() {
			return err
		}
		if err := f.merges.Write(ctx, tx, j, f.applied(r)); err != nil {
			return err
		}
		if f.kind == "cancel" {
			return errCancelled
		}
		return nil
	})
	switch {
	case errors.Is(err, errCancelled):
		err = nil
	case err == nil && f.kind == "import":
		f.jobs[f.job.Number] = f.id
		for _, id := range f.new {
			f.made(id)
		}
	}
	return r, err
}

// prepare does the part of validation: the keys of each row, and whether it has any.
func (f *file) prepare() {
	said := map[contact.Field]bool{}
	for _, x := range f.job.Rows {
		k := row.Keys{Line: int64(x.Line), Invalid: x.Bad != ""}
		named := false
		for field, w := range x.Words {
			said[field] = true
			if w.Clear || k.Invalid {
				continue
			}
			named = named || field == contact.FieldFirstName || field == contact.FieldLastName
			if spec, _ := schema.Spec(field); spec.Key != contact.NoKey {
				k.Mask |= 1 << spec.Key
				k.Hash[spec.Key] = f.hasher.Hash(f.account.id, uint8(spec.Key), []byte(w.Value))
			}
		}
		if x.ID != 0 && !k.Invalid {
			k.Mask |= 1 << contact.ContactID
			k.Hash[contact.ContactID] = f.contact(x.ID)
		}
		birth, code := contact.ParseDate([]byte(x.Words[contact.FieldBirthDate].Value), contact.DateRules{})
		if text, ok := contact.AppendNameBirthZip(nil, []byte(x.Words[contact.FieldFirstName].Value), []byte(x.Words[contact.FieldLastName].Value), birth,
			[]byte(x.Words[contact.FieldZip].Value)); ok && code == "" && !k.Invalid {
			k.Mask |= 1 << contact.NameBirthZip
			k.Hash[contact.NameBirthZip] = f.hasher.Hash(f.account.id, uint8(contact.NameBirthZip), text)
		}
		if chosen := f.chosen(); !k.Invalid && k.Mask&chosen == 0 && (f.job.Mode != row.Add || !named) {
			k = row.Keys{Line: k.Line, Invalid: true}
		}
		f.keys = append(f.keys, k)
		f.mask |= k.Mask
	}
	if slices.ContainsFunc(f.job.Rows, func(x model.Row) bool { return x.Said }) {
		said[contact.FieldChangedAt] = true
	}
	f.fields = slices.Sorted(maps.Keys(said))
	for _, field := range f.fields {
		if spec, _ := schema.Spec(field); field >= contact.FirstCustom {
			f.own = append(f.own, spec)
		}
	}
}

// chosen are the keys that rows are matched by.
func (f *file) chosen() uint16 {
	var mask uint16
	for _, k := range f.job.Policies.Keys {
		mask |= 1 << k
	}
	if mask == 0 {
		mask = 0xffff
	}
	return mask
}

// match does the part of the stage match: repeats within the file, then the contacts of the other rows.
func (f *file) match(ctx context.Context) error {
	batch := contactdb.Batch{Rows: len(f.keys)}
	for k := range batch.Keys {
		batch.Keys[k] = make([]byte, 16*len(f.keys))
	}
	type key struct {
		kind int
		hash [16]byte
	}
	accepted := map[key]int{}
	f.verdicts = make([]row.Verdict, len(f.keys))
	for n := range f.keys {
		k, v := &f.keys[n], &f.verdicts[n]
		if k.Invalid {
			v.Relation = row.Bad
			continue
		}
		for rest := k.Mask &^ (1 << contact.NameBirthZip); rest != 0; rest &= rest - 1 {
			kind := bits.TrailingZeros16(rest)
			if first, ok := accepted[key{kind, k.Hash[kind]}]; ok && (v.Relation == 0 || int64(first) < v.First) {
				*v = row.Verdict{Relation: row.Repeat, First: int64(first), FirstLine: f.keys[first].Line}
			}
		}
		if v.Relation != 0 {
			continue
		}
		for rest := k.Mask; rest != 0; rest &= rest - 1 {
			kind := bits.TrailingZeros16(rest)
			accepted[key{kind, k.Hash[kind]}] = n
			copy(batch.Keys[kind][16*n:], k.Hash[kind][:])
		}
	}
	return f.contacts.Match(ctx, f.account.id, func(ctx context.Context, m *contactdb.Matching) error {
		f.version = m.KeyVersion
		var found contactdb.Hits
		if err := m.Find(ctx, &batch, &found); err != nil {
			return err
		}
		at := 0
		for n := range f.verdicts {
			var hits []row.Hit
			for ; at < len(found.Rows) && int(found.Rows[at]) == n; at++ {
				hits = append(hits, row.Hit{Contact: uuid.UUID(found.Contacts[at*16:]), Keys: uint16(found.Keys[at]), ExternalID: [16]byte(found.ExternalIDs[at*16:])})
			}
			if f.verdicts[n].Relation == 0 {
				f.verdicts[n] = row.Relate(hits, f.keys[n].Hash[contact.ExternalID], f.chosen(), nil)
			}
		}
		return nil
	})
}

// reasons are those of rows that are left alone.
var reasons = map[row.Relation]string{row.Repeat: "repeats-row", row.Several: "several-contacts", row.Other: "duplicate-contact", row.One: "known-contact", row.None: "no-contact"}

// decide says what is to be done with each row.
func (f *file) decide() {
	f.common = 0xffff
	for n := range f.keys {
		v := &f.verdicts[n]
		outcome, action := row.Decide(f.job.Mode, v.Relation)
		e := model.Ended{Outcome: outcome, Contact: f.numbers[v.Contact], First: int(v.FirstLine)}
		for _, c := range v.Several {
			e.Hits = append(e.Hits, model.Hit{Contact: f.numbers[c.Contact]})
		}
		if f.holds(n, e) {
			action = row.Nothing
			e = model.Ended{Outcome: row.Held, Reason: "plan-changed", Contact: e.Contact}
			if p := f.plan.file.ended[n]; e.Contact == 0 && p.Outcome != row.Added {
				e.Contact = p.Contact
			}
		}
		switch {
		case e.Outcome == row.Held:
		case v.Relation == row.Bad && f.job.Rows[n].Bad != "":
			e.Reason = f.job.Rows[n].Bad
		case v.Relation == row.Bad:
			e.Reason = "no-key"
		case action == row.AddContact:
			f.new = append(f.new, uuid.Must(uuid.NewV7()))
			e.Contact = len(f.ids) + len(f.new)
		case action == row.UpdateContact:
			f.known++
			f.common &= v.Keys &^ (1 << contact.NameBirthZip)
		default:
			e.Reason = reasons[v.Relation]
		}
		f.ended, f.actions = append(f.ended, e), append(f.actions, action)
	}
}

// holds tells whether matching sees that something else would become of a row than was planned.
func (f *file) holds(n int, e model.Ended) bool {
	if f.plan == nil {
		return false
	}
	was := f.plan.file.ended[n]
	if was.Outcome == row.Unchanged {
		was.Outcome = row.Updated
	}
	return was.Outcome != e.Outcome || was.Contact != e.Contact && e.Outcome != row.Added
}

// hold takes out the rows of whose contacts something else would become than was planned.
func (f *file) hold(ctx context.Context, tx pgx.Tx, c contactdb.Change, d contactdb.Difference) (contactdb.Difference, error) {
	effects, err := f.merges.Effects(ctx, tx, c)
	if err != nil {
		return d, err
	}
	var rows []int64
	for n := range f.ended {
		if f.actions[n] != row.UpdateContact {
			continue
		}
		e, err := effects.Of(ctx, int64(n))
		if err != nil {
			return d, err
		}
		if e.Changes != (f.plan.file.ended[n].Outcome == row.Updated) || e.Hash != f.plan.effects[n] {
			rows = append(rows, int64(n))
		}
	}
	if err := effects.Close(ctx); err != nil {
		return d, err
	}
	held, err := f.merges.Hold(ctx, tx, rows)
	if err != nil {
		return d, err
	}
	for _, n := range held {
		f.actions[n] = row.Nothing
		f.ended[n] = model.Ended{Outcome: row.Held, Reason: "plan-changed", Contact: f.ended[n].Contact}
	}
	return f.merges.Left(ctx, tx, d)
}

// stage returns the next row that has something to do.
func (f *file) stage() (*contactdb.Staged, error) {
	for ; f.next < len(f.keys); f.next++ {
		if f.actions[f.next] != row.Nothing {
			f.next++
			return f.fill(f.next - 1)
		}
	}
	return nil, io.EOF
}

func (f *file) fill(n int) (*contactdb.Staged, error) {
	x, t := f.job.Rows[n], &f.staged
	*t = contactdb.Staged{Row: int64(n), Line: int64(x.Line), Known: f.actions[n] == row.UpdateContact, Contact: f.verdicts[n].Contact,
		Keys: f.keys[n].Mask, Hashes: &f.keys[n].Hash}
	if x.Said {
		t.AsOf = hours(x.AsOf)
	}
	if !t.Known {
		t.Contact = f.new[f.ended[n].Contact-len(f.ids)-1]
	}
	f.words.Reset()
	for _, field := range f.fields {
		w, said := x.Words[field]
		spec, _ := schema.Spec(field)
		var sealed []byte
		if spec.Secret {
			name := spec.Name
			if field >= contact.FirstCustom {
				name = contactdb.OwnName(field)
			}
			var err error
			if sealed, err = f.ring.Seal([]byte(w.Value), keyring.ForContact(f.account.id, name, t.Contact)); err != nil {
				return nil, err
			}
		}
		switch {
		case !said || field == contact.FieldChangedAt:
		case field >= contact.FirstCustom && w.Clear && !t.Known:
		case field >= contact.FirstCustom && w.Clear:
			f.words.Clear(field)
			if spec.Key != contact.NoKey {
				t.Unset |= contactdb.OwnKeyBit(spec.Key)
			}
		case field >= contact.FirstCustom && spec.Secret:
			f.words.Secret(field, f.words.Hash(f.hasher, f.account.id, field, []byte(w.Value)), sealed)
		case field >= contact.FirstCustom:
			f.words.Text(field, []byte(w.Value))
		case w.Clear:
			t.Unset |= 1 << field
		default:
			t.Filled |= 1 << field
			t.Values[field] = []byte(w.Value)
			if spec.Secret {
				t.Values[field] = sealed
			}
		}
	}
	t.Own = f.words.JSON()
	return t, nil
}

// result reads what the database changed.
func (f *file) result(ctx context.Context, tx pgx.Tx, c contactdb.Change) (model.Result, error) {
	r := model.Result{Rows: f.ended}
	if f.kind == "review" {
		f.plans[f.job.Number] = &plan{file: f, effects: make([]int64, len(f.ended))}
	}
	if f.known == 0 {
		return r, nil
	}
	read := f.merges.Changed
	if f.kind == "review" {
		read = f.merges.Planned
	}
	changed, err := read(ctx, tx, c)
	if err != nil {
		return r, err
	}
	defer changed.Close()
	for n := range f.ended {
		e := &f.ended[n]
		if f.actions[n] != row.UpdateContact {
			continue
		}
		did, err := changed.Of(int64(n))
		if err != nil {
			return r, err
		}
		if !did.Changed {
			e.Outcome = row.Unchanged
		}
		if f.kind == "review" {
			f.plans[f.job.Number].effects[n] = did.Effect
		}
		for _, k := range did.Kept {
			e.Reason = weightier(e.Reason, k.Reason)
			spec, _ := schema.Spec(contact.Field(k.Field))
			if spec.Secret && k.Value != nil && string(k.Value) != contactdb.Masked {
				return r, fmt.Errorf("%s is not masked", spec.Name)
			}
			e.Kept = append(e.Kept, model.Kept{Field: contact.Field(k.Field), Reason: k.Reason, Word: model.Word{Value: string(k.Value), Clear: k.Value == nil}, Since: k.Since})
		}
		if e.Reason == model.ConsentKept || e.Reason == model.NewerHere {
			r.NewerHere++
		}
	}
	return r, nil
}

// weightier is the reason that is told of two.
func weightier(a, b string) string {
	for _, r := range []string{model.ConsentKept, model.NewerHere, model.KeptByRule} {
		if a == r || b == r {
			return r
		}
	}
	return ""
}

// policies are those of the job, as the database takes them.
func (f *file) policies() contactdb.Policies {
	p := contactdb.Policies{AsOf: hours(f.job.AsOf)}
	switch f.job.Policies.HandMade {
	case model.Keep:
		p.HandMade = contactdb.Keep
	case model.Replace:
		p.HandMade = contactdb.Replace
	}
	for field, rule := range f.job.Policies.Rules {
		standard, own := &p.Never, &p.NeverOwn
		switch rule {
		case model.IfEmpty:
			standard, own = &p.IfEmpty, &p.IfEmptyOwn
		case model.Newest:
			standard, own = &p.Newest, &p.NewestOwn
		}
		if field < contact.FirstCustom {
			*standard |= 1 << field
		} else {
			*own = append(*own, field)
		}
	}
	return p
}

// applied is what is written with the job.
func (f *file) applied(r model.Result) contactdb.Applied {
	a := appliedOf(r)
	a.NewerHere, a.ListName = int64(r.NewerHere), f.job.List
	if len(f.new) > 0 {
		a.FirstMade, a.LastMade = uuid.NullUUID{UUID: f.new[0], Valid: true}, uuid.NullUUID{UUID: f.new[len(f.new)-1], Valid: true}
	}
	return a
}

// appliedOf are the counts of a job.
func appliedOf(r model.Result) contactdb.Applied {
	var counts [row.Suppressed + 1]int64
	for _, e := range r.Rows {
		counts[e.Outcome]++
	}
	return contactdb.Applied{Rows: int64(len(r.Rows)), Added: counts[row.Added], Updated: counts[row.Updated], Unchanged: counts[row.Unchanged], Duplicate: counts[row.Duplicate],
		Unmatched: counts[row.Unmatched], Invalid: counts[row.Invalid], Conflict: counts[row.Conflict], Held: counts[row.Held]}
}
