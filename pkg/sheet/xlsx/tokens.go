package xlsx

import (
	"bytes"
	"errors"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Limits of the XML in a part. No spreadsheet program comes near them.
const (
	maxDepth      = 64
	maxAttributes = 128
	maxTokenBytes = 1 << 20 // a tag, or the text between two tags
	tokenBuffer   = 64 << 10
	maxPartBytes  = 64 << 20 // of a part that is read at once
	maxEmptyReads = 100
)

// errSyntax says that a part is not well-formed XML.
var errSyntax = &finding.FileRefusal{Code: finding.WorkbookDamaged}

type tokenKind uint8

const (
	startElement tokenKind = iota + 1
	endElement
	text
)

// tokens cuts a part into XML tokens. It reads the XML that spreadsheet programs write: UTF-8, no document type, no
// entities but the five of XML and numeric ones. Everything else ends in a refusal. What it returns is valid until the
// next call.
type tokens struct {
	in  io.Reader
	buf []byte
	pos int
	end int
	err error

	consumed int64 // bytes before buf[0]
	until    int64 // reading beyond is refused
	bounded  finding.FileRefusal
	names    []byte
	marks    []int // where the names of open elements begin in names
	bindings []binding
	unnamed  namespace // of elements without a prefix
	closing  bool      // the current element closed itself: its end comes next
	rooted   bool

	// of the current token
	space     namespace
	name      []byte // without prefix
	attrs     []attribute
	content   []byte // of a text, undecoded
	verbatim  bool   // the text has nothing to decode (CDATA)
	selfEnded bool   // the element closed itself
}

type attribute struct {
	prefix, name, value []byte
}

func newTokens(in io.Reader) *tokens {
	t := &tokens{in: in, buf: make([]byte, tokenBuffer)}
	t.bound("part bytes", maxPartBytes)
	return t
}

// bound lets n more bytes be read, give or take the buffer. Whoever reads a part in pieces sets it for each of them, so
// that none is without end.
func (t *tokens) bound(limit string, n int64) {
	t.until = t.offset() + n
	t.bounded = finding.FileRefusal{Code: finding.WorkbookTooLarge, Limit: limit, Value: n}
}

// offset is how many bytes were read of the part.
func (t *tokens) offset() int64 { return t.consumed + int64(t.pos) }

func (t *tokens) depth() int { return len(t.marks) }

// next moves to the next token. io.EOF comes after the root element.
func (t *tokens) next() (tokenKind, error) {
	if t.closing {
		t.closing = false
		t.pop()
		return endElement, nil
	}
	for {
		if t.pos == t.end {
			if err := t.more(); errors.Is(err, io.EOF) {
				if !t.rooted || len(t.marks) > 0 {
					return 0, errSyntax
				}
				return 0, io.EOF
			} else if err != nil {
				return 0, err
			}
		}
		if t.buf[t.pos] != '<' {
			if err := t.readText(); err != nil {
				return 0, err
			}
			if len(t.marks) > 0 {
				return text, nil
			}
			if len(bytes.TrimLeft(t.content, " \t\r\n")) > 0 {
				return 0, errSyntax
			}
			continue
		}
		if err := t.need(2); err != nil {
			return 0, err
		}
		switch t.buf[t.pos+1] {
		case '/':
			return endElement, t.readEnd()
		case '?':
			if err := t.skipPast("?>"); err != nil {
				return 0, err
			}
		case '!':
			isText, err := t.readDeclaration()
			if err != nil || isText {
				return text, err
			}
		default:
			return startElement, t.readStart()
		}
	}
}

// more reads on. What lies before pos is dropped, so slices of the buffer end to be valid.
func (t *tokens) more() error {
	if t.err != nil {
		return t.err
	}
	if t.offset() > t.until {
		refusal := t.bounded
		return &refusal
	}
	if t.pos > 0 {
		copy(t.buf, t.buf[t.pos:t.end])
		t.consumed += int64(t.pos)
		t.end -= t.pos
		t.pos = 0
	}
	if t.end == len(t.buf) {
		if len(t.buf) >= maxTokenBytes {
			return tooLarge("token bytes", maxTokenBytes)
		}
		t.buf = append(t.buf, make([]byte, len(t.buf))...)
	}
	first := t.consumed == 0 && t.end == 0
	n, err := t.fill()
	if first {
		t.skipMark()
	}
	t.err = err
	if n > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// fill reads until the buffer is full or the part ends.
func (t *tokens) fill() (n int, err error) {
	for empty := 0; t.end < len(t.buf) && err == nil; {
		var read int
		read, err = t.in.Read(t.buf[t.end:])
		t.end += read
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
func (t *tokens) skipMark() {
	if bytes.HasPrefix(t.buf[:t.end], []byte("\xef\xbb\xbf")) {
		t.pos = 3
	}
}

// need makes sure that n bytes follow pos.
func (t *tokens) need(n int) error {
	for t.end-t.pos < n {
		if err := t.more(); err != nil {
			return cut(err)
		}
	}
	return nil
}

// cut is the error of a part that ends inside a token.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return errSyntax
	}
	return err
}

func (t *tokens) readText() error {
	from := 0
	for {
		if i := bytes.IndexByte(t.buf[t.pos+from:t.end], '<'); i >= 0 {
			t.content, t.verbatim = t.buf[t.pos:t.pos+from+i], false
			t.pos += from + i
			return nil
		}
		from = t.end - t.pos
		if err := t.more(); errors.Is(err, io.EOF) {
			t.content, t.verbatim = t.buf[t.pos:t.end], false
			t.pos = t.end
			return nil
		} else if err != nil {
			return err
		}
	}
}

// skipPast moves behind the mark; what is skipped is not held.
func (t *tokens) skipPast(mark string) error {
	for {
		if i := bytes.Index(t.buf[t.pos:t.end], []byte(mark)); i >= 0 {
			t.pos += i + len(mark)
			return nil
		}
		t.pos = max(t.pos, t.end-len(mark)+1)
		if err := t.more(); err != nil {
			return cut(err)
		}
	}
}

// readDeclaration passes over a comment, reads CDATA, and refuses what else begins with <!.
func (t *tokens) readDeclaration() (isText bool, err error) {
	const cdata = "<![CDATA["
	if err := t.need(4); err != nil {
		return false, err
	}
	if bytes.HasPrefix(t.buf[t.pos:t.end], []byte("<!--")) {
		t.pos += 4
		return false, t.skipPast("-->")
	}
	if t.buf[t.pos+2] != '[' {
		return false, &finding.FileRefusal{Code: finding.WorkbookUnsafe}
	}
	if err := t.need(len(cdata)); err != nil {
		return false, err
	}
	if !bytes.HasPrefix(t.buf[t.pos:t.end], []byte(cdata)) || len(t.marks) == 0 {
		return false, errSyntax
	}
	for from := len(cdata); ; {
		if i := bytes.Index(t.buf[t.pos+from:t.end], []byte("]]>")); i >= 0 {
			t.content, t.verbatim = t.buf[t.pos+len(cdata):t.pos+from+i], true
			t.pos += from + i + 3
			return true, nil
		}
		from = max(from, t.end-t.pos-2)
		if err := t.more(); err != nil {
			return false, cut(err)
		}
	}
}

// readEnd reads an end tag, which must be that of the innermost open element.
func (t *tokens) readEnd() error {
	if len(t.marks) == 0 {
		return errSyntax
	}
	open := t.names[t.marks[len(t.marks)-1]:]
	if err := t.need(len(open) + 3); err != nil {
		return err
	}
	if !bytes.Equal(t.buf[t.pos+2:t.pos+2+len(open)], open) {
		return errSyntax
	}
	t.pos += 2 + len(open)
	for {
		if t.pos == t.end {
			if err := t.more(); err != nil {
				return cut(err)
			}
		}
		c := t.buf[t.pos]
		t.pos++
		if c == '>' {
			t.pop()
			return nil
		}
		if !isSpace(c) {
			return errSyntax
		}
	}
}

// readStart reads a start tag as a whole.
func (t *tokens) readStart() error {
	if len(t.marks) == 0 && t.rooted {
		return errSyntax
	}
	for {
		n, err := t.scanStart(t.buf[t.pos:t.end])
		if err != nil {
			return err
		}
		if n > 0 {
			t.pos += n
			t.rooted = true
			return nil
		}
		if err := t.more(); err != nil {
			return cut(err)
		}
	}
}

// scanStart parses the start tag at the head of b and opens its element. It returns the tag's length, 0 if b ends before.
func (t *tokens) scanStart(b []byte) (int, error) {
	i := 1
	for i < len(b) && !endsName[b[i]] {
		i++
	}
	if i == len(b) {
		return 0, nil
	}
	full := b[1:i]
	if len(full) == 0 {
		return 0, errSyntax
	}
	t.attrs, t.selfEnded = t.attrs[:0], false
	declares := false
	for {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i+1 >= len(b) && (i == len(b) || b[i] != '>') {
			return 0, nil
		}
		if b[i] == '>' {
			i++
			break
		}
		if b[i] == '/' {
			if b[i+1] != '>' {
				return 0, errSyntax
			}
			i += 2
			t.selfEnded = true
			break
		}
		a, n, err := scanAttribute(b[i:])
		if err != nil || n == 0 {
			return 0, err
		}
		if len(t.attrs) == maxAttributes {
			return 0, tooLarge("attributes", maxAttributes)
		}
		t.attrs = append(t.attrs, a)
		declares = declares || len(a.name) >= 5 && string(a.name[:5]) == "xmlns" || string(a.prefix) == "xmlns"
		i += n
	}
	return i, t.push(full, declares)
}

// scanAttribute parses the attribute at the head of b. Its length is 0 if b ends before it does.
func scanAttribute(b []byte) (attribute, int, error) {
	var a attribute
	i, colon := 0, -1
	for i < len(b) && !endsName[b[i]] {
		if b[i] == ':' {
			if colon >= 0 {
				return a, 0, errSyntax
			}
			colon = i
		}
		i++
	}
	if colon > 0 {
		a.prefix, a.name = b[:colon], b[colon+1:i]
	} else {
		a.name = b[:i]
	}
	nameEnd := i
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i == len(b) {
		return a, 0, nil
	}
	if nameEnd == 0 || b[i] != '=' || colon == 0 || colon > 0 && colon == nameEnd-1 {
		return a, 0, errSyntax
	}
	i++
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i == len(b) {
		return a, 0, nil
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return a, 0, errSyntax
	}
	i++
	n := bytes.IndexByte(b[i:], quote)
	if n < 0 {
		return a, 0, nil
	}
	a.value = b[i : i+n]
	i += n + 1
	if bytes.IndexByte(a.value, '<') >= 0 || i < len(b) && !isSpace(b[i]) && b[i] != '>' && b[i] != '/' {
		return a, 0, errSyntax
	}
	return a, i, nil
}

// skip moves behind the element that has just begun.
func (t *tokens) skip() error {
	for depth := len(t.marks); ; {
		kind, err := t.next()
		if err != nil {
			return cut(err)
		}
		if kind == endElement && len(t.marks) < depth {
			return nil
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// endsName are the bytes that no name holds.
var endsName = [256]bool{' ': true, '\n': true, '\t': true, '\r': true, '/': true, '>': true, '=': true, '<': true, '"': true, '\'': true, '&': true, '!': true, '?': true}

// ended is the error of a part that was read to its end.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
