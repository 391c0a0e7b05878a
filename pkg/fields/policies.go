package fields

import (
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// AllOthers stands in rules for every field that is not named.
const AllOthers = "*"

// Rule is when a file may change a field of a known contact.
type Rule uint8

// The rules; the zero value is the default.
const (
	Always Rule = iota
	IfEmpty
	Never
	Newest
)

// HandMade is what a file may do to a value that a person gave.
type HandMade uint8

// What a file may do; the zero value is the default.
const (
	NewValues HandMade = iota // replace it with a value that the contact is not known to have had
	Keep                      // nothing
	Replace                   // replace it with any value
)

var rules = map[accountsv1.FieldRule]Rule{
	accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED: Always,
	accountsv1.FieldRule_FIELD_RULE_ALWAYS:      Always,
	accountsv1.FieldRule_FIELD_RULE_IF_EMPTY:    IfEmpty,
	accountsv1.FieldRule_FIELD_RULE_NEVER:       Never,
	accountsv1.FieldRule_FIELD_RULE_NEWEST:      Newest,
}

var handMade = map[accountsv1.HandMade]HandMade{
	accountsv1.HandMade_HAND_MADE_UNSPECIFIED: NewValues,
	accountsv1.HandMade_HAND_MADE_NEW_VALUES:  NewValues,
	accountsv1.HandMade_HAND_MADE_KEEP:        Keep,
	accountsv1.HandMade_HAND_MADE_REPLACE:     Replace,
}

// Policies say how a file changes contacts.
type Policies struct {
	HandMade HandMade
	Keys     uint16 // what rows are matched by, bit n for key n; 0 for all

	rules  map[contact.Field]Rule
	others Rule
}

// Rule is the rule of a field.
func (p *Policies) Rule(f contact.Field) Rule {
	if r, ok := p.rules[f]; ok {
		return r
	}
	return p.others
}

// Compares reports whether some field is changed by the rule newest, so that it matters when a row was so.
func (p *Policies) Compares() bool {
	if p.others == Newest {
		return true
	}
	for _, r := range p.rules {
		if r == Newest {
			return true
		}
	}
	return false
}

// PoliciesOf reads policies; nil are the defaults. A field or key that the schema does not have, and a rule that this
// program does not know, are errors of kind Invalid with the codes "unknown-field", "unknown-key" and "bad-policy".
func PoliciesOf(p *accountsv1.Policies, s *contact.Schema) (Policies, error) {
	out := Policies{rules: map[contact.Field]Rule{}}
	for name, r := range p.GetRules() {
		rule, ok := rules[r]
		if !ok {
			return Policies{}, fault.New(fault.Invalid, "bad-policy", "the field %q has a rule that is not known", name).Hint("say always, if-empty, never or newest")
		}
		if name == AllOthers {
			out.others = rule
			continue
		}
		f, ok := s.Field(name)
		if !ok || !f.Kept() {
			return Policies{}, fault.New(fault.Invalid, "unknown-field", "a rule names %q, and the account has no such field that a file may change", name).
				Hint("contactmill fields list shows them")
		}
		out.rules[f] = rule
	}
	var ok bool
	if out.HandMade, ok = handMade[p.GetHandMade()]; !ok {
		return Policies{}, fault.New(fault.Invalid, "bad-policy", "what a file may do to values that a person gave is not known").Hint("say new-values, keep or replace")
	}
	for _, name := range p.GetKeys() {
		k, ok := s.KeyNamed(name)
		if !ok {
			return Policies{}, fault.New(fault.Invalid, "unknown-key", "rows cannot be matched by %q", name).
				Hint("say contact_id, external_id, email, phone, account_number, ssn, vat_number, name_birth_zip or a unique field")
		}
		out.Keys |= 1 << k
	}
	return out, nil
}

// Over is what holds for a job: what it says itself, and for the rest what the account says. Neither is changed.
func Over(account, job *accountsv1.Policies) *accountsv1.Policies {
	out := &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{}, HandMade: account.GetHandMade(), Keys: slices.Clone(account.GetKeys())}
	all := job.GetRules()[AllOthers] != accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED
	for name, r := range account.GetRules() {
		if !all { // a job that speaks of all fields speaks of those that the account names, too
			out.Rules[name] = r
		}
	}
	for name, r := range job.GetRules() {
		if r != accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED {
			out.Rules[name] = r
		}
	}
	if h := job.GetHandMade(); h != accountsv1.HandMade_HAND_MADE_UNSPECIFIED {
		out.HandMade = h
	}
	if len(job.GetKeys()) > 0 {
		out.Keys = slices.Clone(job.GetKeys())
	}
	return out
}
