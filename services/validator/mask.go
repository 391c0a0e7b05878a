package validator

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/row"
)

const (
	// maxShown is how many bytes of a cell a finding shows.
	maxShown = 120

	// withheld stands for a record whose cells cannot be told apart in a file that has a secret column.
	withheld = "(not shown: the file has a secret column)"

	covered = "***"
)

// masked is a secret cell as it may be shown: a social security number by its last four digits, anything else not at all.
func (c *column) masked(cell []byte) []byte {
	if c.isMasked(cell) {
		return cell
	}
	if c.spec.Type != contact.TypeSSN {
		return []byte(covered)
	}
	const shown, enough = 4, 8
	digits := 0
	var last []byte
	for i := len(cell) - 1; i >= 0; i-- {
		if d := cell[i]; d >= '0' && d <= '9' {
			if digits++; len(last) < shown {
				last = append(last, d)
			}
		}
	}
	if digits < enough {
		return []byte(covered)
	}
	return []byte{'*', '*', '*', '-', '*', '*', '-', last[3], last[2], last[1], last[0]}
}

// isMasked tells whether a secret cell is what is shown in place of a value.
func (c *column) isMasked(cell []byte) bool {
	if string(cell) == covered {
		return true
	}
	last, ok := bytes.CutPrefix(cell, []byte("***-**-"))
	return ok && c.spec.Type == contact.TypeSSN && len(last) == 4 && len(bytes.Trim(last, "0123456789")) == 0
}

// shown is a cell as a finding shows it.
func (w *worker) shown(col int, cell []byte) string {
	if col >= len(w.columns) && w.secret {
		return covered // a cell beyond the heading may be a secret one that slipped
	}
	if col < len(w.columns) && w.columns[col].spec.Secret {
		cell = w.columns[col].masked(cell)
	}
	return shorten(cell)
}

func shorten(cell []byte) string {
	if len(cell) > maxShown {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(cell[cut]) {
			cut--
		}
		return strings.ToValidUTF8(string(cell[:cut]), "\uFFFD") + "…"
	}
	return strings.ToValidUTF8(string(cell), "\uFFFD")
}

// values hands the text over as the row's values; secret ones are sealed for this row.
func (w *worker) values() error {
	for i, s := range w.spans {
		v := row.Value{Kind: s.kind}
		if s.kind == row.AsText || s.kind == row.AsCell {
			v.Text = w.text[s.a:s.z]
			if c := &w.columns[w.mapped[i]]; c.spec.Secret && w.seal == nil {
				v = row.Value{Kind: row.AsText, Text: c.masked(v.Text)}
			} else if c.spec.Secret {
				sealed, err := w.sealed(c, v.Text)
				if err != nil {
					return err
				}
				v = row.Value{Kind: row.AsText, Text: sealed}
			}
		}
		w.row.Values = append(w.row.Values, v)
	}
	return nil
}

// secrets keeps the good secret values of an INVALID row, sealed, for whoever corrects the row and cannot see them.
func (w *worker) secrets() error {
	if !w.secret || w.seal == nil {
		return nil
	}
	any := false
	for i, col := range w.mapped {
		c := &w.columns[col]
		if !c.spec.Secret {
			continue
		}
		var v row.Value
		switch s := w.spans[i]; s.kind {
		case row.Unset:
			v.Kind = row.Unset
		case row.AsCell, row.AsText:
			sealed, err := w.sealed(c, w.text[s.a:s.z])
			if err != nil {
				return err
			}
			v = row.Value{Kind: row.AsText, Text: sealed}
		}
		any = any || v.Kind != row.Empty
		w.row.Secrets = append(w.row.Secrets, v)
	}
	if !any {
		w.row.Secrets = w.row.Secrets[:0]
	}
	return nil
}

func (w *worker) sealed(c *column, value []byte) ([]byte, error) {
	sealed, err := w.seal.Seal(value, keyring.ForRow(w.account, c.spec.Name, w.job, uint64(w.row.Line)))
	if err != nil {
		return nil, fmt.Errorf("seal a secret value: %w", err)
	}
	return sealed, nil
}

// mask covers the secret cells of the row.
func (w *worker) mask() {
	if !w.secret {
		return
	}
	for i := range w.row.Cells {
		if i < len(w.columns) && w.columns[i].spec.Secret && len(bytes.TrimSpace(w.row.Cells[i])) > 0 {
			w.row.Cells[i] = w.columns[i].masked(w.row.Cells[i])
		}
	}
}
