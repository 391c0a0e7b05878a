package contact_test

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// What spreadsheets and text programs do to cells: put back where it is certain what stood there, refused where it is not.
func TestDamage(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	const text, number, rounded, date = contact.CellText, contact.CellNumber, contact.CellRounded, contact.CellDate
	for _, c := range []struct {
		field   contact.Field
		country string
		kind    contact.CellKind
		cell    string
		want    string
		code    contact.Code
	}{
		// scientific notation
		{contact.FieldPhone, "US", text, "1.2022243441E10", "+12022243441", finding.ScientificRepaired},
		{contact.FieldPhone, "US", text, "1.2022243441E+10", "+12022243441", finding.ScientificRepaired},
		{contact.FieldPhone, "US", text, "1,2022243441e+10", "+12022243441", finding.ScientificRepaired},
		{contact.FieldPhone, "US", text, "3.9E+11", "", finding.ScientificRounded},
		{contact.FieldPhone, "US", text, "1.20222E+10", "", finding.ScientificRounded},
		{contact.FieldPhone, "US", text, "1.5551234567E10", "", finding.PhoneInvalid}, // put back, but nobody's number
		{contact.FieldSSN, "US", text, "5.36228145E+08", "536228145", finding.ScientificRepaired},
		{contact.FieldSSN, "US", text, "5.36228E+08", "", finding.ScientificRounded},
		{contact.FieldZip, "US", text, "2.051E+04", "", finding.ScientificRounded}, // 20510 or 20512
		{contact.FieldZip, "US", text, "2.0512E+04", "20512", finding.ScientificRepaired},
		{contact.FieldAccountNumber, "US", text, "1.23457E+15", "", finding.ScientificRounded},
		{contact.FieldAccountNumber, "US", text, "1.2345678901E+10", "12345678901", finding.ScientificRepaired},
		{contact.FieldAccountNumber, "US", text, "1.234567890123456E+15", "", finding.ScientificRounded}, // 16 digits
		{contact.FieldExternalID, "US", text, "3E+11", "", finding.ScientificRounded},
		{contact.FieldExternalID, "US", text, "7E10", "7E10", ""},
		{contact.FieldExternalID, "US", text, "12E4", "12E4", ""},
		{contact.FieldLastName, "US", text, "1.5E+10", "1.5E+10", ""},
		// digits that the program lost
		{contact.FieldAccountNumber, "US", rounded, "4111111111111110", "", finding.DigitsLost},
		{contact.FieldPhone, "US", rounded, "4915112345678900", "", finding.DigitsLost},
		{contact.FieldAccountNumber, "US", number, "411111111111111", "411111111111111", ""},
		{contact.FieldAccountNumber, "US", text, "4111111111111110.0", "", finding.DigitsLost},
		// leading zeros
		{contact.FieldZip, "US", text, "2138", "02138", finding.ZerosRestored},
		{contact.FieldZip, "US", number, "2138", "02138", finding.ZerosRestored},
		{contact.FieldZip, "US", text, "2138-0001", "02138-0001", finding.ZerosRestored},
		{contact.FieldZip, "US", text, "213", "", finding.ZipInvalid},
		{contact.FieldZip, "US", number, "21380001", "02138-0001", finding.ZerosRestored},
		{contact.FieldZip, "US", text, "21380001", "", finding.ZipInvalid},
		{contact.FieldZip, "PR", text, "601", "00601", finding.ZerosRestored},
		{contact.FieldZip, "PR", text, "6010", "", finding.ZipInvalid},
		{contact.FieldZip, "JP", text, "600001", "060-0001", finding.ZerosRestored},
		{contact.FieldZip, "DE", text, "1067", "01067", finding.ZerosRestored},
		{contact.FieldZip, "FR", text, "6000", "06000", finding.ZerosRestored},
		{contact.FieldZip, "IT", text, "0187", "", finding.ZipInvalid},
		{contact.FieldZip, "ES", text, "8001", "08001", finding.ZerosRestored},
		{contact.FieldZip, "AT", text, "101", "", finding.ZipInvalid},
		{contact.FieldZip, "PL", text, "0950", "", finding.ZipInvalid},
		{contact.FieldZip, "GB", text, "1234", "", finding.ZipInvalid},
		{contact.FieldZip, "", text, "2138", "2138", ""},
		{contact.FieldSSN, "US", number, "12345678", "012345678", finding.ZerosRestored},
		{contact.FieldSSN, "US", text, "12345678", "", finding.SSNInvalid},
		{contact.FieldSSN, "US", number, "1234567", "", finding.SSNInvalid},
		{contact.FieldPhone, "IT", text, "66982", "+39066982", finding.ZerosRestored},
		{contact.FieldPhone, "IT", text, "066982", "+39066982", ""},
		{contact.FieldPhone, "DE", number, "30901820", "+4930901820", ""},
		{contact.FieldPhone, "US", text, "55501", "", finding.PhoneInvalid},
		// .0
		{contact.FieldPhone, "US", text, "2022243441.0", "+12022243441", finding.PointZeroRemoved},
		{contact.FieldPhone, "DE", text, "30901820.0", "+4930901820", finding.PointZeroRemoved},
		{contact.FieldPhone, "", text, "+4930901820.0", "+4930901820", finding.PointZeroRemoved},
		{contact.FieldZip, "US", text, "20510.0", "20510", finding.PointZeroRemoved},
		{contact.FieldZip, "US", text, "2138.0", "02138", finding.ZerosRestored},
		{contact.FieldSSN, "US", text, "536228145.0", "536228145", finding.PointZeroRemoved},
		{contact.FieldExternalID, "US", text, "1017.0", "1017", finding.PointZeroRemoved},
		{contact.FieldExternalID, "US", text, "v1.0", "v1.0", ""},
		{contact.FieldExternalID, "US", text, "1.0.0", "1.0.0", ""},
		{contact.FieldVATNumber, "DE", text, "136695976.0", "DE136695976", finding.PointZeroRemoved},
		{contact.FieldVATNumber, "DE", text, "1.36695976E+08", "DE136695976", finding.ScientificRepaired},
		{contact.FieldVATNumber, "DE", number, "136695976", "DE136695976", ""},
		{contact.FieldCity, "US", text, "12.0", "12.0", ""},
		// dates
		{contact.FieldExternalID, "US", date, "2024-03-01", "", finding.ValueWasDate},
		{contact.FieldExternalID, "US", text, "1-Mar", "1-Mar", finding.LooksLikeDate},
		{contact.FieldAccountNumber, "US", text, "Mar-01", "Mar-01", finding.LooksLikeDate},
		{contact.FieldExternalID, "US", text, "MAR-01", "MAR-01", ""},
		{contact.FieldExternalID, "US", text, "A-Mar", "A-Mar", ""},
		{contact.FieldPhone, "US", number, "-2022243441", "", finding.PhoneInvalid},
		{contact.FieldPhone, "US", number, "202224344.1", "", finding.PhoneInvalid},
		{contact.FieldPhone, "NO", date, "2024-03-01", "", finding.ValueWasDate},
		{contact.FieldZip, "", date, "2024-03-01", "", finding.ValueWasDate},
		{contact.FieldBirthDate, "US", date, "1958-10-13", "1958-10-13", ""},
		{contact.FieldBirthDate, "US", number, "21471", "1958-10-13", finding.DateFromSerial},
		{contact.FieldBirthDate, "US", number, "21471.5", "", finding.DateInvalid},
		{contact.FieldBirthDate, "US", text, "21471", "", finding.DateInvalid},
		{contact.FieldBirthDate, "US", number, "1958", "", finding.DateInvalid}, // rather a year
		{contact.FieldBirthDate, "US", number, "19581013", "1958-10-13", ""},
		{contact.FieldBirthDate, "US", number, "65000", "", finding.BirthDateFuture},
		{contact.FieldBirthDate, "US", number, "73051", "", finding.DateInvalid},
		{contact.FieldLastName, "US", date, "2024-03-01", "2024-03-01", ""},
		// quotes and spaces that are none
		{contact.FieldEmail, "", text, "“ann@example.com”", "ann@example.com", finding.QuotesRemoved},
		{contact.FieldEmail, "", text, "'ann@example.com'", "ann@example.com", finding.QuotesRemoved},
		{contact.FieldEmail, "", text, "o’brien@example.com", "o'brien@example.com", finding.QuoteStraightened},
		{contact.FieldEmail, "", text, "ann@exam\u200bple.com", "ann@example.com", finding.InvisibleCharacter},
		{contact.FieldEmail, "", text, "ann\u00ad@example.com", "ann@example.com", finding.InvisibleCharacter},
		{contact.FieldEmail, "", text, "\u00a0ann@example.com", "ann@example.com", finding.InvisibleCharacter},
		{contact.FieldEmail, "", text, "ann lee@example.com\u00a0", "", finding.EmailInvalid},
		{contact.FieldEmail, "", text, "ann\u00a0lee@example.com", "", finding.EmailInvalid},
		{contact.FieldEmail, "", text, "ann\u200f@example.com", "", finding.EmailInvalid},
		{contact.FieldEmail, "", text, "ann@bücher.example", "ann@xn--bcher-kva.example", ""},
		{contact.FieldPhone, "US", text, "202\u00a0224\u00a03441", "+12022243441", finding.InvisibleCharacter},
		{contact.FieldPhone, "US", text, "\u202a202 224 3441\u202c", "+12022243441", finding.InvisibleCharacter},
		{contact.FieldPhone, "US", text, "'2022243441", "+12022243441", finding.QuotesRemoved},
		{contact.FieldPhone, "US", text, `="2022243441"`, "+12022243441", finding.QuotesRemoved},
		{contact.FieldZip, "US", text, `="02138"`, "02138", finding.QuotesRemoved},
		{contact.FieldZip, "US", text, "'02138", "02138", finding.QuotesRemoved},
		{contact.FieldExternalID, "US", text, "„0017“", "0017", finding.QuotesRemoved},
		{contact.FieldExternalID, "US", text, "«0017»", "0017", finding.QuotesRemoved},
		{contact.FieldExternalID, "US", text, `"a" or "b"`, `"a" or "b"`, ""},
		{contact.FieldExternalID, "US", text, "A\u00ad1", "A1", finding.InvisibleCharacter},
		{contact.FieldExternalID, "US", text, "A1\u00a0", "A1", finding.InvisibleCharacter},
		{contact.FieldExternalID, "US", text, "A\u00a01", "A 1", finding.InvisibleCharacter},
		{contact.FieldExternalID, "US", text, "Ä1", "Ä1", ""},
		{contact.FieldSSN, "US", text, "536\u201022\u20108145", "536228145", ""},
		{contact.FieldBirthDate, "US", text, "\ufeff1958-10-13", "1958-10-13", finding.InvisibleCharacter},
		{contact.FieldLastName, "US", text, "O’Brien", "O’Brien", ""},
		{contact.FieldLastName, "US", text, "Lee\u00a0", "Lee", finding.InvisibleCharacter},
		{contact.FieldLastName, "US", text, "van\u00a0Gogh", "van\u00a0Gogh", finding.InvisibleKept},
		{contact.FieldLastName, "US", text, "“Ann”", "“Ann”", ""},
		{contact.FieldExternalID, "US", text, `""`, "", finding.SpreadsheetError},
		// what a formula that failed left
		{contact.FieldLastName, "US", text, "#N/A", "", finding.SpreadsheetError},
		{contact.FieldLastName, "US", text, " #REF! ", "", finding.SpreadsheetError},
		{contact.FieldAddress, "US", text, "#WERT!", "", finding.SpreadsheetError},
		{contact.FieldExternalID, "US", text, "#Н/Д", "", finding.SpreadsheetError},
		{contact.FieldPhone, "US", text, "#DIV/0!", "", finding.SpreadsheetError},
		{contact.FieldPhone, "US", text, "########", "", finding.SpreadsheetError},
		{contact.FieldLastName, "US", text, "N/A", "N/A", ""},
		{contact.FieldAddress, "US", text, "#12 Main Street", "#12 Main Street", ""},
	} {
		rules := contact.Rules{Country: contact.CountryByCode(c.country), Today: day(t, 2026, 11, 21), Cell: c.kind}
		got, code := n.Append([]byte("kept"), c.field, []byte(c.cell), rules)
		if string(got) != "kept"+c.want || code != c.code {
			t.Errorf("%s %q (%s, kind %d): got %q, %q; want %q, %q", c.field, c.cell, c.country, c.kind, got, code, "kept"+c.want, c.code)
		}
		if repaired := code.Repaired(); repaired && (c.want == "" || code.Failed()) {
			t.Errorf("%s %q: %s is a repair without a value", c.field, c.cell, code)
		}
	}
	for _, c := range []struct {
		kind       contact.Type
		cell       contact.CellKind
		text, want string
		code       contact.Code
	}{
		{contact.TypeNumber, number, "1.234", "1.234", ""}, {contact.TypeNumber, rounded, "12345678901234567", "12345678901234567", finding.NumberImprecise}, {contact.TypeNumber, date, "2024-03-01", "", finding.ValueWasDate},
		{contact.TypeNumber, text, "1.5551234567E10", "15551234567", finding.ScientificRepaired}, {contact.TypeNumber, text, "3.9E+11", "", finding.ScientificRounded}, {contact.TypeNumber, text, "1e400", "", finding.ScientificRounded},
		{contact.TypeNumber, text, "1.5E-3", "", finding.NumberInvalid}, {contact.TypeNumber, text, "5.0", "5", ""}, {contact.TypeNumber, text, "1\u00a0234", "1234", ""}, {contact.TypeNumber, text, "\u22125", "", finding.NumberInvalid},
		{contact.TypeDate, number, "44562", "2022-01-01", finding.DateFromSerial}, {contact.TypeDate, date, "2022-01-01", "2022-01-01", ""}, {contact.TypeDate, text, "2022-01-01", "2022-01-01", ""},
		{contact.TypeBoolean, contact.CellBool, "TRUE", "true", ""}, {contact.TypeBoolean, number, "1", "true", ""}, {contact.TypeBoolean, text, "1.0", "true", finding.PointZeroRemoved}, {contact.TypeBoolean, date, "1900-01-01", "", finding.ValueWasDate},
		{contact.TypeAuthorisation, contact.CellBool, "TRUE", "True", ""}, {contact.TypeAuthorisation, number, "1", "", finding.AuthorisationWord}, {contact.TypeAuthorisation, text, "'True'", "True", finding.QuotesRemoved},
	} {
		spec := &contact.Spec{Type: c.kind, Key: contact.NoKey}
		if got, code := n.AppendSpec([]byte("kept"), spec, []byte(c.text), contact.Rules{Cell: c.cell}); string(got) != "kept"+c.want || code != c.code {
			t.Errorf("type %d %q (kind %d): got %q, %q; want %q, %q", c.kind, c.text, c.cell, got, code, "kept"+c.want, c.code)
		}
	}
}
