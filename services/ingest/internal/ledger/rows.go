package ledger

import (
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/google/uuid"
)

// queueRow is the account's row.
type queueRow struct {
	LastNumber int64    `db:"last_number"`
	LastEvent  int64    `db:"last_event"`
	RowPace    *float64 `db:"row_pace"`    // rows a second
	JobSeconds *float64 `db:"job_seconds"` // from turn to end
}

// jobRow is a job as stored; the last fields are only read by views.
type jobRow struct {
	ID              uuid.UUID      `db:"job_id"`
	Number          int64          `db:"number"`
	Account         uuid.UUID      `db:"account_id"`
	State           State          `db:"state"`
	CheckOnly       bool           `db:"check_only"`
	Turn            bool           `db:"turn"`
	Confirmed       bool           `db:"confirmed"`
	RequestID       string         `db:"request_id"`
	BodyHash        []byte         `db:"body_hash"`
	Settings        Settings       `db:"settings"`
	AccountSettings Account        `db:"account"`
	SubmittedBy     string         `db:"submitted_by"`
	SubmitterEmail  string         `db:"submitter_email"`
	FileName        string         `db:"file_name"`
	FileObject      string         `db:"file_object"`
	FileSize        int64          `db:"file_size"`
	FileSHA256      string         `db:"file_sha256"`
	Upload          *uuid.UUID     `db:"upload_id"`
	RetryOf         *uuid.UUID     `db:"retry_of"`
	Kind            Kind           `db:"kind"`
	UndoOf          *uuid.UUID     `db:"undo_of"`
	UndoOfNumber    *int64         `db:"undo_of_number"`
	Created         time.Time      `db:"created_at"`
	Started         *time.Time     `db:"started_at"`
	Ended           *time.Time     `db:"ended_at"`
	Rows            int64          `db:"rows"`
	Added           int64          `db:"added"`
	Updated         int64          `db:"updated"`
	Unchanged       int64          `db:"unchanged"`
	Duplicate       int64          `db:"duplicate"`
	Unmatched       int64          `db:"unmatched"`
	Invalid         int64          `db:"invalid"`
	Conflict        int64          `db:"conflict"`
	Held            int64          `db:"held"`
	Suppressed      int64          `db:"suppressed"`
	Blank           int64          `db:"blank"`
	SentToProvider  int64          `db:"sent_to_provider"`
	KnownToProvider int64          `db:"known_to_provider"`
	NewerHere       int64          `db:"newer_here"`
	Removed         int64          `db:"removed"`
	Validated       bool           `db:"validated"`
	Problem         *Problem       `db:"problem"`
	Question        *Question      `db:"question"`
	AskedBy         *string        `db:"asked_by"`
	Columns         []Column       `db:"columns"`
	Facts           *FileFacts     `db:"file"`
	Unknown         []UnknownValue `db:"unknown_values"`
	LeaveToken      *int64         `db:"leave_token"`
	LastEvent       int64          `db:"last_event"`
	FileKept        string         `db:"file_kept"`
	WorkKept        string         `db:"work_kept"`

	HeadingsKey      []byte     `db:"headings_key"`
	LikeNumber       *int64     `db:"like_number"`
	Shares           []KeyShare `db:"shares"`
	Forecast         *Forecast  `db:"forecast"`
	Cost             *Cost      `db:"cost"`
	Plan             *Plan      `db:"plan"`
	ApprovedBy       *string    `db:"approved_by"`
	Corrects         *uuid.UUID `db:"corrects"`
	CorrectsNumber   *int64     `db:"corrects_number"`
	ForecastOf       *uuid.UUID `db:"forecast_of"`
	ForecastOfNumber *int64     `db:"forecast_of_number"`
	EnrichedLater    int64      `db:"enriched_later"`

	Ahead          *int64     `db:"ahead"`
	EstimatedStart *time.Time `db:"estimated_start"`
	AtStage        *string    `db:"at_stage"`
	Done           *int64     `db:"done"`
	Total          *int64     `db:"total"`
	Rate           *float64   `db:"rate"`
	ProgressAt     *time.Time `db:"progress_at"`
	Now            time.Time  `db:"now"`
}

// Whether objects of a job are there.
const (
	kept  = "KEPT"  // neither swept nor about to be
	swept = "SWEPT" // or there never were any
)

func (r *jobRow) counts() Counts {
	return Counts{
		Rows: r.Rows, Added: r.Added, Updated: r.Updated, Unchanged: r.Unchanged, Duplicate: r.Duplicate, Unmatched: r.Unmatched, Invalid: r.Invalid,
		Conflict: r.Conflict, Held: r.Held, Suppressed: r.Suppressed, Blank: r.Blank, SentToProvider: r.SentToProvider, KnownToProvider: r.KnownToProvider,
		NewerHere: r.NewerHere, Removed: r.Removed, EnrichedLater: r.EnrichedLater,
	}
}

// setOutcomes takes over the rows' outcomes; blank lines and the provider's numbers stay.
func (r *jobRow) setOutcomes(c Counts) {
	r.Rows, r.Added, r.Updated, r.Unchanged, r.Duplicate = c.Rows, c.Added, c.Updated, c.Unchanged, c.Duplicate
	r.Unmatched, r.Invalid, r.Conflict, r.Held, r.Suppressed = c.Unmatched, c.Invalid, c.Conflict, c.Held, c.Suppressed
	r.NewerHere, r.Removed = c.NewerHere, c.Removed
}

func (r *jobRow) toJob() Job {
	j := Job{
		ID: r.ID, Kind: r.Kind, Number: r.Number, Account: r.Account, State: r.State, Settings: r.Settings, Policies: r.AccountSettings.Policies,
		FileName: r.FileName, File: Object{Name: r.FileObject, Size: r.FileSize, SHA256: r.FileSHA256},
		RequestID: r.RequestID, SubmittedBy: r.SubmittedBy, Created: r.Created.UTC(), Counts: r.counts(), Problem: r.Problem,
		Columns: r.Columns, Facts: r.Facts, Unknown: r.Unknown, FieldsHash: r.AccountSettings.FieldsHash, LastEvent: r.LastEvent,
		FileSwept: r.Kind == Import && r.FileKept != kept, WorkSwept: r.WorkKept != kept,
		Forecast: r.Forecast, Cost: r.Cost, Plan: r.Plan,
	}
	if r.Upload != nil {
		j.Upload = *r.Upload
	}
	if r.RetryOf != nil {
		j.RetryOf = *r.RetryOf
	}
	if r.UndoOf != nil {
		j.UndoOf, j.UndoOfNumber = *r.UndoOf, *r.UndoOfNumber
	}
	if r.Corrects != nil {
		j.Corrects, j.CorrectsNumber = *r.Corrects, *r.CorrectsNumber
	}
	if r.ForecastOf != nil {
		j.ForecastOf, j.ForecastOfNumber = *r.ForecastOf, *r.ForecastOfNumber
	}
	if r.ApprovedBy != nil {
		j.ApprovedBy = *r.ApprovedBy
	}
	if r.Kind == Import {
		held := r.Settings.over(r.AccountSettings)
		j.BadCell, j.UnknownToProvider = held.cellsAndUnknown()
		j.ProviderDown = held.providerDown()
	}
	if r.Started != nil {
		j.Started = r.Started.UTC()
	}
	if r.Ended != nil {
		j.Ended = r.Ended.UTC()
	}
	if r.State == NeedsAnswer {
		j.Question = r.Question
	}
	if r.Ahead != nil {
		j.Queue = &Place{Ahead: *r.Ahead}
		if r.EstimatedStart != nil {
			at := r.EstimatedStart.UTC()
			j.Queue.EstimatedStart = &at
		}
	}
	if r.AtStage != nil && r.ProgressAt != nil {
		p := progress(event.Stage(*r.AtStage), *r.Done, *r.Total, *r.Rate, *r.ProgressAt)
		j.Progress = &p
	}
	return j
}

// args are the arguments of save_job.
func (r *jobRow) args() []any {
	return []any{
		r.Account, r.ID, r.State, r.Turn, r.Confirmed, r.Settings, r.Started, r.Ended, r.Rows, r.Added, r.Updated, r.Unchanged, r.Duplicate, r.Unmatched,
		r.Invalid, r.Conflict, r.Held, r.Suppressed, r.Blank, r.SentToProvider, r.KnownToProvider, r.Validated, r.Problem, r.Question, r.AskedBy,
		r.Columns, r.LeaveToken, r.LastEvent, r.Facts, r.Unknown, r.NewerHere, r.Removed, r.HeadingsKey, r.LikeNumber, r.Shares,
		r.Forecast, r.Cost, r.Plan, r.ApprovedBy, r.Corrects, r.CorrectsNumber, r.EnrichedLater,
	}
}

// The states of a stage.
const (
	runnable  = "RUNNABLE" // may be claimed
	claimed   = "CLAIMED"  // held under a token until its lease ends
	stageDone = "DONE"
	dropped   = "DROPPED" // its job ended without it
)

// stageRow is a stage of a job as stored.
type stageRow struct {
	Stage           event.Stage `db:"stage"`
	Round           int32       `db:"round"`
	State           string      `db:"state"`
	Notice          string      `db:"notice"`
	Opened          time.Time   `db:"opened_at"`
	Ended           *time.Time  `db:"ended_at"`
	Rung            *time.Time  `db:"rung_at"`
	NotBefore       *time.Time  `db:"not_before"`
	Token           *int64      `db:"token"`
	Instance        *string     `db:"instance"`
	Incarnation     *uuid.UUID  `db:"incarnation"`
	LeaseUntil      *time.Time  `db:"lease_until"`
	LostToken       *int64      `db:"lost_token"`
	LostInstance    *string     `db:"lost_instance"`
	LostIncarnation *uuid.UUID  `db:"lost_incarnation"`
	LostAt          *time.Time  `db:"lost_at"`
	Faults          int         `db:"faults"`
	LeasesLost      int         `db:"leases_lost"`
	InstancesLost   int         `db:"instances_lost"`
	Waits           int         `db:"waits"`
	Done            int64       `db:"done"`
	Total           int64       `db:"total"`
	Rate            float64     `db:"rate"`
	ProgressAt      *time.Time  `db:"progress_at"`
	Code            string      `db:"code"`
	Message         string      `db:"message"`
	HolderSeen      *time.Time  `db:"holder_seen"` // last sign of life of Instance
	LoserSeen       *time.Time  `db:"loser_seen"`  // of LostInstance

	result []byte
	fresh  bool // to be inserted
	dirty  bool // to be saved
}

// args are the arguments of save_stage.
func (s *stageRow) args(account, job uuid.UUID) []any {
	return []any{
		account, job, s.Stage, s.Round, s.State, s.Ended, s.Rung, s.NotBefore, s.Token, s.Instance, s.Incarnation, s.LeaseUntil, s.LostToken, s.LostInstance,
		s.LostIncarnation, s.LostAt, s.Faults, s.LeasesLost, s.InstancesLost, s.Waits, s.Done, s.Total, s.Rate, s.ProgressAt, s.Code, s.Message, s.result,
	}
}

func (s *stageRow) open() bool { return s.State == runnable || s.State == claimed }

// has reports whether token is the stage's newest.
func (s *stageRow) has(token int64) bool { return s.Token != nil && *s.Token == token }

// eventRow is an event as stored.
type eventRow struct {
	Number    int64     `db:"number"`
	Type      string    `db:"type"`
	Job       uuid.UUID `db:"job_id"`
	JobNumber int64     `db:"job_number"`
	UndoOf    int64     `db:"undo_of_number"` // only read by views
	State     State     `db:"state"`
	At        time.Time `db:"at"`
	Counts    *Counts   `db:"counts"`
	Problem   *Problem  `db:"problem"`
}

func (r eventRow) toEvent() Event {
	return Event{Number: r.Number, Type: r.Type, Job: r.Job, JobNumber: r.JobNumber, UndoOf: r.UndoOf, Time: r.At.UTC(), State: r.State, Counts: r.Counts, Problem: r.Problem}
}

// progress is how far a stage is, with the time left by its rate.
func progress(stage event.Stage, done, total int64, rate float64, at time.Time) Progress {
	p := Progress{Stage: stage, Done: done, Total: total, Rate: rate, At: at.UTC()}
	if rate > 0 && total > 0 {
		left := int64(float64(max(0, total-done))/rate + 0.5)
		p.SecondsLeft = &left
	}
	return p
}
