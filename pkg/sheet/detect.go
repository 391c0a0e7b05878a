package sheet

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const bom = "\ufeff"

// delimiters are the ones that are looked for, the most usual first.
var delimiters = [...]byte{',', ';', '\t', '|'}

// Detect settles the dialect from the head of a file, 64 KiB or so; complete says that the head is all of it. Parts that
// given already holds stay as they are. The candidates are what spoke for the delimiter. A file that is no text table is
// refused by what it holds, whatever its name.
func Detect(head []byte, complete bool, given Dialect) (Dialect, []Candidate, error) {
	return detect(head, complete, given, DefaultLimits())
}

func detect(head []byte, complete bool, given Dialect, limits Limits) (Dialect, []Candidate, error) {
	d := given
	if code := foreign(head, complete); code != "" {
		return d, nil, &Refusal{Code: code}
	}
	d.BOM = bytes.HasPrefix(head, []byte(bom))
	if d.BOM {
		head = head[len(bom):]
	}
	if len(bytes.TrimSpace(head)) == 0 && complete {
		return d, nil, &Refusal{Code: finding.FileEmpty}
	}
	if d.Quote == 0 {
		d.Quote = '"'
	}
	if d.LineEnd == AnyLineEnd {
		d.LineEnd = lineEndOf(head, complete)
	}
	if d.LineEnd == CR {
		head = bytes.ReplaceAll(head, []byte{'\r'}, newline)
	}
	if named := separatorLine(head); named != 0 {
		d.Separator = true
		if d.HeadingLine == 0 {
			d.HeadingLine = 2
		}
		if d.Delimiter == 0 {
			d.Delimiter = named
		}
	}
	if d.Delimiter != 0 {
		return d, nil, nil
	}
	candidates := make([]Candidate, 0, len(delimiters))
	for _, c := range delimiters {
		try := d
		try.Delimiter = c
		candidates = append(candidates, weigh(head, complete, try, limits))
	}
	var err error
	d.Delimiter, err = choose(candidates)
	return d, candidates, err
}

// lineEndOf looks at the first line end. CR alone counts only where there is no line feed at all.
func lineEndOf(head []byte, complete bool) LineEnd {
	i := bytes.IndexByte(head, '\n')
	switch {
	case i > 0 && head[i-1] == '\r':
		return CRLF
	case i >= 0:
		return LF
	}
	cr := bytes.IndexByte(head, '\r')
	if cr >= 0 && (complete || cr < len(head)-1) {
		return CR
	}
	return LF
}

// separatorLine reads a first line of the form sep=X, with or without quotes, and returns X.
func separatorLine(head []byte) byte {
	line, _, _ := bytes.Cut(head, newline)
	line = bytes.Trim(bytes.TrimSuffix(line, []byte{'\r'}), `"`)
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && line[4] != '"' && line[4] > ' ' || string(line) == "sep=\t" {
		return line[4]
	}
	return 0
}

// weighed is how many records of the head are read with each delimiter.
const weighed = 200

// weigh reads the head with one delimiter. A record that the head cuts off does not count.
func weigh(head []byte, complete bool, d Dialect, limits Limits) Candidate {
	c := Candidate{Delimiter: d.Delimiter}
	scan := newScanner(d, limits)
	var found cells
	line := int64(1)
	for pos := 0; pos < len(head) && c.Records < weighed; {
		found.list, found.dirty = found.list[:0], found.dirty[:0]
		next, v, _, _ := scan.record(head, pos, complete, &found)
		if v == more || v == tooLong || next == pos {
			break
		}
		first := line
		line += int64(bytes.Count(head[pos:next], newline))
		pos = next
		blank := true
		for _, cell := range found.list {
			blank = blank && empty(cell)
		}
		switch {
		case first < d.HeadingLine, v == whole && blank:
		case c.Columns == 0:
			if v != whole {
				return c
			}
			c.Columns = len(found.list)
		case v != whole:
			c.Records, c.Broken = c.Records+1, c.Broken+1
		default:
			c.Records++
			if len(found.list) == c.Columns {
				c.Fitting++
			}
		}
	}
	if c.Columns == 0 { // the heading is longer than the head: its delimiters are what there is to go by
		c.Columns = 1 + bytes.Count(head, []byte{d.Delimiter})
	}
	return c
}

// choose takes the delimiter that splits the heading and fits the records best, then the one that makes more columns. A
// heading that none splits has one column.
func choose(candidates []Candidate) (byte, error) {
	best, tied := -1, false
	for i, c := range candidates {
		if c.Columns < 2 {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		b := candidates[best]
		// shares are compared crosswise, to a tenth; without records all fit alike
		mine, theirs := c.Fitting*max(b.Records, 1), b.Fitting*max(c.Records, 1)
		margin := max(b.Records, 1) * max(c.Records, 1) / 10
		switch {
		case mine > theirs+margin, mine+margin >= theirs && c.Columns > b.Columns:
			best, tied = i, false
		case mine+margin >= theirs && c.Columns == b.Columns:
			tied = true
		}
	}
	if best < 0 {
		return delimiters[0], nil
	}
	if tied {
		return 0, &Refusal{Code: finding.DelimiterAmbiguous}
	}
	return candidates[best].Delimiter, nil
}
