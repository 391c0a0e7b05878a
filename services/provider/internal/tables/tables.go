// Package tables answers what can be known of a phone number by its prefix and of an email address by its domain, offline:
// from the numbering plans of the phone library and from two lists of mail domains.
package tables

import (
	"bufio"
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

//go:embed free.txt
var freeDomains string

//go:embed disposable.txt
var disposableDomains string

const (
	// tail is how many digits at the end of a number say nothing of where it belongs; shortTail in the small countries
	// whose numbers, "+" and country code counted in, have at most short characters.
	tail      = 4
	shortTail = 2
	short     = 9

	// What of a number of the North American plan says where it belongs: "+1" and the area code in the United States and
	// Canada, the exchange too elsewhere.
	areaCode = 5
	exchange = 8

	// maxPrefixes bounds what is remembered; beyond it the memory starts afresh.
	maxPrefixes = 1 << 18
)

// Names of the facts that the tables have.
var (
	PhoneFacts = []string{"line_type", "country", "region", "carrier", "time_zone"}
	EmailFacts = []string{"domain_kind"}
)

// Fact is a name and its value.
type Fact struct{ Name, Value string }

// Tables is safe for concurrent use. What it answers depends on the question alone.
type Tables struct {
	domains map[string][]Fact

	mu       sync.RWMutex
	prefixes map[prefix][]Fact
}

// prefix stands for all numbers that begin with it and are as long.
type prefix struct {
	digits string
	length int
}

// New loads the lists of domains.
func New() *Tables {
	t := &Tables{domains: map[string][]Fact{}, prefixes: map[prefix][]Fact{}}
	for list, kind := range map[string]string{freeDomains: "free", disposableDomains: "disposable"} {
		facts := []Fact{{"domain_kind", kind}}
		for s := bufio.NewScanner(strings.NewReader(list)); s.Scan(); {
			if d := strings.TrimSpace(s.Text()); d != "" && d[0] != '#' {
				t.domains[d] = facts
			}
		}
	}
	return t
}

// Email returns the facts on a normalised address; nil if its domain is in no list.
func (t *Tables) Email(address string) []Fact {
	return t.domains[address[strings.LastIndexByte(address, '@')+1:]]
}

// Phone returns the facts on a number in E.164; nil if its prefix is assigned to nobody. Two numbers that differ only in
// their last digits, or within an area code of the United States and Canada, have the same facts.
func (t *Tables) Phone(e164 string) []Fact {
	if len(e164) < 2+tail || e164[0] != '+' {
		return nil
	}
	if e164[1] == '1' && len(e164) == 12 {
		if facts := t.block(e164, areaCode, "5552345"); northern(facts) {
			return facts
		}
		return t.block(e164, exchange, "2345")
	}
	n := tail
	if len(e164) <= short {
		n = shortTail
	}
	if facts := t.block(e164, len(e164)-n, "2345"[:n]); facts != nil {
		return facts
	}
	return look(e164) // its block is not uniform: this number speaks for itself alone
}

// block is what is known of a number by its first n characters, which the sample makes a whole number.
func (t *Tables) block(e164 string, n int, sample string) []Fact {
	key := prefix{e164[:n], len(e164)}
	t.mu.RLock()
	facts, ok := t.prefixes[key]
	t.mu.RUnlock()
	if ok {
		return facts
	}
	facts = look(key.digits + sample)
	key.digits = strings.Clone(key.digits) // the number itself is not kept
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, ok := t.prefixes[key]; ok {
		return other // so that all who ask share one slice
	}
	if len(t.prefixes) >= maxPrefixes {
		clear(t.prefixes)
	}
	t.prefixes[key] = facts
	return facts
}

// northern tells whether facts are of the United States or Canada, or of a number without a place.
func northern(facts []Fact) bool {
	return slices.ContainsFunc(facts, func(f Fact) bool { return f.Name == "country" && (f.Value == "US" || f.Value == "CA") })
}

var lineTypes = map[phonenumbers.PhoneNumberType]string{
	phonenumbers.FIXED_LINE: "fixed", phonenumbers.MOBILE: "mobile", phonenumbers.FIXED_LINE_OR_MOBILE: "fixed_or_mobile",
	phonenumbers.TOLL_FREE: "toll_free", phonenumbers.PREMIUM_RATE: "premium", phonenumbers.SHARED_COST: "shared_cost",
	phonenumbers.VOIP: "voip", phonenumbers.PERSONAL_NUMBER: "personal", phonenumbers.PAGER: "pager",
	phonenumbers.UAN: "uan", phonenumbers.VOICEMAIL: "voicemail",
}

// look asks the library.
func look(e164 string) []Fact {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return nil
	}
	kind, ok := lineTypes[phonenumbers.GetNumberType(n)]
	if !ok {
		return nil
	}
	facts := []Fact{{"line_type", kind}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{name, value})
		}
	}
	add("country", phonenumbers.GetRegionCodeForNumber(n))
	// What the library does not know it answers with an error or an empty string: then the fact is left out.
	if region, err := phonenumbers.GetGeocodingForNumber(n, "en"); err == nil {
		add("region", region)
	}
	if carrier, err := phonenumbers.GetCarrierForNumber(n, "en"); err == nil {
		add("carrier", carrier)
	}
	if zones, err := phonenumbers.GetTimezonesForNumber(n); err == nil && len(zones) > 0 && zones[0] != phonenumbers.UNKNOWN_TIMEZONE {
		add("time_zone", strings.Join(zones[:min(len(zones), 8)], " "))
	}
	return facts
}
