// Package model is the rules of contacts in memory: what jobs, edits by hand and undos make of an account. It is small,
// slow and obviously right, written from the rules alone and not from the SQL that follows them on millions of rows:
// tests do the same with both and want the same contacts, outcomes, counts and refusals.
//
// Contacts go by the order in which they were made, from 1; jobs by their numbers; times are seconds. Only tests use it.
package model

import (
	"cmp"
	"maps"
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Account is all that the rules speak of.
type Account struct {
	Schema   *contact.Schema
	Package  int // contacts it may hold
	Contacts map[int]*Contact
	Lists    map[string]*List
	Jobs     map[int]*Applied // that took effect, by number
	Plans    map[int]*Plan    // that await approval, by number

	made   int           // contacts ever made
	listed int           // lists ever made
	gone   map[int]*List // those that an undo removed, as they were, by their ids
	past   map[had]bool  // what contacts are known to have had
	pasts  map[int][]Event
}

// had is a value that a contact had before a change.
type had struct {
	contact int
	field   contact.Field
	value   string
}

// Contact is a person or organisation.
type Contact struct {
	Values  map[contact.Field]string
	Origins map[contact.Field]Origin // of fields that changed since it was made
	Made    Origin
}

// Origin is who gave a value: a job with its line, or a person.
type Origin struct {
	Job, Line int
	Hand      bool
	At        int64    // of a person: when; of a job: as of when the row says its value is, if Said
	Said      bool     // the row said as of when it is
	Replaced  []string // by a person: what the contact had before
}

// same tells whether two origins are the same word of the same job or person: then they stand for the same value.
func (o Origin) same(p Origin) bool {
	if o.Hand || p.Hand {
		return o.Hand == p.Hand && o.At == p.At
	}
	return o.Job == p.Job && o.Line == p.Line
}

// List is a named set of contacts in the order in which they came.
type List struct {
	id      int // another list of the same name, made after it was gone, is not it
	MadeBy  int // the job that made it by naming it; 0 if a person did
	Members []Member
	last    int // place that was given last
}

func (l *List) clone() *List {
	c := *l
	c.Members = slices.Clone(l.Members)
	return &c
}

// Member is a contact on a list.
type Member struct {
	Contact int
	Job     int  // that put it there; 0 if a person did
	Called  bool // it has an ending, or what else a call leaves
	list    int
	place   int
}

func (l *List) has(id int) bool {
	return slices.ContainsFunc(l.Members, func(m Member) bool { return m.Contact == id })
}

// New makes an account without contacts.
func New(s *contact.Schema, most int) *Account {
	return &Account{Schema: s, Package: most, Contacts: map[int]*Contact{}, Lists: map[string]*List{}, Jobs: map[int]*Applied{}, Plans: map[int]*Plan{},
		past: map[had]bool{}, gone: map[int]*List{}, pasts: map[int][]Event{}}
}

// clone is a copy that shares nothing that is ever changed.
func (a *Account) clone() *Account {
	c := *a
	c.Contacts, c.Lists, c.Jobs, c.past, c.gone, c.pasts = map[int]*Contact{}, map[string]*List{}, maps.Clone(a.Jobs), maps.Clone(a.past), maps.Clone(a.gone), maps.Clone(a.pasts)
	c.Plans = maps.Clone(a.Plans)
	for id, x := range a.Contacts {
		c.Contacts[id] = x.clone()
	}
	for name, l := range a.Lists {
		c.Lists[name] = l.clone()
	}
	return &c
}

// Word is what a row or a person says of a field: a value in normal form, or that it has none.
type Word struct {
	Value string
	Clear bool
}

// Words are all that is said of a contact.
type Words map[contact.Field]Word

// value is the word for what a contact has.
func (c *Contact) value(f contact.Field) Word {
	v, ok := c.Values[f]
	return Word{Value: v, Clear: !ok}
}

func (c *Contact) clone() *Contact {
	return &Contact{Values: maps.Clone(c.Values), Origins: maps.Clone(c.Origins), Made: c.Made}
}

// put gives the contact a value, or takes it away.
func (c *Contact) put(f contact.Field, w Word, o Origin) {
	if w.Clear {
		delete(c.Values, f)
	} else {
		c.Values[f] = w.Value
	}
	c.Origins[f] = o
}

// restore puts a value back with its origin.
func (c *Contact) restore(f contact.Field, was Was) {
	c.put(f, was.Word, was.Origin)
	if was.Made {
		delete(c.Origins, f)
	}
}

// origin is the origin of a field's value, or of its having none.
func (c *Contact) origin(f contact.Field) Origin {
	if o, ok := c.Origins[f]; ok {
		return o
	}
	return c.Made
}

// was is what the contact has in a field and since when.
func (c *Contact) was(f contact.Field) Was {
	_, changed := c.Origins[f]
	return Was{Word: c.value(f), Origin: c.origin(f), Made: !changed}
}

// Was is what a field was.
type Was struct {
	Word
	Origin Origin
	Made   bool // since the contact was made
}

// Applied is what is kept of a job: what can be taken back.
type Applied struct {
	AsOf    int64
	UndoOf  int
	List    string          // that it put contacts on; of an undo, the one of the job with a file that it is all about
	list    int             // its id
	Changed map[int]*Change // by contact
	Came    map[int]*Entire // contacts that it made or made again, by number
	Went    map[int]*Entire // contacts that it removed
	Joined  map[int]Member  // contacts that it put on its list
	Left    map[int]Member  // contacts that stayed and that it took off its list
	dropped bool            // it removed the list
	remade  bool            // it made the list again
}

func newApplied(asOf int64) *Applied {
	return &Applied{AsOf: asOf, Changed: map[int]*Change{}, Came: map[int]*Entire{}, Went: map[int]*Entire{}, Joined: map[int]Member{}, Left: map[int]Member{}}
}

// Change is how a job changed a contact.
type Change struct {
	Line   int // the first of the lines that did
	Fields map[contact.Field]Step
}

// Step is a field's way from what it was to who left it as it is.
type Step struct {
	Before Was
	After  Origin
}

// Entire is a contact with its memberships, by list.
type Entire struct {
	Contact *Contact
	On      map[string]Member
}

// remember keeps what a contact had in a field that a job or a person changes.
func (a *Account) remember(id int, f contact.Field, was Was) {
	if !was.Clear {
		a.past[had{id, f, was.Value}] = true
	}
}

// make makes a contact.
func (a *Account) make(made Origin) (int, *Contact) {
	a.made++
	c := &Contact{Values: map[contact.Field]string{}, Origins: map[contact.Field]Origin{}, Made: made}
	a.Contacts[a.made] = c
	a.happened(a.made, Event{What: "made", By: made})
	return a.made, c
}

// join puts a contact at the end of a list, which is made if it is missing. Who is on it keeps his place.
func (a *Account) join(name string, id, job int) (Member, bool) {
	l := a.Lists[name]
	if l == nil {
		a.listed++
		l = &List{id: a.listed, MadeBy: job}
		a.Lists[name] = l
	}
	if id == 0 || l.has(id) {
		return Member{}, false
	}
	l.last++
	m := Member{Contact: id, Job: job, list: l.id, place: l.last}
	l.Members = append(l.Members, m)
	return m, true
}

// Call notes what a call left at a contact on a list; nothing if it is not on it.
func (a *Account) Call(id int, list string) {
	if l := a.Lists[list]; l != nil {
		for i := range l.Members {
			l.Members[i].Called = l.Members[i].Called || l.Members[i].Contact == id
		}
	}
}

// time is as of when a value is: what its row said, what its job said, or when a person gave it.
func (a *Account) time(o Origin) int64 {
	if o.Hand || o.Said {
		return o.At
	}
	return a.Jobs[o.Job].AsOf
}

// Made is how many contacts were ever made.
func (a *Account) Made() int { return a.made }

// ids are the contacts in the order in which they were made.
func (a *Account) ids() []int { return slices.Sorted(maps.Keys(a.Contacts)) }

// inOrder are the fields of words in the order of their numbers.
func inOrder[V any](words map[contact.Field]V) []contact.Field {
	return slices.SortedFunc(maps.Keys(words), cmp.Compare[contact.Field])
}
