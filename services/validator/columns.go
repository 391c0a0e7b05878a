package validator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// enough is the confidence below which a heading is not mapped by itself.
const enough = .75

// ignore as a field says that a column is not to be mapped.
const ignore = "-"

// column is a column of the file and what it means.
type column struct {
	heading    string
	field      contact.Field // NoField where it is ignored
	spec       contact.Spec
	confidence float64
	said       bool // by the submitter
	dates      contact.DateRules
}

// mapColumns finds the field of each column: what the submitter said, else what the heading says. A question means that
// only a person can go on, a problem that nobody can.
func mapColumns(headings []string, said map[string]string) ([]column, *ingestv1.Question, *ingestv1.Problem) {
	columns := make([]column, len(headings))
	fields := map[string]string{} // what was said, by the heading as it is compared
	for heading, field := range said {
		fields[compared(heading)] = field
	}
	used := map[string]bool{}
	for i, h := range headings {
		c := column{heading: h}
		key := place(i)
		name, ok := fields[key]
		if !ok {
			key = compared(h)
			name, ok = fields[key]
		}
		if ok {
			used[key], c.said = true, true
			if name != ignore {
				f, known := contact.FieldByName(name)
				if !known {
					return nil, nil, &ingestv1.Problem{Code: "unknown-field", Message: fmt.Sprintf("There is no field %q.", name), Hint: "Fields are " + fieldNames() + "."}
				}
				c.field, c.confidence = f, 1
			}
		} else if f, sure := contact.MatchHeading(h); sure >= enough {
			c.field, c.confidence = f, sure
		}
		columns[i] = c
	}
	var missing []string
	for heading := range said {
		if !used[compared(heading)] {
			missing = append(missing, heading)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return columns, &ingestv1.Question{Code: "mapped-column-missing",
			Message: fmt.Sprintf("The mapping names a column that the file does not have: %s.", strings.Join(missing, ", ")),
			Hint:    "Say which column has it now: contactmill jobs answer JOB --map HEADING=FIELD; or cancel the job."}, nil
	}
	settle(columns)
	for i := range columns {
		columns[i].spec, _ = columns[i].field.Spec()
	}
	return columns, ask(columns), refuse(columns)
}

// settle lets a column that was mapped by the submitter, or surer than others, have its field alone.
func settle(columns []column) {
	for i := range columns {
		a := &columns[i]
		for j := range columns {
			b := &columns[j]
			if i == j || a.field == contact.NoField || a.field != b.field {
				continue
			}
			if !a.said && (b.said || a.confidence < b.confidence) {
				a.field, a.confidence = contact.NoField, 0
			}
		}
	}
}

func refuse(columns []column) *ingestv1.Problem {
	for _, c := range columns {
		if c.field != contact.NoField {
			return nil
		}
	}
	return &ingestv1.Problem{Code: "nothing-maps", Message: "No column of the file is known as a field: the first line may be data, or the headings have other names.",
		Hint: "Put a line of headings first, or map them: --map HEADING=FIELD. Fields are " + fieldNames() + "."}
}

// ask finds what only a person can answer about the columns.
func ask(columns []column) *ingestv1.Question {
	byField := map[contact.Field][]int{}
	for i, c := range columns {
		if c.field != contact.NoField {
			byField[c.field] = append(byField[c.field], i)
		}
	}
	for _, f := range contact.Fields() {
		same := byField[f]
		if len(same) < 2 {
			continue
		}
		a, b := columns[same[0]].heading, columns[same[1]].heading
		message := fmt.Sprintf("The columns %q and %q both look like %s.", a, b, f)
		if compared(a) == compared(b) {
			message = fmt.Sprintf("The columns %d and %d are both called %q.", same[0]+1, same[1]+1, a)
			a, b = place(same[0]), place(same[1])
		}
		return &ingestv1.Question{Code: "two-columns-for-one-field", Message: message,
			Hint:    fmt.Sprintf("Say which it is and ignore the other: contactmill jobs answer JOB --map %q --map %q", a+"="+f.String(), b+"="+ignore),
			Columns: toColumns(columns, nil)}
	}
	if len(byField) > 0 && !hasKey(byField) {
		return &ingestv1.Question{Code: "no-key-column",
			Message: "No column is known as a key, so rows cannot be recognised as contacts: it may have been renamed.",
			Hint:    "Say which column is one: contactmill jobs answer JOB --map HEADING=external_id (or email, phone, account_number, ssn, vat_number).",
			Columns: toColumns(columns, nil)}
	}
	return nil
}

func hasKey[T any](fields map[contact.Field]T) bool {
	for f := range fields {
		if s, _ := f.Spec(); s.Key != contact.NoKey {
			return true
		}
	}
	for _, f := range []contact.Field{contact.FieldFirstName, contact.FieldLastName, contact.FieldBirthDate, contact.FieldZip} {
		if _, ok := fields[f]; !ok {
			return false
		}
	}
	return true
}

// place names a column by its position, for files in which a heading occurs twice.
func place(i int) string { return "#" + strconv.Itoa(i+1) }

// compared is how headings are told apart: trimmed, without case.
func compared(heading string) string { return strings.ToLower(strings.TrimSpace(heading)) }

func fieldNames() string {
	var names []string
	for _, f := range contact.Fields() {
		names = append(names, f.String())
	}
	return strings.Join(names, ", ")
}

func toColumns(columns []column, filled []int64) []*ingestv1.Column {
	out := make([]*ingestv1.Column, len(columns))
	for i, c := range columns {
		out[i] = &ingestv1.Column{Index: int32(i + 1), Heading: strings.ToValidUTF8(c.heading, "�"), Field: c.field.String(), Confidence: c.confidence}
		if filled != nil {
			out[i].Filled = filled[i]
		}
	}
	return out
}

// header is the columns as chunks have them.
func header(columns []column) row.Header {
	var h row.Header
	for _, c := range columns {
		h.Columns = append(h.Columns, row.Column{Heading: c.heading, Field: c.field.String(), Secret: c.spec.Secret})
	}
	return h
}
