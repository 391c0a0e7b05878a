package contact

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

type datePart struct{ value, digits int }

// parseDate reads what is not in the ISO form.
func parseDate(cell []byte, rules DateRules) (Date, Code) {
	s := trim(cell, false)
	if len(s) > maxDateText {
		return 0, finding.DateInvalid
	}
	s = withoutYearWord(s)
	written := s
	s, plain := asciiOf(s)
	if !plain || worded(s) {
		return wordDate(written, rules)
	}
	order := rules.Order
	if allDigits(s) {
		switch {
		case len(s) == 8:
			return compactDate(s, order)
		case rules.Serials:
			return serialDate(s)
		}
		return 0, finding.DateInvalid
	}
	parts, code := splitDate(s)
	if code != "" {
		return 0, code
	}
	switch {
	case parts[0].digits == 4:
		order = YMD // nobody writes year, day, month
	case order == ISO && (parts[2].digits == 4 || parts[0].digits <= 2 && parts[2].digits <= 2):
		return 0, finding.DateOrderUnknown
	}
	var y, m, d datePart
	switch order {
	case YMD, ISO:
		y, m, d = parts[0], parts[1], parts[2]
	case DMY:
		d, m, y = parts[0], parts[1], parts[2]
	case MDY:
		m, d, y = parts[0], parts[1], parts[2]
	}
	return partsDate(y, m, d, rules)
}

// withoutYearWord cuts off the word for year that Russian and Polish have after a date.
func withoutYearWord(s []byte) []byte {
	for _, word := range [...]string{"г.", "г", "года", "r.", "roku"} {
		if rest, ok := bytes.CutSuffix(s, []byte(word)); ok && len(rest) > 0 && (rest[len(rest)-1] == ' ' || rest[len(rest)-1]-'0' < 10) {
			return trim(rest, false)
		}
	}
	return s
}

// maxDateText is the longest cell that can be a date.
const maxDateText = 64

// partsDate puts a date together.
func partsDate(y, m, d datePart, rules DateRules) (Date, Code) {
	if m.digits > 2 || d.digits > 2 {
		return 0, finding.DateInvalid
	}
	switch y.digits {
	case 4:
	case 2:
		switch {
		case rules.Pivot == 0:
			return 0, finding.DateTwoDigitYear
		case rules.Pivot == PivotCertain:
			return certainDate(y.value, m.value, d.value, rules.today)
		case y.value < int(rules.Pivot):
			y.value += 2000
		default:
			y.value += 1900
		}
	default:
		return 0, finding.DateInvalid
	}
	return dateOf(y.value, m.value, d.value)
}

// certainDate completes a birth date's year of two digits where nobody can doubt the century: in this one the day would be in
// the future, or in the last one the person older than anybody is.
func certainDate(year, month, day int, today Date) (Date, Code) {
	if today == 0 {
		return 0, finding.DateTwoDigitYear // no birth date
	}
	this, _, _ := today.Civil()
	young, code := dateOf(this/100*100+year, month, day)
	if code == "" && young <= today {
		if this-(this/100*100-100+year) <= oldestShort {
			return 0, finding.DateTwoDigitYear
		}
		return young, finding.DateCentury
	}
	old, code := dateOf(this/100*100-100+year, month, day)
	if code != "" {
		return 0, code
	}
	return old, finding.DateCentury
}

// oldestShort is the age that somebody with a year of two digits may have; those beyond it have been given four.
const oldestShort = 110

func dateOf(year, month, day int) (Date, Code) {
	d, ok := DateOf(year, month, day)
	if !ok {
		return 0, finding.DateImpossible
	}
	return d, ""
}

func allDigits(s []byte) bool {
	for _, c := range s {
		if c-'0' > 9 {
			return false
		}
	}
	return len(s) > 0
}

func number(digits []byte) (v int) {
	for _, c := range digits {
		v = v*10 + int(c-'0')
	}
	return v
}

// compactDate reads eight digits. Without an order they are a year first.
func compactDate(s []byte, order DateOrder) (Date, Code) {
	switch order {
	case DMY:
		return dateOf(number(s[4:]), number(s[2:4]), number(s[:2]))
	case MDY:
		return dateOf(number(s[4:]), number(s[:2]), number(s[2:4]))
	}
	return dateOf(number(s[:4]), number(s[4:6]), number(s[6:]))
}

// Days as spreadsheets count them from the last of 1899. Those before 1 March 1900 are off by one, for the first of these
// programs believed in a 29 February 1900.
const (
	serialZero  = -25569 // 1899-12-30
	firstSerial = 61     // 1900-03-01
	lastSerial  = 73050  // 2099-12-31
)

// serialDate reads a spreadsheet's number of a day.
func serialDate(s []byte) (Date, Code) {
	if len(s) > 5 || s[0] == '0' || number(s) < firstSerial || number(s) > lastSerial {
		return 0, finding.DateInvalid
	}
	return Date(serialZero + number(s)), finding.DateFromSerial
}

// plausibleSerial reports whether a cell by itself looks like the number of a day, from May 1927 on: with fewer digits it may
// as well be a year.
func plausibleSerial(cell []byte) bool {
	s := trim(cell, false)
	return len(s) == 5 && allDigits(s) && s[0] != '0' && number(s) <= lastSerial
}

// splitDate cuts a date into its three numbers as written.
func splitDate(s []byte) (parts [3]datePart, code Code) {
	var sep byte
	n, i := 0, 0
	for n < 3 {
		start := i
		for i < len(s) && s[i]-'0' < 10 {
			if i-start == 8 {
				return parts, finding.DateInvalid
			}
			parts[n].value = parts[n].value*10 + int(s[i]-'0')
			i++
		}
		parts[n].digits = i - start
		if parts[n].digits == 0 {
			return parts, finding.DateInvalid
		}
		n++
		if n == 3 {
			break
		}
		if i == len(s) || s[i] != '-' && s[i] != '/' && s[i] != '.' && s[i] != ' ' || sep != 0 && s[i] != sep {
			return parts, finding.DateInvalid
		}
		sep = s[i]
		i++
		if sep == '.' && i < len(s) && s[i] == ' ' {
			i++ // 1. 2. 2003
		}
	}
	rest := s[i:]
	if len(rest) == 0 || sep == '.' && string(rest) == "." {
		return parts, ""
	}
	return parts, timeOfDay(rest)
}

// timeOfDay judges what follows a day: midnight without a zone is what databases write for a bare date.
func timeOfDay(rest []byte) Code {
	if rest[0] != ' ' && rest[0] != 'T' {
		return finding.DateInvalid
	}
	switch string(rest[1:]) {
	case "00:00", "00:00:00", "00:00:00.0", "00:00:00.000", "00:00:00.000000", "0:00", "0:00:00", "12:00AM", "12:00 AM", "12:00:00 AM":
		return ""
	}
	if len(rest) > 1 && rest[1]-'0' < 10 {
		return finding.DateWithTime
	}
	return finding.DateInvalid
}
