// Package row is what the stages of a job hand to one another: the rows of a file and what is known of them, as objects
// that are written once, named by job, stage and token, and read in the order of the file.
//
//	cells     validate -> merge, reports   the cells of a chunk of rows, what is wrong with them, their normalised values
//	keys      validate -> match            the keyed hashes by which those rows are recognised
//	verdicts  match -> enrich, merge       for every row the contact it belongs to
//	facts     enrich -> merge              what the provider says of new rows
//	outcomes  merge -> reports             for every row what became of it
//
// All five share one frame (frame.go): a kind and a version, records in an S2 stream, the number of records at the end, so
// that a shortened object is an error and never a shorter job. Writers and readers hold one record at a time; what a
// reader returns is valid until its next call.
package row

import "github.com/google/uuid"

// Mode is what an import may do to contacts; the numbers are those of the contract.
type Mode uint8

// The modes.
const (
	Add    Mode = 1
	Update Mode = 2
	Upsert Mode = 3
)

// Outcome is what became of a row; the numbers are those of the contract and of stored objects.
type Outcome uint8

// The outcomes.
const (
	Added Outcome = iota + 1
	Updated
	Unchanged
	Duplicate
	Unmatched
	Invalid
	Conflict
	Held
	Suppressed
)

var outcomeNames = [...]string{Added: "ADDED", Updated: "UPDATED", Unchanged: "UNCHANGED", Duplicate: "DUPLICATE", Unmatched: "UNMATCHED",
	Invalid: "INVALID", Conflict: "CONFLICT", Held: "HELD", Suppressed: "SUPPRESSED"}

// Outcomes lists all outcomes in their order.
func Outcomes() []Outcome {
	return []Outcome{Added, Updated, Unchanged, Duplicate, Unmatched, Invalid, Conflict, Held, Suppressed}
}

// String is the outcome as users see it, e.g. "ADDED".
func (o Outcome) String() string {
	if o < Added || int(o) >= len(outcomeNames) {
		return "UNKNOWN"
	}
	return outcomeNames[o]
}

// Rejected tells whether the outcome makes a job COMPLETED_WITH_REJECTS.
func (o Outcome) Rejected() bool {
	return o == Invalid || o == Conflict || o == Unmatched || o == Held || o == Suppressed
}

// Relation is how a row stands to the account's contacts and to the earlier rows of its file.
type Relation uint8

// The relations.
const (
	None      Relation = iota + 1 // no contact has any of its keys
	One                           // it belongs to one contact
	Several                       // its keys belong to several contacts
	Other                         // a contact has one of its keys but another external id
	Repeat                        // an earlier accepted row has one of its unique keys
	Bad                           // the row is INVALID
	Erased                        // its person is on the suppression list
	relations = iota
)

// Verdict is what matching found for a row.
type Verdict struct {
	Relation  Relation
	Contact   uuid.UUID // One, Other: the contact
	Keys      uint16    // One, Other, Repeat: the keys that hit, bit n for key n
	First     int64     // Repeat: number of the earlier row, from 0
	FirstLine int64     // Repeat: its line
	Several   []Candidate
}

// Candidate is one of several contacts that a row fits.
type Candidate struct {
	Contact uuid.UUID
	Keys    uint16 // the keys that hit, bit n for key n
}

// Action is what is left to do for a row once its relation is known.
type Action uint8

// The actions.
const (
	Nothing Action = iota // the outcome is final
	AddContact
	UpdateContact // UPDATED or, where nothing differs, UNCHANGED
)

// Decide says what becomes of a row. Where an action is left, the outcome is the one that the action has if it changes
// something.
func Decide(m Mode, r Relation) (Outcome, Action) {
	switch r {
	case Bad:
		return Invalid, Nothing
	case Erased:
		return Suppressed, Nothing
	case Repeat:
		return Duplicate, Nothing
	case Several:
		return Conflict, Nothing
	case Other:
		if m == Add {
			return Duplicate, Nothing
		}
		return Conflict, Nothing
	case One:
		if m == Add {
			return Duplicate, Nothing
		}
		return Updated, UpdateContact
	}
	if m == Update {
		return Unmatched, Nothing
	}
	return Added, AddContact
}

// Hit is a contact that has at least one key of a row.
type Hit struct {
	Contact    uuid.UUID
	Keys       uint16   // the keys that hit, bit n for key n
	ExternalID [16]byte // hash of the contact's external id; zero where it has none
}

// keyExternalID and keyFallback are the stored numbers of the external id and of the fallback key.
const (
	keyExternalID = 1
	keyFallback   = 7
)

// Relate applies the rule of matching to the hits of one row, each contact at most once. Hits by the fallback key count
// only if no unique key hits. externalID is the hash of the row's external id, zero where it has none. The verdict's
// Several is appended to dst, so that a caller can reuse it.
func Relate(hits []Hit, externalID [16]byte, dst []Candidate) Verdict {
	unique := false
	for _, h := range hits {
		unique = unique || h.Keys&^(1<<keyFallback) != 0
	}
	var only *Hit
	n := 0
	for i := range hits {
		if unique && hits[i].Keys&^(1<<keyFallback) == 0 {
			continue
		}
		if n++; n == 1 {
			only = &hits[i]
		}
	}
	switch {
	case n == 0:
		return Verdict{Relation: None}
	case n == 1:
		v := Verdict{Relation: One, Contact: only.Contact, Keys: only.Keys}
		var zero [16]byte
		if externalID != zero && only.ExternalID != zero && externalID != only.ExternalID {
			v.Relation = Other
		}
		return v
	}
	for _, h := range hits {
		if !unique || h.Keys&^(1<<keyFallback) != 0 {
			dst = append(dst, Candidate{h.Contact, h.Keys})
		}
	}
	return Verdict{Relation: Several, Several: dst}
}
