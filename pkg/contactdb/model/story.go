package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
)

// Do does the nth operation, and tells what became of it as lines of text.
func (a *Account) Do(n int, op Operation) []string {
	at := int64(n) * Hour
	switch op.Kind {
	case "add":
		id, refused := a.Add(op.Words, op.Lists, at)
		if refused.Code != "" {
			return []string{refused.text()}
		}
		return []string{"added " + name(id)}
	case "set":
		if refused := a.Set(op.Contact, op.Words, at); refused.Code != "" {
			return []string{refused.text()}
		}
		return []string{"set"}
	case "call":
		a.Call(op.Contact, op.Lists[0])
		return []string{"called"}
	case "undo":
		return a.Undo(n, op.Of, at).Lines(a.Schema)
	case "preview":
		return a.Preview(n, op.Of, at).Lines(a.Schema)
	case "import":
		return a.Import(op.Job).Lines(a.Schema)
	case "review":
		return a.Review(op.Job).Lines(a.Schema)
	case "approve":
		return a.Approve(op.Of).Lines(a.Schema)
	}
	return a.Check(op.Job).Lines(a.Schema)
}

func (r Refused) text() string {
	if r.Contact == 0 {
		return "refused: " + r.Code
	}
	return fmt.Sprintf("refused: %s %s", r.Code, name(r.Contact))
}

// Lines is what a job did, a line for each row and one for the counts.
func (r Result) Lines(s *contact.Schema) []string {
	if r.Refused != "" {
		return []string{"refused: " + r.Refused}
	}
	var lines []string
	counts := map[row.Outcome]int{}
	for _, e := range r.Rows {
		counts[e.Outcome]++
		lines = append(lines, e.text(s))
	}
	var total []string
	for _, o := range row.Outcomes() {
		if counts[o] > 0 {
			total = append(total, fmt.Sprintf("%s %d", o, counts[o]))
		}
	}
	return append(lines, fmt.Sprintf("all: %s; newer here %d; removed %d", cmp.Or(strings.Join(total, ", "), "no rows"), r.NewerHere, r.Removed))
}

func (e Ended) text(s *contact.Schema) string {
	t := e.Outcome.String()
	if e.Reason != "" {
		t += " " + e.Reason
	}
	if e.Contact != 0 {
		t += " " + name(e.Contact)
	}
	if e.First != 0 {
		t += fmt.Sprintf(" line %d", e.First)
	}
	for _, h := range e.Hits {
		t += " " + name(h.Contact)
	}
	for _, k := range e.Kept {
		spec, _ := s.Spec(k.Field)
		value := k.text()
		switch {
		case k.Clear:
			value = "nothing"
		case spec.Secret:
			value = "masked"
		}
		t += fmt.Sprintf("; keeps %s %s of %d, %s", spec.Name, value, k.Since, k.Reason)
	}
	if e.Line != 0 {
		t += fmt.Sprintf("; line %d", e.Line)
	}
	if e.Detail != "" {
		t += "; " + e.Detail
	}
	return t
}

// State is the account as lines of text: a contact each, then a list each.
func (a *Account) State() []string {
	lines := []string{}
	for _, id := range a.ids() {
		c := a.Contacts[id]
		var values []string
		for _, f := range a.Schema.Fields() {
			o, changed := c.Origins[f]
			v, has := c.Values[f]
			if !has && !changed {
				continue
			}
			if !has {
				v = "-"
			}
			text := a.Schema.Name(f) + "=" + v
			if changed {
				text += "(" + o.text() + ")"
			}
			values = append(values, text)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s by %s: %s", name(id), c.Made.text(), strings.Join(values, " "))))
	}
	var names []string
	for n := range a.Lists {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		l := a.Lists[n]
		t := n + by(l.MadeBy) + ":"
		for _, m := range l.Members {
			t += " " + name(m.Contact) + by(m.Job)
			if m.Called {
				t += " called"
			}
		}
		lines = append(lines, t)
	}
	return lines
}

func (o Origin) text() string {
	if o.Hand {
		t := fmt.Sprintf("hand at %d", o.At/Hour)
		if len(o.Replaced) > 0 {
			t += " for " + strings.Join(o.Replaced, ",")
		}
		return t
	}
	t := fmt.Sprintf("job %d line %d", o.Job, o.Line)
	if o.Said {
		t += fmt.Sprintf(" as of %d", o.At/Hour)
	}
	return t
}

// by is the job that put a contact on a list or made the list, if one did.
func by(job int) string {
	if job == 0 {
		return ""
	}
	return fmt.Sprintf("(%d)", job)
}
