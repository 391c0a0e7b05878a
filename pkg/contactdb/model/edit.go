package model

import (
	"fmt"
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Refused is why an edit by hand was not done.
type Refused struct {
	Code    string
	Contact int // that is in the way; 0 for none
}

// Add makes a contact by hand and puts it on lists. The answer is its number, or why it was refused.
func (a *Account) Add(words Words, lists []string, at int64) (int, Refused) {
	values := map[contact.Field]string{}
	for f, w := range words {
		if !w.Clear {
			values[f] = w.Value
		}
	}
	keys := a.keysOf(values)
	hits := a.hits(keys, contact.Key.Unique)
	if len(hits) == 0 {
		hits = a.hits(keys, func(k contact.Key) bool { return k == contact.NameBirthZip })
	}
	if r := inTheWay(hits); r.Code != "" {
		return 0, r
	}
	if len(a.Contacts)+1 > a.Package {
		return 0, Refused{Code: "package-too-small"}
	}
	id, c := a.make(Origin{Hand: true, At: at})
	for f, v := range values {
		c.put(f, Word{Value: v}, Origin{Hand: true, At: at})
	}
	slices.Sort(lists)
	for _, l := range lists {
		a.join(l, id, 0)
	}
	return id, Refused{}
}

// Set changes a contact by hand.
func (a *Account) Set(id int, words Words, at int64) Refused {
	c := a.Contacts[id]
	if c == nil {
		return Refused{Code: "unknown-contact"}
	}
	changes := Words{}
	for f, w := range words {
		if w != c.value(f) {
			changes[f] = w
		}
	}
	for f := range changes {
		if spec, _ := a.Schema.Spec(f); spec.Type == contact.TypeAuthorisation && c.Values[f] == withdrawn {
			return Refused{Code: ConsentKept}
		}
	}
	values := map[contact.Field]string{}
	for f, w := range changes {
		if !w.Clear {
			values[f] = w.Value
		}
	}
	hits := a.hits(a.keysOf(values), contact.Key.Unique)
	if r := inTheWay(hits); r.Code != "" {
		return r
	}
	before := map[contact.Field]Word{}
	for f, w := range changes {
		was := c.was(f)
		before[f] = was.Word
		a.remember(id, f, was)
		c.put(f, w, Origin{Hand: true, At: at, Replaced: a.had(id, f)})
	}
	if len(changes) > 0 {
		a.changed(id, Origin{Hand: true, At: at}, 0, before)
	}
	return Refused{}
}

// inTheWay is whose keys an edit would take.
func inTheWay(hits []Hit) Refused {
	switch len(hits) {
	case 0:
		return Refused{}
	case 1:
		return Refused{Code: "duplicate-contact", Contact: hits[0].Contact}
	}
	return Refused{Code: "several-contacts"}
}

// had are the values that a contact had in a field before what it has now, in no order.
func (a *Account) had(id int, f contact.Field) []string {
	var all []string
	for h := range a.past {
		if h.contact == id && h.field == f {
			all = append(all, h.value)
		}
	}
	slices.Sort(all)
	return all
}

// name is how a contact is written.
func name(id int) string { return fmt.Sprintf("#%d", id) }
