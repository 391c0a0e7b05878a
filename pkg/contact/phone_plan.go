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
	lengths [1000]uint32     // by calling code, a bit for each length of a national number that one of the regions has
	codes   [1000]bool       // calling codes that the library knows, those of services without a region among them
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
			if c := CountryByCode(meta.GetId()); c != 0 {
				one := &plan{code: strconv.Itoa(int(meta.GetCountryCode())), meta: meta}
				byID[meta.GetId()], p.regions[c] = one, one
			}
		}
		for code := range p.byCode {
			for _, id := range phonenumbers.GetRegionCodesForCountryCode(code) {
				p.codes[code] = true
				if byID[id] == nil { // services without a region are the library's alone
					p.byCode[code] = nil
					break
				}
				p.byCode[code] = append(p.byCode[code], byID[id])
				if bits := lengthsOf(byID[id].meta.GetGeneralDesc()); bits != 0 {
					p.lengths[code] |= bits
				} else {
					p.lengths[code] = 1<<32 - 1
				}
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

// verdict is what the automata say of a number.
type verdict uint8

const (
	unsure  verdict = iota // the library has to say
	valid                  // given out
	invalid                // whatever way the library takes, it comes to no number that is given out
)

// append takes the way of the library's own parser for numbers of digits and common punctuation. It is sure of what it
// takes and of what it refuses, and leaves the rest to the library.
func (p *plans) append(dst, cell []byte, country Country) ([]byte, verdict) {
	if len(cell) > maxPhoneText {
		return dst, unsure
	}
	var digits [18]byte
	n, plus := 0, false
	for i, c := range cell {
		switch {
		case c-'0' < 10:
			if n == len(digits) {
				return dst, unsure
			}
			digits[n] = c
			n++
		case c == '+' && n == 0 && !plus && i < 3:
			plus = true
		case c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' || c == '/':
		default:
			return dst, unsure
		}
	}
	if n < 3 {
		return dst, unsure
	}
	d := digits[:n]
	if plus {
		return p.appendInternational(dst, d)
	}
	if !p.known(country) {
		return dst, unsure
	}
	one := p.regions[country].compile()
	if !one.plain {
		return dst, unsure
	}
	if one.abroad.prefixes(d) {
		rest := d[min(n, len(one.abroadPrefix)):]
		if one.abroadPrefix == "" || len(rest) == 0 || rest[0] == '0' {
			return dst, unsure
		}
		dst, v := p.appendInternational(dst, rest)
		if v == unsure && p.codeOf(rest) == 0 {
			v = invalid
		}
		return dst, v
	}
	whole := d
	if one.national != nil && one.national.prefixes(d) {
		if one.nationalPrefix == "" {
			return dst, unsure
		}
		if d = d[len(one.nationalPrefix):]; !one.valid.matches(d) {
			return dst, p.refused(one, whole)
		}
	} else if startsWith(d, one.code) && !one.valid.matches(d) { // the calling code without a plus
		return dst, p.refused(one, whole)
	}
	if !p.assigned(one.code, d) {
		return dst, p.refused(one, whole)
	}
	dst = append(append(dst, '+'), one.code...)
	return append(dst, d...), valid
}

// codeOf is the length of the calling code that digits begin with, 0 for none.
func (p *plans) codeOf(d []byte) int {
	code := 0
	for k := 0; k < 3 && k < len(d); k++ {
		if code = code*10 + int(d[k]-'0'); code == 0 {
			return 0
		}
		if p.codes[code] {
			return k + 1
		}
	}
	return 0
}

// appendInternational decides digits that begin with a country calling code.
func (p *plans) appendInternational(dst, d []byte) ([]byte, verdict) {
	k := p.codeOf(d)
	if k == 0 || len(p.byCode[number(d[:k])]) == 0 {
		return dst, unsure
	}
	main, national := p.byCode[number(d[:k])][0].compile(), d[k:]
	if main.national != nil && main.national.prefixes(national) {
		if main.nationalPrefix == "" {
			return dst, unsure
		}
		if stripped := national[len(main.nationalPrefix):]; main.valid.matches(stripped) {
			national = stripped // the prefix of calls at home, as in +44 (0)20
		} else if p.assigned(main.code, national) || p.assigned(main.code, stripped) {
			return dst, unsure
		} else {
			return dst, invalid
		}
	}
	if !p.assigned(main.code, national) {
		return dst, invalid
	}
	return append(append(append(dst, '+'), main.code...), national...), valid
}

// refused is invalid when none of the numbers is given out that the library could make of the digits: as they are, without
// the calling code, and each of these without the national prefix, once or twice.
func (p *plans) refused(one *plan, d []byte) verdict {
	main := p.byCode[number([]byte(one.code))]
	if len(main) == 0 {
		return unsure
	}
	could := p.could(one, main[0].compile(), d, 1)
	if could == invalid && startsWith(d, one.code) {
		could = p.could(one, main[0], d[len(one.code):], 2)
	}
	return could
}

func (p *plans) could(one, main *plan, d []byte, strips int) verdict {
	if p.assigned(one.code, d) {
		return unsure
	}
	if strips == 0 {
		return invalid
	}
	for _, by := range [...]*plan{one, main} {
		if by.national == nil || !by.national.prefixes(d) {
			continue
		}
		if by.nationalPrefix == "" || p.could(one, main, d[len(by.nationalPrefix):], strips-1) != invalid {
			return unsure
		}
	}
	return invalid
}

// assigned reports whether a national number is valid in one of the regions that share a calling code, asked in the
// library's order: the first whose leading digits or whose numbers fit decides.
func (p *plans) assigned(code string, national []byte) bool {
	n := number([]byte(code))
	if len(national) > maxPhoneDigits || p.lengths[n]>>len(national)&1 == 0 {
		return false
	}
	all := p.byCode[n]
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
