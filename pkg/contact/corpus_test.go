package contact_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
)

// corpus opens a file of the corpora: in CONTACTMILL_CORPORA, or in ../shared/data beside the repository.
func corpus(t testing.TB, name string) *os.File {
	t.Helper()
	root := os.Getenv("CONTACTMILL_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(root, name))
	if err != nil {
		t.Skipf("CORPUS ABSENT, NOTHING PROVEN HERE: set CONTACTMILL_CORPORA to the folder that holds %s: %v", name, err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// corpusRows reads a CSV of the corpora into maps by heading.
func corpusRows(t testing.TB, name string) []map[string]string {
	t.Helper()
	r := csv.NewReader(corpus(t, name))
	r.FieldsPerRecord = -1
	all, err := r.ReadAll()
	if err != nil || len(all) < 2 {
		t.Fatalf("read corpus %s: %d records, %v", name, len(all), err)
	}
	rows := make([]map[string]string, 0, len(all)-1)
	for _, record := range all[1:] {
		row := map[string]string{}
		for i, cell := range record {
			if i < len(all[0]) {
				row[all[0][i]] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows
}
