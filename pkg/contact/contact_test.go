package contact_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// The numbers are stored: this test is the list that must never change but at its end.
func TestStoredNumbers(t *testing.T) {
	t.Parallel()
	for k, want := range []string{"contact_id", "external_id", "email", "phone", "account_number", "ssn", "vat_number", "name_birth_zip"} {
		if got := contact.Key(k).String(); got != want {
			t.Errorf("key %d is %s, want %s", k, got, want)
		}
		if got, ok := contact.KeyByName(want); !ok || got != contact.Key(k) {
			t.Errorf("KeyByName(%s) = %d, %v", want, got, ok)
		}
		if got := contact.Key(k).Unique(); got != (want != "name_birth_zip") {
			t.Errorf("key %s: unique is %v", want, got)
		}
	}
	names := []string{"", "first_name", "last_name", "full_name", "phone", "email", "birth_date", "ssn", "account_number", "zip",
		"external_id", "contact_id", "address", "city", "state", "country", "company", "vat_number"}
	for f, want := range names {
		if got := contact.Field(f).String(); got != want {
			t.Errorf("field %d is %q, want %q", f, got, want)
		}
		if want == "" {
			continue
		}
		if got, ok := contact.FieldByName(want); !ok || got != contact.Field(f) {
			t.Errorf("FieldByName(%s) = %d, %v", want, got, ok)
		}
		spec, ok := contact.Field(f).Spec()
		if !ok || spec.Label == "" || spec.MaxRunes == 0 || spec.MaxBytes < spec.MaxRunes || spec.Secret != (want == "ssn") {
			t.Errorf("field %s: %+v, %v", want, spec, ok)
		}
		if spec.Key != contact.NoKey && spec.Key.String() != want {
			t.Errorf("field %s makes the key %s", want, spec.Key)
		}
	}
	if got := len(contact.Fields()); got != len(names)-1 {
		t.Errorf("%d fields, want %d", got, len(names)-1)
	}
	if _, ok := contact.FirstCustom.Spec(); ok || contact.FirstCustom.String() != "" {
		t.Error("a custom field has a line in the standard table")
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	seen := map[contact.Code]bool{}
	for _, e := range finding.All() {
		if seen[e.Code] || e.Code == "" || e.Text == "" || e.Hint == "" || strings.ToLower(string(e.Code)) != string(e.Code) {
			t.Errorf("entry %+v is a double or lacks something", e)
		}
		seen[e.Code] = true
		if e.Code.Failed() != (e.Severity != finding.Warning) {
			t.Errorf("%s: failed is %v with severity %s", e.Code, e.Code.Failed(), e.Severity)
		}
	}
	if contact.Code("").Failed() || !contact.Code("never-heard-of").Failed() {
		t.Error("no code must be no failure, an unknown one must be one")
	}
}

type sample struct {
	cell, want string
	code       contact.Code
}

func check(t *testing.T, samples []sample, appendTo func(dst, cell []byte) ([]byte, contact.Code)) {
	t.Helper()
	for _, s := range samples {
		cell := []byte(s.cell)
		got, code := appendTo([]byte("kept"), cell)
		if string(got) != "kept"+s.want || code != s.code {
			t.Errorf("%q: got %q, %q; want %q, %q", s.cell, got, code, "kept"+s.want, s.code)
		}
		if string(cell) != s.cell {
			t.Errorf("%q was changed to %q", s.cell, cell)
		}
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("b", 60)+".", 4)
	check(t, []sample{
		{"Ann@Example.COM", "ann@example.com", ""},
		{" ann@example.com\t", "ann@example.com", ""},
		{"\u00a0ann@example.com\u200b", "ann@example.com", ""},
		{"o'brien+x@sub.example.co.uk", "o'brien+x@sub.example.co.uk", ""},
		{"ann@Bücher.example", "ann@xn--bcher-kva.example", ""},
		{"ann@xn--BCHER-kva.example", "ann@xn--bcher-kva.example", ""},
		{"ann@ＥＸＡＭＰＬＥ.com", "ann@example.com", ""},
		{"ann@\u212aelvin.example", "ann@kelvin.example", ""},
		{"ann@例え.jp", "ann@xn--r8jz45g.jp", ""},
		{"ann@\u0440aypal.example", "ann@xn--aypal-uye.example", finding.EmailMixedScript},
		{"ann@io", "ann@io", finding.EmailNoDot},
		{"ann@localhost", "", finding.EmailInvalid},
		{"ann@gmail", "", finding.EmailInvalid},
		{"a.b.c", "", finding.EmailInvalid},
		{"Ann <ann@example.com>", "", finding.EmailInvalid},
		{"ann(x)@example.com", "", finding.EmailInvalid},
		{`"ann"@example.com`, "", finding.EmailInvalid},
		{"ann@[127.0.0.1]", "", finding.EmailInvalid},
		{"ann@127.0.0.1", "", finding.EmailInvalid},
		{"ａnn@example.com", "", finding.EmailInvalid},
		{"ann\u200f@example.com", "", finding.EmailInvalid},
		{"ann@exam\x00ple.com", "", finding.EmailInvalid},
		{"a@b.c\r\nBcc: x@y.z", "", finding.EmailInvalid},
		{"ann@example.com\n", "", finding.EmailInvalid},
		{"ann@example.com,bob@example.com", "", finding.EmailInvalid},
		{"ann@ex ample.com", "", finding.EmailInvalid},
		{"ann@example..com", "", finding.EmailInvalid},
		{"ann@-example.com", "", finding.EmailInvalid},
		{"ann@xn--a.example", "", finding.EmailInvalid},
		{"ann@b\xffcher.example", "", finding.InvalidUTF8},
		{strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com", ""},
		{strings.Repeat("a", 65) + "@example.com", "", finding.EmailTooLong},
		{"ab@" + long + "example", "ab@" + long + "example", ""},
		{"abc@" + long + "example", "", finding.EmailTooLong},
	}, contact.AppendEmail)
}

// The ASCII way and the tables of IDNA must agree on every plain domain.
func TestEmailAgreesWithIDNA(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		domain := rapid.StringMatching(`[a-zA-Z0-9.-]{1,20}\.[a-zA-Z]{2,6}`).Draw(t, "domain")
		got, code := contact.AppendEmail(nil, []byte("a@"+domain))
		want, err := idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.BidiRule(), idna.CheckHyphens(false)).ToASCII(domain)
		for label := range strings.SplitSeq(want, ".") {
			if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") || label == "" {
				return // CheckHyphens false lets them pass: the reader of addresses does not
			}
		}
		if strings.Contains(strings.ToLower(domain), "xn--") {
			return
		}
		if (err == nil) != (code == "") || err == nil && string(got) != "a@"+want {
			t.Fatalf("%q: got %q, %q; IDNA says %q, %v", domain, got, code, want, err)
		}
	})
}

func TestSSN(t *testing.T) {
	t.Parallel()
	bad := finding.SSNInvalid
	check(t, []sample{
		{"536-22-8145", "536228145", ""}, {" 536 22 8145 ", "536228145", ""}, {"536228145", "536228145", ""},
		{"５３６-２２-８１４５", "536228145", ""}, {"٥٣٦٢٢٨١٤٥", "", bad},
		{"000-22-8145", "", bad}, {"666-22-8145", "", bad}, {"900-22-8145", "", bad}, {"999228145", "", bad},
		{"536-00-8145", "", bad}, {"536-22-0000", "", bad}, {"123-45-6789", "", bad}, {"078-05-1120", "", bad},
		{"53622814", "", bad}, {"5362281455", "", bad}, {"536-2-28145", "", bad}, {"536-22 8145", "", bad},
		{"53A228145", "", bad}, {"536228145\x00", "", bad}, {"\xff", "", bad}, {"", "", bad},
	}, contact.AppendSSN)
}

func TestText(t *testing.T) {
	t.Parallel()
	check(t, []sample{
		{"  Ann  Lee ", "Ann  Lee", ""}, {"e\u0301", "é", ""}, {"\ufeffAnn\u00a0", "Ann", ""}, {"Ann\r\n", "Ann", ""},
		{"\u0301x", "\u0301x", ""}, {"👩‍👩‍👧", "👩‍👩‍👧", ""}, {"=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0", ""}, {"", "", ""},
		{"a\nb", "", finding.ControlCharacter}, {"a\tb", "", finding.ControlCharacter}, {"a\u0085b", "", finding.ControlCharacter},
		{"a\x00b", "", finding.NULByte}, {"é\x00b", "", finding.NULByte}, {"a\xffb", "", finding.InvalidUTF8}, {"\xed\xa0\x80", "", finding.InvalidUTF8},
		{"\xc0\x80", "", finding.InvalidUTF8}, {"abcdefghijklmnopqrstu", "", finding.TooLong}, {strings.Repeat("é", 20), strings.Repeat("é", 20), ""}, {strings.Repeat("é", 21), "", finding.TooLong},
		{strings.Repeat("日", 14), "", finding.TooLong},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return contact.AppendText(dst, cell, 20, 40) })
	check(t, []sample{
		{"1 A St\r\nApt 2\rX\tY\n", "1 A St\nApt 2\nX Y", ""}, {"é\r\nb\tc\rd", "é\nb c\nd", ""}, {"a\x0bb", "", finding.ControlCharacter},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return contact.AppendLines(dst, cell, 100, 200) })
	check(t, []sample{
		{" Ab-01 ", "Ab-01", ""}, {"A\u200bb\u00ad1", "Ab1", finding.InvisibleCharacter}, {"e\u0301", "é", ""}, {"a\nb", "", finding.ControlCharacter},
		{"\u200b", "", ""}, {"a\u200b\u0301", "á", finding.InvisibleCharacter}, {"\u00ad a", "a", finding.InvisibleCharacter}, {"12345678901", "", finding.TooLong},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return contact.AppendID(dst, cell, 10, 40) })
	const id = "0198c1de-7a3b-7cde-8f00-0123456789ab"
	check(t, []sample{
		{id, id, ""}, {strings.ToUpper(id), id, ""}, {strings.ReplaceAll(id, "-", ""), id, ""}, {"{" + id + "}", "", finding.ContactIDInvalid},
		{id[:35] + "g", "", finding.ContactIDInvalid}, {strings.ReplaceAll(id, "-", "x"), "", finding.ContactIDInvalid}, {"12", "", finding.ContactIDInvalid},
	}, contact.AppendContactID)
}

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

func TestDate(t *testing.T) {
	t.Parallel()
	today := day(t, 2026, 11, 21)
	for _, s := range []struct {
		cell  string
		rules contact.DateRules
		want  string
		code  contact.Code
	}{
		{"1958-10-13", contact.DateRules{}, "1958-10-13", ""},
		{"1958-10-13", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{" 1958/10/3 ", contact.DateRules{}, "1958-10-03", ""},
		{"19581013", contact.DateRules{}, "1958-10-13", ""},
		{"13101958", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{"13.10.1958", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{"3. 1. 1958", contact.DateRules{Order: contact.DMY}, "1958-01-03", ""},
		{"10/13/1958", contact.DateRules{Order: contact.MDY}, "1958-10-13", ""},
		{"13/10/1958", contact.DateRules{Order: contact.MDY}, "", finding.DateImpossible},
		{"10/13/1958", contact.DateRules{}, "", finding.DateOrderUnknown},
		{"02/03/04", contact.DateRules{}, "", finding.DateOrderUnknown},
		{"02/03/04", contact.DateRules{Order: contact.DMY}, "", finding.DateTwoDigitYear},
		{"02/03/04", contact.DateRules{Order: contact.DMY, Pivot: 27}, "2004-03-02", ""},
		{"02/03/58", contact.DateRules{Order: contact.DMY, Pivot: 27}, "1958-03-02", ""},
		{"58-10-13", contact.DateRules{Order: contact.YMD, Pivot: 27}, "1958-10-13", ""},
		{"1958-10-13 00:00:00", contact.DateRules{}, "1958-10-13", ""},
		{"1958-10-13T00:00:00", contact.DateRules{}, "1958-10-13", ""},
		{"1958-10-13T00:00:00Z", contact.DateRules{}, "", finding.DateWithTime},
		{"1958-10-13 07:30", contact.DateRules{}, "", finding.DateWithTime},
		{"1958-10-13T00:00:00+02:00", contact.DateRules{}, "", finding.DateWithTime},
		{"2023-02-29", contact.DateRules{}, "", finding.DateImpossible},
		{"2024-02-29", contact.DateRules{}, "2024-02-29", ""},
		{"1900-02-29", contact.DateRules{}, "", finding.DateImpossible},
		{"31/04/2001", contact.DateRules{Order: contact.DMY}, "", finding.DateImpossible},
		{"1958-00-13", contact.DateRules{}, "", finding.DateImpossible},
		{"0000-01-01", contact.DateRules{}, "", finding.DateImpossible},
		{"99999-01-01", contact.DateRules{}, "", finding.DateInvalid},
		{"0001-01-01 BC", contact.DateRules{}, "", finding.DateInvalid},
		{"now", contact.DateRules{}, "", finding.DateInvalid},
		{"infinity", contact.DateRules{}, "", finding.DateInvalid},
		{"21471", contact.DateRules{}, "", finding.DateInvalid},
		{"1958-10/13", contact.DateRules{}, "", finding.DateInvalid},
		{"1958-10", contact.DateRules{}, "", finding.DateInvalid},
		{"١٩٥٨-10-13", contact.DateRules{}, "", finding.DateInvalid},
		{"1958\u201110\u201113", contact.DateRules{}, "1958-10-13", ""},
		{"2026-11-21", contact.DateRules{}, "2026-11-21", ""},
		{"2026-11-22", contact.DateRules{}, "", finding.BirthDateFuture},
		{"1896-11-21", contact.DateRules{}, "1896-11-21", ""},
		{"1896-11-20", contact.DateRules{}, "", finding.BirthDateTooOld},
		{"", contact.DateRules{}, "", finding.DateInvalid},
		{"\xff", contact.DateRules{}, "", finding.DateInvalid},
	} {
		got, code := contact.ParseBirthDate([]byte(s.cell), s.rules, today)
		if code != s.code || code == "" && got.String() != s.want {
			t.Errorf("%q, order %s: got %s, %q; want %s, %q", s.cell, s.rules.Order, got, code, s.want, s.code)
		}
	}
	if _, code := contact.ParseBirthDate([]byte("1894-02-28"), contact.DateRules{}, day(t, 2024, 2, 29)); code != "" {
		if code != finding.BirthDateTooOld {
			t.Error(code)
		}
	}
}

// Every day that the calendar of package time has, forth and back, and none that it has not.
func TestDatesAreThoseOfPackageTime(t *testing.T) {
	t.Parallel()
	unix := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; unix.Year() < 10000; unix = unix.AddDate(0, 0, 17) {
		y, m, d := unix.Date()
		got, ok := contact.DateOf(y, int(m), d)
		if !ok || int64(got) != unix.Unix()/86400 && unix.Unix() >= 0 || got.String() != unix.Format(time.DateOnly) {
			t.Fatalf("%s: got %s (%d), %v", unix.Format(time.DateOnly), got, got, ok)
		}
	}
	for y := 1896; y < 2110; y++ {
		for m := -1; m <= 14; m++ {
			for d := -1; d <= 33; d++ {
				_, ok := contact.DateOf(y, m, d)
				u := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
				if want := u.Year() == y && int(u.Month()) == m && u.Day() == d; ok != want {
					t.Fatalf("%d-%d-%d: %v, want %v", y, m, d, ok, want)
				}
			}
		}
	}
}

func TestDateEvidence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cells   []string
		order   contact.DateOrder
		decided bool
	}{
		"iso":           {[]string{"1958-10-13", "2001-02-03"}, contact.YMD, true},
		"day first":     {[]string{"02/03/2001", "13/10/1958"}, contact.DMY, true},
		"month first":   {[]string{"02/03/2001", "10/13/1958"}, contact.MDY, true},
		"undecidable":   {[]string{"02/03/2001", "04/05/1958"}, contact.DMY, false},
		"short years":   {[]string{"02/03/04", "31/03/04"}, contact.ISO, false},
		"contradiction": {[]string{"13/10/1958", "14/10/1958", "10/15/1958"}, contact.ISO, false},
		"mixed, iso":    {[]string{"1958-10-13", "10/13/1958"}, contact.MDY, true},
		"nothing":       {[]string{"", "x"}, contact.ISO, true},
		"short serial":  {[]string{"44562"}, contact.ISO, true},
	} {
		var e, half contact.DateEvidence
		for i, cell := range c.cells {
			if i%2 == 0 {
				e.Add([]byte(cell))
			} else {
				half.Add([]byte(cell))
			}
		}
		e.Merge(half)
		if order, decided := e.Order(); order != c.order && c.decided || decided != c.decided {
			t.Errorf("%s: %s, decided %v; want %s, %v", name, order, decided, c.order, c.decided)
		}
	}
}

func TestFoldedNames(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"O'Brien", "OBRIEN", "o’brien", " O Brien "}, {"Müller", "MULLER", "Mu\u0308ller", "ＭＵＬＬＥＲ"}, {"Strauß", "STRAUSS"},
		{"Łukasz", "lukasz"}, {"Søren", "SOREN"}, {"Anna-Maria", "anna maria"}, {"Ægir", "aegir"}, {"\u212aelvin", "kelvin"},
		{"Дмитрий", "ДМИТРИЙ"}, {"Ισίδωρος", "ΙΣΊΔΩΡΟΣ"},
	} {
		want := contact.AppendFolded(nil, []byte(same[0]))
		for _, other := range same[1:] {
			if got := contact.AppendFolded(nil, []byte(other)); !bytes.Equal(got, want) || len(got) == 0 {
				t.Errorf("%q folds to %q, %q to %q", same[0], want, other, got)
			}
		}
	}
	born := day(t, 1958, 10, 13)
	key, ok := contact.AppendNameBirthZip(nil, []byte("Ann"), []byte("O'Brien"), born, []byte("20510-0001"))
	if want := "ann\x1fobrien\x1f1958-10-13\x1f20510"; !ok || string(key) != want {
		t.Errorf("got %q, %v; want %q", key, ok, want)
	}
	for _, missing := range [][3]string{{"", "b", "1"}, {"a", "", "1"}, {"a", "b", ""}, {"-", "b", "1"}, {"a", ".", "1"}} {
		if key, ok := contact.AppendNameBirthZip([]byte("kept"), []byte(missing[0]), []byte(missing[1]), born, []byte(missing[2])); ok || string(key) != "kept" {
			t.Errorf("%q made the key %q", missing, key)
		}
	}
}

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
