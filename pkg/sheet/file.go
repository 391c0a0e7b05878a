package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// File is a table that is being read from its first byte to its last.
type File struct {
	Dialect    Dialect
	Evidence   Evidence    // how the encoding was found; empty for a workbook
	Candidates []Candidate // what spoke for the delimiter; empty if it was given or named by a sep= line
	Samples    []Sample    // of the decoded text, if the encoding is a guess
	Sheets     []SheetInfo // of a workbook
	Warnings   []Warning   // on the file as a whole
	TitleLines int64       // lines above the heading that are neither blank nor sep=
	Heading    []string    // as it stands, a cell each, quotes taken off

	limits Limits
	source *source
	book   *book // of a workbook; the rest is for a text

	scan   scanner
	r      io.Reader // of text
	legacy string
	room   *room
	buf    []byte // read and not yet handed out; begins where a record begins
	broken int    // line ends are put right as far as here
	done   bool   // r has ended
	read   int64  // bytes read from r
	offset int64  // of buf[0] in the text
	line   int64  // of buf[0]
	index  int
	pool   sync.Pool
}

// readBytes is how much is read at once, so that it is still near the processor when it is looked at.
const readBytes = 64 << 10

// beyondHead is how much more than the head is read before it is looked at, so that the same file is always read the same,
// however much the reads bring: a byte behind the head tells that it is not all, and one more that this is no Ctrl-Z.
const beyondHead = 2

// openText begins to read a text of any encoding. r begins with the head again.
func openText(r io.Reader, head []byte, whole bool, c Container, o Options) (*File, error) {
	found, err := recognise(head, whole, o.Dialect.Encoding, o.Legacy)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, int64(found.mark)); err != nil {
		return nil, fmt.Errorf("read byte order mark: %w", err)
	}
	f := &File{limits: o.Limits, line: 1, Evidence: found.evidence, legacy: o.Legacy, r: found.charset.reader(r)}
	if f.legacy == "" {
		f.legacy = defaultLegacy
	}
	f.buf = make([]byte, 0, o.Limits.BlockBytes+headBytes)
	if err := f.fill(headBytes + beyondHead); err != nil {
		return nil, err
	}
	head, whole = f.buf[:min(len(f.buf), headBytes)], f.done && len(f.buf) <= headBytes
	if code := notTable(head); code != "" {
		return nil, &Refusal{Code: code}
	}
	d := o.Dialect
	d.Format, d.Container, d.Encoding, d.BOM, d.Sheet = FormatText, c, found.charset.name, found.mark > 0, ""
	if f.Dialect, f.Candidates, err = detect(head, whole, d, o.Limits); err != nil {
		return nil, err
	}
	if f.Dialect.LineEnd.alone() {
		f.broken = breakLines(f.buf, f.done)
	}
	f.scan = newScanner(f.Dialect, f.limits)
	if found.evidence == EvidenceDefault {
		f.Warnings = append(f.Warnings, Warning{Code: finding.EncodingAssumed, Shown: found.charset.name})
		f.Samples = samples(head, whole, &f.scan, 1)
	}
	if err := f.readHeading(); err != nil {
		return nil, err
	}
	if f.TitleLines > 0 {
		f.Warnings = append(f.Warnings, Warning{Code: finding.TitleLines, Line: f.Dialect.HeadingLine})
	}
	f.room = &room{index: newIndex(&f.scan)} // the block's memory is the buffer
	f.room.index.reset()
	return f, nil
}

// Parser returns a new parser for the blocks of the file.
func (f *File) Parser() *Parser { return NewParser(f.Dialect, f.limits, f.Heading) }

// drop takes n bytes off the front of the buffer.
func (f *File) drop(n int) {
	f.line += int64(bytes.Count(f.buf[:n], newline))
	f.offset += int64(n)
	f.broken -= n
	f.buf = f.buf[:copy(f.buf, f.buf[n:])]
}

// Blocks hands out the rest of the file in blocks. It can be ranged over once. An error ends it: a *Refusal, a *Reopen,
// or what the reader returned; after one, nothing that came before is to be taken for the whole file.
func (f *File) Blocks() iter.Seq2[*Block, error] {
	return func(yield func(*Block, error) bool) {
		next := f.next
		if f.book != nil {
			next = f.nextRows
		}
		for {
			b, err := next()
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
				return nil, f.scan.refusal(v, f.line+int64(bytes.Count(f.buf[:at], newline)))
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
			if f.Evidence == EvidenceASCII && x.wide {
				if err := f.settleEncoding(cut); err != nil {
					return nil, err
				}
			}
			return f.take(cut), nil
		case f.done:
			return nil, errEnd
		}
		want = len(f.buf) + f.limits.BlockBytes
	}
}

// settleEncoding looks at the first block that is not only ASCII.
func (f *File) settleEncoding(n int) error {
	text := f.buf[:n]
	good, bad := sequences(text, true)
	if good == 0 && bad == 0 {
		return nil // it is in what follows
	}
	if good >= bad {
		f.Evidence = EvidenceUTF8
		return nil
	}
	c, err := charsetOf(f.legacy)
	if err != nil {
		return err
	}
	decoded, err := io.ReadAll(c.reader(bytes.NewReader(text)))
	if err != nil {
		return fmt.Errorf("decode a block: %w", err)
	}
	return &Reopen{Encoding: c.name, Warning: Warning{Code: finding.EncodingAssumed, Shown: c.name}, Samples: samples(decoded, true, &f.scan, f.line)}
}

// take makes a block of the first n bytes and begins a new buffer with the rest.
func (f *File) take(n int) *Block {
	f.room.buf = f.buf
	b := &Block{Data: f.buf[:n:n], Index: f.index, Offset: f.offset, Line: f.line, followed: !f.done, index: &f.room.index, room: f.room, pool: &f.pool}
	f.index++
	f.offset += int64(n)
	f.broken -= n
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
		if want := n + leastRead; cap(f.buf) < want {
			grown := make([]byte, len(f.buf), want+headBytes)
			copy(grown, f.buf)
			f.buf = grown
		}
		k, err := f.r.Read(f.buf[len(f.buf) : n+leastRead])
		f.buf = f.buf[:len(f.buf)+k]
		f.read += int64(k)
		switch {
		case isEnd(err):
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
		if f.Dialect.LineEnd.alone() {
			f.broken += breakLines(f.buf[f.broken:], f.done)
		}
	}
	return nil
}

// end notes that the file has ended. A Ctrl-Z as its last byte was the end of a file once, and is dropped.
func (f *File) end() {
	f.done = true
	if n := len(f.buf); n > 0 && f.buf[n-1] == 0x1a {
		f.buf = f.buf[:n-1]
		f.broken = min(f.broken, n-1)
	}
}
