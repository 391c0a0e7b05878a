package model_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/row"
)

// alphabet is what rows and people say of fields: so little that all meet. Of keys, the nth value is the nth person's, and
// rows are mostly about one.
var alphabet = []struct {
	field  string
	values []string
	often  int // of 20
}{
	{"phone", []string{"P1", "P2", "P3", "P4", "UNSET"}, 4},
	{"email", []string{"E1", "E2", "E3", "UNSET"}, 4},
	{"external_id", []string{"X1", "X2", "X3", "UNSET"}, 2},
	{"customer", []string{"C1", "C2", "C3", "UNSET"}, 2},
	{"badge", []string{"B1", "B2", "UNSET"}, 2},
	{"ssn", []string{"S1", "S2", "UNSET"}, 2},
	{"city", []string{"Rome", "Oslo", "Bern", "UNSET"}, 11},
	{"score", []string{"1", "2", "UNSET"}, 6},
	{"newsletter", []string{"False", "True", "UNSET"}, 9},
	{"pin", []string{"11", "22", "UNSET"}, 2},
	{"first_name", []string{"Ann", "Bob", "Cid", "UNSET"}, 4},
	{"last_name", []string{"Ash", "UNSET"}, 4},
	{"birth_date", []string{"2000-01-01", "2000-02-02", "UNSET"}, 4},
	{"zip", []string{"10001", "10002", "UNSET"}, 4},
}

var listNames = []string{"L", "M"}

// below draws a number from 0 to n-1, each as likely as the other, which rapid's own numbers are not.
func below(t *rapid.T, n int) int {
	v := 0
	for range 12 {
		v <<= 1
		if rapid.Bool().Draw(t, "bit") {
			v++
		}
	}
	return v * n >> 12
}

func one[T any](t *rapid.T, of ...T) T { return of[below(t, len(of))] }

// some draws up to n of several, at least one.
func some[T comparable](t *rapid.T, n int, of ...T) []T {
	var all []T
	for range 1 + below(t, n) {
		if x := one(t, of...); !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

// drawSequence draws 1 to 12 operations. Which contact they are about and which job is taken back is settled when they are
// done, by what there is then.
func drawSequence(t *rapid.T) sequence {
	all := make(sequence, 1+below(t, 12))
	for i := range all {
		kinds := []string{"import", "import", "import", "import", "import", "add", "set", "set", "set", "undo", "undo", "undo", "check", "cancel", "preview"}
		if i == 0 {
			kinds = []string{"import", "import", "import", "add"}
		}
		all[i] = drawOperation(t, one(t, kinds...))
	}
	return all
}

func drawOperation(t *rapid.T, kind string) model.Operation {
	op := model.Operation{Kind: kind}
	switch kind {
	case "add":
		op.Words = drawWords(t)
		for f, w := range op.Words {
			if w.Clear {
				delete(op.Words, f)
			}
		}
		if below(t, 4) == 0 {
			op.Lists = some(t, 2, listNames...)
			slices.Sort(op.Lists)
		}
	case "set":
		op.Contact, op.Words = 1+below(t, 60), drawWords(t)
	case "undo", "preview":
		op.Of = 1 + below(t, 60)
	default:
		op.Job, op.AsOfSaid = drawJob(t)
	}
	return op
}

func drawJob(t *rapid.T) (j model.Job, said bool) {
	j.Mode = one(t, row.Upsert, row.Upsert, row.Update, row.Add)
	if below(t, 3) == 0 {
		j.List = one(t, listNames...)
	}
	if below(t, 4) == 0 {
		j.AsOf, said = int64(below(t, 13))*model.Hour, true
	}
	if below(t, 3) == 0 {
		j.Policies = drawPolicies(t)
	}
	for range below(t, 6) {
		j.Rows = append(j.Rows, drawRow(t))
	}
	return j, said
}

func drawPolicies(t *rapid.T) model.Policies {
	p := model.Policies{HandMade: one(t, model.NewValues, model.Replace, model.Keep), Rules: map[contact.Field]model.Rule{}}
	for _, a := range alphabet {
		if below(t, 3) == 0 {
			f, _ := schema.Field(a.field)
			p.Rules[f] = one(t, model.Newest, model.IfEmpty, model.Never)
		}
	}
	if below(t, 4) == 0 {
		p.Keys = some(t, 3, contact.Phone, contact.Email, contact.ExternalID, contact.ContactID, contact.NameBirthZip, 8)
		slices.Sort(p.Keys)
	}
	return p
}

func drawRow(t *rapid.T) model.Row {
	x := model.Row{Words: drawWords(t)}
	if below(t, 8) == 0 {
		x.AsOf, x.Said = int64(below(t, 13))*model.Hour, true
	}
	switch below(t, 20) {
	case 0:
		return model.Row{Bad: "phone-invalid", Words: model.Words{}}
	case 1, 2:
		x.ID = 1 + below(t, 5)
		for f := range x.Words { // else hardly any is without another contact's key
			if spec, _ := schema.Spec(f); spec.Key != contact.NoKey && below(t, 3) > 0 {
				delete(x.Words, f)
			}
		}
	}
	return x
}

// drawWords draws what is said of a contact: mostly of one of three persons, with some of his keys or his whole name, by
// which he is recognised.
func drawWords(t *rapid.T) model.Words {
	w := model.Words{}
	say := func(name, value string) {
		f, _ := schema.Field(name)
		w[f] = model.Word{Value: value}
		if value == "UNSET" {
			w[f] = model.Word{Clear: true}
		}
	}
	person := below(t, 10) / 3 // the fourth is nobody
	for _, a := range alphabet {
		f, _ := schema.Field(a.field)
		spec, _ := schema.Spec(f)
		switch {
		case below(t, 20) >= a.often:
		case spec.Key == contact.NoKey || person == 3 || below(t, 4) == 0:
			say(a.field, one(t, a.values...))
		default:
			say(a.field, a.values[min(person, len(a.values)-1)])
		}
	}
	if person == 3 {
		return w
	}
	for _, name := range some(t, 2, "phone", "email", "external_id", "customer", "whole name") {
		for _, a := range alphabet {
			if a.field == name {
				say(name, a.values[person])
			}
		}
		if name == "whole name" {
			say("first_name", []string{"Ann", "Bob", "Cid"}[person])
			say("last_name", "Ash")
			say("birth_date", "2000-01-01")
			say("zip", "10001")
		}
	}
	return w
}
