package ledger

import (
	"strconv"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

// Mode is what an import may do to contacts.
type Mode string

// The modes.
const (
	Add    Mode = "ADD"
	Update Mode = "UPDATE"
	Upsert Mode = "UPSERT"
)

// Kind is what a job is asked to do.
type Kind string

// The kinds.
const (
	Import Kind = "import" // apply a file
	Undo   Kind = "undo"   // take back what another job did; it has no file, and is READY from the beginning
)

// DateOrder is how dates of a file are to be read; empty: decided per column.
type DateOrder string

// The orders.
const (
	YMD DateOrder = "YMD"
	DMY DateOrder = "DMY"
	MDY DateOrder = "MDY"
)

// Settings is what the submitter asks for.
type Settings struct {
	Mode       Mode              `json:"mode"`
	List       string            `json:"list,omitempty"`       // name of the list that the contacts join; empty: none
	Mapping    map[string]string `json:"mapping,omitempty"`    // heading to field; field "-" ignores the column
	Check      bool              `json:"check,omitempty"`      // check only: nothing is written
	Recipients []string          `json:"recipients,omitempty"` // who is told beside the account's recipients
	DateOrder  DateOrder         `json:"date_order,omitempty"`
	Reading    Reading           `json:"reading,omitzero"`
	Values     Values            `json:"values,omitempty"`
	Policies   Policies          `json:"policies,omitzero"`
	AsOf       time.Time         `json:"as_of,omitzero"` // when the values of the file were so, UTC; zero: when the job was accepted

	BadCell           string `json:"bad_cell,omitempty"`            // reject-row, drop-cell; empty: as the account says
	UnknownToProvider string `json:"unknown_to_provider,omitempty"` // add, keep-out; empty: as the account says
	Review            bool   `json:"review,omitempty"`              // it takes effect by an approved plan alone
	ProviderDown      string `json:"provider_down,omitempty"`       // wait, complete; empty: as the account says
}

// What becomes of a cell that its field refuses, of a new contact that the provider does not know, and of a job whose
// provider does not answer.
const (
	RejectRow = "reject-row"
	DropCell  = "drop-cell"

	AddUnknown = "add"
	KeepOut    = "keep-out"

	WaitForProvider = "wait"
	CompleteWithout = "complete"
)

// over is the account with what the job says itself.
func (s Settings) over(a Account) Account {
	if s.BadCell != "" {
		a.DropBadCells = s.BadCell == DropCell
	}
	if s.UnknownToProvider != "" {
		a.KeepOutUnknown = s.UnknownToProvider == KeepOut
	}
	if s.ProviderDown != "" {
		a.CompleteWithout = s.ProviderDown == CompleteWithout
	}
	return a
}

// Policies is how files change contacts; what is empty is not said.
type Policies struct {
	Rules    map[string]string `json:"rules,omitempty"`     // field, or "*" for all others, to always, if-empty, never, newest
	HandMade string            `json:"hand_made,omitempty"` // new-values, keep, replace
	Keys     []string          `json:"keys,omitempty"`      // sorted, each once
}

// IsZero reports whether p says nothing.
func (p Policies) IsZero() bool { return len(p.Rules) == 0 && p.HandMade == "" && len(p.Keys) == 0 }

// Values is, by field, what its values in the file mean.
type Values map[string]map[string]string

// Account is what the account had settled when the job was accepted, frozen with it.
type Account struct {
	Name           string   `json:"name"`
	Country        string   `json:"country"` // ISO alpha-2
	DropBadCells   bool     `json:"drop_bad_cells,omitempty"`
	KeepOutUnknown bool     `json:"keep_out_unknown,omitempty"`
	Recipients     []string `json:"recipients,omitempty"`  // who is told of every job but a check
	RawDays        int32    `json:"raw_days,omitempty"`    // the file is kept after the job's end; 0: as the service is set
	ResultDays     int32    `json:"result_days,omitempty"` // results and reports likewise
	LegacyEncoding string   `json:"legacy_encoding,omitempty"`
	Policies       Policies `json:"policies,omitzero"`

	CompleteWithout bool  `json:"complete_without_provider,omitempty"` // its jobs do not wait for a provider that does not answer
	ProviderDays    int32 `json:"provider_days,omitempty"`             // a provider's answers are used again; 0: DefaultProviderDays

	Fields     []byte `json:"-"`                     // its own fields, opaque; kept apart from the job, once for all that are alike
	FieldsHash string `json:"fields_hash,omitempty"` // given by the ledger; empty where there are none
}

// DefaultProviderDays is for how many days a provider's answers are used again where the account has not settled it.
const DefaultProviderDays = 90

// AnswersUsed is for how many days a provider's answers are used again.
func (a Account) AnswersUsed() int32 {
	if a.ProviderDays > 0 {
		return a.ProviderDays
	}
	return DefaultProviderDays
}

func (a Account) providerDown() string {
	if a.CompleteWithout {
		return CompleteWithout
	}
	return WaitForProvider
}

// cellsAndUnknown is the account's policies as settings spell them.
func (a Account) cellsAndUnknown() (badCell, unknown string) {
	badCell, unknown = RejectRow, AddUnknown
	if a.DropBadCells {
		badCell = DropCell
	}
	if a.KeepOutUnknown {
		unknown = KeepOut
	}
	return badCell, unknown
}

// Object is a stored object.
type Object struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex, lower case
}

// Counts adds up: Rows is the sum of Added to Suppressed. Blank lines are counted apart; NewerHere and Removed are counted
// in their outcomes already.
type Counts struct {
	Rows            int64 `json:"rows"`
	Added           int64 `json:"added"`
	Updated         int64 `json:"updated"`
	Unchanged       int64 `json:"unchanged"`
	Duplicate       int64 `json:"duplicate"`
	Unmatched       int64 `json:"unmatched"`
	Invalid         int64 `json:"invalid"`
	Conflict        int64 `json:"conflict"`
	Held            int64 `json:"held"`
	Suppressed      int64 `json:"suppressed"`
	Blank           int64 `json:"blank"`
	SentToProvider  int64 `json:"sent_to_provider"`
	KnownToProvider int64 `json:"known_to_provider"`
	NewerHere       int64 `json:"newer_here"` // of Rows, those with a value that is newer here than in the file
	Removed         int64 `json:"removed"`    // of Updated, contacts that an undo removed
	EnrichedLater   int64 `json:"enriched_later"`
}

// AddUp reports whether every row has exactly one outcome, and no part is more than its whole.
func (c Counts) AddUp() bool {
	return c.Rows == c.Added+c.Updated+c.Unchanged+c.Duplicate+c.Unmatched+c.Invalid+c.Conflict+c.Held+c.Suppressed &&
		min(c.Rows, c.Added, c.Updated, c.Unchanged, c.Duplicate, c.Unmatched, c.Invalid, c.Conflict, c.Held, c.Suppressed, c.Blank, c.NewerHere, c.Removed) >= 0 &&
		c.NewerHere <= c.Rows && c.Removed <= c.Updated
}

// Rejects is the number of rows that were kept out.
func (c Counts) Rejects() int64 {
	return c.Invalid + c.Conflict + c.Unmatched + c.Held + c.Suppressed
}

// Problem is why a job was rejected or failed.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Column is a column of the file and the field it is mapped to.
type Column struct {
	Index      int32   `json:"index"` // from 1
	Heading    string  `json:"heading"`
	Field      string  `json:"field,omitempty"` // empty: ignored
	Confidence float64 `json:"confidence,omitempty"`
	Filled     int64   `json:"filled,omitempty"`

	How       string    `json:"how,omitempty"` // what the mapping goes by
	DateOrder DateOrder `json:"date_order,omitempty"`
}

// Question is what a job in NEEDS_ANSWER asks.
type Question struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Hint    string   `json:"hint,omitempty"`
	Columns []Column `json:"columns,omitempty"`
}

// Questions whether the file is meant as it is: a person who says so has answered them.
const (
	KeyColumnGone = "key-column-gone"
	IDsUnknown    = "ids-unknown"
)

func (q Question) confirmable() bool { return q.Code == KeyColumnGone || q.Code == IDsUnknown }

// Progress is how far the stage at work has come.
type Progress struct {
	Stage       event.Stage
	Done        int64   // rows
	Total       int64   // rows; 0 while unknown
	Rate        float64 // rows a second
	SecondsLeft *int64  // nil while unknown
	At          time.Time
}

// Place is where a waiting job stands.
type Place struct {
	Ahead          int64      // jobs of the account that go before it
	EstimatedStart *time.Time // nil while unknown
}

// Job is one change of contacts asked for, as it is now.
type Job struct {
	ID           uuid.UUID
	Kind         Kind
	Number       int64
	Account      uuid.UUID
	State        State
	Settings     Settings // of an undo: Check alone
	Policies     Policies // of the account, when the job was accepted; Settings' own come over them
	FileName     string   // as given, for people
	File         Object
	Upload       uuid.UUID // what the file's object is named by; shared by retries; uuid.Nil for an undo
	RequestID    string
	SubmittedBy  string // the API key that handed it in
	RetryOf      uuid.UUID
	UndoOf       uuid.UUID // the job that it takes back
	UndoOfNumber int64     // of that job
	Created      time.Time
	Started      time.Time // zero until its turn began
	Ended        time.Time // zero until it is final
	Counts       Counts    // Rows, Invalid and Blank are known once validated, all once final; of an undo, Rows are contacts
	Problem      *Problem
	Question     *Question // in NEEDS_ANSWER
	Columns      []Column  // once validated
	Facts        *FileFacts
	Unknown      []UnknownValue // values that no code book has, once validated; not in lists
	FieldsHash   string         // names the account's own fields that it goes by
	LastEvent    int64
	Queue        *Place    // while it waits
	Progress     *Progress // while a worker is at it
	FileSwept    bool      // the uploaded file is gone: the job can be retried no more; false for an undo, that has none
	WorkSwept    bool      // chunks and outcomes are gone: reports are no more

	BadCell           string // what holds for the job: RejectRow or DropCell; empty for an undo
	UnknownToProvider string // likewise: AddUnknown or KeepOut
	ProviderDown      string // likewise: WaitForProvider or CompleteWithout

	Forecast         *Forecast // of a check or a job under review, once matched
	Cost             *Cost     // what the provider charged, once enriched
	Plan             *Plan     // that awaits approval, or was approved or rejected
	ApprovedBy       string    // the API key
	Corrects         uuid.UUID // the job whose report, corrected, the file is
	CorrectsNumber   int64     // of that job
	ForecastOf       uuid.UUID // the job that the check forecasts
	ForecastOfNumber int64     // of that job
}

// Ref names a job by its id or, where that is nil, by its number.
type Ref struct {
	ID     uuid.UUID
	Number int64
}

// ParseRef reads an id or a number. Anything else names no job: NotFound.
func ParseRef(s string) (Ref, error) {
	if id, err := uuid.Parse(s); err == nil && len(s) == 36 && id != uuid.Nil {
		return Ref{ID: id}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return Ref{Number: n}, nil
	}
	return Ref{}, noSuchJob()
}

// key is how queries take a ref: a number only where there is no id.
func (r Ref) key() (id uuid.UUID, number int64) {
	if r.ID != uuid.Nil {
		return r.ID, 0
	}
	return uuid.Nil, r.Number
}

const codeUnknownJob = "unknown-job"

func noSuchJob() error { return fault.New(fault.NotFound, codeUnknownJob, "no such job") }

// Event is a numbered fact about a job.
type Event struct {
	Number    int64 // within the account, from 1, without gaps
	Type      string
	Job       uuid.UUID
	JobNumber int64
	UndoOf    int64 // number of the job that the job undoes, 0 if it is no undo
	Time      time.Time
	State     State
	Counts    *Counts  // in final events of a job that was validated
	Problem   *Problem // where it was rejected, failed or asks
}
