package email

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// tellUndo says of an undo what it took back; said is how its state is told.
func tellUndo(f *facts, j *ingestv1.Job, said string) {
	f.Undo = true
	job, of := j.GetNumber(), j.GetUndoOfNumber()
	parts := undone(j.GetCounts())
	switch j.GetState() {
	case ingestv1.JobState_JOB_STATE_COMPLETED, ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS:
		f.Headline = fmt.Sprintf("Job %d took back job %d: %s", job, of, inWords(parts, ""))
	case ingestv1.JobState_JOB_STATE_CHECKED:
		f.Headline = fmt.Sprintf("Job %d looked at taking back job %d: %s; nothing was changed", job, of, inWords(parts, "would be "))
	default:
		f.Headline = fmt.Sprintf("Job %d, which takes back job %d, %s", job, of, said)
	}
	f.Intro = strings.Replace(f.Intro, "its rows", "the contacts", 1)
	f.Counts = lines("contacts", j.GetCounts().GetRows(), f.Link, parts)
}

// undone is what became of the contacts that an undo is about.
func undone(c *ingestv1.Counts) []part {
	return []part{
		{"removed", c.GetRemoved(), "updated"},
		{"put back", c.GetUpdated() - c.GetRemoved(), "updated"},
		{"restored", c.GetAdded(), "added"},
		{"kept", c.GetHeld(), "held"},
		{"already undone", c.GetUnchanged(), "unchanged"},
	}
}

// inWords is "120 contacts removed, 3 put back, 1 kept"; would stands before the first that is done to any.
func inWords(parts []part, would string) string {
	var words []string
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		w := humanize.Comma(p.n)
		if len(words) == 0 {
			w += " contact"
			if p.n != 1 {
				w += "s"
			}
			if p.report != "unchanged" {
				w += strings.TrimSuffix(" "+would, " ")
			}
		}
		words = append(words, w+" "+p.name)
	}
	if len(words) == 0 {
		return "there was nothing to take back"
	}
	return strings.Join(words, ", ")
}
