package accounts

import (
	"bytes"
	"encoding/csv"
	"strconv"

	"github.com/contactmill/contactmill/pkg/sheet"
)

const codeBookName = "contactmill-codes.csv"

// codeBook is all codes of all fields as CSV, UTF-8 with CR LF line ends, retired ones among them. No cell computes in a
// spreadsheet.
func codeBook(fields []field) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.Write([]string{"field", "code", "label", "retired"}); err != nil {
		return nil, err
	}
	for i := range fields {
		for _, c := range fields[i].Codes {
			if err := w.Write([]string{fields[i].Name, inert(c.Code), inert(c.Label), strconv.FormatBool(c.Retired)}); err != nil {
				return nil, err
			}
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// inert puts an apostrophe before what a spreadsheet would compute. An import takes exactly one away again.
func inert(cell string) string {
	if sheet.Computes([]byte(cell)) {
		return "'" + cell
	}
	return cell
}
