package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/mail"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	"github.com/contactmill/contactmill/pkg/telemetry"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func env(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run the tests by `make test`, which starts the parts", name)
	}
	return v
}

// office is the service with a database of its own and the real catcher of mails, without the doorbell.
type office struct {
	*Service
	db  *postgrestest.Database
	log *bytes.Buffer
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{db: postgrestest.DB(t, Schema), log: &bytes.Buffer{}}
	sql, err := postgres.Queries[statements](queries, "queries")
	if err != nil {
		t.Fatal(err)
	}
	o.Service = &Service{tel: telemetry.New("email", "", o.log), deliveries: &deliveries{db: o.db.Open(t, "email", "email"), sql: sql}}
	o.sender = sender(t)
	return o
}

func smtp(t *testing.T) string {
	return env(t, "CONTACTMILL_TEST_SMTP") + "?from=mill@example.org&tls=none"
}

func sender(t *testing.T) *mail.Sender {
	t.Helper()
	s, err := mail.New(smtp(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// claim is a job that has ended, and whom to tell.
func claim(recipients ...string) *stage.Claim {
	w := story(nil)
	w.Recipients = recipients
	return &stage.Claim{Account: uuid.Must(uuid.NewV7()), Job: uuid.Must(uuid.NewV7()), Token: 1, Work: w}
}

// address is one that no other test uses; the fault is one that the catcher knows, or none.
func address(fault string) string {
	if fault == "" {
		return "r" + uuid.NewString() + "@example.org"
	}
	return fault + "." + uuid.NewString() + "@fault.test"
}

// caught is the message ids of the mails to an address, in the order they came.
func caught(t *testing.T, to string) (ids []string) {
	t.Helper()
	for _, m := range mails(t, to) {
		ids = append(ids, m.Header.Get("Message-Id"))
	}
	return ids
}

func mails(t *testing.T, to string) (all []*netmail.Message) {
	t.Helper()
	dir := env(t, "CONTACTMILL_TEST_MAILDIR")
	for n := 1; ; n++ {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(n)+".eml"))
		if errors.Is(err, os.ErrNotExist) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := netmail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.Header.Get("X-Envelope-To"), to) {
			all = append(all, m)
		}
	}
}

func (o *office) told(t *testing.T, c *stage.Claim) (sent, refused int32) {
	t.Helper()
	r, err := o.notify(t.Context(), c)
	if err != nil {
		t.Fatalf("notify: %v", err)
	}
	return r.GetNotified().GetSent(), r.GetNotified().GetRefused()
}

func TestEachRecipientIsToldOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a, b := address(""), address("")
	c := claim(a, b, a)
	for range 2 { // the stage again, say because its end was not heard
		if sent, refused := o.told(t, c); sent != 2 || refused != 0 {
			t.Errorf("%d sent and %d refused, want 2 and 0", sent, refused)
		}
	}
	idA, idB := caught(t, a), caught(t, b)
	if len(idA) != 1 || len(idB) != 1 || idA[0] == idB[0] || idA[0] == "" {
		t.Errorf("mails %v and %v, want one each with an id of its own", idA, idB)
	}
	m := mails(t, b)
	if len(m) == 1 && (m[0].Header.Get("Subject") != "[Northwind Energy] Job 1042 completed: leads-may.csv" || strings.Contains(m[0].Header.Get("To"), a)) {
		t.Errorf("headers %v", m[0].Header)
	}
}

// A process may die between any two steps of a delivery. Whoever takes the stage goes on where the ledger of deliveries
// is. Only where the mail server's yes was not noted is a mail sent twice, under one message id.
func TestACrashAnywhereLosesNoMailAndDoublesOnlyInTheGap(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	type steps struct {
		c *stage.Claim
		n notice
		d delivery
	}
	open := func(t *testing.T, s *steps) {
		due, err := o.deliveries.open(t.Context(), s.n, s.c.Work.Recipients, []string{messageID(s.n, s.c.Work.Recipients[0])})
		if err != nil || len(due) != 1 {
			t.Fatalf("open: %v, %v", due, err)
		}
		s.d = due[0]
	}
	begin := func(t *testing.T, s *steps) {
		if due, err := o.deliveries.begin(t.Context(), s.n, s.d.Recipient); !due || err != nil {
			t.Fatalf("begin: %v, %v", due, err)
		}
	}
	send := func(t *testing.T, s *steps) {
		if err := o.sender.Send(t.Context(), mail.Message{ID: s.d.MessageID, To: s.d.Recipient, Subject: "s", Text: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	end := func(t *testing.T, s *steps) {
		if err := o.deliveries.end(t.Context(), s.n, s.d.Recipient, sent, ""); err != nil {
			t.Fatal(err)
		}
	}
	all := []func(*testing.T, *steps){open, begin, send, end}
	for done, want := range []int{1, 1, 1, 2, 1} {
		t.Run(fmt.Sprintf("after %d steps", done), func(t *testing.T) {
			to := address("")
			s := &steps{c: claim(to)}
			s.n = noticeOf(s.c)
			for _, step := range all[:done] {
				step(t, s)
			}
			if sent, refused := o.told(t, s.c); sent != 1 || refused != 0 {
				t.Errorf("%d sent and %d refused, want 1 and 0", sent, refused)
			}
			ids := caught(t, to)
			if len(ids) != want || len(slices.Compact(ids)) != 1 {
				t.Errorf("mails %v, want %d of one id", ids, want)
			}
		})
	}
}

func TestAServerThatCutsTheLineGetsTheSameMailAgain(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]int{"unkept-2": 1, "kept-1": 2, "kept-3": 4, "answered-1": 1, "refuse-2": 1} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			to, other := address(fault), address("")
			c := claim(to, other)
			tries := 0
			for ; tries < 10; tries++ {
				r, err := o.notify(t.Context(), c)
				if err == nil {
					if r.GetNotified().GetSent() != 2 {
						t.Errorf("ended with %v, want two sent", r)
					}
					break
				}
				if faultOf := fault[:strings.IndexByte(fault, '-')]; !transient(err) {
					t.Fatalf("%s: %v, want to be tried again", faultOf, err)
				}
				if len(caught(t, other)) != 1 {
					t.Error("the other recipient was not told, or twice")
				}
			}
			ids := caught(t, to)
			if len(ids) != want || len(slices.Compact(ids)) != 1 {
				t.Errorf("mails %v after %d tries, want %d of one id", ids, tries, want)
			}
			if n := len(caught(t, other)); n != 1 {
				t.Errorf("the other recipient was told %d times", n)
			}
		})
	}
}

func transient(err error) bool { return fault.Of(err).Transient() }

func TestOneWhoIsRefusedForGoodDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	good, refused, bad := address(""), address("reject-99"), "no address at all"
	c := claim(good, refused, bad)
	sent, no := o.told(t, c)
	if sent != 1 || no != 2 || len(caught(t, good)) != 1 {
		t.Errorf("%d sent, %d refused, %d mails; want 1, 2 and 1", sent, no, len(caught(t, good)))
	}
	if log := o.log.String(); strings.Contains(log, refused) || strings.Contains(log, bad) || !strings.Contains(log, "mail refused for good") {
		t.Errorf("log: %s", log)
	}
	type row struct{ Recipient, State, Code string }
	var rows []row
	conn, err := pgx.Connect(t.Context(), o.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	q, err := conn.Query(t.Context(), "select recipient, state, last_code from email.deliveries order by state, recipient")
	if err != nil {
		t.Fatal(err)
	}
	if rows, err = pgx.CollectRows(q, pgx.RowToStructByPos[row]); err != nil {
		t.Fatal(err)
	}
	want := []row{{bad, "refused", "mail-message"}, {refused, "refused", "mail-refused"}, {good, "sent", ""}}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("deliveries (-want +got):\n%s", d)
	}
}

func TestAMailServerThatStaysAwayIsGivenUp(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	to := address("refuse-99")
	c := claim(to)
	if _, err := o.notify(t.Context(), c); !transient(err) {
		t.Fatalf("%v, want to be tried again", err)
	}
	conn, err := pgx.Connect(t.Context(), o.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "update email.deliveries set created_at = now() - interval '4 days'"); err != nil {
		t.Fatal(err)
	}
	if sent, refused := o.told(t, c); sent != 0 || refused != 1 {
		t.Errorf("%d sent and %d refused after four days, want 0 and 1", sent, refused)
	}
}

func TestWhoeverComesLateDoesNotSendAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	to := address("")
	c := claim(to)
	n := noticeOf(c)
	due, err := o.deliveries.open(t.Context(), n, c.Work.Recipients, []string{messageID(n, to)})
	if err != nil {
		t.Fatal(err)
	}
	if sent, _ := o.told(t, c); sent != 1 { // somebody else has taken over since
		t.Fatalf("%d sent", sent)
	}
	if err := o.deliver(t.Context(), n, due[0], &letter{Subject: "s", Text: "t"}); err != nil {
		t.Error(err)
	}
	if ids := caught(t, to); len(ids) != 1 {
		t.Errorf("mails %v, want one", ids)
	}
}

func TestEachQuestionIsToldApart(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	to := address("")
	c := claim(to)
	ask := func(code string) {
		c.Work.Notice, c.Work.Job.Question = question, &ingestv1.Question{Code: code, Message: "What?"}
		if _, err := o.notify(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	ask("no-key-column")
	ask("date-order")
	ask("date-order")
	for range 2 {
		c.Work.Notice, c.Work.Job.Plan = approval, &ingestv1.Counts{Rows: 1, Added: 1}
		if _, err := o.notify(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	c.Work.Notice = "ended"
	if _, err := o.notify(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	ids := caught(t, to)
	if slices.Sort(ids); len(ids) != 4 || len(slices.Compact(ids)) != 4 {
		t.Errorf("mails %v, want one of each of two questions, of the plan and of the end", ids)
	}
}

func TestTheWholeService(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, Schema)
	ledger := stagetest.New()
	cfg := Config{Config: stage.Config{NATS: config.Secret(env(t, "CONTACTMILL_TEST_NATS")), Prefix: "t" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12], Ingest: ledger.Serve(t),
		ServiceKey: stagetest.Key, Instance: "a", Lease: 30 * time.Second},
		DatabaseURL: config.Secret(db.URL("email")), SMTP: config.Secret(smtp(t)), WebURL: "https://mill.example.org", Slots: 2}
	s, err := New(t.Context(), cfg, telemetry.New("email", "", io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if err := s.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if err := s.link.Bus.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	to, slow := address(""), address("refuse-1")
	r := stagetest.Ring(event.Notify)
	w := story(nil)
	w.Recipients = []string{to, slow}
	ledger.Put(r, w)
	end := func() stagetest.Ended {
		if err := s.link.Bus.Ring(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-ledger.Ended():
			return e
		case <-time.After(time.Minute):
			t.Fatal("the stage did not end within a minute")
			return stagetest.Ended{}
		}
	}
	if e := end(); e.Release.GetReason() != ingestv1.ReleaseReason_RELEASE_REASON_UNAVAILABLE || e.Release.GetCode() != "mail-away" {
		t.Errorf("with a mail put off: %v, want given back uncharged", e)
	}
	if e := end(); e.Finish.GetNotified().GetSent() != 2 {
		t.Errorf("then %v, want both sent", e)
	}
	if a, b := caught(t, to), caught(t, slow); len(a) != 1 || len(b) != 1 {
		t.Errorf("mails %v and %v, want one each", a, b)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheDatabaseKeepsAccountsApart(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := claim(address(""))
	o.told(t, c)
	stranger := notice{uuid.Must(uuid.NewV7()), c.Job, "ended"}
	if ok, bad, err := o.deliveries.tally(t.Context(), stranger); ok+bad != 0 || err != nil {
		t.Errorf("another account counts %d and %d, %v", ok, bad, err)
	}
	var n int
	if err := o.deliveries.db.Pool().QueryRow(t.Context(), "select count(*) from email.deliveries").Scan(&n); err != nil || n != 0 {
		t.Errorf("without an account %d rows are seen, %v", n, err)
	}
	postgrestest.PrepareAll(t, o.deliveries.db, queries, "queries")
}

func TestProcessRefusesASchemaOfAnotherVersion(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t)
	_, err := Process(t.Context(), []string{"CONTACTMILL_DATABASE_URL=" + db.OwnerURL, "CONTACTMILL_SMTP_URL=" + smtp(t), "CONTACTMILL_NATS_URL=" + env(t, "CONTACTMILL_TEST_NATS"),
		"CONTACTMILL_INGEST_ADDR=127.0.0.1:1", "CONTACTMILL_SERVICE_KEY=k", "CONTACTMILL_INSTANCE=a"}, telemetry.New("email", "", io.Discard))
	if !errors.Is(err, fault.Precondition) {
		t.Errorf("without a schema: %v, want a precondition", err)
	}
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
