package contact

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxCodes is how many codes of a criterion one contact can have.
const maxCodes = 256

// codeSeparators may stand between the codes of a cell, unless one of the book's codes holds them.
const codeSeparators = ";|,\n"

// codeBook is a code book made ready for being asked: by what stands in a cell, and by that folded.
type codeBook struct {
	exact, folded map[string]codeHit
	separators    string // that no code holds
}

// codeHit is what a text stands for in a book.
type codeHit struct {
	place   int32 // of the code in the book
	label   bool  // it is the label's text; a code's text goes before it
	retired bool  // a code in force goes before it
	several bool  // it stands for several codes alike
}

// newCodeBook readies the codes. Two entries with one code are an error, as is a code that could not be told from others in
// a cell with several.
func newCodeBook(codes []CodeEntry) (*codeBook, error) {
	b := &codeBook{exact: make(map[string]codeHit, 2*len(codes)), folded: make(map[string]codeHit, 2*len(codes))}
	seen := make(map[string]bool, len(codes))
	all := ""
	for i, e := range codes {
		if e.Code == "" || seen[e.Code] || strings.TrimSpace(e.Code) != e.Code || strings.Contains(e.Code, ";") {
			return nil, fmt.Errorf("code %d of the book is blank, given twice, begins or ends in white space or holds a semicolon", i+1)
		}
		seen[e.Code] = true
		all += e.Code
		b.add(b.exact, e.Code, codeHit{int32(i), false, e.Retired, false})
		b.add(b.folded, string(appendFoldedCode(nil, []byte(e.Code))), codeHit{int32(i), false, e.Retired, false})
		if e.Label != "" {
			b.add(b.exact, e.Label, codeHit{int32(i), true, e.Retired, false})
			b.add(b.folded, string(appendFoldedCode(nil, []byte(e.Label))), codeHit{int32(i), true, e.Retired, false})
		}
	}
	for i := range codeSeparators {
		if s := codeSeparators[i : i+1]; !strings.Contains(all, s) {
			b.separators += s
		}
	}
	return b, nil
}

// add enters a text. One in force goes before one that is retired, a code before a label; what is left is told apart by
// nobody.
func (b *codeBook) add(to map[string]codeHit, text string, hit codeHit) {
	old, ok := to[text]
	switch {
	case !ok, old.retired && !hit.retired, old.retired == hit.retired && old.label && !hit.label:
		to[text] = hit
	case old.retired == hit.retired && old.label == hit.label && old.place != hit.place:
		old.several = true
		to[text] = old
	}
}

// find looks one text up.
func (b *codeBook) find(text []byte) (int, Code) {
	hit, ok := b.exact[string(text)]
	if !ok {
		var buf [256]byte
		hit, ok = b.folded[string(appendFoldedCode(buf[:0], text))]
	}
	switch {
	case !ok:
		return 0, finding.CodeUnknown
	case hit.several:
		return 0, finding.CodeAmbiguous
	case hit.retired:
		return 0, finding.CodeRetired
	}
	return int(hit.place), ""
}

// appendFoldedCode appends the form codes and labels are compared in when they are not alike to the letter: NFKC, case
// folded, spaces made one, dashes and quotes of typography made plain. Punctuation stays: A+ is not A.
func appendFoldedCode(dst, text []byte) []byte {
	if !ascii(text) {
		text = cases.Fold().Bytes(norm.NFKC.Bytes(text))
	}
	base, space := len(dst), false
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case invisible(r):
			continue
		case r-'A' < 26:
			r += 'a' - 'A'
		case r >= 0x2010 && r <= 0x2015, r == 0x2212:
			r = '-'
		case r == 0x2018, r == 0x2019:
			r = '\''
		case r == 0x201C, r == 0x201D:
			r = '"'
		}
		if space && len(dst) > base {
			dst = append(dst, ' ')
		}
		space = false
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// bookOf is the field's book; a line that was not made by NewSchema has it made for the cell.
func bookOf(spec *Spec) (*codeBook, bool) {
	if spec.book != nil {
		return spec.book, true
	}
	b, err := newCodeBook(spec.Codes)
	return b, err == nil
}

// appendCriterion appends the one code that the cell names by code or label.
func appendCriterion(dst []byte, spec *Spec, cell []byte) ([]byte, Code) {
	b, ok := bookOf(spec)
	if !ok {
		return dst, finding.CodeUnknown
	}
	i, code := b.find(trim(cell, true))
	if code != "" {
		return dst, code
	}
	return append(dst, spec.Codes[i].Code...), ""
}

// appendCriteria appends the codes that the cell names, each once, in the book's order and with ; between. The cell is one
// code or label; or several with one of the separators between, the first under which all parts are known; or with all of
// them.
func appendCriteria(dst []byte, spec *Spec, cell []byte) ([]byte, Code) {
	b, ok := bookOf(spec)
	if !ok {
		return dst, finding.CodeUnknown
	}
	cell = trim(cell, true)
	if i, code := b.find(cell); code != finding.CodeUnknown {
		if code != "" {
			return dst, code
		}
		return append(dst, spec.Codes[i].Code...), ""
	}
	first := finding.CodeUnknown
	tries := 0
	for i := range b.separators {
		if bytes.IndexByte(cell, b.separators[i]) < 0 {
			continue
		}
		tries++
		out, code := b.appendParts(dst, spec, cell, b.separators[i:i+1])
		if code == "" {
			return out, ""
		}
		if code != finding.CodeUnknown && first == finding.CodeUnknown {
			first = code
		}
	}
	if tries > 1 {
		out, code := b.appendParts(dst, spec, cell, b.separators)
		if code == "" {
			return out, ""
		}
		if first == finding.CodeUnknown {
			first = code
		}
	}
	return dst, first
}

func (b *codeBook) appendParts(dst []byte, spec *Spec, cell []byte, separators string) ([]byte, Code) {
	var places [maxCodes]int32
	n := 0
	for len(cell) > 0 {
		part := cell
		if i := bytes.IndexAny(cell, separators); i >= 0 {
			part, cell = cell[:i], cell[i+1:]
		} else {
			cell = nil
		}
		if part = trim(part, true); len(part) == 0 {
			continue
		}
		i, code := b.find(part)
		if code != "" {
			return dst, code
		}
		if n == len(places) {
			return dst, finding.TooLong
		}
		at := n // sorted in, once
		for at > 0 && places[at-1] > int32(i) {
			at--
		}
		if at > 0 && places[at-1] == int32(i) {
			continue
		}
		copy(places[at+1:n+1], places[at:n])
		places[at] = int32(i)
		n++
	}
	if n == 0 {
		return dst, finding.CodeUnknown
	}
	for i, place := range places[:n] {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, spec.Codes[place].Code...)
	}
	return dst, ""
}
