package cli_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// workbook is one of the rows, each on the sheet that its first cell names, with a number where a cell is one.
func workbook(t *testing.T, rows ...[]any) string {
	t.Helper()
	x := excelize.NewFile()
	at := map[string]int{}
	for _, r := range rows {
		sheet := r[0].(string)
		if _, err := x.NewSheet(sheet); err != nil {
			t.Fatal(err)
		}
		at[sheet]++
		cell, err := excelize.CoordinatesToCellName(1, at[sheet])
		if err != nil {
			t.Fatal(err)
		}
		cells := r[1:]
		if err := x.SetSheetRow(sheet, cell, &cells); err != nil {
			t.Fatal(err)
		}
	}
	if at["Sheet1"] == 0 {
		if err := x.DeleteSheet("Sheet1"); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := errors.Join(x.Write(&b), x.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCodesOfAFile(t *testing.T) {
	t.Parallel()
	code := func(code, label string, retired bool) *accountsv1.Code {
		return &accountsv1.Code{Code: code, Label: label, Retired: retired}
	}
	for name, c := range map[string]struct {
		file  string
		flags []string
		want  []*accountsv1.Code
		note  string
	}{
		"codes and labels":      {"Code;Label\r\nr;Red\r\n\r\n g ;\"Gr\u00fcn; hell\"\r\nb\r\n", nil, []*accountsv1.Code{code("r", "Red", false), code("g", "Gr\u00fcn; hell", false), code("b", "", false)}, ""},
		"codes alone":           {"code\nr\ng\n", nil, []*accountsv1.Code{code("r", "", false), code("g", "", false)}, ""},
		"in another order":      {"retired,label,code\nyes,Red,r\n,Green,g\nfalse,Blue,b\n", nil, []*accountsv1.Code{code("r", "Red", true), code("g", "Green", false), code("b", "Blue", false)}, ""},
		"as it was exported":    {"field,code,label,retired\r\ncolour,'-1,'=1+1,false\r\ncolour,r,\"Red, \"\"dark\"\"\",true\r\nsize,s,Small,false\r\n", nil, []*accountsv1.Code{code("-1", "=1+1", false), code("r", `Red, "dark"`, true)}, "codes of other fields are left out: 1\n"},
		"with a charset":        {"code,label\ng,Gr\xfcn\n", []string{"--encoding", "windows-1252"}, []*accountsv1.Code{code("g", "Gr\u00fcn", false)}, ""},
		"with a delimiter":      {"code#label\nr#Red\n", []string{"--delimiter", "#"}, []*accountsv1.Code{code("r", "Red", false)}, ""},
		"a workbook":            {workbook(t, []any{"Sheet1", "code", "label"}, []any{"Sheet1", "007", 7}, []any{"Sheet1", 12, "Twelve"}), nil, []*accountsv1.Code{code("007", "7", false), code("12", "Twelve", false)}, ""},
		"a sheet among several": {workbook(t, []any{"Colours", "code"}, []any{"Colours", "r"}, []any{"Sizes", "code"}, []any{"Sizes", "s"}), []string{"--sheet", "sizes"}, []*accountsv1.Code{code("s", "", false)}, ""},
	} {
		s := newServer(t)
		s.fields = fieldsOfAnAccount()
		r := s.run(t, "", append([]string{"codes", "set", "colour", "--file", codeFile(t, c.file)}, c.flags...)...)
		if r.code != 0 || r.err != c.note {
			t.Errorf("%s: code %d, %q, want the note %q", name, r.code, r.err, c.note)
		}
		if d := cmp.Diff(&accountsv1.SetCodesRequest{Field: "colour", Codes: c.want}, s.coded, protocmp.Transform()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// plainCodes are lines of codes without a letter beyond ASCII.
func plainCodes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "c%d,Code %d\n", i, i)
	}
	return b.String()
}

func codeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "codes")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// What is wrong with a file is told with its place, and nothing is set.
func TestCodesOfAFileThatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file  string
		flags []string
		code  int
		says  string
	}{
		"another column":       {"code,label,aliases\nr,Red,rouge\n", nil, 1, "codes, line 1, column 3 (aliases): there is no such column"},
		"a column twice":       {"code,label,Code\nr,Red,x\n", nil, 1, "codes, line 1, column 3 (Code): it is the second column code"},
		"no column of codes":   {"label,retired\nRed,true\n", nil, 1, "codes, line 1: there is no column code"},
		"no code":              {"code,label\nr,Red\n,Green\n", nil, 1, "codes, line 3, column 1 (code): the code is missing"},
		"a code twice":         {"label,code\nRed,r\n\nGreen,g\nScarlet,r\n", nil, 1, `codes, line 5, column 2 (code): the code "r" is on line 2 already`},
		"neither true nor not": {"code,retired\nr,perhaps\n", nil, 1, "codes, line 2, column 2 (retired): neither true nor false"},
		"a quote left open":    {"code,label\nr,Red\ng,\"Green\nb,Blue\n", nil, 1, "codes, line 3"},
		"too many cells":       {"code,label\nr,Red,dark\n", nil, 1, "codes, line 2, column 3: the row has more cells"},
		"another charset":      {"code,label\ng,Gr\xfcn\n", nil, 1, "codes is not in UTF-8"},
		"a later charset":      {"code,label\n" + plainCodes(20_000) + "g,Gr\xfcn\n", nil, 1, "codes is not in UTF-8"},
		"a lost character":     {"code,label\ng,Gr\ufffdn\n", nil, 1, "codes, line 2, column 2 (label): the row holds U+FFFD"},
		"none of the field":    {"field,code\nsize,s\n", nil, 1, "codes has no codes of the field colour"},
		"nothing":              {"", nil, 1, "codes: "},
		"several sheets":       {workbook(t, []any{"Colours", "code"}, []any{"Colours", "r"}, []any{"Sizes", "code"}, []any{"Sizes", "s"}), nil, 1, `say --sheet NAME; it has "Colours", "Sizes"`},
		"a digit too many":     {workbook(t, []any{"Sheet1", "code"}, []any{"Sheet1", 1234567890123456789}), nil, 1, "codes, line 2, column 1 (code): a number of more than 15 digits"},
		"codes beside it":      {"code\nr\n", []string{"g=Green"}, 2, "say codes, or the file that they are in"},
		"two delimiters":       {"code\nr\n", []string{"--delimiter", ";;"}, 2, "--delimiter"},
	} {
		s := newServer(t)
		s.fields = fieldsOfAnAccount()
		r := s.run(t, "", append([]string{"codes", "set", "colour", "--file", codeFile(t, c.file)}, c.flags...)...)
		if r.code != c.code || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: code %d, %q, want code %d and %q", name, r.code, r.err, c.code, c.says)
		}
		if s.coded != nil {
			t.Errorf("%s: codes are set all the same: %v", name, s.coded)
		}
	}
	s := newServer(t)
	s.uncoded = fault.New(fault.Exists, "codes-alike", "the codes %q and %q cannot be told apart", "x", `g"`).Hint("each word stands for one code")
	want := "contactmill: codes, lines 3 and 5: the codes \"x\" and \"g\\\"\" cannot be told apart\n  each word stands for one code\n"
	if r := s.run(t, "", "codes", "set", "colour", "--file", codeFile(t, "code\nr\n\"g\"\"\"\n\nx\n")); r.code != 1 || r.err != want {
		t.Errorf("refused by the server: %+v, want %q", r, want)
	}
	if r := s.run(t, "", "codes", "set", "colour", "--file", filepath.Join(t.TempDir(), "none")); r.code != 1 || !strings.Contains(r.err, "there is no file") {
		t.Errorf("no file: %+v", r)
	}
}
