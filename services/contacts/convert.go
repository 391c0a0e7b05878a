package contacts

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// mostNameRunes and mostNameBytes bound a list's name.
const (
	mostNameRunes = 100
	mostNameBytes = 400
)

func toID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil, fault.New(fault.Invalid, "bad-contact-id", "the id of a contact is a UUID")
	}
	return id, nil
}

// toListName takes a name of one line.
func toListName(s string) (string, error) {
	name, code := contact.AppendText(nil, []byte(s), mostNameRunes, mostNameBytes)
	if code.Failed() || len(name) == 0 {
		return "", fault.New(fault.Invalid, "bad-list-name", "the name of a list is one line of 1 to %d characters", mostNameRunes)
	}
	return string(name), nil
}

// fromContact shows a contact. Values of own fields that the account no longer has are left out.
func fromContact(c contactdb.Contact, schema *contact.Schema) (*contactsv1.Contact, error) {
	p := &contactsv1.Contact{
		Id: c.ID.String(), Values: make(map[string]string, len(c.Values)), Lists: c.Lists,
		CreatedAt: timestamppb.New(c.CreatedAt), UpdatedAt: timestamppb.New(c.UpdatedAt),
	}
	for f, v := range c.Values {
		if name := schema.Name(f); name != "" {
			p.Values[name] = v
		}
	}
	if c.CreatedJob.Valid {
		p.CreatedByJob = c.CreatedJob.UUID.String()
	}
	for _, f := range c.Facts {
		facts, err := fromFacts(f)
		if err != nil {
			return nil, fmt.Errorf("read facts of contact %s: %w", c.ID, err)
		}
		p.Facts = append(p.Facts, facts...)
	}
	return p, nil
}

// fromFacts lists facts by name. Text is shown as it is, anything else as JSON.
func fromFacts(f contactdb.Facts) ([]*contactsv1.ContactFact, error) {
	var facts map[string]json.RawMessage
	if err := json.Unmarshal(f.JSON, &facts); err != nil {
		return nil, fault.New(fault.Internal, "bad-facts", "the facts about %s are no JSON object", f.About)
	}
	var list []*contactsv1.ContactFact
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		value := string(facts[name])
		var text string
		if json.Unmarshal(facts[name], &text) == nil {
			value = text
		}
		list = append(list, &contactsv1.ContactFact{About: f.About.String(), Name: name, Value: value})
	}
	return list, nil
}

func fromList(l contactdb.List) *contactsv1.List {
	return &contactsv1.List{Id: l.ID.String(), Name: l.Name, Contacts: l.Members, CreatedAt: timestamppb.New(l.CreatedAt)}
}
