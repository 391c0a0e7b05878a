package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

// Answer is what a person answered to a job in NEEDS_ANSWER.
type Answer struct {
	Mapping   map[string]string // added to the job's
	DateOrder DateOrder         // empty: as before
	Reading   Reading           // what is set replaces what was asked before
	Values    Values            // added to the job's
	Confirm   bool              // the file is meant as it is
}

// Answer adds an answer to the job's settings and has it validated again: QUEUED, with its old number, so before all
// higher ones that have not started. A job that asks nothing is Precondition "no-question". An empty answer is Invalid
// "empty-answer", unless matching asked: then it means "go on". So does one that confirms, where the question is whether the
// file is meant as it is; no such question is asked of the job again.
func (l *Ledger) Answer(ctx context.Context, account uuid.UUID, ref Ref, a Answer) (Job, error) {
	var view jobRow
	_, err := l.withJob(ctx, account, ref, loads{view: &view}, func(c *change) error { return c.answer(a) })
	return viewed(view, err)
}

func (a Answer) empty() bool {
	return len(a.Mapping) == 0 && a.DateOrder == "" && a.Reading == Reading{} && len(a.Values) == 0
}

// with is the settings after an answer. What they share with the old ones is not changed.
func (s Settings) with(a Answer) (Settings, error) {
	s.Mapping = merged(s.Mapping, a.Mapping)
	if a.DateOrder != "" {
		s.DateOrder = a.DateOrder
	}
	s.Reading = s.Reading.with(a.Reading)
	if len(a.Values) > 0 {
		values := maps.Clone(s.Values)
		if values == nil {
			values = Values{}
		}
		for field, m := range a.Values {
			values[field] = merged(values[field], m)
		}
		s.Values = values
	}
	_, err := s.encoded()
	return s, err
}

// encoded is the settings as they are stored; those that cannot be are Invalid "bad-character".
func (s Settings) encoded() ([]byte, error) {
	b, err := json.Marshal(s) // maps are sorted by key
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	if bytes.Contains(b, []byte(`\u0000`)) {
		return nil, fault.New(fault.Invalid, "bad-character", "the settings hold a NUL character")
	}
	return b, nil
}

// merged is a with b's entries over it; neither is changed.
func merged(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func (r Reading) with(a Reading) Reading {
	set := func(to *string, s string) {
		if s != "" {
			*to = s
		}
	}
	set(&r.Delimiter, a.Delimiter)
	set(&r.Quote, a.Quote)
	set(&r.Escape, a.Escape)
	set(&r.Encoding, a.Encoding)
	set(&r.Sheet, a.Sheet)
	if a.HeadingLine > 0 {
		r.HeadingLine = a.HeadingLine
	}
	return r
}
