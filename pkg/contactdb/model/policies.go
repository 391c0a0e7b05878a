package model

import (
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
)

// Rule is when a file may change a field of a known contact.
type Rule string

// The rules; the empty one is always.
const (
	Always  Rule = ""
	IfEmpty Rule = "if-empty"
	Never   Rule = "never"
	Newest  Rule = "newest"
)

// What a file may do to a value that a person gave; the empty word is new-values.
const (
	NewValues = ""
	Keep      = "keep"
	Replace   = "replace"
)

// Policies are how a job's file changes contacts.
type Policies struct {
	Rules    map[contact.Field]Rule
	HandMade string
	Keys     []contact.Key // what rows are matched by; none for all
}

// Why a word of a row is not followed.
const (
	ConsentKept = "consent-kept"
	NewerHere   = "newer-here"
	KeptByRule  = "kept-by-rule"
)

// withdrawn is what an authorisation is that a person has withdrawn.
const withdrawn = "False"

// withheld is why a word is not followed, or empty. before is the contact as it was before the job, by which all is judged
// but one thing: an authorisation that an earlier row withdrew stays so.
func (a *Account) withheld(j Job, x Row, f contact.Field, w Word, before, now *Contact) string {
	spec, _ := a.Schema.Spec(f)
	_, filled := before.Values[f]
	_, changed := before.Origins[f]
	rule, origin, new := j.Policies.Rules[f], before.origin(f), w != before.value(f)
	byHand := changed && origin.Hand && !w.Clear // clearing what a person gave is not asked about
	switch {
	case new && rule == Never:
		return KeptByRule
	case new && rule == IfEmpty && filled && !w.Clear:
		return KeptByRule
	case spec.Type == contact.TypeAuthorisation && now.value(f).Value == withdrawn && w.Value != withdrawn:
		return ConsentKept
	case new && byHand && j.Policies.HandMade == Keep:
		return NewerHere
	case new && byHand && j.Policies.HandMade == NewValues && slices.Contains(origin.Replaced, w.Value):
		return NewerHere
	case new && rule == Newest && (filled || changed) && a.time(origin) > x.time(j): // nothing is older than a value that never was
		return NewerHere
	}
	return ""
}

// time is as of when a row is.
func (x Row) time(j Job) int64 {
	if x.Said {
		return x.AsOf
	}
	return j.AsOf
}
