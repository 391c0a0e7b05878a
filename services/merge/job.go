package merge

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// job is what is to be applied, read from the claim.
type job struct {
	contactdb.Job
	mode           row.Mode
	list           string
	check          bool
	planning       bool // the check's outcomes are to be the plan of the job
	keepOutUnknown bool // new contacts that the provider does not know

	chunks     []chunk
	schema     *contact.Schema
	fields     []contact.Field // of the mapped columns, NoField for one that is not kept; the order of row.Cells.Values
	specs      []contact.Spec  // parallel to fields, of own ones
	own        []contact.Spec  // the own fields among them
	changedAt  int             // which of the fields says when a row was so; -1 for none
	keys       uint16          // keys that a row may have, bit n for key n
	policies   contactdb.Policies
	chosen     uint16 // the keys that rows are matched by, 0 for all
	rows       int64
	verdicts   blob.Object
	facts      *blob.Object // nil where nothing was asked of a provider
	later      bool         // rows were left to be asked about later
	plan       *blob.Object // what was approved; nil for a job without review
	keyVersion int64        // what was matched against

	committing bool  // an earlier claim had leave to commit
	flaw       error // why the rest of the claim cannot be read; told once it is known that the job was not applied
	unapplied  bool  // the database said so behind the fence

	also ingestv1.Counts // what the other stages counted
}

// chunk is a run of rows.
type chunk struct{ cells, keys blob.Object }

// toJob reads a claim. Objects that are not of this job are not believed. With an error the job can still be looked up
// among those applied.
func toJob(c *stage.Claim) (*job, error) {
	w := c.Work
	j := &job{
		Job:            contactdb.Job{Account: c.Account, ID: c.Job, Number: w.GetJob().GetNumber(), Token: c.Token, AsOf: asOf(w.GetJob())},
		mode:           row.Mode(w.GetJob().GetSettings().GetMode()),
		list:           w.GetJob().GetSettings().GetList(),
		check:          w.GetJob().GetSettings().GetCheck() || w.GetPlanning(),
		planning:       w.GetPlanning(),
		keepOutUnknown: w.GetAccount().GetKeepOutUnknown(),
		changedAt:      -1,
		keys:           uint16(w.GetValidated().GetKeys()),
		rows:           w.GetValidated().GetRows(),
		keyVersion:     w.GetMatched().GetKeyVersion(),
		committing:     w.GetCommitting(),
		later:          w.GetEnriched().GetLater() > 0,
		also: ingestv1.Counts{Blank: w.GetValidated().GetBlank(), SentToProvider: w.GetEnriched().GetSent(),
			KnownToProvider: w.GetEnriched().GetKnown(), EnrichedLater: w.GetEnriched().GetLater()},
	}
	return j, j.read(c)
}

// read reads what is needed to apply the job.
func (j *job) read(c *stage.Claim) error {
	w := c.Work
	var err error
	if j.schema, err = fields.SchemaOf(w.GetAccount().GetFields()); err != nil {
		return fmt.Errorf("read the account's fields of job %s: %w", c.Job, err)
	}
	if of := w.GetJob().GetUndoOf(); of != "" {
		return j.readUndo(of)
	}
	if j.mode < row.Add || j.mode > row.Upsert {
		return fault.New(fault.Invalid, "bad-mode", "job %s has no mode that this program knows", c.Job)
	}
	policies, err := fields.PoliciesOf(w.GetJob().GetPolicies(), j.schema)
	if err != nil {
		return fmt.Errorf("read the policies of job %s: %w", c.Job, err)
	}
	j.chosen = policies.Keys
	for _, col := range w.GetValidated().GetColumns() {
		if col.GetField() == "" {
			continue
		}
		f, ok := j.schema.Field(col.GetField())
		if !ok {
			return fault.New(fault.Invalid, "unknown-field", "column %d is mapped to a field that the account does not have", col.GetIndex())
		}
		var spec contact.Spec
		if f >= contact.FirstCustom {
			spec, _ = j.schema.Spec(f)
			j.own = append(j.own, spec)
		}
		if f == contact.FieldChangedAt {
			j.changedAt = len(j.fields)
		}
		if !f.Kept() {
			f = contact.NoField
		}
		j.fields, j.specs = append(j.fields, f), append(j.specs, spec)
	}
	j.policies = toPolicies(&policies, j.fields, j.AsOf)
	prefix := blob.JobPrefix(c.Account, c.Job)
	for _, ch := range w.GetValidated().GetChunks() {
		cells, err := stage.FromObject(prefix, ch.GetCells())
		if err != nil {
			return err
		}
		keys, err := stage.FromObject(prefix, ch.GetKeys())
		if err != nil {
			return err
		}
		j.chunks = append(j.chunks, chunk{cells, keys})
	}
	if j.verdicts, err = stage.FromObject(prefix, w.GetMatched().GetVerdicts()); err != nil {
		return err
	}
	if w.GetEnriched().GetFacts() != nil {
		facts, err := stage.FromObject(prefix, w.Enriched.Facts)
		if err != nil {
			return err
		}
		j.facts = &facts
	}
	if w.GetPlan() != nil {
		plan, err := stage.FromObject(prefix, w.Plan)
		if err != nil {
			return err
		}
		j.plan = &plan
	}
	return nil
}

// asOf is when the rows of a job are of that do not say it themselves.
func asOf(j *ingestv1.Job) time.Time {
	switch {
	case j.GetSettings().GetAsOf() != nil:
		return j.Settings.AsOf.AsTime()
	case j.GetCreatedAt() != nil:
		return j.CreatedAt.AsTime()
	}
	return time.Time{}
}

// toPolicies says of the fields that a job has what its policies say of all.
func toPolicies(p *fields.Policies, mapped []contact.Field, asOf time.Time) contactdb.Policies {
	out := contactdb.Policies{AsOf: asOf}
	switch p.HandMade {
	case fields.Keep:
		out.HandMade = contactdb.Keep
	case fields.Replace:
		out.HandMade = contactdb.Replace
	}
	for _, f := range mapped {
		if f == contact.NoField {
			continue
		}
		standard, own := &out.Never, &out.NeverOwn
		switch p.Rule(f) {
		case fields.Always:
			continue
		case fields.IfEmpty:
			standard, own = &out.IfEmpty, &out.IfEmptyOwn
		case fields.Newest:
			standard, own = &out.Newest, &out.NewestOwn
		}
		if f < contact.FirstCustom {
			*standard |= 1 << f
		} else {
			*own = append(*own, f)
		}
	}
	return out
}

// toResult is a job that took effect, or would have.
func toResult(j *job, a contactdb.Applied) *ingestv1.FinishRequest {
	return merged(&ingestv1.MergeResult{
		Counts: &ingestv1.Counts{Rows: a.Rows, Added: a.Added, Updated: a.Updated, Unchanged: a.Unchanged, Duplicate: a.Duplicate,
			Unmatched: a.Unmatched, Invalid: a.Invalid, Conflict: a.Conflict, Held: a.Held, Suppressed: a.Suppressed,
			NewerHere: a.NewerHere, Removed: a.Removed, Blank: j.also.Blank, SentToProvider: j.also.SentToProvider, KnownToProvider: j.also.KnownToProvider, EnrichedLater: j.also.EnrichedLater},
		Outcomes: &ingestv1.Object{Name: a.OutcomesName, Size: a.OutcomesSize, Sha256: a.OutcomesSHA256},
	})
}

// toRejected is a job that the account has no room for.
func toRejected(err error) *ingestv1.FinishRequest {
	f := fault.ToStatus(err)
	return merged(&ingestv1.MergeResult{Rejected: &ingestv1.Problem{Code: fault.Code(err), Message: f.Message(), Hint: fault.HintOf(err)}})
}

func merged(r *ingestv1.MergeResult) *ingestv1.FinishRequest {
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Merged{Merged: r}}
}

// toApplied is what the database keeps of a job's counts and outcomes.
func toApplied(j *job, counts [row.Suppressed + 1]int64, newer int64, o blob.Object) contactdb.Applied {
	a := contactdb.Applied{Added: counts[row.Added], Updated: counts[row.Updated], Unchanged: counts[row.Unchanged],
		Duplicate: counts[row.Duplicate], Unmatched: counts[row.Unmatched], Invalid: counts[row.Invalid], Conflict: counts[row.Conflict],
		Held: counts[row.Held], Suppressed: counts[row.Suppressed], NewerHere: newer, ListName: j.list, OutcomesName: o.Name, OutcomesSize: o.Size, OutcomesSHA256: hex.EncodeToString(o.SHA256[:])}
	for _, n := range counts {
		a.Rows += n
	}
	return a
}

func line(n int64) string { return fmt.Sprintf("line %d", n) }
