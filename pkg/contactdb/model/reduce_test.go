package model_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/contactdb/model/modeltest"
)

// reduceLimit is how long a sequence that fails is made smaller.
const reduceLimit = time.Minute

// try does a sequence with a new account and tells what is wrong; empty if nothing is. It may cut the sequence short.
type try func(ctx context.Context, all *modeltest.Sequence) string

// reduce leaves out of a sequence that fails whatever can be left out: operations, rows, words, settings. It knows what
// operations are made of, and so comes to a smaller one, and sooner, than a shrinking of drawn numbers does, for every
// trial is a few transactions.
func reduce(ctx context.Context, all modeltest.Sequence, diff string, fails try) string {
	ctx, cancel := context.WithTimeout(ctx, reduceLimit)
	defer cancel()
	for again := true; again; {
		again = false
		for i := 0; ; i++ {
			smaller := without(all, i)
			if smaller == nil || ctx.Err() != nil {
				break
			}
			if d := fails(ctx, &smaller); d != "" && ctx.Err() == nil {
				all, diff, again = smaller, d, true
				i-- // what comes next has its number now
			}
		}
	}
	return "\n" + all.String() + "\n\n" + diff
}

// check tries drawn sequences. One that fails is made small once, however often rapid asks for it again.
func check(t *testing.T, draw func(*rapid.T) modeltest.Sequence, fails try) {
	t.Helper()
	failed := ""
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.Custom(draw).Draw(t, "sequence")
		if failed == "" {
			if failed = fails(t.Context(), &all); failed != "" {
				failed = reduce(t.Context(), all, failed, fails)
			}
		}
		if failed != "" {
			t.Fatal(failed)
		}
	})
}

// without is a copy of a sequence without its nth part; nil if it has no more.
func without(all modeltest.Sequence, n int) modeltest.Sequence {
	c := slices.Clone(all)
	for i := range c {
		op := &c[i]
		if n == 0 {
			c = slices.Delete(c, i, i+1)
			for k := range c {
				if c[k].Of > i+1 {
					c[k].Of--
				}
			}
			return c
		}
		n--
		op.Job.Rows = slices.Clone(op.Job.Rows)
		for r := range op.Job.Rows {
			if n == 0 {
				op.Job.Rows = slices.Delete(op.Job.Rows, r, r+1)
				return c
			}
			n--
		}
	}
	for i := range c {
		op := &c[i]
		for _, part := range []func() bool{
			func() bool { was := op.Job.List; op.Job.List = ""; return was != "" },
			func() bool { was := op.Job.Policies.HandMade; op.Job.Policies.HandMade = ""; return was != "" },
			func() bool { was := len(op.Job.Policies.Keys); op.Job.Policies.Keys = nil; return was > 0 },
			func() bool { was := op.AsOfSaid; op.AsOfSaid = false; return was },
			func() bool { was := len(op.Lists); op.Lists = nil; return was > 0 },
			func() bool {
				was := op.Kind
				if was == "cancel" || was == "check" {
					op.Kind = "import"
				}
				return was != op.Kind
			},
		} {
			before := *op
			if !part() {
				continue
			}
			if n == 0 {
				return c
			}
			n--
			*op = before
		}
		for _, f := range slices.Sorted(maps.Keys(op.Job.Policies.Rules)) {
			if n == 0 {
				op.Job.Policies.Rules = maps.Clone(op.Job.Policies.Rules)
				delete(op.Job.Policies.Rules, f)
				return c
			}
			n--
		}
		for _, f := range slices.Sorted(maps.Keys(op.Words)) {
			if n == 0 {
				op.Words = maps.Clone(op.Words)
				delete(op.Words, f)
				return c
			}
			n--
		}
		for r := range op.Job.Rows {
			x := &op.Job.Rows[r]
			for _, f := range slices.Sorted(maps.Keys(x.Words)) {
				if n == 0 {
					x.Words = maps.Clone(x.Words)
					delete(x.Words, f)
					return c
				}
				n--
			}
			if x.ID != 0 {
				if n == 0 {
					x.ID = 0
					return c
				}
				n--
			}
			if x.Said {
				if n == 0 {
					x.Said, x.AsOf = false, 0
					return c
				}
				n--
			}
		}
	}
	return nil
}
