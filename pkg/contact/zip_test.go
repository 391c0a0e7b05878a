package contact_test

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
)

func TestZip(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ country, cell, want string }{
		{"US", "20510", "20510"}, {"US", "20510-0001", "20510-0001"}, {"US", "205100001", "20510-0001"}, {"US", "20510 0001", "20510-0001"},
		{"US", "2051", ""}, {"US", "205100", ""}, {"US", "2051O", ""}, {"CA", "k1a0b1", "K1A 0B1"}, {"CA", "D1A 0B1", ""},
		{"GB", "sw1a1aa", "SW1A 1AA"}, {"GB", "M2 5BQ", "M2 5BQ"}, {"GB", "SW1A 1CI", ""}, {"NL", "1234ab", "1234 AB"}, {"DE", "D-10115", "10115"},
		{"DE", "１０１１５", "10115"}, {"CH", "CH-8001", "8001"}, {"LV", "1050", ""}, {"LV", "LV-1050", "LV-1050"}, {"PL", "00950", "00-950"},
		{"", "ab 12", "AB 12"}, {"", "x", ""}, {"", "12345678901234567", ""}, {"AE", "00000", "00000"}, {"", "12\x00345", ""}, {"DE", "1011５\u0660", ""},
	} {
		got, code := contact.AppendZip(nil, []byte(s.cell), contact.CountryByCode(s.country))
		if string(got) != s.want || (code == "") != (s.want != "") {
			t.Errorf("%s %q: got %q, %q; want %q", s.country, s.cell, got, code, s.want)
		}
	}
}
