package enrichment

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// Kinds of key.
const (
	external = 1
	mail     = 2
	phone    = 3
	fallback = 7
)

// verdicts reads what matching left.
func (w *world) verdicts(t *testing.T, o *ingestv1.Object) (all []row.Verdict) {
	t.Helper()
	src, err := w.open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := row.NewVerdictsReader(src)
	if err != nil {
		t.Fatal(err)
	}
	for {
		v, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		c := *v
		c.Several = append([]row.Candidate(nil), v.Several...)
		all = append(all, c)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := uuid.UUID{1}, uuid.UUID{2}
	w.contacts.held, w.contacts.version = 10, 42
	w.contacts.known = map[[16]byte][]contactHit{
		keyHash(mail, 1): {{ada, keyHash(external, 1)}}, keyHash(phone, 1): {{ada, keyHash(external, 1)}}, keyHash(phone, 2): {{bob, [16]byte{}}}, keyHash(fallback, 9): {{bob, [16]byte{}}},
	}
	lines := []line{
		{keys: map[uint8]byte{mail: 1, phone: 1}},              // 0: Ada by both
		{keys: map[uint8]byte{mail: 5}},                        // 1: nobody
		{keys: map[uint8]byte{mail: 5, phone: 2}},              // 2: repeats 1, although its phone is Bob's
		{invalid: true, keys: map[uint8]byte{mail: 6}},         // 3
		{keys: map[uint8]byte{mail: 6}},                        // 4: 3 was not accepted
		{keys: map[uint8]byte{mail: 1, phone: 3}},              // 5: repeats 0
		{keys: map[uint8]byte{phone: 3}},                       // 6: 5 was not accepted, so no repeat
		{keys: map[uint8]byte{external: 2, phone: 1, mail: 7}}, // 7: repeats 0 by phone
		{keys: map[uint8]byte{fallback: 9}},                    // 8: Bob by name
		{keys: map[uint8]byte{fallback: 9}},                    // 9: names may repeat
		{keys: map[uint8]byte{phone: 2, fallback: 9}},          // 10: Bob by phone and name
		{keys: map[uint8]byte{external: 4, mail: 8, phone: 3}}, // 11: repeats 6
		{}, // 12: nothing to be known by
	}
	c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 4, lines)
	r, err := w.match(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	m := r.GetMatched()
	want := []row.Verdict{
		{Relation: row.One, Contact: ada, Keys: 1<<mail | 1<<phone},
		{Relation: row.None},
		{Relation: row.Repeat, First: 1, FirstLine: 3, Keys: 1 << mail},
		{Relation: row.Bad},
		{Relation: row.None},
		{Relation: row.Repeat, First: 0, FirstLine: 2, Keys: 1 << mail},
		{Relation: row.None},
		{Relation: row.Repeat, First: 0, FirstLine: 2, Keys: 1 << phone},
		{Relation: row.One, Contact: bob, Keys: 1 << fallback},
		{Relation: row.One, Contact: bob, Keys: 1 << fallback},
		{Relation: row.One, Contact: bob, Keys: 1<<phone | 1<<fallback},
		{Relation: row.Repeat, First: 6, FirstLine: 8, Keys: 1 << phone},
		{Relation: row.None},
	}
	if d := cmp.Diff(want, w.verdicts(t, m.Verdicts)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
	if m.KeyVersion != 42 || m.NewRows != 4 || m.Rejected != nil {
		t.Errorf("version %d, %d new, rejected %v; want 42, 4 and no", m.KeyVersion, m.NewRows, m.Rejected)
	}
}

// The keys of an account's own unique fields count like the standard ones.
func TestVerdictsByOwnKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const first, last = 8, 15
	ada, bob := uuid.UUID{1}, uuid.UUID{2}
	w.contacts.known = map[[16]byte][]contactHit{keyHash(first, 1): {{ada, [16]byte{}}}, keyHash(last, 1): {{bob, keyHash(external, 1)}}, keyHash(fallback, 2): {{bob, [16]byte{}}}}
	c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 3, []line{
		{keys: map[uint8]byte{first: 1}},              // Ada
		{keys: map[uint8]byte{last: 3}},               // nobody
		{keys: map[uint8]byte{last: 3, first: 4}},     // repeats 1
		{keys: map[uint8]byte{external: 2, last: 1}},  // Bob has another external id
		{keys: map[uint8]byte{first: 1, last: 1}},     // repeats 0
		{keys: map[uint8]byte{first: 6, fallback: 2}}, // Bob by name
	})
	r, err := w.match(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	want := []row.Verdict{
		{Relation: row.One, Contact: ada, Keys: 1 << first},
		{Relation: row.None},
		{Relation: row.Repeat, First: 1, FirstLine: 3, Keys: 1 << last},
		{Relation: row.Other, Contact: bob, Keys: 1 << last},
		{Relation: row.Repeat, First: 0, FirstLine: 2, Keys: 1 << first},
		{Relation: row.One, Contact: bob, Keys: 1 << fallback},
	}
	if d := cmp.Diff(want, w.verdicts(t, r.GetMatched().Verdicts)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

// Keys that were not chosen find nobody, and bar the way to a second contact with the same.
func TestVerdictsByChosenKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := uuid.UUID{1}, uuid.UUID{2}
	w.contacts.known = map[[16]byte][]contactHit{keyHash(external, 1): {{ada, keyHash(external, 1)}}, keyHash(mail, 1): {{ada, keyHash(external, 1)}}, keyHash(phone, 2): {{bob, [16]byte{}}}, keyHash(fallback, 9): {{bob, [16]byte{}}}}
	c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 3, []line{
		{keys: map[uint8]byte{external: 1, mail: 1}},  // Ada
		{keys: map[uint8]byte{external: 2, phone: 2}}, // nobody, with Bob's phone
		{keys: map[uint8]byte{fallback: 9}},           // Bob's name, which says nothing here
		{keys: map[uint8]byte{phone: 2, mail: 5}},     // repeats 1: no two rows may bring one phone
		{keys: map[uint8]byte{external: 3, mail: 6}},  // nobody
	})
	c.Work.Job.Policies = &accountsv1.Policies{Keys: []string{"external_id"}}
	r, err := w.match(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	want := []row.Verdict{
		{Relation: row.One, Contact: ada, Keys: 1<<external | 1<<mail},
		{Relation: row.Other, Contact: bob, Keys: 1 << phone},
		{Relation: row.None},
		{Relation: row.Repeat, First: 1, FirstLine: 3, Keys: 1 << phone},
		{Relation: row.None},
	}
	if d := cmp.Diff(want, w.verdicts(t, r.GetMatched().Verdicts)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
	c.Work.Job.Policies = &accountsv1.Policies{Keys: []string{"shoe_size"}}
	if _, err := w.match(w.ctx(t), c); fault.Code(err) != "unknown-key" {
		t.Errorf("a key that there is not: %v", err)
	}
}

func TestVerdictsOfConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := uuid.UUID{1}, uuid.UUID{2}
	w.contacts.known = map[[16]byte][]contactHit{keyHash(mail, 1): {{ada, keyHash(external, 1)}}, keyHash(phone, 2): {{bob, [16]byte{}}}}
	c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 100, []line{
		{keys: map[uint8]byte{mail: 1, phone: 2}},
		{keys: map[uint8]byte{mail: 2, external: 2}},
		{keys: map[uint8]byte{external: 3, phone: 2}},
	})
	w.contacts.known[keyHash(mail, 2)] = []contactHit{{ada, keyHash(external, 1)}}
	r, err := w.match(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	want := []row.Verdict{
		{Relation: row.Several, Several: []row.Candidate{{Contact: ada, Keys: 1 << mail}, {Contact: bob, Keys: 1 << phone}}},
		{Relation: row.Other, Contact: ada, Keys: 1 << mail},
		{Relation: row.Repeat, First: 0, FirstLine: 2, Keys: 1 << phone},
	}
	if d := cmp.Diff(want, w.verdicts(t, r.GetMatched().Verdicts)); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

func TestThePackage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.contacts.held, w.packages.most = 90, 92
	lines := []line{{keys: map[uint8]byte{mail: 1}}, {keys: map[uint8]byte{mail: 2}}, {keys: map[uint8]byte{mail: 3}}}
	for name, test := range map[string]struct {
		lines    int
		mode     ingestv1.Mode
		check    bool
		rejected bool
	}{
		"just enough":  {2, ingestv1.Mode_MODE_ADD, false, false},
		"one too many": {3, ingestv1.Mode_MODE_ADD, false, true},
		"check only":   {3, ingestv1.Mode_MODE_ADD, true, false},
		"none is new":  {3, ingestv1.Mode_MODE_UPDATE, false, false},
	} {
		c := w.claim(t, test.mode, 10, lines[:test.lines])
		c.Work.Job.Settings.Check = test.check
		r, err := w.match(w.ctx(t), c)
		if err != nil {
			t.Fatal(err)
		}
		p := r.GetMatched().GetRejected()
		if (p != nil) != test.rejected {
			t.Errorf("%s: %v", name, p)
		}
		if p != nil && (p.Code != "package-too-small" || !strings.Contains(p.Message, "92 contacts") || !strings.Contains(p.Message, "holds 90") || !strings.Contains(p.Message, "3 new")) {
			t.Errorf("%s: %v, want both numbers", name, p)
		}
	}
}

func TestManyBatchesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := uuid.UUID{1}
	w.contacts.known = map[[16]byte][]contactHit{keyHash(phone, 1): {{ada, [16]byte{}}}}
	const rows = 7*batchRows + 123
	lines := make([]line, rows)
	for _, n := range []int{0, batchRows - 1, batchRows, 3 * batchRows, rows - 1} {
		lines[n].keys = map[uint8]byte{phone: 1}
	}
	r, err := w.match(w.ctx(t), w.claim(t, ingestv1.Mode_MODE_UPSERT, 33_333, lines))
	if err != nil {
		t.Fatal(err)
	}
	var repeats []int
	for n, v := range w.verdicts(t, r.GetMatched().Verdicts) {
		if v.Relation == row.Repeat || v.Relation == row.One {
			repeats = append(repeats, n)
		}
	}
	if d := cmp.Diff([]int{0, batchRows - 1, batchRows, 3 * batchRows, rows - 1}, repeats); d != "" || w.contacts.asked != rows {
		t.Errorf("%d rows asked; rows with a key (-want +got):\n%s", w.contacts.asked, d)
	}
	// A file without rows still says what the account holds.
	w.contacts.version = 7
	if r, err = w.match(w.ctx(t), w.claim(t, ingestv1.Mode_MODE_UPSERT, 1, nil)); err != nil || r.GetMatched().GetKeyVersion() != 7 {
		t.Errorf("no rows: %v, %v", r, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	lines := []line{{keys: map[uint8]byte{mail: 1}}, {keys: map[uint8]byte{mail: 2}}}
	for name, test := range map[string]struct {
		prepare func(*matcher)
		kind    fault.Kind
	}{
		"columns of different lengths": {func(m *matcher) { m.spoil = func(_ int, a *contactsv1.MatchResponse) { a.Keys = a.Keys[1:] } }, fault.Internal},
		"a cut id": {func(m *matcher) {
			m.spoil = func(_ int, a *contactsv1.MatchResponse) { a.ContactIds = a.ContactIds[1:] }
		}, fault.Internal},
		"out of order": {func(m *matcher) {
			m.spoil = func(_ int, a *contactsv1.MatchResponse) { a.Rows[0], a.Rows[1] = a.Rows[1], a.Rows[0] }
		}, fault.Internal},
		"a row that is not there": {func(m *matcher) { m.spoil = func(_ int, a *contactsv1.MatchResponse) { a.Rows[1] = 2 } }, fault.Internal},
		"no word of the account":  {func(m *matcher) { m.spoil = func(_ int, a *contactsv1.MatchResponse) { a.Account = nil } }, fault.Internal},
		"one answer too many":     {func(m *matcher) { m.after = &contactsv1.MatchResponse{} }, fault.Internal},
		"away at the end":         {func(m *matcher) { m.fail = fault.New(fault.Unavailable, "away", "away") }, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t) // of its own: the other end of a stream that broke may still be at work
			w.contacts.known = map[[16]byte][]contactHit{keyHash(mail, 1): {{uuid.UUID{1}, [16]byte{}}}, keyHash(mail, 2): {{uuid.UUID{2}, [16]byte{}}}}
			test.prepare(w.contacts)
			if r, err := w.match(w.ctx(t), w.claim(t, ingestv1.Mode_MODE_UPSERT, 10, lines)); fault.Of(err) != test.kind || err == nil {
				t.Errorf("%v, %v; want %s", r, err, test.kind)
			}
		})
	}
}

func TestWhatEarlierStagesLeftIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lines := []line{{keys: map[uint8]byte{mail: 1}}, {keys: map[uint8]byte{mail: 2}}, {keys: map[uint8]byte{mail: 3}}}
	for name, spoil := range map[string]func(*ingestv1.ValidateResult, *stage.Claim){
		"another job's object": func(_ *ingestv1.ValidateResult, c *stage.Claim) { c.Job = uuid.Must(uuid.NewV7()) },
		"a chunk is missing":   func(v *ingestv1.ValidateResult, _ *stage.Claim) { v.Chunks = v.Chunks[:1] },
		"a row too many":       func(v *ingestv1.ValidateResult, _ *stage.Claim) { v.Chunks[1].Rows++ },
		"another content":      func(v *ingestv1.ValidateResult, _ *stage.Claim) { v.Chunks[0].Keys.Sha256 = strings.Repeat("00", 32) },
		"cells for keys":       func(v *ingestv1.ValidateResult, _ *stage.Claim) { v.Chunks[0].Keys = v.Chunks[0].Cells },
		"no object":            func(v *ingestv1.ValidateResult, _ *stage.Claim) { v.Chunks[0].Keys = nil },
	} {
		c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 2, lines)
		spoil(c.Work.Validated, c)
		start := time.Now()
		if _, err := w.match(w.ctx(t), c); err == nil || fault.Of(err).Transient() {
			t.Errorf("%s: %v, want an error that is charged", name, err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: took %s to see", name, took)
		}
	}
}

func TestTheWholeService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	start(t, w)
	r := stagetest.Ring(event.Match)
	w.account = r.Account
	work := w.validated(t, r.Job, ingestv1.Mode_MODE_ADD, 2, []line{{keys: map[uint8]byte{mail: 1}, email: "a@gmail.com"}, {invalid: true}, {keys: map[uint8]byte{phone: 1}, phone: "+12022243441"}})
	matched := w.do(t, r, work).Finish.GetMatched()
	if matched.GetNewRows() != 2 {
		t.Fatalf("match left %v", matched)
	}
	work.Matched, r.Stage = matched, event.Enrich
	enriched := w.do(t, r, work).Finish.GetEnriched()
	if enriched.GetSent() != 2 || enriched.GetKnown() != 2 {
		t.Fatalf("enrich left %v", enriched)
	}
	if d := cmp.Diff([]fact{{0, "", `{"domain_kind":"free"}`}, {2, `{"line_type":"mobile"}`, ""}}, w.told(t, enriched.Facts)); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
}
