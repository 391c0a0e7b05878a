package ledger

import (
	"context"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/google/uuid"
)

// Bell is where rings and events go: *bus.Bus.
type Bell interface {
	Ring(context.Context, event.Ring) error
	PublishEvent(context.Context, event.Envelope) error
}

// wake is what a commit made sendable.
type wake struct {
	account uuid.UUID
	rings   []ring
}

// ring is a stage to be rung.
type ring struct {
	job   uuid.UUID
	stage event.Stage
	round int32
}

// Relay sends what commits left to be sent. One per process; any number of processes.
type Relay struct {
	ledger *Ledger
	bell   Bell
}

// NewRelay returns the relay of a ledger.
func NewRelay(l *Ledger, bell Bell) *Relay { return &Relay{ledger: l, bell: bell} }

// Run sends until ctx ends; it then returns nil.
func (r *Relay) Run(ctx context.Context) error { return r.run(ctx) }
