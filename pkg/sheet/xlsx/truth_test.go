package xlsx_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// corpora returns the files of the corpora that match: in CONTACTMILL_CORPORA, or in ../shared/data beside the repository.
func corpora(t testing.TB, pattern string) []string {
	t.Helper()
	root := os.Getenv("CONTACTMILL_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("CORPUS ABSENT, NOTHING PROVEN HERE: set CONTACTMILL_CORPORA to the folder that holds %s", pattern)
	}
	return files
}

// wide lets through what Excel can have and a file of contacts cannot.
func wide() xlsx.Limits { return xlsx.Limits{Columns: 1 << 14} }

func open(t testing.TB, file []byte, l xlsx.Limits) *xlsx.Workbook {
	t.Helper()
	w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// shownTable reads a sheet as it is shown, with a line for each row up to the last.
func shownTable(rows *xlsx.Rows) ([][]string, error) {
	var table [][]string
	for {
		row, err := rows.Next()
		if err == io.EOF {
			return table, nil
		}
		if err != nil {
			return table, err
		}
		for int64(len(table)) < row.Number-1 {
			table = append(table, nil)
		}
		var cells []string
		for _, c := range row.Cells {
			cells = append(cells, string(c.Text))
		}
		table = append(table, cells)
	}
}

// excelCSV reads CSV with its blank lines.
func excelCSV(text string) [][]string {
	var table [][]string
	var row []string
	var cell strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' && quoted && i+1 < len(text) && text[i+1] == '"':
			cell.WriteByte('"')
			i++
		case c == '"' && (quoted || cell.Len() == 0):
			quoted = !quoted
		case c == ',' && !quoted:
			row = append(row, cell.String())
			cell.Reset()
		case c == '\n' && !quoted:
			table = append(table, append(row, strings.TrimSuffix(cell.String(), "\r")))
			cell.Reset()
			row = nil
		default:
			cell.WriteByte(c)
		}
	}
	return append(table, append(row, cell.String()))
}

// trimTable drops the empty rows and columns around a table: where Excel begins and ends one depends on where a style
// was set.
func trimTable(table [][]string) [][]string {
	out := make([][]string, 0, len(table))
	full := 0
	for _, row := range table {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		out = append(out, row)
		if len(row) > 0 {
			full = len(out)
		}
	}
	out = out[:full]
	for len(out) > 0 && len(out[0]) == 0 {
		out = out[1:]
	}
	for len(out) > 0 && !slices.ContainsFunc(out, func(row []string) bool { return len(row) > 0 && row[0] != "" }) {
		for i, row := range out {
			out[i] = row[min(1, len(row)):]
		}
	}
	return out
}

func differences(want, got [][]string) []string {
	var all []string
	for i := range max(len(want), len(got)) {
		var w, g []string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if strings.Join(w, ",") == strings.Join(g, ",") {
			continue // some of the files have commas that are not quoted
		}
		for j := range max(len(w), len(g)) {
			var x, y string
			if j < len(w) {
				x = w[j]
			}
			if j < len(g) {
				y = g[j]
			}
			if x != y {
				all = append(all, fmt.Sprintf("row %d column %d: Excel %q, here %q", i+1, j+1, x, y))
			}
		}
	}
	return all
}

// otherVersion are sheets whose CSV was written of another version of the workbook: it has other rows or columns.
var otherVersion = map[string]bool{
	"poi_CustomXMLMappings-complex-type.xlsx 1": true,
	"poi_FormatConditionTests.xlsx 1":           true,
	"poi_NumberFormatTests.xlsx 1":              true,
}

// TestShowsWhatExcelShows holds the sheets of workbooks against the CSV that Excel wrote of them.
func TestShowsWhatExcelShows(t *testing.T) {
	t.Parallel()
	sheets, equal := 0, 0
	for _, name := range corpora(t, "xlsx_truth/*.xlsx") {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w := open(t, file, wide())
		base := filepath.Base(name)
		before, equalBefore := sheets, equal
		for _, s := range w.Sheets() {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(name), "expected", fmt.Sprintf("%s.%d.csv", base, s.Index)))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			sheets++
			want := excelCSV(string(text))
			rows, err := w.ShownRows(s.Index)
			if err != nil {
				t.Fatal(err)
			}
			got, err := shownTable(rows)
			if err != nil {
				t.Errorf("%s sheet %d: %v", base, s.Index, err)
				continue
			}
			diff := differences(trimTable(want), trimTable(got))
			if len(diff) == 0 {
				equal++
				continue
			}
			if !otherVersion[fmt.Sprintf("%s %d", base, s.Index)] {
				t.Errorf("%s sheet %d: %d cells differ:\n%s", base, s.Index, len(diff), strings.Join(diff[:min(len(diff), 12)], "\n"))
			}
		}
		t.Logf("%s: %d of %d sheets", base, equal-equalBefore, sheets-before)
	}
	t.Logf("score: %d of %d sheets as Excel shows them", equal, sheets)
	if equal < 123 {
		t.Errorf("%d of %d sheets are as Excel shows them, want 123", equal, sheets)
	}
}
