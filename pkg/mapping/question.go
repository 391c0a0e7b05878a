package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/contactmill/contactmill/pkg/contact"
)

const answer = "contactmill jobs answer JOB"

// headingIsData reports whether the line of headings is a row: nothing in it is a name of a column while some of it is a
// value, or more of it is certainly a value than is known as a name.
func (m *mapper) headingIsData() bool {
	named, sure, likely := 0, 0, 0
	for i := range m.columns {
		c := &m.columns[i]
		if c.How == Remembered || c.How == Said && m.Said[place(i)] == "" {
			return false
		}
		if c.Field != contact.NoField && c.How != Said {
			named++
		}
		switch kindOf(m.headings.given[i]) {
		case email, phone, uuid:
			sure++
		case date:
			likely++
		case digits:
			if v := &m.values[i]; v.filled > 0 && v.share(digits, phone) >= most {
				likely++
			}
		}
	}
	return named == 0 && sure+likely > 0 || sure > 0 && sure >= named
}

// toldByPlace reports whether somebody said by their positions what the columns are.
func (m *mapper) toldByPlace() bool {
	for key := range m.Said {
		if isPlace(strings.TrimSpace(key)) {
			return true
		}
	}
	return false
}

// askHeading asks about a file whose first line is a row. What that says is somebody's data: it is not repeated.
func (m *mapper) askHeading() *Question {
	var maps []string
	for i, h := range m.headings.given {
		f := contact.NoField
		switch kindOf(h) {
		case email:
			f = contact.FieldEmail
		case phone:
			f = contact.FieldPhone
		}
		if f != contact.NoField && !slices.ContainsFunc(maps, func(s string) bool { return strings.Contains(s, "="+f.String()) }) {
			maps = append(maps, option(place(i), f.String()))
		}
	}
	if len(maps) == 0 {
		maps = []string{`--map "#1=FIELD"`}
	}
	return &Question{Code: "no-heading", Message: "The line where the names of the columns should be looks like a row of values.",
		Hint: fmt.Sprintf("Say what the columns are by their positions: %s %s, and so on; or which line has their names: %s --header-line LINE; or cancel the job and put a line of names first.", answer, strings.Join(maps, " "), answer)}
}

func askMissing(missing []string) *Question {
	shown := make([]string, 0, 5)
	for _, s := range missing[:min(len(missing), 5)] {
		shown = append(shown, cut(s))
	}
	if more := len(missing) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return &Question{Code: "mapped-column-missing",
		Message: fmt.Sprintf("The mapping names a column that the file does not have: %s.", strings.Join(shown, ", ")),
		Hint:    "Say which column has it now: " + answer + " --map HEADING=FIELD; or cancel the job."}
}

// ask finds what only a person can answer about the columns.
func (m *mapper) ask() *Question {
	byField := map[contact.Field][]int{}
	for i, c := range m.columns {
		if c.Field != contact.NoField {
			byField[c.Field] = append(byField[c.Field], i)
		}
	}
	for _, f := range m.Schema.Fields() {
		if same := byField[f]; len(same) > 1 {
			return m.askTwo(f, same)
		}
	}
	if !m.hasKey(byField) {
		return m.askKey()
	}
	return nil
}

func (m *mapper) askTwo(f contact.Field, same []int) *Question {
	name := m.Schema.Name(f)
	first, second := same[0], same[1]
	message := fmt.Sprintf("The columns %s and %s both look like %s.", cut(m.headings.given[first]), cut(m.headings.given[second]), name)
	if m.headings.compared[first] == m.headings.compared[second] {
		message = fmt.Sprintf("The columns %d and %d are both called %s.", first+1, second+1, cut(m.headings.given[first]))
	}
	options := make([]string, len(same))
	for n, i := range same {
		options[n] = option(m.call(i), Ignore)
		if n == 0 {
			options[n] = option(m.call(i), name)
		}
	}
	return &Question{Code: "two-columns-for-one-field", Message: message, Columns: same,
		Hint: fmt.Sprintf("Say which it is and ignore the other: %s %s", answer, strings.Join(options[:min(len(options), 10)], " "))}
}

func (m *mapper) askKey() *Question {
	if m.Keys != 0 {
		return m.askChosenKey()
	}
	hint := "Say which column is one: " + answer + " --map HEADING=external_id (or " + m.keyNames() + ")."
	for i := range m.columns {
		c := &m.columns[i]
		if s, ok := m.Schema.Spec(c.Guess); ok && s.Key != contact.NoKey && guessable(c.Guess, m.Schema) {
			hint = fmt.Sprintf("Say which column is one, for example: %s %s (or another column, as external_id, %s).", answer, option(m.call(i), s.Name), m.keyNames())
			break
		}
	}
	return &Question{Code: "no-key-column", Hint: hint,
		Message: "No column is known as a key, so rows cannot be recognised as contacts: it may have been renamed."}
}

// askChosenKey asks for a column of one of the keys that rows are matched by.
func (m *mapper) askChosenKey() *Question {
	var names, fields []string
	for k := range contact.Key(contact.Keys) {
		if !m.matchedBy(k) {
			continue
		}
		names = append(names, m.Schema.KeyName(k))
		if k.Unique() {
			fields = append(fields, m.Schema.KeyName(k))
		}
	}
	if m.matchedBy(contact.NameBirthZip) {
		for _, f := range fallback {
			if !slices.ContainsFunc(m.columns, func(c Column) bool { return c.Field == f }) {
				fields = append(fields, f.String())
			}
		}
	}
	hint := fmt.Sprintf("Say which column it is: %s --map HEADING=%s", answer, fields[0])
	for i := range m.columns {
		c := &m.columns[i]
		if s, ok := m.Schema.Spec(c.Guess); ok && slices.Contains(fields, s.Name) && guessable(c.Guess, m.Schema) {
			hint = fmt.Sprintf("Say which column it is, for example: %s %s", answer, option(m.call(i), s.Name))
			break
		}
	}
	return &Question{Code: "no-key-column", Message: fmt.Sprintf("Rows are to be matched by %s, and no column is known as that.", orList(names)),
		Hint: hint + "; or cancel the job and hand the file in with other keys to match by."}
}

// fallback are the fields that recognise a contact together.
var fallback = [...]contact.Field{contact.FieldFirstName, contact.FieldLastName, contact.FieldBirthDate, contact.FieldZip}

// orList is "a", "a or b", "a, b or c".
func orList(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " or " + names[n]
	}
	return strings.Join(names, "")
}

// matchedBy reports whether rows are matched by a key.
func (m *mapper) matchedBy(k contact.Key) bool {
	return k < contact.Keys && (m.Keys == 0 || m.Keys>>k&1 == 1)
}

func (m *mapper) hasKey(fields map[contact.Field][]int) bool {
	for f := range fields {
		if s, _ := m.Schema.Spec(f); m.matchedBy(s.Key) {
			return true
		}
	}
	if !m.matchedBy(contact.NameBirthZip) {
		return false
	}
	for _, f := range fallback {
		if len(fields[f]) == 0 {
			return false
		}
	}
	return true
}

// keyNames are the fields that are keys, but for the external id.
func (m *mapper) keyNames() string {
	var names []string
	for _, f := range m.Schema.Fields() {
		if s, _ := m.Schema.Spec(f); s.Key != contact.NoKey && f != contact.FieldExternalID && f != contact.FieldContactID {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (m *mapper) nothingMaps() *Problem {
	return &Problem{Code: "nothing-maps", Message: "No column of the file is known as a field: the first line may be data, or the headings have other names.",
		Hint: "Put a line of headings first, or map them: --map HEADING=FIELD. Fields are " + m.fieldNames() + "."}
}

func (m *mapper) unknownField(name string) *Problem {
	return &Problem{Code: "unknown-field", Message: fmt.Sprintf("There is no field %s.", cut(name)), Hint: "Fields are " + m.fieldNames() + "."}
}

func (m *mapper) fieldNames() string {
	var names []string
	for _, f := range m.Schema.Fields() {
		names = append(names, m.Schema.Name(f))
	}
	return strings.Join(names, ", ")
}

// call is how a column is named in a command: by its heading if that is one of its kind and safe between double quotes
// in any shell, else by its position.
func (m *mapper) call(i int) string {
	h := strings.TrimSpace(m.headings.given[i])
	if len(h) > 60 || m.headings.lasting()[i] != h || strings.HasPrefix(h, "-") {
		return place(i)
	}
	for _, r := range h {
		if !unicode.IsLetter(r) && !(r >= '0' && r <= '9') && !strings.ContainsRune(" -_./()", r) {
			return place(i)
		}
	}
	if h == "" || m.headings.lookAlike(i) {
		return place(i)
	}
	return h
}

func option(column, field string) string { return `--map "` + column + "=" + field + `"` }

// cut is a heading for people: quoted, with what cannot be seen escaped, and not too long.
func cut(s string) string {
	const limit = 60
	n := 0
	for i := range s {
		if n == limit {
			s = s[:i] + "…"
			break
		}
		n++
	}
	return strconv.Quote(s)
}
