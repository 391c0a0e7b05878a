package contactdb

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
)

// mostChanges bounds what is read of a contact's past: the latest.
const mostChanges = 1_000

// past is a contact as it was before it was changed: image has only what changed then.
type past struct {
	image
	job    uuid.UUID // or the id of an edit by hand
	number int64     // the job's; 0 for an edit
	undoOf int64     // number of the job that it took back; 0 if it is no undo
	line   int64
	fields uint64
	at     time.Time
	by     uuid.NullUUID // of an edit
	before origins
}

// scanPast reads a line of changes_of_contact.sql.
func scanPast(row pgx.CollectableRow) (p past, err error) {
	s := newImageScan()
	var fields int64
	var before []byte
	into := []any{&p.job, &p.line, &fields, &p.at, &p.by, &before, &p.number, &p.undoOf}
	if err := row.Scan(append(into, s.into()...)...); err != nil {
		return p, err
	}
	p.fields = uint64(fields)
	if p.before, err = readOrigins(before); err != nil {
		return p, err
	}
	p.image, err = s.image()
	return p, err
}

// changed are the fields that changed, in their order.
func (p *past) changed() []contact.Field {
	var all []contact.Field
	for _, c := range Columns() {
		if p.fields&(1<<c.Field) != 0 {
			all = append(all, c.Field)
		}
	}
	return append(all, p.named...)
}
