package contact_test

import (
	"net/mail"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"golang.org/x/net/idna"
	"pgregory.net/rapid"
)

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

// lookup is the library's reading of a domain in ASCII that mail is sent to: registries have given out names with hyphens in
// the third and fourth place.
var lookup = idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.BidiRule(), idna.CheckHyphens(false))

// libraryEmail is what net/mail and IDNA make of a cell, held to the rules of this package: a bare dot-atom in ASCII before
// the @, lengths as SMTP has them, a dot in the domain, a last label that is no number.
func libraryEmail(cell string) (string, bool) {
	cell = strings.Trim(cell, " \t")
	at := strings.LastIndexByte(cell, '@')
	if at < 1 || at > 64 || len(cell) > 1016 || !utf8.ValidString(cell) {
		return "", false
	}
	local, domain := cell[:at], cell[at+1:]
	for _, c := range []byte(local) {
		if c >= utf8.RuneSelf || strings.IndexByte("()<>[]:;@\\,\" ", c) >= 0 {
			return "", false
		}
	}
	if a, err := mail.ParseAddress(local + "@example.com"); err != nil || a.Address != local+"@example.com" || a.Name != "" {
		return "", false
	}
	profile := lookup
	if strings.Contains("."+strings.ToLower(domain), ".xn--") || strings.ContainsFunc(domain, func(r rune) bool { return r >= utf8.RuneSelf }) {
		profile = idna.Lookup // beyond ASCII, labels may not have hyphens at their ends or in the third and fourth place
	}
	ascii, err := profile.ToASCII(domain)
	if err != nil {
		return "", false
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
	}
	if last := labels[len(labels)-1]; len(labels) < 2 || strings.Trim(last, "0123456789") == "" {
		return "", false
	}
	out := strings.ToLower(local) + "@" + ascii
	return out, len(out) <= 254
}

func sameAsLibrary(t interface{ Fatalf(string, ...any) }, cell string) {
	got, code := contact.AppendEmail(nil, []byte(cell))
	if code == finding.EmailNoDot {
		return // beyond the library's rules
	}
	want, ok := libraryEmail(cell)
	if ok != !code.Failed() || ok && string(got) != want {
		t.Fatalf("%q: got %q, %q; the library says %q, %v", cell, got, code, want, ok)
	}
}

func TestEmailAgreesWithLibrary(t *testing.T) {
	t.Parallel()
	for _, row := range corpusRows(t, "isemail/isemail_tests.csv") {
		if !strings.ContainsAny(row["address"], "\r\n") {
			sameAsLibrary(t, row["address"])
		}
	}
	pieces := []string{"ann", "A", "é", ".", "..", "-", "@", "@", "example", ".com", ".COM", "bücher", "xn--", "1", "127.0.0.1", " ", "\t", "(x)", "\"", "_", "+", "'", "!", "例え", "ａ", "\u200b", "ß", "\x7f", ",", "<", ">"}
	rapid.Check(t, func(t *rapid.T) {
		sameAsLibrary(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 7).Draw(t, "pieces"), ""))
	})
}

func FuzzEmail(f *testing.F) {
	for _, cell := range []string{"Ann@Example.COM", "o'brien+x@sub.example.co.uk", "ann@Bücher.example", "ann@xn--bcher-kva.example", "ann@io", "ann@127.0.0.1", "\"ann\"@example.com", "a..b@example.com", "ann@exa_mple.com", "ann@a.b-"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		sameAsLibrary(t, cell)
		if out, code := contact.AppendEmail(nil, []byte(cell)); !code.Failed() {
			if again, code2 := contact.AppendEmail(nil, out); code2 != code || string(again) != string(out) {
				t.Fatalf("%q became %q with %q, and that %q with %q", cell, out, code, again, code2)
			}
		}
	})
}
