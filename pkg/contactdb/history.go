package contactdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
)

// History is where a contact's values come from, and its past. Secret values are Masked.
type History struct {
	Values  []ValueOrigin   // those that it has, in the order of the fields, own ones of the schema after standard ones
	Changes []ContactChange // newest first; the last is how it was made, unless it had more than a thousand
}

// Origin is who gave a value, and when: a job or a person.
type Origin struct {
	Job    uuid.NullUUID // null of a person
	Number int64         // of the job; 0 where that is not known
	Line   int64         // of the job's file; 0 for none
	By     uuid.NullUUID // the API key of the person; null of a job
	At     time.Time     // when a person did it or the job was applied
}

// ValueOrigin is a value and where it comes from.
type ValueOrigin struct {
	Field  contact.Field
	Value  string
	Origin Origin
}

// ContactChange is what was done to a contact.
type ContactChange struct {
	What   What
	Origin Origin
	UndoOf int64         // number of the job that was taken back by it; 0 if it is no undo
	Values []ValueChange // of Changed, in the order of the fields
}

// What is the kind of a change.
type What string

// The kinds of change.
const (
	Made     What = "made"
	Changed  What = "changed"
	Restored What = "restored" // made again, by the undo of an undo that had removed it
)

// ValueChange is a value before and after; an empty one is none.
type ValueChange struct {
	Field         contact.Field
	Before, After string
}

// History reads a contact's history; own fields that the schema does not have are left out. NotFound if the account has no
// such contact.
func (c *Contacts) History(ctx context.Context, account, id uuid.UUID, s *contact.Schema) (History, error) {
	var h History
	err := c.db.Snapshot(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		found, err := c.read(ctx, tx, account, []Cursor{{After: id}})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return unknownContact()
		}
		r := reading{contact: &found[0], schema: s, jobs: map[int64]appliedJob{}}
		if r.past, err = collect(ctx, tx, scanPast, c.sql.ChangesOfContact, account, id, mostChanges); err != nil {
			return err
		}
		if r.restored, err = collect(ctx, tx, scanRestored, c.sql.RestoredContact, account, id); err != nil {
			return err
		}
		if err := c.jobsOf(ctx, tx, account, &r); err != nil {
			return err
		}
		h, err = r.history()
		return err
	})
	if err != nil {
		return History{}, fmt.Errorf("read history of contact %s: %w", id, err)
	}
	return h, nil
}

// appliedJob is a job that took effect.
type appliedJob struct {
	id     uuid.UUID
	number int64
	at     time.Time
}

// jobsOf finds the jobs that the contact's values come from.
func (c *Contacts) jobsOf(ctx context.Context, tx pgx.Tx, account uuid.UUID, r *reading) error {
	numbers := []int64{}
	for f := range r.contact.Values {
		e, found, err := r.contact.origins.entry(f)
		if err != nil {
			return err
		}
		if found {
			numbers = append(numbers, e.number)
		}
	}
	scan := func(row pgx.CollectableRow) (j appliedJob, err error) {
		err = row.Scan(&j.id, &j.number, &j.at)
		return j, err
	}
	jobs, err := collect(ctx, tx, scan, c.sql.JobsOfNumbers, account, numbers)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		r.jobs[j.number] = j
	}
	if !r.contact.CreatedJob.Valid {
		return nil
	}
	maker, err := collect(ctx, tx, scan, c.sql.JobByID, account, r.contact.CreatedJob.UUID)
	if len(maker) > 0 {
		r.maker = maker[0]
	}
	return err
}

func scanRestored(row pgx.CollectableRow) (ch ContactChange, err error) {
	ch.What = Restored
	err = row.Scan(&ch.Origin.Job, &ch.Origin.Number, &ch.UndoOf, &ch.Origin.At)
	return ch, err
}

// reading is a history as it is put together.
type reading struct {
	contact  *Contact
	schema   *contact.Schema
	past     []past // newest first
	restored []ContactChange
	jobs     map[int64]appliedJob // by number
	maker    appliedJob
}

func (r *reading) history() (h History, err error) {
	made, err := r.made()
	if err != nil {
		return h, err
	}
	for _, f := range r.schema.Fields() {
		value, ok := r.contact.Values[f]
		if !ok {
			continue
		}
		origin, err := r.origin(f, made)
		if err != nil {
			return h, err
		}
		h.Values = append(h.Values, ValueOrigin{Field: f, Value: value, Origin: origin})
	}
	changes, err := r.changes()
	if err != nil {
		return h, err
	}
	for _, ch := range r.restored {
		changes = append(changes, dated{ch, ch.Origin.At})
	}
	slices.SortStableFunc(changes, func(a, b dated) int { return b.written.Compare(a.written) })
	for _, ch := range changes {
		h.Changes = append(h.Changes, ch.ContactChange)
	}
	if len(r.past) < mostChanges {
		h.Changes = append(h.Changes, ContactChange{What: Made, Origin: made})
	}
	return h, nil
}

// dated is a change and when it was written: a person's is of a moment before.
type dated struct {
	ContactChange
	written time.Time
}

// changes goes back from what the contact is, change by change: what one left is what the next newer one found.
func (r *reading) changes() ([]dated, error) {
	var all []dated
	now, left := maps.Clone(r.contact.Values), r.contact.origins
	for i := range r.past {
		p := &r.past[i]
		ch := ContactChange{What: Changed, UndoOf: p.undoOf, Origin: Origin{At: p.at, By: p.by}}
		if !p.by.Valid {
			ch.Origin = Origin{At: p.at, Job: uuid.NullUUID{UUID: p.job, Valid: true}, Number: p.number, Line: p.line}
		}
		for _, f := range p.changed() {
			v := ValueChange{Field: f, Before: p.Values[f], After: now[f]}
			now[f] = p.Values[f]
			if _, known := r.schema.Spec(f); known {
				ch.Values = append(ch.Values, v)
			}
			by, found, err := left.override(f)
			if err != nil {
				return nil, err
			}
			if p.by.Valid && found {
				ch.Origin.At = by.At
			}
		}
		all, left = append(all, dated{ch, p.at}), p.before
	}
	return all, nil
}

// origin is where the value of a field comes from.
func (r *reading) origin(f contact.Field, made Origin) (Origin, error) {
	by, found, err := r.contact.origins.override(f)
	if found || err != nil {
		return Origin{By: uuid.NullUUID{UUID: by.By, Valid: true}, At: by.At}, err
	}
	e, found, err := r.contact.origins.entry(f)
	if !found || err != nil {
		return made, err
	}
	o := Origin{Number: e.number, Line: e.line}
	if j, known := r.jobs[e.number]; known {
		o.Job, o.At = uuid.NullUUID{UUID: j.id, Valid: true}, j.at
	}
	return o, nil
}

// made is who made the contact. A person who did signed all values that it was made with: the oldest origins tell.
func (r *reading) made() (Origin, error) {
	if r.contact.CreatedJob.Valid {
		return Origin{Job: r.contact.CreatedJob, Number: r.maker.number, Line: r.contact.CreatedLine, At: r.contact.CreatedAt}, nil
	}
	oldest := r.contact.origins
	if n := len(r.past); n > 0 {
		oldest = r.past[n-1].before
	}
	o := Origin{At: r.contact.CreatedAt}
	for _, f := range r.schema.Fields() {
		by, found, err := oldest.override(f)
		if err != nil {
			return o, err
		}
		if found {
			o.By = uuid.NullUUID{UUID: by.By, Valid: true}
			break
		}
	}
	return o, nil
}
