package accounts

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const serviceKey = "a service key of this test"

// house is the service on a database and a server of its own.
type house struct {
	t        *testing.T
	service  *Service
	addr     string
	operator accountsv1.AccountsServiceClient
}

func newHouse(t *testing.T) *house {
	t.Helper()
	t.Parallel()
	database := postgrestest.DB(t, Schema)
	s, err := New(t.Context(), Config{DatabaseURL: config.Secret(database.URL("accounts"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	server, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", Auth: s, ServiceKey: serviceKey,
		Telemetry: telemetry.New("accounts", "test", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	s.Register(server.Registrar())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	h := &house{t: t, service: s, addr: server.Addr()}
	seeded, err := s.Bootstrap(t.Context(), Demo())
	if err != nil {
		t.Fatal(err)
	}
	h.operator = h.as(seeded.Operator.Reveal())
	return h
}

// as is a client with an API key.
func (h *house) as(key string) accountsv1.AccountsServiceClient {
	h.t.Helper()
	return accountsv1.NewAccountsServiceClient(h.dial(rpc.DialOptions{Key: config.Secret(key)}))
}

func (h *house) dial(o rpc.DialOptions) grpc.ClientConnInterface {
	h.t.Helper()
	conn, err := rpc.Dial(h.addr, o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return conn
}

func (h *house) account(name string) *accountsv1.Account {
	h.t.Helper()
	res, err := h.operator.CreateAccount(h.t.Context(), &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{
		Name: name, Country: "DE", Package: 1000, Recipients: []string{"Ann@Example.com"}}})
	if err != nil {
		h.t.Fatalf("create account %s: %v", name, err)
	}
	return res.GetAccount()
}

func (h *house) key(account string, role accountsv1.Role) *accountsv1.CreateKeyResponse {
	h.t.Helper()
	res, err := h.operator.CreateKey(h.t.Context(), &accountsv1.CreateKeyRequest{Account: account, Role: role, Name: "test", Email: "bo@example.com"})
	if err != nil {
		h.t.Fatalf("create key in %s: %v", account, err)
	}
	return res
}

func TestAccountIsMadeShownAndChanged(t *testing.T) {
	h := newHouse(t)
	made := h.account("acme")
	want := &accountsv1.Account{Name: "acme", Country: "DE", Package: 1000, Recipients: []string{"ann@example.com"}, RawDays: 7, ResultDays: 30,
		BadCell: accountsv1.BadCell_BAD_CELL_REJECT_ROW, UnknownToProvider: accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD,
		Policies: &accountsv1.Policies{HandMade: accountsv1.HandMade_HAND_MADE_NEW_VALUES}, ProviderDown: waitDown, ProviderDays: 90}
	ignore := protocmp.IgnoreFields(&accountsv1.Account{}, "id", "created_at")
	if d := cmp.Diff(want, made, protocmp.Transform(), ignore); d != "" {
		t.Errorf("account made (-want +got):\n%s", d)
	}
	for _, ref := range []string{made.GetId(), "acme"} {
		got, err := h.operator.GetAccount(t.Context(), &accountsv1.GetAccountRequest{Account: ref})
		if err != nil {
			t.Fatalf("get account %s: %v", ref, err)
		}
		if d := cmp.Diff(made, got.GetAccount(), protocmp.Transform()); d != "" {
			t.Errorf("account %s (-want +got):\n%s", ref, d)
		}
	}

	changed, err := h.operator.UpdateAccount(t.Context(), &accountsv1.UpdateAccountRequest{Account: "acme",
		Package: proto.Int64(5), SetRecipients: true, BadCell: accountsv1.BadCell_BAD_CELL_DROP_CELL.Enum()})
	if err != nil {
		t.Fatal(err)
	}
	want.Package, want.Recipients, want.BadCell = 5, nil, accountsv1.BadCell_BAD_CELL_DROP_CELL
	if d := cmp.Diff(want, changed.GetAccount(), protocmp.Transform(), ignore); d != "" {
		t.Errorf("account changed (-want +got):\n%s", d)
	}

	all, err := h.operator.ListAccounts(t.Context(), &accountsv1.ListAccountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{all.GetAccounts()[0].GetName(), all.GetAccounts()[1].GetName()}; !cmp.Equal(got, []string{"acme", "demo"}) {
		t.Errorf("accounts listed: got %v, want acme and demo", got)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	h := newHouse(t)
	h.account("taken")
	create := func(a *accountsv1.Account) error {
		_, err := h.operator.CreateAccount(t.Context(), &accountsv1.CreateAccountRequest{Account: a})
		return err
	}
	key := func(k *accountsv1.CreateKeyRequest) error {
		_, err := h.operator.CreateKey(t.Context(), k)
		return err
	}
	submitter := accountsv1.Role_ROLE_SUBMITTER
	for _, c := range []struct {
		name string
		err  error
		kind fault.Kind
		code string
	}{
		{"name in use", create(&accountsv1.Account{Name: "taken", Country: "US"}), fault.Exists, "account-name-taken"},
		{"no account", create(nil), fault.Invalid, "bad-account-name"},
		{"upper case", create(&accountsv1.Account{Name: "Acme", Country: "US"}), fault.Invalid, "bad-account-name"},
		{"name is an id", create(&accountsv1.Account{Name: uuid.NewString(), Country: "US"}), fault.Invalid, "bad-account-name"},
		{"no country", create(&accountsv1.Account{Name: "a"}), fault.Invalid, "bad-country"},
		{"lower-case country", create(&accountsv1.Account{Name: "a", Country: "us"}), fault.Invalid, "bad-country"},
		{"no such country", create(&accountsv1.Account{Name: "a", Country: "QQ"}), fault.Invalid, "bad-country"},
		{"package", create(&accountsv1.Account{Name: "a", Country: "US", Package: -1}), fault.Invalid, "bad-package"},
		{"days", create(&accountsv1.Account{Name: "a", Country: "US", RawDays: -1}), fault.Invalid, "bad-days"},
		{"recipient", create(&accountsv1.Account{Name: "a", Country: "US", Recipients: []string{"x"}}), fault.Invalid, "bad-recipient"},
		{"policy", create(&accountsv1.Account{Name: "a", Country: "US", BadCell: 9}), fault.Invalid, "bad-policy"},
		{"key without role", key(&accountsv1.CreateKeyRequest{Account: "taken"}), fault.Invalid, "bad-role"},
		{"key of no account", key(&accountsv1.CreateKeyRequest{Role: submitter}), fault.Invalid, "no-account"},
		{"key of an unknown name", key(&accountsv1.CreateKeyRequest{Role: submitter, Account: "nobody"}), fault.NotFound, "unknown-account"},
		{"key of an unknown id", key(&accountsv1.CreateKeyRequest{Role: submitter, Account: uuid.NewString()}), fault.NotFound, "unknown-account"},
		{"operator of an account", key(&accountsv1.CreateKeyRequest{Role: accountsv1.Role_ROLE_OPERATOR, Account: "taken"}), fault.Invalid, "operator-with-account"},
		{"key name", key(&accountsv1.CreateKeyRequest{Role: submitter, Account: "taken", Name: "a\nb"}), fault.Invalid, "bad-key-name"},
		{"key email", key(&accountsv1.CreateKeyRequest{Role: submitter, Account: "taken", Email: "x"}), fault.Invalid, "email-invalid"},
	} {
		if !errors.Is(c.err, c.kind) || fault.Code(c.err) != c.code {
			t.Errorf("%s: got %v (%s), want kind %v and code %s", c.name, c.err, fault.Code(c.err), c.kind, c.code)
		}
	}
}

func TestLegacyEncodingIsChecked(t *testing.T) {
	h := newHouse(t)
	if got := h.account("acme").GetLegacyEncoding(); got != "" {
		t.Errorf("a new account has the legacy encoding %q", got)
	}
	for given, want := range map[string]string{"": "", "latin1": "windows-1252", "ISO-8859-2": "iso-8859-2", "Shift_JIS": "shift_jis", "gb2312": "gbk", "koi8-r": "koi8-r", "macintosh": "macintosh", "iso-8859-8-i": "iso-8859-8-i"} {
		res, err := h.operator.UpdateAccount(t.Context(), &accountsv1.UpdateAccountRequest{Account: "acme", LegacyEncoding: &given})
		if err != nil || res.GetAccount().GetLegacyEncoding() != want {
			t.Errorf("%q: got %q, %v, want %q", given, res.GetAccount().GetLegacyEncoding(), err, want)
		}
	}
	for _, given := range []string{"utf-8", "UTF-16LE", "utf-16", "nonsense", "x-user-defined", "iso-2022-kr", "utf-7", "utf-32"} {
		_, err := h.operator.UpdateAccount(t.Context(), &accountsv1.UpdateAccountRequest{Account: "acme", LegacyEncoding: &given})
		if !errors.Is(err, fault.Invalid) || fault.Code(err) != "bad-encoding" {
			t.Errorf("%q: got %v, want bad-encoding", given, err)
		}
	}
	made, err := h.operator.CreateAccount(t.Context(), &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{Name: "jp", Country: "JP", LegacyEncoding: "sjis"}})
	if err != nil || made.GetAccount().GetLegacyEncoding() != "shift_jis" {
		t.Errorf("made with one: %v, %v", made, err)
	}
}

func TestAdminSeesItsOwnAccountOnly(t *testing.T) {
	h := newHouse(t)
	mine, other := h.account("mine"), h.account("other")
	foreignKey := h.key("other", accountsv1.Role_ROLE_SUBMITTER)
	admin := h.as(h.key("mine", accountsv1.Role_ROLE_ADMIN).GetSecret())
	ctx := t.Context()

	for _, ref := range []string{"", "mine", mine.GetId()} {
		got, err := admin.GetAccount(ctx, &accountsv1.GetAccountRequest{Account: ref})
		if err != nil || got.GetAccount().GetId() != mine.GetId() {
			t.Errorf("own account by %q: got %v, %v", ref, got.GetAccount(), err)
		}
	}
	unknown := func(ref string) string {
		_, err := admin.GetAccount(ctx, &accountsv1.GetAccountRequest{Account: ref})
		if !errors.Is(err, fault.NotFound) {
			t.Errorf("account %s: got %v, want NotFound", ref, err)
			return ""
		}
		return err.Error()
	}
	texts := []string{unknown(other.GetId()), unknown("other"), unknown(uuid.NewString()), unknown("nobody"), unknown(operators.String())}
	for _, text := range texts[1:] {
		if text != texts[0] {
			t.Errorf("answers for accounts of others and unknown ones differ: %q", texts)
		}
	}
	refused := func(what string, kind fault.Kind, err error) {
		if !errors.Is(err, kind) {
			t.Errorf("%s: got %v, want %v", what, err, kind)
		}
	}
	_, err := admin.UpdateAccount(ctx, &accountsv1.UpdateAccountRequest{Account: other.GetId(), Country: proto.String("FR")})
	refused("change another account", fault.NotFound, err)
	_, err = admin.UpdateAccount(ctx, &accountsv1.UpdateAccountRequest{Package: proto.Int64(1 << 40)})
	refused("enlarge own package", fault.Denied, err)
	_, err = admin.CreateKey(ctx, &accountsv1.CreateKeyRequest{Account: "other", Role: accountsv1.Role_ROLE_ADMIN})
	refused("make a key in another account", fault.NotFound, err)
	_, err = admin.CreateKey(ctx, &accountsv1.CreateKeyRequest{Role: accountsv1.Role_ROLE_OPERATOR})
	refused("make an operator", fault.Denied, err)
	_, err = admin.ListKeys(ctx, &accountsv1.ListKeysRequest{Account: "other"})
	refused("list keys of another account", fault.NotFound, err)
	_, err = admin.RevokeKey(ctx, &accountsv1.RevokeKeyRequest{KeyId: foreignKey.GetKey().GetId()})
	refused("revoke a key of another account", fault.NotFound, err)
	_, unknownKey := admin.RevokeKey(ctx, &accountsv1.RevokeKeyRequest{KeyId: uuid.NewString()})
	if unknownKey == nil || err == nil || unknownKey.Error() != err.Error() {
		t.Errorf("someone else's key answers %q, an unknown one %q", err, unknownKey)
	}
	_, err = admin.ListAccounts(ctx, &accountsv1.ListAccountsRequest{})
	refused("list all accounts", fault.Denied, err)
	_, err = admin.CreateAccount(ctx, &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{Name: "x", Country: "US"}})
	refused("make an account", fault.Denied, err)

	got, err := admin.UpdateAccount(ctx, &accountsv1.UpdateAccountRequest{Country: proto.String("FR")})
	if err != nil || got.GetAccount().GetCountry() != "FR" || got.GetAccount().GetPackage() != 1000 {
		t.Errorf("change own country: got %v, %v", got.GetAccount(), err)
	}
	keys, err := admin.ListKeys(ctx, &accountsv1.ListKeysRequest{})
	if err != nil || len(keys.GetKeys()) != 1 || keys.GetKeys()[0].GetRole() != accountsv1.Role_ROLE_ADMIN {
		t.Errorf("own keys: got %v, %v", keys, err)
	}
}

func TestKeyIsGoodUntilRevoked(t *testing.T) {
	h := newHouse(t)
	account := h.account("acme")
	made := h.key("acme", accountsv1.Role_ROLE_SUBMITTER)
	want := rpc.Caller{Account: uuid.MustParse(account.GetId()), Role: rpc.Submitter, KeyID: uuid.MustParse(made.GetKey().GetId()), Email: "bo@example.com"}
	got, err := h.service.Authenticate(t.Context(), made.GetSecret())
	if err != nil || got != want {
		t.Fatalf("authenticate: got %v, %v, want %v", got, err, want)
	}
	remote := rpc.RemoteAuth(h.dial(rpc.DialOptions{ServiceKey: serviceKey}))
	if got, err := remote.Authenticate(t.Context(), made.GetSecret()); err != nil || got != want {
		t.Errorf("authenticate from another service: got %v, %v, want %v", got, err, want)
	}

	for range 2 { // again changes nothing
		res, err := h.operator.RevokeKey(t.Context(), &accountsv1.RevokeKeyRequest{KeyId: made.GetKey().GetId()})
		if err != nil || res.GetKey().GetRevokedAt() == nil {
			t.Fatalf("revoke: got %v, %v", res, err)
		}
	}
	good := h.key("acme", accountsv1.Role_ROLE_SUBMITTER).GetSecret()
	other := byte('a')
	if good[keyLength-2] == 'a' {
		other = 'b'
	}
	last := byte('b') // same bits decoded, other spelling
	if good[keyLength-1] == 'b' {
		last = 'c'
	}
	nobodys, _ := newSecret(uuid.Must(uuid.NewV7()))
	var texts []string
	for name, key := range map[string]string{
		"revoked": made.GetSecret(), "empty": "", "short": "cm_", "unknown": nobodys,
		"wrong secret":   good[:keyLength-2] + string(other) + good[keyLength-1:],
		"other spelling": good[:keyLength-1] + string(last), "upper case": strings.ToUpper(good), "longer": good + "a",
		"no text": strings.Repeat("\xff", keyLength),
	} {
		_, err := h.service.Authenticate(t.Context(), key)
		if !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("%s key: got %v, want Unauthenticated", name, err)
			continue
		}
		texts = append(texts, err.Error()+fault.Code(err)+fault.HintOf(err))
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("refusals differ: %q", texts)
		}
	}
}

func TestBootstrapMakesEverythingOnce(t *testing.T) {
	h := newHouse(t)
	seed := Demo()
	seed.Account, seed.KeyName = "fresh", "fresh start"
	const racers = 6
	var wg sync.WaitGroup
	results := make([]Seeded, racers)
	for i := range racers {
		wg.Go(func() {
			var err error
			if results[i], err = h.service.Bootstrap(t.Context(), seed); err != nil {
				t.Errorf("bootstrap: %v", err)
			}
		})
	}
	wg.Wait()
	var admins, ops int
	for _, r := range results {
		if r.Account != results[0].Account {
			t.Errorf("two accounts: %s and %s", r.Account, results[0].Account)
		}
		if r.Admin != "" {
			admins++
		}
		if r.Operator != "" {
			ops++
		}
	}
	if admins != 1 || ops != 1 {
		t.Errorf("made %d admin and %d operator keys, want one each", admins, ops)
	}

	seed.Renew = true
	renewed, err := h.service.Bootstrap(t.Context(), seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Admin == "" {
			continue
		}
		if _, err := h.service.Authenticate(t.Context(), r.Admin.Reveal()); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("the key that was renewed is still good: %v", err)
		}
	}
	got, err := h.service.Authenticate(t.Context(), renewed.Operator.Reveal())
	if err != nil || got.Role != rpc.Operator || got.Account != uuid.Nil {
		t.Errorf("renewed operator: got %v, %v", got, err)
	}
}

func TestAuditOnlyGrows(t *testing.T) {
	h := newHouse(t)
	account := uuid.MustParse(h.account("acme").GetId())
	h.key("acme", accountsv1.Role_ROLE_ADMIN)
	if _, err := h.operator.UpdateAccount(t.Context(), &accountsv1.UpdateAccountRequest{Account: "acme", Country: proto.String("FR"), RawDays: proto.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	fields := h.fields("acme")
	create(t, fields, &accountsv1.Field{Name: "colour", Type: criterionType})
	if _, err := fields.SetCodes(t.Context(), &accountsv1.SetCodesRequest{Field: "colour", Codes: []*accountsv1.Code{{Code: "r"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := fields.UpdateField(t.Context(), &accountsv1.UpdateFieldRequest{Name: "colour", Required: proto.Bool(true), Label: proto.String("Hue")}); err != nil {
		t.Fatal(err)
	}
	if _, err := fields.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "colour"}); err != nil {
		t.Fatal(err)
	}
	in := func(sql string, into *[]string) error {
		return h.service.db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, sql)
			if err != nil {
				return err
			}
			found, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if into != nil {
				*into = found
			}
			return err
		})
	}
	var got []string
	if err := in("select action || ' ' || actor_role || ' ' || array_to_string(fields, ',') from audit order by audit_id", &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"account.created operator ", "key.created operator ", "account.changed operator country,raw_days",
		"key.created operator ", "field.created admin colour", "codes.set admin colour", "field.changed admin colour,label,required", "field.deleted admin colour"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("audit (-want +got):\n%s", d)
	}
	for _, sql := range []string{"update audit set action = ''", "delete from audit", "truncate audit", "delete from api_keys", "delete from accounts",
		"update api_keys set secret_sha256 = ''", "update accounts set name = 'x'", "delete from fields", "delete from codes",
		"update fields set number = 300", "update fields set key = 15", "update fields set type = 'date'", "update codes set code = 'x'"} {
		if err := in(sql+" returning ''", nil); err == nil {
			t.Errorf("%s: the service may do it", sql)
		}
	}
}

func TestStatementsPrepare(t *testing.T) {
	h := newHouse(t)
	postgrestest.PrepareAll(t, h.service.db, queries, "queries")
}

// Rows of other accounts are out of reach of every statement, whatever it says.
func TestRowsOfOthersAreOutOfReach(t *testing.T) {
	h := newHouse(t)
	mine := uuid.MustParse(h.account("mine").GetId())
	other := uuid.MustParse(h.account("other").GetId())
	create(t, h.fields("other"), &accountsv1.Field{Name: "colour", Type: criterionType, Codes: []*accountsv1.Code{{Code: "r"}}})
	for _, table := range []string{"accounts", "api_keys", "audit", "fields", "codes"} {
		var n int
		err := h.service.db.InAccount(t.Context(), mine, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, "select count(*) from "+table+" where account_id = $1", other).Scan(&n)
		})
		if err != nil || n != 0 {
			t.Errorf("%s of another account: got %d rows, %v", table, n, err)
		}
		if err := h.service.db.Pool().QueryRow(t.Context(), "select count(*) from "+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s without an account: got %d rows, %v", table, n, err)
		}
	}
	err := h.service.db.Across(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update api_keys set revoked_at = now()")
		return err
	})
	if err == nil {
		t.Error("a query across accounts may write")
	}
}

func TestEveryTableIsClosed(t *testing.T) {
	h := newHouse(t)
	rows, err := h.service.db.Pool().Query(t.Context(), `
		select c.relname::text from pg_class c
		where c.relnamespace = 'accounts'::regnamespace and c.relkind = 'r' and c.relname <> 'schema_version'
		and not (c.relrowsecurity and c.relforcerowsecurity)`)
	if err != nil {
		t.Fatal(err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(open) != 0 {
		t.Errorf("tables without forced row-level security: %v, %v", open, err)
	}
}

func TestProcessStartsAndStops(t *testing.T) {
	t.Parallel()
	database := postgrestest.DB(t, Schema)
	s, err := Process(t.Context(), []string{"CONTACTMILL_DATABASE_URL=" + database.URL("accounts"), "CONTACTMILL_GRPC_ADDR=127.0.0.1:0",
		"CONTACTMILL_SERVICE_KEY=" + serviceKey}, telemetry.New("accounts", "test", io.Discard))
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

	_, err = Process(t.Context(), []string{"CONTACTMILL_DATABASE_URL=" + database.OwnerURL, "CONTACTMILL_GRPC_ADDR=127.0.0.1:0",
		"CONTACTMILL_SERVICE_KEY=" + serviceKey}, telemetry.New("accounts", "test", io.Discard))
	if fault.Code(err) != "login-too-mighty" {
		t.Errorf("with the owner's login: got %v, want a refusal", err)
	}
}
