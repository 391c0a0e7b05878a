package mapping

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"golang.org/x/text/unicode/norm"
)

// shortest is how many letters a word has to have before a slip of the pen in it is forgiven; in words shorter than
// firm the first letter has to be right.
const (
	shortest = 6
	firm     = 9
)

// slipped is the confidence in a word with one slip.
const slipped = .8

// spelling is a word that headings are compared with letter by letter.
type spelling struct {
	letters []rune
	mask    uint64
	field   contact.Field // NoField for what is no field of ours
}

func spell(folded string, f contact.Field) spelling {
	return spelling{letters: []rune(folded), mask: mask(folded), field: f}
}

// mask has a bit for each letter that occurs.
func mask(s string) (m uint64) {
	for _, r := range s {
		m |= 1 << (uint32(r) % 64)
	}
	return m
}

// lengths are words by how many letters they have.
type lengths [][]spelling

func byLength(all []spelling) lengths {
	var l lengths
	for _, s := range all {
		for len(l) <= len(s.letters) {
			l = append(l, nil)
		}
		l[len(s.letters)] = append(l[len(s.letters)], s)
	}
	return l
}

// near are the words with as many letters as a word has, one less or one more.
func (l lengths) near(letters int) lengths {
	return l[min(letters-1, len(l)):min(letters+2, len(l))]
}

// spellings are the sure words of a dictionary and all that are no fields.
func spellings(d *dictionary) lengths {
	var near []spelling
	for word, readings := range d.words {
		if r := readings[0]; r.confidence >= .9 && guessable(r.field, nil) && r.field != contact.FieldContactID && len(word) >= shortest {
			near = append(near, spell(word, r.field))
		}
	}
	for word, readings := range d.names {
		if f := readings[0].field; guessable(f, nil) && f != contact.FieldContactID && len(word) >= shortest && len(d.words[word]) == 0 {
			near = append(near, spell(word, f))
		}
	}
	for word := range d.others {
		if len(word) >= shortest-1 {
			near = append(near, spell(word, contact.NoField))
		}
	}
	return byLength(near)
}

// ownSpellings are the names, labels and listed headings of an account's own fields, without consent and secrets.
func ownSpellings(own []contact.Spec) lengths {
	var near []spelling
	for i := range own {
		for _, word := range append([]string{own[i].Name, own[i].Label}, own[i].Headings...) {
			folded := fold(word)
			if len(folded) < shortest || len(folded) > 128 {
				continue
			}
			f := own[i].Number
			if own[i].Secret || own[i].Type == contact.TypeAuthorisation {
				f = contact.NoField
			}
			near = append(near, spell(folded, f))
		}
	}
	return byLength(near)
}

// similar reads a heading that is one slip away from the words of one field alone.
func (v *vocabulary) similar(folded string) []reading {
	if utf8.RuneCountInString(folded) < shortest || len(folded) > 96 {
		return nil
	}
	given := spell(folded, contact.NoField)
	found, any := contact.NoField, false
	for _, near := range slices.Concat(v.near.near(len(given.letters)), v.dictionary.near.near(len(given.letters))) {
		for i := range near {
			s := &near[i]
			if bits.OnesCount64(s.mask^given.mask) > 2 || len(s.letters) < shortest || len(s.letters) < firm && s.letters[0] != given.letters[0] || !slip(s.letters, given.letters) {
				continue
			}
			if s.field == contact.NoField || any && s.field != found {
				return nil
			}
			found, any = s.field, true
		}
	}
	if !any {
		return nil
	}
	return []reading{{field: found, confidence: slipped, how: Similar}}
}

// slip reports whether a letter left out, put in or exchanged, or two neighbours swapped, makes a of b. Digits are no
// letters: address 2 is not address 1.
func slip(a, b []rune) bool {
	if d := len(a) - len(b); d > 1 || d < -1 {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	if len(a) > 0 && unicode.IsDigit(a[0]) || len(b) > 0 && unicode.IsDigit(b[0]) {
		return false
	}
	switch len(a) - len(b) {
	case 0:
		return len(a) > 0 && (same(a[1:], b[1:]) || len(a) > 1 && a[0] == b[1] && a[1] == b[0] && same(a[2:], b[2:]))
	case 1:
		return same(a[1:], b)
	default:
		return same(a, b[1:])
	}
}

func same(a, b []rune) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// lookAlikes are letters of other scripts that look like Latin ones, small or capital, after folding.
var lookAlikes = func() map[rune]rune {
	m := map[rune]rune{}
	latin := []rune("aeopcyxksijhdqwlbmthagaeiopktxynmzhb")
	other := []rune("аеорсухкѕіјһԁԛԝӏвмтнɑɡαειορκτχυνμζηβ")
	for i, r := range other {
		m[r] = latin[i]
	}
	return m
}()

// skeleton is what a folded word looks like.
func skeleton(folded string) string {
	if ascii(folded) {
		return folded
	}
	return strings.Map(func(r rune) rune {
		if l, ok := lookAlikes[r]; ok {
			return l
		}
		return r
	}, folded)
}

// lookAlike reports whether a word of a heading is written in two scripts with letters that look alike.
func (h headings) lookAlike(i int) bool {
	if len(h.given[i]) > longest || ascii(h.given[i]) {
		return false
	}
	latin, alike := false, false
	for _, r := range norm.NFKC.String(visible(h.given[i])) {
		switch {
		case !unicode.IsLetter(r):
			latin, alike = false, false
		case unicode.Is(unicode.Latin, r) && lookAlikes[r] == 0:
			latin = true
		default:
			alike = alike || lookAlikes[unicode.ToLower(r)] != 0
		}
		if latin && alike {
			return true
		}
	}
	return false
}
