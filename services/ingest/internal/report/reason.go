package report

import (
	"strconv"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
)

// texts are the reasons that are no finding on a cell or row but come from matching and merging.
var texts = map[string]struct{ text, hint string }{
	"repeats-row":  {"an earlier row of the file has one of its keys", "keep one of the rows"},
	"known":        {"a contact has one of its keys already", "use mode update or upsert to change it"},
	"no-contact":   {"no contact has one of its keys", "use mode upsert to add it, or correct the keys"},
	"unknown":      {"the provider does not know the contact, and the account keeps such contacts out", "correct phone or email"},
	"suppressed":   {"the person was erased", "do not send the row again"},
	"held":         {"the outcome would differ from the approved plan", "check the contact and send the row again"},
	"package-full": {"the account holds as many contacts as its package allows", "enlarge the package"},
}

// appendReason tells people why a row ended as it did, codes first for programs: what the outcome says, then each finding
// on the row. Values are not repeated, they stand in the row; but what one was repaired to stands there beside it.
func (w *writer) appendReason(b []byte, r *row.Cells, e *row.Ended) []byte {
	said := false
	for _, f := range r.Findings {
		said = said || f.Code == e.Reason && !f.Warning
	}
	if e.Reason != "" && !said {
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

func appendText(b []byte, code string) []byte {
	b = append(b, code...)
	text, hint := texts[code].text, texts[code].hint
	if entry, ok := finding.Code(code).Entry(); ok {
		text, hint = entry.Text, entry.Hint
	}
	if text != "" {
		b = append(append(b, ": "...), text...)
	}
	if hint != "" {
		b = append(append(append(b, " ("...), hint...), ')')
	}
	return b
}
