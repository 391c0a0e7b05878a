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
	Other                         // a contact has one of its keys and is not the one that it belongs to
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
