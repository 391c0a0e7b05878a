package sheet

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// delimiters are the ones that are looked for, the most usual first.
var delimiters = [...]byte{',', ';', '\t', '|'}

// detect settles the dialect from the decoded head of a file, 64 KiB or so; complete says that the head is all of it.
// Parts that given already holds stay as they are. The candidates are what spoke for the delimiter. Line ends of the
// head are put right in place.
func detect(head []byte, complete bool, given Dialect, limits Limits) (Dialect, []Candidate, error) {
	d := given
	if len(bytes.TrimSpace(head)) == 0 && complete {
		return d, nil, &Refusal{Code: finding.FileEmpty}
	}
	if err := d.check(); err != nil {
		return d, nil, err
	}
	if d.LineEnd == AnyLineEnd {
		d.LineEnd = lineEndOf(head, complete)
	}
	if d.LineEnd == Mixed && given.LineEnd == AnyLineEnd {
		d.LineEnd = loneEnds(head, complete, d, limits)
	}
	if d.LineEnd.alone() {
		breakLines(head, complete)
	}
	if named := separatorLine(head); named != 0 {
		d.Separator = true
		if d.Delimiter == 0 {
			d.Delimiter = named
		}
	}
	if err := d.check(); err != nil {
		return d, nil, err
	}
	return settle(head, complete, d, limits)
}

// check refuses a dialect that nothing can be written in.
func (d Dialect) check() error {
	special := func(c byte) bool {
		return c == 0 || c == '\t' || c >= 0x1c && c < ' ' || c >= ' ' && c < 0x7f && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
	}
	switch {
	case !special(d.Delimiter), d.Quote != NoQuote && !special(d.Quote), d.Escape != Doubled && !special(d.Escape),
		d.Delimiter != 0 && (d.Delimiter == d.Quote || d.Delimiter == d.Escape), d.Escape != 0 && d.Escape == d.Quote:
		return &Refusal{Code: finding.DialectImpossible}
	}
	return nil
}

// lineEndOf looks at the first line end; Mixed means that some lines may end in CR alone.
func lineEndOf(head []byte, complete bool) LineEnd {
	lone := 0
	quoted := false
	for i, c := range head {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\r' && !quoted && i+1 < len(head) && head[i+1] != '\n', c == '\r' && !quoted && i+1 == len(head) && complete:
			lone++
		}
	}
	i := bytes.IndexByte(head, '\n')
	switch {
	case i < 0 && lone > 0:
		return CR
	case lone > 0:
		return Mixed
	case i > 0 && head[i-1] == '\r':
		return CRLF
	}
	return LF
}

// loneEnds decides whether a CR alone ends a line in a file that has line feeds too: if its records are the more alike, or
// if they are as much alike and cells stand in quotes that mean nothing otherwise. Where all line feeds are inside quotes,
// what they cut the text into may be alike by chance: as many lines to a piece, or one piece besides the heading.
func loneEnds(head []byte, complete bool, d Dialect, limits Limits) LineEnd {
	feeds := LF
	if i := bytes.IndexByte(head, '\n'); i > 0 && head[i-1] == '\r' {
		feeds = CRLF
	}
	read := func(head []byte, end LineEnd) reading {
		d := d
		d.LineEnd = end
		r, _, err := unquote(head, complete, d, limits)
		if err != nil || r.Columns == 0 {
			return reading{}
		}
		if r.Columns == 1 { // whatever cuts it, one column is alike
			r.Fitting = 0
		}
		return r
	}
	broken := bytes.Clone(head)
	breakLines(broken, complete)
	a, b := read(head, feeds), read(broken, Mixed)
	mine, theirs := b.Fitting*max(a.Records, 1), a.Fitting*max(b.Records, 1) // shares are compared crosswise
	if mine > theirs || mine == theirs && b.dialect.Quote != a.dialect.Quote && b.enclosed > a.enclosed {
		return Mixed
	}
	return feeds
}

// alone tells whether a CR by itself ends a line.
func (e LineEnd) alone() bool { return e == CR || e == Mixed }

// breakLines makes each CR that stands alone a line feed, so that nothing after has to know, and returns how far it got:
// a CR at the very end waits for what follows.
func breakLines(text []byte, complete bool) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(text[i:], '\r')
		if n < 0 {
			return len(text)
		}
		i += n
		switch {
		case i+1 == len(text) && !complete:
			return i
		case i+1 == len(text) || text[i+1] != '\n':
			text[i] = '\n'
		}
	}
}

// separatorLine reads a first line of the form sep=X, with or without quotes, and returns X.
func separatorLine(head []byte) byte {
	line, _, _ := bytes.Cut(head, newline)
	line = bytes.Trim(bytes.TrimSuffix(line, []byte{'\r'}), `"`)
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && line[4] != '"' && line[4] >= ' ' || string(line) == "sep=\t" {
		return line[4]
	}
	return 0
}

// settle finds delimiter, quote, escape and heading.
func settle(head []byte, complete bool, d Dialect, limits Limits) (Dialect, []Candidate, error) {
	best, candidates, err := unquote(head, complete, d, limits)
	if err != nil {
		return d, candidates, err
	}
	if d.Delimiter != 0 {
		candidates = nil
	}
	found := best.dialect
	found.HeadingLine = best.heading
	return found, candidates, nil
}

// unquote reads the head in the way of quoting that it is written in. Quotes are double and doubled; another way is taken
// only where that one breaks records, or the heading itself stands in other quotes, and the other way breaks none.
func unquote(head []byte, complete bool, d Dialect, limits Limits) (reading, []Candidate, error) {
	doubled := d.Escape == Doubled
	if doubled {
		d.Escape = 0
	}
	usual := d
	if usual.Quote == 0 {
		usual.Quote = '"'
	}
	best, candidates, err := choose(head, complete, usual, limits)
	if d.Quote == 0 && d.Escape == 0 || d.Quote == '"' && d.Escape == 0 {
		for _, other := range others(head, d) {
			if doubled && other.Escape != 0 {
				continue
			}
			got, all, otherErr := choose(head, complete, other, limits)
			if otherErr == nil && (err != nil || best.worse(got)) {
				best, candidates, err = got, all, nil
			}
		}
	}
	return best, candidates, err
}

// others are the ways of quoting that the head could be written in, besides the usual one.
func others(head []byte, d Dialect) []Dialect {
	var all []Dialect
	if bytes.Contains(head, []byte(`\"`)) {
		o := d
		o.Quote, o.Escape = '"', '\\'
		all = append(all, o)
	}
	if d.Quote != 0 {
		return all
	}
	if bytes.Count(head, []byte{'\''}) >= 4 {
		o := d
		o.Quote = '\''
		all = append(all, o)
		if bytes.Contains(head, []byte(`\'`)) {
			o.Escape = '\\'
			all = append(all, o)
		}
	}
	if bytes.IndexByte(head, '"') >= 0 {
		o := d
		o.Quote = NoQuote
		all = append(all, o)
	}
	return all
}

// worse tells whether the other way of quoting is the right one for certain.
func (r reading) worse(o reading) bool {
	if o.broken > 0 || o.Columns == 0 {
		return false
	}
	switch {
	case o.dialect.Quote == '"': // escapes
		return r.broken > 0 && o.fits()
	case o.dialect.Quote == NoQuote: // quotes are inches or seconds: no cell stands in them
		return r.enclosed == 0 && r.broken*10 > r.Records && o.fits()
	case r.enclosed > 0 || !o.fits() || o.enclosed == 0:
		return false
	}
	return o.named || o.enclosed > 1 && !r.fits()
}

// choose takes the delimiter that splits the heading and fits the records best, then the one that makes more columns. A
// heading that none splits has one column, whose cells none is to split.
func choose(head []byte, complete bool, d Dialect, limits Limits) (reading, []Candidate, error) {
	if d.Delimiter != 0 {
		r := weigh(head, complete, d, limits)
		return r, []Candidate{r.Candidate}, nil
	}
	var all []reading
	var candidates []Candidate
	for _, c := range delimiters {
		d.Delimiter = c
		r := weigh(head, complete, d, limits)
		all, candidates = append(all, r), append(candidates, r.Candidate)
	}
	best, tied := -1, false
	for i, c := range all {
		if c.Columns < 2 {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		b := all[best]
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
	if best < 0 { // one column: what does not split its rows delimits best
		best = 0
		for i, c := range all {
			if c.Fitting > all[best].Fitting {
				best = i
			}
		}
		return all[best], candidates, nil
	}
	if tied {
		return reading{}, candidates, &Refusal{Code: finding.DelimiterAmbiguous}
	}
	return all[best], candidates, nil
}
