package xlsx

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Limits of the XML in a part. No spreadsheet program comes near them.
const (
	maxDepth      = 64
	maxAttributes = 128
	maxTokenBytes = 1 << 20 // a tag, or the text between two tags
	tokenBuffer   = 64 << 10
)

// errSyntax says that a part is not well-formed XML.
var errSyntax = &finding.FileRefusal{Code: finding.WorkbookDamaged}

type tokenKind uint8

const (
	startElement tokenKind = iota + 1
	endElement
	text
)

// namespace is what is needed of an element's namespace.
type namespace uint8

const (
	noNamespace namespace = iota
	mainNamespace
	relationsNamespace // of r:id attributes
	otherNamespace
)

// namespaces are the names of the transitional and the strict schema.
var namespaces = map[string]namespace{
	"http://schemas.openxmlformats.org/spreadsheetml/2006/main":           mainNamespace,
	"http://purl.oclc.org/ooxml/spreadsheetml/main":                       mainNamespace,
	"http://schemas.openxmlformats.org/package/2006/relationships":        mainNamespace,
	"http://schemas.openxmlformats.org/package/2006/content-types":        mainNamespace,
	"http://schemas.openxmlformats.org/officeDocument/2006/relationships": relationsNamespace,
	"http://purl.oclc.org/ooxml/officeDocument/relationships":             relationsNamespace,
}

// tokens cuts a part into XML tokens. It reads the XML that spreadsheet programs write: UTF-8, no document type, no
// entities but the five of XML and numeric ones. Everything else ends in a refusal. What it returns is valid until the
// next call.
type tokens struct {
	in  io.Reader
	buf []byte
	pos int
	end int
	eof bool
	err error

	consumed int64 // bytes before buf[0]
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

type binding struct {
	prefix string
	space  namespace
	depth  int
}

type attribute struct {
	prefix, name, value []byte
}

func newTokens(in io.Reader) *tokens {
	return &tokens{in: in, buf: make([]byte, tokenBuffer)}
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
			if err := t.more(); err == io.EOF {
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
	n, err := io.ReadFull(t.in, t.buf[t.end:])
	t.end += n
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if first {
		t.skipMark()
	}
	if err != nil {
		t.err = err
		if n > 0 && err == io.EOF {
			return nil
		}
	}
	return err
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
	if err == io.EOF {
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
		if err := t.more(); err == io.EOF {
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
			colon = i
		}
		i++
	}
	if colon >= 0 {
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
	if nameEnd == 0 || b[i] != '=' {
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

// push opens an element by its full name.
func (t *tokens) push(full []byte, declares bool) error {
	if len(t.marks) == maxDepth {
		return tooLarge("element depth", maxDepth)
	}
	t.marks = append(t.marks, len(t.names))
	t.names = append(t.names, full...)
	if declares {
		for _, a := range t.attrs {
			switch {
			case len(a.prefix) == 0 && string(a.name) == "xmlns":
				t.bind("", a.value)
			case string(a.prefix) == "xmlns":
				t.bind(string(a.name), a.value)
			}
		}
	}
	t.name, t.space = full, t.unnamed
	if i := bytes.IndexByte(full, ':'); i >= 0 {
		t.name, t.space = full[i+1:], t.resolve(full[:i])
	}
	t.closing = t.selfEnded
	return nil
}

func (t *tokens) bind(prefix string, name []byte) {
	space, ok := namespaces[string(name)]
	if !ok && len(name) > 0 {
		space = otherNamespace
	}
	t.bindings = append(t.bindings, binding{prefix, space, len(t.marks)})
	if prefix == "" {
		t.unnamed = space
	}
}

func (t *tokens) resolve(prefix []byte) namespace {
	for i := len(t.bindings) - 1; i >= 0; i-- {
		if t.bindings[i].prefix == string(prefix) {
			return t.bindings[i].space
		}
	}
	return otherNamespace
}

// pop closes the innermost element.
func (t *tokens) pop() {
	if n := len(t.bindings); n > 0 && t.bindings[n-1].depth == len(t.marks) {
		for n > 0 && t.bindings[n-1].depth == len(t.marks) {
			n--
		}
		t.bindings = t.bindings[:n]
		t.unnamed = t.resolve(nil)
		if t.unnamed == otherNamespace && !t.bound("") {
			t.unnamed = noNamespace
		}
	}
	last := len(t.marks) - 1
	t.names = t.names[:t.marks[last]]
	t.marks = t.marks[:last]
}

func (t *tokens) bound(prefix string) bool {
	for _, b := range t.bindings {
		if b.prefix == prefix {
			return true
		}
	}
	return false
}

// is reports whether the current element has this name in the spreadsheet's own namespace, or in none.
func (t *tokens) is(name string) bool {
	return t.space <= mainNamespace && string(t.name) == name
}

// attr returns an attribute without a prefix, undecoded; nil if it is not there.
func (t *tokens) attr(name string) []byte {
	for i := range t.attrs {
		if len(t.attrs[i].prefix) == 0 && string(t.attrs[i].name) == name {
			return t.attrs[i].value
		}
	}
	return nil
}

// decoded returns an attribute without a prefix, decoded.
func (t *tokens) decoded(name string) (string, error) {
	value, err := appendDecoded(nil, t.attr(name))
	return string(value), err
}

// relation returns the id of a relationship that the current element names.
func (t *tokens) relation() (string, error) {
	for _, a := range t.attrs {
		if string(a.name) == "id" && len(a.prefix) > 0 && t.resolve(a.prefix) == relationsNamespace {
			value, err := appendDecoded(nil, a.value)
			return string(value), err
		}
	}
	return "", nil
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

// appendDecoded appends XML text with its entities resolved and its line ends made LF.
func appendDecoded(dst, raw []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return appendLines(dst, raw), nil
		}
		dst = appendLines(dst, raw[:i])
		raw = raw[i+1:]
		end := bytes.IndexByte(raw[:min(len(raw), 12)], ';')
		if end < 1 {
			return dst, errSyntax
		}
		switch name := raw[:end]; {
		case string(name) == "amp":
			dst = append(dst, '&')
		case string(name) == "lt":
			dst = append(dst, '<')
		case string(name) == "gt":
			dst = append(dst, '>')
		case string(name) == "quot":
			dst = append(dst, '"')
		case string(name) == "apos":
			dst = append(dst, '\'')
		case name[0] == '#':
			r, ok := reference(name[1:])
			if !ok {
				return dst, errSyntax
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return dst, &finding.FileRefusal{Code: finding.WorkbookUnsafe}
		}
		raw = raw[end+1:]
	}
}

// reference is the character of a numeric reference. NUL and surrogates are none.
func reference(digits []byte) (rune, bool) {
	base := rune(10)
	if len(digits) > 0 && digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	var r rune
	for _, c := range digits {
		d := digit(c)
		if d < 0 || d >= base {
			return 0, false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, r != 0 && utf8.ValidRune(r)
}

// digit is the value of a hexadecimal digit, -1 for none.
func digit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// appendLines appends text with CR LF and CR made LF, as XML has it.
func appendLines(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\r')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(append(dst, raw[:i]...), '\n')
		raw = raw[i+1:]
		if len(raw) > 0 && raw[0] == '\n' {
			raw = raw[1:]
		}
	}
}

// appendEscaped appends s with the _xHHHH_ escapes of spreadsheet strings resolved, once. Surrogates count in pairs.
func appendEscaped(dst, s []byte) []byte {
	for {
		i := bytes.Index(s, []byte("_x"))
		if i < 0 {
			return append(dst, s...)
		}
		unit, ok := escape(s[i:])
		r, n := rune(unit), escapeBytes
		if ok && 0xd800 <= unit && unit < 0xdc00 {
			low, paired := escape(s[i+escapeBytes:])
			ok = paired && 0xdc00 <= low && low < 0xe000
			r, n = (r-0xd800)<<10|(rune(low)-0xdc00)+0x10000, 2*escapeBytes
		}
		if ok = ok && utf8.ValidRune(r); !ok {
			dst = append(dst, s[:i+2]...)
			s = s[i+2:]
			continue
		}
		dst = utf8.AppendRune(append(dst, s[:i]...), r)
		s = s[i+n:]
	}
}

const escapeBytes = len("_x0000_")

// escape reads the escape at the head of s.
func escape(s []byte) (unit uint16, ok bool) {
	if len(s) < escapeBytes || s[0] != '_' || s[1] != 'x' || s[6] != '_' {
		return 0, false
	}
	for _, c := range s[2:6] {
		d := digit(c)
		if d < 0 {
			return 0, false
		}
		unit = unit<<4 | uint16(d)
	}
	return unit, true
}

// unescapedInPlace resolves the _xHHHH_ escapes in what was appended to dst behind from.
func unescapedInPlace(dst []byte, from int) []byte {
	if bytes.Index(dst[from:], []byte("_x")) < 0 {
		return dst
	}
	return appendEscaped(dst[:from], bytes.Clone(dst[from:]))
}

func trimmed(value []byte) []byte { return bytes.Trim(value, " \t\r\n") }

// ended is the error of a part that was read to its end.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
