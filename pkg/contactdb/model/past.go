package model

import (
	"fmt"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Event is what was done to a contact: made, changed, or restored by the undo of an undo that had removed it.
type Event struct {
	What   string
	By     Origin // of a job its number; of a person the time
	UndoOf int    // the job that was taken back by it, 0 if it is no undo
	Values map[contact.Field][2]Word
}

// happened adds to a contact's past.
func (a *Account) happened(id int, e Event) {
	a.pasts[id] = append(a.pasts[id][:len(a.pasts[id]):len(a.pasts[id])], e)
}

// changed is the event of a change by the steps that were taken: what the fields are now, and what they were.
func (a *Account) changed(id int, by Origin, undoOf int, was map[contact.Field]Word) {
	e := Event{What: "changed", By: by, UndoOf: undoOf, Values: map[contact.Field][2]Word{}}
	for f, w := range was {
		e.Values[f] = [2]Word{w, a.Contacts[id].value(f)}
	}
	a.happened(id, e)
}

// History tells where a contact's values come from and what was done to it, newest first, as lines of text.
func (a *Account) History(id int) []string {
	c := a.Contacts[id]
	var lines []string
	for _, f := range a.Schema.Fields() {
		if v, ok := c.Values[f]; ok {
			lines = append(lines, fmt.Sprintf("%s=%s by %s", a.Schema.Name(f), a.masked(f, Word{Value: v}), c.origin(f).giver()))
		}
	}
	for i := len(a.pasts[id]) - 1; i >= 0; i-- {
		lines = append(lines, a.pasts[id][i].text(a))
	}
	return lines
}

func (e Event) text(a *Account) string {
	t := fmt.Sprintf("%s by %s", e.What, e.By.giver())
	if e.UndoOf != 0 {
		t = fmt.Sprintf("%s by job %d of %d", e.What, e.By.Job, e.UndoOf)
	}
	var values []string
	for _, f := range inOrder(e.Values) {
		values = append(values, fmt.Sprintf("%s %s > %s", a.Schema.Name(f), a.masked(f, e.Values[f][0]), a.masked(f, e.Values[f][1])))
	}
	return strings.TrimSpace(t + " " + strings.Join(values, ", "))
}

// giver is who gave a value, without what else is known of that.
func (o Origin) giver() string {
	if o.Hand {
		return fmt.Sprintf("hand at %d", o.At/Hour)
	}
	return fmt.Sprintf("job %d line %d", o.Job, o.Line)
}

// masked is a value as it is shown: a dash for none.
func (a *Account) masked(f contact.Field, w Word) string {
	spec, _ := a.Schema.Spec(f)
	switch {
	case w.Clear:
		return "-"
	case spec.Secret:
		return "masked"
	}
	return w.Value
}
