package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// File is a table that is being read from its first byte to its last.
type File struct {
	Dialect    Dialect
	Evidence   Evidence    // how the encoding was found
	Candidates []Candidate // what spoke for the delimiter; empty if it was given or named by a sep= line
	Samples    []Sample    // of the decoded text, if the encoding is a guess
	Sheets     []SheetInfo // of a workbook
	Warnings   []Warning   // on the file as a whole
	TitleLines int64       // physical lines above the heading that are neither blank nor sep=
	Heading    []string    // as it stands, a cell each, quotes taken off

	limits Limits
	scan   scanner
	r      io.Reader
	buf    []byte // read and not yet handed out; begins where a record begins
	done   bool   // r has ended
	read   int64  // bytes read from r
	offset int64  // of buf[0] in the file
	line   int64  // of buf[0]
	index  int
	pool   sync.Pool
}

// headBytes is how much of a file is looked at to settle what it is.
const headBytes = 64 << 10

// Open begins to read a table: it refuses what is none, settles the parts of the dialect that the options leave open, and
// reads the heading. An error is a *Refusal, or wraps what r returned.
func Open(r io.Reader, o Options) (*File, error) {
	given, limits := o.Dialect, o.Limits
	limits = limits.filled()
	f := &File{limits: limits, r: r, line: 1}
	f.buf = make([]byte, 0, limits.BlockBytes+headBytes)
	if err := f.fill(headBytes); err != nil {
		return nil, err
	}
	d, candidates, err := detect(f.buf, f.done, given, limits)
	if err != nil {
		return nil, err
	}
	f.Dialect, f.Candidates = d, candidates
	f.scan = scanner{delimiter: d.Delimiter, quote: d.Quote, limit: limits.RecordBytes, columns: limits.Columns}
	f.breakLines(f.buf)
	if d.BOM {
		f.drop(len(bom))
	}
	if err := f.readHeading(); err != nil {
		return nil, err
	}
	return f, nil
}

// Parser returns a new parser for the blocks of the file.
func (f *File) Parser() *Parser { return NewParser(f.Dialect, f.limits, f.Heading) }

// readHeading skips to the heading's line and takes it off the buffer. Without a line set, the heading is the first
// record that is not blank.
func (f *File) readHeading() error {
	for {
		var found cells
		next, v, _, _ := f.scan.record(f.buf, 0, f.done, &found)
		if v == more {
			if err := f.fill(len(f.buf) + headBytes); err != nil {
				return err
			}
			continue
		}
		if v == tooLong || v == tooWide {
			return f.scan.refusal(v, f.line)
		}
		if len(f.buf) == 0 {
			return &Refusal{Code: finding.NoHeading}
		}
		skip := f.line < f.Dialect.HeadingLine
		if !skip && v != whole {
			return &Refusal{Code: finding.HeadingBroken, Line: f.line}
		}
		var heading []string
		blank := true
		for i, cell := range found.list {
			if len(found.dirty) > 0 && found.dirty[0] == i {
				found.dirty = found.dirty[1:]
				cell = f.scan.clean(bytes.Clone(cell))
			}
			blank = blank && empty(cell)
			heading = append(heading, string(cell))
			if !skip && !utf8.Valid(cell) {
				return &Refusal{Code: finding.EncodingUnknown, Line: f.line}
			}
			if !skip && bytes.IndexByte(cell, 0) >= 0 {
				return &Refusal{Code: finding.HeadingBroken, Line: f.line}
			}
		}
		if !skip && !blank {
			f.Dialect.HeadingLine = f.line
			f.Heading = heading
		}
		f.drop(next)
		if f.Heading != nil {
			return nil
		}
	}
}

// drop takes n bytes off the front of the buffer.
func (f *File) drop(n int) {
	f.line += int64(bytes.Count(f.buf[:n], newline))
	f.offset += int64(n)
	f.buf = f.buf[:copy(f.buf, f.buf[n:])]
}

// Block is a piece of a file that holds whole records. Its data belong to whoever got it, and may be changed, until it
// is released.
type Block struct {
	Data   []byte
	Index  int   // from 0, in the order of the file
	Offset int64 // of its first byte in the file
	Line   int64 // physical line of its first byte

	whole []byte
	pool  *sync.Pool
}

// Release gives the block's memory back for another. Records read from it are void after that.
func (b *Block) Release() {
	if b.pool != nil {
		whole := b.whole
		b.pool.Put(&whole)
		b.Data, b.whole, b.pool = nil, nil, nil
	}
}

// Blocks hands out the rest of the file in blocks. It can be ranged over once. An error ends it: a *Refusal, or what
// the reader returned; after one, nothing that came before is to be taken for the whole file.
func (f *File) Blocks() iter.Seq2[*Block, error] {
	return func(yield func(*Block, error) bool) {
		for {
			b, err := f.next()
			if errors.Is(err, errEnd) {
				return
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

var errEnd = errors.New("end of file")

// next looks at no more than a block's bytes at a time, and at another block's while no record ends within them.
func (f *File) next() (*Block, error) {
	for want := f.limits.BlockBytes; ; want += f.limits.BlockBytes {
		if err := f.fill(want); err != nil {
			return nil, err
		}
		seen := f.buf[:min(want, len(f.buf))]
		final := f.done && len(seen) == len(f.buf)
		cut, err := f.cut(seen, final)
		switch {
		case err != nil:
			return nil, err
		case cut > 0:
			return f.take(cut), nil
		case final:
			return nil, errEnd
		}
	}
}

// cut finds the last place in the data where a record begins. Where there is no quote, that is behind any line feed;
// only the records with quotes are looked into.
func (f *File) cut(data []byte, final bool) (int, error) {
	pos := 0
	for pos < len(data) {
		q := -1
		if f.scan.quote != NoQuote {
			q = bytes.IndexByte(data[pos:], f.scan.quote)
		}
		if q < 0 {
			if final {
				return len(data), nil
			}
			pos += bytes.LastIndexByte(data[pos:], '\n') + 1
			if len(data)-pos > f.limits.RecordBytes {
				return 0, f.refusal(tooLong, pos)
			}
			return pos, nil
		}
		pos += bytes.LastIndexByte(data[pos:pos+q], '\n') + 1
		if end := bytes.IndexByte(data[pos:], '\n'); end >= 0 && f.scan.line(data, pos, pos+end, nil) {
			pos += end + 1
			continue
		}
		next, v, _, _ := f.scan.record(data, pos, final, nil)
		switch v {
		case more:
			return pos, nil
		case tooLong:
			return 0, f.refusal(v, pos)
		}
		pos = next
	}
	return pos, nil
}

func (f *File) refusal(v verdict, pos int) error {
	return f.scan.refusal(v, f.line+int64(bytes.Count(f.buf[:pos], newline)))
}

// take makes a block of the first n bytes and begins a new buffer with the rest.
func (f *File) take(n int) *Block {
	b := &Block{Data: f.buf[:n:n], Index: f.index, Offset: f.offset, Line: f.line, whole: f.buf, pool: &f.pool}
	f.index++
	f.offset += int64(n)
	f.line += int64(bytes.Count(b.Data, newline))
	rest := f.buf[n:]
	if old, ok := f.pool.Get().(*[]byte); ok {
		f.buf = append((*old)[:0], rest...)
	} else {
		f.buf = append(make([]byte, 0, f.limits.BlockBytes+headBytes+len(rest)), rest...)
	}
	return b
}

// fill reads until the buffer holds n bytes or the file ends.
func (f *File) fill(n int) error {
	idle := 0
	for len(f.buf) < n && !f.done {
		if cap(f.buf) < n {
			grown := make([]byte, len(f.buf), n+headBytes)
			copy(grown, f.buf)
			f.buf = grown
		}
		k, err := f.r.Read(f.buf[len(f.buf):n])
		fresh := f.buf[len(f.buf) : len(f.buf)+k]
		f.buf = f.buf[:len(f.buf)+k]
		f.read += int64(k)
		f.breakLines(fresh)
		if f.read > f.limits.FileBytes {
			return &Refusal{Code: finding.FileTooLarge, Limit: "file bytes", Value: f.limits.FileBytes}
		}
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			f.end()
		case err != nil:
			return fmt.Errorf("read table at byte %d: %w", f.read, err)
		case k > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return fmt.Errorf("read table at byte %d: %w", f.read, io.ErrNoProgress)
			}
		}
	}
	return nil
}

// end notes that the file has ended. A Ctrl-Z as its last byte was the end of a file once, and is dropped.
func (f *File) end() {
	f.done = true
	if n := len(f.buf); n > 0 && f.buf[n-1] == 0x1a {
		f.buf = f.buf[:n-1]
	}
}

// breakLines makes the lines of a CR file end in LF, so that nothing after has to know.
func (f *File) breakLines(fresh []byte) {
	if f.Dialect.LineEnd != CR {
		return
	}
	for i, c := range fresh {
		if c == '\r' {
			fresh[i] = '\n'
		}
	}
}

// Close gives back what the file holds on to, such as its spool. It does not close the reader.
func (f *File) Close() error { return nil }

// Clone copies a block that is to be parsed twice: parsing spends it.
func (b *Block) Clone() *Block {
	return &Block{Data: bytes.Clone(b.Data), Index: b.Index, Offset: b.Offset, Line: b.Line}
}
