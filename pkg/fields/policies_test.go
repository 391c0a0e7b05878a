package fields_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	unspecified = accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED
	always      = accountsv1.FieldRule_FIELD_RULE_ALWAYS
	ifEmpty     = accountsv1.FieldRule_FIELD_RULE_IF_EMPTY
	never       = accountsv1.FieldRule_FIELD_RULE_NEVER
	newest      = accountsv1.FieldRule_FIELD_RULE_NEWEST
)

func cards(t *testing.T) *contact.Schema {
	t.Helper()
	s, err := fields.SchemaOf([]*accountsv1.Field{{Name: "card_no", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Unique: true, Number: 256, Key: 9}, {Name: "colour", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: 257}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPoliciesOf(t *testing.T) {
	t.Parallel()
	p, err := fields.PoliciesOf(&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": ifEmpty, "phone": never, "colour": newest, "email": always, "city": unspecified},
		HandMade: accountsv1.HandMade_HAND_MADE_KEEP, Keys: []string{"external_id", "card_no", "name_birth_zip"}}, cards(t))
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[contact.Field]fields.Rule{contact.FieldPhone: fields.Never, 257: fields.Newest, contact.FieldEmail: fields.Always, contact.FieldCity: fields.Always, contact.FieldZip: fields.IfEmpty, 256: fields.IfEmpty} {
		if got := p.Rule(f); got != want {
			t.Errorf("field %d has the rule %d, want %d", f, got, want)
		}
	}
	if want := uint16(1<<contact.ExternalID | 1<<9 | 1<<contact.NameBirthZip); p.Keys != want || p.HandMade != fields.Keep || !p.Compares() {
		t.Errorf("keys %b, want %b; hand-made %d; compares %v", p.Keys, want, p.HandMade, p.Compares())
	}
	if p, err = fields.PoliciesOf(nil, nil); err != nil || p.Keys != 0 || p.HandMade != fields.NewValues || p.Rule(contact.FieldPhone) != fields.Always || p.Compares() {
		t.Errorf("nothing said: %+v, %v", p, err)
	}
	if p, err = fields.PoliciesOf(&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": newest}}, nil); err != nil || !p.Compares() {
		t.Errorf("all by the newest: %+v, %v", p, err)
	}
}

func TestPoliciesThatCannotBeFollowedAreRefused(t *testing.T) {
	t.Parallel()
	rule := func(field string, r accountsv1.FieldRule) *accountsv1.Policies {
		return &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{field: r}}
	}
	for name, c := range map[string]struct {
		policies *accountsv1.Policies
		code     string
	}{
		"no such field":             {rule("hat_size", never), "unknown-field"},
		"what recognises a contact": {rule("contact_id", never), "unknown-field"},
		"what no contact has":       {rule("changed_at", newest), "unknown-field"},
		"no such rule":              {rule("phone", 99), "bad-policy"},
		"no such word on hand-made": {&accountsv1.Policies{HandMade: 99}, "bad-policy"},
		"no such key":               {&accountsv1.Policies{Keys: []string{"hat_size"}}, "unknown-key"},
		"a field that is no key":    {&accountsv1.Policies{Keys: []string{"colour"}}, "unknown-key"},
		"an own key by its number":  {&accountsv1.Policies{Keys: []string{"own_9"}}, "unknown-key"},
	} {
		if _, err := fields.PoliciesOf(c.policies, cards(t)); fault.Of(err) != fault.Invalid || fault.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// The job's word goes before the account's, field by field; one on all fields before all that the account says of any.
func TestOver(t *testing.T) {
	t.Parallel()
	account := &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": never, "phone": newest}, HandMade: accountsv1.HandMade_HAND_MADE_KEEP, Keys: []string{"email"}}
	for name, c := range map[string]struct{ job, want *accountsv1.Policies }{
		"nothing": {nil, account},
		"a field": {&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"phone": always, "zip": unspecified}, Keys: []string{"phone"}},
			&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": never, "phone": always}, HandMade: accountsv1.HandMade_HAND_MADE_KEEP, Keys: []string{"phone"}}},
		"no word on all fields": {&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": unspecified}}, account},
		"all fields": {&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": always}, HandMade: accountsv1.HandMade_HAND_MADE_REPLACE},
			&accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": always}, HandMade: accountsv1.HandMade_HAND_MADE_REPLACE, Keys: []string{"email"}}},
	} {
		if d := cmp.Diff(c.want, fields.Over(account, c.job), protocmp.Transform()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
