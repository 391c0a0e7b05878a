// Package mapping finds out which field each column of a file means: by what the submitter said, what was confirmed for
// the same headings before, the fields' own names, the words that ten languages and the usual programs have for them,
// and, last, words that are nearly so. The values of the first rows may speak for or against a word; alone they prove
// nothing. What stays open is a question for a person. Consent and secrets are never guessed.
//
// It is pure: the same request has the same result, nothing is kept.
package mapping

import (
	"slices"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const (
	// Enough is the confidence below which a column is not mapped by itself.
	Enough = .75
	// Ignore in the place of a field says that a column is not to be mapped.
	Ignore = "-"
	// SampleRows is how many rows are looked at, at most.
	SampleRows = 50
)

// How says what a mapping goes by. The values are stored and shown.
type How string

const (
	Said       How = "said"       // by the submitter
	Remembered How = "remembered" // as it was confirmed for these headings before
	Name       How = "name"       // the field's name or label, or a heading that the account listed for it
	Word       How = "word"       // a usual word for the field
	Similar    How = "similar"    // nearly such a word, or one with look-alike letters in it
	OfReport   How = "report"     // a column that a report added: it is mapped to nothing
)

// Request is what there is to go by.
type Request struct {
	Headings []string        // the line of column names
	Schema   *contact.Schema // the account's fields

	// Said and Remembered lead from columns to names of fields, or to Ignore. A column is named by its heading, by its
	// position ("#3", from 1), or by which it is of several with one heading ("#2 of Email"). What was said has to fit the
	// file; what was remembered counts as far as it fits.
	Said, Remembered map[string]string

	Sample [][]string // the first rows, as text; nil if there are none to be seen

	Keys     uint16 // those that rows are matched by, bit n for key n; 0 for all: the file needs one of them
	Compared bool   // values are compared by their age, so that it matters which column says when a row was changed
}

// Column is what was found out about a column.
type Column struct {
	Heading    string        // as in the file
	Field      contact.Field // NoField where the column is ignored
	Confidence float64       // 0 to 1
	How        How           // empty where nobody said anything and nothing was found
	Guess      contact.Field // where the column is ignored and nobody said so: the field that comes nearest, or NoField
}

// Question is what only a person can answer.
type Question struct {
	Code    string // no-heading, mapped-column-missing, two-columns-for-one-field or no-key-column
	Message string // one sentence; says headings, never cells
	Hint    string // how to answer, as a command
	Columns []int  // the columns concerned, from 0; none for the file as a whole
}

// Problem is what nobody can answer as long as file and request are as they are.
type Problem struct {
	Code    string // nothing-maps or unknown-field
	Message string // one sentence
	Hint    string // what to do
}

// Warning is a remark on a heading.
type Warning struct {
	Code   contact.Code
	Column int // from 0
}

// Result is the columns and what is to be done about them. At most one of Question and Problem is set.
type Result struct {
	Columns  []Column // as many as headings, in their order
	Question *Question
	Problem  *Problem
	Warnings []Warning

	// HeadingIsData says that the line of headings is a row: its cells are values, and what is mapped was told by position.
	HeadingIsData bool

	// HeadingsKey stands for the headings as they are compared, whatever their order. Mappings are remembered under it.
	HeadingsKey [32]byte
}

// Map finds the field of each column.
func Map(r Request) Result {
	m := newMapper(r)
	res := Result{Columns: m.columns, HeadingsKey: m.headings.key()}
	if res.Problem = m.say(); res.Problem != nil {
		return res
	}
	missing := m.missing()
	m.remember()
	m.match()
	m.settle()
	res.HeadingIsData = m.headingIsData()
	if res.HeadingIsData {
		m.forget()
	}
	switch {
	case len(missing) > 0:
		res.Question = askMissing(missing)
	case res.HeadingIsData && !m.toldByPlace():
		res.Question = m.askHeading()
	case !slices.ContainsFunc(m.columns, func(c Column) bool { return c.Field != contact.NoField }):
		res.Problem = m.nothingMaps()
	default:
		res.Question = m.ask()
	}
	res.Warnings = m.warnings
	return res
}

// Remember returns what is to be remembered of a mapping that a person confirmed: every column's field by its heading,
// or by which it is of several with one heading. It is meant for Request.Remembered under the same HeadingsKey. Headings
// that are data are not to be kept: then it is nil.
func (r Result) Remember(schema *contact.Schema) map[string]string {
	if r.HeadingIsData {
		return nil
	}
	headings := make([]string, len(r.Columns))
	for i := range r.Columns {
		headings[i] = r.Columns[i].Heading
	}
	names := newHeadings(headings).lasting()
	fields := make(map[string]string, len(headings))
	for i, c := range r.Columns {
		name := Ignore
		if c.Field != contact.NoField {
			name = schema.Name(c.Field)
		}
		fields[names[i]] = name
	}
	return fields
}

// mapper is a mapping at work.
type mapper struct {
	Request
	headings headings
	words    *vocabulary
	values   []values // what the sample shows, by column
	columns  []Column
	settled  []bool // said or remembered, by column
	keys     map[string]bool
	warnings []Warning
}

func newMapper(r Request) *mapper {
	m := &mapper{Request: r, headings: newHeadings(r.Headings), words: newVocabulary(r.Schema), columns: make([]Column, len(r.Headings)),
		settled: make([]bool, len(r.Headings)), keys: map[string]bool{}}
	for i, h := range r.Headings {
		m.columns[i].Heading = h
	}
	m.values = look(r.Sample, len(r.Headings))
	return m
}

// say maps what the submitter said, and notes which of his words were of use.
func (m *mapper) say() *Problem {
	found := m.headings.resolve(m.Said, true, m.keys)
	for i, key := range found {
		if key == "" {
			continue
		}
		c := &m.columns[i]
		m.settled[i], c.How = true, Said
		if name := m.Said[key]; name != Ignore {
			f, ok := m.Schema.Field(name)
			if !ok {
				return m.unknownField(name)
			}
			c.Field, c.Confidence = f, 1
		}
	}
	return nil
}

// missing are the columns that were said and that the file does not have.
func (m *mapper) missing() []string {
	var missing []string
	for key := range m.Said {
		if !m.keys[key] {
			missing = append(missing, key)
		}
	}
	slices.Sort(missing)
	return missing
}

// remember maps what nobody said now but somebody confirmed before. Fields that the account no longer has are left to
// the words, and so are positions: the headings may stand in another order today.
func (m *mapper) remember() {
	for i, key := range m.headings.resolve(m.Remembered, false, map[string]bool{}) {
		if key == "" || m.settled[i] {
			continue
		}
		c := &m.columns[i]
		if name := m.Remembered[key]; name != Ignore {
			f, ok := m.Schema.Field(name)
			if !ok {
				continue
			}
			c.Field, c.Confidence = f, 1
		}
		m.settled[i], c.How = true, Remembered
	}
}

// match maps by headings what nobody spoke of.
func (m *mapper) match() {
	readings := make([][]reading, len(m.columns))
	for i := range m.columns {
		if !m.settled[i] {
			readings[i] = m.words.read(m.headings.given[i], m.headings.folded[i])
		}
		if m.headings.lookAlike(i) || len(readings[i]) > 0 && readings[i][0].alike {
			m.warnings = append(m.warnings, Warning{Code: finding.HeadingLookAlike, Column: i})
		}
	}
	m.namesTogether(readings)
	for i := range m.columns {
		if m.settled[i] {
			continue
		}
		best, ok := m.values[i].weigh(readings[i], m.Schema)
		c := &m.columns[i]
		switch {
		case best.field == contact.NoField && m.saysChanged(i):
			c.Field, c.Confidence, c.How = contact.FieldChangedAt, sureOfChanged, Word
		case best.field == contact.FieldChangedAt && !m.Compared && m.values[i].filled >= fewCells && !m.mostlyMoments(i):
			c.Guess = best.field
		case best.field == contact.NoField && m.values[i].filled >= fewCells && m.values[i].share(email) >= most && !m.words.others[m.headings.folded[i]]:
			c.Guess = contact.FieldEmail
		case best.field == contact.NoField:
		case !ok || best.confidence < Enough:
			c.Guess = best.field
		default:
			c.Field, c.Confidence, c.How = best.field, best.confidence, best.how
		}
	}
}

// forget takes back what was found by headings, for they are somebody's data.
func (m *mapper) forget() {
	m.warnings = nil
	for i := range m.columns {
		if !m.settled[i] {
			m.columns[i] = Column{Heading: m.columns[i].Heading}
		}
	}
}

// settle leaves a field to the column that was told, else to one that has values where others have none in the sample,
// else to the surest. Equals stay, for a person to choose.
func (m *mapper) settle() {
	byField := map[contact.Field][]int{}
	for i := range m.columns {
		if f := m.columns[i].Field; f != contact.NoField {
			byField[f] = append(byField[f], i)
		}
	}
	for _, same := range byField {
		if len(same) < 2 {
			continue
		}
		worth := func(i int) (w float64) {
			switch c := m.columns[i]; {
			case c.How == Said:
				return 4
			case c.How == Remembered:
				return 3
			case len(m.Sample) < fewRows || m.values[i].filled > 0:
				return 1 + c.Confidence
			default:
				return c.Confidence
			}
		}
		best := slices.MaxFunc(same, func(a, b int) int { return compareFloat(worth(a), worth(b)) })
		for _, i := range same {
			if worth(i) < worth(best) {
				c := &m.columns[i]
				*c = Column{Heading: c.Heading, Guess: c.Field}
			}
		}
	}
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
