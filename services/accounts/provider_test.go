package accounts

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	waitDown     = accountsv1.ProviderDown_PROVIDER_DOWN_WAIT
	completeDown = accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE
)

func TestHowAnAccountDealsWithItsProviderIsChanged(t *testing.T) {
	h := newHouse(t)
	made := h.account("acme")
	if made.GetProviderDown() != waitDown || made.GetProviderDays() != 90 {
		t.Errorf("a new account: %v, %d days, want to wait and 90", made.GetProviderDown(), made.GetProviderDays())
	}
	for _, c := range []struct {
		name   string
		change *accountsv1.UpdateAccountRequest
		down   accountsv1.ProviderDown
		days   int32
		code   string
	}{
		{"to go on without", &accountsv1.UpdateAccountRequest{ProviderDown: completeDown.Enum()}, completeDown, 90, ""},
		{"days alone", &accountsv1.UpdateAccountRequest{ProviderDays: proto.Int32(7)}, completeDown, 7, ""},
		{"something else", &accountsv1.UpdateAccountRequest{Country: proto.String("US")}, completeDown, 7, ""},
		{"most days", &accountsv1.UpdateAccountRequest{ProviderDays: proto.Int32(3650)}, completeDown, 3650, ""},
		{"too many days", &accountsv1.UpdateAccountRequest{ProviderDays: proto.Int32(3651)}, completeDown, 3650, "bad-days"},
		{"days below none", &accountsv1.UpdateAccountRequest{ProviderDays: proto.Int32(-1)}, completeDown, 3650, "bad-days"},
		{"no such policy", &accountsv1.UpdateAccountRequest{ProviderDown: accountsv1.ProviderDown(9).Enum()}, completeDown, 3650, "bad-policy"},
		{"back to the defaults", &accountsv1.UpdateAccountRequest{ProviderDown: accountsv1.ProviderDown_PROVIDER_DOWN_UNSPECIFIED.Enum(), ProviderDays: proto.Int32(0)}, waitDown, 90, ""},
	} {
		c.change.Account = "acme"
		_, err := h.operator.UpdateAccount(t.Context(), c.change)
		if c.code == "" && err != nil || c.code != "" && fault.Code(err) != c.code {
			t.Errorf("%s: got %v, want code %q", c.name, err, c.code)
		}
		got, err := h.operator.GetAccount(t.Context(), &accountsv1.GetAccountRequest{Account: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		if a := got.GetAccount(); a.GetProviderDown() != c.down || a.GetProviderDays() != c.days {
			t.Errorf("%s: %v, %d days, want %v, %d", c.name, a.GetProviderDown(), a.GetProviderDays(), c.down, c.days)
		}
	}
	res, err := h.operator.CreateAccount(t.Context(), &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{Name: "other", Country: "US", ProviderDown: completeDown, ProviderDays: 1}})
	if err != nil || res.GetAccount().GetProviderDown() != completeDown || res.GetAccount().GetProviderDays() != 1 {
		t.Errorf("made so: %v, %v", res, err)
	}
}
