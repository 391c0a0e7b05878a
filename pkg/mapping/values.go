package mapping

import (
	"strings"
	"unicode"
	"unicode/utf8"

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
			if strings.ContainsAny(row[i][:min(len(row[i]), 64)], "0123456789０１２３４５６７８９") {
				v.digit++
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
	if v.against(spec.Type) {
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
	case contact.TypeBirthDate, contact.TypeDate:
		return v.share(email, uuid, phone) >= 1-hardly || float64(v.digit) <= hardly*float64(v.filled)
	case contact.TypeText, contact.TypeLines, contact.TypeZip, contact.TypeCountry:
		return v.share(email, uuid) >= 1-hardly || t == contact.TypeText && v.share(phone, email, uuid) >= 1-hardly
	}
	return false
}

// kindOf tells what a value looks like, by its form alone.
func kindOf(s string) kind {
	if len(s) > 300 {
		return text
	}
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if s == "" {
		return blank
	}
	if at := strings.IndexByte(s, '@'); at > 0 {
		if domain := s[at+1:]; !strings.ContainsAny(s, " ,;<>()") && strings.Count(s, "@") == 1 && strings.Contains(strings.Trim(domain, "."), ".") {
			return email
		}
		return text
	}
	if _, code := contact.AppendContactID(nil, []byte(s)); !code.Failed() {
		return uuid
	}
	return numeric(s)
}

// numeric tells dates, phones and plain numbers apart.
func numeric(s string) kind {
	n, groups, signs, inDigits := 0, 0, "", false
	for _, r := range s {
		if r >= utf8.RuneSelf || unicode.IsLetter(r) {
			return text
		}
		if r >= '0' && r <= '9' {
			if !inDigits {
				groups++
			}
			n, inDigits = n+1, true
			continue
		}
		if !strings.ContainsRune("+-./() :", r) {
			return text
		}
		signs, inDigits = signs+string(r), false
	}
	switch {
	case n == 0:
		return text
	case groups >= 3 && isDate(s):
		return date
	case len(s) == 11 && signs == "--" && s[3] == '-' && s[6] == '-':
		return text // a social security number
	case n >= 7 && n <= 15 && (s[0] == '+' || strings.HasPrefix(s, "00") || strings.HasPrefix(s, "(") || groups > 1 && strings.Trim(signs, ".") != "" && signs != "-" || groups > 2):
		return phone
	case signs == "" || signs == "." || signs == "-":
		return digits
	}
	return text
}

// isDate reports whether a text begins like a day of a calendar.
func isDate(s string) bool {
	day, _, _ := strings.Cut(s, " ")
	day, _, _ = strings.Cut(day, "T")
	for _, sep := range []string{"-", "/", "."} {
		parts := strings.Split(strings.TrimSuffix(day, "."), sep)
		if len(parts) != 3 {
			continue
		}
		for _, p := range parts {
			if len(p) == 0 || len(p) > 4 || len(p) == 3 || strings.Trim(p, "0123456789") != "" {
				return false
			}
		}
		return len(parts[1]) <= 2 && (len(parts[0]) <= 2 || len(parts[2]) <= 2)
	}
	return false
}
