package validator

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// maxUnknown is how many values without a code are gathered; there may be millions where a column was mapped wrongly.
	maxUnknown = 500
	// maxUnknownBytes is how long a value may be to be gathered: codes and labels are short.
	maxUnknownBytes = 200
	// maxUnknownLines is how many of its lines are named.
	maxUnknownLines = 10

	// betweenCodes stands between several codes in a cell.
	betweenCodes = ";|,\n"
)

// comparedValue is how a value of the file is told from others: trimmed, without case.
func comparedValue(cell []byte) string {
	return strings.ToLower(string(bytes.TrimSpace(cell)))
}

// meant is what a person said that a cell means, itself if nobody spoke of it. In a column of several codes each is asked
// for where the cell as a whole is not known.
func (c *column) meant(cell []byte) []byte {
	if to, ok := c.values[comparedValue(cell)]; ok {
		return []byte(to)
	}
	if c.spec.Type != contact.TypeCriteria || !bytes.ContainsAny(cell, betweenCodes) {
		return cell
	}
	changed := false
	parts := bytes.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(betweenCodes, r) })
	for i, part := range parts {
		if to, ok := c.values[comparedValue(part)]; ok {
			parts[i], changed = []byte(to), true
		}
	}
	if !changed {
		return cell
	}
	return bytes.Join(parts, []byte(";"))
}

// unknowns are values that no code book has, by column and value.
type unknowns map[unknownKey]*unknown

type unknownKey struct {
	column int
	value  string
}

type unknown struct {
	rows  int64
	lines []int64 // the lowest, in order
}

// gather counts a cell in that is not of the code book, by its parts where several codes may stand in it.
func (u unknowns) gather(n *contact.Normaliser, c *column, col int, cell []byte, line int64) {
	if c.spec.Type == contact.TypeCriteria && bytes.ContainsAny(cell, betweenCodes) {
		one := c.spec
		one.Type = contact.TypeCriterion
		for _, part := range bytes.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(betweenCodes, r) }) {
			if _, code := n.AppendSpec(nil, &one, part, contact.Rules{}); code == finding.CodeUnknown {
				u.count(col, part, 1, line)
			}
		}
		return
	}
	u.count(col, cell, 1, line)
}

func (u unknowns) count(col int, cell []byte, rows int64, lines ...int64) {
	cell = bytes.TrimSpace(cell)
	if len(cell) == 0 || len(cell) > maxUnknownBytes {
		return
	}
	k := unknownKey{col, string(cell)}
	v := u[k]
	if v == nil {
		if len(u) >= maxUnknown {
			return
		}
		v = &unknown{}
		u[k] = v
	}
	v.rows += rows
	for _, l := range lines {
		at, _ := slices.BinarySearch(v.lines, l)
		v.lines = slices.Insert(v.lines, at, l)
		v.lines = v.lines[:min(len(v.lines), maxUnknownLines)]
	}
}

// add counts another's values in.
func (u unknowns) add(o unknowns) {
	for k, v := range o {
		u.count(k.column, []byte(k.value), v.rows, v.lines...)
	}
}

// list is the values for people, the most frequent first.
func (u unknowns) list(columns []column) []*ingestv1.UnknownValue {
	keys := slices.SortedFunc(maps.Keys(u), func(a, b unknownKey) int {
		return cmp.Or(cmp.Compare(u[b].rows, u[a].rows), cmp.Compare(a.column, b.column), cmp.Compare(a.value, b.value))
	})
	var out []*ingestv1.UnknownValue
	for _, k := range keys {
		out = append(out, &ingestv1.UnknownValue{Field: columns[k.column].spec.Name, Value: valid(k.value), Rows: u[k].rows, Lines: u[k].lines})
	}
	return out
}
