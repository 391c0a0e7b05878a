package work

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

func fromLife(instance, incarnation string) (ledger.Life, error) {
	id, err := uuid.Parse(incarnation)
	if err != nil || instance == "" {
		return ledger.Life{}, fault.New(fault.Invalid, "bad-instance", "an instance has a name, and its incarnation is a UUID")
	}
	return ledger.Life{Instance: instance, Incarnation: id}, nil
}

func fromJobID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil, fault.New(fault.Invalid, "bad-job-id", "the job's id is no UUID")
	}
	return id, nil
}

func fromStage(s string) (event.Stage, error) {
	stage := event.Stage(s)
	if !stage.Valid() {
		return "", fault.New(fault.Invalid, "unknown-stage", "no such stage")
	}
	return stage, nil
}

func fromClaimant(c *ingestv1.Claimant) (ledger.Claim, error) {
	job, err := fromJobID(c.GetJobId())
	if err != nil {
		return ledger.Claim{}, err
	}
	stage, err := fromStage(c.GetStage())
	if err != nil {
		return ledger.Claim{}, err
	}
	return ledger.Claim{Job: job, Stage: stage, Token: c.GetToken()}, nil
}

// toWork is all that a worker needs, with the results of earlier stages as these handed them in.
func toWork(w ledger.Work) (*ingestv1.Work, error) {
	out := &ingestv1.Work{
		Job: view.Job(w.Job),
		Account: &ingestv1.AccountSettings{
			Name: w.Account.Name, Country: w.Account.Country, DropBadCells: w.Account.DropBadCells, KeepOutUnknown: w.Account.KeepOutUnknown,
			LegacyEncoding: w.Account.LegacyEncoding, CompleteWithoutProvider: w.Account.CompleteWithout, ProviderDays: w.Account.AnswersUsed(),
		},
		Notice:     w.Notice,
		Recipients: w.Recipients,
		Committing: w.Committing,
		Planning:   w.Planning,
		Confirmed:  w.Confirmed,
		JobsAhead:  w.Ahead,
	}
	if w.Job.File.Name != "" { // an undo has none
		out.File = toObject(w.Job.File)
	}
	if w.Plan != nil {
		out.Plan = toObject(*w.Plan)
	}
	for _, s := range w.Usual {
		out.Usual = append(out.Usual, &ingestv1.KeyShare{Key: s.Key, Rows: s.Rows, Known: s.Known})
	}
	var err error
	if out.Account.Fields, err = view.Fields(w.Account.Fields); err != nil {
		return nil, err
	}
	if out.Validated, err = decoded(w.Results.Validated, &ingestv1.ValidateResult{}); err != nil {
		return nil, fmt.Errorf("decode result of validate: %w", err)
	}
	if out.Matched, err = decoded(w.Results.Matched, &ingestv1.MatchResult{}); err != nil {
		return nil, fmt.Errorf("decode result of match: %w", err)
	}
	if out.Enriched, err = decoded(w.Results.Enriched, &ingestv1.EnrichResult{}); err != nil {
		return nil, fmt.Errorf("decode result of enrich: %w", err)
	}
	return out, nil
}

func toObject(o ledger.Object) *ingestv1.Object {
	return &ingestv1.Object{Name: o.Name, Size: o.Size, Sha256: o.SHA256}
}

// decoded is nil for a stage that left nothing.
func decoded[M proto.Message](body []byte, into M) (M, error) {
	var none M
	if body == nil {
		return none, nil
	}
	if err := proto.Unmarshal(body, into); err != nil {
		return none, err
	}
	return into, nil
}

// fromResult takes the result of a claim's stage; one of another stage is Invalid.
func fromResult(account uuid.UUID, k ledger.Claim, req *ingestv1.FinishRequest) (ledger.Result, error) {
	var r ledger.Result
	var body proto.Message
	var objects []*ingestv1.Object
	switch v := req.GetResult().(type) {
	case *ingestv1.FinishRequest_Validated:
		m := v.Validated
		body = m
		r.Rejected, r.Question = fromProblem(m.GetRejected()), fromQuestion(m.GetQuestion())
		r.Columns, r.Rows, r.Blank, r.Invalid = fromColumns(m.GetColumns()), m.GetRows(), m.GetBlank(), m.GetInvalid()
		r.Facts, r.Unknown, r.HeadingsKey = fromFacts(m.GetFile()), fromUnknown(m.GetUnknownValues()), m.GetHeadingsKey()
		if len(r.HeadingsKey) != 0 {
			if err := view.CheckHeadingsKey(r.HeadingsKey); err != nil {
				return ledger.Result{}, err
			}
		}
		r.LikeNumber = m.GetLikeNumber()
		if m.GetCorrects() != "" {
			var err error
			if r.Corrects, err = fromJobID(m.GetCorrects()); err != nil {
				return ledger.Result{}, err
			}
		}
		for _, c := range m.GetChunks() {
			objects = append(objects, c.GetCells(), c.GetKeys())
		}
	case *ingestv1.FinishRequest_Matched:
		m := v.Matched
		body = m
		r.Rejected, r.Question, r.NewRows = fromProblem(m.GetRejected()), fromQuestion(m.GetQuestion()), m.GetNewRows()
		r.Forecast, r.Shares = fromForecast(m.GetForecast()), fromShares(m.GetShares())
		objects = append(objects, m.GetVerdicts())
	case *ingestv1.FinishRequest_Enriched:
		m := v.Enriched
		body = m
		r.Sent, r.Known, r.Later, r.Cost = m.GetSent(), m.GetKnown(), m.GetLater(), fromCost(m.GetCost())
		objects = append(objects, m.GetFacts())
	case *ingestv1.FinishRequest_Merged:
		m := v.Merged
		body = m
		r.Rejected, r.Counts = fromProblem(m.GetRejected()), fromCounts(m.GetCounts())
		if o := m.GetOutcomes(); o != nil {
			r.Outcomes = ledger.Object{Name: o.GetName(), Size: o.GetSize(), SHA256: text(o.GetSha256())}
		}
		objects = append(objects, m.GetOutcomes())
	case *ingestv1.FinishRequest_Notified:
		body = v.Notified
	}
	if stage := stageOf(req); stage != k.Stage {
		return ledger.Result{}, fault.New(fault.Invalid, "result-of-another-stage", "stage %s was finished without its result", k.Stage)
	}
	prefix := blob.JobPrefix(account, k.Job)
	for _, o := range objects {
		if o.GetName() != "" && !strings.HasPrefix(o.GetName(), prefix) {
			return ledger.Result{}, fault.New(fault.Invalid, "foreign-object", "stage %s of job %s names an object that is not the job's", k.Stage, k.Job)
		}
	}
	var err error
	if r.Body, err = (proto.MarshalOptions{Deterministic: true}).Marshal(body); err != nil {
		return ledger.Result{}, fmt.Errorf("encode result of %s: %w", k.Stage, err)
	}
	if r.Body == nil {
		r.Body = []byte{} // a result with nothing in it is a result
	}
	return r, nil
}

// stageOf is the stage whose result a request carries.
func stageOf(req *ingestv1.FinishRequest) event.Stage {
	switch v := req.GetResult().(type) {
	case *ingestv1.FinishRequest_Validated:
		return given(v.Validated != nil, event.Validate)
	case *ingestv1.FinishRequest_Matched:
		return given(v.Matched != nil, event.Match)
	case *ingestv1.FinishRequest_Enriched:
		return given(v.Enriched != nil, event.Enrich)
	case *ingestv1.FinishRequest_Merged:
		return given(v.Merged != nil, event.Merge)
	case *ingestv1.FinishRequest_Notified:
		return given(v.Notified != nil, event.Notify)
	}
	return ""
}

func given(there bool, s event.Stage) event.Stage {
	if !there {
		return ""
	}
	return s
}

func fromProblem(p *ingestv1.Problem) *ledger.Problem {
	if p == nil {
		return nil
	}
	return &ledger.Problem{Code: text(p.GetCode()), Message: text(p.GetMessage()), Hint: text(p.GetHint())}
}

func fromQuestion(q *ingestv1.Question) *ledger.Question {
	if q == nil {
		return nil
	}
	return &ledger.Question{Code: text(q.GetCode()), Message: text(q.GetMessage()), Hint: text(q.GetHint()), Columns: fromColumns(q.GetColumns())}
}

func fromColumns(cs []*ingestv1.Column) []ledger.Column {
	var out []ledger.Column
	for _, c := range cs {
		order, _ := view.FromDateOrder(c.GetDateOrder()) // one that is unknown is none
		out = append(out, ledger.Column{
			Index: c.GetIndex(), Heading: text(c.GetHeading()), Field: text(c.GetField()), Confidence: c.GetConfidence(), Filled: c.GetFilled(),
			How: text(c.GetHow()), DateOrder: order,
		})
	}
	return out
}

// maxShares is more keys than there are.
const maxShares = 64

func fromShares(ss []*ingestv1.KeyShare) []ledger.KeyShare {
	var out []ledger.KeyShare
	for _, s := range few(ss, maxShares) {
		out = append(out, ledger.KeyShare{Key: s.GetKey(), Rows: s.GetRows(), Known: s.GetKnown()})
	}
	return out
}

func fromForecast(f *ingestv1.Forecast) *ledger.Forecast {
	if f == nil {
		return nil
	}
	return &ledger.Forecast{ToSend: f.GetToSend(), KnownAlready: f.GetKnownAlready(), Cost: fromCost(f.GetCost()), JobsAhead: f.GetJobsAhead(), Provider: text(f.GetProvider())}
}

func fromCost(c *ingestv1.Cost) *ledger.Cost {
	if c == nil {
		return nil
	}
	return &ledger.Cost{Micros: c.GetMicros(), Currency: text(c.GetCurrency())}
}

// maxText bounds what a worker says for people, in bytes.
const maxText = 4096

// text is what PostgreSQL can keep of s: it knows no NUL, which a heading of a broken file may have.
func text(s string) string {
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func fromCounts(c *ingestv1.Counts) ledger.Counts {
	return ledger.Counts{
		Rows: c.GetRows(), Added: c.GetAdded(), Updated: c.GetUpdated(), Unchanged: c.GetUnchanged(), Duplicate: c.GetDuplicate(), Unmatched: c.GetUnmatched(),
		Invalid: c.GetInvalid(), Conflict: c.GetConflict(), Held: c.GetHeld(), Suppressed: c.GetSuppressed(),
		NewerHere: c.GetNewerHere(), Removed: c.GetRemoved(),
	}
}
