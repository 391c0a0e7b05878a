package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
)

// appendReason tells people why a row ended as it did, codes first for programs: what the outcome says, then each finding
// on the row. Values are not repeated, they stand in the row; but what one was repaired to stands there beside it.
func (w *writer) appendReason(b []byte, r *row.Cells, e *row.Ended) []byte {
	said := false
	for _, f := range r.Findings {
		said = said || f.Code == e.Reason && !f.Warning
	}
	if len(e.Kept) > 0 {
		b = appendKept(b, e)
	} else if e.Reason != "" && !said {
		b = appendText(b, e.Reason)
		if e.Detail != "" {
			b = append(append(append(b, " ["...), e.Detail...), ']')
		}
	}
	for _, f := range r.Findings {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		if f.Column >= 0 && f.Column < len(w.headings) {
			b = append(append(append(b, "column "...), w.headings[f.Column]...), ": "...)
		}
		if f.Warning {
			b = append(b, "warning "...)
		}
		b = appendText(b, f.Code)
		switch {
		case f.Repaired != "":
			b = append(append(append(append(b, ` ["`...), f.Value...), `" was taken as "`...), f.Repaired...)
			b = append(b, `"]`...)
		case f.Column < 0 && f.Code == string(finding.ValueMissing):
			b = append(append(append(b, " ["...), f.Value...), ']') // the field that no column has
		}
	}
	if more := len(r.Cells) - len(w.headings); more > 0 {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = append(strconv.AppendInt(b, int64(more), 10), " cells beyond the heading are left out here"...)
	}
	return b
}

// appendKept tells which fields kept their values, reason by reason, that of the outcome first.
func appendKept(b []byte, e *row.Ended) []byte {
	reasons := []string{e.Reason}
	for _, k := range e.Kept {
		if !slices.Contains(reasons, k.Reason) {
			reasons = append(reasons, k.Reason)
		}
	}
	names := fieldNames(e)
	for _, reason := range reasons {
		begun := len(b)
		if begun > 0 {
			b = append(b, "; "...)
		}
		b = append(appendText(b, reason), " ["...)
		first := true
		for i, k := range e.Kept {
			if k.Reason != reason {
				continue
			}
			if !first {
				b = append(b, ", "...)
			}
			b, first = append(b, names[i]...), false
		}
		if first { // no value was kept for it
			b = b[:begun]
			continue
		}
		b = append(b, ']')
	}
	return b
}

// fieldNames is the names of the fields that kept their values. The outcome has them: the account's own fields may be
// others by now.
func fieldNames(e *row.Ended) []string {
	if names := strings.Split(e.Detail, ", "); len(names) == len(e.Kept) {
		return names
	}
	names := make([]string, len(e.Kept))
	for i, k := range e.Kept {
		names[i] = contact.Field(k.Field).String()
	}
	return names
}

func appendText(b []byte, code string) []byte {
	b = append(b, code...)
	entry, ok := finding.Code(code).Entry()
	if !ok {
		return b
	}
	b = append(append(b, ": "...), entry.Text...)
	if entry.Hint != "" {
		b = append(append(append(b, " ("...), entry.Hint...), ')')
	}
	return b
}
