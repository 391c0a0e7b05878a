package mapping

import (
	"strings"
	"unicode"

	"github.com/contactmill/contactmill/pkg/contact"
)

const (
	fewRows  = 5   // below, an empty column proves nothing
	fewCells = 3   // below, values prove nothing
	most     = .8  // share of values that speak for a kind
	raised   = .25 // what they add to a vague word
	lowered  = .3  // what values of another kind take off
)

// kind is what a value looks like.
type kind uint8

const (
	text kind = iota
	blank
	email
	phone // with a sign of it: +, 00, brackets or groups
	digits
	date
	uuid
)

// values is what the sample shows of a column.
type values struct {
	filled int
	of     [uuid + 1]int
	digit  int // with a digit in them
	letter int // with a letter in them
}

func look(sample [][]string, columns int) []values {
	all := make([]values, columns)
	for _, row := range sample[:min(len(sample), SampleRows)] {
		for i := range row[:min(len(row), columns)] {
			v := &all[i]
			k := kindOf(row[i])
			if k == blank {
				continue
			}
			v.filled++
			v.of[k]++
			digit, letter := false, false
			for _, r := range row[i][:min(len(row[i]), 64)] {
				digit = digit || unicode.IsDigit(r)
				letter = letter || unicode.IsLetter(r)
			}
			if digit {
				v.digit++
			}
			if letter {
				v.letter++
			}
		}
	}
	return all
}

// share is the part of the filled values that is of one of the kinds.
func (v *values) share(kinds ...kind) float64 {
	n := 0
	for _, k := range kinds {
		n += v.of[k]
	}
	return float64(n) / float64(max(v.filled, 1))
}

// weigh takes the values into account and returns the best reading, and whether it is better than that of any other
// field.
func (v *values) weigh(readings []reading, schema *contact.Schema) (reading, bool) {
	var best reading
	alone := true
	for _, r := range readings {
		r.confidence = v.confidence(r, schema)
		switch {
		case best.field == contact.NoField || r.confidence > best.confidence:
			best, alone = r, true
		case r.confidence == best.confidence && r.field != best.field:
			alone = false
		}
	}
	return best, alone
}

func (v *values) confidence(r reading, schema *contact.Schema) float64 {
	if v.filled < fewCells {
		return r.confidence
	}
	spec, _ := schema.Spec(r.field)
	if r.how == Name {
		if spec.Type == contact.TypeContactID && v.of[uuid] == 0 {
			return r.confidence - lowered - .3 // somebody else's id of a contact
		}
		return r.confidence
	}
	if v.against(spec.Type) && !(r.field == contact.FieldState && v.letter == 0) { // some states have numbers
		return r.confidence - lowered
	}
	if r.vague && v.speakFor(spec.Type) {
		return r.confidence + raised
	}
	return r.confidence
}

// speakFor reports whether the values are clearly of a type.
func (v *values) speakFor(t contact.Type) bool {
	switch t {
	case contact.TypeEmail:
		return v.share(email) >= most
	case contact.TypePhone:
		return v.share(phone, digits) >= most && v.share(phone) >= most/2
	}
	return false
}

// against reports whether hardly a value can be of a type.
func (v *values) against(t contact.Type) bool {
	const hardly = .1
	switch t {
	case contact.TypeEmail:
		return v.share(email) <= hardly
	case contact.TypePhone:
		return v.share(email, uuid, date) >= 1-hardly || float64(v.digit) <= hardly*float64(v.filled)
	case contact.TypeBirthDate, contact.TypeDate, contact.TypeMoment:
		return v.share(email, uuid, phone) >= 1-hardly || float64(v.digit) <= hardly*float64(v.filled)
	case contact.TypeText:
		return v.share(email, uuid) >= 1-hardly || float64(v.letter) <= hardly*float64(v.filled)
	case contact.TypeLines, contact.TypeZip, contact.TypeCountry:
		return v.share(email, uuid) >= 1-hardly
	}
	return false
}

// kindOf tells what a value looks like, by its form alone.
func kindOf(s string) kind {
	if len(s) > 300 {
		return text
	}
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	switch {
	case s == "":
		return blank
	case strings.IndexByte(s, '@') > 0:
		local, domain, _ := strings.Cut(s, "@")
		if !strings.ContainsAny(s, " ,;<>()") && local != "" && !strings.Contains(domain, "@") && strings.Contains(strings.Trim(domain, "."), ".") {
			return email
		}
		return text
	case len(s) == 36 || len(s) == 32:
		if _, code := contact.AppendContactID(nil, []byte(s)); !code.Failed() {
			return uuid
		}
	}
	return numeric(s)
}

// numeric tells dates, phones and plain numbers apart.
func numeric(s string) kind {
	var groups [4]int // how many digits stand together
	var sign [4]byte  // what stands behind them
	n, g, signs, inside := 0, 0, 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			if !inside {
				g++
			}
			n, inside = n+1, true
			groups[min(g, 4)-1]++
		case c == 'T' && g == 3 && inside && plainDate(groups, sign):
			return date
		case strings.IndexByte("+-./() :", c) < 0:
			return text
		default:
			if inside {
				sign[min(g, 4)-1] = c
			}
			signs, inside = signs+1, false
		}
	}
	switch {
	case n == 0:
		return text
	case (g == 3 || g > 3 && sign[2] == ' ') && signs >= 2 && s[0] >= '0' && s[0] <= '9' && plainDate(groups, sign):
		return date
	case g == 3 && signs == 2 && sign[0] == '-' && sign[1] == '-' && groups == [4]int{3, 2, 4, 0}:
		return text // a social security number
	case g == 4 && signs == 3 && sign == [4]byte{'.', '.', '.'}:
		return text // an address of a machine
	case n >= 7 && n <= 15 && (s[0] == '+' || s[0] == '(' || s[:2] == "00" || g > 2 || g == 2 && sign[0] != '.' && sign[0] != '-'):
		return phone
	case signs == 0 || signs == 1 && (sign[0] == '.' || sign[0] == '-' || s[0] == '-'):
		return digits
	}
	return text
}

// plainDate reports whether three groups of digits, with one sign between them, begin like a day of a calendar.
func plainDate(groups [4]int, sign [4]byte) bool {
	if sign[0] != sign[1] || sign[0] != '-' && sign[0] != '/' && sign[0] != '.' {
		return false
	}
	short := func(n int) bool { return n == 1 || n == 2 }
	return short(groups[1]) && (groups[0] == 4 && short(groups[2]) || short(groups[0]) && (groups[2] == 4 || groups[2] == 2))
}
