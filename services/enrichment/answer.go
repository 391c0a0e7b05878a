package enrichment

import (
	"strings"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/stage"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// What the contract allows in an answer.
const (
	maxFactName  = 64
	maxFactValue = 1 << 10
	maxFacts     = 64 // of one set
)

// check holds an answer against the contract. A provider that breaks it is as good as away: the job waits and is not charged.
func check(a *providerv1.EnrichResponse, batch string, subjects int) error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.Unavailable, "provider-answer", "the provider's answer breaks the contract: "+format, args...)
	}
	if wait := a.RetryAfter; wait != nil {
		return stage.RetryAfter(fault.New(fault.Unavailable, "provider-busy", "the provider asks to come back in %s", wait.AsDuration()), max(0, wait.AsDuration()))
	}
	if a.BatchId != batch {
		return bad("another batch")
	}
	if len(a.PhoneFacts) != subjects || len(a.EmailFacts) != subjects {
		return bad("%d and %d answers to %d subjects", len(a.PhoneFacts), len(a.EmailFacts), subjects)
	}
	if len(a.FactSets) > 2*subjects {
		return bad("%d sets of facts on %d subjects", len(a.FactSets), subjects)
	}
	if a.CostMicros < 0 {
		return bad("a negative cost")
	}
	for _, s := range a.FactSets {
		if len(s.Facts) == 0 || len(s.Facts) > maxFacts {
			return bad("a set of %d facts", len(s.Facts))
		}
		for _, f := range s.Facts {
			if !factName(f.Name) || len(f.Value) > maxFactValue || strings.ContainsRune(f.Value, 0) {
				return bad("a fact with a name or value out of bounds")
			}
		}
	}
	for i := range subjects {
		if int(a.PhoneFacts[i]) > len(a.FactSets) || int(a.EmailFacts[i]) > len(a.FactSets) {
			return bad("a set of facts that is not there")
		}
	}
	return nil
}

func factName(s string) bool {
	if s == "" || len(s) > maxFactName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return true
}

// known counts the subjects that the provider knows something of.
func known(a *providerv1.EnrichResponse) int {
	n := 0
	for i := range a.PhoneFacts {
		if a.PhoneFacts[i] != 0 || a.EmailFacts[i] != 0 {
			n++
		}
	}
	return n
}
