package accounts

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

func TestCodeBookIsAnInertFile(t *testing.T) {
	h := newHouse(t)
	h.account("acme")
	c := h.fields("acme")
	create(t, c, &accountsv1.Field{Name: "colour", Type: criterionType, Codes: []*accountsv1.Code{{Code: "-1", Label: "=1+1"}, {Code: "r", Label: "Red, \"dark\"", Retired: true}}})
	create(t, c, &accountsv1.Field{Name: "interests", Type: criteriaType, Codes: []*accountsv1.Code{{Code: "ö", Label: "Öl"}}})
	res, err := c.GetCodeBook(t.Context(), &accountsv1.GetCodeBookRequest{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(res.GetContent()))).ReadAll()
	want := [][]string{{"field", "code", "label", "retired"}, {"colour", "'-1", "'=1+1", "false"}, {"colour", "r", "Red, \"dark\"", "true"}, {"interests", "ö", "Öl", "false"}}
	if d := cmp.Diff(want, rows); d != "" || err != nil || res.GetFileName() != "contactmill-codes.csv" {
		t.Errorf("%s, %v; code book (-want +got):\n%s", res.GetFileName(), err, d)
	}
}

func TestLimitsOfCodes(t *testing.T) {
	h := newHouse(t)
	h.account("acme")
	c := h.fields("acme")
	book := func(label string) []*accountsv1.Code {
		codes := make([]*accountsv1.Code, mostCodes)
		for i := range codes {
			codes[i] = &accountsv1.Code{Code: fmt.Sprint("c", i), Label: fmt.Sprint(label, i)}
		}
		return codes
	}
	full := create(t, c, &accountsv1.Field{Name: "full", Type: criteriaType, Codes: book("Code number ")})
	if len(full.GetCodes()) != mostCodes {
		t.Errorf("got %d codes, want %d", len(full.GetCodes()), mostCodes)
	}
	_, err := c.SetCodes(t.Context(), &accountsv1.SetCodesRequest{Field: "full", Codes: []*accountsv1.Code{{Code: "more"}}})
	refusedBy(t, "one code more", "too-many-codes", "10000", err)
	_, err = c.CreateField(t.Context(), &accountsv1.CreateFieldRequest{Field: &accountsv1.Field{Name: "wide", Type: criteriaType, Codes: book(strings.Repeat("x", 190))}})
	refusedBy(t, "books that fill a message", "fields-too-large", "2097152", err)
	export, err := c.GetCodeBook(t.Context(), &accountsv1.GetCodeBookRequest{})
	if err != nil || strings.Count(string(export.GetContent()), "\r\n") != mostCodes+1 {
		t.Errorf("the code book has %d lines, %v", strings.Count(string(export.GetContent()), "\r\n"), err)
	}
}

func TestCodesAreToldApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Red", "RED", true}, {"é", "E", true}, {"Straße", "STRASSE", true}, {"ｆｕｌｌ", "full", true}, {"a  b", " A b ", true}, {"a\u00a0b", "a b", true},
		{"a–b", "a-b", true}, {"l’un", "l'un", true}, {"a\u200bb", "a b", true}, {"Й", "й", true},
		{"A+", "A-", false}, {"C", "C#", false}, {"1", "2", false}, {"か", "が", false}, {"कु", "कू", false}, {"ab", "a b", false}, {"", "a", false},
	} {
		if got := foldedCode(c.a) == foldedCode(c.b); got != c.same {
			t.Errorf("%q and %q: taken for the same: %v, want %v", c.a, c.b, got, c.same)
		}
	}
}
