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

func own(t testing.TB) *contact.Schema {
	t.Helper()
	s, err := contact.NewSchema([]contact.Spec{
		{Number: contact.FirstCustom, Name: "shoe_size", Label: "Shoe size", Type: contact.TypeNumber, Key: contact.NoKey, Headings: []string{"Schuhgröße", "EU size"}},
		{Number: contact.FirstCustom + 1, Name: "newsletter_ok", Label: "Newsletter allowed", Type: contact.TypeAuthorisation, Key: contact.NoKey, Headings: []string{"Einwilligung Newsletter"}},
		{Number: contact.FirstCustom + 2, Name: "passport", Label: "Passport number", Type: contact.TypeText, Secret: true, Key: contact.NoKey},
		{Number: contact.FirstCustom + 3, Name: "member_no", Label: "Member no", Type: contact.TypeID, Key: contact.OwnKey, Headings: []string{"Account number"}},
		{Number: contact.FirstCustom + 4, Name: "second_mail", Label: "Email", Type: contact.TypeEmail, Key: contact.NoKey, Headings: []string{"E-mail 2 Address"}},
		{Number: contact.FirstCustom + 5, Name: "colour_a", Label: "Colour", Type: contact.TypeText, Key: contact.NoKey},
		{Number: contact.FirstCustom + 6, Name: "colour_b", Label: "Colour", Type: contact.TypeText, Key: contact.NoKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOwnFields(t *testing.T) {
	t.Parallel()
	schema := own(t)
	for heading, want := range map[string]string{
		"Shoe Size": "shoe_size", "shoe_size": "shoe_size", "SCHUHGRÖSSE": "shoe_size", "eu-size": "shoe_size", "Shoe siez": "shoe_size",
		"Newsletter allowed": "newsletter_ok", "newsletter_ok": "newsletter_ok", "einwilligung newsletter": "newsletter_ok",
		"Newsletter alowed": "", "Newsletter": "", "Einwilligung": "", "Customer newsletter allowed": "", "Newslеtter allowed": "", // Cyrillic е
		"Passport Number": "passport", "Passport numbr": "", "Your passport number": "",
		"Member No.": "member_no", "Account number": "account_number", "account_number": "account_number",
		"Email": "email", "E-mail 2 address": "second_mail", "Colour": "", "colour_a": "colour_a",
	} {
		if got := alone(heading, schema); schema.Name(got.Field) != want {
			t.Errorf("%q is %q with %.2f by %s, want %q", heading, schema.Name(got.Field), got.Confidence, got.How, want)
		}
	}
}

// rows are the first rows of a file, written with | and ;.
func rows(s string) [][]string {
	if s == "" {
		return nil
	}
	var out [][]string
	for line := range strings.SplitSeq(s, "|") {
		out = append(out, strings.Split(line, ";"))
	}
	return out
}

func TestMap(t *testing.T) {
	t.Parallel()
	const people = "Ada;ada@example.com;+44 20 7946 0018|Bo;bo@example.com;+44 20 7946 0019|Cy;cy@example.com;(020) 7946 0020|Di;di@example.com;+44 20 7946 0021|Ed;ed@example.com;+44 20 7946 0022"
	for name, c := range map[string]struct {
		headings   string
		said       map[string]string
		remembered map[string]string
		sample     string
		fields     string
		question   string
		problem    string
		hint       string // has to be part of it
	}{
		"by heading":            {headings: "Email;First name;Shoe model", fields: "email;first_name;"},
		"said":                  {headings: "kundennr;E-Mail", said: map[string]string{"KundenNr": "external_id"}, fields: "external_id;email"},
		"said wins":             {headings: "Email;Private email", said: map[string]string{"Private email": "email"}, fields: ";email"},
		"said as written":       {headings: "Email;email", said: map[string]string{"Email": "email"}, fields: "email;"},
		"ignored":               {headings: "Email;Phone", said: map[string]string{"Phone": "-"}, fields: "email;"},
		"own field":             {headings: "Email;Grösse", said: map[string]string{"GRÖSSE": "shoe_size"}, fields: "email;shoe_size"},
		"said twice for one":    {headings: "a;b", said: map[string]string{"a": "email", "b": "email"}, question: "two-columns-for-one-field"},
		"two for one":           {headings: "Email;E-Mail;e_mail", question: "two-columns-for-one-field", hint: `--map "Email=email" --map "E-Mail=-" --map "e_mail=-"`},
		"two of one name":       {headings: "Email;Email", question: "two-columns-for-one-field", hint: `contactmill jobs answer JOB --map "#1=email" --map "#2=-"`},
		"in doubt by position":  {headings: `E"mail;email$(x)`, said: map[string]string{"#1": "email", "#2": "email"}, question: "two-columns-for-one-field", hint: `--map "#1=email" --map "#2=-"`},
		"one is empty":          {headings: "Email;Email;Name", sample: ";a@example.com;A|;b@example.com;B|;c@example.com;C|;;D|;e@example.com;E", fields: ";email;full_name"},
		"few rows prove little": {headings: "Email;Email", sample: ";a@example.com|;b@example.com", question: "two-columns-for-one-field"},
		"surer":                 {headings: "Phone;Mobile;Email", fields: "phone;;email"},
		"surer but empty":       {headings: "Phone;Mobile", sample: ";1|;2|;+44 20 7946 0018|;+44 20 7946 0018|;+44 20 7946 0018", fields: ";phone"},
		"answered by position":  {headings: "Email;Email", said: map[string]string{"Email": "email", "#1": "email", "#2": "-"}, fields: "email;"},
		"which of several":      {headings: "Email;Email", said: map[string]string{"#2 of email": "email"}, fields: ";email"},
		"position is not there": {headings: "Email", said: map[string]string{"#7": "email"}, question: "mapped-column-missing", hint: "contactmill jobs answer JOB --map"},
		"position is a place":   {headings: "#2;Email", said: map[string]string{"#2": "email"}, fields: ";email"},
		"no key":                {headings: "First name;City", question: "no-key-column", hint: "=external_id (or phone, email, ssn, account_number, vat_number, member_no)"},
		"own key":               {headings: "First name;Member no", fields: "first_name;member_no"},
		"key that may be":       {headings: "First name;id", question: "no-key-column", hint: `--map "id=external_id"`},
		"key by its values":     {headings: "First name;Kontaktweg", sample: "A;a@example.com|B;b@example.com|C;c@example.com", question: "no-key-column", hint: `--map "Kontaktweg=email"`},
		"said heading is gone":  {headings: "Email", said: map[string]string{"Mail": "email"}, question: "mapped-column-missing"},
		"field unknown":         {headings: "Email", said: map[string]string{"Email": "mail"}, problem: "unknown-field", hint: "shoe_size"},
		"nothing maps":          {headings: "Hat model;Hat size", problem: "nothing-maps", hint: "--map HEADING=FIELD"},
		"nothing at all":        {headings: "", problem: "nothing-maps"},
		"name, birth and zip":   {headings: "First name;Last name;Birth date;Zip", fields: "first_name;last_name;birth_date;zip"},

		"remembered":              {headings: "Ref A;Email", remembered: map[string]string{"ref a": "external_id"}, fields: "external_id;email"},
		"remembered and ignored":  {headings: "Phone;Email", remembered: map[string]string{"Phone": "-"}, fields: ";email"},
		"said before remembered":  {headings: "Ref A;Email", said: map[string]string{"Ref A": "account_number"}, remembered: map[string]string{"Ref A": "external_id"}, fields: "account_number;email"},
		"remembered field gone":   {headings: "Phone;Email", remembered: map[string]string{"Phone": "gone"}, fields: "phone;email"},
		"positions do not last":   {headings: "Phone;Email", remembered: map[string]string{"#1": "external_id"}, fields: "phone;email"},
		"remembered of several":   {headings: "Email;Name;Email", remembered: map[string]string{"#2 of email": "email", "#1 of email": "-"}, fields: ";full_name;email"},
		"remembered, not in file": {headings: "Phone", remembered: map[string]string{"Ref": "external_id"}, fields: "phone"},

		"contact is an address":     {headings: "Person;Contact;Number", sample: people, fields: ";email;phone"},
		"contact is a name":         {headings: "Email;Contact", sample: "a@example.com;Ada L|b@example.com;Bo M|c@example.com;Cy N", fields: "email;full_name"},
		"number is not a phone":     {headings: "Email;Number", sample: "a@example.com;1001|b@example.com;1002|c@example.com;1003", fields: "email;"},
		"ssn is no phone":           {headings: "Email;Number", sample: "a@example.com;536-22-1234|b@example.com;536-22-1235|c@example.com;536-22-1236", fields: "email;"},
		"unknown stays unknown":     {headings: "Email;Zyx", sample: "a@example.com;b@example.com|c@example.com;d@example.com|e@example.com;f@example.com", fields: "email;"},
		"word against values":       {headings: "Email;Mobile", sample: "a@example.com;yes|b@example.com;no|c@example.com;yes", fields: "email;"},
		"name of an order":          {headings: "Email;Name", sample: "a@example.com;#1001|b@example.com;#1002|c@example.com;#1003", fields: "email;"},
		"label stands against them": {headings: "Email;Phone", sample: "a;yes|b;no|c;yes", fields: "email;phone"},
		"another one's contact id":  {headings: "Contact ID;Email", sample: "0035g00000A1;a@example.com|0035g00000A2;b@example.com|0035g00000A3;c@example.com", fields: "external_id;email"},
		"our contact id":            {headings: "Contact ID;Email", sample: "6ba7b810-9dad-11d1-80b4-00c04fd430c8;|6ba7b811-9dad-11d1-80b4-00c04fd430c8;|6ba7b812-9dad-11d1-80b4-00c04fd430c8;", fields: "contact_id;email"},
		"German name":               {headings: "Name;Vorname;E-Mail", fields: "last_name;first_name;email"},
		"French name":               {headings: "Nom;Prénom;Mail", fields: "last_name;first_name;email"},
		"name beside first name":    {headings: "Name;First name;Email", sample: "Ada Lovelace;Ada;|Bo Marsh;Bo;|Cy North;Cy;", fields: "full_name;first_name;email"},
		"name is the last name":     {headings: "Name;First name;Email", sample: "Lovelace;Ada;|Marsh;Bo;|North;Cy;", fields: "last_name;first_name;email"},
		"name is the first name":    {headings: "Name;Last name;Email", sample: "Ada;Lovelace;|Bo;Marsh;|Cy;North;", fields: "first_name;last_name;email"},

		"no heading":              {headings: "Ada;ada@example.com;+44 20 7946 0018", sample: people, question: "no-heading", hint: `contactmill jobs answer JOB --map "#2=email" --map "#3=phone"`},
		"no heading, one row":     {headings: "Ada;ada@example.com;1815-12-10", question: "no-heading", hint: `--map "#2=email"`},
		"no heading, a town":      {headings: "Ada;ada@example.com;Stadt", sample: people, question: "no-heading"},
		"no heading, numbers":     {headings: "Ada;Lovelace;1001", sample: "Bo;Marsh;1002|Cy;North;1003", question: "no-heading", hint: `--map "#1=FIELD"`},
		"no heading, said":        {headings: "Ada;ada@example.com;Stadt", said: map[string]string{"#2": "email"}, fields: ";email;"},
		"no heading, said wrong":  {headings: "Ada;ada@example.com", said: map[string]string{"#9": "email"}, question: "mapped-column-missing"},
		"days for headings":       {headings: "Email;Name;2026-01-01;2026-01-02;2026-01-03", fields: "email;full_name;;;"},
		"one odd heading":         {headings: "Email;Name;Phone;ada@example.com", fields: "email;full_name;phone;"},
		"no heading, nothing big": {headings: "Ada;Lovelace;London", sample: "Bo;Marsh;Leeds", problem: "nothing-maps"},
	} {
		var headings []string
		if c.headings != "" {
			headings = strings.Split(c.headings, ";")
		}
		schema := own(t)
		res := mapping.Map(mapping.Request{Headings: headings, Schema: schema, Said: c.said, Remembered: c.remembered, Sample: rows(c.sample)})
		var question, problem, hint string
		if q := res.Question; q != nil {
			question, hint = q.Code, q.Hint
		}
		if p := res.Problem; p != nil {
			problem, hint = p.Code, p.Hint
		}
		var got []string
		for _, col := range res.Columns {
			got = append(got, schema.Name(col.Field))
		}
		fields := strings.Join(got, ";")
		if question != c.question || problem != c.problem {
			t.Errorf("%s: question %q problem %q, want %q %q (%s)", name, question, problem, c.question, c.problem, fields)
			continue
		}
		if (question != "" || problem != "") && hint == "" || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: the hint is %s, want %s in it", name, hint, c.hint)
		}
		if question == "" && problem == "" && fields != c.fields {
			t.Errorf("%s: %s, want %s", name, fields, c.fields)
		}
	}
}
