package contacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

const serviceKey = "a service key of this test"

// house is the service on a database and a server of its own, and one account to begin with.
type house struct {
	t        *testing.T
	database *postgrestest.Database
	db       *postgres.DB // as the role contacts
	ring     *keyring.Keyring
	addr     string
	users    *users
	accounts *accounts
	fields   *fieldsOf
	*client
}

// client is an admin of one account.
type client struct {
	account  uuid.UUID
	key      uuid.UUID
	contacts contactsv1.ContactsServiceClient
	lists    contactsv1.ListsServiceClient
}

// accounts stands for the service of that name: every account is in the United States.
type accounts struct {
	accountsv1.UnimplementedAccountsServiceServer
	mu      sync.Mutex
	most    int64
	country string
}

func (a *accounts) GetAccount(context.Context, *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &accountsv1.GetAccountResponse{Account: &accountsv1.Account{Country: a.country, Package: a.most}}, nil
}

func (a *accounts) set(most int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.most = most
}

// users knows the callers by their keys.
type users struct{ byKey sync.Map }

func (u *users) Authenticate(_ context.Context, key string) (rpc.Caller, error) {
	c, ok := u.byKey.Load(key)
	if !ok {
		return rpc.Caller{}, fault.New(fault.Unauthenticated, "", "no")
	}
	return c.(rpc.Caller), nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	t.Parallel()
	h := &house{t: t, database: postgrestest.DB(t, contactdb.Schema), users: &users{}, fields: &fieldsOf{}, accounts: &accounts{most: 1 << 40, country: "US"}}
	h.db = h.database.Open(t, "contacts", "contacts")
	path := filepath.Join(t.TempDir(), "keyring")
	var err error
	if h.ring, err = keyring.Generate(path); err != nil {
		t.Fatal(err)
	}
	tel := telemetry.New("contacts", "test", io.Discard)
	of := h.serve(rpc.Options{Addr: "127.0.0.1:0", ServiceKey: serviceKey, Telemetry: tel}, func(s *rpc.Server) {
		accountsv1.RegisterAccountsServiceServer(s.Registrar(), h.accounts)
		accountsv1.RegisterFieldsServiceServer(s.Registrar(), h.fields)
	})
	s, err := New(t.Context(), Config{DatabaseURL: config.Secret(h.database.URL("contacts")), KeyringFile: path, AccountsAddr: of,
		ServiceKey: serviceKey, LockWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	h.addr = h.serve(rpc.Options{Addr: "127.0.0.1:0", ServiceKey: serviceKey, Auth: h.users, Telemetry: tel}, func(server *rpc.Server) {
		s.Register(server.Registrar())
	})
	h.client = h.admin()
	return h
}

// serve runs a server until the test ends.
func (h *house) serve(o rpc.Options, register func(*rpc.Server)) (addr string) {
	h.t.Helper()
	server, err := rpc.NewServer(o)
	if err != nil {
		h.t.Fatal(err)
	}
	register(server)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	h.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			h.t.Errorf("server: %v", err)
		}
	})
	return server.Addr()
}

// admin is an admin of a new account.
func (h *house) admin() *client {
	h.t.Helper()
	c := &client{account: uuid.Must(uuid.NewV7()), key: uuid.Must(uuid.NewV7())}
	secret := "cm_" + c.key.String()
	h.users.byKey.Store(secret, rpc.Caller{Account: c.account, Role: rpc.Admin, KeyID: c.key})
	conn, err := rpc.Dial(h.addr, rpc.DialOptions{Key: config.Secret(secret)})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	c.contacts, c.lists = contactsv1.NewContactsServiceClient(conn), contactsv1.NewListsServiceClient(conn)
	return c
}

type values = map[string]string

func (c *client) add(t *testing.T, v values, lists ...string) *contactsv1.Contact {
	t.Helper()
	res, err := c.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: v, Lists: lists})
	if err != nil {
		t.Fatalf("add contact: %v", err)
	}
	return res.GetContact()
}

func (c *client) set(t *testing.T, id string, v values) (*contactsv1.Contact, error) {
	t.Helper()
	res, err := c.contacts.SetContact(t.Context(), &contactsv1.SetContactRequest{Id: id, Values: v})
	return res.GetContact(), err
}

func (c *client) count(t *testing.T, f *contactsv1.Filter) int64 {
	t.Helper()
	res, err := c.contacts.CountContacts(t.Context(), &contactsv1.CountContactsRequest{Filter: f})
	if err != nil {
		t.Fatalf("count %v: %v", f, err)
	}
	return res.GetCount()
}

func (c *client) list(t *testing.T, f *contactsv1.Filter, size int32) (ids []string) {
	t.Helper()
	token := ""
	for {
		res, err := c.contacts.ListContacts(t.Context(), &contactsv1.ListContactsRequest{Filter: f, PageSize: size, PageToken: token})
		if err != nil {
			t.Fatalf("list %v: %v", f, err)
		}
		for _, c := range res.GetContacts() {
			ids = append(ids, c.GetId())
		}
		if token = res.GetNextPageToken(); token == "" {
			return ids
		}
	}
}

func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if !errors.Is(err, kind) || fault.Code(err) != code {
		t.Errorf("%s: got %v (%s), want kind %v and code %s", what, err, fault.Code(err), kind, code)
	}
}

// in asks the database of the account itself.
func in[T any](h *house, account uuid.UUID, sql string, args ...any) []T {
	h.t.Helper()
	var found []T
	err := h.db.InAccount(h.t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowTo[T])
		return err
	})
	if err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	return found
}

// made writes that a job made the contacts from first to last.
func (h *house) made(t *testing.T, job uuid.UUID, first, last string) {
	t.Helper()
	err := h.database.Open(t, "merge", "contacts").InAccount(t.Context(), h.account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into contacts.applied (account_id, job_id, token, rows, added, updated, unchanged, duplicate, unmatched, invalid,
			conflict, held, suppressed, outcomes_name, outcomes_size, outcomes_sha256, first_made, last_made)
			values ($1, $2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, '', $3, $4)`, h.account, job, first, last)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestContactIsAddedAsARowWouldBe(t *testing.T) {
	h := newHouse(t)
	made := h.add(t, values{"first_name": " Ann ", "last_name": "Lee", "email": "Ann@Example.COM", "phone": "(202) 224-3121",
		"ssn": "536-22-8145", "birth_date": "1980-02-29", "zip": "20001", "external_id": "X-1", "city": "", "company": "UNSET"}, "new", "old", "new")
	want := values{"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com", "phone": "+12022243121",
		"ssn": contactdb.Masked, "birth_date": "1980-02-29", "zip": "20001", "external_id": "X-1"}
	if d := cmp.Diff(want, made.GetValues()); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"new", "old"}, made.GetLists()); d != "" {
		t.Errorf("lists (-want +got):\n%s", d)
	}
	if made.GetCreatedByJob() != "" || !made.GetCreatedAt().AsTime().Equal(made.GetUpdatedAt().AsTime()) {
		t.Errorf("origin: got job %q, made %v, changed %v", made.GetCreatedByJob(), made.GetCreatedAt(), made.GetUpdatedAt())
	}

	got, err := h.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: made.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got.GetContact().GetValues()); d != "" {
		t.Errorf("values read again (-want +got):\n%s", d)
	}
	sealed := in[[]byte](h, h.account, "select ssn from contacts.contacts")[0]
	plain, err := h.ring.Open(sealed, keyring.ForContact(h.account, "ssn", uuid.MustParse(made.GetId())))
	if err != nil || string(plain) != "536228145" {
		t.Errorf("sealed value: got %d bytes and %v", len(plain), err)
	}
	if n := in[int64](h, h.account, "select count(*) from contacts.contact_keys")[0]; n != 4 {
		t.Errorf("got %d keys, want external id, email, phone and SSN", n)
	}
	if n := in[int64](h, h.account, "select count(*) from contacts.contact_fallbacks")[0]; n != 1 {
		t.Errorf("got %d fallback keys, want 1", n)
	}
	if v := in[int64](h, h.account, "select key_version from contacts.holdings")[0]; v != 1 {
		t.Errorf("key version: got %d, want 1", v)
	}
	if n := in[int64](h, h.account, "select count(*) from contacts.key_changes where version = 1")[0]; n != 5 {
		t.Errorf("got %d key changes, want 5", n)
	}
	var origins map[string]struct {
		By string    `json:"by"`
		At time.Time `json:"at"`
	}
	if err := json.Unmarshal(in[[]byte](h, h.account, "select origins from contacts.contacts")[0], &origins); err != nil {
		t.Fatal(err)
	}
	if o := origins["email"]; len(origins) != 8 || o.By != h.key.String() || o.At.IsZero() {
		t.Errorf("origins: got %v, want one of the person for each value", origins)
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		values values
		code   string
	}{
		"email":      {values{"email": "x"}, "email-invalid"},
		"phone":      {values{"phone": "12"}, "phone-invalid"},
		"ssn":        {values{"ssn": "666-12-3456"}, "ssn-invalid"},
		"date":       {values{"external_id": "1", "birth_date": "02/03/04"}, "date-order-unknown"},
		"future":     {values{"external_id": "1", "birth_date": "2999-01-01"}, "birth-date-future"},
		"field":      {values{"external_id": "1", "shoe_size": "44"}, "unknown-field"},
		"contact id": {values{"external_id": "1", "contact_id": uuid.NewString()}, "unknown-field"},
		"nothing":    {values{}, "no-key"},
		"no key":     {values{"city": "Rome"}, "no-key"},
		"only unset": {values{"email": "UNSET"}, "no-key"},
	} {
		_, err := h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: c.values})
		if !errors.Is(err, fault.Invalid) || fault.Code(err) != c.code {
			t.Errorf("%s: got %v (%s), want %s", name, err, fault.Code(err), c.code)
			continue
		}
		for _, v := range c.values {
			if len(v) > 2 && strings.Contains(err.Error(), v) {
				t.Errorf("%s: the error tells the value: %v", name, err)
			}
		}
	}
	if n := h.count(t, nil); n != 0 {
		t.Errorf("%d contacts were made", n)
	}
	h.add(t, values{"last_name": "Noname"}) // a name alone will do
}

func TestDuplicateNamesTheContact(t *testing.T) {
	h := newHouse(t)
	a := h.add(t, values{"email": "a@example.com", "phone": "202-224-3121", "first_name": "Ann", "last_name": "Lee", "birth_date": "1980-01-01", "zip": "20001"})
	b := h.add(t, values{"external_id": "B", "email": "b@example.com"})
	refused := func(v values) error {
		t.Helper()
		_, err := h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: v})
		return err
	}
	names := func(err error, who ...*contactsv1.Contact) {
		t.Helper()
		for _, c := range who {
			if err == nil || !strings.Contains(err.Error(), c.GetId()) {
				t.Errorf("got %v, want it to name contact %s", err, c.GetId())
			}
		}
	}
	err := refused(values{"email": "A@example.com"})
	wantFault(t, "same email", err, fault.Exists, "duplicate-contact")
	names(err, a)
	err = refused(values{"external_id": "C", "phone": "+1 202 224 3121"})
	wantFault(t, "same phone, other external id", err, fault.Exists, "duplicate-contact")
	names(err, a)
	err = refused(values{"external_id": "B", "email": "a@example.com"})
	wantFault(t, "keys of two", err, fault.Exists, "several-contacts")
	names(err, a, b)
	err = refused(values{"external_id": "D", "first_name": "ANN", "last_name": "lee", "birth_date": "1980-01-01", "zip": "20001"})
	wantFault(t, "same person by the fallback", err, fault.Exists, "duplicate-contact")
	names(err, a)

	_, err = h.set(t, b.GetId(), values{"phone": "2022243121"})
	wantFault(t, "set to a phone in use", err, fault.Exists, "duplicate-contact")
	names(err, a)
	if n := h.count(t, nil); n != 2 {
		t.Errorf("got %d contacts, want 2", n)
	}
	other := h.admin()
	other.add(t, values{"email": "a@example.com"}) // of another account, nobody's business
}

func TestPackageTooSmall(t *testing.T) {
	h := newHouse(t)
	h.accounts.set(2)
	h.add(t, values{"external_id": "1"})
	h.add(t, values{"external_id": "2"})
	_, err := h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: values{"external_id": "3"}})
	wantFault(t, "third of two", err, fault.Exhausted, "package-too-small")
	if err == nil || strings.Count(err.Error(), "2") < 2 {
		t.Errorf("got %v, want both numbers", err)
	}
	if _, err := h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: values{"external_id": "2"}}); !errors.Is(err, fault.Exists) {
		t.Errorf("a duplicate in a full account: got %v, want Exists", err)
	}
}

func TestSetChangesAndClears(t *testing.T) {
	h := newHouse(t)
	id := h.add(t, values{"external_id": "1", "first_name": "Ann", "phone": "202-224-3121", "city": "Rome", "ssn": "536-22-8145"}).GetId()
	facts := func() int {
		t.Helper()
		res, err := h.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: id})
		if err != nil {
			t.Fatal(err)
		}
		return len(res.GetContact().GetFacts())
	}
	in[int](h, h.account, `update contacts.contacts set phone_facts = '{"line_type": "mobile", "region": "DC"}', phone_facts_hash = phone_hash returning 1`)
	if n := facts(); n != 2 {
		t.Errorf("got %d facts, want 2", n)
	}
	version := func() int64 { return in[int64](h, h.account, "select key_version from contacts.holdings")[0] }
	before := version()

	same, err := h.set(t, id, values{"first_name": "Ann", "phone": "+12022243121", "city": "", "ssn": "536228145", "zip": "UNSET"})
	if err != nil {
		t.Fatal(err)
	}
	if !same.GetUpdatedAt().AsTime().Equal(same.GetCreatedAt().AsTime()) || version() != before {
		t.Error("what was there already changed the contact")
	}

	got, err := h.set(t, id, values{"phone": "202-225-3121", "city": "UNSET", "first_name": "Anna", "ssn": "UNSET"})
	if err != nil {
		t.Fatal(err)
	}
	want := values{"external_id": "1", "first_name": "Anna", "phone": "+12022253121"}
	if d := cmp.Diff(want, got.GetValues()); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
	if !got.GetUpdatedAt().AsTime().After(got.GetCreatedAt().AsTime()) {
		t.Error("the time of the change was not kept")
	}
	if n := facts(); n != 0 {
		t.Errorf("%d facts of the old phone are still shown", n)
	}
	if version() != before+1 {
		t.Errorf("key version: got %d, want %d", version(), before+1)
	}
	if n := in[int64](h, h.account, "select count(*) from contacts.key_changes where version = $1", before+1)[0]; n != 3 {
		t.Errorf("got %d key changes, want old and new phone and the SSN", n)
	}
	if n := h.count(t, &contactsv1.Filter{Phone: "202-224-3121"}); n != 0 {
		t.Errorf("the old phone still finds %d", n)
	}
	if ids := h.list(t, &contactsv1.Filter{Phone: "202-225-3121"}, 0); !slices.Equal(ids, []string{id}) {
		t.Errorf("the new phone finds %v", ids)
	}
	old := h.ring.Hash(h.account, 3, []byte("+12022243121"))
	replaced := in[string](h, h.account, "select origins #>> '{phone,replaced,0}' from contacts.contacts")[0]
	if replaced != fmt.Sprintf("%x", old) {
		t.Errorf("the replaced phone is kept as %s, want its hash", replaced)
	}
	h.add(t, values{"phone": "202-224-3121"}) // free again

	_, err = h.set(t, id, values{"phone": "12"})
	wantFault(t, "bad phone", err, fault.Invalid, "phone-invalid")
}

func TestOthersContactsLookUnknown(t *testing.T) {
	h := newHouse(t)
	theirs := h.add(t, values{"email": "a@example.com"}, "vip").GetId()
	other := h.admin()
	var texts []string
	for _, id := range []string{theirs, uuid.NewString()} {
		_, getErr := other.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: id})
		wantFault(t, "get "+id, getErr, fault.NotFound, "unknown-contact")
		_, setErr := other.set(t, id, values{"city": "Rome"})
		wantFault(t, "set "+id, setErr, fault.NotFound, "unknown-contact")
		_, keyErr := other.set(t, id, values{"email": "b@example.com"})
		wantFault(t, "set key of "+id, keyErr, fault.NotFound, "unknown-contact")
		texts = append(texts, fmt.Sprint(getErr, setErr, keyErr))
	}
	if texts[0] != texts[1] {
		t.Errorf("answers differ: %q", texts)
	}
	_, err := other.contacts.ListContacts(t.Context(), &contactsv1.ListContactsRequest{Filter: &contactsv1.Filter{List: "vip"}})
	wantFault(t, "list of another account", err, fault.NotFound, "unknown-list")
	if n := other.count(t, nil) + other.count(t, &contactsv1.Filter{Email: "a@example.com"}); n != 0 {
		t.Errorf("another account counts %d contacts", n)
	}
	if res, err := other.lists.ListLists(t.Context(), &contactsv1.ListListsRequest{}); err != nil || len(res.GetLists()) != 0 {
		t.Errorf("lists of another account: got %v, %v", res, err)
	}
}

func TestPagesGoThroughAllContacts(t *testing.T) {
	h := newHouse(t)
	job := uuid.Must(uuid.NewV7())
	var all, some []string
	for i := range 25 {
		var lists []string
		if i%3 == 0 {
			lists = []string{"thirds"}
		}
		id := h.add(t, values{"external_id": fmt.Sprint(i)}, lists...).GetId()
		all = append(all, id)
		if i%3 == 0 {
			some = append(some, id)
		}
	}
	in[int](h, h.account, "update contacts.contacts set created_job = $1 where contact_id = any ($2::uuid[]) returning 1", job, all[:10])
	h.made(t, job, all[0], all[9])
	for name, c := range map[string]struct {
		filter *contactsv1.Filter
		want   []string
	}{
		"all":          {nil, all},
		"list":         {&contactsv1.Filter{List: "thirds"}, some},
		"job":          {&contactsv1.Filter{JobId: job.String()}, all[:10]},
		"list and job": {&contactsv1.Filter{List: "thirds", JobId: job.String()}, some[:4]},
		"key":          {&contactsv1.Filter{ExternalId: "7"}, all[7:8]},
		"key and list": {&contactsv1.Filter{ExternalId: "6", List: "thirds"}, all[6:7]},
		"key, not job": {&contactsv1.Filter{ExternalId: "12", JobId: job.String()}, nil},
		"unknown key":  {&contactsv1.Filter{ExternalId: "99"}, nil},
		"two keys":     {&contactsv1.Filter{ExternalId: "1", Email: "a@example.com"}, nil},
	} {
		for _, size := range []int32{1, 4, 25, 0, 5000} {
			if d := cmp.Diff(c.want, h.list(t, c.filter, size)); d != "" {
				t.Errorf("%s in pages of %d (-want +got):\n%s", name, size, d)
			}
		}
		if n := h.count(t, c.filter); n != int64(len(c.want)) {
			t.Errorf("count of %s: got %d, want %d", name, n, len(c.want))
		}
	}

	first, err := h.contacts.ListContacts(t.Context(), &contactsv1.ListContactsRequest{PageSize: 5})
	if err != nil {
		t.Fatal(err)
	}
	token := first.GetNextPageToken()
	for name, req := range map[string]*contactsv1.ListContactsRequest{
		"altered":        {PageToken: token[:3] + "zzzz" + token[7:]},
		"cut":            {PageToken: token[:20]},
		"no token":       {PageToken: "?"},
		"another filter": {PageToken: token, Filter: &contactsv1.Filter{List: "thirds"}},
	} {
		_, err := h.contacts.ListContacts(t.Context(), req)
		wantFault(t, name+" token", err, fault.Invalid, "bad-page-token")
	}
	_, err = h.contacts.ListContacts(t.Context(), &contactsv1.ListContactsRequest{PageSize: -1})
	wantFault(t, "negative page", err, fault.Invalid, "bad-page-size")
}

func TestListsCountTheirContacts(t *testing.T) {
	h := newHouse(t)
	made, err := h.lists.CreateList(t.Context(), &contactsv1.CreateListRequest{Name: " B "})
	if err != nil || made.GetList().GetName() != "B" || made.GetList().GetContacts() != 0 {
		t.Fatalf("create list: got %v, %v", made, err)
	}
	_, err = h.lists.CreateList(t.Context(), &contactsv1.CreateListRequest{Name: "B"})
	wantFault(t, "name in use", err, fault.Exists, "list-name-taken")
	_, err = h.lists.CreateList(t.Context(), &contactsv1.CreateListRequest{Name: " "})
	wantFault(t, "no name", err, fault.Invalid, "bad-list-name")
	h.add(t, values{"external_id": "1"}, "B", "A")
	h.add(t, values{"external_id": "2"}, "B")
	res, err := h.lists.ListLists(t.Context(), &contactsv1.ListListsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range res.GetLists() {
		got = append(got, fmt.Sprint(l.GetName(), l.GetContacts()))
	}
	if d := cmp.Diff([]string{"A1", "B2"}, got); d != "" {
		t.Errorf("lists (-want +got):\n%s", d)
	}
}

// Eight people edit the same account: each key has one owner, and nothing is counted twice or lost.
func TestEightEditorsAtOnce(t *testing.T) {
	h := newHouse(t)
	const editors, rounds = 8, 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]string{}
	for editor := range editors {
		wg.Go(func() {
			for round := range rounds {
				v := values{"external_id": fmt.Sprint("shared-", round), "email": fmt.Sprintf("e%d-%d@example.com", editor, round)}
				res, err := again(t, func() (*contactsv1.AddContactResponse, error) {
					return h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: v, Lists: []string{"all"}})
				})
				switch {
				case err == nil:
					mu.Lock()
					if made[v["external_id"]] != "" {
						t.Errorf("external id %s was given twice", v["external_id"])
					}
					made[v["external_id"]] = res.GetContact().GetId()
					mu.Unlock()
				case !errors.Is(err, fault.Exists):
					t.Errorf("add: %v", err)
				}
				mu.Lock()
				id := made[fmt.Sprint("shared-", round)]
				mu.Unlock()
				if id == "" {
					continue
				}
				_, err = again(t, func() (*contactsv1.SetContactResponse, error) {
					return h.contacts.SetContact(t.Context(), &contactsv1.SetContactRequest{Id: id, Values: values{"phone": fmt.Sprintf("202-22%d-31%d0", round%8+2, editor), "city": fmt.Sprint(editor)}})
				})
				if err != nil && !errors.Is(err, fault.Exists) {
					t.Errorf("set: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := h.count(t, nil); n != rounds || len(made) != rounds {
		t.Errorf("got %d contacts counted and %d made, want %d", n, len(made), rounds)
	}
	for _, sql := range []string{
		"select count(*) from contacts.contacts",
		"select members from contacts.lists",
		"select count(*) from contacts.list_members",
		"select count(*) from contacts.contact_keys where key = 1",
	} {
		if n := in[int64](h, h.account, sql)[0]; n != rounds {
			t.Errorf("%s: got %d, want %d", sql, n, rounds)
		}
	}
	stray := `select count(*) from contacts.contact_keys k where not exists (select from contacts.contacts c
		where c.account_id = k.account_id and c.contact_id = k.contact_id and k.hash in (c.external_id_hash, c.email_hash, c.phone_hash))`
	if n := in[int64](h, h.account, stray)[0]; n != 0 {
		t.Errorf("%d keys belong to no value", n)
	}
}

// again repeats what was aborted, as a client does.
func again[T any](t *testing.T, call func() (T, error)) (T, error) {
	for {
		res, err := call()
		if !errors.Is(err, fault.Aborted) || t.Context().Err() != nil {
			return res, err
		}
	}
}

// merging runs fn while a merge holds the account's contacts, that of job 74.
func (h *house) merging(t *testing.T, fn func(ctx context.Context)) {
	t.Helper()
	merge := h.database.Open(t, "merge", "contacts")
	job := uuid.Must(uuid.NewV7())
	err := merge.InAccount(t.Context(), h.account, func(ctx context.Context, tx pgx.Tx) error {
		// what a merge leaves behind before it begins: its fence, committed
		err := merge.InAccount(ctx, h.account, func(ctx context.Context, fence pgx.Tx) error {
			_, err := fence.Exec(ctx, `insert into contacts.fences (account_id, token, job_id, job_number, backend_pid, backend_start) values ($1, 1, $2, 74, $3, now())`,
				h.account, job, tx.Conn().PgConn().PID())
			return err
		})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "select from contacts.holdings where account_id = $1 for update", h.account); err != nil {
			return err
		}
		fn(ctx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEditMeetsAMerge(t *testing.T) {
	h := newHouse(t)
	id := h.add(t, values{"external_id": "1"}).GetId()
	h.merging(t, func(ctx context.Context) {
		_, err := h.contacts.AddContact(ctx, &contactsv1.AddContactRequest{Values: values{"external_id": "2"}})
		wantFault(t, "add during a merge", err, fault.Aborted, "job-being-applied")
		if err == nil || !strings.Contains(err.Error(), "job 74 is being applied") {
			t.Errorf("add during a merge: got %v, want it to name job 74", err)
		}
		_, err = h.set(t, id, values{"phone": "202-224-3121"})
		wantFault(t, "set a key during a merge", err, fault.Aborted, "job-being-applied")
		_, err = h.set(t, id, values{"city": "Rome"})
		wantFault(t, "set a value during a merge", err, fault.Aborted, "job-being-applied")
		if n := h.count(t, nil); n != 1 {
			t.Errorf("count during a merge: got %d, want 1", n)
		}
	})
	h.add(t, values{"external_id": "2"})
}

func TestProcessStartsAndStops(t *testing.T) {
	h := newHouse(t)
	path := filepath.Join(t.TempDir(), "keyring")
	if _, err := keyring.Generate(path); err != nil {
		t.Fatal(err)
	}
	env := []string{"CONTACTMILL_DATABASE_URL=" + h.database.URL("contacts"), "CONTACTMILL_GRPC_ADDR=127.0.0.1:0", "CONTACTMILL_SERVICE_KEY=" + serviceKey,
		"CONTACTMILL_KEYRING_FILE=" + path, "CONTACTMILL_ACCOUNTS_ADDR=127.0.0.1:1"}
	s, err := Process(t.Context(), env, telemetry.New("contacts", "test", io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.(interface{ Ready() error }).Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Errorf("run: %v", err)
	}
}
