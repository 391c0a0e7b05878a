// Package tables answers what can be known of a phone number by its prefix and of an email address by its domain, offline:
// from the numbering plans of the phone library and from two lists of mail domains.
package tables

import (
	"bufio"
	_ "embed"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

//go:embed free.txt
var freeDomains string

//go:embed disposable.txt
var disposableDomains string

const (
	// tail is how many digits at the end of a number say nothing of where it belongs.
	tail = 4

	// nanpPrefix is what of a number of the North American plan does: "+1" and the area code.
	nanpPrefix = 5

	// maxPrefixes bounds what is remembered; beyond it the memory starts afresh.
	maxPrefixes = 1 << 18
)

// Fact is a name and its value.
type Fact struct{ Name, Value string }

// Tables is safe for concurrent use. What it answers depends on the question alone.
type Tables struct {
	domains map[string][]Fact

	mu       sync.RWMutex
	prefixes map[string][]Fact
}

// New loads the lists of domains.
func New() *Tables {
	t := &Tables{domains: map[string][]Fact{}, prefixes: map[string][]Fact{}}
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
// their last digits, or within an area code of the North American plan, have the same facts.
func (t *Tables) Phone(e164 string) []Fact {
	if len(e164) < 2+tail || e164[0] != '+' {
		return nil
	}
	prefix, sample := e164[:len(e164)-tail], "2345"
	if e164[1] == '1' && len(e164) == 12 {
		prefix, sample = e164[:nanpPrefix], "5552345"
	}
	key := prefix + "/" + strconv.Itoa(len(e164))
	t.mu.RLock()
	facts, ok := t.prefixes[key]
	t.mu.RUnlock()
	if ok {
		return facts
	}
	facts = look(prefix + sample)
	if facts == nil && prefix[1] != '1' {
		return look(e164) // its block is not uniform: this number speaks for itself alone
	}
	t.mu.Lock()
	if len(t.prefixes) >= maxPrefixes {
		clear(t.prefixes)
	}
	t.prefixes[key] = facts
	t.mu.Unlock()
	return facts
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
