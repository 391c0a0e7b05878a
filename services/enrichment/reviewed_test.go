package enrichment

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// planOf stores a plan of the claim's job.
func (w *world) planOf(t *testing.T, c *stage.Claim, outcomes ...row.Outcome) *ingestv1.Object {
	t.Helper()
	var b bytes.Buffer
	out := row.NewOutcomesWriter(&b)
	for _, o := range outcomes {
		if err := out.Append(&row.Ended{Outcome: o}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := w.blob.Put(t.Context(), blob.WorkName(w.account, c.Job, "merge", 1, "outcomes"), bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return stage.ToObject(o)
}

// No more is paid for than was approved: a row that became a new contact since is held by merge, whatever a provider says of it.
func TestOnlyRowsThatAPlanAddsAreAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.enrichClaim(t, []line{{email: "a@gmail.com"}, {email: "b@gmail.com"}, {email: "c@gmail.com"}})
	var subjects []string
	w.asked.Lapses(func(_ int, q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
		for _, s := range q.Subjects {
			subjects = append(subjects, s.Email)
		}
		return nil
	})
	c.Work.Plan = w.planOf(t, c, row.Added, row.Updated, row.Added)
	r, err := w.enrich(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a@gmail.com", "c@gmail.com"}, subjects); d != "" {
		t.Errorf("asked about (-want +got):\n%s", d)
	}
	if e := r.GetEnriched(); e.Sent != 2 || e.Cost.GetMicros() != 2*inquirytest.Price {
		t.Errorf("%d sent for %v, want two", e.Sent, e.Cost)
	}
	c.Work.Plan = w.planOf(t, c, row.Added)
	if _, err := w.enrich(w.ctx(t), c); !errors.Is(err, io.EOF) {
		t.Errorf("a plan of fewer rows: %v", err)
	}
	c.Work.Plan = w.planOf(t, c, row.Added, row.Added, row.Added, row.Added)
	if _, err := w.enrich(w.ctx(t), c); fault.Of(err) != fault.DataLoss {
		t.Errorf("a plan of more rows: %v", err)
	}
	c.Work.Plan = w.planOf(t, &stage.Claim{}, row.Added, row.Added, row.Added)
	if _, err := w.enrich(w.ctx(t), c); fault.Of(err) != fault.DataLoss {
		t.Errorf("the plan of another job: %v", err)
	}
}
