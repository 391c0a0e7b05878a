package ledger

import (
	"slices"

	"github.com/contactmill/contactmill/pkg/event"
)

// State is where a job is on its way.
type State string

// The states of a job, spelled as everywhere.
const (
	Queued               State = "QUEUED"
	Validating           State = "VALIDATING"
	NeedsAnswer          State = "NEEDS_ANSWER"
	Ready                State = "READY"
	Matching             State = "MATCHING"
	AwaitingApproval     State = "AWAITING_APPROVAL"
	Enriching            State = "ENRICHING"
	Merging              State = "MERGING"
	Committing           State = "COMMITTING"
	Exporting            State = "EXPORTING"
	Completed            State = "COMPLETED"
	CompletedWithRejects State = "COMPLETED_WITH_REJECTS"
	Checked              State = "CHECKED"
	Rejected             State = "REJECTED"
	Failed               State = "FAILED"
	Cancelled            State = "CANCELLED"
)

// States returns all states in the order a job passes them.
func States() []State {
	return []State{
		Queued, Validating, NeedsAnswer, Ready, Matching, AwaitingApproval, Enriching, Merging, Committing, Exporting,
		Completed, CompletedWithRejects, Checked, Rejected, Failed, Cancelled,
	}
}

// follows is the one table of what may follow what. A final state has no line: final is final.
var follows = map[State][]State{
	Queued:           {Validating, Cancelled},
	Validating:       {Ready, NeedsAnswer, Rejected, Failed, Cancelled},
	NeedsAnswer:      {Queued, Cancelled},
	Ready:            {Matching, Merging, Exporting, Cancelled},
	Matching:         {AwaitingApproval, NeedsAnswer, Enriching, Merging, Rejected, Failed, Cancelled},
	AwaitingApproval: {Ready, Rejected, Cancelled},
	Enriching:        {Merging, Failed, Cancelled},
	Merging:          {Committing, Checked, Rejected, Failed, Cancelled},
	Committing:       {Completed, CompletedWithRejects, Rejected, Failed},
	Exporting:        {Completed, Failed, Cancelled},
}

// Follows returns the states that may follow s, nil for a final one. The documentation's drawing is compared with it.
func Follows(s State) []State { return slices.Clone(follows[s]) }

// MayFollow reports whether a job in state from may go to state to.
func MayFollow(from, to State) bool { return slices.Contains(follows[from], to) }

// Valid reports whether s is one of States.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Final reports whether nothing follows s.
func (s State) Final() bool { return s.Valid() && len(follows[s]) == 0 }

// Waiting reports whether a job in s waits in the account's queue and so has a place in it.
func (s State) Waiting() bool { return s == Queued || s == Validating || s == Ready }

// eventOf names the event of a change of state.
func eventOf(from, to State) string {
	if from == AwaitingApproval && to == Ready {
		return event.JobApproved
	}
	return eventTypes[to]
}

// eventTypes names the events of the changes into a state.
var eventTypes = map[State]string{
	Validating:           event.JobValidating,
	NeedsAnswer:          event.JobNeedsAnswer,
	Queued:               event.JobAnswered,  // the first time it is job.accepted, which Accept says itself
	Ready:                event.JobValidated, // the second time, under review, it is job.approved
	Matching:             event.JobMatching,
	AwaitingApproval:     event.JobAwaitingApproval,
	Enriching:            event.JobEnriching,
	Merging:              event.JobMerging,
	Committing:           event.JobCommitting,
	Completed:            event.JobCompleted,
	CompletedWithRejects: event.JobCompletedWithRejects,
	Checked:              event.JobChecked,
	Rejected:             event.JobRejected,
	Failed:               event.JobFailed,
	Cancelled:            event.JobCancelled,
}
