package xlsx_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
	"github.com/xuri/excelize/v2"
)

// TestReadsWhatExcelizeReads holds the values of all workbooks that both read against those that excelize reads.
func TestReadsWhatExcelizeReads(t *testing.T) {
	t.Parallel()
	books, cells := 0, 0
	for _, name := range append(corpora(t, "poi_xlsx/*.xls?"), corpora(t, "xlsx_truth/*.xlsx")...) {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := xlsx.Open(bytes.NewReader(file), int64(len(file)), wide())
		if err != nil {
			continue // what is refused is known to other tests
		}
		f, err := excelize.OpenReader(bytes.NewReader(file), excelize.Options{RawCellValue: true})
		if err != nil {
			t.Logf("%s: excelize: %v", filepath.Base(name), err)
			continue
		}
		books++
		for _, s := range w.Sheets() {
			want, err := f.GetRows(s.Name)
			if err != nil {
				t.Logf("%s: excelize: %v", filepath.Base(name), err)
				continue
			}
			n, differ := compareSheet(t, w, s.Index, want)
			cells += n
			if differ != "" {
				t.Errorf("%s, sheet %d: %s", filepath.Base(name), s.Index, differ)
			}
		}
		f.Close()
		w.Close()
	}
	t.Logf("score: %d cells of %d workbooks as excelize has them", cells, books)
	if books < 220 || cells < 250_000 {
		t.Errorf("%d cells of %d workbooks were compared, want 250000 of 220", cells, books)
	}
}

// compareSheet counts the cells that are alike, and tells the first that is not.
func compareSheet(t *testing.T, w *xlsx.Workbook, sheet int, want [][]string) (n int, differ string) {
	t.Helper()
	rows, err := w.Rows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	at := func(row int64, column int) string {
		if row < 1 || row > int64(len(want)) || column >= len(want[row-1]) {
			return ""
		}
		return want[row-1][column]
	}
	for {
		row, err := rows.Next()
		if err == io.EOF {
			return n, ""
		}
		if err != nil {
			return n, err.Error()
		}
		for column := range max(len(row.Cells), len(rowOf(want, row.Number))) {
			var c xlsx.Cell
			if column < len(row.Cells) {
				c = row.Cells[column]
			}
			if raw := at(row.Number, column); !alike(c, raw) {
				return n, "row " + strconv.FormatInt(row.Number, 10) + ": here " + c.Kind.String() + " " + strconv.Quote(string(c.Text)) + ", excelize has " + strconv.Quote(raw)
			}
			n++
		}
	}
}

func rowOf(table [][]string, row int64) []string {
	if row > int64(len(table)) {
		return nil
	}
	return table[row-1]
}

// alike reports whether a cell can be what is stored so: dates and times are numbers there, and so are truth values.
func alike(c xlsx.Cell, raw string) bool {
	if string(c.Text) == raw {
		return true
	}
	number, err := strconv.ParseFloat(raw, 64)
	switch c.Kind {
	case xlsx.NoValue:
		return true // excelize gives what it makes of the formula
	case xlsx.Date, xlsx.Bool:
		return err == nil
	case xlsx.Text:
		return err == nil && bytes.ContainsRune(c.Text, ':')
	}
	exact, exactErr := strconv.ParseFloat(string(c.Text), 64)
	return err == nil && exactErr == nil && number == exact
}
