package contact

import (
	"bytes"
	"strings"
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
	if spec.Type == TypeCriterion || spec.Type == TypeCriteria {
		if out, code := n.append(dst, spec, cell, rules); code == "" && !anyHidden(cell) {
			return out, "" // a book may have codes that look like damage
		}
	}
	inner := trim(cell, spec.Type == TypeID || spec.Type == TypeCriterion || spec.Type == TypeCriteria)
	if spreadsheetError(inner) {
		return dst, finding.SpreadsheetError
	}
	var imprecise Code
	switch rules.Cell {
	case CellDate:
		switch spec.Type {
		case TypeDate, TypeBirthDate, TypeMoment:
		default:
			return dst, finding.ValueWasDate
		}
	case CellRounded:
		switch spec.Type {
		case TypeNumber:
			imprecise = finding.NumberImprecise
		case TypeMoment: // the digits that are lost are those of no second
		default:
			return dst, finding.DigitsLost
		}
	}
	if rules.Cell == CellNumber && spec.Type == TypePhone && !allDigits(inner) {
		return dst, finding.PhoneInvalid // the sign and the point of a number are none of a phone
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
