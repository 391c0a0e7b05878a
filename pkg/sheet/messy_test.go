package sheet_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
)

// openPath opens a file of a corpus as an upload is opened.
func openPath(t testing.TB, name string, d sheet.Dialect) (*sheet.File, error) {
	t.Helper()
	r, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return sheet.Open(r, sheet.Options{Dialect: d, Spool: spoolIn(t)})
}

// spoolIn keeps what cannot be streamed in a file of the test.
func spoolIn(t testing.TB) func() (sheet.Spool, error) {
	return func() (sheet.Spool, error) { return os.CreateTemp(t.TempDir(), "spool") }
}

// grid is heading and rows with the cells that are not blank at the end of a row.
func grid(t testing.TB, name string, d sheet.Dialect) ([][]string, error) {
	t.Helper()
	f, err := openPath(t, name, d)
	if err != nil {
		return nil, err
	}
	got, err := readFrom(f)
	if err != nil {
		return nil, err
	}
	all := [][]string{trimmed(got.Heading)}
	for _, r := range got.Rows {
		all = append(all, trimmed(r.Cells))
	}
	return all, f.Close()
}

func trimmed(cells []string) []string {
	for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	return append([]string{}, cells...)
}

// folded writes truth values and times in one way.
func folded(rows [][]string) [][]string {
	for _, r := range rows {
		for i, c := range r {
			switch c {
			case "TRUE", "FALSE":
				r[i] = c[:1] + strings.ToLower(c[1:])
			}
			if len(c) == 19 && c[10] == ' ' {
				r[i] = c[:10] + "T" + c[11:]
			}
			r[i] = strings.TrimSuffix(r[i], "T00:00:00")
		}
	}
	return rows
}

// One table in many forms, as its makers converted it: all read alike.
func TestCSVKitCorpus(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(corpora(t, "csvkit/examples/dummy.csv")[0])
	equal := 0
	for _, c := range []struct {
		file, twin string
		dialect    sheet.Dialect
	}{
		{file: "dummy.tsv", twin: "dummy.csv"},
		{file: "dummy.csv.gz", twin: "dummy.csv"},
		{file: "dummy.xlsx", twin: "dummy.csv"},
		{file: "optional_quote_characters.csv", twin: "dummy.csv"},
		{file: "test_skip_lines.csv", twin: "dummy.csv"},
		{file: "test_utf8_bom.csv", twin: "test_utf8.csv"},
		{file: "test_utf16_big.csv", twin: "test_utf16_little.csv"},
		{file: "sheets.xlsx", twin: "dummy.csv", dialect: sheet.Dialect{Sheet: "ʤ"}},
		{file: "sheets.xlsx", twin: "testxlsx_converted.csv", dialect: sheet.Dialect{Sheet: "data"}},
		{file: "test.xlsx", twin: "testxlsx_converted.csv"},
		{file: "test.xlsx", twin: "testxlsx_noinference_converted.csv"},
		{file: "test_skip_lines.xlsx", twin: "testxlsx_converted.csv"},
	} {
		got, err := grid(t, filepath.Join(dir, c.file), c.dialect)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		want, err := grid(t, filepath.Join(dir, c.twin), sheet.Dialect{})
		if err != nil {
			t.Errorf("%s: %v", c.twin, err)
			continue
		}
		if n := len(want[0]); want[0][n-1] == "h" { // how the converter called a column without a name
			want[0] = trimmed(want[0][:n-1])
		}
		if diff := cmp.Diff(folded(want), folded(got)); diff != "" {
			t.Errorf("%s (-%s +it):\n%s", c.file, c.twin, diff)
			continue
		}
		equal++
	}
	converted := corpora(t, "csvkit/examples/*_converted.csv")
	same := 0
	for _, name := range converted {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(strings.NewReader(string(text)))
		want, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range want {
			want[i] = trimmed(row)
		}
		kept := want[:0]
		for _, row := range want {
			if len(row) > 0 {
				kept = append(kept, row)
			}
		}
		got, err := grid(t, name, sheet.Dialect{})
		if err != nil || !cmp.Equal(kept, got) {
			t.Errorf("%s: %v %s", filepath.Base(name), err, cmp.Diff(kept, got))
			continue
		}
		same++
	}
	t.Logf("twins equal: %d of 12; conversions read as encoding/csv reads them: %d of %d", equal, same, len(converted))
	if equal != 12 || same != 15 {
		t.Errorf("%d of 12 twins equal, %d of 15 conversions", equal, same)
	}
	got, err := readFile(t, filepath.Join(dir, "bad.csv"), sheet.Dialect{})
	if err != nil || len(got.Rows) != 3 || got.Rows[0].Code != finding.RowLong || got.Rows[0].Line != 2 || got.Rows[1].Warning != finding.RowShort || got.Rows[1].Line != 3 {
		t.Errorf("bad.csv: %+v, %v; want its long row on line 2 and its short one on line 3", got.Rows, err)
	}
}

// Real exports of governments: no crash, and nothing lost without a word. Rows count with the heading.
func TestMessytablesCorpus(t *testing.T) {
	t.Parallel()
	rows := map[string]int{"simple.csv": 7, "complex.csv": 4, "characters.csv": 382, "long.csv": 4000, "small.csv": 1, "simple.psv": 29, "example.tsv": 141}
	refused := map[string]sheet.Code{"simple.xls": finding.FileIsOldExcel, "excel_properties.xls": finding.FileIsOldExcel, "span_rich.xls": finding.FileIsOldExcel, "unicode_sheet_name.xls": finding.FileIsOldExcel}
	files := corpora(t, "messytables/horror/*")
	read := 0
	for _, name := range files {
		base := filepath.Base(name)
		if base == "README.md" {
			continue
		}
		f, err := openPath(t, name, sheet.Dialect{})
		if err != nil {
			var r *sheet.Refusal
			if !asRefusal(err, &r) || refused[base] != "" && r.Code != refused[base] {
				t.Errorf("%s: %v", base, err)
				continue
			}
			t.Logf("%s: refused: %s", base, r.Code)
			read++
			continue
		}
		got, err := readFrom(f)
		if err != nil {
			t.Logf("%s: refused after %d rows: %v", base, len(got.Rows), err)
			continue
		}
		bad := map[sheet.Code]int{}
		for _, r := range got.Rows {
			if r.Code != "" {
				bad[r.Code]++
			} else if r.Warning != "" {
				bad[r.Warning]++
			}
		}
		if want, ok := rows[base]; ok && len(got.Rows)+1 != want && len(got.Rows) != want {
			t.Errorf("%s: %d rows after the heading, want %d", base, len(got.Rows), want)
		}
		t.Logf("%s: %s %q %s, %d columns, heading on line %d (%d titles), %d rows, %d blank, %v", base, f.Dialect.Encoding, f.Dialect.Delimiter, f.Dialect.LineEnd, len(got.Heading), f.Dialect.HeadingLine, f.TitleLines, len(got.Rows), got.Blank, bad)
		read++
	}
	t.Logf("%d of %d read or refused by name", read, len(files)-1)
	if read != len(files)-1 {
		t.Errorf("%d of %d files read or refused by name", read, len(files)-1)
	}
}
