package enrichment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func env(t testing.TB, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run the tests by `make test`, which starts the parts", name)
	}
	return v
}

// world is the service with everybody whom it speaks to: database, S3 and NATS are real, the other services answer by hand
// over real gRPC.
type world struct {
	*Service
	database *postgrestest.Database
	work     *stagetest.Ledger
	contacts *matcher
	asked    *inquirytest.Provider
	facts    *facts
	packages *accounts
	account  uuid.UUID
	keys     *keyring.Keyring
	owner    *pgx.Conn
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{database: postgrestest.DB(t, Schema), work: stagetest.New(), contacts: &matcher{}, asked: inquirytest.Paid(), facts: &facts{contacts: map[string][]*contactsv1.UnenrichedContact{}}, packages: &accounts{most: 1 << 40}, account: uuid.Must(uuid.NewV7())}
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", ServiceKey: stagetest.Key, DrainLimit: time.Second, Telemetry: telemetry.New("others", "", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	contactsv1.RegisterMatchServiceServer(server.Registrar(), w.contacts)
	providerv1.RegisterProviderServiceServer(server.Registrar(), w.asked)
	contactsv1.RegisterFactsServiceServer(server.Registrar(), w.facts)
	accountsv1.RegisterAccountsServiceServer(server.Registrar(), w.packages)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the other services ended with %v", err)
		}
	})
	others := server.Addr()
	ring := filepath.Join(t.TempDir(), "keyring.json")
	if w.keys, err = keyring.Generate(ring); err != nil {
		t.Fatal(err)
	}
	if w.owner, err = pgx.Connect(t.Context(), w.database.OwnerURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.owner.Close(context.WithoutCancel(t.Context())) })
	w.Service, err = New(t.Context(), Config{
		Config: stage.Config{NATS: config.Secret(env(t, "CONTACTMILL_TEST_NATS")), Prefix: "t" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12],
			Ingest: w.work.Serve(t), ServiceKey: stagetest.Key, Instance: "a", Lease: 30 * time.Second},
		DatabaseURL: config.Secret(w.database.URL("enrichment")), S3URL: config.Secret(env(t, "CONTACTMILL_TEST_S3")),
		Contacts: others, Accounts: others, Provider: others, ProviderKey: "svc_" + stagetest.Key, ProviderTimeout: time.Minute, ProviderBackoff: time.Minute, ProviderSlots: 1, Slots: 1, Keyring: ring,
	}, telemetry.New("enrichment", "", io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Service.Close)
	return w
}

// line is a row of a file as tests tell it.
type line struct {
	invalid bool
	keys    map[uint8]byte // kind to the value, which stands for a hash; phone and email have theirs where nothing is said
	phone   string
	email   string
}

func keyHash(kind uint8, v byte) (h [16]byte) {
	for i := range h {
		h[i] = v + 16*kind
	}
	return h
}

// validated stores a file's chunks, as many rows in each, as validation would.
func (w *world) validated(t testing.TB, job uuid.UUID, mode ingestv1.Mode, chunk int, lines []line) *ingestv1.Work {
	t.Helper()
	v := &ingestv1.ValidateResult{Rows: int64(len(lines))}
	for first := 0; first < len(lines); first += chunk {
		part := lines[first:min(first+chunk, len(lines))]
		var cells, keys bytes.Buffer
		cw, err := row.NewCellsWriter(&cells, row.Header{Columns: []row.Column{{Heading: "Junk"}, {Heading: "Mail", Field: "email"}, {Heading: "Tel", Field: "phone"}}})
		if err != nil {
			t.Fatal(err)
		}
		kw := row.NewKeysWriter(&keys)
		for i, l := range part {
			at := int64(first+i) + 2
			k := &row.Keys{Line: at, Invalid: l.invalid}
			for n, text := range map[uint8]string{phone: l.phone, mail: l.email} {
				if _, said := l.keys[n]; text != "" && !said {
					k.Mask |= 1 << n
					k.Hash[n] = w.keys.Hash(w.account, n, []byte(text))
					v.Keys |= 1 << n
				}
			}
			for n, value := range l.keys {
				k.Mask |= 1 << n
				k.Hash[n] = keyHash(n, value)
				v.Keys |= 1 << n
			}
			c := &row.Cells{Line: at, Invalid: l.invalid, Cells: [][]byte{[]byte("x"), []byte(l.email), []byte("tel " + l.phone)}}
			if !l.invalid {
				c.Values = []row.Value{{Kind: row.AsCell, Text: []byte(l.email)}, {Kind: row.AsText, Text: []byte(l.phone)}}
				if l.email == "" {
					c.Values[0] = row.Value{}
				}
				if l.phone == "" {
					c.Values[1] = row.Value{}
				}
			}
			if err := errors.Join(kw.Append(k), cw.Append(c)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(kw.Close(), cw.Close()); err != nil {
			t.Fatal(err)
		}
		put := func(what string, b []byte) *ingestv1.Object {
			o, err := w.blob.Put(t.Context(), blob.WorkName(w.account, job, "validate", 1, fmt.Sprintf("%s-%d", what, first)), bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			return stage.ToObject(o)
		}
		v.Chunks = append(v.Chunks, &ingestv1.Chunk{FirstRow: int64(first), Rows: int64(len(part)), Cells: put("cells", cells.Bytes()), Keys: put("keys", keys.Bytes())})
	}
	return &ingestv1.Work{Job: &ingestv1.Job{Settings: &ingestv1.ImportSettings{Mode: mode}, CreatedAt: timestamppb.Now()}, Account: &ingestv1.AccountSettings{Name: "a"}, Validated: v}
}

// claim is a claim on a stage of a new job of the lines given.
func (w *world) claim(t testing.TB, mode ingestv1.Mode, chunk int, lines []line) *stage.Claim {
	t.Helper()
	job := uuid.Must(uuid.NewV7())
	return &stage.Claim{Account: w.account, Job: job, Token: 1, Work: w.validated(t, job, mode, chunk, lines)}
}

func (w *world) ctx(t testing.TB) context.Context { return rpc.WithAccount(t.Context(), w.account) }

// matcher answers by hand: a contact is known by the first byte of a key's hash.
type matcher struct {
	contactsv1.UnimplementedMatchServiceServer
	mu      sync.Mutex
	known   map[[16]byte][]contactHit // by a key's hash
	held    int64
	version int64
	asked   int                                      // rows
	spoil   func(n int, a *contactsv1.MatchResponse) // the nth answer, from 0
	after   *contactsv1.MatchResponse                // sent at the end
	fail    error
}

type contactHit struct {
	id       uuid.UUID
	external [16]byte
}

func (m *matcher) Match(s grpc.BidiStreamingServer[contactsv1.MatchRequest, contactsv1.MatchResponse]) error {
	for n := 0; ; n++ {
		q, err := s.Recv()
		if errors.Is(err, io.EOF) {
			if m.after != nil {
				return s.Send(m.after)
			}
			return m.fail
		}
		if err != nil {
			return err
		}
		a := &contactsv1.MatchResponse{}
		if n == 0 {
			a.Account = &contactsv1.AccountContacts{Held: m.held, KeyVersion: m.version}
		}
		m.mu.Lock()
		m.asked += int(q.Rows)
		m.mu.Unlock()
		for i := range int(q.Rows) {
			var order []uuid.UUID
			hits := map[uuid.UUID]uint32{}
			external := map[uuid.UUID][16]byte{}
			for _, c := range q.Keys {
				for _, h := range m.known[[16]byte(c.Hashes[i*16:])] {
					if hits[h.id] == 0 {
						order = append(order, h.id)
					}
					hits[h.id] |= 1 << c.Key
					external[h.id] = h.external
				}
			}
			for _, id := range order {
				x := external[id]
				a.Rows, a.Keys = append(a.Rows, uint32(i)), append(a.Keys, hits[id])
				a.ContactIds, a.ExternalIds = append(a.ContactIds, id[:]...), append(a.ExternalIds, x[:]...)
			}
		}
		if m.spoil != nil {
			m.spoil(n, a)
		}
		if err := s.Send(a); err != nil {
			return err
		}
	}
}

type accounts struct {
	accountsv1.UnimplementedAccountsServiceServer
	most int64
}

func (a *accounts) GetAccount(context.Context, *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	return &accountsv1.GetAccountResponse{Account: &accountsv1.Account{Package: a.most}}, nil
}

// facts keeps contacts by hand, as if their jobs were applied.
type facts struct {
	contactsv1.UnimplementedFactsServiceServer
	mu       sync.Mutex
	contacts map[string][]*contactsv1.UnenrichedContact // by job, in the order of their ids
	said     map[string]string
	aborts   int           // the next writes come while a job is applied
	written  chan struct{} // gets one for each write, if set
}

// ListUnenriched is part of the contract.
func (f *facts) ListUnenriched(_ context.Context, r *contactsv1.ListUnenrichedRequest) (*contactsv1.ListUnenrichedResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := &contactsv1.ListUnenrichedResponse{}
	for _, c := range f.contacts[r.JobId] {
		if bytes.Compare(c.ContactId, r.After) > 0 && (c.Phone != "" || c.Email != "") && len(page.Contacts) < int(r.PageSize) {
			page.Contacts = append(page.Contacts, proto.CloneOf(c))
		}
	}
	return page, nil
}

// WriteFacts is part of the contract.
func (f *facts) WriteFacts(_ context.Context, r *contactsv1.WriteFactsRequest) (*contactsv1.WriteFactsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.aborts > 0 {
		f.aborts--
		return nil, fault.New(fault.Aborted, "job-at-work", "a job is being applied")
	}
	if f.said == nil {
		f.said = map[string]string{}
	}
	for _, w := range r.Contacts {
		for _, all := range f.contacts {
			for _, c := range all {
				if !bytes.Equal(c.ContactId, w.ContactId) {
					continue
				}
				if len(w.PhoneHash) > 0 && bytes.Equal(c.PhoneHash, w.PhoneHash) {
					f.said[c.Phone], c.Phone = string(w.PhoneFacts), ""
				}
				if len(w.EmailHash) > 0 && bytes.Equal(c.EmailHash, w.EmailHash) {
					f.said[c.Email], c.Email = string(w.EmailFacts), ""
				}
			}
		}
	}
	if f.written != nil {
		f.written <- struct{}{}
	}
	return &contactsv1.WriteFactsResponse{Written: int64(len(r.Contacts))}, nil
}

// exec changes the database behind the service's back.
func (w *world) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := w.owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// one is a single value out of the database.
func one[T any](t testing.TB, w *world, sql string, args ...any) (v T) {
	t.Helper()
	if err := w.owner.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
