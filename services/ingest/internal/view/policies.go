package view

import (
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	rulePrefix     = "FIELD_RULE_"
	handMadePrefix = "HAND_MADE_"
	badCellPrefix  = "BAD_CELL_"
	unknownPrefix  = "UNKNOWN_TO_PROVIDER_"
	downPrefix     = "PROVIDER_DOWN_"

	maxRules = 1024 // above what an account has of fields
	maxKeys  = 64   // likewise of keys
)

// FromPolicies checks the shape of policies and brings them to one form: what is not said is left out, keys are sorted.
// Whether there are such fields and keys is checked by KnownPolicies.
func FromPolicies(p *accountsv1.Policies) (ledger.Policies, error) {
	var out ledger.Policies
	if len(p.GetRules()) > maxRules || len(p.GetKeys()) > maxKeys {
		return ledger.Policies{}, fault.New(fault.Invalid, "too-many-rules", "the policies have more than %d rules or %d keys", maxRules, maxKeys)
	}
	for field, r := range p.GetRules() {
		rule, ok := word(accountsv1.FieldRule_name, rulePrefix, int32(r))
		if !ok {
			return ledger.Policies{}, fault.New(fault.Invalid, "bad-policy", "the field %q has a rule that is not known", cut(field)).
				Hint("say always, if-empty, never or newest")
		}
		if rule == "" {
			continue
		}
		if out.Rules == nil {
			out.Rules = map[string]string{}
		}
		out.Rules[field] = rule
	}
	var ok bool
	if out.HandMade, ok = word(accountsv1.HandMade_name, handMadePrefix, int32(p.GetHandMade())); !ok {
		return ledger.Policies{}, fault.New(fault.Invalid, "bad-policy", "what a file may do to values that a person gave is not known").
			Hint("say new-values, keep or replace")
	}
	if len(p.GetKeys()) > 0 {
		out.Keys = slices.Compact(slices.Sorted(slices.Values(p.GetKeys())))
	}
	return out, nil
}

// Policies is what FromPolicies was given; nil for none.
func Policies(p ledger.Policies) *accountsv1.Policies {
	if p.IsZero() {
		return nil
	}
	out := &accountsv1.Policies{HandMade: accountsv1.HandMade(number(accountsv1.HandMade_value, handMadePrefix, p.HandMade)), Keys: slices.Clone(p.Keys)}
	for field, rule := range p.Rules {
		if out.Rules == nil {
			out.Rules = map[string]accountsv1.FieldRule{}
		}
		out.Rules[field] = accountsv1.FieldRule(number(accountsv1.FieldRule_value, rulePrefix, rule))
	}
	return out
}

// policies is what holds for a job: its own over its account's; nil where neither says anything, and for an undo, which
// follows no file.
func policies(j ledger.Job) *accountsv1.Policies {
	if j.Kind == ledger.Undo || j.Policies.IsZero() && j.Settings.Policies.IsZero() {
		return nil
	}
	return fields.Over(Policies(j.Policies), Policies(j.Settings.Policies))
}

// KnownPolicies refuses policies that name a field or key which is neither a standard one nor one of the frozen ones.
func KnownPolicies(frozen []byte, p ledger.Policies) error {
	if p.IsZero() {
		return nil
	}
	own, err := Fields(frozen)
	if err != nil {
		return err
	}
	schema, err := fields.SchemaOf(own)
	if err != nil {
		return err
	}
	_, err = fields.PoliciesOf(Policies(p), schema)
	return err
}

// FromBadCell is empty for not set.
func FromBadCell(b accountsv1.BadCell) (string, error) {
	w, ok := word(accountsv1.BadCell_name, badCellPrefix, int32(b))
	if !ok {
		return "", fault.New(fault.Invalid, "bad-policy", "there is no policy %d for bad cells", b).Hint("say reject-row or drop-cell")
	}
	return w, nil
}

// BadCell is what FromBadCell was given.
func BadCell(w string) accountsv1.BadCell {
	return accountsv1.BadCell(number(accountsv1.BadCell_value, badCellPrefix, w))
}

// FromUnknownToProvider is empty for not set.
func FromUnknownToProvider(u accountsv1.UnknownToProvider) (string, error) {
	w, ok := word(accountsv1.UnknownToProvider_name, unknownPrefix, int32(u))
	if !ok {
		return "", fault.New(fault.Invalid, "bad-policy", "there is no policy %d for contacts that the provider does not know", u).Hint("say add or keep-out")
	}
	return w, nil
}

// UnknownToProvider is what FromUnknownToProvider was given.
func UnknownToProvider(w string) accountsv1.UnknownToProvider {
	return accountsv1.UnknownToProvider(number(accountsv1.UnknownToProvider_value, unknownPrefix, w))
}

// FromProviderDown is empty for not set.
func FromProviderDown(d accountsv1.ProviderDown) (string, error) {
	w, ok := word(accountsv1.ProviderDown_name, downPrefix, int32(d))
	if !ok {
		return "", fault.New(fault.Invalid, "bad-policy", "there is no policy %d for a provider that does not answer", d).Hint("say wait or complete")
	}
	return w, nil
}

// ProviderDown is what FromProviderDown was given.
func ProviderDown(w string) accountsv1.ProviderDown {
	return accountsv1.ProviderDown(number(accountsv1.ProviderDown_value, downPrefix, w))
}

// word is how the number of an enum is spelled everywhere but in the contract: "if-empty" for FIELD_RULE_IF_EMPTY, nothing
// for 0; false if there is no such number.
func word(names map[int32]string, prefix string, n int32) (string, bool) {
	name, ok := names[n]
	if !ok || n == 0 {
		return "", ok
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", "-"), true
}

// number is the way back; 0 for what is no word of the enum.
func number(values map[string]int32, prefix, word string) int32 {
	return values[prefix+strings.ReplaceAll(strings.ToUpper(word), "-", "_")]
}
