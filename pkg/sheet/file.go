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
	room   *room
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

// readBytes is how much is read at once, so that it is still near the processor when it is looked at.
const readBytes = 64 << 10

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
	f.scan = newScanner(d, limits)
	f.breakLines(f.buf)
	if d.BOM {
		f.drop(len(bom))
	}
	if err := f.readHeading(); err != nil {
		return nil, err
	}
	f.room = f.newRoom(0)
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

	index *index // of the data; nil makes a parser make its own
	room  *room
	pool  *sync.Pool
}

// room is the memory of a block.
type room struct {
	buf   []byte
	index index
}

// Release gives the block's memory back for another. Records read from it are void after that.
func (b *Block) Release() {
	if b.pool != nil {
		b.pool.Put(b.room)
		*b = Block{}
	}
}

// Clone copies a block that is to be parsed twice: parsing spends it.
func (b *Block) Clone() *Block {
	return &Block{Data: bytes.Clone(b.Data), Index: b.Index, Offset: b.Offset, Line: b.Line}
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
	x := &f.room.index
	for want := f.limits.BlockBytes; ; {
		for n := min(len(f.buf)+readBytes, want); ; n = min(n+readBytes, want) {
			if err := f.fill(n); err != nil {
				return nil, err
			}
			if v, at := x.run(f.buf, f.done); v == tooLong { // while they are near
				return nil, f.refusal(v, at)
			}
			if n >= want || f.done {
				break
			}
		}
		cut := x.last(f.buf)
		if f.done {
			cut = len(f.buf)
		}
		switch {
		case cut > 0:
			return f.take(cut), nil
		case f.done:
			return nil, errEnd
		}
		want = len(f.buf) + f.limits.BlockBytes
	}
}

func (f *File) refusal(v verdict, pos int) error {
	return f.scan.refusal(v, f.line+int64(bytes.Count(f.buf[:pos], newline)))
}

// take makes a block of the first n bytes and begins a new buffer with the rest.
func (f *File) take(n int) *Block {
	f.room.buf = f.buf
	b := &Block{Data: f.buf[:n:n], Index: f.index, Offset: f.offset, Line: f.line, index: &f.room.index, room: f.room, pool: &f.pool}
	f.index++
	f.offset += int64(n)
	f.line += int64(bytes.Count(b.Data, newline))
	rest := f.buf[n:]
	f.room = f.newRoom(len(rest))
	f.buf = append(f.room.buf[:0], rest...)
	return b
}

// newRoom makes room for a block, or finds some that was released.
func (f *File) newRoom(rest int) *room {
	r, ok := f.pool.Get().(*room)
	if !ok {
		r = &room{buf: make([]byte, 0, f.limits.BlockBytes+readBytes+rest), index: newIndex(&f.scan)}
		r.index.marks = make([]uint64, 0, cap(r.buf)/64+1)
	}
	r.index.reset()
	return r
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
