package model_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/contactdb/model/modeltest"
	"github.com/google/go-cmp/cmp"
)

const (
	// countEnv says how many sequences are tried; without it there are usual ones.
	countEnv = "CONTACTMILL_TEST_MODEL"
	usual    = 200

	// lanes is how many sequences are tried at once.
	lanes = 4
)

func TestMain(m *testing.M) {
	flag.Parse()
	n := usual
	if s := os.Getenv(countEnv); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < lanes {
			fmt.Fprintf(os.Stderr, "%s=%s is not a number of sequences, at least %d\n", countEnv, s, lanes)
			os.Exit(2)
		}
	}
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa((n + lanes - 1) / lanes), "rapid.nofailfile": "true", "rapid.shrinktime": "0s"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestSequencesAreAsInTheModel does the same with the contact database and with the model.
func TestSequencesAreAsInTheModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tally = &tally{met: map[string]int{}}
	t.Cleanup(func() { w.tally.check(t) })
	for lane := range lanes {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			check(t, modeltest.DrawReviewed, w.differs)
		})
	}
}

// most is the package of the accounts: small enough to be too small at times.
const most = 7

// differs does a sequence with a new account and its model, and tells where they are not alike; empty if nowhere. What
// comes after that, and what was drawn without knowing the account, is taken out of the sequence.
func (w *world) differs(ctx context.Context, all *modeltest.Sequence) string {
	p := newPair(w, most)
	for i := range *all {
		(*all)[i] = p.number((*all)[i])
		if diff := p.do(ctx, (*all)[i]); diff != "" {
			*all = (*all)[:i+1]
			return diff
		}
	}
	return p.histories(ctx)
}

// histories are those of all contacts; the answer is what is not alike, or empty.
func (p *pair) histories(ctx context.Context) string {
	for id := range p.model.Contacts {
		got, err := p.is.history(ctx, id)
		if err != nil {
			return err.Error()
		}
		if diff := cmp.Diff(p.model.History(id), got); diff != "" {
			return fmt.Sprintf("the history of #%d (-model +database):\n%s", id, diff)
		}
	}
	return ""
}

// pair is an account in the database and in the model.
type pair struct {
	is    *account
	model *model.Account
	n     int      // operations done
	told  []string // what became of the last
}

func newPair(w *world, most int) *pair {
	return &pair{is: w.account(most), model: model.New(schema, most)}
}

// number gives an operation its place in the sequence.
func (p *pair) number(op model.Operation) model.Operation {
	return modeltest.Place(op, p.n+1, p.model)
}

// do does an operation with both; the answer is what is not alike, or empty.
func (p *pair) do(ctx context.Context, op model.Operation) string {
	p.n++
	want := p.model.Do(p.n, op)
	p.is.tally.add(want)
	p.told = want
	got, err := p.is.do(ctx, p.n, op)
	if err != nil {
		return err.Error()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return "what became of it (-model +database):\n" + diff
	}
	state, err := p.is.state(ctx)
	if err != nil {
		return err.Error()
	}
	if diff := cmp.Diff(p.model.State(), state); diff != "" {
		return "the account (-model +database):\n" + diff
	}
	return ""
}
