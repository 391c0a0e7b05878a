package ods

import (
	"strconv"

	"github.com/contactmill/contactmill/pkg/sheet/markup"
)

// appendParagraphs appends the text of the paragraphs in the cell that has just begun, one a line.
func appendParagraphs(dst []byte, t *markup.Reader) ([]byte, error) {
	depth := t.Depth()
	paragraphs := 0
	for {
		kind, err := t.Next()
		if err != nil {
			return dst, markup.Unexpected(err)
		}
		switch {
		case kind == markup.End && t.Depth() < depth:
			return dst, nil
		case kind != markup.Start:
		case t.In(textSpace, "p"), t.In(textSpace, "h"):
			if paragraphs++; paragraphs > 1 {
				dst = append(dst, '\n')
			}
			if dst, err = appendParagraph(dst, t); err != nil {
				return dst, err
			}
		default:
			if err := t.Skip(); err != nil {
				return dst, err
			}
		}
	}
}

// appendParagraph appends the text of the paragraph that has just begun. White space in it counts as one space each, and
// not at all at its beginning.
func appendParagraph(dst []byte, t *markup.Reader) ([]byte, error) {
	from, depth := len(dst), t.Depth()
	for {
		kind, err := t.Next()
		if err != nil {
			return dst, markup.Unexpected(err)
		}
		switch {
		case kind == markup.Text:
			at := len(dst)
			if dst, err = t.AppendText(dst); err != nil {
				return dst, err
			}
			dst = collapse(dst, from, at)
		case kind == markup.End:
			if t.Depth() < depth {
				return dst, nil
			}
		case t.In(textSpace, "s"):
			n, err := strconv.Atoi(string(t.AttrIn(textSpace, "c")))
			if err != nil {
				n = 1
			}
			for ; n > 0 && len(dst)-from <= markup.MaxTokenBytes; n-- {
				dst = append(dst, ' ')
			}
		case t.In(textSpace, "tab"):
			dst = append(dst, '\t')
		case t.In(textSpace, "line-break"):
			dst = append(dst, '\n')
		case t.Space != textSpace, t.In(textSpace, "note"), t.In(textSpace, "ruby-text"):
			if err := t.Skip(); err != nil {
				return dst, err
			}
		}
		if len(dst)-from > markup.MaxTokenBytes {
			return dst, markup.TooLarge("token bytes", markup.MaxTokenBytes)
		}
	}
}

// collapse makes one space of each run of white space behind at, and none of it at the beginning of the paragraph.
func collapse(dst []byte, from, at int) []byte {
	out := at
	for _, c := range dst[at:] {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			if out == from || dst[out-1] == ' ' {
				continue
			}
			c = ' '
		}
		dst[out] = c
		out++
	}
	return dst[:out]
}
