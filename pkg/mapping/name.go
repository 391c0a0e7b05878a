package mapping

import (
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
)

// vornamen are words for the first name in languages where "name" beside it is the last name.
var vornamen = []string{"vorname", "vornamen", "rufname", "voornaam", "voornamen", "roepnaam"}

// namesTogether reads a column that is called no more than "name" beside one of first names: in German and French files it
// is the last name. Beside one of last names alone it may be the first. Where the sample shows that it has the other name
// in it, it is the full name.
func (m *mapper) namesTogether(readings [][]reading) {
	first, last := -1, -1
	for i := range m.columns {
		switch m.likely(i, readings[i]) {
		case contact.FieldFirstName:
			first = i
		case contact.FieldLastName:
			last = i
		}
	}
	if first >= 0 == (last >= 0) {
		return
	}
	for i := range m.columns {
		word := m.headings.folded[i]
		if m.settled[i] || len(readings[i]) == 0 || word != "nom" && word != "name" && word != "naam" {
			continue
		}
		both, within := m.compareNames(max(first, last), i)
		known := both >= fewCells
		switch {
		case known && within*2 > both:
			readings[i] = []reading{{field: contact.FieldFullName, confidence: .9, how: Word}}
		case first >= 0 && (word == "nom" || slices.Contains(vornamen, m.headings.folded[first]) || known && within == 0):
			readings[i] = []reading{{field: contact.FieldLastName, confidence: .85, how: Word}}
		case last >= 0 && known && within == 0:
			readings[i] = []reading{{field: contact.FieldFirstName, confidence: .85, how: Word}}
		}
	}
}

// likely is the field that a column means as far as is known without its values.
func (m *mapper) likely(i int, readings []reading) contact.Field {
	if m.settled[i] {
		return m.columns[i].Field
	}
	for _, r := range readings {
		if r.confidence >= Enough {
			return r.field
		}
	}
	return contact.NoField
}

// compareNames counts the rows of the sample that have both a first name and the other name, and those of them where the
// first is a part of the other.
func (m *mapper) compareNames(first, other int) (both, within int) {
	for _, row := range m.Sample[:min(len(m.Sample), SampleRows)] {
		if first >= len(row) || other >= len(row) || len(row[first]) > 300 || len(row[other]) > 1000 {
			continue
		}
		a, b := fold(row[first]), fold(row[other])
		if a == "" || b == "" {
			continue
		}
		both++
		if strings.Contains(b, a) && a != b {
			within++
		}
	}
	return both, within
}
