package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

func (p *program) contactsHistory() *cobra.Command {
	return &cobra.Command{Use: "history ID", Short: "Tell where each value of a contact comes from, and what was done to it, newest first", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.contacts.GetContactHistory(c.Context(), &contactsv1.GetContactHistoryRequest{Id: a[0]})
		if err != nil {
			return err
		}
		return p.one(r, func() { p.history(r) })
	}}
}

// history shows two tables: the values as they are, then the past.
func (p *program) history(h *contactsv1.GetContactHistoryResponse) {
	values := grid{}
	values.add("FIELD", "VALUE", "FROM")
	for _, v := range h.Values {
		values.add(printable(v.Field), cut(v.Value, mostShown), origin(v.Origin, true))
	}
	values.print(p.out)
	past := grid{}
	past.add("WHEN", "WHAT", "BY", "VALUES")
	for _, c := range h.Changes {
		what, by := printable(c.What), origin(c.Origin, false)
		if c.UndoOf > 0 { // which has no file: its lines are those of the job that it took back
			by = fmt.Sprintf("job %d, undo of job %d", c.GetOrigin().GetJobNumber(), c.UndoOf)
		}
		when := ""
		if at := c.GetOrigin().GetAt(); at != nil {
			when = at.AsTime().Local().Format(time.DateTime)
		}
		if len(c.Values) == 0 {
			past.add(when, what, by)
		}
		for i, v := range c.Values { // a line each, as they may be long
			if i > 0 {
				when, what, by = "", "", ""
			}
			past.add(when, what, by, fmt.Sprintf("%s: %s -> %s", printable(v.Field), shownValue(v.Before), shownValue(v.After)))
		}
	}
	fmt.Fprintln(p.out)
	past.print(p.out)
}

// origin is who gave a value, and when a person did, if that is not told beside it.
func origin(o *contactsv1.Origin, withTime bool) string {
	switch o.GetKind() {
	case "job":
		text := fmt.Sprintf("job %d", o.JobNumber)
		if o.Line > 0 {
			text += fmt.Sprintf(" line %d", o.Line)
		}
		return text
	case "hand":
		text := "by hand, key " + printable(o.By)
		if withTime && o.At != nil {
			text += ", " + o.At.AsTime().Local().Format(time.DateTime)
		}
		return text
	}
	return printable(o.GetKind())
}

// shownValue is a value before or after a change.
func shownValue(s string) string {
	if s == "" {
		return "(none)"
	}
	return cut(s, mostShown)
}
