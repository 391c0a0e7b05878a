package enrichment

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// A check says what would be sent and paid, and neither sends nor pays anything.
func TestForecast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := keyHash(mail, 9)
	w.contacts.known = map[[16]byte][]contactHit{ada: {{uuid.UUID{1}, [16]byte{}}}}
	if _, err := w.enrich(w.ctx(t), w.enrichClaim(t, []line{{phone: "+12022243441", email: "a@gmail.com"}, {phone: "+12022243442"}})); err != nil {
		t.Fatal(err)
	}
	lines := []line{
		{phone: "+12022243441"}, // asked about before
		{phone: "+12022243442", email: "b@gmail.com"},
		{email: "c@gmail.com"},
		{email: "c@gmail.com"},          // a repeat
		{},                              // nothing to ask by
		{keys: map[uint8]byte{mail: 9}}, // a contact already
		{invalid: true, phone: "+12022243445"},
	}
	calls := len(w.asked.Asked())
	forecast := func(change func(*ingestv1.ImportSettings)) *ingestv1.Forecast {
		t.Helper()
		c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 2, lines)
		c.Work.JobsAhead = 2
		change(c.Work.Job.Settings)
		r, err := w.match(w.ctx(t), c)
		if err != nil {
			t.Fatal(err)
		}
		return r.GetMatched().Forecast
	}
	want := &ingestv1.Forecast{ToSend: 2, KnownAlready: 1, Cost: &ingestv1.Cost{Micros: 2 * inquirytest.Price, Currency: "EUR"}, JobsAhead: 2, Provider: "test"}
	for name, change := range map[string]func(*ingestv1.ImportSettings){
		"check": func(s *ingestv1.ImportSettings) { s.Check = true }, "review": func(s *ingestv1.ImportSettings) { s.Review = true },
	} {
		if d := cmp.Diff(want, forecast(change), protocmp.Transform()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	check := func(s *ingestv1.ImportSettings) { s.Check = true }
	w.asked.Away(fault.New(fault.Unavailable, "away", "away"))
	if d := cmp.Diff(want, forecast(check), protocmp.Transform()); d != "" {
		t.Errorf("while the provider is away (-want +got):\n%s", d)
	}
	if f := forecast(func(*ingestv1.ImportSettings) {}); f != nil {
		t.Errorf("a job that is neither has a forecast: %v", f)
	}
	if n := len(w.asked.Asked()) - calls; n != 0 {
		t.Errorf("%d batches were asked", n)
	}
	never := newWorld(t)
	never.asked.Away(fault.New(fault.Unavailable, "away", "away"))
	c := never.claim(t, ingestv1.Mode_MODE_ADD, 10, []line{{phone: "+12022243441"}, {}})
	c.Work.Job.Settings.Check = true
	r, err := never.match(never.ctx(t), c)
	if d := cmp.Diff(&ingestv1.Forecast{ToSend: 1}, r.GetMatched().GetForecast(), protocmp.Transform()); d != "" || err != nil {
		t.Errorf("of a provider that never spoke: %v (-want +got):\n%s", err, d)
	}
}

// A file whose ids nearly all are unknown, where those of the last such file were known, is asked about, not imported.
func TestIDsThatHaveBecomeUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.contacts.known = map[[16]byte][]contactHit{}
	const known = 4
	for i := range known {
		w.contacts.known[keyHash(external, byte(i))] = []contactHit{{uuid.UUID{byte(i + 1)}, keyHash(external, byte(i))}}
	}
	rows := func(known, unknown int) (lines []line) {
		for i := range known {
			lines = append(lines, line{keys: map[uint8]byte{external: byte(i)}})
		}
		for i := range unknown {
			lines = append(lines, line{keys: map[uint8]byte{external: byte(100 + i)}, phone: fmt.Sprintf("+1202%07d", i)})
		}
		return lines
	}
	usual := func(rows, known int64) []*ingestv1.KeyShare {
		return []*ingestv1.KeyShare{{Key: external, Rows: rows, Known: known}}
	}
	for name, test := range map[string]struct {
		mode           ingestv1.Mode
		held           int64
		known, unknown int
		usual          []*ingestv1.KeyShare
		confirmed      bool
		asks           bool
	}{
		"all unknown":                    {ingestv1.Mode_MODE_UPSERT, known, 0, 20, usual(20, 10), false, true},
		"nobody there":                   {ingestv1.Mode_MODE_UPSERT, 0, 0, 30, usual(20, 20), false, false},
		"just under a tenth":             {ingestv1.Mode_MODE_ADD, known, 2, 19, usual(1000, 1000), false, true},
		"a tenth":                        {ingestv1.Mode_MODE_UPSERT, known, 2, 18, usual(20, 20), false, false},
		"few rows":                       {ingestv1.Mode_MODE_UPSERT, known, 0, 19, usual(20, 20), false, false},
		"few rows last time":             {ingestv1.Mode_MODE_UPSERT, known, 0, 30, usual(19, 19), false, false},
		"less than half known last time": {ingestv1.Mode_MODE_UPSERT, known, 0, 30, usual(20, 9), false, false},
		"no file like it":                {ingestv1.Mode_MODE_UPSERT, known, 0, 30, nil, false, false},
		"confirmed":                      {ingestv1.Mode_MODE_UPSERT, known, 0, 30, usual(20, 20), true, false},
		"an update adds nobody":          {ingestv1.Mode_MODE_UPDATE, known, 0, 30, usual(20, 20), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w.contacts.held = test.held
			c := w.claim(t, test.mode, 100, rows(test.known, test.unknown))
			c.Work.Job.Number, c.Work.Usual, c.Work.Confirmed = 7, test.usual, test.confirmed
			c.Work.Validated.Columns = []*ingestv1.Column{{Index: 1, Heading: "Junk"}, {Index: 2, Heading: "CRM", Field: "external_id"}}
			r, err := w.match(w.ctx(t), c)
			if err != nil {
				t.Fatal(err)
			}
			m := r.GetMatched()
			shares := []*ingestv1.KeyShare{{Key: external, Rows: int64(test.known + test.unknown), Known: int64(test.known)}, {Key: phone, Rows: int64(test.unknown)}}
			if d := cmp.Diff(shares, m.Shares, protocmp.Transform()); d != "" {
				t.Errorf("shares (-want +got):\n%s", d)
			}
			if asks := m.Question != nil; asks != test.asks {
				t.Fatalf("question %v, want one: %t", m.Question, test.asks)
			}
			if test.asks && name == "all unknown" {
				want := &ingestv1.Question{Code: "ids-unknown",
					Message: `Of 20 rows with a value in column "CRM" (external_id), 0 are known here (0 %); of the last file like it, 10 of 20 were (50 %).`,
					Hint:    "If the file is meant so: contactmill jobs answer 7 --confirm. If not: contactmill jobs cancel 7, and hand in the right file.",
					Columns: []*ingestv1.Column{c.Work.Validated.Columns[1]}}
				if d := cmp.Diff(want, m.Question, protocmp.Transform()); d != "" {
					t.Errorf("question (-want +got):\n%s", d)
				}
			}
		})
	}
}

// Rows that are INVALID or repeats say nothing of a key, and a hit by another key is none of this one's.
func TestSharesOfKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.contacts.known = map[[16]byte][]contactHit{keyHash(mail, 1): {{uuid.UUID{1}, [16]byte{}}}, keyHash(fallback, 1): {{uuid.UUID{2}, [16]byte{}}}}
	r, err := w.match(w.ctx(t), w.claim(t, ingestv1.Mode_MODE_UPSERT, 3, []line{
		{keys: map[uint8]byte{mail: 1, external: 7}},
		{keys: map[uint8]byte{mail: 1}},                // a repeat
		{invalid: true, keys: map[uint8]byte{mail: 2}}, // INVALID
		{keys: map[uint8]byte{mail: 3, fallback: 1}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []*ingestv1.KeyShare{{Key: external, Rows: 1}, {Key: mail, Rows: 2, Known: 1}}
	if d := cmp.Diff(want, r.GetMatched().Shares, protocmp.Transform()); d != "" {
		t.Errorf("shares (-want +got):\n%s", d)
	}
}
