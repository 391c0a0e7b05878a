package ledger

import (
	"context"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
)

// Undo makes a job that takes back what a COMPLETED or COMPLETED_WITH_REJECTS one did, an import or an undo itself; others
// are Precondition "not-undoable". It waits for its turn like any job, then goes straight to its merge, which alone knows
// what there is to do. A preview waits for nothing and ends CHECKED. A request id works as for Accept.
func (l *Ledger) Undo(ctx context.Context, account uuid.UUID, ref Ref, preview bool, r Resubmission) (job Job, existing bool, err error) {
	return l.resubmit(ctx, account, ref, r, func(o *jobRow) (jobRow, error) {
		if err := o.undoable(); err != nil {
			return jobRow{}, err
		}
		return jobRow{Kind: Undo, UndoOf: &o.ID, UndoOfNumber: &o.Number, Settings: Settings{Check: preview}}, nil
	}, func(old, of *jobRow) bool {
		return old.RetryOf == nil && old.UndoOf != nil && *old.UndoOf == of.ID && old.CheckOnly == preview
	})
}

// undoable refuses a job that had no effect, or none yet.
func (r *jobRow) undoable() error {
	refuse := func(format string, args ...any) *fault.Error {
		return fault.New(fault.Precondition, "not-undoable", format, args...)
	}
	switch {
	case r.State == Completed || r.State == CompletedWithRejects:
		return nil
	case r.State == Checked:
		return refuse("job %d was only a check: it changed nothing that could be taken back", r.Number)
	case r.State.Final():
		return refuse("job %d is %s: it changed nothing that could be taken back", r.Number, r.State)
	}
	return refuse("job %d is %s and has not ended: only what a job did can be taken back", r.Number, r.State).Hint("cancel it, or wait for its end")
}
