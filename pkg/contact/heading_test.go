package contact_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
)

func TestMatchHeading(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]contact.Field{
		"First name": contact.FieldFirstName, "Last name": contact.FieldLastName, "Phone number": contact.FieldPhone,
		"Email": contact.FieldEmail, "Date of birth": contact.FieldBirthDate, "Social security number": contact.FieldSSN,
		"Account number": contact.FieldAccountNumber, "Zip code": contact.FieldZip,
		"E-Mail Address": contact.FieldEmail, "EMAIL": contact.FieldEmail, " e_mail ": contact.FieldEmail,
		"Ｅｍａｉｌ": contact.FieldEmail, "\ufeffemail": contact.FieldEmail,
		"Vorname": contact.FieldFirstName, "Straße": contact.FieldAddress, "PLZ": contact.FieldZip,
		"Prénom": contact.FieldFirstName, "Nom de famille": contact.FieldLastName, "Téléphone": contact.FieldPhone,
		"Correo electrónico": contact.FieldEmail, "Código postal": contact.FieldZip, "Città": contact.FieldCity,
		"Sobrenome": contact.FieldLastName, "Achternaam": contact.FieldLastName, "Geboortedatum": contact.FieldBirthDate,
		"Phone 1": contact.FieldPhone, "Frist Name": contact.FieldFirstName, "Telephne number": contact.FieldPhone,
		"fax": contact.NoField, "Home Fax": contact.NoField, "url": contact.NoField, "bioguide_id": contact.NoField,
		"contact_form": contact.NoField, "party": contact.NoField, "middle_name": contact.NoField, "": contact.NoField,
		"E-mail 2 Address": contact.NoField, "Phone 2": contact.NoField, "Notes": contact.NoField,
		"Unsubscribed": contact.NoField, "EMAIL_BLACKLISTED": contact.NoField, "UNSUB_TIME": contact.NoField,
		"SMS_BLACKLISTED": contact.NoField, "OPTIN_IP": contact.NoField, "subscribed_to_emails": contact.NoField,
		"county": contact.FieldState, strings.Repeat("x", 400): contact.NoField,
	} {
		if got, confidence := contact.MatchHeading(heading); got != want {
			t.Errorf("MatchHeading(%q) = %q with %.2f, want %q", heading, got, confidence, want)
		}
	}
}
