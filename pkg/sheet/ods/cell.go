package ods

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/numfmt"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// stored is what a cell's element says of its value.
type stored struct {
	kind    string // of the value
	value   string // in the attribute that belongs to the kind
	formula bool
	failed  bool
}

// readCell reads the cell that has just begun and returns the column behind it.
func (r *Rows) readCell(column int) (int, error) {
	repeats, ok := repeated(r.t.AttrIn(tableSpace, "number-columns-repeated"))
	if !ok {
		return 0, markup.ErrDamaged
	}
	covered := r.t.In(tableSpace, "covered-table-cell")
	s, err := r.readStored()
	if err != nil {
		return 0, err
	}
	if r.shown, err = appendParagraphs(r.shown[:0], r.t); err != nil {
		return 0, err
	}
	next := column + int(min(repeats, maxRepeats))
	cell := r.resolve(&s)
	if covered || len(cell.Text) == 0 && cell.Kind == xlsx.Text {
		return min(next, maxRepeats), nil
	}
	return next, r.place(column, repeats, cell)
}

func (r *Rows) readStored() (stored, error) {
	s := stored{
		kind:    string(r.t.AttrIn(officeSpace, "value-type")),
		formula: r.t.AttrIn(tableSpace, "formula") != nil,
		failed:  string(r.t.AttrIn(extensionSpace, "value-type")) == "error",
	}
	name := ""
	switch s.kind {
	case "float", "percentage", "currency":
		name = "value"
	case "date", "time", "boolean", "string":
		name = s.kind + "-value"
	default:
		return s, nil
	}
	var err error
	s.value, err = r.t.DecodedIn(officeSpace, name)
	return s, err
}

// resolve makes the cell of what is stored and what is shown.
func (r *Rows) resolve(s *stored) xlsx.Cell {
	switch {
	case s.failed:
		return r.cell(r.shown, xlsx.Failed)
	case s.kind == "string" && s.value != "":
		return r.cell([]byte(s.value), xlsx.Text)
	case s.kind == "" && s.formula && len(r.shown) == 0:
		return xlsx.Cell{Kind: xlsx.NoValue}
	case s.value == "":
		return r.cell(r.shown, xlsx.Text)
	}
	switch s.kind {
	case "float", "percentage", "currency":
		return r.number([]byte(s.value))
	case "date":
		return r.cell(r.date(s.value), xlsx.Date)
	case "time":
		return r.cell([]byte(clock(s.value)), xlsx.Text)
	}
	if s.value == "true" || s.value == "false" {
		return r.cell([]byte(strings.ToUpper(s.value)), xlsx.Bool)
	}
	return r.cell(r.shown, xlsx.Text)
}

// cell copies a text into the row.
func (r *Rows) cell(text []byte, kind xlsx.Kind) xlsx.Cell {
	from := len(r.arena)
	r.arena = append(r.arena, text...)
	return xlsx.Cell{Text: r.arena[from:len(r.arena):len(r.arena)], Kind: kind}
}

// number makes a cell of a stored number, or of what is shown of it if that only adds zeros and fixed marks.
func (r *Rows) number(value []byte) xlsx.Cell {
	text, reading := numfmt.AppendNumber(nil, value)
	switch {
	case reading == numfmt.AsRounded:
		return r.cell(text, xlsx.Rounded)
	case reading == numfmt.AsText:
		return r.cell(text, xlsx.Text)
	case isPadded(r.shown, text):
		return r.cell(r.shown, xlsx.Text)
	}
	return r.cell(text, xlsx.Number)
}

// isPadded reports whether what is shown are the digits of a number with zeros before them or fixed marks among them.
func isPadded(shown, number []byte) bool {
	digits := make([]byte, 0, len(shown))
	marks := false
	for _, c := range shown {
		switch {
		case '0' <= c && c <= '9':
			digits = append(digits, c)
		case c == '-' || c == '/' || c == '(' || c == ')':
			marks = true
		case c != ' ':
			return false
		}
	}
	zeros := len(digits) > 1 && digits[0] == '0'
	return (zeros || marks) && bytes.Equal(bytes.TrimLeft(digits, "0"), bytes.TrimLeft(number, "0"))
}

// date is a stored date as finely as it is shown.
func (r *Rows) date(value string) []byte {
	day, clock, timed := strings.Cut(value, "T")
	whole, fraction, _ := strings.Cut(clock, ".")
	if !timed || strings.Trim(clock, "0:.Z") == "" || bytes.IndexByte(r.shown, ':') < 0 {
		return []byte(day)
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	return []byte(day + "T" + whole)
}

// clock makes 13:45:00 of PT13H45M00S. What is no such duration stays.
func clock(value string) string {
	rest, ok := strings.CutPrefix(value, "PT")
	if !ok {
		return value
	}
	var parts [3]string
	for i, unit := range []string{"H", "M", "S"} {
		number, behind, found := strings.Cut(rest, unit)
		if !found {
			number, behind = "", rest
		}
		whole, fraction, _ := strings.Cut(strings.Replace(number, ",", ".", 1), ".")
		n, err := strconv.ParseUint("0"+whole, 10, 32)
		if err != nil {
			return value
		}
		parts[i] = strconv.FormatUint(n, 10)
		if n < 10 {
			parts[i] = "0" + parts[i]
		}
		if fraction = strings.TrimRight(fraction, "0"); fraction != "" && unit == "S" {
			parts[i] += "." + fraction
		}
		rest = behind
	}
	return parts[0] + ":" + parts[1] + ":" + parts[2]
}
