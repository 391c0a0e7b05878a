package contact_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// specs are the lines of all standard fields, and of an own one of each other type.
func specs(t testing.TB) []contact.Spec {
	t.Helper()
	var all []contact.Spec
	for _, f := range contact.Fields() {
		s, _ := f.Spec()
		all = append(all, s)
	}
	var own []contact.Spec
	for i, kind := range []contact.Type{contact.TypeNumber, contact.TypeDate, contact.TypeBoolean, contact.TypeCriterion, contact.TypeCriteria, contact.TypeAuthorisation} {
		own = append(own, contact.Spec{Name: fmt.Sprintf("own_%d", i), Number: contact.FirstCustom + contact.Field(i), Type: kind, MaxRunes: 60, MaxBytes: 60, Key: contact.NoKey, Codes: book})
	}
	schema, err := contact.NewSchema(own)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, schema.Own()...)
}

// Whatever the cell, every normaliser keeps its word: dst comes back whole, a result is valid UTF-8 without NUL, within
// its bounds, and its own normal form; a repair has a result.
func promise(t interface{ Fatalf(string, ...any) }, n *contact.Normaliser, spec *contact.Spec, cell []byte, rules contact.Rules) {
	before := string(cell)
	out, code := n.AppendSpec([]byte("kept"), spec, cell, rules)
	if string(cell) != before {
		t.Fatalf("%s: the cell %q was changed to %q", spec.Name, before, cell)
	}
	if !bytes.HasPrefix(out, []byte("kept")) || code.Failed() && len(out) != 4 || code.Repaired() && len(out) == 4 {
		t.Fatalf("%s %q: %q with %q", spec.Name, cell, out, code)
	}
	if _, known := code.Entry(); code != "" && !known {
		t.Fatalf("%s %q: the catalogue does not have %q", spec.Name, cell, code)
	}
	value := out[4:]
	if !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0 || !norm.NFC.IsNormal(value) || len(value) > spec.MaxBytes || utf8.RuneCount(value) > spec.MaxRunes {
		t.Fatalf("%s %q: became %q", spec.Name, cell, value)
	}
	if code.Failed() {
		return
	}
	rules.Cell, rules.Decimal = contact.CellText, 0
	again, code := n.AppendSpec(nil, spec, value, rules)
	if code.Failed() || code.Repaired() || string(again) != string(value) {
		t.Fatalf("%s %q: became %q, and that %q with %q", spec.Name, cell, value, again, code)
	}
}

func FuzzNormaliser(f *testing.F) {
	for _, cell := range []string{"ann@example.com", "202-224-3441", "1958-10-13", "536-22-8145", "SW1A 1AA", "DE136695976", "Germany", "\u0301é\u200b", "a\r\nb", "\xff",
		"1.5551234567E10", "2022243441.0", "'02138", "=\"007\"", "“x”", "1,234.5", "#N/A", "customer", "A;B+", "2024年1月31日", "21471", "o’brien@example.com", "True"} {
		f.Add([]byte(cell), "US", uint8(1), uint8(0))
		f.Add([]byte(cell), "IT", uint8(2), uint8(1))
	}
	n, all := contact.NewNormaliser(), specs(f)
	f.Fuzz(func(t *testing.T, cell []byte, country string, order, kind uint8) {
		rules := contact.Rules{Country: contact.CountryByCode(country), Today: 20778, Cell: contact.CellKind(kind % 5),
			Dates: contact.DateRules{Order: contact.DateOrder(order % 4), Pivot: order % 101, Serials: order > 200}}
		if order > 100 {
			rules.Dates.Pivot = contact.PivotCertain
		}
		for i := range all {
			promise(t, n, &all[i], cell, rules)
		}
	})
}

func TestNormaliserKeepsItsWord(t *testing.T) {
	t.Parallel()
	n, all := contact.NewNormaliser(), specs(t)
	pieces := []string{"a", "é", "e\u0301", "\u0301", "\u200b", "\u00ad", "\u00a0", "1", "23", "4567", "-", "+", "@", ".", ".0", "E10", ",", ";", " ", "\t", "\r\n", "\n", "\x00", "\xff", "ß", "日", "US", "DE", "/", "x--", "１", "'", "\"", "=\"", "“", "”", "’", "#", "#N/A", "Oct", "年", "A", "B+"}
	rapid.Check(t, func(t *rapid.T) {
		cell := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "cell"), ""))
		rules := contact.Rules{Country: contact.CountryByCode(rapid.SampledFrom([]string{"", "US", "DE", "GB", "FR", "CA", "IT"}).Draw(t, "country")), Today: 20778,
			Cell: contact.CellKind(rapid.IntRange(0, 4).Draw(t, "kind"))}
		for i := range all {
			promise(t, n, &all[i], cell, rules)
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

func TestPlainCellsOfWorkbooksAllocateNothing(t *testing.T) {
	n := contact.NewNormaliser()
	rules := contact.Rules{Country: contact.CountryByCode("US"), Today: 20778}
	dst := make([]byte, 0, 512)
	for _, c := range []struct {
		field contact.Field
		kind  contact.CellKind
		cell  string
	}{
		{contact.FieldPhone, contact.CellNumber, "2022243441"}, {contact.FieldExternalID, contact.CellNumber, "10172"}, {contact.FieldZip, contact.CellNumber, "20510"}, {contact.FieldSSN, contact.CellNumber, "536228145"},
		{contact.FieldBirthDate, contact.CellDate, "1958-10-13"}, {contact.FieldBirthDate, contact.CellNumber, "21471"}, {contact.FieldLastName, contact.CellNumber, "12"}, {contact.FieldExternalID, contact.CellText, "Ä-17"},
		{contact.FieldPhone, contact.CellText, "2022243441.0"}, {contact.FieldZip, contact.CellText, "=\"20510\""}, {contact.FieldLastName, contact.CellText, "Lee\u00a0"},
	} {
		rules.Cell = c.kind
		in := []byte(c.cell)
		if out, code := n.Append(dst, c.field, in, rules); code.Failed() || len(out) == 0 {
			t.Errorf("%s %q: %q, %q", c.field, c.cell, out, code)
		}
		if allocs := testing.AllocsPerRun(100, func() { n.Append(dst, c.field, in, rules) }); allocs != 0 {
			t.Errorf("%s %q: %v allocations, want 0", c.field, c.cell, allocs)
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
