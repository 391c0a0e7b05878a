package contactdb

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
)

// origins is the column of that name: by the name of a field what a person left, and under jobs what jobs did.
type origins map[string]json.RawMessage

// jobsEntry is where origins keep what jobs did.
const jobsEntry = "jobs"

// override is the origin of a value that a person gave. Replaced are the values before, as hashes, so that an older file
// can be known by them.
type override struct {
	By       uuid.UUID `json:"by"`
	At       time.Time `json:"at"`
	Replaced []string  `json:"replaced,omitempty"`
}

// entry is a job that changed fields, and the line that said so.
type entry struct {
	fields       uint64
	number, line int64
	own          []contact.Field
}

func readOrigins(b []byte) (o origins, err error) {
	if b == nil {
		return nil, nil
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("read origins: %w", err)
	}
	return o, nil
}

// override is what a person left at a field.
func (o origins) override(f contact.Field) (by override, found bool, err error) {
	b, found := o[columnName(f)]
	if !found {
		return by, false, nil
	}
	if err := json.Unmarshal(b, &by); err != nil {
		return by, false, fmt.Errorf("read the origin of %s: %w", columnName(f), err)
	}
	return by, true, nil
}

// entry is the job that changed a field last.
func (o origins) entry(f contact.Field) (e entry, found bool, err error) {
	var jobs [][]json.RawMessage
	if b, ok := o[jobsEntry]; !ok {
		return e, false, nil
	} else if err := json.Unmarshal(b, &jobs); err != nil {
		return e, false, fmt.Errorf("read origins by jobs: %w", err)
	}
	for _, j := range jobs {
		e := entry{}
		into := []any{&e.fields, &e.number, &e.line, &e.own}
		for i := range min(len(j), len(into)) {
			if err := json.Unmarshal(j[i], into[i]); err != nil {
				return e, false, fmt.Errorf("read an origin by a job: %w", err)
			}
		}
		if f < contact.FirstCustom && e.fields&(1<<f) != 0 || slices.Contains(e.own, f) {
			return e, true, nil
		}
	}
	return e, false, nil
}

// columnName is the name under which a field's value and origin are kept.
func columnName(f contact.Field) string {
	if c, ok := ColumnOf(f); ok {
		return c.Name
	}
	return OwnName(f)
}
