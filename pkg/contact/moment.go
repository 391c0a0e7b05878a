package contact

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Moment is a second in UTC, counted from 1970-01-01T00:00:00Z.
type Moment int64

const secondsOfDay = 24 * 60 * 60

// PivotCentury as a pivot completes every year of two digits to one of this century.
const PivotCentury = 100

// AppendRFC3339 appends the moment as YYYY-MM-DDTHH:MM:SSZ.
func (m Moment) AppendRFC3339(dst []byte) []byte {
	day := m / secondsOfDay
	if m < day*secondsOfDay {
		day--
	}
	of := int(m - day*secondsOfDay)
	dst = append(Date(day).AppendISO(dst), 'T')
	for i, n := range [...]int{of / 3600, of / 60 % 60, of % 60} {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	return append(dst, 'Z')
}

func (m Moment) String() string { return string(m.AppendRFC3339(make([]byte, 0, 20))) }

// ParseMoment reads a cell as a day with a time of day: RFC 3339, or any date that ParseDate takes with hours and minutes
// behind it, perhaps seconds, a fraction of them, which is cut off, AM or PM, and a zone in hours. Where no zone is written
// it is UTC, and a day alone is its midnight. Where the rules say so, a spreadsheet's number of days with a fraction is read
// too, to the nearest second.
func ParseMoment(cell []byte, rules DateRules) (Moment, Code) {
	s := trim(cell, false)
	if len(s) > maxDateText {
		return 0, finding.DateInvalid
	}
	if rules.Serials {
		if m, ok := serialMoment(s); ok {
			return m, finding.DateFromSerial
		}
	}
	day, of, ok := cutClock(s)
	if !ok {
		return 0, finding.TimeInvalid
	}
	d, code := ParseDate(day, rules)
	switch {
	case code == finding.DateWithTime: // one that is no hours and minutes
		return 0, finding.TimeInvalid
	case code.Failed():
		return 0, code
	}
	m := Moment(d)*secondsOfDay + Moment(of)
	if m < firstMoment || m > lastMoment { // its zone leads out of the calendar
		return 0, finding.DateImpossible
	}
	return m, code
}

// The moments that have a form.
var (
	firstMoment = momentOf(1000, 1, 1)
	lastMoment  = momentOf(9999, 12, 31) + secondsOfDay - 1
)

func momentOf(year, month, day int) Moment {
	d, _ := DateOf(year, month, day)
	return Moment(d) * secondsOfDay
}

// AddMoment looks at one cell of a column of moments: only its day says something.
func (e *DateEvidence) AddMoment(cell []byte) {
	s := trim(cell, false)
	if len(s) == 0 {
		return
	}
	day, _, ok := cutClock(s)
	if len(s) > maxDateText || !ok || len(day) == 0 {
		e.other++
		return
	}
	if whole, _, ok := bytes.Cut(s, []byte{'.'}); ok && plausibleSerial(whole) {
		if _, ok := serialMoment(s); ok {
			e.serial++
			return
		}
	}
	e.Add(day)
}

// cutClock takes the time of day off a day, in seconds of UTC; a cell without one is all day. It is false for what is
// written like a time of day and is none.
func cutClock(s []byte) (day []byte, seconds int, ok bool) {
	colon := bytes.IndexByte(s, ':')
	if colon < 0 {
		return s, 0, true
	}
	from := colon
	for from > 0 && s[from-1]-'0' < 10 {
		from--
	}
	day = trim(s[:from], false)
	if len(day) == len(s[:from]) { // nothing but a T may stand before the hours where there is no space
		n := len(day) - 1
		if n < 1 || day[n]|0x20 != 't' {
			return nil, 0, false
		}
		day = day[:n]
	} else {
		day = bytes.TrimSuffix(day, []byte{','}) // as JavaScript writes it
	}
	clock, plain := asciiOf(s[from:])
	if !plain {
		return nil, 0, false
	}
	seconds, ok = clockSeconds(clock)
	return day, seconds, ok
}

// clockSeconds reads HH:MM with what may follow it. What is east of Greenwich comes out negative where it is still the day
// before there.
func clockSeconds(s []byte) (int, bool) {
	hour, s, ok := cutNumber(s, 1, 2)
	if !ok || len(s) == 0 || s[0] != ':' {
		return 0, false
	}
	minute, s, ok := cutNumber(s[1:], 2, 2)
	if !ok || hour > 23 || minute > 59 {
		return 0, false
	}
	second := 0
	if len(s) > 0 && s[0] == ':' {
		if second, s, ok = cutNumber(s[1:], 2, 2); !ok || second > 60 { // a leap second
			return 0, false
		}
		if len(s) > 0 && (s[0] == '.' || s[0] == ',') {
			if _, s, ok = cutNumber(s[1:], 1, 9); !ok {
				return 0, false
			}
		}
	}
	if hour, s, ok = cutHalf(hour, trim(s, false)); !ok {
		return 0, false
	}
	east, ok := zoneSeconds(trim(s, false))
	return hour*3600 + minute*60 + second - east, ok
}

// cutNumber reads digits, so many at least and at most.
func cutNumber(s []byte, least, most int) (n int, rest []byte, ok bool) {
	i := 0
	for i < len(s) && s[i]-'0' < 10 {
		i++
	}
	if i < least || i > most {
		return 0, s, false
	}
	return number(s[:i]), s[i:], true
}

// cutHalf reads AM or PM, if one is there, and gives the hour of the whole day.
func cutHalf(hour int, s []byte) (int, []byte, bool) {
	n := 0
	for n < len(s) && (s[n]|0x20-'a' < 26 || s[n] == '.') {
		n++
	}
	noon := 0
	switch string(bytes.ToLower(s[:n])) {
	case "am", "a.m.":
	case "pm", "p.m.":
		noon = 12
	default:
		return hour, s, true // a zone, if anything
	}
	if hour < 1 || hour > 12 {
		return 0, s, false
	}
	return hour%12 + noon, s[n:], true
}

// zoneSeconds reads how far east a zone is: nothing, Z, UTC, GMT or hours and minutes.
func zoneSeconds(s []byte) (int, bool) {
	for _, name := range [...]string{"z", "utc", "gmt"} {
		if len(s) >= len(name) && string(bytes.ToLower(s[:len(name)])) == name {
			if s = s[len(name):]; name == "z" && len(s) > 0 {
				return 0, false
			}
			break
		}
	}
	if len(s) == 0 {
		return 0, true
	}
	sign := 1
	switch s[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	s = s[1:]
	if len(s) == 4 && allDigits(s) {
		s = []byte{s[0], s[1], ':', s[2], s[3]}
	}
	hours, s, ok := cutNumber(s, 1, 2)
	minutes := 0
	if ok && len(s) > 0 {
		if s[0] != ':' {
			return 0, false
		}
		minutes, s, ok = cutNumber(s[1:], 2, 2)
	}
	if !ok || len(s) > 0 || minutes > 59 || hours > 14 || hours == 14 && minutes > 0 {
		return 0, false
	}
	return sign * (hours*3600 + minutes*60), true
}

// serialMoment reads a spreadsheet's number of days with what it has of the day after its point.
func serialMoment(s []byte) (Moment, bool) {
	whole, part, fraction := bytes.Cut(s, []byte{'.'})
	if !fraction {
		whole, part, fraction = bytes.Cut(s, []byte{','})
	}
	if !allDigits(whole) || fraction && !allDigits(part) {
		return 0, false
	}
	d, code := serialDate(whole)
	if code.Failed() {
		return 0, false
	}
	const digits = 12 // of the fraction: more than a second takes
	of, scale := 0, 1
	for i := range digits {
		of, scale = of*10, scale*10
		if i < len(part) {
			of += int(part[i] - '0')
		}
	}
	return Moment(d)*secondsOfDay + Moment((of*secondsOfDay+scale/2)/scale), true
}

// appendMoment appends a moment that is not after the day behind today: somewhere it is tomorrow already, where no zone is
// written.
func appendMoment(dst, cell []byte, rules Rules) ([]byte, Code) {
	if rules.Cell == CellNumber || rules.Cell == CellRounded {
		rules.Dates.Serials = true
	}
	m, code := ParseMoment(cell, rules.Dates)
	switch {
	case code.Failed():
		return dst, code
	case m >= Moment(rules.Today+2)*secondsOfDay:
		return dst, finding.ChangedInFuture
	}
	return m.AppendRFC3339(dst), code
}
