package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Progress tells how far a stage of a job is. It is no event: unnumbered, at most one a second, and may be lost.
type Progress struct {
	Account       uuid.UUID `json:"account"`
	Job           uuid.UUID `json:"job"`
	JobNumber     int64     `json:"job_number"`
	Stage         Stage     `json:"stage"`
	Done          int64     `json:"done"`  // rows
	Total         int64     `json:"total"` // rows; 0 while unknown
	RatePerSecond float64   `json:"rate_per_second"`
	SecondsLeft   *int64    `json:"seconds_left,omitempty"` // nil while unknown
	At            time.Time `json:"at"`
}

const progressVersion = 1

type progressWire struct {
	V int `json:"v"`
	Progress
}

// Encode returns the progress as JSON. A rate that is no number is an error.
func (p Progress) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("encode progress: %w", err)
	}
	p.At = p.At.UTC()
	b, err := json.Marshal(progressWire{V: progressVersion, Progress: p})
	if err != nil {
		return nil, fmt.Errorf("encode progress: %w", err)
	}
	return b, nil
}

// DecodeProgress reads what Encode wrote; another version is an error. Errors do not quote the input.
func DecodeProgress(b []byte) (Progress, error) {
	var w progressWire
	if err := json.Unmarshal(b, &w); err != nil {
		return Progress{}, errors.New("decode progress: not the JSON of a progress")
	}
	if w.V != progressVersion {
		return Progress{}, fmt.Errorf("decode progress: version %d, want %d", w.V, progressVersion)
	}
	if err := w.check(); err != nil {
		return Progress{}, fmt.Errorf("decode progress: %w", err)
	}
	w.At = w.At.UTC()
	return w.Progress, nil
}

func (p Progress) check() error {
	switch {
	case p.Account == uuid.Nil:
		return errors.New("no account")
	case p.Job == uuid.Nil:
		return errors.New("no job")
	case !p.Stage.Valid():
		return errors.New("unknown stage")
	case p.Done < 0 || p.Total < 0:
		return errors.New("negative count")
	}
	return nil
}
