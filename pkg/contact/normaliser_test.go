package contact_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// Whatever the cell, every normaliser keeps its word: dst comes back whole, a result is valid UTF-8 without NUL, within
// its bounds, and its own normal form.
func promise(t interface{ Fatalf(string, ...any) }, n *contact.Normaliser, f contact.Field, cell []byte, rules contact.Rules) {
	before := string(cell)
	out, code := n.Append([]byte("kept"), f, cell, rules)
	if string(cell) != before {
		t.Fatalf("%s: the cell %q was changed to %q", f, before, cell)
	}
	if !bytes.HasPrefix(out, []byte("kept")) || code.Failed() && len(out) != 4 {
		t.Fatalf("%s %q: %q with %q", f, cell, out, code)
	}
	if _, known := code.Entry(); code != "" && !known {
		t.Fatalf("%s %q: the catalogue does not have %q", f, cell, code)
	}
	value := out[4:]
	spec, _ := f.Spec()
	if !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0 || !norm.NFC.IsNormal(value) || len(value) > spec.MaxBytes || utf8.RuneCount(value) > spec.MaxRunes {
		t.Fatalf("%s %q: became %q", f, cell, value)
	}
	if code.Failed() {
		return
	}
	again, code := n.Append(nil, f, value, rules)
	if code.Failed() || string(again) != string(value) {
		t.Fatalf("%s %q: became %q, and that %q with %q", f, cell, value, again, code)
	}
}

func FuzzNormaliser(f *testing.F) {
	for _, cell := range []string{"ann@example.com", "202-224-3441", "1958-10-13", "536-22-8145", "SW1A 1AA", "DE136695976", "Germany", "\u0301é\u200b", "a\r\nb", "\xff"} {
		f.Add([]byte(cell), "US", uint8(1))
	}
	n := contact.NewNormaliser()
	f.Fuzz(func(t *testing.T, cell []byte, country string, order uint8) {
		rules := contact.Rules{Country: contact.CountryByCode(country), Dates: contact.DateRules{Order: contact.DateOrder(order % 4), Pivot: order % 101}, Today: 20778}
		for _, field := range contact.Fields() {
			promise(t, n, field, cell, rules)
		}
		contact.MatchHeading(string(cell))
	})
}

func TestNormaliserKeepsItsWord(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	pieces := []string{"a", "é", "e\u0301", "\u0301", "\u200b", "\u00ad", "1", "23", "4567", "-", "+", "@", ".", " ", "\t", "\r\n", "\n", "\x00", "\xff", "ß", "日", "US", "DE", "/", "x--", "１"}
	rapid.Check(t, func(t *rapid.T) {
		cell := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "cell"), ""))
		rules := contact.Rules{Country: contact.CountryByCode(rapid.SampledFrom([]string{"", "US", "DE", "GB", "FR", "CA"}).Draw(t, "country")), Today: 20778}
		for _, field := range contact.Fields() {
			promise(t, n, field, cell, rules)
		}
	})
}

func TestPlainCellsAllocateNothing(t *testing.T) {
	n := contact.NewNormaliser()
	rules := contact.Rules{Country: contact.CountryByCode("US"), Today: 20778}
	dst := make([]byte, 0, 512)
	for f, cell := range map[contact.Field]string{
		contact.FieldFirstName: "Ann", contact.FieldLastName: "Müller", contact.FieldPhone: "(202) 224-3441", contact.FieldEmail: "Ann@Example.com",
		contact.FieldBirthDate: "1958-10-13", contact.FieldSSN: "536-22-8145", contact.FieldAccountNumber: "AC-1", contact.FieldZip: "20510",
		contact.FieldAddress: "1 A St", contact.FieldCountry: "United States", contact.FieldVATNumber: "DE136695976",
		contact.FieldContactID: "0198c1de-7a3b-7cde-8f00-0123456789ab",
	} {
		in := []byte(cell)
		n.Append(dst, f, in, rules)
		if allocs := testing.AllocsPerRun(100, func() { n.Append(dst, f, in, rules) }); allocs != 0 {
			t.Errorf("%s: %v allocations, want 0", f, allocs)
		}
	}
}

func BenchmarkNormaliser(b *testing.B) {
	n := contact.NewNormaliser()
	rules := contact.Rules{Country: contact.CountryByCode("US"), Today: 20778}
	dst := make([]byte, 0, 512)
	for _, c := range []struct {
		field contact.Field
		cell  string
	}{{contact.FieldFirstName, "Annabelle"}, {contact.FieldLastName, "Müller"}, {contact.FieldEmail, "ann.lee@example.com"}, {contact.FieldPhone, "202-224-3441"},
		{contact.FieldBirthDate, "1958-10-13"}, {contact.FieldSSN, "536-22-8145"}, {contact.FieldAccountNumber, "AC-00000001"}, {contact.FieldZip, "20510"}} {
		b.Run(c.field.String(), func(b *testing.B) {
			in := []byte(c.cell)
			b.ReportAllocs()
			for b.Loop() {
				n.Append(dst, c.field, in, rules)
			}
		})
	}
}
