package cli

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// barWidth and barName are in characters; longer names are cut.
	barWidth = 12
	barName  = 28

	// whole is the length of a job's way as the bar counts it; it is never quite full, as the end of the job ends it.
	whole = 1000
)

// part is a stretch of a job's way on the bar, by what stages usually take.
type part struct {
	word     string
	from, to int64
}

var (
	uploading = part{"uploading", 0, 100}
	parts     = map[string]part{
		"validate": {"validating", 100, 450}, "match": {"matching", 450, 600}, "enrich": {"enriching", 600, 700}, "merge": {"merging", 700, 990},
	}
	reached = map[ingestv1.JobState]int64{
		ingestv1.JobState_JOB_STATE_QUEUED: 100, ingestv1.JobState_JOB_STATE_VALIDATING: 100, ingestv1.JobState_JOB_STATE_READY: 450,
		ingestv1.JobState_JOB_STATE_MATCHING: 450, ingestv1.JobState_JOB_STATE_ENRICHING: 600, ingestv1.JobState_JOB_STATE_MERGING: 700,
		ingestv1.JobState_JOB_STATE_COMMITTING: 990,
	}
)

// bar is the progress of one job on a terminal: it never goes back. Without a terminal all its methods do nothing.
type bar struct {
	all  *mpb.Progress
	one  *mpb.Bar
	at   int64
	head atomic.Value // string; drawn by another goroutine, as is:
	tail atomic.Value // string: what is being done, how fast, and what is left
}

// bar opens a progress bar on standard error, if that is a terminal.
func (p *program) bar(file string) *bar {
	b := &bar{}
	if !p.terminal {
		return b
	}
	b.head.Store(shortened(file, barName))
	b.tail.Store("")
	drawn := func(v *atomic.Value) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return v.Load().(string) + "  " })
	}
	b.all = mpb.New(mpb.WithOutput(p.err), mpb.WithWidth(barWidth), mpb.WithRefreshRate(80*time.Millisecond))
	b.one = b.all.New(whole+1, mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("░").Rbound(""), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(drawn(&b.head)), mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), drawn(&b.tail)))
	return b
}

// shortened is a file's name, cut to so many characters.
func shortened(file string, most int) string {
	r := []rune(printable(file))
	if len(r) > most {
		r = append(r[:most-1], '…')
	}
	return string(r)
}

func (b *bar) move(to int64) {
	if to > b.at {
		b.at = to
		b.one.SetCurrent(to)
	}
}

// uploaded takes how much of a file is on its way; of 0 is not known.
func (b *bar) uploaded(bytes, of int64) {
	if b.one == nil {
		return
	}
	b.tail.Store(uploading.word)
	if of > 0 {
		b.move(uploading.from + (uploading.to-uploading.from)*min(bytes, of)/of)
	}
}

// show takes the state of a job, or its progress within a stage.
func (b *bar) show(j *ingestv1.Job, g *ingestv1.Progress) {
	if b.one == nil {
		return
	}
	b.head.Store(fmt.Sprintf("job %d  %s", j.Number, shortened(title(j), barName)))
	if g == nil {
		b.tail.Store(strings.ReplaceAll(strings.ToLower(state(j.State)), "_", " "))
		b.move(reached[j.State])
		return
	}
	p, ok := parts[g.Stage]
	if !ok { // one that comes after the end, or one that we do not know yet
		return
	}
	tail := p.word
	if g.Rate > 0 {
		tail += fmt.Sprintf("  %s rows/s", humanize.Comma(int64(g.Rate)))
	}
	if g.SecondsLeft != nil && *g.SecondsLeft > 0 {
		tail += fmt.Sprintf("  %s left", time.Duration(*g.SecondsLeft)*time.Second)
	}
	b.tail.Store(tail)
	if g.Total > 0 {
		b.move(p.from + (p.to-p.from)*min(g.Done, g.Total)/g.Total)
	}
}

// note writes lines to w, above the bar if there is one.
func (b *bar) note(w io.Writer, lines string) {
	if b.all != nil {
		w = b.all
	}
	_, _ = io.WriteString(w, lines) // to a terminal or a log: nobody else could be told
}

// end takes the bar away. It may be called again.
func (b *bar) end() {
	if b.one != nil {
		b.one.Abort(true)
		b.all.Wait()
		b.one, b.all = nil, nil
	}
}
