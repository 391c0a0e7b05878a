package contacts

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// fieldsOf stands for the service accounts: it tells the fields of accounts, and counts how often it was asked.
type fieldsOf struct {
	accountsv1.UnimplementedFieldsServiceServer
	mu    sync.Mutex
	own   map[uuid.UUID][]*accountsv1.Field
	away  bool
	asked int
}

func (f *fieldsOf) ListFields(ctx context.Context, _ *accountsv1.ListFieldsRequest) (*accountsv1.ListFieldsResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.away {
		return nil, fault.New(fault.Unavailable, "away", "away")
	}
	return &accountsv1.ListFieldsResponse{Fields: f.own[account]}, nil
}

func (f *fieldsOf) set(account uuid.UUID, own ...*accountsv1.Field) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own == nil {
		f.own = map[uuid.UUID][]*accountsv1.Field{}
	}
	f.own[account] = own
}

func (f *fieldsOf) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// ownFields are an account's.
func ownFields() []*accountsv1.Field {
	return []*accountsv1.Field{
		{Name: "email", Type: accountsv1.FieldType_FIELD_TYPE_STANDARD, Number: 5, Standard: true},
		{Name: "customer", Label: "Customer", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: 256, Unique: true, Key: 8, MaxLength: 10},
		{Name: "score", Label: "Score", Type: accountsv1.FieldType_FIELD_TYPE_NUMBER, Number: 257},
		{Name: "newsletter", Label: "Newsletter", Type: accountsv1.FieldType_FIELD_TYPE_AUTHORISATION, Number: 258},
		{Name: "pin", Label: "PIN", Type: accountsv1.FieldType_FIELD_TYPE_SECRET, Number: 259},
		{Name: "colour", Label: "Colour", Type: accountsv1.FieldType_FIELD_TYPE_CRITERION, Number: 260,
			Codes: []*accountsv1.Code{{Code: "r", Label: "Red"}, {Code: "g", Label: "Green"}}},
	}
}

func TestOwnFieldsByHand(t *testing.T) {
	h := newHouse(t)
	h.fields.set(h.account, ownFields()...)
	c := h.add(t, values{"customer": " C1 ", "score": "010.50", "newsletter": "true", "pin": "4711", "colour": "red", "email": "a@x.io"})
	want := values{"customer": "C1", "score": "10.5", "newsletter": "True", "pin": "***-**-****", "colour": "r", "email": "a@x.io"}
	if diff := cmp.Diff(want, c.GetValues()); diff != "" {
		t.Errorf("values of the new contact (-want +got):\n%s", diff)
	}
	sealed := func() string {
		return in[string](h, h.account, "select coalesce(own -> '259' ->> 1, 'none') from contacts.contacts where contact_id = $1", c.GetId())[0]
	}
	open := func() string {
		b, err := base64.RawStdEncoding.DecodeString(sealed())
		if err != nil {
			t.Fatal(err)
		}
		plain, err := h.ring.Open(b, keyring.ForContact(h.account, "259", uuid.MustParse(c.GetId())))
		if err != nil {
			t.Fatal(err)
		}
		return string(plain)
	}
	if got := open(); got != "4711" {
		t.Errorf("the pin opens as %q", got)
	}

	// what it says twice changes nothing, a secret value neither
	before := sealed()
	again, err := h.set(t, c.GetId(), values{"customer": "C1", "pin": "4711", "score": "10.5", "newsletter": "True", "colour": "Red"})
	if err != nil {
		t.Fatal(err)
	}
	if !again.GetUpdatedAt().AsTime().Equal(c.GetUpdatedAt().AsTime()) || sealed() != before {
		t.Error("values given twice changed the contact")
	}
	changed, err := h.set(t, c.GetId(), values{"customer": "C2", "score": "UNSET", "pin": "9", "newsletter": "Empty", "colour": ""})
	if err != nil {
		t.Fatal(err)
	}
	want = values{"customer": "C2", "pin": "***-**-****", "colour": "r", "email": "a@x.io"}
	if diff := cmp.Diff(want, changed.GetValues()); diff != "" {
		t.Errorf("values of the changed contact (-want +got):\n%s", diff)
	}
	if got := open(); got != "9" {
		t.Errorf("the new pin opens as %q", got)
	}
	// a standard field alone leaves own ones as they are
	if changed, err = h.set(t, c.GetId(), values{"city": "Rome"}); err != nil {
		t.Fatal(err)
	}
	want["city"] = "Rome"
	if diff := cmp.Diff(want, changed.GetValues()); diff != "" {
		t.Errorf("values after a city was given (-want +got):\n%s", diff)
	}
	if got := in[int64](h, h.account, "select count(*) from contacts.contacts where origins ? '256' and origins ? '259' and origins ? '257' and jsonb_array_length(origins -> '259' -> 'replaced') = 1"); got[0] != 1 {
		t.Error("the origins do not tell of own fields")
	}
	if changed, err = h.set(t, c.GetId(), values{"pin": "UNSET", "customer": "UNSET", "colour": "UNSET"}); err != nil {
		t.Fatal(err)
	}
	if got := in[int64](h, h.account, "select count(*) from contacts.contacts where own is null and own_8_hash is null"); got[0] != 1 {
		t.Errorf("a contact whose own values were all cleared has some: %v", changed.GetValues())
	}
	shown, err := h.contacts.ListContacts(t.Context(), &contactsv1.ListContactsRequest{})
	if err != nil || len(shown.GetContacts()) != 1 {
		t.Fatalf("list: %v, %v", shown, err)
	}
}

func TestAUniqueOwnFieldIsAKeyByHand(t *testing.T) {
	h := newHouse(t)
	h.fields.set(h.account, ownFields()...)
	first := h.add(t, values{"customer": "C1"})
	_, err := h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: values{"customer": "C1", "email": "b@x.io"}})
	wantFault(t, "a number in use", err, fault.Exists, "duplicate-contact")
	if want := "contact " + first.GetId() + " has the same customer"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q in it", err, want)
	}
	second := h.add(t, values{"customer": "C2"})
	_, err = h.set(t, second.GetId(), values{"customer": "C1"})
	wantFault(t, "a number of another", err, fault.Exists, "duplicate-contact")
	if _, err := h.set(t, first.GetId(), values{"customer": "C3"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.set(t, second.GetId(), values{"customer": "C1"}); err != nil {
		t.Errorf("a number given up: %v", err)
	}
	if got := in[string](h, h.account, "select string_agg(version || ':' || key, ' ' order by version, key) from contacts.key_changes"); got[0] != "1:8 2:8 3:8 3:8 4:8 4:8" {
		t.Errorf("key changes %s", got[0])
	}
	if got := in[int64](h, h.account, `select count(*) from contacts.contact_keys k join contacts.contacts c using (account_id, contact_id) where k.key = 8 and k.hash = c.own_8_hash`); got[0] != 2 {
		t.Errorf("%d keys, want 2", got[0])
	}
}

func TestValuesByHandAreCheckedAsThoseOfFiles(t *testing.T) {
	h := newHouse(t)
	own := ownFields()
	own[2].Required = true
	h.fields.set(h.account, own...)
	for name, c := range map[string]struct {
		values values
		code   string
	}{
		"no number":      {values{"email": "a@x.io", "score": "many"}, "number-invalid"},
		"not in book":    {values{"email": "a@x.io", "score": "1", "colour": "blue"}, "code-unknown"},
		"too long":       {values{"customer": "12345678901", "score": "1"}, "too-long"},
		"not required":   {values{"email": "a@x.io"}, "value-missing"},
		"no such field":  {values{"email": "a@x.io", "score": "1", "nonsense": "1"}, "unknown-field"},
		"not yes nor no": {values{"email": "a@x.io", "score": "1", "newsletter": "perhaps"}, "authorisation-invalid"},
		"nobody":         {values{"score": "1"}, "no-key"},
	} {
		_, err := h.contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: c.values})
		wantFault(t, name, err, fault.Invalid, c.code)
		if c.code == "unknown-field" && !strings.Contains(fault.HintOf(err), "customer, score, newsletter, pin, colour") {
			t.Errorf("%s: the hint %q does not name the account's fields", name, fault.HintOf(err))
		}
	}
	c := h.add(t, values{"customer": "C1", "score": "1"})
	_, err := h.set(t, c.GetId(), values{"score": "UNSET"})
	wantFault(t, "to clear a required value", err, fault.Invalid, "value-missing")
	// another account does not have these fields
	_, err = h.admin().contacts.AddContact(t.Context(), &contactsv1.AddContactRequest{Values: values{"customer": "C1"}})
	wantFault(t, "a field of another account", err, fault.Invalid, "unknown-field")
}

func TestAWithdrawnAuthorisationStaysByHand(t *testing.T) {
	h := newHouse(t)
	h.fields.set(h.account, ownFields()...)
	c := h.add(t, values{"customer": "C1", "newsletter": "FALSE"})
	for _, word := range []string{"True", "UNSET", "Empty"} {
		_, err := h.set(t, c.GetId(), values{"newsletter": word, "city": "Rome"})
		wantFault(t, word, err, fault.Precondition, "consent-kept")
	}
	now, err := h.set(t, c.GetId(), values{"newsletter": "False", "city": "Oslo"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values{"customer": "C1", "newsletter": "False", "city": "Oslo"}, now.GetValues()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestFieldsAreAskedForWhenTheyAreNeeded(t *testing.T) {
	h := newHouse(t)
	plain := h.admin()
	c := plain.add(t, values{"email": "p@x.io"})
	asked := h.fields.times()
	if _, err := plain.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: c.GetId()}); err != nil {
		t.Fatal(err)
	}
	if n := h.fields.times(); n != asked {
		t.Errorf("a contact without own values asked for fields %d times", n-asked)
	}
	// a field made a moment ago is known at once
	h.add(t, values{"email": "a@x.io"})
	h.fields.set(h.account, ownFields()...)
	own := h.add(t, values{"customer": "C1"})
	// a field that is retired is no longer shown, and its value is kept
	h.fields.set(h.account, ownFields()[2:]...)
	if _, err := h.set(t, own.GetId(), values{"nonsense": "1"}); err == nil { // asks anew
		t.Fatal("a field that is not there was taken")
	}
	shown, err := h.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: own.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if len(shown.GetContact().GetValues()) != 0 {
		t.Errorf("values of a retired field are shown: %v", shown.GetContact().GetValues())
	}
	if got := in[int64](h, h.account, "select count(*) from contacts.contacts where own ->> '256' = 'C1'"); got[0] != 1 {
		t.Error("the value of a retired field is gone")
	}
}
