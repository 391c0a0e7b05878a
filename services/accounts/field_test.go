package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	textType          = accountsv1.FieldType_FIELD_TYPE_TEXT
	numberType        = accountsv1.FieldType_FIELD_TYPE_NUMBER
	dateType          = accountsv1.FieldType_FIELD_TYPE_DATE
	booleanType       = accountsv1.FieldType_FIELD_TYPE_BOOLEAN
	criterionType     = accountsv1.FieldType_FIELD_TYPE_CRITERION
	criteriaType      = accountsv1.FieldType_FIELD_TYPE_CRITERIA
	authorisationType = accountsv1.FieldType_FIELD_TYPE_AUTHORISATION
	secretType        = accountsv1.FieldType_FIELD_TYPE_SECRET
)

var noTimes = protocmp.IgnoreFields(&accountsv1.Field{}, "created_at")

// fields is an account's FieldsService as its admin has it.
func (h *house) fields(account string) accountsv1.FieldsServiceClient {
	h.t.Helper()
	key := h.key(account, accountsv1.Role_ROLE_ADMIN).GetSecret()
	return accountsv1.NewFieldsServiceClient(h.dial(rpc.DialOptions{Key: config.Secret(key)}))
}

func create(t *testing.T, c accountsv1.FieldsServiceClient, f *accountsv1.Field) *accountsv1.Field {
	t.Helper()
	res, err := c.CreateField(t.Context(), &accountsv1.CreateFieldRequest{Field: f})
	if err != nil {
		t.Fatalf("create field %s: %v", f.GetName(), err)
	}
	return res.GetField()
}

func own(t *testing.T, c accountsv1.FieldsServiceClient) []*accountsv1.Field {
	t.Helper()
	res, err := c.ListFields(t.Context(), &accountsv1.ListFieldsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	standard := len(contact.Fields())
	for i, f := range res.GetFields() {
		if f.GetStandard() != (i < standard) {
			t.Fatalf("field %d, %s: standard is %v", i, f.GetName(), f.GetStandard())
		}
	}
	return res.GetFields()[standard:]
}

func TestFieldsAreMadeShownChangedAndRetired(t *testing.T) {
	h := newHouse(t)
	h.account("acme")
	c := h.fields("acme")
	made := []*accountsv1.Field{
		create(t, c, &accountsv1.Field{Name: "loyalty_card", Type: textType, Unique: true, MaxLength: 40, Headings: []string{"Card no.", "CARD NO", " Kundenkarte "}}),
		create(t, c, &accountsv1.Field{Name: "shoe_size", Label: "Size of shoes", Type: numberType, Required: true}),
		create(t, c, &accountsv1.Field{Name: "pin", Label: "PIN", Type: secretType}),
		create(t, c, &accountsv1.Field{Name: "colour", Label: "Colour", Type: criterionType, Codes: []*accountsv1.Code{{Code: "R", Label: "Red"}, {Code: "G"}}}),
		create(t, c, &accountsv1.Field{Name: "joined", Type: dateType, Unique: true}),
		create(t, c, &accountsv1.Field{Name: "may_mail", Type: authorisationType}),
	}
	want := []*accountsv1.Field{
		{Name: "loyalty_card", Label: "Loyalty card", Type: textType, Unique: true, MaxLength: 40, Headings: []string{"Card no.", "Kundenkarte"}, Number: 256, Key: 8},
		{Name: "shoe_size", Label: "Size of shoes", Type: numberType, Required: true, Number: 257},
		{Name: "pin", Label: "PIN", Type: secretType, MaxLength: 1000, Number: 258},
		{Name: "colour", Label: "Colour", Type: criterionType, Number: 259, Codes: []*accountsv1.Code{{Code: "R", Label: "Red"}, {Code: "G", Label: "G"}}},
		{Name: "joined", Label: "Joined", Type: dateType, Unique: true, Number: 260, Key: 9},
		{Name: "may_mail", Label: "May mail", Type: authorisationType, Number: 261},
	}
	if d := cmp.Diff(want, made, protocmp.Transform(), noTimes); d != "" {
		t.Errorf("fields made (-want +got):\n%s", d)
	}
	if d := cmp.Diff(made, own(t, c), protocmp.Transform()); d != "" {
		t.Errorf("fields listed (-made +listed):\n%s", d)
	}

	changed, err := c.UpdateField(t.Context(), &accountsv1.UpdateFieldRequest{Name: "loyalty_card", Label: proto.String("Card"), Required: proto.Bool(true),
		MaxLength: proto.Int32(50), SetHeadings: true})
	if err != nil {
		t.Fatal(err)
	}
	want[0].Label, want[0].Required, want[0].MaxLength, want[0].Headings = "Card", true, 50, nil
	if d := cmp.Diff(want[0], changed.GetField(), protocmp.Transform(), noTimes); d != "" {
		t.Errorf("field changed (-want +got):\n%s", d)
	}

	if _, err := c.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "joined"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(append(want[:4:4], want[5]), own(t, c), protocmp.Transform(), noTimes); d != "" {
		t.Errorf("fields after one was deleted (-want +got):\n%s", d)
	}
	if _, err := c.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "joined"}); !errors.Is(err, fault.NotFound) {
		t.Errorf("delete it again: %v, want NotFound", err)
	}
	again := create(t, c, &accountsv1.Field{Name: "joined", Type: dateType, Unique: true})
	if again.GetNumber() != 262 || again.GetKey() != 10 {
		t.Errorf("the new field of an old name has number %d and key %d; want 262 and 10, which nobody had", again.GetNumber(), again.GetKey())
	}
}

func TestStandardFieldsAreListed(t *testing.T) {
	h := newHouse(t)
	h.account("acme")
	res, err := h.fields("acme").ListFields(t.Context(), &accountsv1.ListFieldsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.GetFields()) != len(contact.Fields()) {
		t.Fatalf("got %d fields, want %d", len(res.GetFields()), len(contact.Fields()))
	}
	for i, f := range contact.Fields() {
		spec, _ := f.Spec()
		if got := res.GetFields()[i]; got.GetName() != spec.Name || got.GetLabel() != spec.Label || got.GetNumber() != int32(f) || got.GetUnique() != spec.Key.Unique() || got.GetCreatedAt() != nil {
			t.Errorf("field %d: got %v, want %s", i, got, spec.Name)
		}
	}
}

func TestBadFieldsAreRefused(t *testing.T) {
	h := newHouse(t)
	h.account("acme")
	c := h.fields("acme")
	create(t, c, &accountsv1.Field{Name: "shoe_size", Label: "Größe", Type: numberType, Headings: []string{"EU size"}})
	create(t, c, &accountsv1.Field{Name: "colour", Type: criterionType, Codes: []*accountsv1.Code{{Code: "A+", Label: "Rouge foncé"}, {Code: "A-", Label: "Blue"}, {Code: "old", Label: "Grey", Retired: true}}})
	field := func(f *accountsv1.Field) error {
		_, err := c.CreateField(t.Context(), &accountsv1.CreateFieldRequest{Field: f})
		return err
	}
	named := func(name string) error { return field(&accountsv1.Field{Name: name, Type: textType}) }
	update := func(r *accountsv1.UpdateFieldRequest) error {
		_, err := c.UpdateField(t.Context(), r)
		return err
	}
	codes := func(name string, codes ...*accountsv1.Code) error {
		_, err := c.SetCodes(t.Context(), &accountsv1.SetCodesRequest{Field: name, Codes: codes})
		return err
	}
	many := make([]*accountsv1.Code, mostCodes)
	for i := range many {
		many[i] = &accountsv1.Code{Code: fmt.Sprint("c", i)}
	}
	for _, r := range []struct {
		name string
		err  error
		kind fault.Kind
		code string
	}{
		{"no field", field(nil), fault.Invalid, "bad-field-name"},
		{"upper case", named("Shoe"), fault.Invalid, "bad-field-name"},
		{"two lines", named("a__b"), fault.Invalid, "bad-field-name"},
		{"digit first", named("1st"), fault.Invalid, "bad-field-name"},
		{"long name", named(strings.Repeat("a", 64)), fault.Invalid, "bad-field-name"},
		{"line break", named("a\n"), fault.Invalid, "bad-field-name"},
		{"column of reports", named("outcome"), fault.Invalid, "bad-field-name"},
		{"standard", named("email"), fault.Exists, "standard-field"},
		{"there already", named("shoe_size"), fault.Exists, "field-exists"},
		{"name but for _", named("shoesize"), fault.Exists, "field-name-taken"},
		{"standard name but for _", named("firstname"), fault.Exists, "field-name-taken"},
		{"standard label", field(&accountsv1.Field{Name: "a", Label: "zip  CODE", Type: textType}), fault.Exists, "field-name-taken"},
		{"another's label", field(&accountsv1.Field{Name: "a", Label: "GROSSE", Type: textType}), fault.Exists, "field-name-taken"},
		{"another's heading", field(&accountsv1.Field{Name: "a", Type: textType, Headings: []string{"eu-size"}}), fault.Exists, "field-name-taken"},
		{"no type", field(&accountsv1.Field{Name: "a"}), fault.Invalid, "bad-field-type"},
		{"standard type", field(&accountsv1.Field{Name: "a", Type: accountsv1.FieldType_FIELD_TYPE_STANDARD}), fault.Invalid, "bad-field-type"},
		{"type of a newer release", field(&accountsv1.Field{Name: "a", Type: 99}), fault.Invalid, "bad-field-type"},
		{"unique boolean", field(&accountsv1.Field{Name: "a", Type: booleanType, Unique: true}), fault.Invalid, "cannot-be-unique"},
		{"unique secret", field(&accountsv1.Field{Name: "a", Type: secretType, Unique: true}), fault.Invalid, "cannot-be-unique"},
		{"label without a letter", field(&accountsv1.Field{Name: "a", Label: "###", Type: textType}), fault.Invalid, "bad-label"},
		{"long label", field(&accountsv1.Field{Name: "a", Label: strings.Repeat("ä", 201), Type: textType}), fault.Invalid, "bad-label"},
		{"heading of two lines", field(&accountsv1.Field{Name: "a", Type: textType, Headings: []string{"a\nb"}}), fault.Invalid, "bad-heading"},
		{"too many headings", field(&accountsv1.Field{Name: "a", Type: textType, Headings: make([]string, 51)}), fault.Invalid, "too-many-headings"},
		{"length of a number", field(&accountsv1.Field{Name: "a", Type: numberType, MaxLength: 5}), fault.Invalid, "bad-max-length"},
		{"length", field(&accountsv1.Field{Name: "a", Type: textType, MaxLength: 10_001}), fault.Invalid, "bad-max-length"},
		{"codes of a text", field(&accountsv1.Field{Name: "a", Type: textType, Codes: many[:1]}), fault.Precondition, "no-code-book"},

		{"change nobody's", update(&accountsv1.UpdateFieldRequest{Name: "a"}), fault.NotFound, "unknown-field"},
		{"change a standard one", update(&accountsv1.UpdateFieldRequest{Name: "zip"}), fault.Precondition, "standard-field"},
		{"take another's label", update(&accountsv1.UpdateFieldRequest{Name: "colour", Label: proto.String("EU size")}), fault.Exists, "field-name-taken"},
		{"headings without saying so", update(&accountsv1.UpdateFieldRequest{Name: "colour", Headings: []string{"a"}}), fault.Invalid, "headings-not-set"},
		{"length of a criterion", update(&accountsv1.UpdateFieldRequest{Name: "colour", MaxLength: proto.Int32(5)}), fault.Invalid, "bad-max-length"},

		{"no codes", codes("colour"), fault.Invalid, "no-codes"},
		{"codes of nobody's", codes("a", many[0]), fault.NotFound, "unknown-field"},
		{"codes of a standard one", codes("zip", many[0]), fault.Precondition, "standard-field"},
		{"codes of a number", codes("shoe_size", many[0]), fault.Precondition, "no-code-book"},
		{"empty code", codes("colour", &accountsv1.Code{Code: " "}), fault.Invalid, "bad-code"},
		{"long code", codes("colour", &accountsv1.Code{Code: strings.Repeat("a", 65)}), fault.Invalid, "bad-code"},
		{"code with ;", codes("colour", &accountsv1.Code{Code: "a;b"}), fault.Invalid, "bad-code"},
		{"code that clears", codes("colour", &accountsv1.Code{Code: "Unset"}), fault.Invalid, "bad-code"},
		{"label of two lines", codes("colour", &accountsv1.Code{Code: "a", Label: "a\nb"}), fault.Invalid, "bad-label"},
		{"code twice", codes("colour", many[0], many[0]), fault.Invalid, "code-twice"},
		{"case", codes("colour", &accountsv1.Code{Code: "a+"}), fault.Exists, "codes-alike"},
		{"label is another's code", codes("colour", &accountsv1.Code{Code: "x", Label: "a-"}), fault.Exists, "codes-alike"},
		{"accent of a label", codes("colour", &accountsv1.Code{Code: "x", Label: "ROUGE  FONCE"}), fault.Exists, "codes-alike"},
		{"label of a retired one", codes("colour", &accountsv1.Code{Code: "x", Label: "grey"}), fault.Exists, "codes-alike"},
		{"two new ones alike", codes("colour", &accountsv1.Code{Code: "é"}, &accountsv1.Code{Code: "E"}), fault.Exists, "codes-alike"},
		{"too many codes", codes("colour", many...), fault.Precondition, "too-many-codes"},
	} {
		if !errors.Is(r.err, r.kind) || fault.Code(r.err) != r.code {
			t.Errorf("%s: got %v (%s), want kind %v and code %s", r.name, r.err, fault.Code(r.err), r.kind, r.code)
		}
	}
	if err := codes("colour", &accountsv1.Code{Code: "x", Label: "X"}, &accountsv1.Code{Code: "A+"}, &accountsv1.Code{Code: "old", Label: "Grey (old)"}); err != nil {
		t.Fatal(err)
	}
	if got, want := own(t, c)[1].GetCodes(), []*accountsv1.Code{{Code: "A+", Label: "Rouge foncé"}, {Code: "A-", Label: "Blue"}, {Code: "old", Label: "Grey (old)"}, {Code: "x", Label: "X"}}; !cmp.Equal(want, got, protocmp.Transform()) {
		t.Errorf("codes (-want +got):\n%s", cmp.Diff(want, got, protocmp.Transform()))
	}
}

// refusedBy checks that a limit names itself in a refusal.
func refusedBy(t *testing.T, what, code, names string, err error) {
	t.Helper()
	if !errors.Is(err, fault.Precondition) || fault.Code(err) != code || !strings.Contains(err.Error(), names) {
		t.Errorf("%s: got %v (%s), want %s that names %s", what, err, fault.Code(err), code, names)
	}
}

func TestLimitsOfFields(t *testing.T) {
	h := newHouse(t)
	account := uuid.MustParse(h.account("acme").GetId())
	c := h.fields("acme")
	for i := range mostUnique {
		f := create(t, c, &accountsv1.Field{Name: fmt.Sprint("u", i), Type: textType, Unique: true})
		if f.GetKey() != int32(8+i) {
			t.Errorf("unique field %d has key %d", i, f.GetKey())
		}
	}
	unique := &accountsv1.CreateFieldRequest{Field: &accountsv1.Field{Name: "one_more", Type: textType, Unique: true}}
	_, err := c.CreateField(t.Context(), unique)
	refusedBy(t, "a ninth unique field", "too-many-unique-fields", "8", err)
	if _, err := c.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: "u0"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateField(t.Context(), unique)
	refusedBy(t, "a key for the second time", "too-many-unique-fields", "deleted ones", err)

	fill := func(from, to, number int) { // as if they had been created one by one
		t.Helper()
		err := h.service.db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `insert into fields (account_id, number, name, label, type, required, max_length, headings)
				select $1, $4 + i, 'f' || i, 'f' || i, 'boolean', false, 0, '{}' from generate_series($2::integer, $3) as i`, account, from, to, number)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill(1, mostFields-len(own(t, c))-1, 300)
	create(t, c, &accountsv1.Field{Name: "the_last", Type: booleanType})
	one := &accountsv1.CreateFieldRequest{Field: &accountsv1.Field{Name: "one_more", Type: booleanType}}
	_, err = c.CreateField(t.Context(), one)
	refusedBy(t, "one field more", "too-many-fields", "200", err)

	for _, name := range []string{"the_last", "u1"} {
		if _, err := c.DeleteField(t.Context(), &accountsv1.DeleteFieldRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	fill(9999, 9999, lastNumber-9999)
	_, err = c.CreateField(t.Context(), one)
	refusedBy(t, "a number beyond the last", "too-many-fields", "65280", err)
}

func TestFieldsMadeAtOnceHaveNumbersOfTheirOwn(t *testing.T) {
	h := newHouse(t)
	h.account("acme")
	c := h.fields("acme")
	const racers = 7
	numbers, keys := make([]int32, racers), make([]int32, racers)
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			res, err := c.CreateField(t.Context(), &accountsv1.CreateFieldRequest{Field: &accountsv1.Field{Name: fmt.Sprint("f", i), Type: textType, Unique: true}})
			if err != nil {
				t.Errorf("create field %d: %v", i, err)
				return
			}
			numbers[i], keys[i] = res.GetField().GetNumber(), res.GetField().GetKey()
		})
	}
	wg.Wait()
	seen := map[int32]bool{}
	for i := range racers {
		if n, k := numbers[i], keys[i]; seen[n] || n < 256 || n >= 256+racers || k != n-256+8 {
			t.Errorf("numbers %v and keys %v; want 256 and 8 and up, each once", numbers, keys)
			break
		}
		seen[numbers[i]] = true
	}
}

func TestFieldsAreTheAccountsOwn(t *testing.T) {
	h := newHouse(t)
	mine := h.account("mine")
	h.account("other")
	c := h.fields("mine")
	create(t, c, &accountsv1.Field{Name: "shoe_size", Type: numberType})
	other := h.fields("other")
	if got := own(t, other); len(got) != 0 {
		t.Errorf("another account sees %v", got)
	}
	if f := create(t, other, &accountsv1.Field{Name: "shoe_size", Type: textType}); f.GetNumber() != 256 {
		t.Errorf("another account's first field has number %d", f.GetNumber())
	}

	service := accountsv1.NewFieldsServiceClient(h.dial(rpc.DialOptions{ServiceKey: serviceKey}))
	res, err := service.ListFields(rpc.WithAccount(t.Context(), uuid.MustParse(mine.GetId())), &accountsv1.ListFieldsRequest{})
	if err != nil || len(res.GetFields()) != len(contact.Fields())+1 {
		t.Errorf("a service asks for them: %v, %v", res, err)
	}
	for what, c := range map[string]accountsv1.FieldsServiceClient{
		"a submitter": accountsv1.NewFieldsServiceClient(h.dial(rpc.DialOptions{Key: config.Secret(h.key("mine", accountsv1.Role_ROLE_SUBMITTER).GetSecret())})),
		"a service":   service,
	} {
		_, err := c.CreateField(rpc.WithAccount(t.Context(), uuid.Nil), &accountsv1.CreateFieldRequest{Field: &accountsv1.Field{Name: "a", Type: textType}})
		if !errors.Is(err, fault.Denied) && !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("%s makes a field: %v", what, err)
		}
	}
}
