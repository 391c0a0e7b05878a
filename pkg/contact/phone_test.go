package contact

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/nyaruka/phonenumbers"
)

var sharedPhones = sync.OnceValue(NewPhones)

func TestPhone(t *testing.T) {
	t.Parallel()
	p := sharedPhones()
	for _, c := range []struct {
		cell, country, want string
		code                Code
	}{
		{"202-224-3441", "US", "+12022243441", ""},
		{" (202) 224.3441 ", "US", "+12022243441", ""},
		{"1 202 224 3441", "US", "+12022243441", ""},
		{"+1 202 224 3441", "DE", "+12022243441", ""},
		{"001 202 224 3441", "DE", "+12022243441", ""},
		{"011 49 30 901820", "US", "+4930901820", ""},
		{"030 901820", "DE", "+4930901820", ""},
		{"+49 (0)30 901820", "US", "+4930901820", ""},
		{"416-967-1111", "US", "+14169671111", ""},
		{"06 6982", "IT", "+39066982", ""},
		{"+39 06 6982", "US", "+39066982", ""},
		{"8 800 555 35 35", "RU", "+78005553535", ""},
		{"1-800-FLOWERS", "US", "+18003569377", ""},
		{"tel:+1-202-224-3441", "", "+12022243441", ""},
		{"２０２-２２４-３４４１", "US", "+12022243441", ""},
		{"202\u2011224\u20113441", "US", "+12022243441", ""},
		{"\u202a+1 202 224 3441\u202c", "", "+12022243441", ""},
		{"+800 1234 5678", "US", "+80012345678", ""},
		{"٢٠٢٢٢٤٣٤٤١", "US", "", finding.PhoneInvalid},
		{"202-224-3441 ext. 5", "US", "", finding.PhoneExtension},
		{"202-224-3441 x5", "US", "", finding.PhoneExtension},
		{"202-224-3441", "", "", finding.PhoneNoCountry},
		{"202-224-3441, 202-224-3442", "US", "", finding.PhoneInvalid},
		{"202-224-3441/202-224-3442", "US", "", finding.PhoneInvalid},
		{"+12022243441 +12022243442", "US", "", finding.PhoneInvalid},
		{"555-1234", "US", "", finding.PhoneInvalid},
		{"123", "US", "", finding.PhoneInvalid},
		{"+", "US", "", finding.PhoneInvalid},
		{"n/a", "US", "", finding.PhoneInvalid},
		{"+44" + strings.Repeat(" ", 250) + "1200000000", "", "", finding.PhoneInvalid},
		{strings.Repeat(" ", 250) + "202-224-3441", "US", "+12022243441", ""},
		{"order 2022243441", "US", "", finding.PhoneInvalid},
		{"1234567890123456789012345678901234567890", "US", "", finding.PhoneInvalid},
		{"000 000 0000", "US", "", finding.PhoneInvalid},
		{"202-224-3441\x00", "US", "", finding.NULByte},
		{"202-224\n3441", "US", "", finding.ControlCharacter},
		{"202-224-3441\xff", "US", "", finding.InvalidUTF8},
	} {
		got, code := p.Append([]byte("kept"), []byte(c.cell), CountryByCode(c.country))
		if string(got) != "kept"+c.want || code != c.code {
			t.Errorf("Append(%q, %s) = %q, %q; want %q, %q", c.cell, c.country, got, code, "kept"+c.want, c.code)
		}
	}
}

func TestPhoneExampleNumbers(t *testing.T) {
	t.Parallel()
	p := sharedPhones()
	rows := phoneCorpus(t)
	right, fast, asked := 0, 0, 0
	for _, row := range rows {
		region, want := row[0], row[4]
		country := CountryByCode(region)
		if got, code := p.Append(nil, []byte(want), 0); string(got) == want {
			right++
		} else {
			t.Errorf("%s: %q became %q, %q", region, want, got, code)
		}
		for _, form := range []string{want, row[3], row[5]} {
			asked++
			if _, v := p.plans.append(nil, []byte(form), country); v == valid {
				fast++
			}
			agree(t, p, form, country)
		}
	}
	if len(rows) != 1144 || right != len(rows) {
		t.Errorf("%d of %d example numbers, want 1144 of 1144", right, len(rows))
	}
	t.Logf("%d of %d example numbers; %d of %d forms on the fast way", right, len(rows), fast, asked)
}

func phoneCorpus(t testing.TB) [][]string {
	root := os.Getenv("CONTACTMILL_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(root, "libphonenumber", "example_numbers.csv"))
	if err != nil {
		t.Skipf("CORPUS ABSENT, NOTHING PROVEN HERE: %v", err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

// agree holds the automata to the library: what they take, it takes with the same result; what they refuse, it refuses.
func agree(t testing.TB, p *Phones, cell string, country Country) {
	t.Helper()
	p.plans.load()
	got, v := p.plans.append(nil, []byte(cell), country)
	if v == unsure {
		return
	}
	region := country.String()
	if region == "" {
		region = "ZZ"
	}
	n, err := phonenumbers.Parse(cell, region)
	taken := err == nil && phonenumbers.IsValidNumber(n) && n.GetExtension() == ""
	if taken != (v == valid) {
		t.Fatalf("%q in %s: the automata say %q (%d), the library %s, %v", cell, region, got, v, n, err)
	}
	if taken && phonenumbers.Format(n, phonenumbers.E164) != string(got) {
		t.Fatalf("%q in %s: the automata say %s, the library %s", cell, region, got, n)
	}
}

// Random digits around every region's own prefixes and codes, for each region as the default.
func TestPhoneAgreesWithLibrary(t *testing.T) {
	t.Parallel()
	p := sharedPhones()
	p.plans.load()
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 20
	if testing.Short() {
		rounds = 8
	}
	asked, taken, refused := 0, 0, 0
	for c, one := range p.plans.regions {
		if one == nil {
			continue
		}
		example := phonenumbers.GetExampleNumber(one.meta.GetId())
		national := phonenumbers.GetNationalSignificantNumber(example)
		for range rounds {
			digits := []byte(national)
			for range r.IntN(4) {
				digits[r.IntN(len(digits))] = byte('0' + r.IntN(10))
			}
			switch r.IntN(6) {
			case 0:
				digits = append(digits, byte('0'+r.IntN(10)))
			case 1:
				digits = digits[:len(digits)-1]
			}
			form := string(digits)
			switch r.IntN(6) {
			case 0:
				form = "+" + one.code + form
			case 1:
				form = one.meta.GetNationalPrefix() + form
			case 2:
				form = one.code + form
			case 3:
				form = "00" + one.code + form
			case 4:
				form = one.meta.GetNationalPrefixForParsing() + form
			}
			switch _, v := p.plans.append(nil, []byte(form), Country(c)); v {
			case valid:
				taken++
			case invalid:
				refused++
			}
			asked++
			agree(t, p, form, Country(c))
		}
	}
	if taken < 1000 || refused < 1000 {
		t.Errorf("the automata took %d numbers and refused %d only: nothing is proven", taken, refused)
	}
	t.Logf("of %d numbers the automata took %d and refused %d", asked, taken, refused)
}

func TestPhoneManyAtOnce(t *testing.T) {
	t.Parallel()
	p := NewPhones()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 100 {
				cell := fmt.Sprintf("202-224-%04d", i)
				if got, code := p.Append(nil, []byte(cell), CountryByCode("US")); code != "" {
					t.Errorf("%s: %q, %q", cell, got, code)
				}
			}
		})
	}
	wait.Wait()
}

func TestPhoneAllocatesNothing(t *testing.T) {
	p := NewPhones()
	dst, us := make([]byte, 0, 32), CountryByCode("US")
	cell := []byte("(202) 224-3441")
	p.Append(dst, cell, us)
	if n := testing.AllocsPerRun(100, func() { p.Append(dst, cell, us) }); n != 0 {
		t.Errorf("%v allocations a number, want 0", n)
	}
}

func FuzzPhone(f *testing.F) {
	for _, cell := range []string{"202-224-3441", "+49 (0)30 901820", "0011 1 202 224 3441", "8 800 555 35 35", "+44 20 7946 0018"} {
		for _, country := range []string{"US", "DE", "AU", "RU", "BR", "MX", "AR", ""} {
			f.Add(cell, country)
		}
	}
	p := sharedPhones()
	f.Fuzz(func(t *testing.T, cell, country string) {
		agree(t, p, cell, CountryByCode(country))
		out, code := p.Append(nil, []byte(cell), CountryByCode(country))
		if (code != "") != (len(out) == 0) {
			t.Fatalf("%q: %q with code %q", cell, out, code)
		}
		if code == "" {
			if again, code := p.Append(nil, out, 0); code != "" || string(again) != string(out) {
				t.Fatalf("%q became %s, and that %s, %q", cell, out, again, code)
			}
		}
	})
}

// phoneMix is how phones are written in the bench file: most in E.164, three in ten in one of four other ways, one in a
// hundred no number.
func phoneMix() [][]byte {
	r := rand.New(rand.NewPCG(7, 7))
	mix := make([][]byte, 4096)
	for i := range mix {
		area, exchange, last := []int{202, 212, 617, 312, 713, 303, 206, 503, 404, 305}[r.IntN(10)], 220+r.IntN(80), r.IntN(10_000)
		form := "+1%03d%03d%04d"
		if r.IntN(10) < 3 {
			form = []string{"(%03d) %03d-%04d", "%03d.%03d.%04d", "1-%03d-%03d-%04d", "%03d %03d %04d"}[r.IntN(4)]
		}
		if mix[i] = fmt.Appendf(nil, form, area, exchange, last); r.IntN(100) == 0 {
			mix[i] = []byte("12 34")
		}
	}
	return mix
}

// The whole way of the library for a phone, as anyone would write it.
func libraryPhone(dst, cell []byte, region string) []byte {
	number, err := phonenumbers.Parse(string(cell), region)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return dst
	}
	return append(dst, phonenumbers.Format(number, phonenumbers.E164)...)
}

func TestPhoneMixIsTheLibrarys(t *testing.T) {
	t.Parallel()
	p, taken := sharedPhones(), 0
	mix := phoneMix()[:800]
	for _, cell := range mix {
		got, code := p.Append(nil, cell, CountryByCode("US"))
		if want := libraryPhone(nil, cell, "US"); string(got) != string(want) || (code == "") != (len(want) > 0) {
			t.Errorf("%q: got %q, %q; the library says %q", cell, got, code, want)
		}
		if code == "" {
			taken++
		}
	}
	if taken < len(mix)*95/100 || taken == len(mix) {
		t.Errorf("%d of %d taken, want nearly all", taken, len(mix))
	}
}

func BenchmarkPhone(b *testing.B) {
	p := NewPhones()
	dst, us := make([]byte, 0, 32), CountryByCode("US")
	mix := phoneMix()
	p.Append(dst, mix[0], us)
	b.Run("mix", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			p.Append(dst, mix[i%len(mix)], us)
			i++
		}
		ours := b.Elapsed().Seconds() / float64(b.N)
		start := time.Now()
		for _, cell := range mix {
			libraryPhone(dst, cell, "US")
		}
		b.ReportMetric(time.Since(start).Seconds()/float64(len(mix))/ours, "x-library")
	})
	for name, cell := range map[string]string{"valid": "(202) 224-3441", "invalid": "(202) 024-3441", "short": "12 34", "no-digits": "n/a"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Append(dst, []byte(cell), us)
			}
		})
	}
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			libraryPhone(dst, mix[i%len(mix)], "US")
			i++
		}
	})
	b.Run("compile-all", func(b *testing.B) {
		for b.Loop() {
			q := NewPhones()
			q.plans.load()
			for _, one := range q.plans.regions {
				if one != nil {
					one.compile()
				}
			}
		}
	})
}
