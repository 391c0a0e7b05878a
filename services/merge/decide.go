package merge

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
)

// Reasons of outcomes that are this service's to give. Those of INVALID are the codes of findings.
const (
	reasonRepeats    = string(finding.RepeatsRow)
	reasonKnown      = string(finding.KnownContact)
	reasonDuplicate  = string(finding.DuplicateContact)
	reasonSeveral    = string(finding.SeveralContacts)
	reasonNoContact  = string(finding.NoContact)
	reasonNoProvider = string(finding.UnknownToProvider)
	reasonErased     = string(finding.Erased)
	reasonPlan       = string(finding.PlanChanged)
	reasonInvalid    = "invalid"
)

// fate is what is known of a row's outcome before the database is asked. It fits a byte, so that ten million rows are
// ten megabytes.
type fate uint8

// fates are the pairs of outcome and reason that a job has. There are few: an outcome's reasons are codes.
type fates struct {
	of    []fate // by row
	pairs []pair
	index map[pair]fate
}

type pair struct {
	outcome row.Outcome
	reason  string
	action  row.Action
	held    bool // something else was planned: nothing of it is done
}

func newFates(rows int64) *fates {
	return &fates{of: make([]fate, 0, rows), index: map[pair]fate{}}
}

// add notes the fate of the next row.
func (f *fates) add(p pair) error {
	if n := len(f.of); n > 0 && f.pairs[f.of[n-1]] == p { // mostly as the row before
		f.of = append(f.of, f.of[n-1])
		return nil
	}
	n, err := f.fate(p)
	f.of = append(f.of, n)
	return err
}

// fate is the number of a pair.
func (f *fates) fate(p pair) (fate, error) {
	n, ok := f.index[p]
	if !ok {
		if len(f.pairs) > 255 {
			return 0, fault.New(fault.Internal, "too-many-reasons", "a job has more than 256 kinds of outcome")
		}
		n = fate(len(f.pairs))
		f.pairs = append(f.pairs, p)
		f.index[p] = n
	}
	return n, nil
}

// decide says what is to be done with a row, by the one table of package row and the account's policy.
func (j *job) decide(r *record, v *row.Verdict) pair {
	relation := v.Relation
	if r.keys.Invalid || r.cells.Invalid {
		relation = row.Bad
	}
	outcome, action := row.Decide(j.mode, relation)
	p := pair{outcome: outcome, action: action}
	switch {
	case action == row.AddContact && j.keepOutUnknown && j.facts != nil && !r.known && !j.asksLater(r):
		return pair{outcome: row.Unmatched, reason: reasonNoProvider}
	case action != row.Nothing:
		return p
	}
	switch relation {
	case row.Bad:
		p.reason = reasonInvalid
		for _, f := range r.cells.Findings {
			if !f.Warning {
				p.reason = f.Code
				break
			}
		}
	case row.Erased:
		p.reason = reasonErased
	case row.Repeat:
		p.reason = reasonRepeats
	case row.Several:
		p.reason = reasonSeveral
	case row.Other:
		p.reason = reasonDuplicate
	case row.One:
		p.reason = reasonKnown
	case row.None:
		p.reason = reasonNoContact
	}
	return p
}

// asksLater tells whether a new contact's phone and email were left to be asked about later: nothing is known against it.
func (j *job) asksLater(r *record) bool {
	return j.later && !r.asked && r.keys.Mask&(1<<contact.Phone|1<<contact.Email) != 0
}

// explain fills in whom or which line a verdict's outcome is about: ids and line numbers, never contact data.
func (j *job) explain(e *row.Ended, v *row.Verdict) {
	switch v.Relation {
	case row.Repeat:
		e.Detail = line(v.FirstLine)
	case row.One, row.Other:
		e.Contact = v.Contact
		e.Detail = j.byKeys(v.Contact, v.Keys)
	case row.Several:
		all := make([]string, len(v.Several))
		for i, c := range v.Several {
			all[i] = j.byKeys(c.Contact, c.Keys)
		}
		e.Detail = strings.Join(all, "; ")
	}
}

// byKeys is "contact 0190... by email, phone".
func (j *job) byKeys(id uuid.UUID, keys uint16) string {
	names := make([]string, 0, 2)
	for ; keys != 0; keys &= keys - 1 {
		names = append(names, j.schema.KeyName(contact.Key(bits.TrailingZeros16(keys))))
	}
	return fmt.Sprintf("contact %s by %s", id, strings.Join(names, ", "))
}

// withheld tells of values that were not changed although the row had other words for them, by the names of their fields.
func (j *job) withheld(e *row.Ended, kept []row.Kept) {
	names := make([]string, len(kept))
	for i := range kept {
		names[i] = j.schema.Name(contact.Field(kept[i].Field))
		if weight(kept[i].Reason) > weight(e.Reason) {
			e.Reason = kept[i].Reason
		}
	}
	e.Detail, e.Kept = strings.Join(names, ", "), kept
}

// weight orders the reasons why values are kept: an outcome has the weightiest.
func weight(reason string) int {
	switch reason {
	case string(finding.ConsentKept):
		return 3
	case string(finding.NewerHere):
		return 2
	case string(finding.KeptByRule):
		return 1
	}
	return 0
}

// newerHere tells whether a row has something for return to sender.
func newerHere(e *row.Ended) bool {
	return slices.ContainsFunc(e.Kept, func(k row.Kept) bool { return weight(k.Reason) >= weight(string(finding.NewerHere)) })
}

// ids gives the contacts of one try their ids. They are UUIDv7 of one moment with a counter in their last 62 bits: they
// grow with the rows, which keeps the primary key's index in order, and the n-th is known without keeping any.
type ids struct {
	base  uuid.UUID
	start uint64
}

func newIDs() ids {
	base := uuid.Must(uuid.NewV7())
	// Random but for its top bit, so that counting never carries into the variant.
	return ids{base: base, start: binary.BigEndian.Uint64(base[8:]) & (1<<61 - 1)}
}

func (i ids) at(n int64) uuid.UUID {
	id := i.base
	binary.BigEndian.PutUint64(id[8:], 1<<63|i.start+uint64(n))
	return id
}
