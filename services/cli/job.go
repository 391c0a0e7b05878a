package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// job shows a job.
func (p *program) job(j *ingestv1.Job) error {
	return p.one(j, func() {
		fmt.Fprintln(p.out, strings.TrimSpace(fmt.Sprintf("job %d  %s  %s  %s", j.Number, printable(title(j)), state(j.State), resultWords(j))))
		if j.File != nil {
			fmt.Fprintf(p.out, "  file: %s\n", factsLine(j.File))
		}
		if s := ruledInWords(j); s != "" {
			fmt.Fprintf(p.out, "  policies: %s\n", printable(s))
		}
		if q := j.Queue; q != nil {
			fmt.Fprintf(p.out, "  %d ahead in the queue", q.Ahead)
			if q.EstimatedStart != nil {
				fmt.Fprintf(p.out, ", starts about %s", q.EstimatedStart.AsTime().Local().Format(time.TimeOnly))
			}
			fmt.Fprintln(p.out)
		}
		if g := j.Progress; g != nil {
			fmt.Fprintf(p.out, "  %s: %s of %s rows, %s rows/s\n", g.Stage, humanize.Comma(g.Done), humanize.Comma(g.Total), humanize.Comma(int64(g.Rate)))
		}
		p.remarks(j)
	})
}

// remarks says why a job is as it is and what to do next.
func (p *program) remarks(j *ingestv1.Job) {
	remark := func(code, message, hint string) {
		fmt.Fprintf(p.out, "  %s: %s\n", printable(code), printable(message))
		if hint != "" {
			fmt.Fprintf(p.out, "  %s\n", printable(hint))
		}
	}
	if j.Corrects != "" {
		fmt.Fprintf(p.out, "  corrects job %d\n", j.CorrectsNumber)
	}
	if b := j.Problem; b != nil {
		remark(b.Code, b.Message, b.Hint)
	}
	if q := j.Question; q != nil {
		remark(q.Code, q.Message, q.Hint)
	}
	p.fileRemarks(j.File)
	if names := ignored(j.Columns); names != "" {
		fmt.Fprintf(p.out, "  ignored columns: %s\n", names)
	}
	p.unknownValues(j.UnknownValues)
	p.planRemarks(j)
	c := j.GetCounts()
	for _, o := range []counted{{"invalid", c.GetInvalid()}, {"conflict", c.GetConflict()}, {"unmatched", c.GetUnmatched()}, {"held", c.GetHeld()}} {
		if o.n > 0 && final(j.State) {
			fmt.Fprintf(p.out, "  contactmill jobs report %d --outcome %s\n", j.Number, o.name)
		}
	}
	if c.GetNewerHere() > 0 && final(j.State) {
		fmt.Fprintf(p.out, "  contactmill jobs report %d --return-to-sender\n", j.Number)
	}
}

// title is the file that a job is of, what an undo takes back, or what is forecast.
func title(j *ingestv1.Job) string {
	switch {
	case j.UndoOf != "":
		return fmt.Sprintf("undo of job %d", j.UndoOfNumber)
	case j.ForecastOf != "":
		return fmt.Sprintf("forecast of job %d", j.ForecastOfNumber)
	}
	return j.FileName
}

func state(s ingestv1.JobState) string { return strings.TrimPrefix(s.String(), "JOB_STATE_") }

// counts is what became of a job's rows, or of what an undo looked at, in words.
func counts(c *ingestv1.Counts, undo bool) string {
	all := []counted{{"added", c.GetAdded()}, {"updated", c.GetUpdated()}, {"unchanged", c.GetUnchanged()}, {"duplicate", c.GetDuplicate()}, {"unmatched", c.GetUnmatched()},
		{"invalid", c.GetInvalid()}, {"conflict", c.GetConflict()}, {"held", c.GetHeld()}, {"suppressed", c.GetSuppressed()}}
	if undo { // its rows are contacts, and these words say more than their outcomes
		all = []counted{{"removed", c.GetRemoved()}, {"put back", c.GetUpdated() - c.GetRemoved()}, {"restored", c.GetAdded()}, {"undone before", c.GetUnchanged()}, {"kept", c.GetHeld()}}
	}
	var parts []string
	for _, o := range all {
		if o.n > 0 {
			parts = append(parts, humanize.Comma(o.n)+" "+o.name)
		}
	}
	words := strings.Join(parts, " · ")
	if n := c.GetNewerHere(); n > 0 { // these are counted above already
		words += "; " + humanize.Comma(n) + " newer here"
	}
	return words
}

// counted is a word and how often.
type counted struct {
	name string
	n    int64
}

func final(s ingestv1.JobState) bool { return s >= ingestv1.JobState_JOB_STATE_COMPLETED }

func waits(s ingestv1.JobState) bool {
	return s == ingestv1.JobState_JOB_STATE_NEEDS_ANSWER || s == ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL
}

// exitOf is the exit code that tells how a job ended.
func exitOf(j *ingestv1.Job) int {
	c := j.GetCounts()
	switch {
	case waits(j.State):
		return exitWaits
	case j.State == ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS,
		j.State == ingestv1.JobState_JOB_STATE_CHECKED && c.GetInvalid()+c.GetConflict()+c.GetUnmatched()+c.GetHeld()+c.GetSuppressed() > 0:
		return exitRejects
	case j.State == ingestv1.JobState_JOB_STATE_COMPLETED, j.State == ingestv1.JobState_JOB_STATE_CHECKED:
		return exitDone
	}
	return exitError
}
