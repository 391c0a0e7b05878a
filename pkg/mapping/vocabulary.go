package mapping

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/contactmill/contactmill/pkg/contact"
	"golang.org/x/text/unicode/norm"
)

// reading is a field that a heading may mean.
type reading struct {
	field      contact.Field
	confidence float64
	how        How
	vague      bool // values of the field's kind make it surer
	alike      bool // found by letters that only look alike
}

// vocabulary is what the words for an account's fields are.
type vocabulary struct {
	*dictionary
	names map[string][]reading // folded name, label or listed heading of any field, the best first
	near  lengths              // words of own fields that a heading may be nearly like
}

// dictionary is the words for the standard fields.
type dictionary struct {
	names      map[string][]reading
	words      map[string][]reading
	others     map[string]bool
	changed    map[string]bool   // of others, those for when a row was changed
	alike      map[string]string // what a word looks like to the word
	near       lengths
	qualifiers map[string]float64
	address    map[string]bool
	alone      map[string]bool
	prefixes   []string
}

var standard = sync.OnceValue(func() *dictionary {
	d := &dictionary{names: map[string][]reading{}, words: map[string][]reading{}, others: map[string]bool{}, changed: map[string]bool{}, alike: map[string]string{},
		qualifiers: map[string]float64{}, address: map[string]bool{}, alone: map[string]bool{}, prefixes: strings.Fields(prefixes)}
	for _, f := range contact.Fields() {
		s, _ := f.Spec()
		for _, name := range []string{s.Name, s.Label} {
			if folded := fold(name); len(d.names[folded]) == 0 {
				d.names[folded] = []reading{{field: f, confidence: 1, how: Name}}
			}
		}
	}
	for _, line := range words {
		for word := range list(line.words) {
			if folded := fold(word); !slices.ContainsFunc(d.words[folded], func(r reading) bool { return r.field == line.field }) {
				d.words[folded] = append(d.words[folded], reading{field: line.field, confidence: line.confidence, how: Word, vague: line.vague})
			}
		}
	}
	for word := range list(others) {
		if folded := fold(word); len(d.words[folded]) == 0 {
			d.others[folded] = true
		}
	}
	for word := range list(changed) {
		if folded := fold(word); len(d.words[folded]) == 0 {
			d.others[folded], d.changed[folded] = true, true
		}
	}
	for cost, list := range qualifiers {
		for q := range strings.FieldsSeq(list) {
			d.qualifiers[fold(q)] = max(d.qualifiers[fold(q)], cost)
		}
	}
	for q := range strings.FieldsSeq(addressWords) {
		d.address[fold(q)] = true
	}
	for word := range strings.FieldsSeq(alone) {
		d.alone[word] = true
	}
	for _, m := range []map[string][]reading{d.words, d.names} {
		for word, readings := range m {
			if guessable(readings[0].field, nil) {
				d.alike[skeleton(word)] = word
			}
		}
	}
	d.near = spellings(d)
	return d
})

// list yields the words of a table, and the German ones also as they are written without umlauts.
func list(table string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for word := range strings.SplitSeq(table, ",") {
			word = strings.TrimSpace(word)
			if word == "" {
				continue
			}
			if !yield(word) {
				return
			}
			if plain := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue").Replace(word); plain != word && !yield(plain) {
				return
			}
		}
	}
}

func newVocabulary(schema *contact.Schema) *vocabulary {
	v := &vocabulary{dictionary: standard()}
	v.names = v.dictionary.names
	own := schema.Own()
	if len(own) == 0 {
		return v
	}
	v.names = maps.Clone(v.names)
	ranks := make(map[string]int, len(own))
	for word := range v.names {
		ranks[word] = 2
	}
	for _, f := range contact.Fields() {
		ranks[fold(f.String())] = 0
	}
	add := func(word string, f contact.Field, rank int) {
		folded := fold(word)
		if folded == "" {
			return
		}
		r := reading{field: f, confidence: 1, how: Name}
		old, taken := v.names[folded]
		switch {
		case !taken || rank < ranks[folded]:
			v.names[folded], ranks[folded] = []reading{r}, rank
		case rank == ranks[folded] && !slices.Contains(old, r):
			v.names[folded] = append(slices.Clip(old), r)
		}
	}
	for i := range own {
		add(own[i].Name, own[i].Number, 0)
		for _, h := range own[i].Headings {
			add(h, own[i].Number, 1)
		}
		add(own[i].Label, own[i].Number, 3) // a standard field's label goes before
	}
	v.near = ownSpellings(own)
	return v
}

// guessable reports whether a field may be found by anything but its own names and words: consent and secrets may not, and
// neither may when a row was changed.
func guessable(f contact.Field, schema *contact.Schema) bool {
	s, ok := schema.Spec(f)
	return ok && !s.Secret && s.Type != contact.TypeAuthorisation && s.Type != contact.TypeMoment
}

// read returns what a heading may mean, nothing for most.
func (v *vocabulary) read(heading, folded string) []reading {
	if folded == "" {
		return nil
	}
	if named := v.names[folded]; len(named) > 0 {
		if named[0].field == contact.FieldContactID {
			return append(slices.Clip(named), v.words[folded]...) // another program's contact id is no id of ours
		}
		return named
	}
	if found := v.words[folded]; len(found) > 0 || v.others[folded] || len(folded) > 128 {
		return found
	}
	if found := v.qualified(heading, folded); len(found) > 0 {
		return found
	}
	if word, ok := v.alike[skeleton(folded)]; ok && word != folded {
		return weaker(v.known(word), .1, true)
	}
	return v.similar(folded)
}

// known are the readings of a word of the dictionary.
func (v *vocabulary) known(folded string) []reading {
	if named := v.dictionary.names[folded]; len(named) > 0 {
		return named
	}
	return v.words[folded]
}

// qualified reads a heading that says more than a word for a field: "Customer e-mail (required)", "Phone 1 - Value".
func (v *vocabulary) qualified(heading, folded string) []reading {
	parts := tokens(heading, false)
	if len(parts) == 1 {
		for _, p := range v.prefixes {
			if rest, ok := strings.CutPrefix(folded, p); ok {
				if found := v.bare([]string{rest}, v.qualifiers[p]); len(found) > 0 {
					return found
				}
			}
		}
	}
	if found := v.readParts(parts); len(found) > 0 {
		return found
	}
	if apart := tokens(heading, true); len(apart) > len(parts) { // firstName, but not WhatsApp
		return v.readParts(apart)
	}
	return nil
}

func (v *vocabulary) readParts(parts []string) []reading {
	if len(parts) < 2 || len(parts) > 12 {
		return nil
	}
	for _, read := range []func([]string) []reading{v.behind, v.among, v.several, v.withinAddress} {
		if found := read(parts); len(found) > 0 {
			return found
		}
	}
	return nil
}

// first is a part that says no more than that others may follow.
func first(part string) bool { return part == "1" || part == "01" }

// behind reads the longest word that stands behind qualifiers: "Default Address Company".
func (v *vocabulary) behind(parts []string) []reading {
	cost, qualified := 0., false
	for i, p := range parts[:len(parts)-1] {
		c, ok := v.qualifiers[p]
		if !ok && !v.address[p] && !(first(p) && i > 0) {
			return nil
		}
		qualified = qualified || ok
		cost += max(c, .01)
		if found := v.bare(parts[i+1:], cost); len(found) > 0 && (qualified || ofAddress(found[0].field)) {
			return found
		}
	}
	return nil
}

// among reads what is left without qualifiers, wherever they stand.
func (v *vocabulary) among(parts []string) []reading {
	rest, cost := v.without(parts, false)
	if found := v.bare(rest, cost); len(found) > 0 {
		return found
	}
	rest, cost = v.without(parts, true)
	return v.bare(rest, cost)
}

// several reads more words than one for the same field: "Phone (mobile)".
func (v *vocabulary) several(parts []string) []reading {
	rest, cost := v.without(parts, true)
	if len(rest) < 2 {
		return nil
	}
	common := v.bare(rest[:1], cost+.03)
	for _, p := range rest[1:] {
		more := v.bare([]string{p}, cost+.03)
		kept := make([]reading, 0, len(common))
		for _, a := range common {
			for _, b := range more {
				if a.field == b.field {
					a.confidence, a.vague = max(a.confidence, b.confidence), a.vague && b.vague
					kept = append(kept, a)
				}
			}
		}
		common = kept
	}
	return common
}

// withinAddress reads a part of an address: "Address 1 - City".
func (v *vocabulary) withinAddress(parts []string) []reading {
	rest, cost := v.without(parts, true)
	for i, p := range rest {
		if v.address[p] && len(rest) > 1 {
			found := v.bare(slices.Delete(slices.Clone(rest), i, i+1), cost+.01)
			return slices.DeleteFunc(found, func(r reading) bool { return !ofAddress(r.field) })
		}
	}
	return nil
}

// without leaves qualifiers out, and the number one if that is wanted.
func (v *vocabulary) without(parts []string, one bool) (rest []string, cost float64) {
	for _, p := range parts {
		if c, ok := v.qualifiers[p]; ok {
			cost += c
		} else if one && first(p) {
			cost += .03
		} else {
			rest = append(rest, p)
		}
	}
	return rest, cost
}

// bare reads what is left of a heading without qualifiers.
func (v *vocabulary) bare(rest []string, cost float64) []reading {
	folded := strings.Join(rest, "")
	if v.others[folded] || v.alone[folded] {
		return nil
	}
	return weaker(v.known(folded), cost, false)
}

func ofAddress(f contact.Field) bool {
	switch f {
	case contact.FieldAddress, contact.FieldZip, contact.FieldCity, contact.FieldState, contact.FieldCountry:
		return true
	}
	return false
}

// weaker are readings by a roundabout way, of fields that may be guessed.
func weaker(readings []reading, cost float64, alike bool) []reading {
	out := make([]reading, 0, len(readings))
	for _, r := range readings {
		if !guessable(r.field, nil) || r.field == contact.FieldContactID {
			continue
		}
		r.confidence, r.alike = r.confidence-cost, alike
		if r.field == contact.FieldEmail && cost >= .25 && cost < .3 {
			r.confidence += .1 // people have a work address of their own, but share phones
		}
		r.how = Word
		if alike {
			r.how = Similar
		}
		out = append(out, r)
	}
	return out
}

// tokens are the words of a heading, folded: apart at what is no letter or digit, between letters and digits, and, if
// that is wanted, between small and capital letters.
func tokens(heading string, camel bool) []string {
	if len(heading) > longest {
		return nil
	}
	var parts []string
	var last rune
	var b strings.Builder
	flush := func() {
		if folded := fold(b.String()); folded != "" {
			parts = append(parts, folded)
		}
		b.Reset()
	}
	for _, r := range norm.NFKC.String(visible(strings.ReplaceAll(heading, "#", " number "))) {
		letter, digit := unicode.IsLetter(r) || unicode.IsMark(r), unicode.IsDigit(r)
		switch {
		case !letter && !digit:
			flush()
		case digit != unicode.IsDigit(last) || camel && unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
		}
		if letter || digit {
			b.WriteRune(r)
		}
		last = r
	}
	flush()
	return parts
}
