// Package modeltest draws what is done to an account in random sequences, of the model and of whatever is held to it.
package modeltest

import (
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/row"
)

// persons is how many people rows are mostly about. Of keys, the nth value is the nth person's, and so is every third after.
const persons = 3

// alphabet is what rows and people say of fields: so little that all meet.
var alphabet = []struct {
	field  string
	values []string
	often  int // of 20
}{
	{"phone", []string{"P1", "P2", "P3", "P4", "P5", "P6", "UNSET"}, 6},
	{"email", []string{"E1", "E2", "E3", "E4", "E5", "E6", "UNSET"}, 5},
	{"external_id", []string{"X1", "X2", "X3", "UNSET"}, 3},
	{"customer", []string{"C1", "C2", "C3", "C4", "C5", "C6", "UNSET"}, 4},
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

// Lists are the names of the lists that contacts are put on.
func Lists() []string { return []string{"L", "M"} }

// fields are those of Schema, made once.
var fields = Schema()

// Schema is the fields that accounts have: two own ones are unique, one is an authorisation and one is secret.
func Schema() *contact.Schema {
	text := func(n contact.Field, name string, key contact.Key) contact.Spec {
		return contact.Spec{Number: n, Name: name, Label: name, Type: contact.TypeText, MaxRunes: 100, MaxBytes: 400, Key: key}
	}
	pin, consent := text(259, "pin", contact.NoKey), text(258, "newsletter", contact.NoKey)
	pin.Secret, consent.Type = true, contact.TypeAuthorisation
	s, err := contact.NewSchema([]contact.Spec{text(256, "customer", 8), text(257, "score", contact.NoKey), consent, pin, text(260, "badge", 15)})
	if err != nil {
		panic(err) // the fields are those above
	}
	return s
}

// Sequence is operations that are done one after the other.
type Sequence []model.Operation

// String writes an operation a line.
func (s Sequence) String() string {
	var lines []string
	for _, op := range s {
		lines = append(lines, op.String(fields))
	}
	return strings.Join(lines, "\n")
}

// GoString is how rapid writes what it drew.
func (s Sequence) GoString() string { return "\n" + s.String() }

// Place gives a drawn operation its place as the nth of a sequence, from 1. What was drawn without knowing the account is
// brought to what there is: a contact that was made, a job that was applied. It is the same when it is done again.
func Place(op model.Operation, n int, a *model.Account) model.Operation {
	op.Job.Number = n
	if !op.AsOfSaid {
		op.Job.AsOf = int64(n) * model.Hour
	}
	op.Job.Rows = slices.Clone(op.Job.Rows)
	for i := range op.Job.Rows {
		op.Job.Rows[i].Line = i + 2
		if op.Job.Rows[i].ID < 0 {
			find(&op.Job.Rows[i], a)
		}
	}
	if made := a.Made(); made > 0 && op.Contact > made && op.Contact < unknown {
		op.Contact = (op.Contact-1)%made + 1
	}
	jobs := slices.Sorted(maps.Keys(a.Jobs))
	if op.Kind == "approve" {
		jobs = slices.Sorted(maps.Keys(a.Plans))
	}
	if op.Of > 0 && len(jobs) > 0 && !slices.Contains(jobs, op.Of) {
		op.Of = jobs[(op.Of-1)%len(jobs)]
	}
	return op
}

// find gives a row that was drawn to be about one of the account's contacts one of its keys, or else its id.
func find(x *model.Row, a *model.Account) {
	drawn := -x.ID
	x.ID = 0
	ids := slices.Sorted(maps.Keys(a.Contacts))
	if len(ids) == 0 {
		return
	}
	id := ids[drawn%len(ids)]
	var keys []contact.Field
	for f := range a.Contacts[id].Values {
		if spec, _ := fields.Spec(f); spec.Key != contact.NoKey {
			keys = append(keys, f)
		}
	}
	if len(keys) == 0 {
		x.ID = id
		return
	}
	slices.Sort(keys)
	f := keys[drawn/len(ids)%len(keys)]
	x.Words = maps.Clone(x.Words)
	x.Words[f] = model.Word{Value: a.Contacts[id].Values[f]}
}

// numbers is from how many contacts and jobs one is drawn; contacts from unknown on are left as drawn.
const numbers, unknown = 60, 57

// Below draws a number from 0 to n-1, each as likely as the other, which rapid's own numbers are not.
func Below(t *rapid.T, n int) int {
	v := 0
	for range 12 {
		v <<= 1
		if rapid.Bool().Draw(t, "bit") {
			v++
		}
	}
	return v * n >> 12
}

// One draws one of several.
func One[T any](t *rapid.T, of ...T) T { return of[Below(t, len(of))] }

// Some draws up to n of several, at least one.
func Some[T comparable](t *rapid.T, n int, of ...T) []T {
	var all []T
	for range 1 + Below(t, n) {
		if x := One(t, of...); !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

// kinds are those of operations, as often as they are drawn.
var kinds = []string{"import", "import", "import", "import", "import", "add", "set", "set", "set", "undo", "undo", "undo", "check", "cancel", "preview", "call"}

// Draw draws 1 to 12 operations. Which contact they are about and which job is taken back is settled when they are
// done, by what there is then.
func Draw(t *rapid.T) Sequence { return draw(t, kinds...) }

// DrawReviewed draws operations among which are jobs under review, some of which are approved.
func DrawReviewed(t *rapid.T) Sequence {
	return draw(t, append([]string{"review", "review", "review", "review", "review", "review", "approve", "approve", "approve", "approve", "set", "set"}, kinds...)...)
}

func draw(t *rapid.T, kinds ...string) Sequence {
	all := make(Sequence, 1+Below(t, 12))
	for i := range all {
		if i == 0 {
			all[i] = DrawOperation(t, One(t, "import", "import", "import", "add"))
			continue
		}
		all[i] = DrawOperation(t, One(t, kinds...))
	}
	return all
}

// DrawOperation draws an operation of a kind.
func DrawOperation(t *rapid.T, kind string) model.Operation {
	op := model.Operation{Kind: kind}
	switch kind {
	case "add":
		op.Words = drawWords(t)
		for f, w := range op.Words {
			if w.Clear {
				delete(op.Words, f)
			}
		}
		if Below(t, 4) == 0 {
			op.Lists = Some(t, 2, Lists()...)
			slices.Sort(op.Lists)
		}
	case "set":
		op.Contact, op.Words = 1+Below(t, numbers), drawWords(t)
	case "call":
		op.Contact, op.Lists = 1+Below(t, unknown-1), []string{One(t, Lists()...)}
	case "undo", "preview", "approve":
		op.Of = 1 + Below(t, numbers)
	default:
		op.Job, op.AsOfSaid = drawJob(t)
	}
	return op
}

func drawJob(t *rapid.T) (j model.Job, said bool) {
	j.Mode = One(t, row.Upsert, row.Upsert, row.Update, row.Add)
	if Below(t, 3) == 0 {
		j.List = One(t, Lists()...)
	}
	if Below(t, 4) == 0 {
		j.AsOf, said = int64(Below(t, 6))*model.Hour, true
	}
	if Below(t, 3) == 0 {
		j.Policies = drawPolicies(t)
	}
	for range Below(t, 6) {
		j.Rows = append(j.Rows, drawRow(t))
	}
	return j, said
}

func drawPolicies(t *rapid.T) model.Policies {
	p := model.Policies{HandMade: One(t, model.NewValues, model.Replace, model.Keep), Rules: map[contact.Field]model.Rule{}}
	for _, a := range alphabet {
		if Below(t, 3) == 0 {
			f, _ := fields.Field(a.field)
			p.Rules[f] = One(t, model.Newest, model.IfEmpty, model.Never)
		}
	}
	if Below(t, 4) == 0 {
		p.Keys = Some(t, 3, contact.Phone, contact.Email, contact.ExternalID, contact.ContactID, contact.NameBirthZip, 8)
		slices.Sort(p.Keys)
	}
	return p
}

func drawRow(t *rapid.T) model.Row {
	x := model.Row{Words: drawWords(t)}
	if Below(t, 8) == 0 {
		x.AsOf, x.Said = int64(Below(t, 6))*model.Hour, true
	}
	switch Below(t, 20) {
	case 0:
		return model.Row{Bad: "phone-invalid", Words: model.Words{}}
	case 1, 2:
		x.ID = 1 + Below(t, 5)
	case 3, 4, 5, 6, 7, 8, 9, 10:
		x.ID = -1 - Below(t, numbers) // see Place
	default:
		return x
	}
	for _, f := range slices.Sorted(maps.Keys(x.Words)) { // else hardly any is without another contact's key
		if spec, _ := fields.Spec(f); spec.Key != contact.NoKey && Below(t, 3) > 0 {
			delete(x.Words, f)
		}
	}
	return x
}

// drawWords draws what is said of a contact: mostly of one of three persons, with some of his keys or his whole name, by
// which he is recognised.
func drawWords(t *rapid.T) model.Words {
	w := model.Words{}
	say := func(name, value string) {
		f, _ := fields.Field(name)
		w[f] = model.Word{Value: value}
		if value == "UNSET" {
			w[f] = model.Word{Clear: true}
		}
	}
	person := Below(t, 10) / persons // the one after the last is nobody
	mine := func(values []string) string {
		var all []string
		for i := person; i < len(values) && values[i] != "UNSET"; i += persons {
			all = append(all, values[i])
		}
		if all == nil {
			return values[0]
		}
		return One(t, all...)
	}
	for _, a := range alphabet {
		f, _ := fields.Field(a.field)
		spec, _ := fields.Spec(f)
		switch {
		case Below(t, 20) >= a.often:
		case spec.Key == contact.NoKey || person == persons || Below(t, 4) == 0:
			say(a.field, One(t, a.values...))
		default:
			say(a.field, mine(a.values))
		}
	}
	if person == persons {
		return w
	}
	for _, name := range Some(t, 2, "phone", "email", "external_id", "customer", "whole name") {
		for _, a := range alphabet {
			if a.field == name {
				say(name, mine(a.values))
			}
		}
		if name == "whole name" {
			say("first_name", []string{"Ann", "Bob", "Cid"}[person])
			say("last_name", "Ash")
			say("birth_date", "2000-01-01")
			say("zip", One(t, "10001", "10001", "10002"))
		}
	}
	return w
}
