package accounts

import (
	"bytes"
	"encoding/csv"
)

const templateName = "contactmill-template.csv"

// template is what an import file looks like: the headings of the standard fields and a row of an invented person,
// UTF-8 with CR LF line ends. The example row passes every check in an account of the United States.
func template() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	err := w.WriteAll([][]string{
		{"First name", "Last name", "Phone number", "Email", "Date of birth", "Social security number", "Account number", "Zip code"},
		{"Jane", "Doe", "(202) 555-0143", "jane.doe@example.com", "1980-12-31", "536-22-8145", "A-1001", "20001"},
	})
	return b.Bytes(), err
}
