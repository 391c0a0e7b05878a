// Package markup reads the XML of spreadsheet files as a stream of tokens: that which their programs write, in UTF-8,
// without document types, and without entities but the five of XML and numeric ones. Everything else is refused. It is
// made for parts of any size that anybody may have made: depth, tags, texts and what is read in one go are bounded, and
// nothing is allocated for a token. Errors of the reader below are passed on; all others are *finding.FileRefusal.
package markup

import (
	"bytes"
	"errors"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// MaxTokenBytes bounds a tag, and the text between two tags.
const MaxTokenBytes = 1 << 20

// Limits of the XML in a part. No spreadsheet program comes near them.
const (
	maxDepth      = 64
	maxAttributes = 128
	tokenBuffer   = 64 << 10
	maxPartBytes  = 64 << 20 // of a part that is read at once
	maxEmptyReads = 100
)

// ErrDamaged refuses a part that is not well-formed XML, or does not hold what it must.
var ErrDamaged = &finding.FileRefusal{Code: finding.WorkbookDamaged}

// Kind is what a token is.
type Kind uint8

const (
	Start Kind = iota + 1 // of an element
	End                   // of an element
	Text
)

// Reader cuts a part into tokens. What it returns is valid until the next call of Next.
type Reader struct {
	// of the current element, at its start
	Name       []byte // without prefix
	Space      Space
	Attributes []Attribute

	in  io.Reader
	buf []byte
	pos int
	end int
	err error

	consumed int64 // bytes before buf[0]
	until    int64 // reading beyond is refused
	bounded  finding.FileRefusal

	spaces   map[string]Space
	names    []byte
	marks    []int // where the names of open elements begin in names
	bindings []binding
	unnamed  Space // of elements without a prefix
	rooted   bool

	content   []byte // of the current text, undecoded
	verbatim  bool   // the text has nothing to decode (CDATA)
	selfEnded bool   // the current element closed itself
	closing   bool   // and its end comes next
}

// Attribute is an Attribute as it is written, its value undecoded.
type Attribute struct {
	Prefix, Name, Value []byte
}

// NewReader reads a part. Elements are told apart by these names of namespaces.
func NewReader(in io.Reader, spaces map[string]Space) *Reader {
	r := &Reader{in: in, buf: make([]byte, tokenBuffer), spaces: spaces}
	r.Bound("part bytes", maxPartBytes)
	return r
}

// Bound lets n more bytes be read, give or take the buffer. Whoever reads a part in pieces sets it for each of them, so
// that none is without end.
func (r *Reader) Bound(limit string, n int64) {
	r.until = r.Offset() + n
	r.bounded = finding.FileRefusal{Code: finding.WorkbookTooLarge, Limit: limit, Value: n}
}

// Offset is how many bytes were read of the part.
func (r *Reader) Offset() int64 { return r.consumed + int64(r.pos) }

// Depth is how many elements are open: an element counts at its start, and no more at its end.
func (r *Reader) Depth() int { return len(r.marks) }

// Next moves to the next token. io.EOF comes after the root element.
func (r *Reader) Next() (Kind, error) {
	if r.closing {
		r.closing = false
		r.pop()
		return End, nil
	}
	for {
		if r.pos == r.end {
			if err := r.more(); errors.Is(err, io.EOF) {
				if !r.rooted || len(r.marks) > 0 {
					return 0, ErrDamaged
				}
				return 0, io.EOF
			} else if err != nil {
				return 0, err
			}
		}
		if r.buf[r.pos] != '<' {
			if err := r.readText(); err != nil {
				return 0, err
			}
			if len(r.marks) > 0 {
				return Text, nil
			}
			if len(bytes.TrimLeft(r.content, " \t\r\n")) > 0 {
				return 0, ErrDamaged
			}
			continue
		}
		if err := r.need(2); err != nil {
			return 0, err
		}
		switch r.buf[r.pos+1] {
		case '/':
			return End, r.readEnd()
		case '?':
			if err := r.skipPast("?>"); err != nil {
				return 0, err
			}
		case '!':
			isText, err := r.readDeclaration()
			if err != nil || isText {
				return Text, err
			}
		default:
			return Start, r.readStart()
		}
	}
}

// more reads on. What lies before pos is dropped, so slices of the buffer end to be valid.
func (r *Reader) more() error {
	if r.err != nil {
		return r.err
	}
	if r.Offset() > r.until {
		refusal := r.bounded
		return &refusal
	}
	if r.pos > 0 {
		copy(r.buf, r.buf[r.pos:r.end])
		r.consumed += int64(r.pos)
		r.end -= r.pos
		r.pos = 0
	}
	if r.end == len(r.buf) {
		if len(r.buf) >= MaxTokenBytes {
			return TooLarge("token bytes", MaxTokenBytes)
		}
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	first := r.consumed == 0 && r.end == 0
	n, err := r.fill()
	if first {
		r.skipMark()
	}
	r.err = err
	if n > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// fill reads until the buffer is full or the part ends.
func (r *Reader) fill() (n int, err error) {
	for empty := 0; r.end < len(r.buf) && err == nil; {
		var read int
		read, err = r.in.Read(r.buf[r.end:])
		r.end += read
		n += read
		if read > 0 {
			empty = 0
		} else if empty++; empty > maxEmptyReads && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// skipMark passes over a UTF-8 byte order mark.
func (r *Reader) skipMark() {
	if bytes.HasPrefix(r.buf[:r.end], []byte("\xef\xbb\xbf")) {
		r.pos = 3
	}
}

// need makes sure that n bytes follow pos.
func (r *Reader) need(n int) error {
	for r.end-r.pos < n {
		if err := r.more(); err != nil {
			return Unexpected(err)
		}
	}
	return nil
}

// Unexpected is the error of a part that ends inside a token.
func Unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	return err
}

func (r *Reader) readText() error {
	from := 0
	for {
		if i := bytes.IndexByte(r.buf[r.pos+from:r.end], '<'); i >= 0 {
			r.content, r.verbatim = r.buf[r.pos:r.pos+from+i], false
			r.pos += from + i
			return nil
		}
		from = r.end - r.pos
		if err := r.more(); errors.Is(err, io.EOF) {
			r.content, r.verbatim = r.buf[r.pos:r.end], false
			r.pos = r.end
			return nil
		} else if err != nil {
			return err
		}
	}
}

// skipPast moves behind the mark; what is skipped is not held.
func (r *Reader) skipPast(mark string) error {
	for {
		if i := bytes.Index(r.buf[r.pos:r.end], []byte(mark)); i >= 0 {
			r.pos += i + len(mark)
			return nil
		}
		r.pos = max(r.pos, r.end-len(mark)+1)
		if err := r.more(); err != nil {
			return Unexpected(err)
		}
	}
}

// readDeclaration passes over a comment, reads CDATA, and refuses what else begins with <!.
func (r *Reader) readDeclaration() (isText bool, err error) {
	const cdata = "<![CDATA["
	if err := r.need(4); err != nil {
		return false, err
	}
	if bytes.HasPrefix(r.buf[r.pos:r.end], []byte("<!--")) {
		r.pos += 4
		return false, r.skipPast("-->")
	}
	if r.buf[r.pos+2] != '[' {
		return false, &finding.FileRefusal{Code: finding.WorkbookUnsafe}
	}
	if err := r.need(len(cdata)); err != nil {
		return false, err
	}
	if !bytes.HasPrefix(r.buf[r.pos:r.end], []byte(cdata)) || len(r.marks) == 0 {
		return false, ErrDamaged
	}
	for from := len(cdata); ; {
		if i := bytes.Index(r.buf[r.pos+from:r.end], []byte("]]>")); i >= 0 {
			r.content, r.verbatim = r.buf[r.pos+len(cdata):r.pos+from+i], true
			r.pos += from + i + 3
			return true, nil
		}
		from = max(from, r.end-r.pos-2)
		if err := r.more(); err != nil {
			return false, Unexpected(err)
		}
	}
}

// Skip moves behind the element that has just begun.
func (r *Reader) Skip() error {
	for depth := len(r.marks); ; {
		kind, err := r.Next()
		if err != nil {
			return Unexpected(err)
		}
		if kind == End && len(r.marks) < depth {
			return nil
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// endsName are the bytes that no name holds.
var endsName = [256]bool{' ': true, '\n': true, '\t': true, '\r': true, '/': true, '>': true, '=': true, '<': true, '"': true, '\'': true, '&': true, '!': true, '?': true}

// TooLarge refuses a part that passes a limit.
func TooLarge(limit string, value int64) error {
	return &finding.FileRefusal{Code: finding.WorkbookTooLarge, Limit: limit, Value: value}
}
