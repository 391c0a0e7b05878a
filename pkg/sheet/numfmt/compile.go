package numfmt

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Compile reads a format code. Every string is a format: what means nothing stands for itself.
func Compile(code string) *Format {
	if len(code) > maxFormatBytes {
		code = ""
	}
	f := &Format{}
	c := compiler{rest: code}
	for {
		more := c.section()
		f.sections = append(f.sections, c.finished())
		if !more {
			break
		}
	}
	f.general = len(f.sections) == 1 && f.sections[0].general && len(f.sections[0].pieces) == 1 || code == ""
	return f
}

type compiler struct {
	rest string
	now  section
}

// section reads up to the next semicolon and reports whether there is one.
func (c *compiler) section() bool {
	for c.rest != "" {
		letter, n := utf8.DecodeRuneInString(c.rest)
		symbol := c.rest[:n]
		switch {
		case letter == ';':
			c.rest = c.rest[1:]
			return true
		case letter == '"':
			c.quoted()
			continue
		case letter == '\\', letter == '_', letter == '*':
			c.escaped(letter)
			continue
		case letter == '[':
			c.bracket()
			continue
		case c.word("General"):
			c.now.general = true
			c.add(asGeneral, 1)
			continue
		case c.halfDay():
			continue
		case len(c.rest) > 1 && (letter == 'E' || letter == 'e') && (c.rest[1] == '+' || c.rest[1] == '-'):
			c.add(exponent, btoi(c.rest[1] == '+'))
			c.rest = c.rest[2:]
			continue
		case strings.ContainsRune("yYmMdDhHsSeEgGbB", letter):
			c.dateLetters()
			continue
		}
		c.rest = c.rest[n:]
		switch letter {
		case '0':
			c.add(zero, 1)
		case '#':
			c.add(hash, 1)
		case '?':
			c.add(blank, 1)
		case '.':
			c.add(point, 1)
		case ',':
			c.add(comma, 1)
		case '%':
			c.add(percent, 1)
		case '/':
			c.add(slash, 1)
		case '@':
			c.now.text = true
			c.add(wholeText, 1)
		default:
			c.literal(symbol)
		}
	}
	return false
}

func (c *compiler) add(kind pieceKind, n int) {
	c.now.pieces = append(c.now.pieces, piece{kind: kind, n: n})
}

func (c *compiler) literal(s string) {
	if last := len(c.now.pieces) - 1; last >= 0 && c.now.pieces[last].kind == literal {
		c.now.pieces[last].text += s
		return
	}
	c.now.pieces = append(c.now.pieces, piece{kind: literal, text: s})
}

func (c *compiler) word(w string) bool {
	if len(c.rest) < len(w) || !strings.EqualFold(c.rest[:len(w)], w) {
		return false
	}
	c.rest = c.rest[len(w):]
	return true
}

func (c *compiler) halfDay() bool {
	for _, w := range []string{"AM/PM", "A/P"} {
		if shown := c.rest[:min(len(w), len(c.rest))]; c.word(w) {
			c.now.clock = true
			c.now.pieces = append(c.now.pieces, piece{kind: halfDay, text: shown})
			return true
		}
	}
	return false
}

func (c *compiler) quoted() {
	text, rest, _ := strings.Cut(c.rest[1:], `"`)
	c.literal(text)
	c.rest = rest
}

// escaped reads a backslash and what it escapes, an underscore and the character whose width it leaves free, or an
// asterisk and the character that fills the column, which no text shows.
func (c *compiler) escaped(mark rune) {
	_, n := utf8.DecodeRuneInString(c.rest[1:])
	next := c.rest[1 : 1+n]
	c.rest = c.rest[1+n:]
	switch mark {
	case '\\':
		c.literal(next)
	case '_':
		c.literal(" ")
	}
}

// bracket reads a colour, condition, currency or duration in brackets.
func (c *compiler) bracket() {
	inside, rest, closed := strings.Cut(c.rest[1:], "]")
	if !closed {
		c.literal("[")
		c.rest = c.rest[1:]
		return
	}
	c.rest = rest
	folded := strings.ToLower(inside)
	switch {
	case strings.HasPrefix(inside, "$"):
		symbol, _, _ := strings.Cut(inside[1:], "-")
		if symbol != "" {
			c.literal(symbol)
		}
	case folded != "" && strings.Trim(folded, "h") == "":
		c.now.elapsed = true
		c.add(elapsedHours, len(folded))
	case folded != "" && strings.Trim(folded, "m") == "":
		c.now.elapsed = true
		c.add(elapsedMinutes, len(folded))
	case folded != "" && strings.Trim(folded, "s") == "":
		c.now.elapsed = true
		c.add(elapsedSeconds, len(folded))
	case strings.ContainsAny(inside, "<>="):
		operator := inside[:len(inside)-len(strings.TrimLeft(inside, "<>="))]
		if value, err := strconv.ParseFloat(strings.TrimSpace(inside[len(operator):]), 64); err == nil {
			c.now.condition = condition{operator, value}
		}
	}
}

func (c *compiler) dateLetters() {
	letter := c.rest[0] | 0x20
	n := 1
	for n < len(c.rest) && c.rest[n]|0x20 == letter {
		n++
	}
	c.rest = c.rest[n:]
	switch letter {
	case 'y', 'e':
		if letter == 'e' {
			n = 4 // the year of an era; ours has no others
		}
		c.now.date = true
		c.add(year, n)
	case 'm':
		c.add(month, n)
	case 'd':
		c.now.date = true
		c.add(day, n)
	case 'h':
		c.now.clock = true
		c.add(hour, n)
	case 's':
		c.now.clock = true
		c.add(second, n)
	case 'b':
		if n == 1 {
			c.literal("B")
			return
		}
		c.now.date = true
		c.add(year, n)
	}
}

// finished closes the section: what a letter means can depend on those beside it.
func (c *compiler) finished() section {
	s := c.now
	c.now = section{}
	for i, p := range s.pieces {
		if p.kind != month {
			continue
		}
		before, after := s.neighbour(i, -1), s.neighbour(i, 1)
		if p.n <= 2 && (before == hour || before == elapsedHours || after == second || after == elapsedSeconds) {
			s.pieces[i].kind = minute
			s.clock = true
		} else {
			s.date = true
		}
	}
	if s.date || s.clock || s.elapsed {
		s.timeMarks()
	} else {
		s.padded = s.onlyPads()
	}
	return s
}

// neighbour is the nearest piece of a date or time in a direction, literal if there is none.
func (s *section) neighbour(i, step int) pieceKind {
	for i += step; i >= 0 && i < len(s.pieces); i += step {
		if k := s.pieces[i].kind; k >= year && k != subsecond && k != halfDay {
			return k
		}
	}
	return literal
}

// timeMarks makes literals of the marks that mean something in numbers only, and fractions of a second of zeros behind
// a point.
func (s *section) timeMarks() {
	marks := map[pieceKind]string{zero: "0", hash: "#", blank: "?", point: ".", comma: ",", percent: "%", slash: "/"}
	var out []piece
	for i := 0; i < len(s.pieces); i++ {
		p := s.pieces[i]
		if p.kind == point {
			n := 0
			for i+1+n < len(s.pieces) && s.pieces[i+1+n].kind == zero {
				n++
			}
			if n > 0 {
				out = append(out, piece{kind: subsecond, n: n})
				i += n
				continue
			}
		}
		if mark, ok := marks[p.kind]; ok {
			p = piece{kind: literal, text: mark}
		}
		out = append(out, p)
	}
	s.pieces = out
}

// onlyPads reports whether the section shows every digit of an integer, at least two of them, and nothing but fixed
// marks beside.
func (s *section) onlyPads() bool {
	zeros := 0
	for _, p := range s.pieces {
		switch p.kind {
		case zero:
			zeros++
		case literal:
			if strings.Trim(p.text, " -/()") != "" {
				return false
			}
		default:
			return false
		}
	}
	return zeros > 1 && s.condition.operator == ""
}
