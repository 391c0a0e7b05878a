package ledger

import "context"

// Reconciler ends leases that ran out, and rings again what nobody came for.
type Reconciler struct{ ledger *Ledger }

// NewReconciler returns the reconciler of a ledger.
func NewReconciler(l *Ledger) *Reconciler { return &Reconciler{ledger: l} }

// Run reconciles every second until ctx ends; it then returns nil.
func (r *Reconciler) Run(ctx context.Context) error { return r.run(ctx) }

// Once does what Run does every second.
func (r *Reconciler) Once(ctx context.Context) error { return r.once(ctx) }
