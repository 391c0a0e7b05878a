package merge

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// A job that had leave to commit is given up only once the database has said that it was not applied: the errors that
// count against it must say so, or its account waits for ever.
func TestAJobThatHadLeaveAndCannotBeAppliedSaysThatItWasNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spoil  func(w *world, other, own *ingestv1.Work)
		kind   fault.Kind
		code   string
		unsaid string // its code if it never had leave
	}{
		{"foreign object", func(_ *world, other, own *ingestv1.Work) { own.Matched.Verdicts = other.Matched.Verdicts }, fault.DataLoss, CodeNotApplied, "object-foreign"},
		{"other bytes", func(_ *world, _, own *ingestv1.Work) { own.Validated.Chunks[0].Cells.Sha256 = strings.Repeat("00", 32) }, fault.DataLoss, CodeNotApplied, ""},
		{"no mode", func(_ *world, _, own *ingestv1.Work) { own.Job.Settings.Mode = 0 }, fault.Invalid, CodeNotApplied, "bad-mode"},
		{"an error of ours", func(w *world, _, _ *ingestv1.Work) { w.failAt("applied", errKilled) }, fault.Internal, CodeNotApplied, "killed"},
		{"a part that is away", func(w *world, _, _ *ingestv1.Work) {
			w.failAt("applied", fault.New(fault.Unavailable, "away", "away"))
		}, fault.Unavailable, "away", "away"},
		{"overtaken", func(w *world, _, _ *ingestv1.Work) { w.failAt("applied", fault.New(fault.Stale, "stale", "stale")) }, fault.Stale, "stale", "stale"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, had := range []bool{true, false} {
				w := newWorld(t)
				w.run(t, three)
				before := w.state(t)
				other, own := w.prepare(t, mixed), w.prepare(t, mixed)
				own.Work.Committing = had
				c.spoil(w, other.Work, own.Work)
				want := c.code
				if !had {
					want = c.unsaid
				}
				_, err := w.once(t, own, nil)
				if !errors.Is(err, c.kind) || want != "" && fault.Code(err) != want {
					t.Errorf("had leave %v: %v with code %q, want %s with code %s", had, err, fault.Code(err), c.kind, want)
				}
				if !had && fault.Code(err) == CodeNotApplied {
					t.Errorf("a job that never had leave says %q", CodeNotApplied)
				}
				if diff := cmp.Diff(before, w.state(t)); diff != "" {
					t.Errorf("it left a trace (-before +after):\n%s", diff)
				}
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		c := w.prepare(t, three)
		c.Work.Committing = true
		w.fail = func(at string) error {
			if at == "applied" {
				panic("out of range")
			}
			return nil
		}
		if _, err := w.once(t, c, nil); !errors.Is(err, fault.Internal) || fault.Code(err) != CodeNotApplied {
			t.Errorf("%v with code %q, want internal with code %s", err, fault.Code(err), CodeNotApplied)
		}
	})
	t.Run("applied all the same", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		c := w.prepare(t, three)
		if _, err := w.once(t, c, nil); err != nil {
			t.Fatal(err)
		}
		c.Work.Committing = true
		c.Work.Matched.Verdicts.Name = "elsewhere"
		if r, err := w.once(t, c, nil); err != nil || r.Counts.Added != 3 {
			t.Errorf("%v, %v: want what was applied", r, err)
		}
	})
}

// The ledger lets a job that had leave end REJECTED: behind the fence, and with its own transaction rolled back, nothing
// of it can come any more.
func TestAJobThatHadLeaveMayStillBeRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, three)
	before := w.state(t)
	c := w.prepare(t, file{mode: row.Upsert, head: []string{"external_id"}, rows: [][]string{{"X"}, {"Y"}}})
	old := w.token.Add(1)
	w.failAt("leave", errKilled) // leave was given, and the worker is gone
	if _, err := w.under(t.Context(), t, c, old, nil); !errors.Is(err, errKilled) {
		t.Fatalf("apply: %v, want what killed it", err)
	}
	w.fail = nil
	w.most.Store(4)
	c.Work.Committing = true
	r, err := w.once(t, c, nil)
	if err != nil || r.Rejected.GetCode() != "package-too-small" {
		t.Fatalf("%v, %v: want package-too-small", r, err)
	}
	if diff := cmp.Diff(before, w.state(t)); diff != "" {
		t.Errorf("it left a trace (-before +after):\n%s", diff)
	}
	w.most.Store(1 << 40)
	if _, err := w.under(t.Context(), t, c, old, nil); !errors.Is(err, fault.Stale) {
		t.Errorf("the older claim after it: %v, want stale", err)
	}
}
