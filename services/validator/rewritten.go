package validator

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/sheet"
)

const (
	// longestRewritten bounds the cells that spreadsheets take for numbers, dates and the like.
	longestRewritten = 64
	// exactDigits is how many digits of a number a spreadsheet keeps, and fewDigits how many it shows at least of a long one.
	exactDigits = 15
	fewDigits   = 9
	// currencies are the signs that may stand with a number.
	currencies = "$€£¥"
)

// rewritten tells whether now, a cell of a kind, is what a spreadsheet makes of was when it opens a text and saves it again:
// the same number, the same day or the same truth value, written in another way.
func rewritten(was, now []byte, kind sheet.Kind) bool {
	was, now = bytes.TrimSpace(was), bytes.TrimSpace(now)
	if len(was) == 0 || len(now) == 0 || len(was) > longestRewritten || len(now) > longestRewritten {
		return false
	}
	a, b := string(was), string(now)
	if strings.Contains(b, ":") {
		return sameClock(a, b) || sameMoment(was, now)
	}
	return sameTruth(a, b) || sameNumber(a, b, kind) || sameDay(was, now, kind)
}

// sameText tells whether a cell says what it said, but for how its lines end.
func sameText(was, now []byte) bool {
	if bytes.Equal(was, now) {
		return true
	}
	if bytes.IndexByte(was, '\r') < 0 && bytes.IndexByte(now, '\r') < 0 {
		return false
	}
	return bytes.Equal(linesOf(was), linesOf(now))
}

func linesOf(s []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(s, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

func sameTruth(was, now string) bool {
	return strings.EqualFold(was, now) && (strings.EqualFold(was, "true") || strings.EqualFold(was, "false"))
}

// sameNumber compares two texts as numbers, the sign before decimals being either, but the same in both; a number of a
// workbook has a point.
func sameNumber(was, now string, kind sheet.Kind) bool {
	for _, point := range [...]byte{'.', ','} {
		a, ok := numberOf(was, point)
		if !ok {
			continue
		}
		if kind == sheet.Number || kind == sheet.Rounded {
			point = '.'
		}
		if b, ok := numberOf(now, point); ok && !b.padded && a.shownAs(b) {
			return true
		}
	}
	return false
}

// number is 0.digits times ten to the power of exp; digits has no zeros at its ends and is empty for zero.
type number struct {
	negative bool
	digits   string
	exp      int
	power    bool // it was written with an exponent
	padded   bool // and with zeros before it, which no spreadsheet does
	currency string
}

// numberOf reads what a spreadsheet takes for a number: signs, currencies, per cent, exponents and thousands among it.
func numberOf(s string, point byte) (n number, ok bool) {
	if inner, ok := strings.CutPrefix(s, "("); ok && strings.HasSuffix(inner, ")") {
		n.negative, s = true, inner[:len(inner)-1]
	}
	n.currency = strings.Map(func(r rune) rune {
		if strings.ContainsRune(currencies, r) {
			return r
		}
		return -1
	}, s)
	s = strings.Trim(s, currencies+" \u00a0")
	if rest, percent := strings.CutSuffix(s, "%"); percent {
		s, n.exp = strings.TrimSpace(rest), -2
	}
	if s != "" && !n.negative && (s[0] == '-' || s[0] == '+') {
		n.negative, s = s[0] == '-', strings.TrimLeft(s[1:], currencies+" \u00a0")
	}
	if i := strings.IndexAny(s, "eE"); i > 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e > 1000 || e < -1000 {
			return n, false
		}
		n.power, n.exp, s = true, n.exp+e, s[:i]
	}
	whole, decimals, _ := strings.Cut(s, string(rune(point)))
	if other := string(rune('.' + ',' - point)); strings.Contains(whole, other) {
		groups := strings.Split(whole, other)
		for i, g := range groups {
			if len(g) != 3 && (i > 0 || len(g) == 0 || len(g) > 3) {
				return n, false
			}
		}
		whole = strings.Join(groups, "")
	}
	digits := whole + decimals
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return n, false
	}
	n.exp += len(whole)
	n.padded = len(whole) > 1 && whole[0] == '0'
	for strings.HasPrefix(digits, "0") {
		digits, n.exp = digits[1:], n.exp-1
	}
	if n.digits = strings.TrimRight(digits, "0"); n.digits == "" {
		n.exp, n.negative = 0, false
	}
	return n, true
}

// shownAs tells whether a spreadsheet shows a as b: as it is, or with as many digits as it keeps or shows.
func (a number) shownAs(b number) bool {
	if a.negative != b.negative || b.currency != "" && a.currency != b.currency { // the sign may go, but not become another
		return false
	}
	if a.digits == b.digits && a.exp == b.exp {
		return true
	}
	same := func(n number) bool { return n.digits == b.digits && n.exp == b.exp }
	switch {
	case len(b.digits) == 0 || len(b.digits) >= len(a.digits):
		return false
	case b.power, b.exp < len(b.digits) && len(b.digits) >= fewDigits: // as many digits as there was room for
		return same(a.rounded(len(b.digits)))
	case len(a.digits) > exactDigits:
		cut := a
		cut.digits = strings.TrimRight(a.digits[:exactDigits], "0")
		return same(a.rounded(exactDigits)) || same(cut)
	}
	return false
}

// rounded is the number with at most so many digits.
func (a number) rounded(digits int) number {
	if len(a.digits) <= digits {
		return a
	}
	d := []byte(a.digits[:digits])
	if a.digits[digits] >= '5' {
		i := len(d) - 1
		for ; i >= 0 && d[i] == '9'; i-- {
			d[i] = '0'
		}
		if i >= 0 {
			d[i]++
		} else {
			d, a.exp = append([]byte{'1'}, d...), a.exp+1
		}
	}
	a.digits = strings.TrimRight(string(d), "0")
	return a
}

var orders = [...]contact.DateOrder{contact.DMY, contact.MDY, contact.YMD}

// sameDay compares two texts as days. A spreadsheet writes a day in the order that it read it in, or the year first, or, if
// the year came first, in any.
func sameDay(was, now []byte, kind sheet.Kind) bool {
	isoWas, isoNow := yearFirst(was), kind == sheet.Date || yearFirst(now)
	for _, from := range orders {
		a, ok := dayOf(was, from)
		if !ok {
			continue
		}
		for _, to := range orders {
			if from != to && !isoWas && !isoNow {
				continue
			}
			if b, ok := dayOf(now, to); ok && a == b {
				return true
			}
		}
	}
	return sameDayOfYear(was, now)
}

// sameDayOfYear compares a text such as 1/2 or Mar-05 with the day that a spreadsheet makes of it: of the year in which it is
// opened, or the first of the month.
func sameDayOfYear(was, now []byte) bool {
	if bytes.Count(was, []byte("/"))+bytes.Count(was, []byte("-"))+bytes.Count(was, []byte(".")) != 1 && len(bytes.Fields(was)) != 2 {
		return false
	}
	for _, to := range orders {
		day, ok := dayOf(now, to)
		if !ok {
			continue
		}
		year, _, _ := day.Civil()
		for _, between := range [...]string{"/", "-", ".", " "} {
			for _, whole := range [...]string{string(was) + between + strconv.Itoa(year), "1" + between + string(was)} {
				for _, from := range [...]contact.DateOrder{contact.DMY, contact.MDY} {
					if d, ok := dayOf([]byte(whole), from); ok && d == day {
						return true
					}
				}
			}
		}
	}
	return false
}

// sameClock compares two texts as times of day, with or without seconds, in 12 or 24 hours.
func sameClock(was, now string) bool {
	a, ok := clockOf(was)
	if !ok {
		return false
	}
	b, ok := clockOf(now)
	return ok && a == b
}

// clockOf is the second of the day.
func clockOf(s string) (int, bool) {
	s = strings.ToUpper(s)
	late, twelve := false, false
	for _, half := range [...]string{"AM", "PM"} {
		if rest, ok := strings.CutSuffix(s, half); ok {
			s, late, twelve = strings.TrimSpace(rest), half == "PM", true
		}
	}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	seconds := 0
	for _, unit := range []int{60 * 60, 60, 1}[:len(parts)] {
		n, err := strconv.ParseUint(parts[0], 10, 16)
		if err != nil || len(parts[0]) > 3 || unit < 60*60 && n > 59 {
			return 0, false
		}
		if unit == 60*60 && twelve {
			if n = n % 12; late {
				n += 12
			}
		}
		seconds, parts = seconds+int(n)*unit, parts[1:]
	}
	return seconds, true
}

// dayOf reads a day; of a year of two digits it is taken as a spreadsheet does, from 1930 on.
func dayOf(s []byte, order contact.DateOrder) (contact.Date, bool) {
	const pivot = 30
	d, code := contact.ParseDate(s, contact.DateRules{Order: order, Pivot: pivot})
	return d, !code.Failed()
}

func yearFirst(s []byte) bool {
	return len(s) >= 8 && len(bytes.TrimLeft(s[:4], "0123456789")) == 0
}

// sameMoment compares two texts as moments, to the minute where the second shows no seconds, as spreadsheets do.
func sameMoment(was, now []byte) bool {
	for _, from := range orders {
		a, code := contact.ParseMoment(was, contact.DateRules{Order: from, Pivot: contact.PivotCentury})
		if code.Failed() {
			continue
		}
		for _, to := range orders {
			if b, code := contact.ParseMoment(now, contact.DateRules{Order: to, Pivot: contact.PivotCentury, Serials: true}); !code.Failed() && (a == b || b%60 == 0 && a/60 == b/60) {
				return true
			}
		}
	}
	return false
}
