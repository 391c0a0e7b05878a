package email

import (
	"bytes"
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
	texttemplate "text/template"
	"unicode"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

//go:embed letter.txt
var textSource string

//go:embed letter.html
var htmlSource string

var (
	textLetter = texttemplate.Must(texttemplate.New("letter.txt").Parse(textSource))
	htmlLetter = htmltemplate.Must(htmltemplate.New("letter.html").Parse(htmlSource))
)

// letter is a mail's words.
type letter struct{ Subject, Text, HTML string }

// facts is what the templates show.
type facts struct {
	Account, File, Headline string
	Number                  int64
	Problem                 *ingestv1.Problem
	Counts                  []count
	Link                    string
}

// count is a line of the table.
type count struct {
	Name, Number, Link string
}

// compose writes the mail about a job.
func compose(w *ingestv1.Work, web string) (*letter, error) {
	j := w.Job
	f := facts{Account: line(w.Account.Name, 80), File: line(j.FileName, 120), Number: j.Number, Problem: j.Problem}
	if web != "" {
		f.Link = fmt.Sprintf("%s/jobs/%d", strings.TrimSuffix(web, "/"), j.Number)
	}
	ended := ""
	switch j.State {
	case ingestv1.JobState_JOB_STATE_COMPLETED:
		ended = "completed"
	case ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS:
		ended = "completed with rejects"
	case ingestv1.JobState_JOB_STATE_CHECKED:
		ended = "was checked; nothing was changed"
	case ingestv1.JobState_JOB_STATE_REJECTED:
		ended = "was rejected; nothing was changed"
	case ingestv1.JobState_JOB_STATE_FAILED:
		ended = "failed; nothing was changed"
	case ingestv1.JobState_JOB_STATE_CANCELLED:
		ended = "was cancelled; nothing was changed"
	default:
		ended = "needs an answer"
		if q := j.Question; q != nil {
			f.Problem = &ingestv1.Problem{Code: q.Code, Message: q.Message, Hint: q.Hint}
		}
	}
	f.Headline = fmt.Sprintf("Job %d %s", j.Number, ended)
	if c := j.Counts; c != nil && c.Rows > 0 {
		f.Counts = append(f.Counts, count{"rows", thousands(c.Rows), ""})
		for _, o := range []struct {
			name string
			n    int64
		}{{"added", c.Added}, {"updated", c.Updated}, {"unchanged", c.Unchanged}, {"duplicate", c.Duplicate}, {"unmatched", c.Unmatched},
			{"invalid", c.Invalid}, {"conflict", c.Conflict}, {"held", c.Held}, {"suppressed", c.Suppressed}} {
			if o.n == 0 {
				continue
			}
			one := count{o.name, thousands(o.n), ""}
			if f.Link != "" {
				one.Link = f.Link + "/reports/" + o.name
			}
			f.Counts = append(f.Counts, one)
		}
	}
	l := &letter{Subject: fmt.Sprintf("[%s] %s: %s", f.Account, f.Headline, f.File)}
	var b bytes.Buffer
	if err := textLetter.Execute(&b, f); err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	l.Text = b.String()
	b.Reset()
	if err := htmlLetter.Execute(&b, f); err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	l.HTML = b.String()
	return l, nil
}

// line makes one line of at most n runes of a text that somebody else wrote: no line ends, no controls, nothing that turns
// the direction of reading.
func line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > n {
		s = string(r[:n-1]) + "…"
	}
	return s
}

// thousands writes 12345 as 12,345.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
