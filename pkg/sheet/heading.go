package sheet

import (
	"bytes"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// readHeading skips to the heading's line and takes it off the buffer. Without a line found or set, the heading is the
// first record that is not blank.
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
		skip := f.line < f.Dialect.HeadingLine || f.line == 1 && f.Dialect.Separator
		if !skip && v != whole {
			return &Refusal{Code: finding.HeadingBroken, Line: f.line}
		}
		heading, blank := make([]string, 0, len(found.list)), v == whole
		for i, cell := range found.list {
			if len(found.dirty) > 0 && found.dirty[0] == i {
				found.dirty = found.dirty[1:]
				cell = f.scan.clean(bytes.Clone(cell))
			}
			blank = blank && empty(cell)
			heading = append(heading, string(cell))
			if skip {
				continue
			}
			if bytes.IndexByte(cell, 0) >= 0 {
				return &Refusal{Code: finding.HeadingBroken, Line: f.line}
			}
			if !utf8.Valid(cell) {
				return &Refusal{Code: finding.EncodingUnknown, Line: f.line}
			}
		}
		line := f.line
		f.drop(next)
		switch {
		case !skip && !blank:
			f.Dialect.HeadingLine = line
			f.Heading = heading
			return nil
		case !blank && !(line == 1 && f.Dialect.Separator):
			f.TitleLines += max(f.line-line, 1)
		}
	}
}

const (
	maxSamples = 5

	// sampleRunes is how much of a cell a sample shows on either side of its first letter beyond ASCII.
	sampleRunes = 20
)

// samples shows cells of the text that have letters beyond ASCII, each with one that no other shows.
func samples(text []byte, complete bool, scan *scanner, line int64) []Sample {
	var all []Sample
	var found cells
	shown := map[rune]bool{}
	for pos := 0; pos < len(text) && len(all) < maxSamples; {
		found.list, found.dirty = found.list[:0], found.dirty[:0]
		next, v, _, _ := scan.record(text, pos, complete, &found)
		if v == more || v == tooLong || next == pos {
			break
		}
		for i, cell := range found.list {
			if len(all) < maxSamples && news(cell, shown) {
				all = append(all, Sample{Line: line, Column: i + 1, Text: around(cell)})
			}
		}
		line += int64(bytes.Count(text[pos:next], newline))
		pos = next
	}
	return all
}

// news notes the letters of a cell beyond ASCII, and tells whether there is a new one among them.
func news(cell []byte, shown map[rune]bool) bool {
	any := false
	for _, r := range string(cell) {
		if r >= utf8.RuneSelf && !shown[r] {
			shown[r] = true
			any = true
		}
	}
	return any
}

// around cuts a cell to what stands around its first letter beyond ASCII; what is no letter shows as U+FFFD.
func around(cell []byte) string {
	runes := []rune(string(cell))
	at := 0
	for at < len(runes) && runes[at] < utf8.RuneSelf {
		at++
	}
	return string(runes[max(at-sampleRunes, 0):min(at+sampleRunes, len(runes))])
}
