package numfmt

import (
	"math"
	"strings"
	"time"
)

// appendMoment appends a date, time or duration as the section shows it.
func (s *section) appendMoment(dst []byte, v float64, date1904 bool) []byte {
	unit := s.smallestUnit()
	if unit > 0 {
		v = math.Round(v*dayMillis/unit) * unit / dayMillis
	}
	m, ok := toMoment(v, date1904)
	negative := v < 0 && date1904
	if negative {
		m, ok = toMoment(-v, true)
	}
	if !ok {
		return append(dst, hashes...)
	}
	if negative {
		dst, v = append(dst, '-'), -v
	}
	seconds := int64(math.Floor(v*dayMillis/1000 + 1e-4))
	half := false
	for _, p := range s.pieces {
		half = half || p.kind == halfDay
	}
	for _, p := range s.pieces {
		dst = m.appendPiece(dst, p, half, seconds)
	}
	return dst
}

// smallestUnit is what times are rounded to, in milliseconds: minutes and above are cut off instead, 0.
func (s *section) smallestUnit() float64 {
	unit := 0.0
	for _, p := range s.pieces {
		switch p.kind {
		case second, elapsedSeconds:
			if unit == 0 {
				unit = 1000
			}
		case subsecond:
			unit = math.Pow10(3 - min(p.n, 3))
		}
	}
	return unit
}

func (m moment) appendPiece(dst []byte, p piece, half bool, seconds int64) []byte {
	inHour := m.millis / 60_000 % 60
	switch p.kind {
	case literal:
		return append(dst, p.text...)
	case year:
		if p.n <= 2 {
			return appendPadded(dst, m.year%100, 2)
		}
		return appendPadded(dst, m.year, 4)
	case month:
		name := time.Month(m.month).String()
		switch {
		case p.n <= 2:
			return appendPadded(dst, m.month, p.n)
		case p.n == 3:
			return append(dst, name[:3]...)
		case p.n == 5:
			return append(dst, name[0])
		}
		return append(dst, name...)
	case day:
		switch {
		case p.n <= 2:
			return appendPadded(dst, m.day, p.n)
		case p.n == 3:
			return append(dst, m.weekday.String()[:3]...)
		}
		return append(dst, m.weekday.String()...)
	case hour:
		h := m.millis / 3_600_000
		if half {
			h = (h+11)%12 + 1
		}
		return appendPadded(dst, h, min(p.n, 2))
	case minute:
		return appendPadded(dst, inHour, min(p.n, 2))
	case second:
		return appendPadded(dst, m.millis/1000%60, min(p.n, 2))
	case subsecond:
		fraction := appendPadded(nil, m.millis%1000, 3)
		for len(fraction) < p.n {
			fraction = append(fraction, '0')
		}
		return append(append(dst, '.'), fraction[:p.n]...)
	case halfDay:
		am, pm, _ := strings.Cut(p.text, "/")
		if m.millis < dayMillis/2 {
			return append(dst, am...)
		}
		return append(dst, pm...)
	case elapsedHours:
		return appendPadded(dst, int(seconds/3600), p.n)
	case elapsedMinutes:
		return appendPadded(dst, int(seconds/60), p.n)
	case elapsedSeconds:
		return appendPadded(dst, int(seconds), p.n)
	}
	return dst
}
