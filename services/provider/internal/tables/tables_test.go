package tables

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
)

func TestPhone(t *testing.T) {
	tables := New()
	for number, want := range map[string][]Fact{
		"+12022243441":   {{"line_type", "fixed_or_mobile"}, {"country", "US"}, {"region", "Washington D.C."}, {"time_zone", "America/New_York"}},
		"+12125551234":   {{"line_type", "fixed_or_mobile"}, {"country", "US"}, {"time_zone", "America/New_York"}},
		"+18005551234":   {{"line_type", "toll_free"}, {"country", "US"}},
		"+4915112345678": {{"line_type", "mobile"}, {"country", "DE"}, {"region", "Germany"}, {"carrier", "T-Mobile"}, {"time_zone", "Europe/Berlin"}},
		"+12464202349":   {{"line_type", "fixed"}, {"country", "BB"}},
		"+18765825532":   {{"line_type", "mobile"}, {"country", "JM"}},
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

// Blocks of numbers are answered by one sample of each. Among numbers that the library calls valid, all over the world,
// it must be rare that a number itself would have another line type or country than its block.
func TestBlocksAnswerForTheirNumbers(t *testing.T) {
	tables := New()
	r := rand.New(rand.NewPCG(1, 2))
	regions := slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
	asked, other := 0, 0
	for _, region := range regions {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			number := []byte(phonenumbers.Format(example, phonenumbers.E164))
			for range 5 {
				for i := max(5, len(number)-6); i < len(number); i++ {
					number[i] = byte('0' + r.IntN(10))
				}
				n, err := phonenumbers.Parse(string(number), "")
				if err != nil || !phonenumbers.IsValidNumber(n) {
					continue
				}
				asked++
				if got, want := tables.Phone(string(number)), look(string(number)); len(got) < 2 || !slices.Equal(got[:2], want[:2]) {
					other++
				}
			}
		}
	}
	if asked < 1500 || other*200 > asked {
		t.Errorf("%d of %d numbers have another line type or country than their block, want at most one in 200", other, asked)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	tables := New()
	for i := range maxPrefixes {
		tables.prefixes[prefix{strconv.Itoa(i), 0}] = nil
	}
	if tables.Phone("+12022243441"); len(tables.prefixes) > maxPrefixes {
		t.Errorf("%d prefixes are remembered, want at most %d", len(tables.prefixes), maxPrefixes)
	}
}

func BenchmarkPhone(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	numbers := make([]string, 1_000_000)
	areas := []string{"202", "212", "213", "305", "312", "415", "512", "617", "702", "800", "907", "915"}
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1%s%03d%04d", areas[r.IntN(len(areas))], 200+r.IntN(800), r.IntN(10_000))
	}
	tables, i := New(), 0
	b.ReportAllocs()
	for b.Loop() {
		tables.Phone(numbers[i%len(numbers)])
		i++
	}
}

func BenchmarkEmail(b *testing.B) {
	addresses := make([]string, 1_000_000)
	domains := []string{"gmail.com", "example.org", "mailinator.com", "a-company-of-some-size.example"}
	for i := range addresses {
		addresses[i] = fmt.Sprintf("someone.%d@%s", i, domains[i%len(domains)])
	}
	tables, i := New(), 0
	b.ReportAllocs()
	for b.Loop() {
		tables.Email(addresses[i%len(addresses)])
		i++
	}
}
