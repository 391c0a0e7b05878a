package ledger

import (
	"fmt"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

// enter changes the job's state by the table, and numbers the event of it. Entering the state it is in is no change.
func (c *change) enter(to State, problem *Problem) error {
	if c.job.State == to {
		return nil
	}
	if !MayFollow(c.job.State, to) {
		return fault.New(fault.Internal, "bad-transition", "a job in %s may not become %s", c.job.State, to)
	}
	typ := eventOf(c.job.State, to)
	c.job.State = to
	c.jobDirty = true
	e := c.tell(typ)
	e.Problem = problem
	return nil
}

// tell numbers an event about the job as it is.
func (c *change) tell(typ string) *eventRow {
	c.queue.LastEvent++
	c.queueDirty = true
	c.job.LastEvent = c.queue.LastEvent
	c.jobDirty = true
	c.events = append(c.events, eventRow{
		Number: c.queue.LastEvent, Type: typ, Job: c.job.ID, JobNumber: c.job.Number, State: c.job.State, At: c.at,
	})
	return &c.events[len(c.events)-1]
}

// open makes a stage runnable, in a new round.
func (c *change) open(stage event.Stage, notice string) {
	round := int32(1)
	for _, s := range c.stages {
		if s.Stage == stage {
			round = max(round, s.Round+1)
		}
	}
	c.stages = append(c.stages, &stageRow{Stage: stage, Round: round, State: runnable, Notice: notice, Opened: c.at, fresh: true})
}

// end brings the job into a final state: the turn is free, what was open is dropped, and people are told.
func (c *change) end(to State, problem *Problem) error {
	if err := c.enter(to, problem); err != nil {
		return err
	}
	c.job.Problem = problem
	c.job.Ended = &c.at
	if c.job.Validated {
		counts := c.job.counts()
		c.events[len(c.events)-1].Counts = &counts
	}
	if to == Completed || to == CompletedWithRejects {
		c.pace()
	}
	c.yield()
	c.open(event.Notify, NoticeEnded)
	return nil
}

// ask stops the job with a question: it steps aside, and people are told.
func (c *change) ask(stage event.Stage, q Question) error {
	c.job.Question = &q
	by := string(stage)
	c.job.AskedBy = &by
	if err := c.enter(NeedsAnswer, &Problem{Code: q.Code, Message: q.Message, Hint: q.Hint}); err != nil {
		return err
	}
	c.yield()
	c.open(event.Notify, NoticeQuestion)
	return nil
}

// yield gives up the turn and drops the stages that are open.
func (c *change) yield() {
	c.job.Turn = false
	c.jobDirty = true
	c.moved = true
	for _, s := range c.stages {
		if s.open() && s.Stage != event.Notify {
			s.State = dropped
			s.Ended = &c.at
			s.dirty = true
		}
	}
}

// paceWeight is the weight of the newest job in the account's pace.
const paceWeight = 0.5

// pace learns from a completed job how fast the account's jobs go.
func (c *change) pace() {
	if c.job.Started == nil {
		return
	}
	seconds := max(c.at.Sub(*c.job.Started).Seconds(), 0.001)
	mix := func(old *float64, now float64) *float64 {
		if old != nil {
			now = paceWeight*now + (1-paceWeight)**old
		}
		return &now
	}
	c.queue.JobSeconds = mix(c.queue.JobSeconds, seconds)
	if c.job.Rows > 0 {
		c.queue.RowPace = mix(c.queue.RowPace, float64(c.job.Rows)/seconds)
	}
	c.queueDirty = true
}

// advance takes the result of a stage and does what follows.
func (c *change) advance(s *stageRow, r Result) error {
	s.State = stageDone
	s.Ended = &c.at
	s.result = r.Body
	s.dirty = true
	if s.Stage == event.Merge && c.planning() {
		s.result = nil // the plan is the job's: what merge leaves is what became of the rows
	}
	switch s.Stage {
	case event.Validate:
		return c.validated(r)
	case event.Match:
		return c.matched(r)
	case event.Enrich:
		return c.enriched(r)
	case event.Merge:
		return c.merged(r)
	case event.Notify:
		return nil
	}
	return fault.New(fault.Invalid, "unknown-stage", "no such stage: %s", s.Stage)
}

func (c *change) validated(r Result) error {
	if min(r.Rows, r.Blank, r.Invalid, r.Rows-r.Invalid) < 0 {
		return fault.New(fault.Invalid, "counts-do-not-add-up", "%d of %d rows cannot be invalid", r.Invalid, r.Rows)
	}
	c.jobDirty = true
	c.moved = true // room for another validation
	c.job.Columns, c.job.Facts, c.job.Unknown = r.Columns, r.Facts, r.Unknown
	c.job.HeadingsKey, c.job.LikeNumber = r.HeadingsKey, nil
	if r.LikeNumber > 0 {
		c.job.LikeNumber = &r.LikeNumber
	}
	c.job.Corrects, c.job.CorrectsNumber = nil, nil // an answer may have made an ordinary file of it
	if r.Corrects != uuid.Nil {
		if err := c.corrected(r.Corrects); err != nil {
			return err
		}
	}
	if r.Question != nil {
		return c.ask(event.Validate, *r.Question)
	}
	if r.Rejected != nil {
		c.job.Rows, c.job.Blank, c.job.Invalid = r.Rows, r.Blank, r.Invalid
		return c.end(Rejected, r.Rejected)
	}
	if c.job.Settings.Mode == "" { // which only a correction may leave to the job that it corrects
		return c.end(Rejected, &Problem{Code: "mode-missing", Message: "The job does not say whether contacts are to be added, updated or both.", Hint: "say add, update or upsert"})
	}
	c.job.Rows, c.job.Blank, c.job.Invalid, c.job.Validated = r.Rows, r.Blank, r.Invalid, true
	if err := c.enter(Ready, nil); err != nil {
		return err
	}
	if c.job.Corrects == nil {
		c.remember = saidOf(&c.job, r.HeadingsKey)
	}
	if c.job.CheckOnly { // needs no turn
		c.job.Started = &c.at
		c.open(event.Match, "")
	}
	return nil
}

func (c *change) matched(r Result) error {
	switch {
	case r.Rejected != nil:
		return c.end(Rejected, r.Rejected)
	case r.Question != nil && !c.job.Confirmed:
		return c.ask(event.Match, *r.Question)
	case r.NewRows < 0 || r.NewRows > c.job.Rows:
		return fault.New(fault.Invalid, "counts-do-not-add-up", "%d of %d rows cannot be new", r.NewRows, c.job.Rows)
	}
	c.job.Shares = r.Shares
	if c.job.CheckOnly || c.planning() {
		c.job.Forecast = r.Forecast
	}
	c.jobDirty = true
	switch {
	case c.planning(): // still by matching: nothing is spent before the plan was approved
		c.open(event.Merge, "")
		return nil
	case r.NewRows > 0 && !c.job.CheckOnly: // a check spends no money
		c.open(event.Enrich, "")
		return c.enter(Enriching, nil)
	}
	c.open(event.Merge, "")
	return c.enter(Merging, nil)
}

func (c *change) enriched(r Result) error {
	if r.Known < 0 || r.Known > r.Sent {
		return fault.New(fault.Invalid, "counts-do-not-add-up", "%d of %d rows sent cannot be known", r.Known, r.Sent)
	}
	if r.Later < 0 || r.Later > c.job.Rows || r.Cost != nil && r.Cost.Micros < 0 {
		return fault.New(fault.Invalid, "counts-do-not-add-up", "neither %d rows later nor a cost below nothing can be", r.Later)
	}
	c.job.SentToProvider, c.job.KnownToProvider, c.job.EnrichedLater, c.job.Cost = r.Sent, r.Known, r.Later, r.Cost
	c.open(event.Merge, "")
	return c.enter(Merging, nil)
}

func (c *change) merged(r Result) error {
	if r.Rejected != nil {
		return c.end(Rejected, r.Rejected)
	}
	if c.job.Kind == Undo { // what it has to do is known once it was done
		c.job.Rows, c.job.Validated = r.Counts.Rows, true
	}
	if !r.Counts.AddUp() || r.Counts.Rows != c.job.Rows {
		return fault.New(fault.Invalid, "counts-do-not-add-up", "%d rows were validated, and the outcomes of %d do not add up to them", c.job.Rows, r.Counts.Rows)
	}
	if c.job.Kind == Undo && r.Counts.NewerHere > 0 || c.job.Kind != Undo && r.Counts.Removed > 0 {
		return fault.New(fault.Invalid, "counts-do-not-add-up", "only an import meets values that are newer here, only an undo removes contacts")
	}
	if c.planning() {
		return c.planned(r)
	}
	c.job.setOutcomes(r.Counts)
	switch {
	case c.job.CheckOnly:
		return c.end(Checked, nil)
	case c.job.State != Committing:
		return fault.New(fault.Precondition, "no-leave", "a merge has to ask for leave before it commits")
	}
	c.seen = seenOf(&c.job)
	if c.job.Kind == Undo {
		c.unseen = *c.job.UndoOfNumber
	}
	switch {
	case r.Counts.Rejects() > 0:
		return c.end(CompletedWithRejects, nil)
	}
	return c.end(Completed, nil)
}

// accepted makes the change one of a new job.
func (c *change) accepted(j jobRow) {
	c.queue.LastNumber++
	c.queueDirty = true
	j.ID = uuid.Must(uuid.NewV7())
	j.Number = c.queue.LastNumber
	j.Account = c.account
	j.State, j.FileKept = Queued, kept
	j.CheckOnly = j.Settings.Check
	j.AccountSettings.FieldsHash = hashOf(j.AccountSettings.Fields)
	j.Created = c.at
	if j.RequestID == "" {
		j.RequestID = j.ID.String()
	}
	c.job = j
	c.jobFresh = true
	c.moved = true
	if j.Kind == Undo { // there is nothing to validate: it waits for its turn, or, as a check, for nothing
		c.job.State, c.job.FileKept = Ready, swept
		if j.CheckOnly {
			c.job.Started = &c.at
			c.open(event.Merge, "")
		}
	}
	c.tell(event.JobAccepted)
}

// cancel ends the job unless it is too late.
func (c *change) cancel() error {
	switch {
	case c.job.State == Cancelled:
		return nil
	case !MayFollow(c.job.State, Cancelled):
		return fault.New(fault.Precondition, "too-late", "job %d is %s and can be cancelled no more", c.job.Number, c.job.State)
	}
	return c.end(Cancelled, nil)
}

// answer adds to the settings and starts over.
func (c *change) answer(a Answer) error {
	if c.job.State != NeedsAnswer {
		return fault.New(fault.Precondition, "no-question", "job %d is %s and asks nothing", c.job.Number, c.job.State)
	}
	byMatch := c.job.AskedBy != nil && *c.job.AskedBy == string(event.Match)
	confirms := byMatch && a.empty() || a.Confirm && (byMatch || c.job.Question != nil && c.job.Question.confirmable())
	if a.empty() && !confirms {
		return fault.New(fault.Invalid, "empty-answer", "the answer says nothing").
			Hint("map a heading to a field, say the order of dates, how the file is to be read or what its values mean")
	}
	settings, err := c.job.Settings.with(a)
	if err != nil {
		return err
	}
	c.job.Settings = settings
	c.job.Confirmed = c.job.Confirmed || confirms
	c.job.Validated = false
	c.job.Forecast, c.job.Shares = nil, nil
	c.job.Rows, c.job.Blank, c.job.Invalid = 0, 0, 0
	c.job.Started = nil
	c.moved = true
	return c.enter(Queued, nil)
}

// recipients of a notice: a check tells only its submitter; else the account's and the job's, each once.
func (c *change) recipients() []string {
	if c.job.CheckOnly {
		if c.job.SubmitterEmail == "" {
			return nil
		}
		return []string{c.job.SubmitterEmail}
	}
	seen := map[string]bool{}
	var to []string
	for _, list := range [][]string{c.job.AccountSettings.Recipients, c.job.Settings.Recipients} {
		for _, r := range list {
			if r != "" && !seen[r] {
				seen[r] = true
				to = append(to, r)
			}
		}
	}
	return to
}

// later is at plus d, or nil for none.
func later(at time.Time, d time.Duration) *time.Time {
	if d <= 0 {
		return nil
	}
	t := at.Add(d)
	return &t
}

func describe(s event.Stage, what string, n int) string {
	return fmt.Sprintf("stage %s: %s %d times", s, what, n)
}
