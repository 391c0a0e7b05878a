package email

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"regexp"
	"strings"
	texttemplate "text/template"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

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
	Undo                    bool   // has no file
	Code, Message, Hint     string // why it was rejected or failed, or what it asks
	Intro                   string // of Counts
	Counts                  []count
	Width                   int // of the names in Counts, in characters
	Remarks                 []string
	Plan                    string   // where the plan is
	Commands                []string // how to go on
	Link                    string
}

// count is a line of the table.
type count struct {
	Name, Number, Link string
}

// How long what others wrote may be in a mail, in characters; a subject in bytes.
const (
	maxAccount = 80
	maxFile    = 120
	maxProblem = 500
	maxSubject = 480

	minWidth = 10 // of the names of counts: that of the longest outcome
)

// compose writes the mail about a job.
func compose(w *ingestv1.Work, web string) (*letter, error) {
	j := w.GetJob()
	f := facts{Account: line(w.GetAccount().GetName(), maxAccount), File: line(j.GetFileName(), maxFile), Intro: "What became of its rows"}
	if web != "" {
		f.Link = fmt.Sprintf("%s/jobs/%d", strings.TrimSuffix(web, "/"), j.GetNumber())
	}
	said := ended[j.GetState()]
	problem := j.GetProblem()
	switch {
	case w.GetNotice() == approval:
		said, problem = "awaits approval", nil
	case w.GetNotice() == question || said == "": // by what is told, not by where the job has come since
		said = "needs an answer"
		if q := j.GetQuestion(); q != nil {
			problem = &ingestv1.Problem{Code: q.Code, Message: q.Message, Hint: q.Hint}
		}
	case j.GetState() == ingestv1.JobState_JOB_STATE_CHECKED:
		f.Intro = "What would become of its rows"
	}
	if problem != nil {
		f.Code, f.Message, f.Hint = line(problem.Code, maxAccount), line(problem.Message, maxProblem), line(problem.Hint, maxProblem)
	}
	f.Headline = fmt.Sprintf("Job %d %s", j.GetNumber(), said)
	subject := fmt.Sprintf("[%s] %s: %s", f.Account, f.Headline, f.File)
	f.Counts = table(j.GetCounts(), f.Link)
	if n := j.GetCorrectsNumber(); n > 0 {
		f.Remarks = append(f.Remarks, fmt.Sprintf("Its file corrects rows of job %d.", n))
	}
	switch {
	case w.GetNotice() == approval:
		tellPlan(&f, j)
		f.Remarks = append(f.Remarks, foreseen(j.GetForecast())...)
	case j.GetState() == ingestv1.JobState_JOB_STATE_CHECKED:
		f.Remarks = append(f.Remarks, foreseen(j.GetForecast())...)
	default:
		f.Remarks = append(f.Remarks, spent(j)...)
	}
	if j.GetUndoOf() != "" {
		tellUndo(&f, j, said)
		subject = fmt.Sprintf("[%s] %s", f.Account, f.Headline)
	}
	for _, c := range f.Counts {
		f.Width = max(f.Width, minWidth, len(c.Name))
	}
	l := &letter{Subject: cut(subject, maxSubject)}
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

// ended is how final states are told.
var ended = map[ingestv1.JobState]string{
	ingestv1.JobState_JOB_STATE_COMPLETED:              "completed",
	ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS: "completed with rejects",
	ingestv1.JobState_JOB_STATE_CHECKED:                "was checked; nothing was changed",
	ingestv1.JobState_JOB_STATE_REJECTED:               "was rejected; nothing was changed",
	ingestv1.JobState_JOB_STATE_FAILED:                 "failed; nothing was changed",
	ingestv1.JobState_JOB_STATE_CANCELLED:              "was cancelled; nothing was changed",
}

// part is how many rows of a job fared alike.
type part struct {
	name   string
	n      int64
	report string // at link/reports/REPORT; empty: as the name
}

// table is what became of the rows, nothing where there are none.
func table(c *ingestv1.Counts, link string) []count {
	return lines("rows", c.GetRows(), link, []part{
		{"added", c.GetAdded(), ""}, {"updated", c.GetUpdated(), ""}, {"unchanged", c.GetUnchanged(), ""}, {"duplicate", c.GetDuplicate(), ""},
		{"unmatched", c.GetUnmatched(), ""}, {"invalid", c.GetInvalid(), ""}, {"conflict", c.GetConflict(), ""}, {"held", c.GetHeld(), ""},
		{"suppressed", c.GetSuppressed(), ""}, {"newer here", c.GetNewerHere(), "return-to-sender"},
	})
}

func lines(whole string, n int64, link string, parts []part) []count {
	if n == 0 {
		return nil
	}
	t := []count{{whole, humanize.Comma(n), ""}}
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		one := count{p.name, humanize.Comma(p.n), ""}
		if link != "" {
			one.Link = link + "/reports/" + cmp.Or(p.report, p.name)
		}
		t = append(t, one)
	}
	return t
}

// cut makes a text at most n bytes long, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n -= len("…"); !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n] + "…"
}

// line makes one line of at most n characters of a text that somebody else wrote: no line ends, no controls, nothing that
// turns the direction of reading, and no heap of marks on one letter.
func line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	s = marks.ReplaceAllString(s, "$1")
	if r := []rune(s); len(r) > n {
		s = string(r[:n-1]) + "…"
	}
	return s
}

// marks is more of them on one letter than any writing has.
var marks = regexp.MustCompile(`(\pM{4})\pM+`)
