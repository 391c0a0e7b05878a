package contact

import (
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// zipMasks says how zip codes look, by country, in the form they are kept in. '#' is a digit, '@' a letter, '*' either,
// 'c' a letter of Canadian codes, 'g' one of the last two letters of British codes; all else stands for itself, spaces
// and hyphens being optional on the way in. Alternatives are set apart by '|'. Countries not named here have no codes
// or none that are worth a rule: theirs are checked by length and characters only. Sorted by country.
var zipMasks = [...]struct{ country, masks string }{
	{"AC", "ASCN 1ZZ"}, {"AD", "AD###"}, {"AF", "####"}, {"AI", "2640|AI-2640"}, {"AL", "####"}, {"AM", "####|37####"},
	{"AR", "####|@####@@@"}, {"AS", "96799|96799-####"}, {"AT", "####"}, {"AU", "####"}, {"AX", "22###"},
	{"AZ", "####|AZ ####"}, {"BA", "#####"}, {"BB", "BB#####"}, {"BD", "####"}, {"BE", "####"}, {"BG", "####"},
	{"BH", "###|####"}, {"BL", "97###|98###"}, {"BM", "@@ **"}, {"BN", "@@####"}, {"BR", "#####-###"}, {"BT", "#####"},
	{"BY", "######"}, {"CA", "c#c #c#"}, {"CC", "6799"}, {"CH", "####"}, {"CK", "####"}, {"CL", "#######"},
	{"CN", "######"}, {"CO", "######"}, {"CR", "#####|####|###-####"}, {"CU", "#####"}, {"CV", "####"}, {"CX", "6798"},
	{"CY", "####"}, {"CZ", "### ##"}, {"DE", "#####"}, {"DK", "####"}, {"DO", "#####"}, {"DZ", "#####"},
	{"EC", "######|@####@|@@######"}, {"EE", "#####"}, {"EG", "#####"}, {"EH", "#####"}, {"ES", "#####"}, {"ET", "####"},
	{"FI", "#####"}, {"FK", "FIQQ 1ZZ"}, {"FM", "9694#|9694#-####"}, {"FO", "###"}, {"FR", "#####"},
	{"GB", "@# #gg|@## #gg|@@# #gg|@@## #gg|@#@ #gg|@@#@ #gg|GIR 0AA|BFPO #|BFPO ##|BFPO ###|BFPO ####"},
	{"GE", "####"}, {"GF", "973##|983##"}, {"GG", "GY# #gg|GY## #gg"}, {"GI", "GX11 1AA"}, {"GL", "39##"}, {"GN", "###"},
	{"GP", "97###|98###"}, {"GR", "### ##"}, {"GS", "SIQQ 1ZZ"}, {"GT", "#####"}, {"GU", "969##|969##-####"}, {"GW", "####"},
	{"HM", "####"}, {"HN", "#####"}, {"HR", "#####"}, {"HT", "####"}, {"HU", "####"}, {"ID", "#####"}, {"IE", "@#* ****"},
	{"IL", "#####|#######"}, {"IM", "IM# #gg|IM## #gg"}, {"IN", "######"}, {"IO", "BBND 1ZZ"}, {"IQ", "#####"},
	{"IR", "#####-#####"}, {"IS", "###"}, {"IT", "#####"}, {"JE", "JE# #gg|JE## #gg"}, {"JO", "#####"}, {"JP", "###-####"},
	{"KE", "#####"}, {"KG", "######"}, {"KH", "#####|######"}, {"KR", "#####|###-###"}, {"KW", "#####"}, {"KY", "KY#-####"},
	{"KZ", "######|@##@#@#"}, {"LA", "#####"}, {"LB", "####|#### ####"}, {"LI", "948#|949#"}, {"LK", "#####"}, {"LR", "####"},
	{"LS", "###"}, {"LT", "#####"}, {"LU", "####"}, {"LV", "LV-####"}, {"MA", "#####"}, {"MC", "980##"}, {"MD", "####"},
	{"ME", "8####"}, {"MF", "97###|98###"}, {"MG", "###"}, {"MH", "969##|969##-####"}, {"MK", "####"}, {"MM", "#####"},
	{"MN", "#####"}, {"MP", "9695#|9695#-####"}, {"MQ", "972##|982##"}, {"MT", "@@@ ##|@@@ ###|@@@ ####"},
	{"MU", "#####|###@@###"}, {"MV", "#####"}, {"MX", "#####"}, {"MY", "#####"}, {"MZ", "####"}, {"NC", "988##"},
	{"NE", "####"}, {"NF", "2899"}, {"NG", "######"}, {"NI", "#####"}, {"NL", "#### @@"}, {"NO", "####"}, {"NP", "#####"},
	{"NZ", "####"}, {"OM", "###"}, {"PE", "#####|LIMA #|LIMA ##|CALLAO #|CALLAO ##"}, {"PF", "987##"}, {"PG", "###"},
	{"PH", "####"}, {"PK", "#####"}, {"PL", "##-###"}, {"PM", "975##|985##"}, {"PN", "PCRN 1ZZ"},
	{"PR", "00###|00###-####"}, {"PT", "####-###"}, {"PW", "969##|969##-####"}, {"PY", "####"}, {"RE", "974##|984##"},
	{"RO", "######"}, {"RS", "#####|######"}, {"RU", "######"}, {"SA", "#####|#####-####"}, {"SE", "### ##"},
	{"SG", "######"}, {"SH", "STHL 1ZZ|ASCN 1ZZ"}, {"SI", "####"}, {"SJ", "####"}, {"SK", "### ##"}, {"SM", "4789#"},
	{"SN", "#####"}, {"SO", "#####|@@ #####"}, {"SV", "####|CP ####"}, {"SZ", "@###"}, {"TA", "TDCU 1ZZ"},
	{"TC", "TKCA 1ZZ"}, {"TH", "#####"}, {"TJ", "######"}, {"TM", "######"}, {"TN", "####"}, {"TR", "#####"},
	{"TW", "###|#####|###-###"}, {"TZ", "####|#####"}, {"UA", "#####"}, {"UM", "96898"}, {"US", "#####|#####-####"},
	{"UY", "#####"}, {"UZ", "######"}, {"VA", "00120"}, {"VC", "VC####"}, {"VE", "####"}, {"VG", "VG####"},
	{"VI", "008##|008##-####"}, {"VN", "#####|######"}, {"WF", "986##"}, {"XK", "#####"}, {"YT", "976##"}, {"ZA", "####"},
	{"ZM", "#####"},
}

// AppendZip appends a zip code as its country writes it: upper case, with the country's space or hyphen. A country
// prefix with a hyphen (D-10115, CH-8001) is dropped. Without a country, or for one without a rule, 2 to 16 letters,
// digits, single spaces and hyphens are taken.
func AppendZip(dst, cell []byte, country Country) ([]byte, Code) {
	masks := zipMasksOf(country)
	if len(cell) == 5 && len(masks) >= 5 && masks[:5] == "#####" && (len(masks) == 5 || masks[5] == '|') && allDigits(cell) {
		return append(dst, cell...), "" // the way most go
	}
	s, ok := asciiOf(trim(cell, false))
	if !ok || len(s) == 0 || len(s) > 24 {
		return dst, finding.ZipInvalid
	}
	var buf [24]byte
	compact, prefix, letters := buf[:0], -1, true
	for _, c := range s {
		switch {
		case c-'a' < 26:
			c -= 'a' - 'A'
		case c-'A' < 26:
		case c-'0' < 10:
			letters = false
		case c == ' ' || c == '-':
			if c == '-' && letters && prefix < 0 && len(compact) <= 3 {
				prefix = len(compact)
			}
			continue
		default:
			return dst, finding.ZipInvalid
		}
		compact = append(compact, c)
	}
	if masks == "" {
		return appendAnyZip(dst, s)
	}
	for {
		for rest := masks; rest != ""; {
			var mask string
			mask, rest, _ = strings.Cut(rest, "|")
			if dst, ok := appendMasked(dst, compact, mask); ok {
				return dst, ""
			}
		}
		if prefix <= 0 {
			return dst, finding.ZipInvalid
		}
		compact, prefix = compact[prefix:], 0
	}
}

// zipMasksBy is the table by country.
var zipMasksBy = func() (by [26*26 + 1]string) {
	for _, z := range zipMasks {
		by[CountryByCode(z.country)] = z.masks
	}
	by[0] = ""
	return by
}()

func zipMasksOf(country Country) string {
	if int(country) < len(zipMasksBy) {
		return zipMasksBy[country]
	}
	return ""
}

// appendMasked lays the letters and digits of s into the mask, or reports that they do not fit.
func appendMasked(dst, s []byte, mask string) ([]byte, bool) {
	base, i := len(dst), 0
	for k := range len(mask) {
		m := mask[k]
		if m == ' ' || m == '-' {
			dst = append(dst, m)
			continue
		}
		if i == len(s) {
			return dst[:base], false
		}
		c := s[i]
		var ok bool
		switch m {
		case '#':
			ok = c-'0' < 10
		case '@':
			ok = c-'A' < 26
		case '*':
			ok = true
		case 'c':
			ok = c-'A' < 26 && c != 'D' && c != 'F' && c != 'I' && c != 'O' && c != 'Q' && c != 'U'
		case 'g':
			ok = c-'A' < 26 && c != 'C' && c != 'I' && c != 'K' && c != 'M' && c != 'O' && c != 'V'
		default:
			ok = c == m
		}
		if !ok {
			return dst[:base], false
		}
		dst = append(dst, c)
		i++
	}
	if i < len(s) {
		return dst[:base], false
	}
	return dst, true
}

func appendAnyZip(dst, s []byte) ([]byte, Code) {
	base := len(dst)
	prev := byte(' ')
	for _, c := range s {
		if c-'a' < 26 {
			c -= 'a' - 'A'
		}
		if (c == ' ' || c == '-') && (prev == ' ' || prev == '-') {
			continue
		}
		dst = append(dst, c)
		prev = c
	}
	if n := len(dst) - base; n < 2 || n > 16 || prev == '-' || prev == ' ' {
		return dst[:base], finding.ZipInvalid
	}
	return dst, ""
}

// zeroZips is how many digits the zip codes of a country have, where all have the same number and some begin with a zero, and
// how many zeros those begin with; 0 for all other countries. Nine digits of the United States have a hyphen.
func zeroZips(c Country) (digits, zeros int) {
	switch c.String() {
	case "AU", "NO", "NZ", "PH", "ZA":
		return 4, 1
	case "DE", "ES", "FI", "FR", "IT", "KR", "MX", "MY", "TR", "UA", "US":
		return 5, 1
	case "PR", "VA", "VI":
		return 5, 2
	case "CN", "RO", "SG":
		return 6, 1
	case "JP":
		return 7, 1
	case "BR":
		return 8, 1
	}
	return 0, 0
}
