package contact

import "strings"

// MatchHeading proposes the standard field for a column's heading, with a confidence from 0 to 1: 1 is the field's own
// name or label, from .9 a usual word for it in one of six languages, .6 to .9 a word that may mean something narrower
// (a business phone), and below that a guess from a slip of the pen. NoField with 0 says that nothing fits. When two
// columns propose one field the higher confidence wins; equals are a question for a person.
//
// Headings are compared folded, as names are: case, accents, spaces and punctuation do not matter. Consent is never
// guessed from a heading.
func MatchHeading(heading string) (Field, float64) {
	if len(heading) > 300 {
		return NoField, 0
	}
	folded := string(AppendFolded(nil, []byte(heading)))
	if folded == "" {
		return NoField, 0
	}
	for f := NoField + 1; f < fieldEnd; f++ {
		if folded == strings.ReplaceAll(fields[f].Name, "_", "") || folded == string(AppendFolded(nil, []byte(fields[f].Label))) {
			return f, 1
		}
	}
	best, confidence := matchWord(folded)
	if best == NoField && len(folded) > 3 && strings.HasSuffix(folded, "1") {
		if best, confidence = matchWord(strings.TrimSuffix(folded, "1")); best != NoField {
			confidence -= .05
		}
	}
	if best == NoField && len(folded) >= 7 && !strings.ContainsAny(folded, "0123456789") {
		best, confidence = matchSlip(folded)
	}
	return best, confidence
}

func matchWord(folded string) (Field, float64) {
	for i := range headingWords {
		for word := range strings.FieldsSeq(headingWords[i].words) {
			if word == folded {
				return headingWords[i].field, headingWords[i].confidence
			}
		}
	}
	return NoField, 0
}

// matchSlip finds the one word that differs from the heading by a single letter left out, put in or exchanged, or by
// two neighbours swapped. Short words are left alone: county is no country.
func matchSlip(folded string) (Field, float64) {
	found := NoField
	for i := range headingWords {
		if headingWords[i].confidence < .9 {
			continue
		}
		for word := range strings.FieldsSeq(headingWords[i].words) {
			if len(word) < 8 || !slip(word, folded) {
				continue
			}
			if found != NoField && found != headingWords[i].field {
				return NoField, 0
			}
			found = headingWords[i].field
		}
	}
	if found == NoField {
		return NoField, 0
	}
	return found, .5
}

func slip(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch len(a) - len(b) {
	case 0:
		return len(a) > 0 && (a[1:] == b[1:] || len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:])
	case 1:
		return a[1:] == b
	case -1:
		return a == b[1:]
	}
	return false
}
