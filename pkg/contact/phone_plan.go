package contact

import (
	"strconv"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plans are the numbering plans of all regions.
type plans struct {
	once    sync.Once
	regions [26*26 + 1]*plan // by Country
	byCode  [1000][]*plan    // by calling code, in the library's order: the main region first
}

// plan is one region's numbering plan. The automata are compiled when the region is first met: all of them at once
// would hold up the start of a process for numbers it may never see.
type plan struct {
	code     string // country calling code
	meta     *phonenumbers.PhoneMetadata
	once     sync.Once
	valid    *automaton // national numbers that are given out
	leading  *automaton // prefixes that tell the region within its calling code, or nil
	national *automaton // where a national prefix, carrier code or transformation begins, or nil
	abroad   *automaton // where an international prefix begins
	nationalPrefix,
	abroadPrefix string // when they are plain digits
	plain bool // whether numbers without a plus can be decided here
}

func (p *plans) load() {
	p.once.Do(func() {
		all, err := phonenumbers.MetadataCollection()
		if err != nil {
			panic("contact: metadata compiled into the phone library: " + err.Error())
		}
		byID := make(map[string]*plan, len(all.GetMetadata()))
		for _, meta := range all.GetMetadata() {
			if c := CountryByCode(meta.GetId()); c != 0 || meta.GetId() == "AC" || meta.GetId() == "TA" {
				one := &plan{code: strconv.Itoa(int(meta.GetCountryCode())), meta: meta}
				byID[meta.GetId()] = one
				if c != 0 {
					p.regions[c] = one
				}
			}
		}
		for code := range p.byCode {
			for _, id := range phonenumbers.GetRegionCodesForCountryCode(code) {
				if byID[id] == nil { // services without a region are the library's alone
					p.byCode[code] = nil
					break
				}
				p.byCode[code] = append(p.byCode[code], byID[id])
			}
		}
	})
}

func (p *plans) known(c Country) bool {
	return c != 0 && int(c) < len(p.regions) && p.regions[c] != nil
}

// compile readies the plan's automata; concurrent callers wait for the first.
func (one *plan) compile() *plan {
	one.once.Do(func() {
		m := one.meta
		one.valid = compileNumbers(m)
		if m.GetLeadingDigits() != "" {
			one.leading = compilePrefix(m.GetLeadingDigits())
		}
		if np := m.GetNationalPrefixForParsing(); np != "" {
			one.national = compilePrefix(np)
			if digitsOnly(np) && m.GetNationalPrefixTransformRule() == "" {
				one.nationalPrefix = np
			}
		}
		if idd := m.GetInternationalPrefix(); idd != "" {
			one.abroad = compilePrefix(idd)
			if digitsOnly(idd) {
				one.abroadPrefix = idd
			}
			one.plain = true
		}
	})
	return one
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

// append takes the way of the library's own parser for numbers of digits and common punctuation, and leaves everything
// that is not plainly valid to it.
func (p *plans) append(dst, cell []byte, country Country) ([]byte, bool) {
	var digits [18]byte
	n, plus := 0, false
	for i, c := range cell {
		switch {
		case c-'0' < 10:
			if n == len(digits) {
				return dst, false
			}
			digits[n] = c
			n++
		case c == '+' && n == 0 && !plus && i < 3:
			plus = true
		case c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' || c == '/':
		default:
			return dst, false
		}
	}
	if n < 6 {
		return dst, false
	}
	d := digits[:n]
	if plus {
		return p.appendInternational(dst, d)
	}
	if !p.known(country) {
		return dst, false
	}
	one := p.regions[country].compile()
	if !one.plain {
		return dst, false
	}
	if one.abroad.prefixes(d) {
		if one.abroadPrefix == "" {
			return dst, false
		}
		return p.appendInternational(dst, d[len(one.abroadPrefix):])
	}
	if one.national != nil && one.national.prefixes(d) {
		if one.nationalPrefix == "" {
			return dst, false
		}
		d = d[len(one.nationalPrefix):]
		if !one.valid.matches(d) {
			return dst, false
		}
	} else if startsWith(d, one.code) && !one.valid.matches(d) {
		return dst, false // the calling code without a plus
	}
	if !p.assigned(one.code, d) {
		return dst, false
	}
	dst = append(append(dst, '+'), one.code...)
	return append(dst, d...), true
}

// appendInternational decides digits that begin with a country calling code.
func (p *plans) appendInternational(dst, d []byte) ([]byte, bool) {
	code := 0
	for k := 0; k < 3 && k < len(d); k++ {
		code = code*10 + int(d[k]-'0')
		if code == 0 {
			return dst, false
		}
		if len(p.byCode[code]) == 0 {
			continue
		}
		national := d[k+1:]
		main := p.byCode[code][0].compile()
		if main.national != nil && main.national.prefixes(national) || !p.assigned(main.code, national) {
			return dst, false
		}
		return append(append(dst, '+'), d...), true
	}
	return dst, false
}

// assigned reports whether a national number is valid in one of the regions that share a calling code, asked in the
// library's order: the first whose leading digits or whose numbers fit decides.
func (p *plans) assigned(code string, national []byte) bool {
	number := 0
	for i := range len(code) {
		number = number*10 + int(code[i]-'0')
	}
	all := p.byCode[number]
	for _, one := range all {
		one.compile()
		if len(all) > 1 && one.leading != nil {
			if one.leading.prefixes(national) {
				return one.valid.matches(national)
			}
			continue
		}
		if one.valid.matches(national) {
			return true
		}
	}
	return false
}

func startsWith(d []byte, code string) bool {
	return len(d) >= len(code) && string(d[:len(code)]) == code
}
