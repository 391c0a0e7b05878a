package contact

import "github.com/contactmill/contactmill/pkg/contact/finding"

// CellKind is what a workbook knew of a cell beside its text.
type CellKind uint8

const (
	CellText    CellKind = iota // text; every cell of a text file
	CellNumber                  // a number: the text is its shortest exact decimal form, never scientific
	CellRounded                 // a number of more than 15 digits, of which the program that wrote it lost some
	CellDate                    // a day or a time: the text is in ISO form
	CellBool                    // TRUE or FALSE
)

// Rules is what varies from one import to the next, from one column to the next and, in workbooks, from cell to cell.
type Rules struct {
	Country Country   // default for phones, zips and VAT numbers; 0 for none
	Dates   DateRules // of this column
	Decimal byte      // what stands before the decimals of this column's numbers, '.' or ','; 0 when that is not known
	Today   Date      // dates of birth may not be after it, moments not after the day behind it; its zero is 1970-01-01, so it is always to be set
	Cell    CellKind  // of this cell
}

// Normaliser turns cells into values by their field's type. One serves any number of goroutines.
type Normaliser struct {
	Phones    *Phones
	Countries *Countries
}

// NewNormaliser returns a normaliser; its tables are built when they are first asked for.
func NewNormaliser() *Normaliser {
	return &Normaliser{Phones: NewPhones(), Countries: NewCountries()}
}

// Append appends the normal form of a cell of the field f. A blank cell appends nothing and has no finding. Fields that
// the table does not have are taken as text without bounds other than that of a cell.
func (n *Normaliser) Append(dst []byte, f Field, cell []byte, rules Rules) ([]byte, Code) {
	if f < fieldEnd {
		return n.AppendSpec(dst, &fields[f], cell, rules)
	}
	return n.AppendSpec(dst, &fields[NoField], cell, rules)
}

// AppendSpec is Append for a field that is known by its line, an account's own one for instance. Dates are appended as
// YYYY-MM-DD, moments as YYYY-MM-DDTHH:MM:SSZ, truth values as true and false, authorisations as True, False and Empty. A code for which Code.Repaired holds
// says that the value is not the one in the cell, but the one that a spreadsheet or a text program made it from.
func (n *Normaliser) AppendSpec(dst []byte, spec *Spec, cell []byte, rules Rules) ([]byte, Code) {
	if Blank(cell) {
		return dst, ""
	}
	base := len(dst)
	var code Code
	if spec.Type <= TypeLines {
		dst, code = appendProse(dst, spec, cell)
	} else if rules.Cell == CellText && !suspect(cell) {
		if dst, code = n.append(dst, spec, cell, rules); code != "" && code.Failed() {
			dst, code = n.rescue(dst[:base], spec, cell, rules, code)
		}
	} else {
		dst, code = n.mend(dst, spec, cell, rules)
	}
	if spec.MaxBytes > 0 && len(dst)-base > spec.MaxBytes {
		return dst[:base], finding.TooLong
	}
	return dst, code
}

// append takes the cell as it stands.
func (n *Normaliser) append(dst []byte, spec *Spec, cell []byte, rules Rules) ([]byte, Code) {
	switch spec.Type {
	case TypeID:
		base := len(dst)
		dst, code := AppendID(dst, cell, spec.MaxRunes, spec.MaxBytes)
		if code == "" && monthAndNumber(dst[base:]) {
			code = finding.LooksLikeDate
		}
		return dst, code
	case TypeContactID:
		return AppendContactID(dst, cell)
	case TypeEmail:
		return AppendEmail(dst, cell)
	case TypePhone:
		return n.Phones.Append(dst, cell, rules.Country)
	case TypeBirthDate:
		d, code := ParseBirthDate(cell, rules.Dates, rules.Today)
		return appendDate(dst, cell, d, code)
	case TypeDate:
		d, code := ParseDate(cell, rules.Dates)
		return appendDate(dst, cell, d, code)
	case TypeMoment:
		return appendMoment(dst, cell, rules)
	case TypeSSN:
		return AppendSSN(dst, cell)
	case TypeZip:
		return AppendZip(dst, cell, rules.Country)
	case TypeCountry:
		return n.Countries.Append(dst, cell)
	case TypeVAT:
		return AppendVAT(dst, cell, rules.Country)
	case TypeNumber:
		return AppendNumber(dst, cell, rules.Decimal)
	case TypeBoolean:
		return AppendBoolean(dst, cell)
	case TypeCriterion:
		return appendCriterion(dst, spec, cell)
	case TypeCriteria:
		return appendCriteria(dst, spec, cell)
	case TypeAuthorisation:
		return AppendAuthorisation(dst, cell)
	}
	return AppendText(dst, cell, spec.MaxRunes, spec.MaxBytes)
}

func appendDate(dst, cell []byte, d Date, code Code) ([]byte, Code) {
	switch {
	case code != "" && code.Failed():
		return dst, code
	case len(cell) == 10 && cell[4] == '-' && cell[7] == '-':
		return append(dst, cell...), code // as it is written
	}
	return d.AppendISO(dst), code
}
