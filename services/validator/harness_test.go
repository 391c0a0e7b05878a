package validator

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/pkg/stage/stagetest"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// world is a running validator with a ledger of a few lines and real files.
type world struct {
	t      testing.TB
	s      *Service
	ledger *stagetest.Ledger
	ring   *keyring.Keyring
	spools string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	env := func(name string) config.Secret {
		v := os.Getenv(name)
		if v == "" {
			t.Fatalf("%s is not set: run the tests by `make test`, which starts the parts", name)
		}
		return config.Secret(v)
	}
	var err error
	w := &world{t: t, ledger: stagetest.New(), spools: t.TempDir()}
	keys := filepath.Join(t.TempDir(), "keyring.json")
	if w.ring, err = keyring.Generate(keys); err != nil {
		t.Fatal(err)
	}
	w.s, err = New(t.Context(), Config{
		Config: stage.Config{NATS: env("CONTACTMILL_TEST_NATS"), Prefix: "t" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12],
			Ingest: w.ledger.Serve(t), ServiceKey: stagetest.Key, Instance: "a", Lease: 30 * time.Second},
		S3URL: env("CONTACTMILL_TEST_S3"), Keyring: keys, Accounts: serve(t, func(reg grpc.ServiceRegistrar) {
			accountsv1.RegisterAccountsServiceServer(reg, accounts{})
			accountsv1.RegisterFieldsServiceServer(reg, ownFields{})
		}), Slots: 2, Dir: w.spools,
	}, telemetry.New("validator", "", io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.s.link.Bus.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the validator ended with %v", err)
		}
		w.s.Close()
	})
	return w
}

// serve runs a server until the test ends.
func serve(t testing.TB, register func(grpc.ServiceRegistrar)) string {
	t.Helper()
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", Auth: apiKeys{}, ServiceKey: stagetest.Key, DrainLimit: time.Second, Telemetry: telemetry.New("test", "", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	register(server.Registrar())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("a server of the test ended with %v", err)
		}
	})
	return server.Addr()
}

// apiKeys lets everybody in with the key "cm_<account>".
type apiKeys struct{}

func (apiKeys) Authenticate(_ context.Context, key string) (rpc.Caller, error) {
	id, err := uuid.Parse(strings.TrimPrefix(key, "cm_"))
	if err != nil {
		return rpc.Caller{}, fault.New(fault.Unauthenticated, "", "no such key")
	}
	return rpc.Caller{Account: id, Role: rpc.Submitter, KeyID: id}, nil
}

// accounts answers alike for every account.
type accounts struct {
	accountsv1.UnimplementedAccountsServiceServer
}

func (accounts) GetAccount(context.Context, *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	return &accountsv1.GetAccountResponse{Account: &accountsv1.Account{Name: "demo", Country: "US"}}, nil
}

type ownFields struct {
	accountsv1.UnimplementedFieldsServiceServer
}

func (ownFields) ListFields(context.Context, *accountsv1.ListFieldsRequest) (*accountsv1.ListFieldsResponse, error) {
	return &accountsv1.ListFieldsResponse{Fields: own()}, nil
}

// job is what a test hands in.
type job struct {
	file     string
	settings *ingestv1.ImportSettings
	account  *ingestv1.AccountSettings
	policies *accountsv1.Policies

	of        uuid.UUID // the account; a new one if not said
	modeless  bool
	confirmed bool
}

// validate has a job validated and returns its result, or how it was given back.
func (w *world) validate(j job) (result *ingestv1.ValidateResult, rows []string) {
	w.t.Helper()
	result, rows, _ = w.work(j)
	return result, rows
}

// work is validate with the job's id.
func (w *world) work(j job) (result *ingestv1.ValidateResult, rows []string, id uuid.UUID) {
	w.t.Helper()
	account, id := j.of, uuid.Must(uuid.NewV7())
	if account == uuid.Nil {
		account = uuid.Must(uuid.NewV7())
	}
	o, err := w.s.blob.Put(w.t.Context(), blob.RawName(account, uuid.Must(uuid.NewV7())), strings.NewReader(j.file), int64(len(j.file)))
	if err != nil {
		w.t.Fatal(err)
	}
	if j.settings == nil {
		j.settings = &ingestv1.ImportSettings{}
	}
	if j.settings.Mode == 0 && !j.modeless {
		j.settings.Mode = ingestv1.Mode_MODE_UPSERT
	}
	if j.account == nil {
		j.account = &ingestv1.AccountSettings{}
	}
	if j.account.Country == "" {
		j.account.Country = "US"
	}
	ring := event.Ring{Account: account, Job: id, Stage: event.Validate}
	w.ledger.Put(ring, &ingestv1.Work{
		Job:     &ingestv1.Job{Id: id.String(), Number: 7, Settings: j.settings, Policies: j.policies, CreatedAt: timestamppb.New(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))},
		Account: j.account, File: stage.ToObject(o), Confirmed: j.confirmed,
	})
	if err := w.s.link.Bus.Ring(w.t.Context(), ring); err != nil {
		w.t.Fatal(err)
	}
	select {
	case e := <-w.ledger.Ended():
		if e.Finish == nil {
			w.t.Fatalf("the job was given back: %v", e.Release)
		}
		result = e.Finish.GetValidated()
	case <-time.After(time.Minute):
		w.t.Fatal("the job was not finished in a minute")
	}
	for _, c := range result.GetChunks() {
		cells, err := w.s.blob.Get(w.t.Context(), c.GetCells().GetName(), 0, -1)
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := io.ReadAll(cells)
		cells.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, show(w.t, b, w.ring, account, id)...)
	}
	return result, rows, id
}

// own are an account's own fields of every type.
func own() []*accountsv1.Field {
	book := []*accountsv1.Code{{Code: "r", Label: "Red"}, {Code: "g", Label: "Green"}, {Code: "b", Label: "Blue"}, {Code: "old", Label: "Old", Retired: true}}
	return []*accountsv1.Field{
		{Name: "email", Type: accountsv1.FieldType_FIELD_TYPE_STANDARD, Number: 5, Standard: true},
		{Name: "customer_number", Label: "Customer number", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: 256, Unique: true, Key: 9},
		{Name: "turnover", Label: "Turnover", Type: accountsv1.FieldType_FIELD_TYPE_NUMBER, Number: 257},
		{Name: "since", Label: "Since", Type: accountsv1.FieldType_FIELD_TYPE_DATE, Number: 258},
		{Name: "vip", Label: "VIP", Type: accountsv1.FieldType_FIELD_TYPE_BOOLEAN, Number: 259},
		{Name: "colour", Label: "Colour", Type: accountsv1.FieldType_FIELD_TYPE_CRITERION, Number: 260, Codes: book},
		{Name: "colours", Label: "Colours", Type: accountsv1.FieldType_FIELD_TYPE_CRITERIA, Number: 261, Codes: book},
		{Name: "newsletter", Label: "Newsletter", Type: accountsv1.FieldType_FIELD_TYPE_AUTHORISATION, Number: 262},
		{Name: "pin", Label: "PIN", Type: accountsv1.FieldType_FIELD_TYPE_SECRET, Number: 263},
	}
}
