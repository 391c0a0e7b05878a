package sheet

import (
	"bytes"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// judge holds a record to the heading's width and to what a cell may be.
func (p *Parser) judge() {
	r := &p.record
	if r.Code != "" {
		return
	}
	if !p.pure || p.lostOnes || len(r.Raw) > p.limits.CellBytes {
		p.inspect()
	}
	width := len(p.heading)
	switch n := len(r.Cells); {
	case width == 0 || n == width:
	case n < width:
		for range width - n {
			r.Cells = append(r.Cells, nil)
		}
		r.Warning = finding.RowShort
	default:
		for i, extra := range r.Cells[width:] {
			if r.Code == "" && (!empty(extra) || p.rows && p.kinds[width+i] != Text) {
				r.Code, r.Column = finding.RowLong, width+i+1
			}
		}
		if r.Code != finding.RowLong {
			r.Cells = r.Cells[:width]
			if r.Kinds != nil {
				r.Kinds = r.Kinds[:width]
			}
		}
	}
	if r.Code == "" && width > 0 && bytes.Equal(r.Cells[0], p.heading[0]) && p.repeats() {
		r.Code = finding.HeadingRepeated
	}
}

// inspect looks for the first cell that is no text or too large.
func (p *Parser) inspect() {
	r := &p.record
	for i, cell := range r.Cells {
		switch {
		case len(cell) > p.limits.CellBytes:
			r.Code = finding.CellTooLong
		case !p.pure && bytes.IndexByte(cell, 0) >= 0:
			r.Code = finding.NULByte
		case !p.pure && !utf8.Valid(cell):
			r.Code = p.code
		case p.lostOnes && bytes.Contains(cell, replacement):
			r.Warning = finding.CharacterLost
			continue
		default:
			continue
		}
		r.Column = i + 1
		return
	}
}

func (p *Parser) repeats() bool {
	for i, h := range p.heading {
		if !bytes.Equal(p.record.Cells[i], h) {
			return false
		}
	}
	return true
}

func (p *Parser) isBlank() bool {
	for i, cell := range p.record.Cells {
		if p.rows && p.kinds[i] != Text {
			return false
		}
		if !empty(cell) {
			return false
		}
	}
	return true
}

func empty(cell []byte) bool {
	for _, c := range cell {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}
