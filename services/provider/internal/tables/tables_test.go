package tables

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPhone(t *testing.T) {
	tables := New()
	for number, want := range map[string][]Fact{
		"+12022243441":   {{"line_type", "fixed_or_mobile"}, {"country", "US"}, {"region", "Washington D.C."}, {"time_zone", "America/New_York"}},
		"+12125551234":   {{"line_type", "fixed_or_mobile"}, {"country", "US"}, {"time_zone", "America/New_York"}},
		"+18005551234":   {{"line_type", "toll_free"}, {"country", "US"}},
		"+4915112345678": {{"line_type", "mobile"}, {"country", "DE"}, {"region", "Germany"}, {"carrier", "T-Mobile"}, {"time_zone", "Europe/Berlin"}},
		"+1":             nil,
		"":               nil,
		"+99912345678":   nil,
	} {
		got := tables.Phone(number)
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %v lacks %v", number, got, w)
			}
		}
		if want == nil && got != nil {
			t.Errorf("%s: %v, want nothing", number, got)
		}
		if again := tables.Phone(number); !cmp.Equal(got, again) {
			t.Errorf("%s: asked again %v", number, again)
		}
	}
}

func TestEmail(t *testing.T) {
	tables := New()
	for address, want := range map[string]string{"a@gmail.com": "free", "a@mailinator.com": "disposable", "a@example.org": ""} {
		got := ""
		if f := tables.Email(address); f != nil {
			got = f[0].Value
		}
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
