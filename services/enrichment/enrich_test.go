package enrichment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// start runs the service until the test ends.
func start(t *testing.T, w *world) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	if err := w.link.Bus.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// do has a stage done and tells how it ended.
func (w *world) do(t *testing.T, r event.Ring, work *ingestv1.Work) stagetest.Ended {
	t.Helper()
	w.work.Put(r, work)
	if err := w.link.Bus.Ring(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-w.work.Ended():
		return e
	case <-time.After(time.Minute):
		t.Fatalf("%s did not end within a minute", r.Stage)
		return stagetest.Ended{}
	}
}

type fact struct {
	Row          int64
	Phone, Email string
}

func (w *world) facts(t *testing.T, o *ingestv1.Object) (all []fact) {
	t.Helper()
	src, err := w.open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := row.NewFactsReader(src)
	if err != nil {
		t.Fatal(err)
	}
	for {
		n, phone, email, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fact{n, string(phone), string(email)})
	}
}

// enrichClaim is a claim on enrich of a job of the lines given, of which match has found none known.
func (w *world) enrichClaim(t *testing.T, lines []line) *stage.Claim {
	t.Helper()
	c := w.claim(t, ingestv1.Mode_MODE_UPSERT, 6000, lines)
	r, err := w.match(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	c.Work.Matched = r.GetMatched()
	return c
}

// many are lines that make so many batches, the last one small.
func many(batches int) []line {
	lines := make([]line, (batches-1)*batchSubjects+17)
	for i := range lines {
		lines[i] = line{phone: fmt.Sprintf("+1202%07d", i)}
	}
	return lines
}

func TestFactsOfNewRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.contacts.known = map[[16]byte][]contactHit{keyHash(mail, 9): {{uuid.UUID{1}, [16]byte{}}}}
	c := w.enrichClaim(t, []line{
		{phone: "+12022243441", email: "a@gmail.com"},
		{email: "b@example.net"}, // nothing is known
		{},                       // nothing to ask by
		{invalid: true, phone: "+12022243442"},
		{keys: map[uint8]byte{mail: 9}, email: "known@gmail.com"}, // a contact already
		{email: "c@gmail.com"},
	})
	var subjects []string
	w.asked.answer = func(_ int, q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
		for _, s := range q.Subjects {
			subjects = append(subjects, s.Phone+"/"+s.Email)
		}
		return nil
	}
	r, err := w.enrich(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	e := r.GetEnriched()
	if d := cmp.Diff([]string{"+12022243441/a@gmail.com", "/b@example.net", "/c@gmail.com"}, subjects); d != "" {
		t.Errorf("asked about (-want +got):\n%s", d)
	}
	if e.Sent != 3 || e.Known != 2 {
		t.Errorf("%d sent and %d known, want 3 and 2", e.Sent, e.Known)
	}
	want := []fact{{0, `{"line_type":"mobile"}`, `{"domain_kind":"free"}`}, {5, "", `{"domain_kind":"free"}`}}
	if d := cmp.Diff(want, w.facts(t, e.Facts)); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
}

// A job is interrupted at every batch in turn, before the provider hears of it and after it has answered, and begun again.
// A batch whose answer was saved is not asked again, by this job or by another with the same people.
func TestNoBatchIsPaidTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const batches = 4
	c := w.enrichClaim(t, many(batches))
	for stop := range batches {
		ctx, cancel := context.WithCancel(w.ctx(t))
		w.asked.answer = func(_ int, _ *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
			if len(w.asked.asked) > stop {
				cancel() // the worker dies while the provider answers
			}
			return nil
		}
		if _, err := w.enrich(ctx, c); err == nil {
			t.Fatalf("stop %d: not interrupted", stop)
		}
		cancel()
	}
	w.asked.answer = nil
	r, err := w.enrich(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if e := r.GetEnriched(); e.Sent != int64(len(many(batches))) || e.Known != e.Sent {
		t.Errorf("%d sent and %d known of %d", e.Sent, e.Known, len(many(batches)))
	}
	if len(w.asked.asked) != batches {
		t.Errorf("%d batches were asked, want %d", len(w.asked.asked), batches)
	}
	for _, id := range slices.Sorted(maps.Keys(w.asked.asked)) {
		if n := w.asked.asked[id]; n > 2 { // once more where its answer was lost with the worker, under the same id
			t.Errorf("batch %s was asked %d times", id, n)
		}
	}
	before := len(w.asked.batches)
	again := w.enrichClaim(t, many(batches)) // another job with the same people
	if r, err = w.enrich(w.ctx(t), again); err != nil || r.GetEnriched().GetKnown() == 0 {
		t.Fatalf("another job: %v, %v", r, err)
	}
	if n := len(w.asked.batches) - before; n != 0 {
		t.Errorf("another job with the same people asked %d batches, want none", n)
	}
	w.account = uuid.Must(uuid.NewV7())
	if _, err = w.enrich(w.ctx(t), w.enrichClaim(t, many(batches))); err != nil {
		t.Fatal(err)
	}
	if n := len(w.asked.batches) - before; n != batches {
		t.Errorf("another account with the same people asked %d batches, want all %d", n, batches)
	}
	if len(w.asked.asked) != 2*batches {
		t.Errorf("%d batch ids, want another one for each account", len(w.asked.asked))
	}
}

// While the provider answers one batch, all before it are saved.
func TestEachAnswerIsSavedBeforeTheNextBatchIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, err := pgx.Connect(t.Context(), w.database.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	c := w.enrichClaim(t, many(3))
	w.asked.answer = func(n int, q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
		var open, answered int
		var me bool
		err := owner.QueryRow(t.Context(), "select count(*) filter (where answer is null), count(answer), bool_or(batch_id = $1 and answer is null and subjects = $2) from enrichment.batches", q.BatchId, len(q.Subjects)).
			Scan(&open, &answered, &me)
		if err != nil || open != 1 || answered != n || !me {
			t.Errorf("batch %d: %d open, %d answered, noted itself: %v, %v", n, open, answered, me, err)
		}
		return nil
	}
	if _, err := w.enrich(w.ctx(t), c); err != nil {
		t.Fatal(err)
	}
	var answered, cost int
	if err := owner.QueryRow(t.Context(), "select count(answer), sum(cost_micros) from enrichment.batches where known = subjects").Scan(&answered, &cost); err != nil || answered != 3 || cost != len(many(3)) {
		t.Errorf("at the end %d answers for %d, %v", answered, cost, err)
	}
}

func TestAProviderThatLetsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type lapse = func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error
	spoil := func(f func(*providerv1.EnrichResponse)) lapse {
		return func(_ int, _ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error { f(a); return nil }
	}
	fails := func(k fault.Kind) lapse {
		return func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
			return fault.New(k, "no", "no")
		}
	}
	for name, test := range map[string]struct {
		lapse     lapse
		transient bool
		code      string
	}{
		"is away":               {fails(fault.Unavailable), true, "no"},
		"is at its limit":       {fails(fault.Exhausted), true, "no"},
		"does not know us":      {fails(fault.Unauthenticated), true, "provider-refuses"},
		"has no such method":    {fails(fault.Unimplemented), true, "provider-refuses"},
		"cannot take the batch": {fails(fault.Invalid), false, "no"},
		"ends the stream":       {func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error { return errEnd }, true, "provider-ended"},
		"asks to come back":     {spoil(func(a *providerv1.EnrichResponse) { a.RetryAfter = durationpb.New(90 * time.Second) }), true, "provider-busy"},
		"answers another batch": {spoil(func(a *providerv1.EnrichResponse) { a.BatchId = "other" }), true, "provider-answer"},
		"answers too few":       {spoil(func(a *providerv1.EnrichResponse) { a.PhoneFacts = a.PhoneFacts[1:] }), true, "provider-answer"},
		"answers too many":      {spoil(func(a *providerv1.EnrichResponse) { a.EmailFacts = append(a.EmailFacts, 0) }), true, "provider-answer"},
		"names no set":          {spoil(func(a *providerv1.EnrichResponse) { a.PhoneFacts[0] = 3 }), true, "provider-answer"},
		"sends empty sets":      {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts = nil }), true, "provider-answer"},
		"sends too many sets": {spoil(func(a *providerv1.EnrichResponse) {
			a.FactSets = slices.Repeat(a.FactSets, 10)
		}), true, "provider-answer"},
		"sends a long set": {spoil(func(a *providerv1.EnrichResponse) {
			a.FactSets[0].Facts = slices.Repeat(a.FactSets[0].Facts, maxFacts+1)
		}), true, "provider-answer"},
		"misnames a fact":    {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Name = "Line Type" }), true, "provider-answer"},
		"sends a long value": {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Value = strings.Repeat("x", 1025) }), true, "provider-answer"},
		"sends a NUL":        {spoil(func(a *providerv1.EnrichResponse) { a.FactSets[0].Facts[0].Value = "a\x00b" }), true, "provider-answer"},
		"is paid for asking": {spoil(func(a *providerv1.EnrichResponse) { a.CostMicros = -1 }), true, "provider-answer"},
	} {
		t.Run(name, func(t *testing.T) {
			w.account, w.asked.answer = uuid.Must(uuid.NewV7()), nil
			c := w.enrichClaim(t, []line{{phone: "+12022243441"}, {email: "a@gmail.com"}})
			w.asked.answer = test.lapse
			_, err := w.enrich(w.ctx(t), c)
			if err == nil || fault.Of(err).Transient() != test.transient || test.code != "" && fault.Code(err) != test.code {
				t.Fatalf("%v (%s), want %s", err, fault.Code(err), test.code)
			}
			w.asked.answer = nil
			if r, err := w.enrich(w.ctx(t), c); err != nil || r.GetEnriched().GetKnown() != 2 {
				t.Errorf("then %v, %v; want to go on", r, err)
			}
		})
	}
}

func TestASlowProviderIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.enrichClaim(t, []line{{phone: "+12022243441"}})
	w.cfg.ProviderTimeout = 50 * time.Millisecond
	held := make(chan struct{})
	w.asked.answer = func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error { <-held; return nil }
	_, err := w.enrich(w.ctx(t), c)
	close(held)
	if !errors.Is(err, fault.Unavailable) || fault.Code(err) != "provider-slow" {
		t.Errorf("%v, want to come back", err)
	}
}

func TestTheProvidersWishReachesTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start(t, w)
	r := stagetest.Ring(event.Enrich)
	w.account = r.Account
	work := w.validated(t, r.Job, ingestv1.Mode_MODE_ADD, 10, []line{{phone: "+12022243441"}})
	m, err := w.match(w.ctx(t), &stage.Claim{Account: r.Account, Job: r.Job, Token: 1, Work: work})
	if err != nil {
		t.Fatal(err)
	}
	work.Matched = m.GetMatched()
	w.asked.answer = func(_ int, _ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
		a.RetryAfter = durationpb.New(90 * time.Second)
		return nil
	}
	e := w.do(t, r, work).Release
	if e.GetReason() != ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE || e.GetRetryAfter().AsDuration() != 90*time.Second {
		t.Errorf("given back with %v, want uncharged and for 90 s", e)
	}
}

func TestTheLedgerOfBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.ledger
	b := &batch{account: w.account, job: uuid.New(), provider: "test", id: strings.Repeat("ab", 32), subjects: 1}
	for range 2 { // noted, and noted again after a crash
		if a, err := l.next(t.Context(), nil, b); a != nil || err != nil {
			t.Fatalf("a batch that nobody answered: %v, %v", a, err)
		}
	}
	q := &providerv1.EnrichRequest{BatchId: b.id, Subjects: []*providerv1.Subject{{Phone: "+1"}}}
	first := right(q)
	if a, err := l.next(t.Context(), &answered{*b, first, 1}, nil); a != nil || err != nil {
		t.Fatalf("%v, %v", a, err)
	}
	second := right(q)
	second.CostMicros = 99
	if _, err := l.next(t.Context(), &answered{*b, second, 1}, nil); err != nil {
		t.Fatal(err)
	}
	if a, err := l.next(t.Context(), nil, b); err != nil || !proto.Equal(a, first) {
		t.Errorf("saved %v, %v; want the first answer", a, err)
	}
	other := *b
	other.account = uuid.New()
	if a, err := l.next(t.Context(), nil, &other); a != nil || err != nil {
		t.Errorf("another account's answer: %v, %v", a, err)
	}
	var seen int
	if err := l.db.Pool().QueryRow(t.Context(), "select count(*) from enrichment.batches").Scan(&seen); err != nil || seen != 0 {
		t.Errorf("without an account %d rows are seen, %v", seen, err)
	}
	err := l.db.InAccount(t.Context(), other.account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into enrichment.batches (account_id, provider, batch_id, job_id, subjects) values ($1, 'x', $2, $1, 1)", w.account, b.id)
		return err
	})
	if err == nil {
		t.Error("one account wrote another's batch")
	}
	postgrestest.PrepareAll(t, l.db, queries, "queries")
}

func TestProcessRefusesASchemaOfAnotherVersion(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t)
	w := newWorld(t)
	_, err := Process(t.Context(), []string{"CONTACTMILL_DATABASE_URL=" + db.OwnerURL, "CONTACTMILL_S3_URL=" + env(t, "CONTACTMILL_TEST_S3"), "CONTACTMILL_NATS_URL=" + env(t, "CONTACTMILL_TEST_NATS"),
		"CONTACTMILL_INGEST_ADDR=127.0.0.1:1", "CONTACTMILL_CONTACTS_ADDR=127.0.0.1:1", "CONTACTMILL_ACCOUNTS_ADDR=127.0.0.1:1", "CONTACTMILL_PROVIDER_ADDR=127.0.0.1:1",
		"CONTACTMILL_SERVICE_KEY=k", "CONTACTMILL_INSTANCE=a"}, w.tel)
	if !errors.Is(err, fault.Precondition) {
		t.Errorf("without a schema: %v, want a precondition", err)
	}
}
