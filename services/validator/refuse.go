package validator

import (
	"fmt"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
)

// refuse makes the row of a record that cannot be taken apart, or holds what no text may.
func (w *worker) refuse(r *sheet.Record) {
	w.row.Invalid, w.key.Invalid = true, true
	w.row.Values = w.row.Values[:0]
	shown := ""
	if r.Column > 0 && r.Column <= len(r.Cells) {
		shown = w.shown(r.Column-1, r.Cells[r.Column-1])
	}
	if r.At != r.Line && r.At > 0 {
		shown = fmt.Sprintf("line %d", r.At)
	}
	w.find(string(r.Code), r.Column-1, false, shown)
	if r.Code == finding.QuoteOpen || r.Code == finding.QuoteStray || r.Code == finding.InvalidUTF8 || r.Code == finding.NotInEncoding {
		w.broken++
	}
	switch {
	case len(r.Cells) > 0 && (!w.secret || r.Code != finding.RowLong): // in a row that is too long a secret may have slipped
		w.row.Cells = append(w.row.Cells, r.Cells...)
		w.mask()
	case w.secret:
		w.row.Cells = append(w.row.Cells, []byte(withheld))
	default:
		w.row.Cells = append(w.row.Cells, r.Raw)
	}
}

// bad says that a cell is refused, and its row with it unless bad cells are dropped.
func (w *worker) bad(col int, code contact.Code, shown string) {
	w.find(string(code), col, w.drop, shown)
	w.row.Invalid = w.row.Invalid || !w.drop
}

// require holds the row to the fields that must have a value. A row that only updates may leave them as they are.
func (w *worker) require() {
	for _, need := range w.required {
		kind, col := row.Empty, -1
		if need.at >= 0 {
			kind, col = w.spans[need.at].kind, w.mapped[need.at]
		}
		if kind == row.Unset || kind == row.Empty && w.mode != row.Update {
			about := ""
			if col < 0 {
				about = need.name
			}
			w.find(string(finding.ValueMissing), col, false, about)
			w.row.Invalid = true
		}
	}
}

// keyless judges a row without any key that rows are matched by: in mode add a name is enough, with a warning.
func (w *worker) keyless() {
	named := false
	for i, col := range w.mapped {
		switch w.columns[col].Field {
		case contact.FieldFirstName, contact.FieldLastName, contact.FieldFullName:
			named = named || w.spans[i].z > w.spans[i].a
		}
	}
	taken := w.mode == row.Add && named
	w.find(string(finding.NoKey), -1, taken, w.by.names)
	w.row.Invalid = w.row.Invalid || !taken
}

func (w *worker) find(code string, column int, warning bool, shown string) {
	if warning {
		w.warnings++
	}
	w.row.Findings = append(w.row.Findings, row.Finding{Code: code, Column: column, Warning: warning, Value: shown})
}
