package contact_test

import (
	"strings"
	"testing"

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
