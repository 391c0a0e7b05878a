package event

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Ring is the doorbell: the stage of a job may be worked on. It says nothing else; the ledger is asked for the rest.
type Ring struct {
	Account uuid.UUID
	Job     uuid.UUID
	Stage   Stage
}

const ringVersion = 1

type ringWire struct {
	V       int       `json:"v"`
	Account uuid.UUID `json:"account"`
	Job     uuid.UUID `json:"job"`
	Stage   Stage     `json:"stage"`
}

// Encode returns the ring as JSON, or an error when a field is missing.
func (r Ring) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("encode ring: %w", err)
	}
	return json.Marshal(ringWire{V: ringVersion, Account: r.Account, Job: r.Job, Stage: r.Stage})
}

// DecodeRing reads what Encode wrote. Fields it does not know are passed over, another version is an error. Errors do not quote the input.
func DecodeRing(b []byte) (Ring, error) {
	var w ringWire
	if err := json.Unmarshal(b, &w); err != nil {
		return Ring{}, errors.New("decode ring: not the JSON of a ring")
	}
	if w.V != ringVersion {
		return Ring{}, fmt.Errorf("decode ring: version %d, want %d", w.V, ringVersion)
	}
	r := Ring{Account: w.Account, Job: w.Job, Stage: w.Stage}
	if err := r.check(); err != nil {
		return Ring{}, fmt.Errorf("decode ring: %w", err)
	}
	return r, nil
}

func (r Ring) check() error {
	switch {
	case r.Account == uuid.Nil:
		return errors.New("no account")
	case r.Job == uuid.Nil:
		return errors.New("no job")
	case !r.Stage.Valid():
		return errors.New("unknown stage")
	}
	return nil
}
