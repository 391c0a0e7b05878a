package enrichment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// defaultDays is how long a provider's answers are used again where the account says nothing.
const defaultDays = 90

// enrich asks the provider about the new contacts of a job.
func (s *Service) enrich(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	left := []*ingestv1.Object{c.Work.GetMatched().GetVerdicts()}
	if c.Work.GetPlan() != nil {
		left = append(left, c.Work.Plan)
	}
	if err := owned(c, left...); err != nil {
		return nil, err
	}
	out, err := s.blob.Writer(ctx, c.Object("facts"))
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	facts := row.NewFactsWriter(out)
	q := s.desk.Begin(inquiry.Order{Account: c.Account, Job: c.Job, Since: since(c.Work), GoOn: c.Work.Account.GetCompleteWithoutProvider(), Say: facts.Append})
	defer q.Close()
	fresh := c.Work.Matched.NewRows
	err = s.eachNew(ctx, c.Work, func(number int64, phone, email []byte) error {
		c.Progress(q.Sent(), fresh)
		return q.Add(ctx, number, phone, email)
	})
	if err != nil {
		return nil, err
	}
	r, err := q.End(ctx)
	if err != nil {
		return nil, err
	}
	c.Progress(fresh, fresh)
	if err := facts.Close(); err != nil {
		return nil, fmt.Errorf("write facts: %w", err)
	}
	object, err := out.Close()
	if err != nil {
		return nil, err
	}
	if r.Later > 0 {
		if err := s.later.add(ctx, c.Account, c.Job, since(c.Work)); err != nil {
			return nil, err
		}
	}
	done := &ingestv1.EnrichResult{Facts: stage.ToObject(object), Sent: r.Sent, Known: r.Known, Later: r.Later, Cost: toCost(r.Micros, r.Currency)}
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Enriched{Enriched: done}}, nil
}

// since is the time before which answers are too old for a job. It goes by the job's acceptance, so that whoever works on the job
// again goes by the same.
func since(w *ingestv1.Work) time.Time {
	days := int(w.GetAccount().GetProviderDays())
	if days <= 0 {
		days = defaultDays
	}
	return w.GetJob().GetCreatedAt().AsTime().AddDate(0, 0, -days)
}

// toCost is nil where nothing costs anything.
func toCost(micros int64, currency string) *ingestv1.Cost {
	if currency == "" {
		return nil
	}
	return &ingestv1.Cost{Micros: micros, Currency: currency}
}

// eachNew calls f with the phone and email, normalised, of every row that will be a new contact, in the file's order. Of a job
// under review these are rows that the approved plan says so of, too: merge holds all others, which would be paid for in vain.
func (s *Service) eachNew(ctx context.Context, w *ingestv1.Work, f func(number int64, phone, email []byte) error) error {
	src, err := s.open(ctx, w.GetMatched().GetVerdicts())
	if err != nil {
		return err
	}
	defer src.Close()
	verdicts, err := row.NewVerdictsReader(src)
	if err != nil {
		return err
	}
	asks, ends := func() (bool, error) { return true, nil }, func() error { return io.EOF }
	if w.GetPlan() != nil {
		src, err := s.open(ctx, w.Plan)
		if err != nil {
			return err
		}
		defer src.Close()
		plan, err := row.NewOutcomesReader(src)
		if err != nil {
			return err
		}
		asks = func() (bool, error) {
			e, err := plan.Next()
			if err != nil {
				return false, err
			}
			return e.Outcome == row.Added, nil
		}
		ends = func() error { _, err := plan.Next(); return err }
	}
	mode := row.Mode(w.Job.Settings.Mode)
	for _, c := range w.Validated.Chunks {
		if err := s.eachNewOf(ctx, c, mode, verdicts, asks, f); err != nil {
			return fmt.Errorf("read rows %s: %w", c.Cells.Name, err)
		}
	}
	if _, err := verdicts.Next(); !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.DataLoss, "rows-missing", err, "there are more verdicts than rows")
	}
	if err := ends(); !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.DataLoss, "rows-missing", err, "the plan has more rows than there are")
	}
	return nil
}

func (s *Service) eachNewOf(ctx context.Context, c *ingestv1.Chunk, mode row.Mode, verdicts *row.VerdictsReader, asks func() (bool, error), f func(number int64, phone, email []byte) error) error {
	src, err := s.open(ctx, c.Cells)
	if err != nil {
		return err
	}
	defer src.Close()
	rows, err := row.NewCellsReader(src)
	if err != nil {
		return err
	}
	phone, email := -1, -1
	for i, col := range rows.Header.Mapped() {
		switch rows.Header.Columns[col].Field {
		case "phone":
			phone = i
		case "email":
			email = i
		}
	}
	for n := c.FirstRow; ; n++ {
		r, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		v, err := verdicts.Next()
		if err != nil {
			return fmt.Errorf("read verdict on row %d: %w", n, err)
		}
		asked, err := asks()
		if err != nil {
			return fmt.Errorf("read plan of row %d: %w", n, err)
		}
		if _, action := row.Decide(mode, v.Relation); action != row.AddContact || !asked {
			continue
		}
		if err := f(n, value(r, phone), value(r, email)); err != nil {
			return err
		}
	}
}

func value(r *row.Cells, i int) []byte {
	if i < 0 || i >= len(r.Values) || r.Values[i].Kind != row.AsCell && r.Values[i].Kind != row.AsText {
		return nil
	}
	return r.Values[i].Text
}
