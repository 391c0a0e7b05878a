package merge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
)

// isUndo tells whether the job takes back another; it has no file.
func (j *job) isUndo() bool { return j.UndoOf != uuid.Nil }

// readUndo reads which job is to be taken back.
func (j *job) readUndo(of string) error {
	id, err := uuid.Parse(of)
	if err != nil || id == uuid.Nil {
		return fault.New(fault.Invalid, "bad-undo", "job %s undoes a job whose id cannot be read", j.ID)
	}
	j.UndoOf = id
	return nil
}

// undo takes a job back under the account's lock and tells what became of each contact.
func (w *worker) undo(ctx context.Context, tx pgx.Tx, j *job, c leave, most int64) (none contactdb.Applied, err error) {
	held, err := w.contacts.Lock(ctx, tx, j.Job)
	if err != nil {
		return none, err
	}
	if err := w.at("locked"); err != nil {
		return none, err
	}
	done, err := w.contacts.Undo(ctx, tx, w.undoChange(j), held.Held, most)
	if err != nil {
		return none, fmt.Errorf("undo job %s: %w", j.UndoOf, err)
	}
	if err := w.at("applied"); err != nil {
		return none, err
	}
	a, err := w.undone(ctx, tx, j, done, c)
	a.ListID, a.ListName = done.ListID, done.ListName
	return a, err
}

// previewUndo says what would become of contacts, and changes nothing.
func (w *worker) previewUndo(ctx context.Context, tx pgx.Tx, j *job, c leave, held, most int64) (contactdb.Applied, error) {
	plan, err := w.contacts.PlanUndo(ctx, tx, w.undoChange(j), held, most)
	if err != nil {
		return contactdb.Applied{}, fmt.Errorf("preview undo of job %s: %w", j.UndoOf, err)
	}
	return w.undone(ctx, tx, j, plan, c)
}

func (w *worker) undoChange(j *job) contactdb.UndoChange {
	return contactdb.UndoChange{Job: j.Job, Of: j.UndoOf, Schema: j.schema, Ring: w.ring}
}

// undone writes what became of every contact that the undone job had come to, in the order of their ids, as one object, and counts.
func (w *worker) undone(ctx context.Context, tx pgx.Tx, j *job, done contactdb.Undone, c leave) (none contactdb.Applied, err error) {
	out, err := w.blob.Writer(ctx, c.Object("outcomes"))
	if err != nil {
		return none, err
	}
	defer out.Abort()
	list, err := w.contacts.Undone(ctx, tx, w.undoChange(j))
	if err != nil {
		return none, err
	}
	defer list.Close()
	var counts [row.Suppressed + 1]int64
	var n, removed int64
	ended := row.NewOutcomesWriter(out)
	for ; ; n++ {
		if n&0xfff == 0 {
			c.Progress(n, max(n, done.Contacts))
		}
		r, err := list.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return none, err
		}
		counts[r.Outcome]++
		if r.Reason == finding.Removed {
			removed++
		}
		if err := ended.Append(&row.Ended{Line: r.Line, Outcome: r.Outcome, Contact: r.Contact, Reason: string(r.Reason), Detail: r.Detail}); err != nil {
			return none, fmt.Errorf("write outcomes: %w", err)
		}
	}
	if err := ended.Close(); err != nil {
		return none, fmt.Errorf("write outcomes: %w", err)
	}
	object, err := out.Close()
	if err != nil {
		return none, err
	}
	a := toApplied(j, counts, 0, object)
	a.Removed = removed
	return a, nil
}
