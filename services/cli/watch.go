package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// handedIn shows a job that was just handed in, at once or after it has ended.
func (p *program) handedIn(ctx context.Context, c *client, j *ingestv1.Job, wait bool) error {
	if !wait {
		return p.job(j)
	}
	return p.follow(ctx, c, j, p.bar(title(j)))
}

// follow waits for the end of a job with a progress bar, which it ends, and shows it.
func (p *program) follow(ctx context.Context, c *client, j *ingestv1.Job, b *bar) error {
	number := j.Number
	b.show(j, nil)
	j, err := follow(ctx, c, j, b.show)
	b.end()
	switch {
	case err != nil && ctx.Err() != nil:
		return interrupted{fmt.Sprintf("stopped waiting; job %d goes on", number), fmt.Sprintf("contactmill jobs watch %d waits for it again, contactmill jobs cancel %d ends it", number, number)}
	case err != nil:
		return err
	}
	p.exit = exitOf(j)
	if p.output == "table" && j.EndedAt != nil {
		fmt.Fprintf(p.out, "job %d  %s  %s  %s %3d %%  %s   %.1f s\n", j.Number, printable(title(j)), howMany(j),
			strings.Repeat("█", barWidth), 100, endedWords(j), took(j).Seconds())
		p.remarks(j)
		return nil
	}
	return p.job(j)
}

// took is how long a job was on its way; of one whose plan was approved, since its turn came after that: a person took the time
// before.
func took(j *ingestv1.Job) time.Duration {
	from := j.CreatedAt
	if j.ApprovedBy != "" && j.StartedAt != nil {
		from = j.StartedAt
	}
	return j.EndedAt.AsTime().Sub(from.AsTime())
}

// howMany is how large a job was: rows of a file, or contacts that an undo looked at.
func howMany(j *ingestv1.Job) string {
	n := j.GetCounts().GetRows()
	switch {
	case j.UndoOf == "":
		return rows(n)
	case n == 1:
		return "1 contact"
	}
	return humanize.Comma(n) + " contacts"
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return humanize.Comma(n) + " rows"
}

// endedWords is what became of a job's rows, or the state of one that changed nothing.
func endedWords(j *ingestv1.Job) string {
	words, would := counts(j.Counts, j.UndoOf != ""), ""
	switch j.State {
	case ingestv1.JobState_JOB_STATE_COMPLETED, ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS:
	case ingestv1.JobState_JOB_STATE_CHECKED:
		would = "would be: "
	default:
		return state(j.State)
	}
	switch {
	case words != "":
		return would + words
	case j.UndoOf != "":
		return "nothing to take back"
	}
	return "no rows"
}

// follow waits until a job is final or waits for a person. A connection that breaks is taken up again.
func follow(ctx context.Context, c *client, j *ingestv1.Job, show func(*ingestv1.Job, *ingestv1.Progress)) (*ingestv1.Job, error) {
	after := int64(0)
	for wait := 100 * time.Millisecond; ; {
		if final(j.State) || waits(j.State) {
			return j, nil
		}
		err := watch(ctx, c, &ingestv1.WatchEventsRequest{After: after, Job: j.Id, Progress: true}, func(m *ingestv1.WatchEventsResponse) bool {
			wait = 100 * time.Millisecond
			if g := m.GetProgress(); g != nil {
				show(j, g.Progress)
				return true
			}
			e := m.GetEvent()
			after, j.State = e.Number, e.State
			show(j, nil)
			return !final(e.State) && !waits(e.State)
		})
		if err != nil && (ctx.Err() != nil || !fault.Of(err).Transient()) {
			return nil, err
		}
		if err != nil {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
			wait = min(2*wait, 5*time.Second)
		}
		r, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: j.Id})
		if err == nil {
			j = r.Job
		} else if ctx.Err() != nil || !fault.Of(err).Transient() {
			return nil, err
		}
	}
}

// watch calls f with what comes until f says no, the stream ends or breaks.
func watch(ctx context.Context, c *client, r *ingestv1.WatchEventsRequest, f func(*ingestv1.WatchEventsResponse) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.events.WatchEvents(ctx, r)
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return fault.New(fault.Unavailable, "watch-ended", "the server ended the watch")
		}
		if err != nil {
			return err
		}
		if !f(m) {
			return nil
		}
	}
}

func (p *program) events() *cobra.Command {
	var after int64
	w := &cobra.Command{Use: "watch", Short: "Print the account's events after a number, then new ones, until Ctrl-C", Args: args(cobra.NoArgs)}
	w.Flags().Int64Var(&after, "after", 0, "the last number seen")
	w.RunE = func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		ctx := c.Context()
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			var failed error
			err := watch(ctx, client, &ingestv1.WatchEventsRequest{After: after}, func(m *ingestv1.WatchEventsResponse) bool {
				wait = 100 * time.Millisecond
				e := m.GetEvent()
				after = e.Number
				failed = p.event(e)
				return failed == nil
			})
			switch {
			case ctx.Err() != nil:
				return nil
			case failed != nil:
				return failed
			case err != nil && !fault.Of(err).Transient():
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
		}
	}
	return group("events", "Follow what happens to jobs", w)
}

func (p *program) event(e *ingestv1.Event) error {
	if p.output == "table" {
		_, err := fmt.Fprintln(p.out, strings.TrimSpace(fmt.Sprintf("%-6d %s  job %-5d %-26s %s", e.Number, e.Time.AsTime().Local().Format(time.DateTime), e.JobNumber, e.Type, counts(e.Counts, e.UndoOfNumber != 0))))
		return err
	}
	was := p.output
	p.output = "jsonl" // a stream has no end that could close an array
	defer func() { p.output = was }()
	return p.json(e)
}
