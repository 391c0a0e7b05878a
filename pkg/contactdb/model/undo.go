package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
)

// What became of the contacts of a job that is taken back.
const (
	PutBack       = "put-back"
	Removed       = "removed"
	Restored      = "restored"
	AlreadyUndone = "already-undone"
	ChangedSince  = "changed-since"
	KeyTaken      = "key-taken"
	Touched       = "touched"
)

// Undo takes a job back, as the job number: contacts that it made go unless they were touched since, and what it changed
// is as it was before, unless it was changed since. An undo is taken back likewise: then what it removed is made again. An
// undo that is refused changes nothing.
func (a *Account) Undo(number, of int, asOf int64) Result {
	after := a.clone()
	r := after.undo(number, of, asOf)
	if r.Refused == "" {
		*a = *after
	}
	return r
}

// Preview says what an undo would do.
func (a *Account) Preview(number, of int, asOf int64) Result { return a.clone().undo(number, of, asOf) }

// undoing is an undo at work.
type undoing struct {
	*Account
	number int
	x      *Applied // what is taken back
	root   int      // the job with a file that it is all about, which an undo, and the undo of that one, were of
	done   *Applied
	all    map[int]*undone
}

// undone is what becomes of a contact.
type undone struct {
	line          int
	removed       bool
	touched       []string               // made by the job, stays: the fields and lists of others, and whose they are
	restored      bool                   // made again
	back          map[contact.Field]Step // what is put back
	kept          []string               // fields and lists that stay, with who changed them
	taken         Words                  // what stays away, as another contact has its key
	left, rejoins bool                   // off the list, or on it again
}

func (a *Account) undo(number, of int, asOf int64) Result {
	x := a.Jobs[of]
	if x == nil {
		return Result{Refused: "not-undoable"}
	}
	u := &undoing{Account: a, number: number, x: x, root: of, done: newApplied(asOf), all: map[int]*undone{}}
	for a.Jobs[u.root].UndoOf != 0 {
		u.root = a.Jobs[u.root].UndoOf
	}
	u.done.UndoOf, u.done.List, u.done.list = of, x.List, x.list
	u.note()
	u.remove()
	u.takeBack()
	u.restore()
	for u.free() {
	}
	u.lists()
	u.write()
	r := u.result()
	if len(a.Contacts) > a.Package && slices.ContainsFunc(r.Rows, func(e Ended) bool { return e.Reason == Restored }) {
		return Result{Refused: "package-too-small"}
	}
	a.Jobs[number] = u.done
	return r
}

// note notes whom it is about, each with the line of the job that changed or made it.
func (u *undoing) note() {
	at := func(id, line int) {
		if u.all[id] == nil {
			u.all[id] = &undone{back: map[contact.Field]Step{}, taken: Words{}}
		}
		u.all[id].line = max(u.all[id].line, line)
	}
	for id, ch := range u.x.Changed {
		at(id, ch.Line)
	}
	for id, e := range u.x.Came {
		at(id, e.Contact.Made.Line)
	}
	for id, e := range u.x.Went {
		at(id, e.Contact.Made.Line)
	}
	for id := range u.x.Joined {
		at(id, 0)
	}
	for id := range u.x.Left {
		at(id, 0)
	}
}

// entire is a contact with its memberships; without either if it is gone.
func (a *Account) entire(id int) *Entire {
	e := &Entire{On: map[string]Member{}}
	if c := a.Contacts[id]; c != nil {
		e.Contact = c.clone()
	}
	for name, l := range a.Lists {
		for _, m := range l.Members {
			if m.Contact == id {
				e.On[name] = m
			}
		}
	}
	return e
}

// remove removes the contacts that the job made, or made again, unless they were touched since: they have a value of
// somebody else, are on a list that another job or a person put them on, or were called.
func (u *undoing) remove() {
	for id := range u.x.Came {
		now := u.entire(id)
		if now.Contact == nil {
			continue
		}
		e := u.all[id]
		for _, f := range inOrder(now.Contact.Origins) {
			e.touched = append(e.touched, u.given(f, now.Contact.Origins[f]))
		}
		for _, l := range slices.Sorted(maps.Keys(now.On)) {
			if m := now.On[l]; m.Job != u.root || m.Called {
				e.touched = append(e.touched, "list "+l)
			}
		}
		if len(e.touched) > 0 {
			continue
		}
		e.removed = true
		u.done.Went[id] = now
		delete(u.Contacts, id)
		for _, l := range u.Lists {
			l.Members = slices.DeleteFunc(l.Members, func(m Member) bool { return m.Contact == id })
		}
	}
}

// given tells who gave a field its value.
func (u *undoing) given(f contact.Field, o Origin) string {
	if o.Hand {
		return fmt.Sprintf("%s by hand %s", u.Schema.Name(f), time.Unix(o.At, 0).UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s by job %d", u.Schema.Name(f), o.Job)
}

// takeBack puts what the job changed back to what it was, where it is as the job left it.
func (u *undoing) takeBack() {
	for id, ch := range u.x.Changed {
		c := u.Contacts[id]
		if c == nil {
			continue
		}
		for _, f := range inOrder(ch.Fields) {
			step := ch.Fields[f]
			switch now := c.was(f); {
			case now.Origin.same(step.After):
				u.all[id].back[f] = Step{Before: now, After: step.Before.Origin}
				c.restore(f, step.Before)
			case now.Origin.same(step.Before.Origin):
			case now.Made:
				u.all[id].kept = append(u.all[id].kept, u.Schema.Name(f))
			default:
				u.all[id].kept = append(u.all[id].kept, u.given(f, now.Origin))
			}
		}
	}
}

// restore makes contacts again that the job, an undo, had removed.
func (u *undoing) restore() {
	for id, was := range u.x.Went {
		if u.Contacts[id] == nil {
			u.all[id].restored = true
			u.Contacts[id] = was.Contact.clone()
		}
	}
}

// free undoes what would take a key from another contact that does not give it up. It tells whether there was anything:
// then there may be more, as that one's own key does not come free.
func (u *undoing) free() bool {
	taken := func(id int, values map[contact.Field]string) bool {
		return slices.ContainsFunc(u.keysOf(values), func(k key) bool {
			return k.kind.Unique() && slices.ContainsFunc(u.owners(k), func(o int) bool { return o != id })
		})
	}
	for _, id := range slices.Sorted(maps.Keys(u.all)) {
		c, e := u.Contacts[id], u.all[id]
		if c == nil {
			continue
		}
		if e.restored && taken(id, c.Values) {
			e.restored = false
			for f, v := range c.Values {
				if spec, _ := u.Schema.Spec(f); spec.Key != contact.NoKey {
					e.taken[f] = Word{Value: v}
				}
			}
			delete(u.Contacts, id)
			return true
		}
		for f, step := range e.back {
			if v, has := c.Values[f]; has && taken(id, map[contact.Field]string{f: v}) {
				e.taken[f] = Word{Value: v}
				c.restore(f, step.Before)
				delete(e.back, f)
				return true
			}
		}
	}
	return false
}

// lists takes those off the job's list that it put there and that stay contacts, and puts those on it again that it, an
// undo, had taken off. If the list is gone it is made again for them, or if it was this undo that removed it; if another
// has its name now, it is that. A list that a job made goes when nobody is left on it and that job is undone.
func (u *undoing) lists() {
	l := u.Lists[u.x.List]
	comes := u.x.dropped
	for id := range u.x.Left {
		comes = comes || u.Contacts[id] != nil
	}
	for id, was := range u.x.Went {
		_, on := was.On[u.x.List]
		comes = comes || on && u.all[id].restored
	}
	if l == nil && u.again() && u.gone[u.x.list] != nil && comes {
		l, u.done.remade = u.gone[u.x.list].clone(), true
		u.Lists[u.x.List] = l
	}
	if l == nil {
		return
	}
	for id := range u.x.Joined {
		for _, m := range slices.Clone(l.Members) {
			switch {
			case u.Contacts[id] == nil || m.Contact != id || m.Job != u.root:
			case m.Called:
				u.all[id].kept = append(u.all[id].kept, "list "+u.x.List)
			default:
				l.Members = slices.DeleteFunc(l.Members, func(o Member) bool { return o == m })
				u.all[id].left = true
				u.done.Left[id] = m
			}
		}
	}
	var members []Member
	for id, m := range u.x.Left {
		if u.Contacts[id] != nil && !l.has(id) {
			u.all[id].rejoins = true
			members = append(members, m)
		}
	}
	for id, was := range u.x.Went {
		if m, on := was.On[u.x.List]; on && u.all[id].restored {
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b Member) int { return a.place - b.place })
	for _, m := range members {
		if m.list != l.id {
			m.list, m.place = l.id, l.last+1
		}
		l.last = max(l.last, m.place)
		l.Members = append(l.Members, m)
		u.done.Joined[m.Contact] = m
	}
	slices.SortFunc(l.Members, func(a, b Member) int { return a.place - b.place })
	its := l.MadeBy == u.done.UndoOf || u.x.remade || len(u.done.Left) > 0 // an empty list that was there before stays
	for _, was := range u.done.Went {
		_, on := was.On[u.x.List]
		its = its || on
	}
	if len(l.Members) == 0 && l.MadeBy != 0 && u.isUndone(l.MadeBy) && its {
		u.gone[l.id] = l
		u.done.dropped = true
		delete(u.Lists, u.x.List)
	}
}

// again tells whether the effects of the job with a file come back: it is an undo that is taken back, not that job nor
// the undo of an undo.
func (u *undoing) again() bool { return !u.takesAway(u.x) }

// takesAway tells whether taking a job back takes away effects of the job with a file, and does not bring them back.
func (a *Account) takesAway(x *Applied) bool { return x.UndoOf == 0 || !a.takesAway(a.Jobs[x.UndoOf]) }

// isUndone tells whether the last word on a job with a file is that it is taken back: this undo's word is the last on its own.
func (u *undoing) isUndone(job int) bool {
	if job == u.root {
		return !u.again()
	}
	last := 0
	for n, x := range u.Jobs {
		root := n
		for u.Jobs[root].UndoOf != 0 {
			root = u.Jobs[root].UndoOf
		}
		if root == job && n > last && x.UndoOf != 0 {
			last = n
		}
	}
	return last != 0 && u.takesAway(u.Jobs[u.Jobs[last].UndoOf])
}

// write keeps what was done, so that it can be taken back.
func (u *undoing) write() {
	for id, e := range u.all {
		if len(e.back) > 0 {
			u.done.Changed[id] = &Change{Line: e.line, Fields: e.back}
			was := map[contact.Field]Word{}
			for f, step := range e.back {
				u.remember(id, f, step.Before)
				was[f] = step.Before.Word
			}
			u.changed(id, Origin{Job: u.number}, u.done.UndoOf, was)
		}
		if e.restored {
			u.done.Came[id] = u.entire(id)
			u.happened(id, Event{What: "restored", By: Origin{Job: u.number}, UndoOf: u.done.UndoOf})
		}
	}
}

// result tells what became of each contact. What stays makes it HELD, whatever else was put back.
func (u *undoing) result() Result {
	var r Result
	for _, id := range slices.Sorted(maps.Keys(u.all)) {
		e := u.all[id]
		w := Ended{Contact: id, Line: e.line, Outcome: row.Held}
		others := u.inTheWay(e.taken)
		switch {
		case len(e.touched) > 0:
			w.Reason = Touched
		case len(e.taken) > 0:
			w.Reason = KeyTaken
		case len(e.kept) > 0:
			w.Reason = ChangedSince
		case e.removed:
			w.Outcome, w.Reason = row.Updated, Removed
			r.Removed++
		case e.restored:
			w.Outcome, w.Reason = row.Added, Restored
		case len(e.back) > 0 || e.left || e.rejoins:
			w.Outcome, w.Reason = row.Updated, PutBack
		default:
			w.Outcome, w.Reason = row.Unchanged, AlreadyUndone
		}
		if w.Outcome == row.Held {
			var back []string
			for _, f := range inOrder(e.back) {
				back = append(back, u.Schema.Name(f))
			}
			if e.left || e.rejoins {
				back = append(back, "list "+u.x.List)
			}
			kept := slices.DeleteFunc(slices.Clone(e.kept), func(k string) bool { return slices.Contains(e.touched, k) }) // told once
			parts := slices.Concat(e.touched, kept, others)
			if len(back) > 0 {
				parts = append(parts, "put back: "+strings.Join(back, ", "))
			}
			w.Detail = strings.Join(parts, "; ")
		}
		r.Rows = append(r.Rows, w)
	}
	return r
}

// inTheWay are the contacts that have the keys of words, and by which fields, in the order of the contacts.
func (u *undoing) inTheWay(words Words) []string {
	by := map[int][]string{}
	for _, f := range inOrder(words) {
		spec, _ := u.Schema.Spec(f)
		for _, o := range u.owners(key{spec.Key, words[f].Value}) {
			by[o] = append(by[o], spec.Name)
		}
	}
	var all []string
	for _, o := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("contact %s by %s", name(o), strings.Join(by[o], ", ")))
	}
	return all
}
