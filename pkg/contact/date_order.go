package contact

import "github.com/contactmill/contactmill/pkg/contact/finding"

// DateEvidence gathers what a column's cells say about the order of their parts, so that it is decided once for the column,
// never for a cell. The zero value is empty. Evidence of several pieces of a file is added up with Merge.
type DateEvidence struct {
	fits   [1 << 3]int64 // cells by the orders they can be read in, a bit each for DMY, MDY and YMD
	first  int64         // cells that begin with a year of four digits, or name their parts: they are read under every order
	short  int64         // cells with a year of two digits
	serial int64         // cells that can be a spreadsheet's number of a day
	other  int64         // cells that are no dates
}

// Votes is a summary of DateEvidence for people: how many cells can be read in one order alone, and in several.
type Votes struct {
	YMD    int64 // with the year first, or with a name for the month
	DMY    int64 // only day first
	MDY    int64 // only month first
	Both   int64 // day first and month first, or with a year of two digits that may be at either end
	Short  int64 // of all these, with a year of two digits
	Serial int64 // numbers of days, as spreadsheets count them
	Other  int64 // no dates
}

const (
	fitsDMY = 1 << iota
	fitsMDY
	fitsYMD
)

const (
	// overwhelming is how many times more often one reading must be the only one possible than another, where both occur:
	// the few are slips, which their rows are told.
	overwhelming = 20

	// enoughSerials is how many numbers of days make a column of them: fewer may be anything.
	enoughSerials = 20

	// anyPivot lets years of two digits count as evidence. Their rows are still judged by the column's rules.
	anyPivot = 50
)

// Add looks at one cell; blank ones do not count.
func (e *DateEvidence) Add(cell []byte) {
	if _, ok := isoDate(cell); ok {
		e.first++
		return
	}
	if Blank(cell) {
		return
	}
	s, plain := asciiOf(withoutYearWord(trim(cell, false)))
	switch {
	case len(s) > maxDateText:
		e.other++
	case plain && !worded(s) && !allDigits(s):
		e.addParts(s)
	default:
		e.addReadings(cell)
	}
}

// addParts looks at three numbers with signs between, the way nearly all dates go.
func (e *DateEvidence) addParts(s []byte) {
	parts, code := splitDate(s)
	if code != "" && code != finding.DateWithTime {
		e.other++
		return
	}
	reads := func(y, m, d datePart) bool {
		_, code := partsDate(y, m, d, DateRules{Pivot: anyPivot})
		return code == ""
	}
	if parts[0].digits == 4 {
		if reads(parts[0], parts[1], parts[2]) {
			e.first++
		} else {
			e.other++
		}
		return
	}
	fits := 0
	if reads(parts[2], parts[1], parts[0]) {
		fits |= fitsDMY
	}
	if reads(parts[2], parts[0], parts[1]) {
		fits |= fitsMDY
	}
	if reads(parts[0], parts[1], parts[2]) {
		fits |= fitsYMD
	}
	switch {
	case fits == 0:
		e.other++
	default:
		e.fits[fits]++
		if parts[2].digits == 2 || parts[0].digits == 2 && parts[2].digits < 4 {
			e.short++
		}
	}
}

// addReadings asks the reader of dates itself.
func (e *DateEvidence) addReadings(cell []byte) {
	reads := func(o DateOrder) bool {
		_, code := ParseDate(cell, DateRules{Order: o, Pivot: anyPivot})
		return code == "" || code == finding.DateWithTime
	}
	if reads(ISO) { // the month has a name, or eight digits begin with the year
		e.first++
		if _, code := ParseDate(cell, DateRules{}); code == finding.DateTwoDigitYear {
			e.short++
		}
		return
	}
	fits := 0
	for i, o := range [...]DateOrder{DMY, MDY, YMD} {
		if reads(o) {
			fits |= 1 << i
		}
	}
	switch {
	case fits != 0:
		e.fits[fits]++
	case plausibleSerial(cell):
		e.serial++
	default:
		e.other++
	}
}

// Merge adds other evidence of the same column.
func (e *DateEvidence) Merge(other DateEvidence) {
	for i, n := range other.fits {
		e.fits[i] += n
	}
	e.first += other.first
	e.short += other.short
	e.serial += other.serial
	e.other += other.other
}

// Order returns the order of the column's dates, and whether it is certain; if not, more rows or a person must say. An order
// is certain when for each other one there are cells that only it can read, more than 20 times as many as the other way
// round, or none that the other can read. Dates that begin with a year of four digits, and those whose month has a name, are
// read under every order and have no say; a column of nothing else is YMD, one without dates is ISO.
func (e *DateEvidence) Order() (order DateOrder, decided bool) {
	dated := int64(0)
	for _, n := range e.fits {
		dated += n
	}
	switch {
	case dated > 0:
	case e.first > 0:
		return YMD, true
	default:
		return ISO, true
	}
	alone := func(a, b int) (n int64) { // read by a and not by b
		for fits, cells := range e.fits {
			if fits&a != 0 && fits&b == 0 {
				n += cells
			}
		}
		return n
	}
	all := [...]int{fitsDMY, fitsMDY, fitsYMD}
	for i, a := range all {
		wins := true
		for _, b := range all {
			wins = wins && (a == b || alone(a, b) > overwhelming*alone(b, a))
		}
		if wins {
			return DMY + DateOrder(i), true
		}
	}
	return ISO, false
}

// Serials reports whether the column holds numbers of days, and hardly anything else.
func (e *DateEvidence) Serials() bool {
	rest := e.first + e.other
	for _, n := range e.fits {
		rest += n
	}
	return e.serial >= enoughSerials && e.serial > overwhelming*rest
}

// Rules are the rules for the column, as far as they are certain, with a pivot of the caller's.
func (e *DateEvidence) Rules(pivot uint8) (rules DateRules, decided bool) {
	order, decided := e.Order()
	return DateRules{Order: order, Pivot: pivot, Serials: e.Serials()}, decided
}

// Votes sums the evidence up.
func (e *DateEvidence) Votes() Votes {
	v := Votes{YMD: e.first + e.fits[fitsYMD], DMY: e.fits[fitsDMY], MDY: e.fits[fitsMDY], Short: e.short, Serial: e.serial, Other: e.other}
	for _, fits := range [...]int{fitsDMY | fitsMDY, fitsDMY | fitsYMD, fitsMDY | fitsYMD, fitsDMY | fitsMDY | fitsYMD} {
		v.Both += e.fits[fits]
	}
	return v
}
