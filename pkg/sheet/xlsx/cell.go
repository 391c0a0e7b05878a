package xlsx

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/sheet/markup"
	"github.com/contactmill/contactmill/pkg/sheet/numfmt"
)

// cellContent is what a cell's element holds.
type cellContent struct {
	kind    cellType
	format  *numfmt.Format
	value   []byte // of v or is
	formula bool
	valued  bool // there is a v or is
	inline  bool // the value is that of is
}

type cellType uint8

const (
	numberCell cellType = iota
	sharedCell
	inlineCell
	stringCell // of a formula
	boolCell
	errorCell
	dateCell
	unknownCell
)

func cellKind(t []byte) cellType {
	switch string(t) {
	case "", "n":
		return numberCell
	case "s":
		return sharedCell
	case "inlineStr":
		return inlineCell
	case "str":
		return stringCell
	case "b":
		return boolCell
	case "e":
		return errorCell
	case "d":
		return dateCell
	}
	return unknownCell
}

// readContent reads up to the end of the cell.
func (r *Rows) readContent(c *cellContent) error {
	for {
		kind, err := r.t.Next()
		if err != nil {
			return markup.Unexpected(err)
		}
		switch {
		case kind == markup.End:
			return nil
		case kind != markup.Start:
			continue
		case r.t.Is("v"):
			c.valued, c.inline = true, false
			err = r.readValue(c)
		case r.t.Is("is"):
			c.valued, c.inline = true, true
			from := len(r.arena)
			r.arena, err = appendString(r.arena, r.t)
			c.value = r.arena[from:len(r.arena):len(r.arena)]
		case r.t.Is("f"):
			c.formula = true
			err = r.t.Skip()
		default:
			err = r.t.Skip()
		}
		if err != nil {
			return err
		}
	}
}

// readValue reads the text of v.
func (r *Rows) readValue(c *cellContent) error {
	r.value = r.value[:0]
	c.value = r.value
	for {
		kind, err := r.t.Next()
		if err != nil {
			return markup.Unexpected(err)
		}
		switch kind {
		case markup.End:
			c.value = r.value
			return nil
		case markup.Start:
			return markup.ErrDamaged
		}
		if r.value, err = r.t.AppendText(r.value); err != nil {
			return err
		}
		if len(r.value) > markup.MaxTokenBytes {
			return markup.TooLarge("token bytes", markup.MaxTokenBytes)
		}
	}
}

// resolve makes the cell of what its element holds.
func (r *Rows) resolve(c *cellContent) (Cell, error) {
	if c.kind == inlineCell && c.inline {
		return r.text(c, c.value), nil
	}
	if c.kind != stringCell && c.kind != inlineCell && len(trimmed(c.value)) == 0 {
		if c.formula {
			return Cell{Kind: NoValue}, nil
		}
		return Cell{}, nil
	}
	switch c.kind {
	case sharedCell:
		s, err := r.book.strings.at(c.value)
		if err != nil {
			return Cell{}, err
		}
		return r.text(c, s), nil
	case stringCell, inlineCell:
		if c.formula && !c.valued {
			return Cell{Kind: NoValue}, nil
		}
		from := len(r.arena)
		r.arena = unescapedInPlace(append(r.arena, c.value...), from)
		return r.text(c, r.since(from)), nil
	case boolCell:
		return boolValue(trimmed(c.value))
	case errorCell:
		return Cell{Text: r.own(trimmed(c.value)), Kind: Failed}, nil
	case dateCell:
		value := isoDate(trimmed(c.value))
		kind := Date
		if bytes.IndexByte(value, '-') < 0 {
			kind = Text // a time of day alone
		}
		return Cell{Text: r.own(value), Kind: kind}, nil
	case unknownCell:
		return Cell{}, markup.ErrDamaged
	}
	return r.number(c), nil
}

// text is a cell of text, which a format can add to where it is shown.
func (r *Rows) text(c *cellContent, s []byte) Cell {
	if !r.shown || c.format == nil {
		return Cell{Text: s}
	}
	from := len(r.arena)
	r.arena = c.format.AppendShownText(r.arena, s)
	return Cell{Text: r.since(from)}
}

// own copies text that is valid for the token only into the row.
func (r *Rows) own(s []byte) []byte {
	from := len(r.arena)
	r.arena = append(r.arena, s...)
	return r.since(from)
}

func (r *Rows) since(from int) []byte { return r.arena[from:len(r.arena):len(r.arena)] }

func boolValue(value []byte) (Cell, error) {
	switch string(value) {
	case "1", "true":
		return Cell{Text: []byte("TRUE"), Kind: Bool}, nil
	case "0", "false":
		return Cell{Text: []byte("FALSE"), Kind: Bool}, nil
	}
	return Cell{}, markup.ErrDamaged
}

// isoDate drops a time of day that is midnight.
func isoDate(value []byte) []byte {
	day, clock, ok := bytes.Cut(value, []byte("T"))
	if ok && bytes.Equal(bytes.TrimRight(clock, "0:.Z"), nil) {
		return day
	}
	return value
}

// kinds are the kinds of what numbers are read as.
var kinds = [...]Kind{numfmt.AsNumber: Number, numfmt.AsRounded: Rounded, numfmt.AsText: Text, numfmt.AsDate: Date}

// number makes a cell of a stored number by its format.
func (r *Rows) number(c *cellContent) Cell {
	from := len(r.arena)
	value := trimmed(c.value)
	reading := numfmt.AsNumber
	if c.format != nil || r.shown {
		number, ok := numfmt.Parse(value)
		if !ok {
			return Cell{Text: r.own(value)}
		}
		if r.shown {
			r.arena = c.format.AppendShown(r.arena, number, r.book.date1904)
			return Cell{Text: r.since(from), Kind: Number}
		}
		r.arena, reading = c.format.AppendRead(r.arena, number, r.book.date1904)
	}
	if reading == numfmt.AsNumber {
		r.arena, reading = numfmt.AppendNumber(r.arena, value)
	}
	return Cell{Text: r.since(from), Kind: kinds[reading]}
}
