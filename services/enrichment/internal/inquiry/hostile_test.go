package inquiry

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// interrupted asks about rows and is killed when the provider has charged them.
func (c *counter) interrupted(t *testing.T, rows []pair) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		kill()
		<-ctx.Done()
		return nil
	})
	if _, _, err := c.run(ctx, c.Desk, nil, rows); err == nil {
		t.Fatal("not interrupted")
	}
	c.provider.Lapses(nil)
}

// A question that cannot be read any more keeps nobody from asking about its values.
func TestAQuestionThatIsLostHoldsNoValues(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.interrupted(t, people(0, 3))
	c.exec(t, "update enrichment.batches set question = 'broken'")
	rows := people(1, 1)
	_, said, err := c.run(t.Context(), c.Desk, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 {
		t.Errorf("said %v", said)
	}
	if code := count[string](t, c, "select failed from enrichment.batches where answer is null"); code != "question-lost" {
		t.Errorf("given up because of %q", code)
	}
}

// What was asked of a provider while it cost nothing may cost once it is asked again: then it is noted as what costs.
func TestAProviderThatBeginsToCost(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Free())
	rows := people(0, 3)
	c.interrupted(t, rows)
	c.provider.Describes(func(d *providerv1.DescribeResponse) {
		d.Currency, d.PriceMicros, d.Remembers = "EUR", inquirytest.Price, durationpb.New(leastMemory)
	})
	c.interrupted(t, rows)
	if n := count[int](t, c, "select count(*) from enrichment.batches where question is not null"); n != 1 {
		t.Errorf("%d open batches with their question, want 1", n)
	}
	if _, _, err := c.run(t.Context(), c.Desk, nil, people(1, 2)); err != nil { // other rows with values that are held
		t.Fatal(err)
	}
	c.whole(t)
}

// A batch may cost what the provider said when it was noted, though it has become cheaper since.
func TestAProviderThatBecomesCheaper(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	rows := people(0, 3)
	c.interrupted(t, rows)
	c.provider.Describes(func(d *providerv1.DescribeResponse) { d.PriceMicros = inquirytest.Price / 2 })
	charged := spoil(func(a *providerv1.EnrichResponse) { a.CostMicros = 3 * inquirytest.Price })
	c.provider.Lapses(charged)
	_, said, err := c.run(t.Context(), c.Desk, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	saidRight(t, rows, said)
	if _, _, err := c.run(t.Context(), c.Desk, nil, people(3, 3)); fault.Code(err) != "provider-answer" {
		t.Errorf("a new batch at the old price: %v", err)
	}
}

// A provider may say in an error whom it was asked about; no log does.
func TestWhatAProviderSaysOfPeopleIsNotTold(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	var b bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(&b, nil))
	for _, words := range []string{"no record of +12022243441", "(202) 224-3441 is no phone", "nobody has Somebody@Example.COM", "quota used up, see tcp 127.0.0.1:4711"} {
		for _, kind := range []fault.Kind{fault.Unavailable, fault.Invalid} {
			c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
				return fault.New(kind, "no", "%s", words)
			})
			b.Reset()
			_, _, err := c.run(t.Context(), c.Desk, nil, []pair{{"+12022243441", "somebody@example.com"}})
			if err == nil {
				t.Fatal("no error")
			}
			told := fmt.Sprintf("%v %s", err, b.String())
			if harmless := strings.HasPrefix(words, "quota"); strings.Contains(told, words) != harmless {
				t.Errorf("%q: told %s", words, told)
			}
			c.heal(t)
		}
	}
}

// Answers are kept at hand by their size: many small ones, few large ones.
func TestAnswersAtHand(t *testing.T) {
	t.Parallel()
	some := make([]uint32, batchSubjects)
	c := newCache()
	for i := range 200 { // a million subjects
		c.put(fmt.Sprint("small ", i), &answer{sets: [][]byte{[]byte(unknown)}, phones: some, mails: some})
	}
	if c.missing([]asked{{ofPhone: place{batch: "none"}}}); !c.has("small 0") {
		t.Error("the small ones went")
	}
	for i := range 8 {
		c.put(fmt.Sprint("large ", i), &answer{sets: [][]byte{make([]byte, maxAnswer)}, phones: some, mails: some})
	}
	if c.missing([]asked{{ofPhone: place{batch: "none"}}}); c.has("large 0") {
		t.Error("the large ones stay")
	}
}
