package validator

import (
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// column is a column of the file and what it means.
type column struct {
	mapping.Column
	spec    contact.Spec
	dates   contact.DateRules
	decimal byte              // what stands before the decimals of its numbers; 0 where that is not known
	values  map[string]string // what its values mean, by the value as it is compared; nil for none

	order ingestv1.DateOrder // of dates, where it is known from the file that this one corrects
	point byte               // what stands before decimals, likewise
}

// columnsOf readies what mapping found.
func columnsOf(r mapping.Result, schema *contact.Schema, values map[string]*ingestv1.ValueMap) []column {
	columns := make([]column, len(r.Columns))
	for i, c := range r.Columns {
		columns[i] = column{Column: c}
		if r.HeadingIsData { // a heading that is somebody's data is shown nowhere
			columns[i].Heading = place(i)
		}
		spec, ok := schema.Spec(c.Field)
		if !ok {
			continue
		}
		columns[i].spec = spec
		switch spec.Type {
		case contact.TypeBirthDate:
			columns[i].dates.Pivot = contact.PivotCertain
		case contact.TypeMoment: // nobody keeps when a row was changed in the last century
			columns[i].dates.Pivot = contact.PivotCentury
		}
		if m := values[spec.Name].GetValues(); len(m) > 0 {
			columns[i].values = make(map[string]string, len(m))
			for from, to := range m {
				columns[i].values[comparedValue([]byte(from))] = to
			}
		}
	}
	return columns
}

// mapped tells whether the column has a field.
func (c *column) mapped() bool { return c.Field != contact.NoField }

// dated tells whether the column holds dates, or moments, which begin with one.
func (c *column) dated() bool {
	return c.mapped() && (c.spec.Type == contact.TypeBirthDate || c.spec.Type == contact.TypeDate || c.spec.Type == contact.TypeMoment)
}

// numbered tells whether the column holds numbers.
func (c *column) numbered() bool { return c.mapped() && c.spec.Type == contact.TypeNumber }

// toColumns is the columns for people. filled is nil where the file was not read.
func toColumns(columns []column, filled []int64) []*ingestv1.Column {
	out := make([]*ingestv1.Column, len(columns))
	for i := range columns {
		c := &columns[i]
		out[i] = &ingestv1.Column{Index: int32(i + 1), Heading: valid(c.Heading), Field: c.spec.Name, Confidence: c.Confidence, How: string(c.How)}
		if filled != nil {
			out[i].Filled = filled[i]
			if c.dated() && filled[i] > 0 {
				out[i].DateOrder = toOrder(c.dates.Order)
			}
		}
	}
	return out
}

// header is the columns as chunks have them.
func header(columns []column) row.Header {
	var h row.Header
	for i := range columns {
		h.Columns = append(h.Columns, row.Column{Heading: columns[i].Heading, Field: columns[i].spec.Name, Secret: columns[i].spec.Secret})
	}
	return h
}

func toQuestion(q *mapping.Question, columns []column) *ingestv1.Question {
	if q == nil {
		return nil
	}
	all := toColumns(columns, nil)
	out := &ingestv1.Question{Code: q.Code, Message: q.Message, Hint: q.Hint, Columns: all}
	if len(q.Columns) > 0 {
		out.Columns = nil
		for _, i := range q.Columns {
			out.Columns = append(out.Columns, all[i])
		}
	}
	return out
}

func toProblem(p *mapping.Problem) *ingestv1.Problem {
	if p == nil {
		return nil
	}
	return &ingestv1.Problem{Code: p.Code, Message: p.Message, Hint: p.Hint}
}

func toOrder(o contact.DateOrder) ingestv1.DateOrder {
	switch o {
	case contact.YMD:
		return ingestv1.DateOrder_DATE_ORDER_YMD
	case contact.DMY:
		return ingestv1.DateOrder_DATE_ORDER_DMY
	case contact.MDY:
		return ingestv1.DateOrder_DATE_ORDER_MDY
	}
	return ingestv1.DateOrder_DATE_ORDER_UNSPECIFIED
}

// fromOrder is false where nothing was said.
func fromOrder(o ingestv1.DateOrder) (contact.DateOrder, bool) {
	switch o {
	case ingestv1.DateOrder_DATE_ORDER_YMD:
		return contact.YMD, true
	case ingestv1.DateOrder_DATE_ORDER_DMY:
		return contact.DMY, true
	case ingestv1.DateOrder_DATE_ORDER_MDY:
		return contact.MDY, true
	}
	return contact.ISO, false
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
