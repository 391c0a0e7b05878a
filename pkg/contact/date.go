package contact

import "github.com/contactmill/contactmill/pkg/contact/finding"

// Date is a day of the Gregorian calendar without time or zone, counted from 1970-01-01 (day 0).
type Date int32

// DateOrder says how the parts of a column's dates follow each other. It is decided once per column, never per cell.
type DateOrder uint8

const (
	ISO DateOrder = iota // YYYY-MM-DD only; also taken under every other order
	DMY
	MDY
	YMD
)

func (o DateOrder) String() string {
	switch o {
	case ISO:
		return "ISO"
	case DMY:
		return "DMY"
	case MDY:
		return "MDY"
	case YMD:
		return "YMD"
	}
	return "unknown"
}

// DateRules says how a column's dates are read.
type DateRules struct {
	Order DateOrder
	// Pivot opens years of two digits: below it they are of this century (20yy), from it on of the last (19yy).
	// 1 to 100; 0 refuses them, and PivotCertain completes those of birth dates that can be read in one way only.
	Pivot uint8
	// Serials says that the column holds a spreadsheet's numbers of days.
	Serials bool

	today Date // for PivotCertain; 0 for dates that are none of birth
}

// PivotCertain as a pivot completes the year of a birth date where the other century is out of the question, with a remark:
// the day would be in the future, or the person older than anybody is.
const PivotCertain = 255

// Oldest is how many years ago a date of birth may be.
const Oldest = 130

var monthDays = [13]uint8{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// DateOf makes a Date from year 1000 to 9999, month and day, or reports that there is no such day.
func DateOf(year, month, day int) (Date, bool) {
	if year < 1000 || year > 9999 || month < 1 || month > 12 || day < 1 || day > int(monthDays[month]) {
		return 0, false
	}
	if month == 2 && day == 29 && !leap(year) {
		return 0, false
	}
	// Days from civil: years begin in March, so that the leap day is the last of a year.
	y := year
	if month <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*((month+9)%12)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return Date(era*146097 + doe - 719468), true
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// Civil returns the year, month and day.
func (d Date) Civil() (year, month, day int) {
	z := int(d) + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// AppendISO appends the date as YYYY-MM-DD.
func (d Date) AppendISO(dst []byte) []byte {
	y, m, day := d.Civil()
	return append(dst,
		byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+m/10), byte('0'+m%10), '-', byte('0'+day/10), byte('0'+day%10))
}

func (d Date) String() string { return string(d.AppendISO(make([]byte, 0, 10))) }

// ParseDate reads a cell as a date. YYYY-MM-DD is read under every order; other forms take '-', '/', '.' or a space
// between their parts, one or two digits for day and month, or eight digits without any separator. Months may be named in
// the ten languages that headings are read in, and all parts as in 2024年1月31日, under every order. A time of day is refused
// unless it is midnight without a zone, which databases write for a bare date. Words (now, infinity) are no dates, and the
// numbers of days that spreadsheets have are only where the rules say so. A date may come with the code of a warning: those
// of PivotCertain and of Serials.
func ParseDate(cell []byte, rules DateRules) (Date, Code) {
	if d, ok := isoDate(cell); ok {
		return d, ""
	}
	return parseDate(cell, rules)
}

// isoDate is the way nearly all dates go.
func isoDate(s []byte) (Date, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	a, b, c, d := s[0]-'0', s[1]-'0', s[2]-'0', s[3]-'0'
	e, f, g, h := s[5]-'0', s[6]-'0', s[8]-'0', s[9]-'0'
	if a > 9 || b > 9 || c > 9 || d > 9 || e > 9 || f > 9 || g > 9 || h > 9 {
		return 0, false
	}
	return DateOf(int(a)*1000+int(b)*100+int(c)*10+int(d), int(e)*10+int(f), int(g)*10+int(h))
}

// ParseBirthDate is ParseDate with the rules for a date of birth: not after today, not more than Oldest years before.
func ParseBirthDate(cell []byte, rules DateRules, today Date) (Date, Code) {
	rules.today = today
	d, code := ParseDate(cell, rules)
	if code != "" && code.Failed() {
		return 0, code
	}
	switch {
	case d > today:
		return 0, finding.BirthDateFuture
	case d < today-Oldest*365 && d < yearsBefore(today, Oldest):
		return 0, finding.BirthDateTooOld
	}
	return d, code
}

// yearsBefore is the same day some years ago; 1 March for a 29 February that there was not.
func yearsBefore(d Date, years int) Date {
	y, m, day := d.Civil()
	before, ok := DateOf(y-years, m, day)
	if !ok {
		before, _ = DateOf(y-years, 3, 1)
	}
	return before
}
