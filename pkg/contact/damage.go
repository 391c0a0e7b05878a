package contact

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Spreadsheets and text programs damage what is written into them: numbers are rounded, leading zeros dropped, ids taken for
// dates, quotes bent, spaces made unbreakable. Where it is certain what stood there, the value is put back and the finding
// says so; where it is not, the cell is refused. Prose is left as it is, but for what cannot be seen at its edges.

// suspect reports whether a cell, whatever its type, has to be looked at for damage before it is taken: all others are
// only when they have been refused. It looks at both ends, and for anything beyond ASCII.
func suspect(cell []byte) bool {
	for cell[0] == ' ' { // not blank
		cell = cell[1:]
	}
	for cell[len(cell)-1] == ' ' {
		cell = cell[:len(cell)-1]
	}
	c, n := cell[0], len(cell)
	if c < ' ' || cell[n-1] < ' ' || c == '#' || c == '=' || c == '\'' || c == '"' || n > 2 && cell[n-1] == '0' && cell[n-2] == '.' {
		return true
	}
	if n > 3 && c-'0' < 10 {
		switch cell[1] {
		case '.', ',', 'E', 'e':
			return true
		}
	}
	return !ascii(cell)
}

func ascii(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s)&0x8080808080808080 != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendProse appends text of one line or several. What a formula that failed left is no text. Invisible characters at the
// edges are cut off; inside they stay, with a remark.
func appendProse(dst []byte, spec *Spec, cell []byte) ([]byte, Code) {
	inner := cell
	if n := len(cell); cell[0] <= '#' || cell[0] >= utf8.RuneSelf || cell[n-1] >= utf8.RuneSelf {
		inner = trim(cell, true)
		if spreadsheetError(inner) {
			return dst, finding.SpreadsheetError
		}
	}
	base := len(dst)
	dst, code, everyday := appendTextRemark(dst, inner, spec.MaxRunes, spec.MaxBytes, spec.Type == TypeLines)
	switch {
	case code != "":
	case hiddenEdges(cell, inner):
		code = finding.InvisibleCharacter
	case !everyday && anyHidden(dst[base:]):
		code = finding.InvisibleKept
	}
	return dst, code
}

// mend takes a cell that is suspect, or of which a workbook knew something, by way of what certainly stood there.
func (n *Normaliser) mend(dst []byte, spec *Spec, cell []byte, rules Rules) ([]byte, Code) {
	inner := trim(cell, spec.Type == TypeID || spec.Type == TypeCriterion || spec.Type == TypeCriteria)
	if spreadsheetError(inner) {
		return dst, finding.SpreadsheetError
	}
	var imprecise Code
	switch rules.Cell {
	case CellDate:
		switch spec.Type {
		case TypeDate, TypeBirthDate:
		default:
			return dst, finding.ValueWasDate
		}
	case CellRounded:
		if spec.Type != TypeNumber {
			return dst, finding.DigitsLost
		}
		imprecise = finding.NumberImprecise
	}
	if rules.Cell == CellNumber || rules.Cell == CellRounded {
		rules.Decimal = '.'
		rules.Dates.Serials = rules.Dates.Serials || plausibleSerial(inner)
	}
	shed := hiddenEdges(cell, inner)
	if plain, changed := plainText(spec.Type, inner); changed {
		if inner, shed = trim(plain, true), true; len(inner) == 0 {
			return dst, "" // there was nothing that can be seen
		}
	}
	text, code := restore(spec.Type, inner)
	if code.Failed() {
		return dst, code
	}
	if code == "" && shed {
		code = finding.InvisibleCharacter
	}
	base := len(dst)
	dst, own := n.append(dst, spec, text, rules)
	if own != "" && own.Failed() {
		dst, own = n.rescue(dst[:base], spec, text, rules, own)
	}
	switch {
	case own != "":
		return dst, own
	case code == "":
		return dst, imprecise
	}
	return dst, code
}

// restore undoes what is certain without asking the type's own rules: quotes around the cell, scientific notation, the .0 of
// a number that has no decimals. A code that fails says that there is no value, or that digits are lost.
func restore(t Type, s []byte) ([]byte, Code) {
	var code Code
	for bare, ok := unquote(t, s); ok; bare, ok = unquote(t, s) {
		s, code = bare, finding.QuotesRemoved
	}
	if len(s) == 0 || spreadsheetError(s) {
		return s, finding.SpreadsheetError
	}
	if !digital(t) || len(s) < 3 {
		return s, code
	}
	if whole, ok := bytes.CutSuffix(s, []byte(".0")); ok && t != TypeNumber && allDigits(bytes.TrimPrefix(whole, []byte("+"))) {
		if len(whole) > maxExact {
			return s, finding.DigitsLost
		}
		return whole, finding.PointZeroRemoved
	}
	digits, fraction, exponent, ok := scientific(s)
	if !ok || t != TypeNumber && fraction == 0 && bytes.IndexByte(s, '+') < 0 {
		return s, code // 7E10 may be a name as well as a number
	}
	if fraction != exponent || len(digits) > maxExact {
		return s, finding.ScientificRounded
	}
	return digits, finding.ScientificRepaired
}

// maxExact is how many digits a spreadsheet keeps of a number.
const maxExact = 15

// digital names the types that are digits first of all, and that spreadsheets therefore take for numbers.
func digital(t Type) bool {
	switch t {
	case TypeID, TypePhone, TypeSSN, TypeZip, TypeNumber, TypeBirthDate, TypeDate, TypeBoolean, TypeCriterion:
		return true
	}
	return false
}

// scientific takes apart a number such as 1.5551234567E+10: one digit, perhaps decimals, and a positive exponent. fraction
// is how many decimals there are; when they are as many as the exponent, no digit was dropped.
func scientific(s []byte) (digits []byte, fraction, exponent int, ok bool) {
	e := bytes.IndexAny(s, "eE")
	if e < 1 || e == 2 || e > 40 || e+1 == len(s) || s[0]-'0' > 9 {
		return nil, 0, 0, false
	}
	power := s[e+1:]
	if power[0] == '+' {
		power = power[1:]
	}
	if len(power) == 0 || len(power) > 3 || !allDigits(power) {
		return nil, 0, 0, false
	}
	for _, c := range power {
		exponent = exponent*10 + int(c-'0')
	}
	digits = append(digits, s[0])
	if e > 1 {
		if s[1] != '.' && s[1] != ',' || !allDigits(s[2:e]) {
			return nil, 0, 0, false
		}
		digits = append(digits, s[2:e]...)
	}
	return digits, e - min(e, 2), exponent, true
}

// unquote takes off what text programs put around a value to keep a spreadsheet's hands off it, or leave there by mistake:
// ="0123", quotes of any shape on both sides, an apostrophe before it.
func unquote(t Type, s []byte) ([]byte, bool) {
	if len(s) > 3 && s[0] == '=' && s[1] == '"' && s[len(s)-1] == '"' && bytes.IndexByte(s[2:len(s)-1], '"') < 0 {
		return trim(s[2:len(s)-1], true), true
	}
	if len(s) < 2 {
		return s, false
	}
	first, a := utf8.DecodeRune(s)
	last, z := utf8.DecodeLastRune(s)
	if a+z <= len(s) {
		closes := false
		switch first {
		case '"', '\'':
			closes = last == first
		case 0x201C:
			closes = last == 0x201D
		case 0x201E:
			closes = last == 0x201C || last == 0x201D
		case 0x2018:
			closes = last == 0x2019
		case 0x201A:
			closes = last == 0x2018 || last == 0x2019
		case 0xAB:
			closes = last == 0xBB
		}
		if inside := s[a : len(s)-z]; closes && !bytes.ContainsRune(inside, first) && !bytes.ContainsRune(inside, last) {
			return trim(inside, true), true
		}
	}
	if (first == '\'' || first == 0x2019) && t != TypeEmail {
		return trim(s[a:], true), true
	}
	return s, false
}

// rescue looks again at a cell that its type refused, for damage that shows only then. code is the refusal.
func (n *Normaliser) rescue(dst []byte, spec *Spec, cell []byte, rules Rules, code Code) ([]byte, Code) {
	switch spec.Type {
	case TypeZip:
		if out, ok := restoreZip(dst, cell, rules); ok {
			return out, finding.ZerosRestored
		}
	case TypeSSN:
		if s := trim(cell, false); rules.Cell == CellNumber && len(s) == 8 {
			var buf [9]byte
			if out, failed := AppendSSN(dst, append(append(buf[:0], '0'), s...)); failed == "" {
				return out, finding.ZerosRestored
			}
		}
	case TypePhone:
		if out, ok := n.restorePhone(dst, cell, rules); ok {
			return out, finding.ZerosRestored
		}
	case TypeCriterion:
		if out, ok := restoreCode(dst, spec, cell, rules); ok {
			return out, finding.ZerosRestored
		}
	}
	if spec.Type == TypeEmail && !ascii(cell) {
		straight := bytes.ReplaceAll(bytes.ReplaceAll(cell, []byte("\u2019"), []byte("'")), []byte("\u2018"), []byte("'"))
		if out, failed := n.append(dst, spec, straight, rules); failed == "" {
			return out, finding.QuoteStraightened
		}
	}
	return dst, code
}

// restoreZip puts a zero before a code that is one digit shorter than all codes of its country, where some begin with it.
func restoreZip(dst, cell []byte, rules Rules) ([]byte, bool) {
	s := trim(cell, false)
	lengths := zeroZips(rules.Country)
	if len(s) == 0 || len(s) > 10 || lengths == 0 || s[0] == '0' {
		return dst, false
	}
	digits := len(s)
	if i := bytes.IndexByte(s, '-'); i >= 0 && lengths == 5 && len(s)-i == 5 { // 2138-0001
		digits = i
	}
	if digits != lengths-1 || !allDigits(s[:digits]) {
		return dst, false
	}
	var buf [16]byte
	out, code := AppendZip(dst, append(append(buf[:0], '0'), s...), rules.Country)
	return out, code == ""
}

// restorePhone puts a zero before bare digits that are no number of the country without it: in Italy, for one, it belongs to
// the number. The library decides about both.
func (n *Normaliser) restorePhone(dst, cell []byte, rules Rules) ([]byte, bool) {
	s := trim(cell, false)
	if len(s) < 5 || len(s) > maxExact || s[0] == '0' || !allDigits(s) || !n.Phones.keepsZero(rules.Country) {
		return dst, false
	}
	var buf [maxExact + 1]byte
	out, code := n.Phones.Append(dst, append(append(buf[:0], '0'), s...), rules.Country)
	return out, code == ""
}

// restoreCode finds the only code of the book that is a number cell's digits with zeros before them.
func restoreCode(dst []byte, spec *Spec, cell []byte, rules Rules) ([]byte, bool) {
	if rules.Cell != CellNumber || !allDigits(cell) {
		return dst, false
	}
	found := -1
	for i, e := range spec.Codes {
		if len(e.Code) <= len(cell) || e.Retired {
			continue
		}
		if zeros := e.Code[:len(e.Code)-len(cell)]; e.Code[len(zeros):] == string(cell) && strings.Trim(zeros, "0") == "" {
			if found >= 0 {
				return dst, false
			}
			found = i
		}
	}
	if found < 0 {
		return dst, false
	}
	return append(dst, spec.Codes[found].Code...), true
}

// hidden names what looks like a plain space, or like nothing, and is neither.
func hidden(r rune) bool {
	switch r {
	case 0xA0, 0xAD, 0x2007, 0x200B, 0x202F, 0x2060, 0xFEFF:
		return true
	}
	return false
}

// anyHidden reports whether there is something in a text that cannot be seen, marks of the direction of writing included.
func anyHidden(s []byte) bool {
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if hidden(r) || r >= 0x200E && r <= 0x200F || r >= 0x202A && r <= 0x202E {
			return true
		}
		i += size
	}
	return false
}

// hiddenEdges reports whether cutting the cell down to inner cut off more than plain white space.
func hiddenEdges(cell, inner []byte) bool {
	if len(cell) == len(inner) || len(inner) == 0 {
		return false
	}
	start := bytes.Index(cell, inner)
	return !ascii(cell[:start]) || !ascii(cell[start+len(inner):])
}

// plainText is the cell without characters that show nothing and with plain spaces for those of fixed width; false when it
// has none of them. Marks of the direction of writing are kept in addresses, which are refused for them; fixed spaces in
// numbers, where they stand between the thousands.
func plainText(t Type, cell []byte) ([]byte, bool) {
	drops := func(r rune) bool {
		return r >= utf8.RuneSelf && (hidden(r) && (t != TypeNumber || !unicode.IsSpace(r)) || t != TypeEmail && invisible(r))
	}
	if ascii(cell) || bytes.IndexFunc(cell, drops) < 0 {
		return cell, false
	}
	out := make([]byte, 0, len(cell))
	for i := 0; i < len(cell); {
		r, size := utf8.DecodeRune(cell[i:])
		switch {
		case !drops(r):
			out = append(out, cell[i:i+size]...)
		case unicode.IsSpace(r):
			out = append(out, ' ')
		}
		i += size
	}
	return out, true
}

// spreadsheetError reports whether a cell is what a spreadsheet shows in the place of a value it could not work out, in the
// languages that the product reads.
func spreadsheetError(s []byte) bool {
	if len(s) < 3 || len(s) > 32 || s[0] != '#' {
		return false
	}
	switch strings.ToUpper(string(s)) {
	case "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA", "#ERROR!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!",
		"#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#ÜBERLAUF!", // German
		"#VALEUR!", "#NOM?", "#NOMBRE!", "#NUL!", // French
		"#N/D", "#¡REF!", "#¡VALOR!", "#¡DIV/0!", "#¿NOMBRE?", "#¡NUM!", "#¡NULO!", // Spanish
		"#RIF!", "#VALORE!", "#NOME?", "#NULLO!", // Italian
		"#VALOR!", "#NÚM!", "#NULO!", // Portuguese
		"#N/B", "#VERW!", "#WAARDE!", "#NAAM?", "#DEEL/0!", "#GETAL!", "#LEEG!", // Dutch
		"#N/D!", "#ADR!", "#ARG!", "#NAZWA?", "#DZIEL/0!", "#LICZBA!", "#ZERO!", // Polish
		"#Н/Д", "#ССЫЛКА!", "#ЗНАЧ!", "#ИМЯ?", "#ДЕЛ/0!", "#ЧИСЛО!", "#ПУСТО!": // Russian
		return true
	}
	for _, c := range s { // a column that was too narrow
		if c != '#' {
			return false
		}
	}
	return true
}
