package systemtest

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	nouns "github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// number is the number of a contact, 0 for none.
func (q *pair) number(id string) int { return slices.Index(q.ids, id) + 1 }

// firstDay is the hour 0 of the times that files say.
var firstDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// file writes a job's file, with a column for each field, and the settings under which it is handed in.
func (q *pair) file(op model.Operation) ([]byte, *ingestv1.ImportSettings) {
	j := op.Job
	day := func(seconds int64) time.Time { return firstDay.Add(time.Duration(seconds) * time.Second) }
	p := &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{}}
	for f, rule := range j.Policies.Rules {
		p.Rules[q.schema.Name(f)] = map[model.Rule]accountsv1.FieldRule{model.IfEmpty: accountsv1.FieldRule_FIELD_RULE_IF_EMPTY, model.Never: accountsv1.FieldRule_FIELD_RULE_NEVER,
			model.Newest: accountsv1.FieldRule_FIELD_RULE_NEWEST}[rule]
	}
	p.HandMade = map[string]accountsv1.HandMade{model.Keep: accountsv1.HandMade_HAND_MADE_KEEP, model.Replace: accountsv1.HandMade_HAND_MADE_REPLACE}[j.Policies.HandMade]
	for _, k := range j.Policies.Keys {
		p.Keys = append(p.Keys, q.schema.KeyName(k))
	}
	settings := &ingestv1.ImportSettings{Mode: ingestv1.Mode(j.Mode), List: j.List, Check: op.Kind == "check", Policies: p, AsOf: timestamppb.New(day(j.AsOf)), Mapping: map[string]string{}}
	var fields []nouns.Field
	head := []string{"Contact id", "Changed at"}
	settings.Mapping["Contact id"], settings.Mapping["Changed at"] = "contact_id", "changed_at"
	for _, f := range q.schema.Fields() {
		if f.Kept() {
			fields, head = append(fields, f), append(head, "column "+q.schema.Name(f))
			settings.Mapping["column "+q.schema.Name(f)] = q.schema.Name(f)
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(head) // a buffer takes all
	for _, x := range j.Rows {
		cells := []string{"", ""}
		if x.ID != 0 {
			cells[0] = q.ids[x.ID-1]
		}
		if x.Said {
			cells[1] = day(x.AsOf).Format(time.RFC3339)
		}
		values := q.values(x.Words)
		if x.Bad != "" {
			values["phone"] = "12"
		}
		for _, f := range fields {
			cells = append(cells, values[q.schema.Name(f)])
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return b.Bytes(), settings
}

// values are words as people and files write them.
func (q *pair) values(words model.Words) map[string]string {
	values := map[string]string{}
	for f, w := range words {
		values[q.schema.Name(f)] = real(f, w)
	}
	return values
}

// real is a value that the system takes in the place of the model's.
func real(f nouns.Field, w model.Word) string {
	switch {
	case w.Clear:
		return "UNSET"
	case f == nouns.FieldPhone:
		return "+1202224312" + w.Value[1:]
	case f == nouns.FieldEmail:
		return strings.ToLower(w.Value) + "@example.com"
	case f == nouns.FieldSSN:
		return "53622814" + w.Value[1:]
	}
	return w.Value
}

// shown is a value as it is told.
func (q *pair) shown(f nouns.Field, w model.Word) string {
	spec, _ := q.schema.Spec(f)
	switch {
	case w.Clear:
		return "nothing"
	case spec.Secret:
		return "***-**-****"
	}
	return real(f, w)
}

// state is the account in the model and in the system: contacts with their values and lists, and how many are on each list.
func (q *pair) state(t *testing.T) (want, got []string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, id := range slices.Sorted(maps.Keys(q.model.Contacts)) {
		values := map[string]string{}
		for f, v := range q.model.Contacts[id].Values {
			values[q.schema.Name(f)] = q.shown(f, model.Word{Value: v})
		}
		var on []string
		for name, l := range q.model.Lists {
			if slices.ContainsFunc(l.Members, func(m model.Member) bool { return m.Contact == id }) {
				on = append(on, name)
			}
		}
		slices.Sort(on)
		want = append(want, fmt.Sprint("#", id, values, on))
	}
	for _, name := range slices.Sorted(maps.Keys(q.model.Lists)) {
		want = append(want, fmt.Sprint(name, ": ", len(q.model.Lists[name].Members)))
	}
	r, err := q.contacts.ListContacts(q.ctx(ctx), &contactsv1.ListContactsRequest{PageSize: 2 * modelledRoom})
	if err != nil {
		return nil, nil, err
	}
	for _, c := range r.Contacts {
		got = append(got, fmt.Sprint("#", q.number(c.Id), c.Values, append([]string(nil), c.Lists...)))
	}
	all, err := q.lists.ListLists(q.ctx(ctx), &contactsv1.ListListsRequest{})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range all.Lists {
		got = append(got, fmt.Sprint(l.Name, ": ", l.Contacts))
	}
	return want, got, nil
}
