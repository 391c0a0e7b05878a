package contact_test

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
)

func TestVAT(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ country, cell, want string }{
		{"", "DE 136.695.976", "DE136695976"}, {"DE", "136695976", "DE136695976"}, {"", "de136695976", "DE136695976"}, {"", "GR094259216", "EL094259216"},
		{"GR", "094259216", "EL094259216"}, {"", "136695976", ""}, {"", "US123456789", ""}, {"", "DE136695977", ""}, {"US", "123", ""},
		{"", "NL004495445B01", "NL004495445B01"}, {"", "ESX2482300W", "ESX2482300W"}, {"", "DE136695976\x00", ""}, {"", "", ""},
	} {
		got, code := contact.AppendVAT([]byte("kept"), []byte(s.cell), contact.CountryByCode(s.country))
		if string(got) != "kept"+s.want || (code == "") != (s.want != "") {
			t.Errorf("%s %q: got %q, %q; want %q", s.country, s.cell, got, code, s.want)
		}
	}
}
