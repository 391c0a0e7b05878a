package cli

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/money"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func (p *program) jobsForecast() *cobra.Command {
	var wait bool
	var request string
	c := &cobra.Command{Use: "forecast JOB", Short: "Say what would become of a job's rows now, and what that would cost",
		Long: "Say what would become of a job's rows now, and what that would cost, by a check of the same file as the job was asked.\n" +
			"The job itself goes its way.",
		Args: args(cobra.ExactArgs(1))}
	c.Flags().BoolVar(&wait, "wait", true, "wait until it is told; --wait=false shows the check at once")
	c.Flags().StringVar(&request, "request-id", "", "the check's own id: the same id is one check")
	c.RunE = func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.jobs.ForecastJob(c.Context(), &ingestv1.ForecastJobRequest{Job: a[0], RequestId: request})
		if err != nil {
			return err
		}
		return p.handedIn(c.Context(), client, r.Job, wait)
	}
	return c
}

func (p *program) jobsApprove() *cobra.Command {
	var wait bool
	c := &cobra.Command{Use: "approve JOB", Short: "Let a job take effect as its plan says",
		Long: "Let a job take effect as its plan says. Rows whose outcome would be another by then are HELD: nothing of them is applied.",
		Args: args(cobra.ExactArgs(1))}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is final")
	c.RunE = func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.jobs.ApproveJob(c.Context(), &ingestv1.ApproveJobRequest{Job: a[0]})
		if err != nil {
			return err
		}
		return p.handedIn(c.Context(), client, r.Job, wait)
	}
	return c
}

func (p *program) jobsReject() *cobra.Command {
	var reason string
	c := p.onJob("reject JOB", "End a job whose plan is not wanted; it changes nothing", func(ctx context.Context, c *client, job string) (*ingestv1.Job, error) {
		r, err := c.jobs.RejectJob(ctx, &ingestv1.RejectJobRequest{Job: job, Reason: reason})
		return r.GetJob(), err
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for those who are told")
	return c
}

// resultWords is what became of a job's rows, or what would become of them while its plan waits.
func resultWords(j *ingestv1.Job) string {
	if j.State == ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL {
		return "would be: " + planned(j.Plan)
	}
	return counts(j.Counts, j.UndoOf != "")
}

func planned(plan *ingestv1.Counts) string {
	if words := counts(plan, false); words != "" {
		return words
	}
	return "no rows"
}

// planRemarks says what was planned, what it would cost and what it has cost, and how to go on.
func (p *program) planRemarks(j *ingestv1.Job) {
	awaits := j.State == ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL
	if j.Plan != nil && !awaits {
		approved := "not approved"
		if j.ApprovedBy != "" {
			approved = "approved by key " + printable(j.ApprovedBy)
		}
		fmt.Fprintf(p.out, "  plan: %s (%s)\n", planned(j.Plan), approved)
	}
	if f := j.Forecast; f != nil && (awaits || j.State == ingestv1.JobState_JOB_STATE_CHECKED) {
		p.forecast(f)
	}
	if cost := money.Text(j.GetCost().GetMicros(), j.GetCost().GetCurrency()); cost != "" {
		fmt.Fprintf(p.out, "  cost: %s\n", printable(cost))
	}
	if n := j.GetCounts().GetEnrichedLater(); n > 0 {
		fmt.Fprintf(p.out, "  %s left to be enriched later: the provider did not answer\n", rows(n))
	}
	if awaits {
		for _, command := range []string{"report %d --plan", "approve %d", "reject %d"} {
			fmt.Fprintf(p.out, "  contactmill jobs "+command+"\n", j.Number)
		}
	}
}

// forecast says what would be asked of the provider, what that would cost, and what it does not foresee.
func (p *program) forecast(f *ingestv1.Forecast) {
	if f.ToSend > 0 || f.KnownAlready > 0 {
		words := humanize.Comma(f.ToSend) + " to be sent"
		if cost := money.Text(f.GetCost().GetMicros(), f.GetCost().GetCurrency()); cost != "" {
			words += ", " + cost
		}
		if f.KnownAlready > 0 {
			words += "; " + humanize.Comma(f.KnownAlready) + " known already"
		}
		fmt.Fprintf(p.out, "  provider%s: %s\n", printable(spaced(f.Provider)), printable(words))
	}
	switch {
	case f.JobsAhead == 1:
		fmt.Fprintln(p.out, "  1 job goes before it: what that does is not foreseen")
	case f.JobsAhead > 1:
		fmt.Fprintf(p.out, "  %s jobs go before it: what they do is not foreseen\n", humanize.Comma(f.JobsAhead))
	}
}

// spaced is a name behind a space, or nothing.
func spaced(name string) string {
	if name == "" {
		return ""
	}
	return " " + name
}
