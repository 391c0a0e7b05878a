package accounts

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	noRuleAtAll = accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED
	alwaysRule  = accountsv1.FieldRule_FIELD_RULE_ALWAYS
	ifEmptyRule = accountsv1.FieldRule_FIELD_RULE_IF_EMPTY
	neverRule   = accountsv1.FieldRule_FIELD_RULE_NEVER
	newestRule  = accountsv1.FieldRule_FIELD_RULE_NEWEST

	newValuesHand = accountsv1.HandMade_HAND_MADE_NEW_VALUES
	keepHand      = accountsv1.HandMade_HAND_MADE_KEEP
)

type ruleset = map[string]accountsv1.FieldRule

// withCard is an account with a unique field card_no and another one, colour.
func withCard(t *testing.T, h *house, name string) accountsv1.FieldsServiceClient {
	t.Helper()
	h.account(name)
	own := h.fields(name)
	create(t, own, &accountsv1.Field{Name: "card_no", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Unique: true})
	create(t, own, &accountsv1.Field{Name: "colour", Type: criterionType})
	return own
}

func (h *house) setPolicies(name string, p *accountsv1.Policies, setKeys bool) (*accountsv1.Policies, error) {
	res, err := h.operator.UpdateAccount(h.t.Context(), &accountsv1.UpdateAccountRequest{Account: name, Policies: p, SetKeys: setKeys})
	return res.GetAccount().GetPolicies(), err
}

func (h *house) policies(name string) *accountsv1.Policies {
	h.t.Helper()
	res, err := h.operator.GetAccount(h.t.Context(), &accountsv1.GetAccountRequest{Account: name})
	if err != nil {
		h.t.Fatal(err)
	}
	return res.GetAccount().GetPolicies()
}

func TestPoliciesAreChangedRuleByRule(t *testing.T) {
	h := newHouse(t)
	withCard(t, h, "acme")
	for _, c := range []struct {
		name    string
		change  *accountsv1.Policies
		setKeys bool
		want    *accountsv1.Policies
	}{
		{"nothing", nil, false, &accountsv1.Policies{HandMade: newValuesHand}},
		{"a rule and all others", &accountsv1.Policies{Rules: ruleset{"phone": ifEmptyRule, "*": newestRule}}, false,
			&accountsv1.Policies{Rules: ruleset{"phone": ifEmptyRule, "*": newestRule}, HandMade: newValuesHand}},
		{"another rule", &accountsv1.Policies{Rules: ruleset{"colour": neverRule}, HandMade: keepHand}, false,
			&accountsv1.Policies{Rules: ruleset{"phone": ifEmptyRule, "*": newestRule, "colour": neverRule}, HandMade: keepHand}},
		{"one taken away, one replaced", &accountsv1.Policies{Rules: ruleset{"*": noRuleAtAll, "phone": alwaysRule}}, false,
			&accountsv1.Policies{Rules: ruleset{"phone": alwaysRule, "colour": neverRule}, HandMade: keepHand}},
		{"keys, in the order of their numbers and once", &accountsv1.Policies{Keys: []string{"card_no", "email", "external_id", "email"}}, true,
			&accountsv1.Policies{Rules: ruleset{"phone": alwaysRule, "colour": neverRule}, HandMade: keepHand, Keys: []string{"external_id", "email", "card_no"}}},
		{"all keys again", nil, true, &accountsv1.Policies{Rules: ruleset{"phone": alwaysRule, "colour": neverRule}, HandMade: keepHand}},
	} {
		got, err := h.setPolicies("acme", c.change, c.setKeys)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got, protocmp.Transform()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if d := cmp.Diff(got, h.policies("acme"), protocmp.Transform()); d != "" {
			t.Errorf("%s: what is shown is not what was answered (-answered +shown):\n%s", c.name, d)
		}
	}
}

func TestPoliciesOfANewAccount(t *testing.T) {
	h := newHouse(t)
	want := &accountsv1.Policies{Rules: ruleset{"email": neverRule}, HandMade: keepHand, Keys: []string{"external_id"}}
	res, err := h.operator.CreateAccount(t.Context(), &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{Name: "acme", Country: "US", Policies: want}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, res.GetAccount().GetPolicies(), protocmp.Transform()); d != "" {
		t.Errorf("policies (-want +got):\n%s", d)
	}
	_, err = h.operator.CreateAccount(t.Context(), &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{Name: "other", Country: "US",
		Policies: &accountsv1.Policies{Keys: []string{"card_no"}}}})
	if fault.Code(err) != "unknown-key" {
		t.Errorf("a key that a new account cannot have: got %v", err)
	}
}

func TestPoliciesThatCannotBeAreRefused(t *testing.T) {
	h := newHouse(t)
	withCard(t, h, "acme")
	h.account("other") // has no fields of its own
	for _, c := range []struct {
		name, account string
		change        *accountsv1.Policies
		setKeys       bool
		code          string
	}{
		{"a field of nobody", "acme", &accountsv1.Policies{Rules: ruleset{"shoe_size": neverRule}}, false, "unknown-field"},
		{"no rule for a field of nobody", "acme", &accountsv1.Policies{Rules: ruleset{"shoe_size": noRuleAtAll}}, false, "unknown-field"},
		{"somebody else's field", "other", &accountsv1.Policies{Rules: ruleset{"colour": neverRule}}, false, "unknown-field"},
		{"no field", "acme", &accountsv1.Policies{Rules: ruleset{"": neverRule}}, false, "unknown-field"},
		{"the id is no value", "acme", &accountsv1.Policies{Rules: ruleset{"contact_id": neverRule}}, false, "unknown-field"},
		{"no rule", "acme", &accountsv1.Policies{Rules: ruleset{"phone": 77}}, false, "bad-policy"},
		{"no such policy", "acme", &accountsv1.Policies{HandMade: 77}, false, "bad-policy"},
		{"a field that is no key", "acme", &accountsv1.Policies{Keys: []string{"colour"}}, true, "unknown-key"},
		{"somebody else's key", "other", &accountsv1.Policies{Keys: []string{"card_no"}}, true, "unknown-key"},
		{"the number of a key", "acme", &accountsv1.Policies{Keys: []string{"own_8"}}, true, "unknown-key"},
		{"keys that are not to be set", "acme", &accountsv1.Policies{Keys: []string{"email"}}, false, "keys-not-set"},
	} {
		if _, err := h.setPolicies(c.account, c.change, c.setKeys); !errors.Is(err, fault.Invalid) || fault.Code(err) != c.code {
			t.Errorf("%s: got %v (%s), want %s", c.name, err, fault.Code(err), c.code)
		}
		if d := cmp.Diff(&accountsv1.Policies{HandMade: newValuesHand}, h.policies(c.account), protocmp.Transform()); d != "" {
			t.Errorf("%s: something was changed (-want +got):\n%s", c.name, d)
		}
	}
}

// A rule goes with its field. The only key that rows are matched by holds its field.
func TestADeletedFieldLeavesThePolicies(t *testing.T) {
	h := newHouse(t)
	own := withCard(t, h, "acme")
	if _, err := h.setPolicies("acme", &accountsv1.Policies{Rules: ruleset{"card_no": neverRule, "email": newestRule}, Keys: []string{"card_no"}}, true); err != nil {
		t.Fatal(err)
	}
	drop := func() error {
		_, err := own.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "card_no"})
		return err
	}
	if err := drop(); fault.Code(err) != "matched-by-field" || fault.HintOf(err) == "" {
		t.Errorf("the only key: got %v, want a refusal with a hint", err)
	}
	if _, err := h.setPolicies("acme", &accountsv1.Policies{Keys: []string{"card_no", "email"}}, true); err != nil {
		t.Fatal(err)
	}
	if err := drop(); err != nil {
		t.Fatal(err)
	}
	want := &accountsv1.Policies{Rules: ruleset{"email": newestRule}, HandMade: newValuesHand, Keys: []string{"email"}}
	if d := cmp.Diff(want, h.policies("acme"), protocmp.Transform()); d != "" {
		t.Errorf("policies (-want +got):\n%s", d)
	}
	if _, err := own.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "colour"}); err != nil { // no policy names it
		t.Fatal(err)
	}

	res, err := h.operator.GetAccount(t.Context(), &accountsv1.GetAccountRequest{Account: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	account := uuid.MustParse(res.GetAccount().GetId())
	var got []string
	err = h.service.db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select action || ' ' || array_to_string(fields, ',') from audit where action <> 'field.created' order by audit_id")
		if err != nil {
			return err
		}
		got, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	audit := []string{"account.created ", "key.created ", "account.changed policies.rules.card_no,policies.rules.email,policies.keys", "account.changed policies.keys",
		"field.deleted card_no", "account.changed policies.rules.card_no,policies.keys", "field.deleted colour"}
	if d := cmp.Diff(audit, got); d != "" {
		t.Errorf("audit (-want +got):\n%s", d)
	}
}

// Whoever comes first, no rule is left for a field that is gone.
func TestARuleAndADeletionAtOnce(t *testing.T) {
	h := newHouse(t)
	own := withCard(t, h, "acme")
	for range 10 {
		create(t, own, &accountsv1.Field{Name: "fleeting", Type: criterionType})
		dropped := make(chan error, 1)
		go func() {
			_, err := own.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "fleeting"})
			dropped <- err
		}()
		_, err := h.setPolicies("acme", &accountsv1.Policies{Rules: ruleset{"fleeting": neverRule}}, false)
		if err != nil && fault.Code(err) != "unknown-field" {
			t.Errorf("rule: %v", err)
		}
		if err := <-dropped; err != nil {
			t.Errorf("deletion: %v", err)
		}
		if p := h.policies("acme"); len(p.GetRules()) > 0 {
			t.Fatalf("a rule for a field that is gone: %v", p)
		}
	}
}
