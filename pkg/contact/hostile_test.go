package contact_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
)

// What cells may hold that somebody means harm with, or that other programs trip over. Refused cells have no value; whatever
// is taken is the text as it is, or its normal form.
func TestHostileCells(t *testing.T) {
	t.Parallel()
	const safe, row = "\x01safe", "\x01row" // taken as it is; refused
	zalgo := "Z" + strings.Repeat("\u0335\u0321", 250)
	own := map[string]contact.Spec{
		"number": {Type: contact.TypeNumber, Key: contact.NoKey}, "boolean": {Type: contact.TypeBoolean, Key: contact.NoKey}, "date": {Type: contact.TypeDate, Key: contact.NoKey},
		"authorisation": {Type: contact.TypeAuthorisation, Key: contact.NoKey},
	}
	n := contact.NewNormaliser()
	for _, c := range []struct{ what, field, cell, want string }{
		{"formula", "last_name", "=cmd|' /C calc'!A0", safe}, {"formula", "company", "@SUM(A1)", safe}, {"formula", "company", "-2+3", safe}, {"formula", "company", "＝1+1", safe}, {"formula", "phone", "+12022243441", safe},
		{"header in an address", "email", "a@b.c\r\nBcc: x@y", row}, {"header in an address", "email", "a@b.com\nBcc:x@y.com", row}, {"header in an address", "email", "a@b.com%0aBcc:x@y.com", row},
		{"display name", "email", "Ann <ann@example.com>", row}, {"comment", "email", "ann(home)@example.com", row}, {"quoted local part", "email", `"ann lee"@example.com`, row}, {"IP literal", "email", "ann@[127.0.0.1]", row}, {"no dot", "email", "ann@localhost", row},
		{"space behind", "email", "ann@example.com ", "ann@example.com"}, {"full width", "email", "ａnn@example.com", row}, {"RTL mark", "email", "ann\u200f@example.com", row}, {"RTL override", "email", "\u202eann@example.com", row}, {"long local part", "email", strings.Repeat("a", 300) + "@example.com", row},
		{"IDN", "email", "ann@bücher.example", "ann@xn--bcher-kva.example"}, {"punycode", "email", "ann@xn--bcher-kva.example", safe}, {"mixed script", "email", "ann@p\u0430ypal.example", "ann@xn--pypal-4ve.example"}, {"emoji domain", "email", "ann@\U0001f4a9.la", "ann@xn--ls8h.la"}, {"broken punycode", "email", "ann@xn--a.example", row},
		{"case", "email", "A@X.com", "a@x.com"}, {"Kelvin", "email", "\u212aelvin@example.com", row}, {"Turkish İ", "email", "İ@example.com", row},
		{"two forms of é", "last_name", "Rene\u0301", "René"}, {"joiner in an id", "external_id", "A\u200d1", "A1"}, {"byte order mark in an id", "external_id", "A\ufeff1", "A1"}, {"no-break space in an id", "external_id", "A\u00a01", "A 1"}, {"soft hyphen in an id", "external_id", "A\u00ad1", "A1"},
		{"full width digits", "ssn", "５３６２２８１４５", "536228145"}, {"Arabic digits", "ssn", "٥٣٦٢٢٨١٤٥", row}, {"Arabic digits", "phone", "٢٠٢٢٢٤٣٤٤١", row}, {"raised digits", "phone", "202224344¹", row}, {"digits in circles", "ssn", "53622814⑤", row}, {"bold digits", "phone", "\U0001d7d0022243441", row},
		{"area 000", "ssn", "000-12-3456", row}, {"area 666", "ssn", "666-12-3456", row}, {"area 9xx", "ssn", "912-12-3456", row}, {"advertised", "ssn", "123-45-6789", row}, {"8 digits", "ssn", "12345678", row}, {"10 digits", "ssn", "1234567890", row}, {"letters", "ssn", "A23-12-3456", row}, {"another field's value", "ssn", "ann@example.com", row},
		{"extension", "phone", "202-224-3441 ext. 5", row}, {"letters", "phone", "1-800-FLOWERS", "+18003569377"}, {"plus alone", "phone", "+", row}, {"00", "phone", "00", row}, {"3 digits", "phone", "911", row}, {"40 digits", "phone", strings.Repeat("1", 40), row}, {"tel:", "phone", "tel:+12022243441", "+12022243441"}, {"two numbers", "phone", "202-224-3441 / 202-224-3442", row},
		{"order unknown", "birth_date", "02/03/04", row}, {"order unknown", "date", "02/03/2004", row},
		{"word of a database", "birth_date", "now", row}, {"word of a database", "date", "today", row}, {"word of a database", "date", "epoch", row}, {"word of a database", "date", "infinity", row}, {"before Christ", "date", "0001-01-01 BC", row}, {"year 99999", "date", "99999-01-01", row}, {"year 1", "date", "0001-01-01", row},
		{"future", "birth_date", "2026-11-22", row}, {"older than anybody", "birth_date", "1880-01-01", row}, {"no such day", "birth_date", "2023-02-29", row}, {"no such day", "birth_date", "31 April 2001", row}, {"two digits of a year", "birth_date", "13-Oct-58", row}, {"serial in a text file", "birth_date", "21471", row}, {"time zone", "birth_date", "1958-10-13T00:00:00Z", row}, {"time zone", "birth_date", "1958-10-13 00:00:00+02", row},
		{"empty", "last_name", " \t\u00a0\u200b", ""}, {"one letter", "last_name", "O", safe}, {"10,000 letters", "last_name", strings.Repeat("x", 10000), row}, {"emoji alone", "first_name", "👩‍👩‍👧", safe}, {"markup", "last_name", "<script>alert(1)</script>", safe}, {"apostrophe", "last_name", "O'Brien", safe}, {"Null", "last_name", "Null", safe}, {"True", "first_name", "True", safe}, {"zalgo", "last_name", zalgo, row}, {"scripts mixed", "last_name", "Annа日", safe},
		{"longer than an index row", "external_id", strings.Repeat("x", 2705), row}, {"longer than an index row", "account_number", strings.Repeat("é", 1400), row},
		{"query", "company", `{"$ne":1}`, safe}, {"lookup", "company", "${jndi:ldap://x/a}", safe}, {"template", "company", "{{7*7}}", safe}, {"format", "company", "%s%n%x", safe}, {"shell", "company", "`id` $(id)", safe}, {"SQL", "last_name", "'; DROP TABLE contacts; --", safe},
		{"line in a log", "last_name", "Ann\n{\"level\":\"ERROR\"}", row}, {"line in a log", "address", "1 A St\n{\"level\":\"ERROR\"}", safe}, {"ANSI", "last_name", "Ann\x1b[31m", safe}, {"ANSI", "address", "1 A St\x1b[2J", safe}, {"ANSI", "account_number", "A\x1b[31m", row}, {"NUL", "last_name", "An\x00n", row}, {"C1", "company", "A\u009bm", safe},
		{"address of a service", "company", "http://169.254.169.254/", safe}, {"path", "company", "file:///etc/passwd", safe},
		{"no number", "number", "NaN", row}, {"no number", "number", "Infinity", row}, {"too large", "number", "1e400", row}, {"underscore", "number", "1_000", row}, {"hexadecimal", "number", "0x1F", row}, {"typographic minus", "number", "\u22125", row},
		{"no truth", "boolean", "null", row}, {"no consent", "authorisation", "asdfasdf", row}, {"no consent", "authorisation", "null", row}, {"no consent", "authorisation", "1", row},
		{"bad UTF-8", "last_name", "M\xfcller", row}, {"surrogate", "last_name", "\xed\xa0\x80", row}, {"overlong", "last_name", "\xc0\xaf", row}, {"bad UTF-8", "email", "ann@b\xfccher.example", row}, {"bad UTF-8", "phone", "202\xff2243441", row}, {"bad UTF-8", "number", "1\xff", row}, {"bad UTF-8", "date", "1 M\xe4rz 1958", row},
	} {
		spec, ok := own[c.field]
		if !ok {
			f, _ := contact.FieldByName(c.field)
			spec, _ = f.Spec()
		}
		got, code := n.AppendSpec(nil, &spec, []byte(c.cell), contact.Rules{Country: contact.CountryByCode("US"), Today: day(t, 2026, 11, 21)})
		shown := c.cell[:min(len(c.cell), 60)]
		switch c.want {
		case row:
			if !code.Failed() || len(got) > 0 {
				t.Errorf("%s in %s, %q: got %q, %q; want it refused", c.what, c.field, shown, got, code)
			}
		case safe:
			if code.Failed() || string(got) != c.cell {
				t.Errorf("%s in %s, %q: got %q, %q; want it as it is", c.what, c.field, shown, got, code)
			}
		default:
			if code.Failed() || string(got) != c.want {
				t.Errorf("%s in %s, %q: got %q, %q; want %q", c.what, c.field, shown, got, code, c.want)
			}
		}
		if entry, known := code.Entry(); code != "" && (!known || len(c.cell) > 3 && utf8.ValidString(c.cell) && strings.Contains(entry.Text+entry.Hint, c.cell)) {
			t.Errorf("%s in %s: the finding %q tells the cell", c.what, c.field, code)
		}
	}
}
