package accounts

import (
	"maps"
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// rule and handMade are policies as they are stored.
type (
	rule     string
	handMade string
)

const (
	always  rule = "always"
	ifEmpty rule = "if-empty"
	never   rule = "never"
	newest  rule = "newest"
	noRule  rule = "" // takes a field's rule away; it is not stored

	newValues handMade = "new-values"
	keep      handMade = "keep"
	replace   handMade = "replace"
)

var ruleOf = map[accountsv1.FieldRule]rule{
	accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED: noRule,
	accountsv1.FieldRule_FIELD_RULE_ALWAYS:      always,
	accountsv1.FieldRule_FIELD_RULE_IF_EMPTY:    ifEmpty,
	accountsv1.FieldRule_FIELD_RULE_NEVER:       never,
	accountsv1.FieldRule_FIELD_RULE_NEWEST:      newest,
}

var handMadeOf = map[accountsv1.HandMade]handMade{
	accountsv1.HandMade_HAND_MADE_NEW_VALUES: newValues,
	accountsv1.HandMade_HAND_MADE_KEEP:       keep,
	accountsv1.HandMade_HAND_MADE_REPLACE:    replace,
}

// policies are how files change contacts, where a job does not say otherwise.
type policies struct {
	Rules    map[string]rule // by field, or fields.AllOthers
	HandMade handMade
	MatchBy  []string // keys by name, in the order of their numbers; empty for all
}

// policyChange is what is to be changed of them: a rule for each field that is named, noRule to take it away, and the
// rest unless nil.
type policyChange struct {
	Rules    map[string]rule
	HandMade *handMade
	MatchBy  []string
}

// toPolicyChange reads what is to be changed. Whether the account has the fields and keys is seen when it is changed.
func toPolicyChange(p *accountsv1.Policies, setKeys bool) (policyChange, error) {
	c := policyChange{Rules: map[string]rule{}}
	for name, r := range p.GetRules() {
		stored, ok := ruleOf[r]
		if !ok {
			return c, fault.New(fault.Invalid, "bad-policy", "there is no rule %d for the field %.80q", r, name).Hint("say always, if-empty, never or newest")
		}
		c.Rules[name] = stored
	}
	if h := p.GetHandMade(); h != accountsv1.HandMade_HAND_MADE_UNSPECIFIED {
		stored, ok := handMadeOf[h]
		if !ok {
			return c, fault.New(fault.Invalid, "bad-policy", "there is no policy %d for values that a person gave", h).Hint("say new-values, keep or replace")
		}
		c.HandMade = &stored
	}
	if setKeys {
		c.MatchBy = append([]string{}, p.GetKeys()...)
	} else if len(p.GetKeys()) > 0 {
		return c, fault.New(fault.Invalid, "keys-not-set", "keys to match by are given, but set_keys is not")
	}
	return c, nil
}

// names tells what the change sets, for the audit.
func (c policyChange) names() []string {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(c.Rules)) {
		set = append(set, "policies.rules."+name)
	}
	if c.HandMade != nil {
		set = append(set, "policies.hand_made")
	}
	if c.MatchBy != nil {
		set = append(set, "policies.keys")
	}
	return set
}

// with is the policies after a change, which is refused if it names a field or key that the schema does not have.
func (p policies) with(c policyChange, schema *contact.Schema) (policies, error) {
	asked := policies{Rules: c.Rules, HandMade: newValues, MatchBy: c.MatchBy}
	if _, err := fields.PoliciesOf(fromPolicies(asked), schema); err != nil {
		return p, err
	}
	out := policies{Rules: maps.Clone(p.Rules), HandMade: p.HandMade, MatchBy: p.MatchBy}
	for name, r := range c.Rules {
		if r == noRule {
			delete(out.Rules, name)
		} else {
			out.Rules[name] = r
		}
	}
	if c.HandMade != nil {
		out.HandMade = *c.HandMade
	}
	if c.MatchBy != nil {
		out.MatchBy = []string{}
		for k := range contact.Key(contact.Keys) {
			if name := schema.KeyName(k); slices.Contains(c.MatchBy, name) {
				out.MatchBy = append(out.MatchBy, name)
			}
		}
	}
	return out, nil
}

// without is the policies once the account has the field no more, and which of them that changes. Its rule goes with it:
// there is nothing left that it could rule. So does its key, unless it is the only one that rows are matched by: then
// they would all of a sudden be matched by all keys, and the field has to stay.
func (p policies) without(f *field) (policies, []string, error) {
	out := policies{Rules: maps.Clone(p.Rules), HandMade: p.HandMade, MatchBy: p.MatchBy}
	var changed []string
	if _, ok := p.Rules[f.Name]; ok {
		delete(out.Rules, f.Name)
		changed = append(changed, "policies.rules."+f.Name)
	}
	if slices.Contains(p.MatchBy, f.Name) {
		if len(p.MatchBy) == 1 {
			return p, nil, fault.New(fault.Precondition, "matched-by-field", "the account matches rows by the field %s alone", f.Name).
				Hint("first say what they are matched by without it: contactmill accounts set --match-by KEY,...; --match-by= for all keys")
		}
		out.MatchBy = slices.DeleteFunc(slices.Clone(p.MatchBy), func(name string) bool { return name == f.Name })
		changed = append(changed, "policies.keys")
	}
	return out, changed, nil
}

// fromPolicies shows policies, the default for values that a person gave among them.
func fromPolicies(p policies) *accountsv1.Policies {
	out := &accountsv1.Policies{Rules: make(map[string]accountsv1.FieldRule, len(p.Rules)), Keys: p.MatchBy}
	for name, stored := range p.Rules {
		for r, s := range ruleOf {
			if s == stored {
				out.Rules[name] = r
			}
		}
	}
	for h, s := range handMadeOf {
		if s == p.HandMade {
			out.HandMade = h
		}
	}
	return out
}
