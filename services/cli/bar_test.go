package cli

import (
	"io"
	"strings"
	"testing"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func TestTheBarNeverGoesBack(t *testing.T) {
	t.Parallel()
	p := &program{err: io.Discard, terminal: true}
	b := p.bar("leads\x1b[2J.csv")
	defer b.end()
	at := int64(-1)
	forth := func(what string) {
		t.Helper()
		if b.at < at || b.at > whole {
			t.Errorf("%s: the bar goes from %d to %d", what, at, b.at)
		}
		at = b.at
	}
	b.uploaded(50, 100)
	forth("half uploaded")
	b.uploaded(10, 100) // taken up again
	forth("an upload taken up again")
	b.uploaded(10, 0)
	forth("an upload of unknown size")
	j := &ingestv1.Job{Number: 7, FileName: strings.Repeat("long ", 20)}
	for state := ingestv1.JobState_JOB_STATE_QUEUED; state <= ingestv1.JobState_JOB_STATE_COMPLETED; state++ {
		j.State = state
		b.show(j, nil)
		forth(state.String())
		for _, stage := range []string{"validate", "match", "enrich", "merge", "notify", "something new"} {
			for _, done := range []int64{0, 5, 10, 11} {
				b.show(j, &ingestv1.Progress{Stage: stage, Done: done, Total: 10, Rate: 1234.5})
				forth(stage)
			}
			b.show(j, &ingestv1.Progress{Stage: stage, Done: 5})
			forth(stage + " of unknown length")
		}
	}
	if head := b.head.Load().(string); len([]rune(head)) > barName+len("job 7  ") || strings.ContainsRune(head, '\x1b') {
		t.Errorf("the bar is headed %q", head)
	}
	b.end()
	b.end()
	b.uploaded(1, 1) // after its end, and without a terminal, it does nothing
	b.show(j, nil)
	(&program{err: io.Discard}).bar("x").uploaded(1, 1)
}
