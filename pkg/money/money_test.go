package money_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/money"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sum  int64
		iso  string
		want string
	}{
		{12_400_000, "EUR", "12.40 EUR"},
		{0, "EUR", "0.00 EUR"},
		{1_000, "EUR", "0.001 EUR"},
		{500, "USD", "0.0005 USD"},
		{1, "USD", "0.000001 USD"},
		{1_240_000_000, "USD", "1,240.00 USD"},
		{1_000_000_000_000, "USD", "1,000,000.00 USD"},
		{12_000_000, "JPY", "12 JPY"},
		{12_500_000, "JPY", "12.5 JPY"},
		{12_500_000, "KWD", "12.500 KWD"},
		{12_500_000, "???", "12.50 ???"},
		{-12_345_600, "EUR", "-12.3456 EUR"},
		{math.MaxInt64, "EUR", "9,223,372,036,854.775807 EUR"},
		{math.MinInt64, "EUR", "-9,223,372,036,854.775808 EUR"},
		{0, "", ""},
		{12, "", ""},
	} {
		if got := money.Text(c.sum, c.iso); got != c.want {
			t.Errorf("%d of %q: got %q, want %q", c.sum, c.iso, got, c.want)
		}
	}
}

// What is said is exactly the sum.
func TestNothingIsRounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sum, iso := rapid.Int64().Draw(t, "sum"), rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "CHF", "XXX"}).Draw(t, "currency")
		said, _ := strings.CutSuffix(money.Text(sum, iso), " "+iso)
		got, ok := new(big.Rat).SetString(strings.ReplaceAll(said, ",", ""))
		if !ok || got.Cmp(big.NewRat(sum, 1_000_000)) != 0 {
			t.Fatalf("%d is said to be %q", sum, said)
		}
	})
}
