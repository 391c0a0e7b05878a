package enrichment

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry"
	"github.com/contactmill/contactmill/services/enrichment/internal/repeat"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// foreseen is how many values are looked up in the ledger at once.
const foreseen = 10_000

// forecast counts what the new rows of a job would cost, without asking the provider about any.
type forecast struct {
	desk    *inquiry.Desk
	about   *inquiry.Description // nil while the provider has never said what it is
	account uuid.UUID
	since   time.Time
	ahead   int64

	rows   [][2]uuid.UUID // phone and email of rows that are not looked up yet
	send   int64
	before int64
}

// forecast is what a check or a job under review is told; nil for others.
func (s *Service) forecast(ctx context.Context, c *stage.Claim) (*forecast, error) {
	if o := c.Work.Job.Settings; !o.Check && !o.Review {
		return nil, nil
	}
	about, err := s.desk.Described(ctx)
	if err != nil {
		return nil, fmt.Errorf("forecast: %w", err)
	}
	return &forecast{desk: s.desk, about: about, account: c.Account, since: since(c.Work), ahead: c.Work.JobsAhead}, nil
}

// add takes a new row with the hashes of its values, the zero one for none.
func (f *forecast) add(ctx context.Context, phone, email uuid.UUID) error {
	switch {
	case phone == uuid.Nil && email == uuid.Nil:
		return nil
	case f.about == nil || !f.about.Paid():
		f.send++
		return nil
	}
	f.rows = append(f.rows, [2]uuid.UUID{phone, email})
	if 2*len(f.rows) < foreseen {
		return nil
	}
	return f.look(ctx)
}

func (f *forecast) look(ctx context.Context) error {
	values := make([]uuid.UUID, 0, 2*len(f.rows))
	for _, r := range f.rows {
		for _, v := range r {
			if v != uuid.Nil {
				values = append(values, v)
			}
		}
	}
	known, err := f.desk.Known(ctx, f.account, f.about, f.since, values)
	if err != nil {
		return fmt.Errorf("forecast: %w", err)
	}
	known[uuid.Nil] = true
	for _, r := range f.rows {
		if known[r[0]] && known[r[1]] {
			f.before++
		} else {
			f.send++
		}
	}
	f.rows = f.rows[:0]
	return nil
}

// end is the forecast.
func (f *forecast) end(ctx context.Context) (*ingestv1.Forecast, error) {
	if f == nil {
		return nil, nil
	}
	if len(f.rows) > 0 {
		if err := f.look(ctx); err != nil {
			return nil, err
		}
	}
	r := &ingestv1.Forecast{ToSend: f.send, KnownAlready: f.before, JobsAhead: f.ahead}
	if f.about != nil {
		r.Provider, r.Cost = f.about.Name, toCost(f.about.Price*f.send, f.about.Currency)
	}
	return r, nil
}

// shares counts, by unique key, the rows that have it and those that found a contact by it.
type shares [row.KeyCount]struct{ rows, known int64 }

// add takes a row that is neither INVALID nor a repeat: the keys it has and those that hit.
func (s *shares) add(has, hit uint16) {
	for m := has & repeat.Unique; m != 0; m &= m - 1 {
		k := bits.TrailingZeros16(m)
		s[k].rows++
		if hit&(1<<k) != 0 {
			s[k].known++
		}
	}
}

func (s *shares) list() (all []*ingestv1.KeyShare) {
	for k, n := range s {
		if n.rows > 0 {
			all = append(all, &ingestv1.KeyShare{Key: uint32(k), Rows: n.rows, Known: n.known})
		}
	}
	return all
}

// When known ids have become unknown: shares of fewer rows say nothing, and between the two others lies what may well happen.
const (
	fewRows     = 20
	usuallyMost = 0.5
	nowFew      = 0.1
)

// unknownIDs asks a person whether a file is meant so whose ids nearly all are unknown, where those of the last such file were
// known: a column that holds something else by now would make second profiles of contacts that are there. nil if all is well, or if none are held.
func unknownIDs(w *ingestv1.Work, names func(contact.Key) string, held int64, now *shares) *ingestv1.Question {
	if mode := w.Job.Settings.Mode; w.Confirmed || held == 0 || mode != ingestv1.Mode_MODE_ADD && mode != ingestv1.Mode_MODE_UPSERT {
		return nil
	}
	for _, was := range w.Usual {
		if was.Key >= row.KeyCount || was.Rows < fewRows || float64(was.Known) < usuallyMost*float64(was.Rows) {
			continue
		}
		n := now[was.Key]
		if n.rows < fewRows || float64(n.known) >= nowFew*float64(n.rows) {
			continue
		}
		q := &ingestv1.Question{Code: "ids-unknown", Hint: fmt.Sprintf("If the file is meant so: contactmill jobs answer %[1]d --confirm. If not: contactmill jobs cancel %[1]d, and hand in the right file.", w.Job.Number)}
		name := names(contact.Key(was.Key))
		column := fmt.Sprintf("field %s", name)
		for _, c := range w.Validated.Columns {
			if c.Field == name {
				column = fmt.Sprintf("column %q (%s)", c.Heading, name)
				q.Columns = append(q.Columns, c)
			}
		}
		q.Message = fmt.Sprintf("Of %d rows with a value in %s, %d are known here (%s); of the last file like it, %d of %d were (%s).",
			n.rows, column, n.known, percent(n.known, n.rows), was.Known, was.Rows, percent(was.Known, was.Rows))
		return q
	}
	return nil
}

func percent(part, whole int64) string { return fmt.Sprintf("%d %%", part*100/whole) }
