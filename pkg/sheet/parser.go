package sheet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Record is one record of a block. It and all it holds are valid until the parser's next call and the block's release.
type Record struct {
	Cells   [][]byte // as many as the heading has; none if the quotes are broken
	Kinds   []Kind   // of the cells, in a workbook; nil in a text
	Line    int64    // physical line where it begins, or row of a workbook
	Number  int64    // within its block, from 1; blank ones do not count
	Raw     []byte   // as in the file, without the line end; as it was only if Code is set
	Code    Code     // why the whole record is invalid, or empty
	At      int64    // physical line of what Code names
	Column  int      // its column from 1, 0 if it is no matter of one
	Warning Code     // a remark on a record that is taken
}

// Parser reads the records of blocks. It belongs to one goroutine.
type Parser struct {
	scan       scanner
	limits     Limits
	heading    [][]byte
	delimiters uint64 // the delimiter in all eight bytes

	data      []byte
	pos       int
	nextQuote int // where the next quote stands, len(data) if none; may lie behind pos
	line      int64
	pure      bool // the block is valid UTF-8 without NUL
	blank     int64
	found     cells
	record    Record
	err       error
}

// NewParser returns a parser of the blocks of a file. Rows are held to the width of the heading; without one, they have
// the width they have.
func NewParser(d Dialect, limits Limits, heading []string) *Parser {
	limits = limits.filled()
	p := &Parser{
		scan:       scanner{delimiter: d.Delimiter, quote: d.Quote, limit: limits.RecordBytes, columns: limits.Columns},
		limits:     limits,
		delimiters: lows * uint64(d.Delimiter),
	}
	for _, h := range heading {
		p.heading = append(p.heading, []byte(h))
	}
	return p
}

// Reset begins a block.
func (p *Parser) Reset(b *Block) {
	p.data, p.pos, p.line, p.nextQuote = b.Data, 0, b.Line, -1
	p.record = Record{}
	p.blank, p.err = 0, nil
	p.pure = utf8.Valid(p.data) && bytes.IndexByte(p.data, 0) < 0
}

// Blank returns how many blank records the block had so far; Records, how many others.
func (p *Parser) Blank() int64   { return p.blank }
func (p *Parser) Records() int64 { return p.record.Number }

// Err returns the refusal that ended the block before its end, or nil.
func (p *Parser) Err() error { return p.err }

// Next returns the next record that is not blank, or nil at the end of the block and after a refusal.
func (p *Parser) Next() *Record {
	for p.pos < len(p.data) && p.err == nil {
		start, first := p.pos, p.line
		if p.nextQuote < start {
			p.nextQuote = len(p.data)
			if p.scan.quote != NoQuote {
				if i := bytes.IndexByte(p.data[start:], p.scan.quote); i >= 0 {
					p.nextQuote = start + i
				}
			}
		}
		lineEnd := len(p.data)
		if i := bytes.IndexByte(p.data[start:], '\n'); i >= 0 {
			lineEnd = start + i
		}
		p.found.list, p.found.dirty = p.found.list[:0], p.found.dirty[:0]
		r := &p.record
		r.Line, r.Code, r.At, r.Column, r.Warning = first, "", first, 0, ""
		if lineEnd <= p.nextQuote {
			if lineEnd-start > p.scan.limit {
				p.refuse(tooLong, first)
				return nil
			}
			r.Raw = chomp(p.data[start:lineEnd])
			p.split(start, start+len(r.Raw))
			if len(p.found.list) > p.scan.columns {
				p.refuse(tooWide, first)
				return nil
			}
			p.pos = min(lineEnd+1, len(p.data))
			p.line++
		} else if p.scan.line(p.data, start, lineEnd, &p.found) {
			r.Raw = chomp(p.data[start:lineEnd])
			p.pos = min(lineEnd+1, len(p.data))
			p.line++
		} else if !p.quoted(start) {
			return nil
		}
		if r.Code == "" && p.isBlank() {
			p.blank++
			continue
		}
		r.Number++
		p.judge()
		return r
	}
	return nil
}

// quoted reads a record that has a quote somewhere on its first line, and reports false after a refusal.
func (p *Parser) quoted(start int) bool {
	r := &p.record
	next, v, column, at := p.scan.record(p.data, start, true, &p.found)
	switch v {
	case tooLong, tooWide:
		p.refuse(v, p.line)
		return false
	case open, stray:
		r.Code, r.Column = finding.QuoteOpen, column+1
		if v == stray {
			r.Code = finding.QuoteStray
		}
		r.At = p.line + int64(bytes.Count(p.data[start:at], newline))
		p.found.list = p.found.list[:0]
	}
	raw := p.data[start:next]
	p.line += int64(bytes.Count(raw, newline))
	if n := len(raw); n > 0 && raw[n-1] == '\n' {
		raw = raw[:n-1]
	} else {
		p.line++
	}
	r.Raw = chomp(raw)
	if r.Code == "" {
		for _, i := range p.found.dirty {
			p.found.list[i] = p.scan.clean(p.found.list[i])
		}
	}
	p.pos = next
	return true
}

// chomp takes the CR of a CR LF off a line.
func chomp(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

var newline = []byte{'\n'}

func (p *Parser) refuse(v verdict, line int64) {
	p.err = p.scan.refusal(v, line)
}

func (s *scanner) refusal(v verdict, line int64) *Refusal {
	if v == tooWide {
		return &Refusal{Code: finding.TooManyColumns, Line: line, Limit: "columns", Value: int64(s.columns)}
	}
	return &Refusal{Code: finding.RecordTooLong, Line: line, Limit: "record bytes", Value: int64(s.limit)}
}

// judge holds a record to the heading's width and to what a cell may be.
func (p *Parser) judge() {
	r := &p.record
	r.Cells = p.found.list
	if r.Code != "" {
		return
	}
	if !p.pure || len(r.Raw) > p.limits.CellBytes {
		p.inspect()
	}
	width := len(p.heading)
	switch n := len(r.Cells); {
	case width == 0 || n == width:
	case n < width:
		for range width - n {
			p.found.list = append(p.found.list, nil)
		}
		r.Cells = p.found.list
		r.Warning = finding.RowShort
	default:
		for i, extra := range r.Cells[width:] {
			if r.Code == "" && !empty(extra) {
				r.Code, r.Column = finding.RowLong, width+i+1
			}
		}
		if r.Code != finding.RowLong {
			r.Cells = r.Cells[:width]
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
		case p.pure:
			continue
		case bytes.IndexByte(cell, 0) >= 0:
			r.Code = finding.NULByte
		case !utf8.Valid(cell):
			r.Code = finding.InvalidUTF8
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
	for _, cell := range p.found.list {
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

const (
	lows   = 0x0101010101010101
	sevens = 0x7f * lows
)

// hits sets the top bit of each byte of x that is zero, exactly: no carry runs from one byte into the next.
func hits(x uint64) uint64 { return ^((x&sevens + sevens) | x | sevens) }

// split cuts a line without quotes at its delimiters, eight bytes at a time.
func (p *Parser) split(start, end int) {
	list, data, from, i := p.found.list, p.data, start, start
	for ; i < end && i+8 <= len(data); i += 8 {
		at := hits(binary.LittleEndian.Uint64(data[i:]) ^ p.delimiters)
		if end-i < 8 {
			at &= 1<<(8*(end-i)) - 1
		}
		for ; at != 0; at &= at - 1 {
			next := i + bits.TrailingZeros64(at)>>3
			list = append(list, data[from:next:next])
			from = next + 1
		}
		if len(list) > p.scan.columns {
			break
		}
	}
	for ; i < end && len(list) <= p.scan.columns; i++ {
		if data[i] == p.scan.delimiter {
			list = append(list, data[from:i:i])
			from = i + 1
		}
	}
	p.found.list = append(list, data[from:end:end])
}
