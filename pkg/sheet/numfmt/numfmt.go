// Package numfmt knows the number formats of spreadsheets (ECMA-376 part 1, 18.8.31): what a format makes of a number that
// is taken in, and how it shows one, as an English Excel does.
package numfmt

import (
	"math"
	"strconv"
)

// maxFormatBytes is more than the 255 characters that Excel takes.
const maxFormatBytes = 4 << 10

// Format is a number format, cut into pieces.
type Format struct {
	sections []section
	general  bool
}

// General reports whether the format shows numbers as they are.
func (f *Format) General() bool { return f.general }

// Reading is what a format makes of a stored number.
type Reading uint8

const (
	AsNumber  Reading = iota // nothing: it is a number
	AsRounded                // a number of more than 15 digits before the point
	AsText                   // a padded number, a time of day, a duration
	AsDate                   // in ISO 8601
)

// AppendRead appends a stored number as it is to be read. AsNumber leaves dst as it is.
//
// A format that only pads an integer with zeros and fixed marks makes text of it. One of dates makes a date, with a time
// of day if it shows one that is not midnight, as finely as it shows it. A time of day or a duration alone is text.
func (f *Format) AppendRead(dst []byte, v float64, date1904 bool) ([]byte, Reading) {
	s := &f.sections[0]
	switch {
	case s.padded:
		if v < 0 || v >= 1e15 || v != math.Trunc(v) {
			return dst, AsNumber
		}
		return s.padTo(dst, strconv.AppendInt(nil, int64(v), 10)), AsText
	case s.date, s.clock, s.elapsed:
		return appendTime(dst, v, s, date1904)
	}
	return dst, AsNumber
}

// section is the part of a format for one range of numbers, or for text.
type section struct {
	pieces    []piece
	condition condition
	date      bool // has a year, month or day
	clock     bool // has a time of day
	elapsed   bool // has a duration
	general   bool
	text      bool // has a place for text
	padded    bool // only pads an integer with zeros and fixed marks
}

type piece struct {
	kind pieceKind
	text string // of a literal
	n    int    // how many letters or digits
}

type pieceKind uint8

const (
	literal pieceKind = iota
	zero              // 0
	hash              // #
	blank             // ?
	point
	comma
	percent
	exponent  // E+ or E-; n is 1 if a plus is shown
	slash     // of a fraction
	wholeText // @
	asGeneral
	year
	month
	day
	hour
	minute
	second
	subsecond
	halfDay // AM/PM, in text
	elapsedHours
	elapsedMinutes
	elapsedSeconds
)

// condition says which numbers a section is for.
type condition struct {
	operator string // "" for none
	value    float64
}

func (c condition) holds(v float64) bool {
	switch c.operator {
	case "<":
		return v < c.value
	case "<=":
		return v <= c.value
	case ">":
		return v > c.value
	case ">=":
		return v >= c.value
	case "=":
		return v == c.value
	case "<>":
		return v != c.value
	}
	return true
}

// pick chooses the section for a number. Of a section that is for negative numbers alone the sign is not shown.
func (f *Format) pick(v float64) (s *section, unsigned bool) {
	n := len(f.sections)
	if n > 1 && f.sections[n-1].text && n < 4 {
		n-- // the last one is for text
	}
	n = min(n, 3)
	conditional := false
	for i := range n {
		conditional = conditional || f.sections[i].condition.operator != ""
	}
	switch {
	case n == 1 && !conditional:
		return &f.sections[0], false
	case conditional:
		return f.pickConditional(v, n)
	case v < 0:
		return &f.sections[1], true
	case v == 0 && n == 3:
		return &f.sections[2], false
	}
	return &f.sections[0], false
}

func (f *Format) pickConditional(v float64, n int) (*section, bool) {
	for i := range n {
		s := &f.sections[i]
		c := s.condition
		if c.operator == "" && i == 1 && n == 3 {
			c = condition{"<", 0}
		}
		if c.holds(v) {
			return s, v < 0 && i > 0 && (c.operator == "<" || c.operator == "<=") && c.value <= 0
		}
	}
	return nil, false
}

// padTo appends an integer as the section shows it.
func (s *section) padTo(dst, digits []byte) []byte {
	zeros := 0
	for _, p := range s.pieces {
		zeros += btoi(p.kind == zero)
	}
	missing := zeros - len(digits)
	if missing < 0 { // more digits than places stand before the first place
		missing = 0
	}
	first := true
	for _, p := range s.pieces {
		if p.kind == literal {
			dst = append(dst, p.text...)
			continue
		}
		if first {
			for extra := len(digits) - zeros; extra > 0; extra-- {
				dst = append(dst, digits[0])
				digits = digits[1:]
			}
			first = false
		}
		if missing > 0 {
			dst = append(dst, '0')
			missing--
			continue
		}
		dst = append(dst, digits[0])
		digits = digits[1:]
	}
	return dst
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
