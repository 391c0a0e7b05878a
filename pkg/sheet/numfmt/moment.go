package numfmt

import (
	"math"
	"time"
)

const (
	dayMillis  = 24 * 60 * 60 * 1000
	lastDay    = 2958465 // 9999-12-31 in the 1900 system
	system1904 = 1462    // days from the 1900 system's zero to that of the 1904 system
	leapDay    = 60      // 29 February 1900, which never was
)

// moment is a serial number read as a date and a time of day.
type moment struct {
	year, month, day int
	weekday          time.Weekday
	millis           int // of the day
}

// toMoment reads a serial number; ok is false for one that is no date.
func toMoment(serial float64, date1904 bool) (m moment, ok bool) {
	if !(serial >= 0 && serial < lastDay+1) {
		return m, false
	}
	if date1904 {
		serial += system1904
	}
	days := int(math.Floor(serial))
	m.millis = int(math.Round((serial - math.Floor(serial)) * dayMillis))
	if m.millis >= dayMillis {
		days, m.millis = days+1, m.millis-dayMillis
	}
	if days > lastDay {
		return m, false
	}
	m.weekday = time.Weekday((days + 6) % 7) // as the 1900 system counts, with its leap day
	switch {
	case !date1904 && days == 0:
		m.year, m.month, m.day = 1900, 1, 0
	case !date1904 && days == leapDay:
		m.year, m.month, m.day = 1900, 2, 29
	default:
		if days < leapDay {
			days++
		}
		at := time.Date(1899, 12, 30+days, 0, 0, 0, 0, time.UTC)
		m.year, m.month, m.day = at.Year(), int(at.Month()), at.Day()
	}
	return m, true
}

func (m moment) appendDate(dst []byte) []byte {
	dst = appendPadded(dst, m.year, 4)
	dst = appendPadded(append(dst, '-'), m.month, 2)
	return appendPadded(append(dst, '-'), m.day, 2)
}

// appendClock appends HH:MM:SS, with milliseconds if there are any.
func (m moment) appendClock(dst []byte) []byte { return appendDuration(dst, int64(m.millis)) }

func appendDuration(dst []byte, millis int64) []byte {
	dst = appendPadded(dst, int(millis/3_600_000), 2)
	dst = appendPadded(append(dst, ':'), int(millis/60_000%60), 2)
	dst = appendPadded(append(dst, ':'), int(millis/1000%60), 2)
	if rest := int(millis % 1000); rest > 0 {
		dst = appendPadded(append(dst, '.'), rest, 3)
	}
	return dst
}

func appendPadded(dst []byte, n, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for ; n > 0 || width > 0; width-- {
		i--
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[i:]...)
}

// appendTime appends a number that has a format of dates or times, as finely as the format shows it.
func appendTime(dst []byte, serial float64, s *section, date1904 bool) ([]byte, Reading) {
	unit := s.smallestUnit()
	if unit == 0 {
		unit = 1000
	}
	serial = math.Round(serial*dayMillis/unit) * unit / dayMillis
	if s.elapsed && !s.date {
		if serial < 0 || serial > lastDay {
			return dst, AsNumber
		}
		return appendDuration(dst, int64(math.Round(serial*dayMillis))), AsText
	}
	m, ok := toMoment(serial, date1904)
	switch {
	case !ok:
		return dst, AsNumber
	case !s.date && serial < 1:
		return m.appendClock(dst), AsText
	}
	dst = m.appendDate(dst)
	if m.millis > 0 && (s.clock || s.elapsed) {
		dst = m.appendClock(append(dst, 'T'))
	}
	return dst, AsDate
}
