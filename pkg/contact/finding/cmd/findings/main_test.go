package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPageIsCurrent(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "..", "docs", "findings.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page()), string(got)); diff != "" {
		t.Errorf("docs/findings.md is not what the catalogue says; run make docs (-want +got):\n%s", diff)
	}
}
