package model_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/contactdb/contactdbtest"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/contactdb/model/modeltest"
	"github.com/contactmill/contactmill/pkg/row"
)

// The laws hold of the database whatever the model says. What each sequence does first makes the account that the law is
// shown on; its last operation is what the law is about. That accounts do not touch one another is shown by all these
// tests at once, which share a database.

// TestUndoneIsAsBefore: a job or an undo that is taken back at once leaves all as it was.
func TestUndoneIsAsBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draw := func(t *rapid.T) modeltest.Sequence {
		return append(modeltest.Draw(t), modeltest.DrawOperation(t, modeltest.One(t, "import", "import", "undo")))
	}
	check(t, draw, func(ctx context.Context, all *modeltest.Sequence) string {
		p, last := w.prepare(ctx, all)
		before := w.dump(t, p.is)
		if diff := p.do(ctx, last); diff != "" || p.model.Jobs[p.n] == nil {
			return diff
		}
		if diff := p.do(ctx, model.Operation{Kind: "undo", Of: p.n}); diff != "" {
			return "its undo: " + diff
		}
		return differ("after it was taken back", before, w.dump(t, p.is))
	})
}

// TestTwiceIsAsOnce: a file without duplicates inside, whose rows find their contacts, changes nothing the second time.
func TestTwiceIsAsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := 0
	check(t, drawTidy, func(ctx context.Context, all *modeltest.Sequence) string {
		p, file := w.prepare(ctx, all)
		if !tidy(p.model.Check(file.Job)) {
			return ""
		}
		shown++
		if diff := p.do(ctx, file); diff != "" {
			return diff
		}
		once := w.dump(t, p.is)
		again := p.number(file)
		if diff := p.do(ctx, again); diff != "" {
			return "the second time: " + diff
		}
		return differ("after the second time", once, w.dump(t, p.is))
	})
	enough(t, shown)
}

// TestTwoHalvesAreAsOne: a file without duplicates inside that comes as two jobs makes the same contacts.
func TestTwoHalvesAreAsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := 0
	check(t, drawTidy, func(ctx context.Context, all *modeltest.Sequence) string {
		p, file := w.prepare(ctx, all)
		q, _ := w.prepare(ctx, all)
		if !tidy(p.model.Check(file.Job)) || len(file.Job.Rows) < 2 {
			return ""
		}
		shown++
		if diff := p.do(ctx, file); diff != "" {
			return diff
		}
		half := len(file.Job.Rows) / 2
		for _, rows := range [][]model.Row{file.Job.Rows[:half], file.Job.Rows[half:]} {
			part := file
			part.Job.Rows = rows
			part.AsOfSaid = true // the second half is no later than the first
			if diff := q.do(ctx, q.number(part)); diff != "" {
				return "a half: " + diff
			}
		}
		return differ("as two halves", p.values(), q.values())
	})
	enough(t, shown)
}

// TestAnyOrderIsTheSame: the rows of a file without duplicates inside make the same contacts in any order.
func TestAnyOrderIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := 0
	check(t, drawTidy, func(ctx context.Context, all *modeltest.Sequence) string {
		p, file := w.prepare(ctx, all)
		q, _ := w.prepare(ctx, all)
		if !tidy(p.model.Check(file.Job)) || len(file.Job.Rows) < 2 {
			return ""
		}
		shown++
		if diff := p.do(ctx, file); diff != "" {
			return diff
		}
		other := file
		other.Job.Rows = slices.Clone(file.Job.Rows)
		slices.Reverse(other.Job.Rows)
		if diff := q.do(ctx, q.number(other)); diff != "" {
			return "in another order: " + diff
		}
		return differ("in another order", p.values(), q.values())
	})
	enough(t, shown)
}

// prepare does all but the last operation of a sequence with a new account and its model. If they are not alike in that,
// it is another test that tells.
func (w *world) prepare(ctx context.Context, all *modeltest.Sequence) (*pair, model.Operation) {
	p := newPair(w, 2*most)
	n := len(*all) - 1
	if n < 0 {
		return p, model.Operation{Kind: "preview"}
	}
	for i := range n {
		(*all)[i] = p.number((*all)[i])
		if p.do(ctx, (*all)[i]) != "" {
			p = newPair(w, 2*most)
			break
		}
	}
	(*all)[n] = p.number((*all)[n])
	return p, (*all)[n]
}

// drawTidy draws a sequence that ends with a file about different people, each by keys of his own, and with his whole name
// or none of it.
func drawTidy(t *rapid.T) modeltest.Sequence {
	op := model.Operation{Kind: "import"}
	op.Job.Mode = modeltest.One(t, row.Upsert, row.Upsert, row.Update, row.Add)
	if modeltest.Below(t, 3) == 0 {
		op.Job.List = modeltest.One(t, modeltest.Lists()...)
	}
	for _, n := range modeltest.Some(t, 5, 1, 2, 3, 4, 5) {
		x := model.Row{Words: model.Words{}}
		say := func(name, value string) {
			f, _ := schema.Field(name)
			x.Words[f] = model.Word{Value: value, Clear: value == ""}
		}
		for name, letter := range map[string]string{"phone": "P", "email": "E", "external_id": "X", "customer": "C", "ssn": "S"} {
			switch modeltest.Below(t, 8) {
			case 0, 1, 2:
				say(name, fmt.Sprint(letter, n))
			case 3:
				say(name, "")
			}
		}
		if modeltest.Below(t, 3) == 0 {
			say("first_name", []string{"Ann", "Bob", "Cid", "Dan", "Eva"}[n-1])
			say("last_name", "Ash")
			say("birth_date", "2000-01-01")
			say("zip", "10001")
		}
		for _, name := range []string{"city", "score", "newsletter", "pin"} {
			if modeltest.Below(t, 2) == 0 {
				say(name, modeltest.One(t, "True", "False", ""))
			}
		}
		op.Job.Rows = append(op.Job.Rows, x)
	}
	return append(modeltest.Draw(t), op)
}

// tidy tells whether no row of a job stands in another's way: none is INVALID or CONFLICT, each is recognised by a unique
// key if it makes a contact, and no two are about the same contact.
func tidy(r model.Result) bool {
	about := map[int]bool{}
	for _, e := range r.Rows {
		switch e.Outcome {
		case row.Invalid, row.Conflict:
			return false
		case row.Unmatched:
			continue
		}
		if about[e.Contact] {
			return false
		}
		about[e.Contact] = true
	}
	return r.Refused == ""
}

// enough fails a test that hardly showed its law.
func enough(t *testing.T, shown int) {
	t.Helper()
	t.Logf("shown %d times", shown)
	if shown < 5 && !t.Failed() {
		t.Errorf("the law was shown %d times only", shown)
	}
}

// dump is all that the account holds but for history.
func (w *world) dump(t *testing.T, a *account) []string {
	t.Helper()
	conn, err := w.owner.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	return contactdbtest.Dump(t, conn.Conn(), a.id)
}

func differ(when string, want, got []string) string {
	if diff := cmp.Diff(want, got); diff != "" {
		return "the account " + when + " (-before +after):\n" + diff
	}
	return ""
}

// values are what contacts have and which lists they are on, in no order and without ids: what two accounts have in common
// that came to the same by different jobs. The database's are as the model's, or do would have said so.
func (p *pair) values() []string {
	var lines []string
	for id, c := range p.model.Contacts {
		var words []string
		for _, f := range slices.Sorted(maps.Keys(c.Values)) {
			words = append(words, schema.Name(f)+"="+c.Values[f])
		}
		for name, l := range p.model.Lists {
			if slices.ContainsFunc(l.Members, func(m model.Member) bool { return m.Contact == id }) {
				words = append(words, "on "+name)
			}
		}
		slices.Sort(words)
		lines = append(lines, strings.Join(words, " "))
	}
	slices.Sort(lines)
	return lines
}
