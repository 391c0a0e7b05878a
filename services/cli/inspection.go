package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"github.com/contactmill/contactmill/pkg/jsonview"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

const (
	usualWidth    = 120 // places of a line where there is no terminal that could be asked
	headingWidth  = 28
	valueWidth    = 28
	samplesWidth  = 44
	mostSamples   = 4
	findingIndent = "        "
)

// inspection shows what was found: the file, its columns, the first rows, and what the job would say.
func (p *program) inspection(h *validatorv1.InspectHeader, found *validatorv1.Inspection) {
	fmt.Fprintf(p.out, "%s  %s\n", printable(h.FileName), humanize.Bytes(uint64(max(0, h.Size))))
	if found.File != nil {
		fmt.Fprintf(p.out, "  %s\n", factsLine(found.File))
		p.fileRemarks(found.File)
	}
	if found.CorrectsNumber > 0 {
		fmt.Fprintf(p.out, "  the report of job %d, to be handed in corrected\n", found.CorrectsNumber)
	}
	if len(found.Columns) > 0 {
		fmt.Fprintln(p.out)
		p.inspectedColumns(found.Columns)
	}
	if len(found.Rows) > 0 {
		fmt.Fprintln(p.out)
		p.inspectedRows(found)
	}
	if found.RowsSeen > 0 {
		fmt.Fprintf(p.out, "\n%s and %s were looked at.\n", rows(found.RowsSeen), humanize.Bytes(uint64(max(0, found.BytesSeen))))
	}
	if q := found.Question; q != nil {
		p.ending("The job would ask", q.Code, q.Message, q.Hint)
		fmt.Fprintln(p.out, "  contactmill import takes the same flags, so that nothing is asked.")
	}
	if r := found.Rejected; r != nil {
		p.ending("The file would be refused", r.Code, r.Message, r.Hint)
	}
}

func (p *program) ending(what, code, message, hint string) {
	fmt.Fprintf(p.out, "\n%s: %s: %s\n", what, printable(code), printable(message))
	if hint != "" {
		fmt.Fprintf(p.out, "  %s\n", printable(hint))
	}
}

// inspectedColumns is a table of the columns and what they are taken for.
func (p *program) inspectedColumns(columns []*validatorv1.InspectedColumn) {
	g := &grid{right: map[int]bool{0: true, 3: true, 5: true, 6: true}}
	g.add("#", "HEADING", "FIELD", "SURE", "BY", "FILLED", "VALUES", "SAMPLES")
	for _, c := range columns {
		field, sure := c.Field, percent(c.Confidence)
		switch {
		case field == "" && c.How == ofReport:
			field, sure = "– (of the report)", ""
		case field == "" && c.How == "said":
			field, sure = "– (ignored)", ""
		case field == "":
			field, sure = "–"+looks(c.Votes), ""
		case c.Dates.GetOrder() != 0:
			field += " (" + jsonview.EnumName(c.Dates.Order) + ")"
		}
		samples := c.Samples
		if len(samples) > mostSamples {
			samples = samples[:mostSamples]
		}
		g.add(strconv.Itoa(int(c.Index)), cut(c.Heading, headingWidth), cut(field, headingWidth), sure, printable(c.How), percent(c.FillRate),
			humanize.Comma(c.Distinct), cut(strings.Join(samples, " · "), samplesWidth))
	}
	g.print(p.out)
}

// looks is what most cells of a column without a field can be read as, if that tells anything.
func looks(votes map[string]int64) string {
	var best string
	var most, all int64
	for _, kind := range slices.Sorted(maps.Keys(votes)) {
		all = max(all, votes[kind])
		if kind != "text" && votes[kind] > most {
			best, most = kind, votes[kind]
		}
	}
	if most == 0 || 2*most < all {
		return ""
	}
	return " (looks like " + strings.ReplaceAll(best, "_", " ") + ")"
}

func percent(share float64) string { return strconv.Itoa(int(share*100+.5)) + " %" }

// inspectedRows is a table of the rows as they are understood, as many fields as a line has room for, with what there is
// to say of a row below it.
func (p *program) inspectedRows(found *validatorv1.Inspection) {
	fields := fieldsOf(found)
	g := &grid{right: map[int]bool{1: true}}
	g.add(append([]string{"", "LINE"}, fields...)...)
	for _, r := range found.Rows {
		cells := []string{mark(r), strconv.FormatInt(r.Line, 10)}
		for _, f := range fields {
			cells = append(cells, cut(r.Values[f], valueWidth))
		}
		g.add(cells...)
	}
	columns := g.columns()
	room, shown := p.width(), 0
	for i, w := range columns {
		if room -= w + 2; room < -2 && i > 2 {
			break
		}
		shown = i + 1
	}
	for i, line := range g.lines {
		fmt.Fprintln(p.out, g.line(line[:shown], columns))
		if i > 0 {
			p.inspectedFindings(found.Rows[i-1].Findings)
		}
	}
	if left := columns[shown:]; len(left) > 0 {
		fmt.Fprintf(p.out, "  and %s; -o json shows all: %s\n", plural(len(left), "field"), few(fields[shown-2:]))
	}
}

// fieldsOf is the fields that the rows have values of, in the order of the file's columns.
func fieldsOf(found *validatorv1.Inspection) []string {
	var fields []string
	for _, c := range found.Columns {
		if c.Field != "" && !slices.Contains(fields, c.Field) {
			fields = append(fields, c.Field)
		}
	}
	known := len(fields)
	for _, r := range found.Rows { // those that no column is for alone, such as the parts of a name
		for f := range r.Values {
			if !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
	}
	slices.Sort(fields[known:])
	for i := range fields {
		fields[i] = printable(fields[i])
	}
	return fields
}

// mark tells rows apart: INVALID ones, those with a remark, others.
func mark(r *validatorv1.InspectedRow) string {
	switch {
	case r.Invalid:
		return "✗"
	case len(r.Findings) > 0:
		return "!"
	}
	return ""
}

func (p *program) inspectedFindings(findings []*validatorv1.InspectedFinding) {
	for _, f := range findings {
		sign := "✗"
		if f.Warning {
			sign = "!"
		}
		var where string
		if f.Column != "" {
			where = cut(f.Column, headingWidth) + " "
		}
		if f.Value != "" {
			where += strconv.Quote(cut(f.Value, mostShown)) + " "
		}
		if f.Repaired != "" {
			where += "→ " + strconv.Quote(cut(f.Repaired, mostShown)) + " "
		}
		if where != "" {
			where = strings.TrimSuffix(where, " ") + ": "
		}
		fmt.Fprintf(p.out, "%s%s %s%s (%s)\n", findingIndent, sign, where, printable(f.Message), printable(f.Code))
		if f.Hint != "" && !f.Warning {
			fmt.Fprintf(p.out, "%s  %s\n", findingIndent, printable(f.Hint))
		}
	}
}

// width is how many places a line has.
func (p *program) width() int {
	if f, ok := p.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return usualWidth
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what + " more"
	}
	return humanize.Comma(int64(n)) + " " + what + "s more"
}
