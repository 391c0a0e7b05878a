package inquiry

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// batches are all that a filter chooses.
func (c *counter) batches(t *testing.T, account uuid.UUID, f Filter) (all []Batch) {
	t.Helper()
	err := c.Batches(t.Context(), account, f, func(b *Batch) error {
		all = append(all, *b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (c *counter) sums(t *testing.T, account uuid.UUID, f Filter) []Sum {
	t.Helper()
	s, err := c.Sums(t.Context(), account, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The books say what the provider says that it charged, of one account only, and of what was chosen only.
func TestTheBooks(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	job := func(id *uuid.UUID) func(*Order) { return func(o *Order) { *id = o.Job } }
	var first, second, refused uuid.UUID
	if _, _, err := c.run(t.Context(), c.Desk, job(&first), people(0, 30)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.run(t.Context(), c.Desk, job(&second), people(20, 30)); err != nil { // 10 are known
		t.Fatal(err)
	}
	c.provider.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		return fault.New(fault.Invalid, "too-long", "a batch that it does not like")
	})
	if _, _, err := c.run(t.Context(), c.Desk, job(&refused), people(100, 1)); err == nil {
		t.Fatal("a batch that is refused is taken")
	}
	c.provider.Lapses(nil)
	c.exec(t, "update enrichment.batches set sent_at = '2026-02-28 23:59:59.999999Z' where job_id = $1", first)
	c.exec(t, "update enrichment.batches set sent_at = '2026-03-01 00:00Z' where job_id = $1", second)
	c.exec(t, "update enrichment.batches set sent_at = '2026-03-02 00:00Z' where job_id = $1", refused)

	february := Sum{Month: "2026-02", Provider: "test", Currency: "EUR", Batches: 1, Subjects: 30, Known: 30, Micros: 30 * inquirytest.Price}
	march := Sum{Month: "2026-03", Provider: "test", Currency: "EUR", Batches: 2, Failed: 1, Subjects: 20, Known: 20, Micros: 20 * inquirytest.Price}
	here, nowhere := "test", "another"
	turn := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, one := range map[string]struct {
		f    Filter
		sums []Sum
		jobs []uuid.UUID
	}{
		"all":          {Filter{}, []Sum{march, february}, []uuid.UUID{first, second, refused}},
		"provider":     {Filter{Provider: &here}, []Sum{march, february}, []uuid.UUID{first, second, refused}},
		"nobody":       {Filter{Provider: &nowhere}, nil, nil},
		"job":          {Filter{Job: &first}, []Sum{february}, []uuid.UUID{first}},
		"since":        {Filter{Since: &turn}, []Sum{march}, []uuid.UUID{second, refused}},
		"before":       {Filter{Before: &turn}, []Sum{february}, []uuid.UUID{first}},
		"job and time": {Filter{Job: &first, Since: &turn}, nil, nil},
	} {
		if diff := cmp.Diff(one.sums, c.sums(t, c.account, one.f), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		var jobs []uuid.UUID
		for _, b := range c.batches(t, c.account, one.f) {
			jobs = append(jobs, b.Job)
		}
		if !slices.Equal(jobs, one.jobs) {
			t.Errorf("%s lists batches of %v, want %v", name, jobs, one.jobs)
		}
	}
	_, charged := c.provider.Charged()
	if booked := february.Micros + march.Micros; charged != booked+inquirytest.Price { // it charged for what it refused, against its contract
		t.Errorf("the provider charged %d, the books have %d", charged, booked)
	}
	all := c.batches(t, c.account, Filter{})
	if b := all[0]; b.Answered == nil || b.Failed != "" || b.Currency != "EUR" || b.Subjects != 30 || b.Known != 30 || b.Micros != 30*inquirytest.Price || b.ID == "" || b.Provider != "test" {
		t.Errorf("an answered batch is booked as %+v", b)
	}
	if b := all[2]; b.Answered != nil || b.Failed == "" || b.Micros != 0 || b.Subjects != 1 {
		t.Errorf("a refused batch is booked as %+v", b)
	}
	if other := uuid.New(); len(c.sums(t, other, Filter{})) > 0 || len(c.batches(t, other, Filter{})) > 0 {
		t.Error("another account sees the books")
	}
}

// However many batches there are, each is listed once, in the order sent, also where many were sent at once.
func TestManyBatchesAreListed(t *testing.T) {
	t.Parallel()
	const n = 2*pageBatches + 1
	c := newCounter(t, inquirytest.Free())
	c.exec(t, `insert into enrichment.batches (account_id, provider, batch_id, job_id, subjects, sent_at)
		select $1, 'test', lpad(to_hex(i), 32, '0'), $2, i, timestamptz '2026-03-01' + (i / 700) * interval '1 second' from generate_series(1, $3) as i`, c.account, uuid.New(), n)
	all := c.batches(t, c.account, Filter{})
	if len(all) != n {
		t.Fatalf("%d batches are listed, want %d", len(all), n)
	}
	for i, b := range all {
		if b.Subjects != int64(i+1) {
			t.Fatalf("place %d has batch %d", i, b.Subjects)
		}
	}
	if got, want := c.sums(t, c.account, Filter{}), []Sum{{Month: "2026-03", Provider: "test", Batches: n, Open: n}}; !cmp.Equal(got, want) {
		t.Errorf("the sum is %+v, want %+v", got, want)
	}
}
