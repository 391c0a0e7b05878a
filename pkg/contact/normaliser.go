package contact

// Rules is what varies from one import to the next and from one column to the next.
type Rules struct {
	Country Country   // default for phones, zips and VAT numbers; 0 for none
	Dates   DateRules // of this column
	Today   Date      // dates of birth may not be after it; its zero is 1970-01-01, so it is always to be set
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
	spec, _ := f.Spec()
	return n.AppendSpec(dst, &spec, cell, rules)
}

// AppendSpec is Append for an account's own field, which has no line in the table. Dates are appended as YYYY-MM-DD.
func (n *Normaliser) AppendSpec(dst []byte, spec *Spec, cell []byte, rules Rules) ([]byte, Code) {
	if Blank(cell) {
		return dst, ""
	}
	switch spec.Type {
	case TypeLines:
		return AppendLines(dst, cell, spec.MaxRunes, spec.MaxBytes)
	case TypeID:
		return AppendID(dst, cell, spec.MaxRunes, spec.MaxBytes)
	case TypeContactID:
		return AppendContactID(dst, cell)
	case TypeEmail:
		return AppendEmail(dst, cell)
	case TypePhone:
		return n.Phones.Append(dst, cell, rules.Country)
	case TypeBirthDate:
		d, code := ParseBirthDate(cell, rules.Dates, rules.Today)
		if code != "" {
			return dst, code
		}
		return d.AppendISO(dst), ""
	case TypeSSN:
		return AppendSSN(dst, cell)
	case TypeZip:
		return AppendZip(dst, cell, rules.Country)
	case TypeCountry:
		return n.Countries.Append(dst, cell)
	case TypeVAT:
		return AppendVAT(dst, cell, rules.Country)
	}
	return AppendText(dst, cell, spec.MaxRunes, spec.MaxBytes)
}
