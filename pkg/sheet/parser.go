package sheet

import (
	"bytes"
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
	scan    scanner
	limits  Limits
	heading [][]byte

	quote int // as the scanner's; -1 for none

	data  []byte
	pos   int
	line  int64
	pure  bool // the block is valid UTF-8 without NUL
	blank int64

	lostOnes bool // the block may have U+FFFD in it

	own    index    // of blocks that come without
	marks  []uint64 // of the data, and how many of them were looked at
	looked int
	inner  []int32 // of the data, those ahead
	odd    []int32
	ends   []uint32 // where cells end, of the records ahead
	at     int      // in ends
	room   []uint32
	cells  [][]byte // room for those of a record
	kinds  []Kind
	found  cells
	rows   bool // the block is of a workbook
	code   Code // of a cell that is not UTF-8

	record Record
	err    error
}

// ahead is how many ends are made at once; they fit the processor's nearest cache.
const ahead = 2048

// NewParser returns a parser of the blocks of a file. Rows are held to the width of the heading; without one, they have
// the width they have.
func NewParser(d Dialect, limits Limits, heading []string) *Parser {
	limits = limits.filled()
	p := &Parser{
		scan:   newScanner(d, limits),
		limits: limits,
		cells:  make([][]byte, limits.Columns+1),
		room:   make([]uint32, ahead+limits.Columns+1+64+1),
	}
	p.own = newIndex(&p.scan)
	p.code = finding.InvalidUTF8
	if d.Encoding != "utf-8" && d.Encoding != "" {
		p.code = finding.NotInEncoding
	}
	p.quote = int(p.scan.quote)
	if p.scan.quote == NoQuote {
		p.quote = -1
	}
	for _, h := range heading {
		p.heading = append(p.heading, []byte(h))
	}
	return p
}

// Reset begins a block.
func (p *Parser) Reset(b *Block) {
	p.data, p.pos, p.line = b.Data, 0, b.Line
	p.record = Record{}
	p.blank, p.err = 0, nil
	p.scan.followed = b.followed
	if p.rows = b.rows; p.rows {
		p.pure, p.lostOnes = false, true
		return
	}
	x := b.index
	if x == nil {
		x = &p.own
		x.reset()
		x.run(p.data, true) // a record that is too long is met again on the way
	}
	p.marks, p.inner, p.odd = x.marks[:min(len(x.marks), (len(p.data)+63)/64)], x.inner, x.odd
	p.looked, p.at, p.ends = 0, 0, p.room[:0]
	p.pure = (!x.wide || valid(p.data)) && bytes.IndexByte(p.data, 0) < 0
	p.lostOnes = x.wide && bytes.Contains(p.data, replacement)
}

// valid is utf8.Valid for text that is mostly ASCII: it passes quickly over such bytes everywhere.
func valid(text []byte) bool {
	for len(text) >= 32 {
		w := word(text)
		if (w|word(text[8:])|word(text[16:])|word(text[24:]))&highs == 0 {
			text = text[32:]
			continue
		}
		if w &= highs; w == 0 {
			text = text[8:]
			continue
		}
		text = text[bits.TrailingZeros64(w)/8:]
		for len(text) > 0 && text[0] >= utf8.RuneSelf {
			if len(text) > 1 && text[0]-0xc2 < 0xe0-0xc2 && text[1]&0xc0 == 0x80 { // most letters with marks
				text = text[2:]
				continue
			}
			r, n := utf8.DecodeRune(text)
			if r == utf8.RuneError && n == 1 {
				return false
			}
			text = text[n:]
		}
	}
	return utf8.Valid(text)
}

// Blank returns how many blank records the block had so far; Records, how many others.
func (p *Parser) Blank() int64   { return p.blank }
func (p *Parser) Records() int64 { return p.record.Number }

// Err returns the refusal that ended the block before its end, or nil.
func (p *Parser) Err() error { return p.err }

// Next returns the next record that is not blank, or nil at the end of the block and after a refusal.
func (p *Parser) Next() *Record {
	r := &p.record
	for p.pos < len(p.data) && p.err == nil {
		r.Line = p.line
		if r.Code != "" || r.Warning != "" {
			r.Code, r.Column, r.Warning = "", 0, ""
		}
		r.At = p.line
		if p.rows {
			p.row()
		} else if len(p.odd) > 0 && int(p.odd[0]) == p.pos {
			p.odd = p.odd[1:]
			if !p.scanned() {
				return nil
			}
		} else if !p.marked() {
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

// marked reads a record that the marks tell all about, and reports false after a refusal.
func (p *Parser) marked() bool {
	if len(p.ends)-p.at < len(p.cells) && p.looked <= len(p.marks) {
		p.look()
	}
	data, start, ends := p.data, p.pos, p.ends[p.at:]
	if len(ends) == 0 { // marks end where a record was too long
		p.refuse(tooLong, p.line)
		return false
	}
	n, from, end := cut(p.cells, ends, data, uint(start), p.quote)
	if int(end)-start > p.scan.limit {
		p.refuse(tooLong, p.line)
		return false
	}
	if n >= p.scan.columns {
		p.refuse(tooWide, p.line)
		return false
	}
	r := &p.record
	p.pos = min(int(end)+1, len(data))
	p.at += n + 1
	p.line++
	if end > uint(start) && data[end-1] == '\r' { // not end > from: no processor guesses whether the last cell is empty
		end--
	}
	r.Raw = data[start:end:end]
	if from < uint(len(data)) && int(data[from]) == p.quote && from+1 < end {
		from, end = from+1, end-1
	}
	p.cells[n] = data[from:end:end]
	r.Cells = p.cells[:n+1]
	if len(p.inner) > 0 && int(p.inner[0]) < p.pos {
		p.mend(ends)
	}
	return true
}

// cut lists the cells of a record that begins at from, all but the last: n is how many those are, last and end where the
// last one begins and ends. It is apart because so it keeps all it needs in registers.
func cut(list [][]byte, ends []uint32, data []byte, from uint, quote int) (n int, last, end uint) {
	if len(ends) > len(list) {
		ends = ends[:len(list)]
	}
	list = list[:len(ends)]
	for i, e := range ends {
		end = uint(e)
		if end >= uint(len(data)) || data[end] == '\n' || from > end {
			return i, from, end
		}
		if int(data[from]) == quote && from+1 < end {
			list[i] = data[from+1 : end-1 : end-1]
		} else {
			list[i] = data[from:end:end]
		}
		from = end + 1
	}
	return len(ends) - 1, from, end
}

// mend puts right the cells of a record that have line feeds or doubled quotes in them, and counts the lines.
func (p *Parser) mend(ends []uint32) {
	for cell, list := 0, p.record.Cells; len(p.inner) > 0 && int(p.inner[0]) < p.pos; cell++ {
		dirty := false
		for len(p.inner) > 0 && uint32(p.inner[0]) < ends[cell] {
			i := p.inner[0]
			p.inner = p.inner[1:]
			feed := p.data[i] == '\n'
			if feed {
				p.line++
			}
			dirty = dirty || !feed || p.data[i-1] == '\r'
		}
		if dirty {
			list[cell] = p.scan.clean(list[cell])
		}
	}
}

// scanned reads a record by the scanner, and reports false after a refusal.
func (p *Parser) scanned() bool {
	r, start := &p.record, p.pos
	p.found.list, p.found.dirty = p.found.list[:0], p.found.dirty[:0]
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
	r.Cells = p.found.list
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

// replacement is U+FFFD, which stands for a character that was lost before the file was written.
var replacement = []byte("\ufffd")

func (p *Parser) refuse(v verdict, line int64) {
	p.err = p.scan.refusal(v, line)
}

func (s *scanner) refusal(v verdict, line int64) *Refusal {
	if v == tooWide {
		return &Refusal{Code: finding.TooManyColumns, Line: line, Limit: "columns", Value: int64(s.columns)}
	}
	return &Refusal{Code: finding.RecordTooLong, Line: line, Limit: "record bytes", Value: int64(s.limit)}
}

// look makes more ends of the marks.
func (p *Parser) look() {
	kept := copy(p.room, p.ends[p.at:])
	p.at = 0
	room := p.room
	read, wrote := p.scan.flatten(p.marks[p.looked:], uint32(64*p.looked), room[kept:len(room)-1])
	p.looked += read
	n := kept + wrote
	if p.looked == len(p.marks) { // what follows the last line end ends with the data
		p.looked++
		if len(p.data) > 0 && p.data[len(p.data)-1] != '\n' {
			room[n] = uint32(len(p.data))
			n++
		}
	}
	p.ends = room[:n]
}
