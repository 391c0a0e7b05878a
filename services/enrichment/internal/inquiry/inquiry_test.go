package inquiry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/rpc"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

func TestWhatIsSaidOfRows(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*inquirytest.Provider{"free": inquirytest.Free(), "paid": inquirytest.Paid()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, p)
			r, said, err := c.run(t.Context(), c.Desk, nil, []pair{{"+12022243441", "a@example.com"}, {}, {"", "b@example.net"}, {"+12022243442", ""}})
			if err != nil {
				t.Fatal(err)
			}
			want := map[int64]told{0: {`{"line_type":"mobile"}`, `{"domain_kind":"free"}`}, 2: {"", "{}"}, 3: {`{"line_type":"mobile"}`, ""}}
			if d := cmp.Diff(want, said); d != "" {
				t.Errorf("said (-want +got):\n%s", d)
			}
			wantResult := Result{Sent: 3, Known: 2}
			if name == "paid" {
				wantResult.Micros, wantResult.Currency = 3*inquirytest.Price, "EUR"
			}
			if r != wantResult {
				t.Errorf("result %+v, want %+v", r, wantResult)
			}
		})
	}
}

// Jobs overlap, in another order and with values in other company; each value is paid once.
func TestAValueIsPaidOnce(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 7 })
	shuffled := people(5, 40)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	mixed := people(30, 30)
	for i := range mixed {
		switch i % 3 {
		case 0:
			mixed[i].phone = "" // its phone is asked by whoever comes next
		case 1:
			mixed[i].email = fmt.Sprintf("p%d@example.com", 200+i)
		}
	}
	for i, rows := range [][]pair{people(0, 25), shuffled, mixed, people(0, 70), people(0, 70)} {
		r, said, err := c.run(t.Context(), c.Desk, nil, rows)
		if err != nil {
			t.Fatal(err)
		}
		saidRight(t, rows, said)
		if r.Sent != int64(len(rows)) || i == 4 && r.Micros != 0 {
			t.Errorf("job %d: %+v of %d rows", i, r, len(rows))
		}
		c.whole(t)
	}
}

// A file that names somebody twice, and one whose values are swapped about, are no reason to pay twice either.
func TestAValueThatTwoRowsHave(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	rows := []pair{{"+12022243441", "a@example.com"}, {"+12022243441", ""}, {"", "a@example.com"}, {"+12022243442", "a@example.com"}, {"+12022243441", "b@example.net"}}
	_, said, err := c.run(t.Context(), c.Desk, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	saidRight(t, rows, said)
	c.whole(t)
}

// The worker dies while each batch in turn is with the provider, which has charged it; whoever comes next, with other people, has
// the answer without paying again.
func TestWhoeverComesNextSettles(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 10 })
	for round := range 12 {
		from := 13 * round
		ctx, kill := context.WithCancelCause(rpc.WithAccount(t.Context(), c.account))
		stop := len(c.provider.Asked()) + 1 + round%2
		c.provider.Lapses(func(n int, _ *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
			if n >= stop {
				kill(errKilled)
				<-ctx.Done()
			}
			return nil
		})
		if _, _, err := c.run(ctx, c.Desk, nil, people(from, 60)); err == nil {
			t.Fatalf("round %d: not interrupted", round)
		}
		kill(nil)
	}
	c.provider.Lapses(nil)
	rows := people(0, 220)
	_, said, err := c.run(t.Context(), c.Desk, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	saidRight(t, rows, said)
	c.whole(t)
	if n := count[int](t, c, "select count(*) from enrichment.breakers where failures > 0"); n != 0 {
		t.Error("that workers die is held against the provider")
	}
}

// Workers of one account at once: the one who should have stopped, its successor, the background. Each value is paid once all the same.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 9 })
	db := c.database.Open(t, "enrichment", "enrichment")
	var all sync.WaitGroup
	for n := range 6 {
		d := c.desk(t, db)
		all.Go(func() {
			for i := range 4 {
				rows := people(10*i+3*n, 50)
				rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
				_, said, err := c.run(t.Context(), d, nil, rows)
				if errors.Is(err, fault.Aborted) { // given back, and tried again later
					continue
				}
				if err != nil {
					t.Errorf("worker %d: %v", n, err)
					return
				}
				saidRight(t, rows, said)
			}
		})
	}
	all.Wait()
	if err := c.Settle(t.Context(), c.account); err != nil {
		t.Fatal(err)
	}
	c.whole(t)
}

// What was answered too long ago is asked again, and paid again: that is what the age is for.
func TestAnswersAgeAndAreAskedAnew(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	rows := people(0, 3)
	if _, _, err := c.run(t.Context(), c.Desk, nil, rows); err != nil {
		t.Fatal(err)
	}
	c.exec(t, "update enrichment.answers set asked_at = asked_at - interval '91 days'")
	since := func(o *Order) { o.Since = time.Now().AddDate(0, 0, -90) }
	for i, want := range []int{2, 2} {
		_, said, err := c.run(t.Context(), c.Desk, since, rows)
		if err != nil {
			t.Fatal(err)
		}
		saidRight(t, rows, said)
		if n, _ := c.provider.Charged(); n != want {
			t.Errorf("time %d: %d batches were charged, want %d", i, n, want)
		}
	}
}

// A batch that was not answered within the time that the provider remembers ids for could be charged again under its id.
func TestABatchThatTheProviderHasForgotten(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	ctx, kill := context.WithCancel(t.Context())
	c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		kill()
		<-ctx.Done()
		return nil
	})
	if _, _, err := c.run(ctx, c.Desk, nil, people(0, 3)); err == nil {
		t.Fatal("not interrupted")
	}
	c.provider.Lapses(nil)
	c.exec(t, "update enrichment.batches set sent_at = sent_at - interval '30 days'")
	asked := len(c.provider.Asked())
	if err := c.Settle(t.Context(), c.account); err != nil {
		t.Fatal(err)
	}
	if n := len(c.provider.Asked()); n != asked {
		t.Error("it was asked again")
	}
	if code := count[string](t, c, "select failed from enrichment.batches where question is null"); code != "provider-forgot" {
		t.Errorf("given up because of %s", code)
	}
	rows := people(0, 4)
	_, said, err := c.run(t.Context(), c.Desk, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	saidRight(t, rows, said) // its values are free to be asked about
}

// A batch that the provider will never answer is given up: it stops its job, and nobody else.
func TestABatchThatIsRefused(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Lapses(func(_ int, q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
		if len(q.Subjects) > 1 {
			return fault.New(fault.Invalid, "no", "it will not do")
		}
		return nil
	})
	if _, _, err := c.run(t.Context(), c.Desk, nil, people(0, 2)); !errors.Is(err, fault.Invalid) || fault.Code(err) != "provider-refuses-batch" {
		t.Fatalf("%v, want a fault of the job", err)
	}
	rows := people(0, 1)
	_, said, err := c.run(t.Context(), c.Desk, nil, rows) // one of its people, in another job
	if err != nil {
		t.Fatal(err)
	}
	saidRight(t, rows, said)
	c.provider.Lapses(nil)
	if _, _, err = c.run(t.Context(), c.Desk, nil, people(0, 2)); err != nil {
		t.Fatal(err)
	}
	if n := count[int](t, c, "select count(*) from enrichment.breakers where failures > 0"); n != 0 {
		t.Error("the provider rests because of one batch")
	}
}

// The ledger keeps a question for no longer than it needs, and so that nobody reads it.
func TestOpenQuestionsAreSealed(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 1 })
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var seen []byte
	c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		seen = count[[]byte](t, c, "select question from enrichment.batches where question is not null")
		kill()
		return errKilled
	})
	if _, _, err := c.run(ctx, c.Desk, nil, []pair{{"+12022243441", "secret@example.com"}}); err == nil {
		t.Fatal("not interrupted")
	}
	if len(seen) == 0 || strings.Contains(string(seen), "secret@") || strings.Contains(string(seen), "2022243441") {
		t.Errorf("the question is kept as %q", seen)
	}
	c.provider.Lapses(nil)
	id := count[string](t, c, "select batch_id from enrichment.batches")
	if sum := c.keys.Hash(c.account, batchName, []byte("+12022243441")); strings.Contains(id, fmt.Sprintf("%x", sum)) || len(id) != 32 {
		t.Errorf("batch id %s", id)
	}
	c.exec(t, "update enrichment.batches set batch_id = reverse(batch_id)") // a question that belongs to something else
	if err := c.Settle(t.Context(), c.account); err != nil {
		t.Fatal(err)
	}
	if code := count[string](t, c, "select failed from enrichment.batches"); code != "question-lost" {
		t.Errorf("given up because of %q", code)
	}
}

// Which account asks is nobody's business.
func TestTheProviderIsNotToldWhoAsks(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	if _, _, err := c.run(rpc.WithAccount(t.Context(), c.account), c.Desk, nil, people(0, 1)); err != nil {
		t.Fatal(err)
	}
	calls := c.provider.Metadata()
	if len(calls) != 2 {
		t.Errorf("%d calls, want two", len(calls))
	}
	for _, md := range calls {
		for name, values := range md {
			if strings.Contains(strings.Join(values, " "), c.account.String()) {
				t.Errorf("metadata %s names the account", name)
			}
		}
	}
}

func TestWhatIsWrittenIsTheAccountsOwn(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	if _, _, err := c.run(t.Context(), c.Desk, nil, people(0, 3)); err != nil {
		t.Fatal(err)
	}
	c.account = uuid.Must(uuid.NewV7())
	if _, _, err := c.run(t.Context(), c.Desk, nil, people(0, 3)); err != nil {
		t.Fatal(err)
	}
	if n, _ := c.provider.Charged(); n != 2 {
		t.Errorf("two accounts had %d batches charged, want one each", n)
	}
	for _, table := range []string{"batches", "answers", "breakers", "later"} {
		var n int
		if err := c.ledger.db.Pool().QueryRow(t.Context(), "select count(*) from enrichment."+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("without an account %d rows of %s are seen, %v", n, table, err)
		}
	}
	postgrestest.PrepareAll(t, c.ledger.db, queries, "queries")
}
