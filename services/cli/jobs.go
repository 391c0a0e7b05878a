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

	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func (p *program) jobs() *cobra.Command {
	return group("jobs", "Follow and steer jobs; a job is named by its number or id",
		p.jobsList(), p.jobsGet(), p.jobsWatch(), p.jobsCancel(), p.jobsRetry(), p.jobsUndo(), p.jobsForecast(), p.jobsAnswer(), p.jobsApprove(), p.jobsReject(), p.jobsReport())
}

// listName is in characters; longer names are cut.
const listName = 40

func (p *program) jobsList() *cobra.Command {
	var most int
	var states []string
	c := &cobra.Command{Use: "list", Short: "List jobs, newest first", Args: args(cobra.NoArgs)}
	c.Flags().IntVar(&most, "limit", 50, "at most this many; 0 for all")
	c.Flags().StringSliceVar(&states, "state", nil, "only in these states, e.g. READY,NEEDS_ANSWER")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r := &ingestv1.ListJobsRequest{}
		for _, s := range states {
			v, ok := ingestv1.JobState_value["JOB_STATE_"+strings.ToUpper(s)]
			if !ok || v == 0 {
				return usage{fmt.Errorf("--state %s: there is no such state", s)}
			}
			r.States = append(r.States, ingestv1.JobState(v))
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		l := p.list("number", "state", "file", "rows", "result", "created")
		for n := 0; most == 0 || n < most; {
			r.PageSize = 500
			if most > 0 {
				r.PageSize = int32(min(500, most-n))
			}
			page, err := client.jobs.ListJobs(c.Context(), r)
			if err != nil {
				return err
			}
			for _, j := range page.Jobs {
				if err := l.add(j, strconv.FormatInt(j.Number, 10), state(j.State), shortened(title(j), listName), humanize.Comma(j.GetCounts().GetRows()), resultWords(j), j.CreatedAt.AsTime().Local().Format(time.DateTime)); err != nil {
					return err
				}
			}
			n += len(page.Jobs)
			if r.PageToken = page.NextPageToken; r.PageToken == "" {
				break
			}
		}
		return l.end()
	}
	return c
}

func (p *program) jobsGet() *cobra.Command {
	return p.onJob("get JOB", "Show a job", func(ctx context.Context, c *client, job string) (*ingestv1.Job, error) {
		r, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: job})
		return r.GetJob(), err
	})
}

func (p *program) jobsCancel() *cobra.Command {
	return p.onJob("cancel JOB", "Cancel a job before its effect is committed", func(ctx context.Context, c *client, job string) (*ingestv1.Job, error) {
		r, err := c.jobs.CancelJob(ctx, &ingestv1.CancelJobRequest{Job: job})
		return r.GetJob(), err
	})
}

func (p *program) jobsRetry() *cobra.Command {
	var wait bool
	var request string
	c := &cobra.Command{Use: "retry JOB", Short: "Make a new job of a failed, rejected or cancelled one", Args: args(cobra.ExactArgs(1))}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is final or waits for a person")
	c.Flags().StringVar(&request, "request-id", "", "the new submission's own id: the same id is one job")
	c.RunE = func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.jobs.RetryJob(c.Context(), &ingestv1.RetryJobRequest{Job: a[0], RequestId: request})
		if err != nil {
			return err
		}
		return p.handedIn(c.Context(), client, r.Job, wait)
	}
	return c
}

func (p *program) jobsUndo() *cobra.Command {
	var wait, preview bool
	var request string
	c := &cobra.Command{Use: "undo JOB", Short: "Make a new job that takes back what one did, but for what was touched since", Args: args(cobra.ExactArgs(1))}
	c.Flags().BoolVar(&preview, "preview", false, "only say what would be taken back and what kept, change nothing")
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is final")
	c.Flags().StringVar(&request, "request-id", "", "the new submission's own id: the same id is one job")
	c.RunE = func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.jobs.UndoJob(c.Context(), &ingestv1.UndoJobRequest{Job: a[0], Preview: preview, RequestId: request})
		if err != nil {
			return err
		}
		return p.handedIn(c.Context(), client, r.Job, wait)
	}
	return c
}

func (p *program) jobsAnswer() *cobra.Command {
	var wait bool
	var says said
	var confirm bool
	c := &cobra.Command{Use: "answer JOB", Short: "Answer a job that asks something", Args: args(cobra.ExactArgs(1))}
	says.flags(c.Flags())
	c.Flags().BoolVar(&confirm, "confirm", false, "go on as it is: the file is meant so")
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is final or waits for a person")
	c.RunE = func(c *cobra.Command, a []string) error {
		if err := says.read(); err != nil {
			return err
		}
		r := &ingestv1.AnswerJobRequest{Job: a[0], Mapping: says.mapping, DateOrder: says.dateOrder, Reading: says.reading, Values: says.valueMaps, Confirm: confirm}
		client, err := p.client()
		if err != nil {
			return err
		}
		answered, err := client.jobs.AnswerJob(c.Context(), r)
		if err != nil {
			return err
		}
		return p.handedIn(c.Context(), client, answered.Job, wait)
	}
	return c
}

func (p *program) jobsWatch() *cobra.Command {
	c := &cobra.Command{Use: "watch JOB", Short: "Follow a job until it is final or waits for a person", Args: args(cobra.ExactArgs(1))}
	c.RunE = func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.jobs.GetJob(c.Context(), &ingestv1.GetJobRequest{Job: a[0]})
		if err != nil {
			return err
		}
		return p.handedIn(c.Context(), client, r.Job, true)
	}
	return c
}

func (p *program) jobsReport() *cobra.Command {
	var outcome string
	var newer, plan bool
	c := &cobra.Command{Use: "report JOB", Short: "Write the rows of an outcome as CSV to standard output", Args: args(cobra.ExactArgs(1))}
	c.Flags().BoolVar(&newer, "return-to-sender", false, "instead of rows, the values that are newer here than in the file, for who sent it")
	c.Flags().BoolVar(&plan, "plan", false, "the rows with the outcomes of the job's plan: what would become, or was to become of them")
	c.Flags().StringVar(&outcome, "outcome", "", "added, updated, unchanged, duplicate, unmatched, invalid, conflict, held or suppressed; all rows if not given")
	c.RunE = func(c *cobra.Command, a []string) error {
		r := &ingestv1.DownloadReportRequest{Job: a[0]}
		switch {
		case newer && outcome != "":
			return usage{errors.New("--outcome and --return-to-sender: say one of them")}
		case newer && plan:
			return usage{errors.New("--plan and --return-to-sender: say one of them")}
		case newer:
			r.Report = ingestv1.Report_REPORT_RETURN_TO_SENDER
		case plan:
			r.Report = ingestv1.Report_REPORT_PLAN
		}
		if outcome != "" {
			v, ok := ingestv1.Outcome_value["OUTCOME_"+strings.ToUpper(outcome)]
			if !ok || v == 0 {
				names := []string{}
				for _, o := range row.Outcomes() {
					names = append(names, strings.ToLower(o.String()))
				}
				return usage{fmt.Errorf("--outcome %s: use one of %s", outcome, strings.Join(names, ", "))}
			}
			r.Outcome = ingestv1.Outcome(v)
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		stream, err := client.jobs.DownloadReport(c.Context(), r)
		if err != nil {
			return err
		}
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := p.out.Write(m.Chunk); err != nil {
				return err
			}
		}
	}
	return c
}

// onJob is a command that does one thing with a job and shows it.
func (p *program) onJob(use, short string, do func(context.Context, *client, string) (*ingestv1.Job, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		j, err := do(c.Context(), client, a[0])
		if err != nil {
			return err
		}
		return p.job(j)
	}}
}
