package enrichment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
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

func (w *world) told(t *testing.T, o *ingestv1.Object) (all []fact) {
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
	w.asked.Lapses(func(_ int, q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
		for _, s := range q.Subjects {
			subjects = append(subjects, s.Phone+"/"+s.Email)
		}
		return nil
	})
	r, err := w.enrich(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	e := r.GetEnriched()
	if d := cmp.Diff([]string{"+12022243441/a@gmail.com", "/b@example.net", "/c@gmail.com"}, subjects); d != "" {
		t.Errorf("asked about (-want +got):\n%s", d)
	}
	if e.Sent != 3 || e.Known != 2 || e.Later != 0 {
		t.Errorf("%d sent, %d known and %d later, want 3, 2 and none", e.Sent, e.Known, e.Later)
	}
	if e.Cost.GetMicros() != 3*inquirytest.Price || e.Cost.GetCurrency() != "EUR" {
		t.Errorf("cost %v, want that of three", e.Cost)
	}
	want := []fact{{0, `{"line_type":"mobile"}`, `{"domain_kind":"free"}`}, {1, "", "{}"}, {5, "", `{"domain_kind":"free"}`}}
	if d := cmp.Diff(want, w.told(t, e.Facts)); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
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
	w.asked.Lapses(func(_ int, _ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
		a.RetryAfter = durationpb.New(20 * time.Minute)
		return nil
	})
	e := w.do(t, r, work).Release
	if rest := e.GetRetryAfter().AsDuration(); e.GetReason() != ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE || rest > 20*time.Minute || rest < 19*time.Minute {
		t.Errorf("given back with %v, want uncharged and for 20 minutes", e)
	}
}

func TestProcessRefusesASchemaOfAnotherVersion(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t)
	w := newWorld(t)
	_, err := Process(t.Context(), []string{"CONTACTMILL_DATABASE_URL=" + db.OwnerURL, "CONTACTMILL_S3_URL=" + env(t, "CONTACTMILL_TEST_S3"), "CONTACTMILL_NATS_URL=" + env(t, "CONTACTMILL_TEST_NATS"),
		"CONTACTMILL_INGEST_ADDR=127.0.0.1:1", "CONTACTMILL_CONTACTS_ADDR=127.0.0.1:1", "CONTACTMILL_ACCOUNTS_ADDR=127.0.0.1:1", "CONTACTMILL_PROVIDER_ADDR=127.0.0.1:1",
		"CONTACTMILL_SERVICE_KEY=k", "CONTACTMILL_INSTANCE=a", "CONTACTMILL_KEYRING_FILE=" + w.cfg.Keyring}, w.tel)
	if !errors.Is(err, fault.Precondition) {
		t.Errorf("without a schema: %v, want a precondition", err)
	}
}

// The account's days are what the ledger goes by, counted from the job's acceptance.
func TestAnswersAreUsedForTheAccountsDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lines := []line{{phone: "+12022243441", email: "a@gmail.com"}}
	for i, test := range []struct {
		age, days int32
		batches   int
	}{{0, 0, 1}, {89, 0, 1}, {91, 0, 2}, {20, 30, 2}, {31, 30, 3}, {0, 1, 3}} {
		w.exec(t, "update enrichment.answers set asked_at = now() - make_interval(days => $1)", test.age)
		c := w.enrichClaim(t, lines)
		c.Work.Account.ProviderDays = test.days
		r, err := w.enrich(w.ctx(t), c)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := w.asked.Charged(); n != test.batches || r.GetEnriched().Known != 1 {
			t.Errorf("%d: after %d of %d days %d batches were charged in all, want %d; result %v", i, test.age, test.days, n, test.batches, r)
		}
	}
}

// A job that may goes on without its provider, once it is more than a hiccup, and its contacts are enriched when the provider
// serves the account again, wherever the job is by then.
func TestGoingOnWithoutTheProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start(t, w)
	lines := []line{{phone: "+12022243441", email: "a@gmail.com"}, {email: "b@example.net"}, {}}
	c := w.enrichClaim(t, lines)
	c.Work.Account.CompleteWithoutProvider = true
	w.asked.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		return fault.New(fault.Unavailable, "no", "no")
	})
	for range 2 {
		if _, err := w.enrich(w.ctx(t), c); !errors.Is(err, fault.Unavailable) {
			t.Fatalf("%v, want to wait", err)
		}
		w.exec(t, "update enrichment.breakers set open_until = now()")
	}
	r, err := w.enrich(w.ctx(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if e := r.GetEnriched(); e.Later != 2 || e.Sent != 0 || len(w.told(t, e.Facts)) != 0 {
		t.Fatalf("%v, want both rows later", r)
	}
	w.asked.Lapses(nil)
	w.exec(t, "update enrichment.breakers set open_until = now()")
	w.contactsOf(c.Job, []line{lines[0], lines[1]}) // the job is applied
	w.facts.aborts = 1
	w.hurry(t, c.Job)
	want := map[string]string{"+12022243441": `{"line_type":"mobile"}`, "a@gmail.com": `{"domain_kind":"free"}`, "b@example.net": "{}"}
	if d := cmp.Diff(want, w.facts.said); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
	if n := w.asked.Twice(); n != 0 {
		t.Errorf("%d values were paid twice", n)
	}
}

// Facts that are too many for one message are written in several.
func TestMuchIsSaidLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var said []*providerv1.Fact
	for i := range 60 {
		said = append(said, &providerv1.Fact{Name: fmt.Sprintf("fact_%d", i), Value: strings.Repeat("x", 1<<10)})
	}
	w.asked.Lapses(func(_ int, _ *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
		a.FactSets[0].Facts = said
		return nil
	})
	var lines []line
	for i := range 100 {
		lines = append(lines, line{phone: fmt.Sprintf("+1202224%04d", i)})
	}
	job := uuid.Must(uuid.NewV7())
	w.contactsOf(job, lines)
	if err := w.later.add(t.Context(), w.account, job, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.later.job(t.Context(), due{w.account, job}); err != nil {
		t.Fatal(err)
	}
	if len(w.facts.said) != len(lines) {
		t.Errorf("facts of %d values, want %d", len(w.facts.said), len(lines))
	}
}

// contactsOf has a job applied: it made contacts of the lines.
func (w *world) contactsOf(job uuid.UUID, lines []line) {
	w.facts.mu.Lock()
	defer w.facts.mu.Unlock()
	for _, l := range lines {
		id := uuid.Must(uuid.NewV7())
		c := &contactsv1.UnenrichedContact{ContactId: id[:], Phone: l.phone, Email: l.email}
		if l.phone != "" {
			h := w.keys.Hash(w.account, phone, []byte(l.phone))
			c.PhoneHash = h[:]
		}
		if l.email != "" {
			h := w.keys.Hash(w.account, mail, []byte(l.email))
			c.EmailHash = h[:]
		}
		w.facts.contacts[job.String()] = append(w.facts.contacts[job.String()], c)
	}
}

// hurry lets no time pass until nothing of a job is left to enrich later.
func (w *world) hurry(t *testing.T, job uuid.UUID) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if n := one[int](t, w, "select count(*) from enrichment.later where job_id = $1", job); n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute there is something left: %s", one[string](t, w, "select l::text from enrichment.later l where job_id = $1", job))
		}
		w.exec(t, "update enrichment.later set next_try = now() where next_try > now() and next_try < now() + interval '1 minute'") // but for what is held
		select {
		case w.later.woken <- struct{}{}:
		default:
		}
		select {
		case <-t.Context().Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A job that is never applied is left in the end; one that may be soon is not.
func TestAJobThatIsNeverApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := uuid.Must(uuid.NewV7())
	if err := w.later.add(t.Context(), w.account, job, time.Now()); err != nil {
		t.Fatal(err)
	}
	d := due{w.account, job}
	for i := range 3 {
		if err := w.later.job(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, w, "select failures from enrichment.later where next_try between now() and now() + interval '10 seconds'"); n != i+1 {
			t.Errorf("put off %d times, want %d", n, i+1)
		}
		if err := w.later.job(t.Context(), d); err != nil { // not due, or somebody else's
			t.Fatal(err)
		}
		w.exec(t, "update enrichment.later set next_try = now()")
	}
	w.exec(t, "update enrichment.later set made_at = now() - interval '25 hours'")
	if err := w.later.job(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if n := one[int](t, w, "select count(*) from enrichment.later"); n != 0 {
		t.Error("it is waited for after a day")
	}
	postgrestest.PrepareAll(t, w.db, queries, "queries")
}

// What a cancelled job or a dead instance left unanswered is asked again in the background.
func TestTheBackgroundSettles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.enrichClaim(t, []line{{phone: "+12022243441"}})
	ctx, kill := context.WithCancel(w.ctx(t))
	w.asked.Lapses(func(int, *providerv1.EnrichRequest, *providerv1.EnrichResponse) error {
		kill()
		<-ctx.Done()
		return nil
	})
	if _, err := w.enrich(ctx, c); err == nil {
		t.Fatal("not interrupted")
	}
	w.asked.Lapses(nil)
	if n := one[int](t, w, "select count(*) from enrichment.batches where question is not null and next_try > now() + interval '1 minute'"); n != 1 {
		t.Fatalf("%d open batches, want one that is left to its worker for a while", n)
	}
	w.exec(t, "update enrichment.batches set next_try = now()")
	start(t, w)
	for deadline := time.Now().Add(time.Minute); one[int](t, w, "select count(*) from enrichment.batches where answer is null") > 0; {
		if time.Now().After(deadline) {
			t.Fatal("it is not settled within a minute")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	if n := len(w.asked.Asked()); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
	if n, _ := w.asked.Charged(); n != 1 {
		t.Errorf("%d batches were charged, want one", n)
	}
}
