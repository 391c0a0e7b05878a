// Package event names every stream, subject and consumer on NATS and holds what is sent over them. Nobody else spells a subject.
//
//	stream or subject      payload               sent by                   read by
//	JOBS    jobs.<stage>   Ring (JSON, v 1)      ingest                    the workers of the stage
//	EVENTS  events.<acct>  Envelope (CloudEvents) ingest                   watchers, as a wake-up call: they read the ledger by number
//	progress.<acct>        Progress (JSON, v 1)  ingest, unnumbered, lossy watchers
//
// <acct> is the account's id in lower-case base32 without padding. All payloads carry ids, counts and states, never contact data.
package event

import "slices"

// Stage is a step of a job that a worker can claim.
type Stage string

const (
	Validate Stage = "validate"
	Match    Stage = "match"
	Enrich   Stage = "enrich"
	Merge    Stage = "merge"
	Notify   Stage = "notify"
	Export   Stage = "export"
)

// Stages returns all stages in the order a job passes them.
func Stages() []Stage { return []Stage{Validate, Match, Enrich, Merge, Notify, Export} }

// Valid reports whether s is one of Stages.
func (s Stage) Valid() bool { return slices.Contains(Stages(), s) }

// Types of events, as told to customers. On the wire they read "contactmill.<type>.v1".
const (
	JobAccepted             = "job.accepted"
	JobValidating           = "job.validating"
	JobValidated            = "job.validated"
	JobNeedsAnswer          = "job.needs_answer"
	JobAnswered             = "job.answered"
	JobReady                = "job.ready"
	JobMatching             = "job.matching"
	JobAwaitingApproval     = "job.awaiting_approval"
	JobApproved             = "job.approved"
	JobEnriching            = "job.enriching"
	JobMerging              = "job.merging"
	JobCommitting           = "job.committing"
	JobCompleted            = "job.completed"
	JobCompletedWithRejects = "job.completed_with_rejects"
	JobChecked              = "job.checked"
	JobRejected             = "job.rejected"
	JobFailed               = "job.failed"
	JobCancelled            = "job.cancelled"
)

// Types returns all types of events.
func Types() []string {
	return []string{
		JobAccepted, JobValidating, JobValidated, JobNeedsAnswer, JobAnswered, JobReady, JobMatching, JobAwaitingApproval, JobApproved,
		JobEnriching, JobMerging, JobCommitting, JobCompleted, JobCompletedWithRejects, JobChecked, JobRejected, JobFailed, JobCancelled,
	}
}

// ValidType reports whether t is one of Types.
func ValidType(t string) bool { return slices.Contains(Types(), t) }
