package model_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
)

// history is a contact's, in the model's words.
func (a *account) history(ctx context.Context, id int) ([]string, error) {
	h, err := a.contacts.History(ctx, a.id, a.contact(id), schema)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, v := range h.Values {
		lines = append(lines, fmt.Sprintf("%s=%s by %s", schema.Name(v.Field), shown(v.Field, v.Value), a.giver(v.Origin)))
	}
	for _, ch := range h.Changes {
		t := fmt.Sprintf("%s by %s", ch.What, a.giver(ch.Origin))
		if ch.UndoOf != 0 {
			t = fmt.Sprintf("%s by job %d of %d", ch.What, ch.Origin.Number, ch.UndoOf)
		}
		var values []string
		for _, v := range ch.Values {
			values = append(values, fmt.Sprintf("%s %s > %s", schema.Name(v.Field), shown(v.Field, v.Before), shown(v.Field, v.After)))
		}
		lines = append(lines, strings.TrimSpace(t+" "+strings.Join(values, ", ")))
	}
	return lines, nil
}

// giver is who gave a value.
func (a *account) giver(o contactdb.Origin) string {
	switch {
	case !o.Job.Valid:
		if o.By.Valid && o.By.UUID != uuid.NewSHA1(a.id, []byte("person")) {
			return "somebody else"
		}
		return fmt.Sprintf("hand at %d", o.At.Unix()/model.Hour)
	case a.jobs[int(o.Number)] != o.Job.UUID:
		return "a job of another number"
	}
	return fmt.Sprintf("job %d line %d", o.Number, o.Line)
}

// shown is a value in the model's words; a secret one has to be masked.
func shown(f contact.Field, value string) string {
	spec, _ := schema.Spec(f)
	switch {
	case value == "":
		return "-"
	case spec.Secret && value == contactdb.Masked:
		return "masked"
	case spec.Secret:
		return "not masked"
	}
	return value
}
