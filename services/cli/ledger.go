package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/money"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// batchFlags chooses batches of the ledger of providers.
type batchFlags struct{ job, provider, since, until string }

func (f *batchFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.job, "job", "", "only what this `JOB` asked, then or later")
	flags.StringVar(&f.provider, "provider", "", "only what this `name` was asked")
	flags.StringVar(&f.since, "since", "", "only what was sent on this `day` or later, e.g. 2026-11-01, or at this time")
	flags.StringVar(&f.until, "until", "", "only what was sent before this `day`, or before this time")
}

func (f *batchFlags) filter(ctx context.Context, c *client) (*enrichmentv1.BatchFilter, error) {
	filter := &enrichmentv1.BatchFilter{Provider: f.provider}
	var err error
	if filter.SentSince, err = instant("--since", f.since); err != nil {
		return nil, err
	}
	if filter.SentBefore, err = instant("--until", f.until); err != nil {
		return nil, err
	}
	if f.job != "" {
		r, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: f.job})
		if err != nil {
			return nil, err
		}
		filter.JobId = r.GetJob().GetId()
	}
	return filter, nil
}

func (p *program) providerCosts() *cobra.Command {
	var f batchFlags
	c := &cobra.Command{Use: "costs", Short: "Add up what providers were asked and what it cost, by month (UTC), newest first", Args: args(cobra.NoArgs)}
	f.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		filter, err := f.filter(c.Context(), client)
		if err != nil {
			return err
		}
		r, err := client.ledger.SumBatches(c.Context(), &enrichmentv1.SumBatchesRequest{Filter: filter})
		if err != nil {
			return noBooks(err)
		}
		l := p.list("month", "provider", "batches", "open", "failed", "asked", "known", "cost")
		for _, s := range r.Sums {
			if err := l.add(s, s.Month, s.Provider, humanize.Comma(s.Batches), humanize.Comma(s.Open), humanize.Comma(s.Failed), humanize.Comma(s.Subjects), humanize.Comma(s.Known), cost(s.CostMicros, s.Currency)); err != nil {
				return err
			}
		}
		return l.end()
	}
	return c
}

func (p *program) providerBatches() *cobra.Command {
	var f batchFlags
	c := &cobra.Command{Use: "batches", Short: "List what providers were asked, batch by batch, in the order sent: to hold against a bill", Args: args(cobra.NoArgs)}
	f.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		filter, err := f.filter(c.Context(), client)
		if err != nil {
			return err
		}
		stream, err := client.ledger.ListBatches(c.Context(), &enrichmentv1.ListBatchesRequest{Filter: filter})
		if err != nil {
			return err
		}
		l, numbers := p.list("sent", "job", "provider", "batch", "state", "asked", "known", "cost"), numbers{jobs: client.jobs, of: map[string]string{}}
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return l.end()
			}
			if err != nil {
				return noBooks(err)
			}
			b, job := r.Batch, ""
			if p.output == "table" {
				if job, err = numbers.number(c.Context(), b.JobId); err != nil {
					return err
				}
			}
			if err := l.add(b, b.SentAt.AsTime().Local().Format(time.DateTime), job, b.Provider, b.BatchId, batchState(b), humanize.Comma(b.Subjects), humanize.Comma(b.Known), cost(b.CostMicros, b.Currency)); err != nil {
				return err
			}
		}
	}
	return c
}

// noBooks says where to look if the server asked keeps none.
func noBooks(err error) error {
	if errors.Is(err, fault.Unimplemented) {
		return fault.Wrap(fault.Unimplemented, "no-books", err, "the server does not know what providers were asked").
			Hint("CONTACTMILL_ENRICHMENT_ADDR says where enrichment is, if it is not behind CONTACTMILL_ADDR")
	}
	return err
}

func batchState(b *enrichmentv1.Batch) string {
	s := strings.TrimPrefix(b.State.String(), "BATCH_STATE_")
	if b.Failed != "" {
		s += " " + b.Failed
	}
	return s
}

// cost is never empty: a provider may cost nothing.
func cost(micros int64, currency string) string {
	if currency == "" {
		return "free"
	}
	return money.Text(micros, currency)
}

// numbers knows the numbers of jobs by their ids.
type numbers struct {
	jobs ingestv1.JobsServiceClient
	of   map[string]string
}

// number is the id itself where there is no such job any more.
func (n numbers) number(ctx context.Context, id string) (string, error) {
	if s, ok := n.of[id]; ok {
		return s, nil
	}
	r, err := n.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: id})
	switch {
	case errors.Is(err, fault.NotFound):
		n.of[id] = id
	case err != nil:
		return "", fmt.Errorf("look up the number of job %s: %w", id, err)
	default:
		n.of[id] = strconv.FormatInt(r.GetJob().GetNumber(), 10)
	}
	return n.of[id], nil
}
