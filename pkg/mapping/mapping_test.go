package mapping_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/mapping"
)

// alone is the field of a heading that stands alone, with nothing known of its values.
func alone(heading string, schema *contact.Schema) mapping.Column {
	return mapping.Map(mapping.Request{Headings: []string{heading}, Schema: schema}).Columns[0]
}

func TestHeadings(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]contact.Field{
		"First name": contact.FieldFirstName, "Last name": contact.FieldLastName, "Phone number": contact.FieldPhone,
		"Email": contact.FieldEmail, "Date of birth": contact.FieldBirthDate, "Social security number": contact.FieldSSN,
		"Account number": contact.FieldAccountNumber, "Zip code": contact.FieldZip,
		"E-Mail Address": contact.FieldEmail, "EMAIL": contact.FieldEmail, " e_mail ": contact.FieldEmail,
		"Ｅｍａｉｌ": contact.FieldEmail, "\ufeffemail": contact.FieldEmail, "E\u200bmail": contact.FieldEmail,
		"Vorname": contact.FieldFirstName, "Straße": contact.FieldAddress, "PLZ": contact.FieldZip,
		"Prénom": contact.FieldFirstName, "Nom de famille": contact.FieldLastName, "Téléphone": contact.FieldPhone,
		"Correo electrónico": contact.FieldEmail, "Código postal": contact.FieldZip, "Città": contact.FieldCity,
		"Sobrenome": contact.FieldLastName, "Achternaam": contact.FieldLastName, "Geboortedatum": contact.FieldBirthDate,
		"Imię": contact.FieldFirstName, "Nazwisko": contact.FieldLastName, "Kod pocztowy": contact.FieldZip, "Data urodzenia": contact.FieldBirthDate,
		"Имя": contact.FieldFirstName, "ФАМИЛИЯ": contact.FieldLastName, "Почтовый индекс": contact.FieldZip, "Эл. почта": contact.FieldEmail,
		"姓名": contact.FieldFullName, "手机号码": contact.FieldPhone, "手機號碼": contact.FieldPhone, "邮政编码": contact.FieldZip, "郵遞區號": contact.FieldZip, "出生日期": contact.FieldBirthDate,
		"Geschaeftsfuehrer": contact.NoField, "Umsatzsteuer-ID": contact.FieldVATNumber,
		"Phone 1": contact.FieldPhone, "Frist Name": contact.FieldFirstName, "Telephne number": contact.FieldPhone,
		"fax": contact.NoField, "Home Fax": contact.NoField, "url": contact.NoField, "bioguide_id": contact.NoField,
		"contact_form": contact.NoField, "party": contact.NoField, "middle_name": contact.NoField, "": contact.NoField,
		"E-mail 2 Address": contact.NoField, "Phone 2": contact.NoField, "Notes": contact.NoField,
		"Unsubscribed": contact.NoField, "EMAIL_BLACKLISTED": contact.NoField, "UNSUB_TIME": contact.NoField,
		"SMS_BLACKLISTED": contact.NoField, "OPTIN_IP": contact.NoField, "subscribed_to_emails": contact.NoField,
		"county": contact.FieldState, strings.Repeat("x", 400): contact.NoField,
		"Customer's e-mail (required)": contact.FieldEmail, "customerEmail": contact.FieldEmail, "contactemail": contact.FieldEmail,
		"Phone 1 - Value": contact.FieldPhone, "Phone 1 - Type": contact.NoField, "Address 1 - Street": contact.FieldAddress, "Address 2 - Street": contact.NoField,
		"Address 1 - Postal Code": contact.FieldZip, "Default Address Address1": contact.FieldAddress, "Default Address Address2": contact.NoField,
		"username": contact.NoField, "Customer SSM": contact.NoField, "Social security numbr": contact.NoField, "Work phone": contact.NoField,
		"<b>" + strings.Repeat("Email", 60) + "</b>": contact.NoField, "=HYPERLINK(\"http://x\",\"Email\")": contact.NoField,
	} {
		if got := alone(heading, nil); got.Field != want {
			t.Errorf("%q is %q with %.2f by %s, want %q", heading, got.Field, got.Confidence, got.How, want)
		}
	}
}
