package model

import (
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
)

// Job is an import.
type Job struct {
	Number   int
	Mode     row.Mode
	List     string
	Policies Policies
	AsOf     int64
	Rows     []Row
}

// Row is a record of its file.
type Row struct {
	Line  int
	Bad   string // why it is INVALID, or empty
	ID    int    // the contact id that it names, 0 for none
	Words Words
	AsOf  int64 // if Said
	Said  bool
}

// values are those that the row has.
func (r Row) values() map[contact.Field]string {
	values := map[contact.Field]string{}
	for f, w := range r.Words {
		if !w.Clear {
			values[f] = w.Value
		}
	}
	return values
}

// keys are those that the row has.
func (a *Account) keysOfRow(r Row) []key {
	keys := a.keysOf(r.values())
	if r.ID != 0 {
		keys = append([]key{{contact.ContactID, name(r.ID)}}, keys...)
	}
	return keys
}

// Ended is what became of a row.
type Ended struct {
	Outcome row.Outcome
	Reason  string
	Contact int   // made, changed, found or in the way; 0 for none
	First   int   // the line that a repeat repeats
	Hits    []Hit // whom the row fits, where it fits several
	Kept    []Kept
	Line    int    // in an undo: the line of the job that was taken back
	Detail  string // in an undo
}

// Kept is a value that the contact keeps.
type Kept struct {
	Field  contact.Field
	Reason string
	Word
	Since int64
}

// Result is what a job did.
type Result struct {
	Refused   string // the code of why it did nothing
	Rows      []Ended
	NewerHere int // rows with a value that is newer here than in the file, or stays withdrawn
	Removed   int // contacts that an undo removed
}

// Import does what the rows say. Rows are matched with the contacts as they were before the job, and take effect in
// their order. A job that is refused changes nothing.
func (a *Account) Import(j Job) Result {
	return a.take(j, nil)
}

// take does what the rows say but for those that are held.
func (a *Account) take(j Job, holds map[int]Ended) Result {
	after := a.clone()
	r := after.apply(a, j, holds)
	if r.Refused == "" {
		*a = *after
	}
	return r
}

// Check says what a job would do.
func (a *Account) Check(j Job) Result { return a.clone().apply(a, j, nil) }

// apply changes the account, which is as it was before. holds are rows that are left alone, with what was planned for them.
func (a *Account) apply(was *Account, j Job, holds map[int]Ended) Result {
	var r Result
	done := newApplied(j.AsOf)
	accepted := map[key]int{} // keys of rows that were neither INVALID nor repeats, with their lines
	held := len(a.Contacts)
	changing := map[int]bool{}
	for i, x := range j.Rows {
		e := a.decide(was, j, x, accepted)
		if planned, ok := holds[i]; ok {
			r.Rows = append(r.Rows, heldFor(planned, e))
			continue
		}
		switch e.Outcome {
		case row.Added:
			made := Origin{Job: j.Number, Line: x.Line, At: x.AsOf, Said: x.Said}
			id, c := a.make(made)
			for f, v := range x.values() {
				c.Values[f] = v
			}
			e.Contact = id
			done.Came[id] = nil
		case row.Updated:
			changing[e.Contact] = true
			a.follow(was, j, x, &e, done)
		}
		if j.List != "" && (e.Outcome == row.Added || e.Outcome == row.Updated || e.Outcome == row.Unchanged) {
			if m, joined := a.join(j.List, e.Contact, j.Number); joined {
				done.Joined[e.Contact] = m
			}
		}
		r.Rows = append(r.Rows, e)
	}
	if len(done.Came) > 0 && held+len(done.Came) > a.Package {
		return Result{Refused: "package-too-small"}
	}
	if j.List != "" {
		a.join(j.List, 0, j.Number)
		done.List, done.list = j.List, a.Lists[j.List].id
	}
	for id := range changing {
		a.settle(id, j.Number, was.Contacts[id], done)
	}
	for id := range done.Came {
		done.Came[id] = a.entire(id)
	}
	a.Jobs[j.Number] = done
	for i := range r.Rows {
		a.tell(&r.Rows[i])
		if slices.ContainsFunc(r.Rows[i].Kept, func(k Kept) bool { return k.Reason != KeptByRule }) {
			r.NewerHere++
		}
	}
	return r
}

// decide says what is to become of a row, in the order INVALID, DUPLICATE in the file, CONFLICT, and then by mode.
func (a *Account) decide(was *Account, j Job, x Row, accepted map[key]int) Ended {
	if x.Bad != "" {
		return Ended{Outcome: row.Invalid, Reason: x.Bad}
	}
	keys := a.keysOfRow(x)
	if reason := keyless(j, x, keys); reason != "" {
		return Ended{Outcome: row.Invalid, Reason: reason}
	}
	first := 0
	for _, k := range keys {
		if line := accepted[k]; k.kind.Unique() && line != 0 && (first == 0 || line < first) {
			first = line
		}
	}
	if first != 0 {
		return Ended{Outcome: row.Duplicate, Reason: string(finding.RepeatsRow), First: first}
	}
	for _, k := range keys {
		accepted[k] = x.Line
	}
	relation, hits := was.relate(keys, j.Policies.Keys)
	switch {
	case relation == row.Several:
		return Ended{Outcome: row.Conflict, Reason: string(finding.SeveralContacts), Hits: hits}
	case relation == row.Other && j.Mode == row.Add:
		return Ended{Outcome: row.Duplicate, Reason: string(finding.DuplicateContact), Contact: hits[0].Contact}
	case relation == row.Other:
		return Ended{Outcome: row.Conflict, Reason: string(finding.DuplicateContact), Contact: hits[0].Contact}
	case relation == row.One && j.Mode == row.Add:
		return Ended{Outcome: row.Duplicate, Reason: string(finding.KnownContact), Contact: hits[0].Contact}
	case relation == row.One:
		return Ended{Outcome: row.Updated, Contact: hits[0].Contact}
	case j.Mode == row.Update:
		return Ended{Outcome: row.Unmatched, Reason: string(finding.NoContact)}
	}
	return Ended{Outcome: row.Added}
}

// keyless is why a row is INVALID that has nothing to be recognised by: in mode add a name is enough.
func keyless(j Job, x Row, keys []key) string {
	for _, k := range keys {
		if len(j.Policies.Keys) == 0 || slices.Contains(j.Policies.Keys, k.kind) {
			return ""
		}
	}
	for _, f := range []contact.Field{contact.FieldFirstName, contact.FieldLastName, contact.FieldFullName} {
		if j.Mode == row.Add && x.values()[f] != "" {
			return ""
		}
	}
	return string(finding.NoKey)
}

// follow changes a contact as its row says, but for the words that a policy withholds.
func (a *Account) follow(was *Account, j Job, x Row, e *Ended, done *Applied) {
	c, before := a.Contacts[e.Contact], was.Contacts[e.Contact]
	changed := false
	for _, f := range inOrder(x.Words) {
		w := x.Words[f]
		if reason := was.withheld(j, x, f, w, before, c); reason != "" {
			e.Kept = append(e.Kept, Kept{Field: f, Reason: reason})
			continue
		}
		if w == c.value(f) {
			continue
		}
		changed = true
		c.put(f, w, Origin{Job: j.Number, Line: x.Line, At: x.AsOf, Said: x.Said})
	}
	if !changed {
		e.Outcome = row.Unchanged
		return
	}
	if done.Changed[e.Contact] == nil {
		done.Changed[e.Contact] = &Change{Line: x.Line, Fields: map[contact.Field]Step{}}
	}
}

// settle keeps what a contact was in the fields that are otherwise after the whole job. A field that one row changed and
// another changed back has the origin that it had.
func (a *Account) settle(id, number int, before *Contact, done *Applied) {
	c, changed := a.Contacts[id], map[contact.Field]Word{}
	for f := range c.Origins {
		switch was := before.was(f); {
		case c.value(f) == was.Word:
			c.restore(f, was)
		default:
			a.remember(id, f, was)
			done.Changed[id].Fields[f] = Step{Before: was, After: c.Origins[f]}
			changed[f] = was.Word
		}
	}
	if ch := done.Changed[id]; ch != nil && len(ch.Fields) == 0 {
		delete(done.Changed, id)
	} else if ch != nil {
		a.changed(id, Origin{Job: number, Line: ch.Line}, 0, changed)
	}
}

// tell fills in what the contact has in the place of words that were withheld, and why the row was not followed in all.
func (a *Account) tell(e *Ended) {
	order := []string{ConsentKept, NewerHere, KeptByRule}
	for i := range e.Kept {
		k := &e.Kept[i]
		c := a.Contacts[e.Contact]
		k.Word, k.Since = c.value(k.Field), a.time(c.origin(k.Field))
		if e.Reason == "" || slices.Index(order, k.Reason) < slices.Index(order, e.Reason) {
			e.Reason = k.Reason
		}
	}
}
