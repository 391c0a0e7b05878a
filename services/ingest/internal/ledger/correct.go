package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// RecallJob returns a job of the same account and what its validation left, to the holder of a claim whose file may be the
// job's report, corrected. A job that there is no report of, as it has none yet, never will or not any more, is NotFound
// like an unknown one. Stale if the claim is no longer the stage's.
func (l *Ledger) RecallJob(ctx context.Context, account uuid.UUID, k Claim, number int64) (Job, []byte, error) {
	var found []*jobRow
	holds := false
	b := &pgx.Batch{}
	b.Queue(l.sql.Holds, account, k.Token).QueryRow(func(r pgx.Row) error { return r.Scan(&holds) })
	many(b, l.sql.ViewJob, &found, account, uuid.Nil, number)
	err := l.db.Read(ctx, account, b)
	switch {
	case err != nil:
		return Job{}, nil, fmt.Errorf("recall job: %w", err)
	case !holds:
		return Job{}, nil, stale(k)
	case len(found) == 0 || !found[0].reported():
		return Job{}, nil, noSuchJob()
	}
	results, err := l.Results(ctx, account, found[0].ID)
	return found[0].toJob(), results.Validated, err
}

// reported reports whether there is a report of the job's rows, or of those of its plan, to be corrected.
func (r *jobRow) reported() bool {
	if r.Kind != Import || r.WorkKept != kept {
		return false
	}
	return r.Plan != nil || r.State == Completed || r.State == CompletedWithRejects || r.State == Checked
}

// corrected makes the job the correction of the first one: it goes by that one's settings and policies, as they held, where
// it does not say otherwise itself.
func (c *change) corrected(id uuid.UUID) error {
	if len(c.others) == 0 || c.others[0].Kind != Import {
		return fault.New(fault.Invalid, "unknown-correction", "the job that the file corrects is none of the account's imports")
	}
	first := c.others[0]
	c.job.Corrects, c.job.CorrectsNumber = &id, &first.Number
	c.job.Settings = c.job.Settings.correcting(first.Settings, first.AccountSettings)
	_, err := c.job.Settings.encoded()
	return err
}

// correcting is s, with what the first job went by for what s does not say. How the file is read, who is told and whether
// it is only a check is each file's own; the plan of a check is not reviewed.
func (s Settings) correcting(first Settings, account Account) Settings {
	held := first.over(account)
	badCell, unknown := held.cellsAndUnknown()
	set := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	set((*string)(&s.Mode), string(first.Mode))
	set(&s.List, first.List)
	set((*string)(&s.DateOrder), string(first.DateOrder))
	set(&s.BadCell, badCell)
	set(&s.UnknownToProvider, unknown)
	set(&s.ProviderDown, held.providerDown())
	s.Mapping = merged(first.Mapping, s.Mapping)
	if len(first.Values) > 0 {
		values := maps.Clone(first.Values)
		for field, m := range s.Values {
			values[field] = merged(values[field], m)
		}
		s.Values = values
	}
	s.Policies = s.Policies.over(first.Policies.over(account.Policies))
	if s.AsOf.IsZero() {
		s.AsOf = first.AsOf
	}
	s.Review = s.Review || first.Review && !s.Check
	return s
}

// over is p, with what the other says for what p does not; neither is changed.
func (p Policies) over(other Policies) Policies {
	out := Policies{HandMade: other.HandMade, Keys: slices.Clone(other.Keys)}
	if p.HandMade != "" {
		out.HandMade = p.HandMade
	}
	if len(p.Keys) > 0 {
		out.Keys = slices.Clone(p.Keys)
	}
	_, all := p.Rules[allOthers]
	switch {
	case all: // who speaks of all fields speaks of those that the other names, too
		out.Rules = maps.Clone(p.Rules)
	case len(p.Rules)+len(other.Rules) > 0:
		out.Rules = merged(other.Rules, p.Rules)
	}
	return out
}

// allOthers stands, in rules, for all fields that are not named.
const allOthers = "*"
