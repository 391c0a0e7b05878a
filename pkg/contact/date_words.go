package contact

import (
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// worded reports whether plain text holds letters that may name a month, so that it is no date of numbers alone.
func worded(s []byte) bool {
	letters := 0
	for _, c := range s {
		if c|0x20-'a' < 26 {
			if letters++; letters == 2 {
				return true // the T before a time of day stands alone
			}
		} else {
			letters = 0
		}
	}
	return false
}

// wordDate reads a date whose month is named, in the ten languages that headings are read in, and the dates of Chinese,
// Japanese and Korean, whose parts are all named. They are read under every order: a month with a name cannot be mistaken.
// Of two numbers the one with four digits is the year, else the last.
func wordDate(s []byte, rules DateRules) (Date, Code) {
	if !utf8.Valid(s) {
		return 0, finding.DateInvalid
	}
	var numbers [3]datePart
	var marks [3]rune // of the East, after its number
	n, month, monthAt := 0, 0, 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case digitOf(r) >= 0:
			if n == len(numbers) {
				return 0, timedOr(s[i:], n, month)
			}
			for i < len(s) {
				r, size := utf8.DecodeRune(s[i:])
				d := digitOf(r)
				if d < 0 {
					break
				}
				if numbers[n].digits++; numbers[n].digits > 4 {
					return 0, finding.DateInvalid
				}
				numbers[n].value = numbers[n].value*10 + d
				i += size
			}
			n++
			if month != 0 && n == 3 {
				return 0, timedOr(s[i:], n, month)
			}
			continue
		case eastern(r) != 0:
			if n == 0 || marks[n-1] != 0 {
				return 0, finding.DateInvalid
			}
			marks[n-1] = eastern(r)
		case unicode.IsLetter(r), r == 0xBA, r == 0xAA:
			start := i
			for i < len(s) {
				r, size := utf8.DecodeRune(s[i:])
				if !unicode.IsLetter(r) && !unicode.IsMark(r) {
					break
				}
				i += size
			}
			word := s[start:i]
			var buf [40]byte
			if len(word) > 32 {
				return 0, finding.DateInvalid
			}
			folded := AppendFolded(buf[:0], word)
			switch m := monthOf(folded); {
			case m != 0 && month == 0:
				month, monthAt = m, n
			case m != 0 || !filler(folded):
				return 0, finding.DateInvalid
			}
			continue
		case r == ' ', r == '-', r == '.', r == ',', r == '/', r == '\'', r >= 0x2010 && r <= 0x2015, unicode.IsSpace(r), hidden(r):
		default:
			if r == ':' && n == 3 && month != 0 {
				return 0, finding.DateWithTime
			}
			return 0, finding.DateInvalid
		}
		i += size
	}
	switch {
	case month == 0 && n == 3 && marks == [3]rune{'y', 'm', 'd'}:
		return partsDate(numbers[0], numbers[1], numbers[2], rules)
	case month == 0 || n != 2 || marks != [3]rune{}:
		return 0, finding.DateInvalid
	}
	d, y := numbers[0], numbers[1]
	if d.digits == 4 && monthAt > 0 {
		d, y = y, d
	}
	return partsDate(y, datePart{month, 2}, d, rules)
}

// timedOr tells a time of day after a whole date from numbers that are too many.
func timedOr(rest []byte, n, month int) Code {
	if month != 0 && n >= 2 {
		for _, c := range rest {
			if c == ':' {
				return finding.DateWithTime
			}
		}
	}
	return finding.DateInvalid
}

func digitOf(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= 0xFF10 && r <= 0xFF19:
		return int(r - 0xFF10)
	}
	return -1
}

// eastern names the signs that follow year, month and day.
func eastern(r rune) rune {
	switch r {
	case '年', '년':
		return 'y'
	case '月', '월':
		return 'm'
	case '日', '일', '号', '號':
		return 'd'
	}
	return 0
}

// filler names the words that may stand beside a month.
func filler(word []byte) bool {
	switch string(word) {
	case "st", "nd", "rd", "th", "of", "the", "de", "del", "do", "den", "der", "di", "er", "e", "o", "a", "r", "roku", "года", "год", "г":
		return true
	}
	return false
}

// monthOf knows the months, folded, in full and as they are cut short, as they stand alone and in a date.
func monthOf(word []byte) int {
	switch string(word) {
	case "january", "jan", "januar", "janner", "janvier", "janv", "enero", "ene", "gennaio", "gen", "janeiro", "januari", "styczen", "stycznia", "sty",
		"январь", "января", "янв":
		return 1
	case "february", "feb", "februar", "feber", "fevrier", "fevr", "fev", "febrero", "febbraio", "febb", "fevereiro", "februari", "luty", "lutego", "lut",
		"февраль", "февраля", "фев", "февр":
		return 2
	case "march", "mar", "marz", "maerz", "mrz", "mars", "marzo", "marco", "maart", "mrt", "marzec", "marca", "март", "марта", "мар":
		return 3
	case "april", "apr", "avril", "avr", "abril", "abr", "aprile", "kwiecien", "kwietnia", "kwi", "апрель", "апреля", "апр":
		return 4
	case "may", "mai", "mayo", "maggio", "mag", "maio", "mei", "maj", "maja", "маи", "мая":
		return 5
	case "june", "jun", "juni", "juin", "junio", "giugno", "giu", "junho", "czerwiec", "czerwca", "cze", "июнь", "июня", "июн":
		return 6
	case "july", "jul", "juli", "juillet", "juil", "julio", "luglio", "lug", "julho", "lipiec", "lipca", "lip", "июль", "июля", "июл":
		return 7
	case "august", "aug", "aout", "agosto", "ago", "augustus", "sierpien", "sierpnia", "sie", "август", "августа", "авг":
		return 8
	case "september", "sep", "sept", "septembre", "septiembre", "setiembre", "set", "sett", "settembre", "setembro", "wrzesien", "wrzesnia", "wrz",
		"сентябрь", "сентября", "сен", "сент":
		return 9
	case "october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre", "ott", "outubro", "out", "pazdziernik", "pazdziernika", "paz",
		"октябрь", "октября", "окт":
		return 10
	case "november", "nov", "novembre", "noviembre", "novembro", "listopad", "listopada", "lis", "ноябрь", "ноября", "ноя", "нояб":
		return 11
	case "december", "dec", "dezember", "dez", "decembre", "diciembre", "dic", "dicembre", "dezembro", "grudzien", "grudnia", "gru",
		"декабрь", "декабря", "дек":
		return 12
	}
	return 0
}
