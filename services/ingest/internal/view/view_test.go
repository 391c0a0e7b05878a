package view_test

import (
	"testing"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

// Every state of the contract is one of the ledger's and the other way round.
func TestStatesAreTheSame(t *testing.T) {
	t.Parallel()
	for _, want := range ledger.States() {
		if got, ok := view.FromState(view.State(want)); !ok || got != want {
			t.Errorf("%s came back as %q, %t", want, got, ok)
		}
	}
	if got, want := len(ingestv1.JobState_name)-1, len(ledger.States()); got != want {
		t.Errorf("the contract has %d states, the ledger %d", got, want)
	}
	if s, ok := view.FromState(0); ok {
		t.Errorf("no state is %q", s)
	}
}

func TestModesAndOrdersAreTheSame(t *testing.T) {
	t.Parallel()
	for n := range ingestv1.Mode_name {
		want := ingestv1.Mode(n)
		m, ok := view.FromMode(want)
		if ok != (n != 0) || ok && view.Settings(ledger.Settings{Mode: m}).GetMode() != want {
			t.Errorf("mode %s is %q, %t", want, m, ok)
		}
	}
	for n := range ingestv1.DateOrder_name {
		want := ingestv1.DateOrder(n)
		o, ok := view.FromDateOrder(want)
		if !ok || view.Settings(ledger.Settings{DateOrder: o}).GetDateOrder() != want {
			t.Errorf("date order %s is %q, %t", want, o, ok)
		}
	}
	if _, ok := view.FromDateOrder(9); ok {
		t.Error("date order 9 passes")
	}
}

// Rules, what is done with values made by hand, with bad cells, with unknown contacts and without a provider have a word each, that of the command line, and come back by it.
func TestPoliciesAreTheSame(t *testing.T) {
	t.Parallel()
	words := map[string]bool{}
	for n := range accountsv1.FieldRule_name {
		in := &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"city": accountsv1.FieldRule(n)}}
		p, err := view.FromPolicies(in)
		if err != nil || (n == 0) != p.IsZero() {
			t.Errorf("rule %d is %+v, %v", n, p, err)
			continue
		}
		if n != 0 && view.Policies(p).GetRules()["city"] != accountsv1.FieldRule(n) {
			t.Errorf("rule %d came back as %v", n, view.Policies(p))
		}
		words[p.Rules["city"]] = true
	}
	for n := range accountsv1.HandMade_name {
		p, err := view.FromPolicies(&accountsv1.Policies{HandMade: accountsv1.HandMade(n)})
		if err != nil || view.Policies(p).GetHandMade() != accountsv1.HandMade(n) {
			t.Errorf("hand-made %d is %+v, %v", n, p, err)
		}
		words[p.HandMade] = true
	}
	for n := range accountsv1.BadCell_name {
		w, err := view.FromBadCell(accountsv1.BadCell(n))
		if err != nil || view.BadCell(w) != accountsv1.BadCell(n) {
			t.Errorf("bad cell %d is %q, %v", n, w, err)
		}
		words[w] = true
	}
	for n := range accountsv1.UnknownToProvider_name {
		w, err := view.FromUnknownToProvider(accountsv1.UnknownToProvider(n))
		if err != nil || view.UnknownToProvider(w) != accountsv1.UnknownToProvider(n) {
			t.Errorf("unknown to the provider %d is %q, %v", n, w, err)
		}
		words[w] = true
	}
	for n := range accountsv1.ProviderDown_name {
		w, err := view.FromProviderDown(accountsv1.ProviderDown(n))
		if err != nil || view.ProviderDown(w) != accountsv1.ProviderDown(n) {
			t.Errorf("provider down %d is %q, %v", n, w, err)
		}
		words[w] = true
	}
	for _, w := range []string{"", "always", "if-empty", "never", "newest", "new-values", "keep", "replace", ledger.RejectRow, ledger.DropCell, ledger.AddUnknown, ledger.KeepOut,
		ledger.WaitForProvider, ledger.CompleteWithout} {
		if !words[w] {
			t.Errorf("nothing is spelled %q", w)
		}
		delete(words, w)
	}
	if len(words) > 0 {
		t.Errorf("spelled otherwise: %v", words)
	}
}
