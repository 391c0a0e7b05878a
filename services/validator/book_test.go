package validator

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// workbook writes sheets of cells; a cell "=F" is a formula without a stored value.
func workbook(t *testing.T, sheets ...[][]any) string {
	t.Helper()
	x := excelize.NewFile()
	for n, rows := range sheets {
		name := fmt.Sprintf("Sheet%d", n+1)
		if _, err := x.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for r, row := range rows {
			for c, v := range row {
				at, err := excelize.CoordinatesToCellName(c+1, r+1)
				if err != nil {
					t.Fatal(err)
				}
				if v == "=F" {
					err = x.SetCellFormula(name, at, "F()")
				} else {
					err = x.SetCellValue(name, at, v)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var b bytes.Buffer
	if err := errors.Join(x.Write(&b), x.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A workbook is read as text is, with what it knows of its cells; nothing of it stays on the disk.
func TestWorkbooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := [][]any{
		{"External id", "Email", "Phone", "Birth date", "SSN", "Zip"},
		{"A1", "ann@example.org", 12022243441, "1990-12-25", 219099998, 20510},
		{12345, "=F", "+12022243442", "", "", "#N/A"},
		{true, "cy@example.org", nil, nil, nil, 2110},
	}
	want := []string{
		"2 external_id=A1 email=ann@example.org phone:=+12022243441 birth_date=1990-12-25 ssn:=sealed:219099998/***-**-9998 zip=20510",
		"3 INVALID !formula-without-value@1 !spreadsheet-error@5<#N/A>",
	}
	r, rows := w.validate(job{file: workbook(t, people)})
	if r.GetFile().GetFormat() != "xlsx" || r.GetFile().GetSheet() != "Sheet1" || r.GetRows() != 3 {
		t.Fatalf("file %v, problem %v, question %v", r.GetFile(), r.GetRejected(), r.GetQuestion())
	}
	if d := cmp.Diff(want, rows[:2]); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if !strings.Contains(rows[2], "zip:=02110") || !strings.Contains(rows[2], "<2110>=<02110>") {
		t.Errorf("a zero that the workbook lost: %s", rows[2])
	}
	two := workbook(t, people, people[:2])
	r, _ = w.validate(job{file: two})
	if q := r.GetQuestion(); q.GetCode() != "sheet" || !strings.Contains(q.GetMessage(), `"Sheet1", "Sheet2"`) || !strings.Contains(q.GetHint(), "jobs answer 7 --sheet") || len(r.GetFile().GetSheets()) != 2 {
		t.Errorf("question %v, file %v", q, r.GetFile())
	}
	if r, _ = w.validate(job{file: two, settings: &ingestv1.ImportSettings{Reading: &ingestv1.Reading{Sheet: "Sheet2"}}}); r.GetRows() != 1 {
		t.Errorf("sheet 2: %v", r)
	}
	if left, err := os.ReadDir(w.spools); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// One table has the same rows in whatever it comes.
func TestOneTableInManyFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const table = "External id,Last name,City\nA1,Müller,Köln\nA2,Dvořák,Brno\nA3,\"O'Neil, Jr.\",Cork\n"
	want := []string{"2 external_id=A1 last_name=Müller city=Köln", "3 external_id=A2 last_name=Dvořák city=Brno", "4 external_id=A3 last_name=O'Neil, Jr. city=Cork"}
	var gz, zipped bytes.Buffer
	z := gzip.NewWriter(&gz)
	a := zip.NewWriter(&zipped)
	member, err := a.Create("people.csv")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(z, table)
	fmt.Fprint(member, table)
	if err := errors.Join(z.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"csv": table, "semicolons": strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(table, "\"O'Neil, Jr.\"", "#"), ",", ";"), "#", "O'Neil, Jr."), "crlf": strings.ReplaceAll(table, "\n", "\r\n"),
		"gzip": gz.String(), "zip": zipped.String(), "titles": "Export of today\n\n" + table,
		"workbook": workbook(t, [][]any{{"External id", "Last name", "City"}, {"A1", "Müller", "Köln"}, {"A2", "Dvořák", "Brno"}, {"A3", "O'Neil, Jr.", "Cork"}}),
	} {
		r, rows := w.validate(job{file: file})
		if name == "titles" {
			for i := range rows {
				_, rest, _ := strings.Cut(rows[i], " ")
				rows[i] = fmt.Sprint(i+2) + " " + rest
			}
		}
		if d := cmp.Diff(want, rows); d != "" {
			t.Errorf("%s: problem %v, question %v (-want +got):\n%s", name, r.GetRejected(), r.GetQuestion(), d)
		}
	}
}

// A file that turns out late not to be UTF-8 is read anew in the account's charset.
func TestALateLegacyLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var file strings.Builder
	file.WriteString("External id,City\n")
	const n = 20_000
	for i := range n {
		fmt.Fprintf(&file, "A%d,Somewhere in the world\n", i)
	}
	file.WriteString("last,\xa3\xf3d\xbc\n")
	r, rows := w.validate(job{file: file.String(), account: &ingestv1.AccountSettings{LegacyEncoding: "iso-8859-2"}})
	if r.GetRows() != n+1 || !strings.HasSuffix(rows[len(rows)-1], "external_id=last city=Łódź") {
		t.Fatalf("%d rows, problem %v, the last %q", r.GetRows(), r.GetRejected(), rows[max(0, len(rows)-1):])
	}
	if f := r.GetFile(); f.GetEncoding() != "iso-8859-2" || f.GetEvidence() != "account-default" || len(f.GetWarnings()) == 0 || len(f.GetSamples()) == 0 {
		t.Errorf("file %v", f)
	}
}
