package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
)

const (
	contactsSheet = "Contacts"
	codesSheet    = "Codes"
	textFormat    = 49 // "@": what is typed stays as it was typed, with leading zeros and no dates made of it
	columnWidth   = 22 // characters

	mostPromptTitle = 32  // UTF-16 units, as Excel counts
	mostPrompt      = 255 // likewise
)

// xlsx is the template as a workbook. Its columns are formatted as text, so that a spreadsheet damages nothing that is
// typed into them. A second sheet has the codes that criteria take, if there are any, and their columns offer them. It is
// hidden: a workbook with two sheets in view would be asked about when it is handed in.
func (t *template) xlsx() (content []byte, err error) {
	f := excelize.NewFile()
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.SetSheetName("Sheet1", contactsSheet); err != nil {
		return nil, err
	}
	if err := t.contacts(f); err != nil {
		return nil, fmt.Errorf("sheet %s: %w", contactsSheet, err)
	}
	if err := t.codes(f); err != nil {
		return nil, fmt.Errorf("sheet %s: %w", codesSheet, err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// contacts writes the sheet that is to be filled in.
func (t *template) contacts(f *excelize.File) error {
	plain, err := f.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return err
	}
	bold, err := f.NewStyle(&excelize.Style{NumFmt: textFormat, Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	last, err := excelize.ColumnNumberToName(len(t.headings))
	if err != nil {
		return err
	}
	if err := errors.Join(f.SetColStyle(contactsSheet, "A:"+last, plain), f.SetColWidth(contactsSheet, "A", last, columnWidth),
		row(f, contactsSheet, 1, t.headings), row(f, contactsSheet, 2, t.example),
		f.SetCellStyle(contactsSheet, "A1", last+"1", bold), f.SetCellStyle(contactsSheet, "A2", last+"2", plain)); err != nil {
		return err
	}
	return f.SetPanes(contactsSheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

// codes writes the sheet of codes, the retired ones left out, and makes the columns offer what they take: criteria the
// labels of their codes. A column takes codes as well, so what is not offered is not refused.
func (t *template) codes(f *excelize.File) error {
	at := 1
	for i := range t.own {
		first := at + 1
		var labels []string
		for _, c := range t.own[i].Codes {
			if c.Retired {
				continue
			}
			if at == 1 {
				if err := startCodes(f); err != nil {
					return err
				}
			}
			at++
			labels = append(labels, c.Label)
			if err := row(f, codesSheet, at, []string{t.own[i].Label, c.Code, c.Label}); err != nil {
				return err
			}
		}
		column, err := excelize.ColumnNumberToName(standardColumns + i + 1)
		if err != nil {
			return err
		}
		offer := excelize.NewDataValidation(true)
		offer.SetSqref(column + "2:" + column + "1048576")
		switch {
		case t.own[i].Type == criterion && len(labels) > 0:
			offer.SetSqrefDropList(fmt.Sprintf("%s!$C$%d:$C$%d", codesSheet, first, at))
		case t.own[i].Type == criteria && len(labels) > 0:
			offer.SetInput(excerpt(t.own[i].Label, mostPromptTitle), excerpt("Any of these, with ; between: "+strings.Join(labels, "; "), mostPrompt))
		case t.own[i].Type == authorisation:
			if err := offer.SetDropList([]string{"True", "False", "Empty"}); err != nil {
				return err
			}
		default:
			continue
		}
		if err := f.AddDataValidation(contactsSheet, offer); err != nil {
			return err
		}
	}
	return nil
}

// excerpt is the beginning of a text, as much of it as a spreadsheet takes.
func excerpt(s string, most int) string {
	runes := []rune(s)
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	for len(utf16.Encode(runes)) > most {
		runes = append(runes[:len(runes)-2], '…')
	}
	return string(runes)
}

func startCodes(f *excelize.File) error {
	if _, err := f.NewSheet(codesSheet); err != nil {
		return err
	}
	plain, err := f.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return err
	}
	return errors.Join(f.SetColStyle(codesSheet, "A:C", plain), f.SetColWidth(codesSheet, "A", "C", columnWidth),
		row(f, codesSheet, 1, []string{"Field", "Code", "Label"}), f.SetSheetVisible(codesSheet, false))
}

// row writes cells of text, none of which computes, not even after the sheet was saved as CSV.
func row(f *excelize.File, sheet string, at int, cells []string) error {
	for i, c := range cells {
		cell, err := excelize.CoordinatesToCellName(i+1, at)
		if err != nil {
			return err
		}
		if c == "" {
			continue
		}
		if err := f.SetCellStr(sheet, cell, inert(c)); err != nil {
			return err
		}
	}
	return nil
}
