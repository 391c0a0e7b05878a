package contact_test

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

func spec(t *testing.T, s contact.Spec) *contact.Spec {
	t.Helper()
	s.Name, s.Number, s.Key = "own", contact.FirstCustom, contact.NoKey
	schema, err := contact.NewSchema([]contact.Spec{s})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := schema.Spec(contact.FirstCustom)
	return &out
}

var book = []contact.CodeEntry{{Code: "A", Label: "Customer"}, {Code: "B", Label: "Müller & Söhne"}, {Code: "B+", Label: "Best, of all"}, {Code: "old", Label: "Former", Retired: true},
	{Code: "C1", Label: "Twin"}, {Code: "C2", Label: "Twin"}, {Code: "D1", Label: "Lead", Retired: true}, {Code: "D2", Label: "Lead"}, {Code: "e", Label: "a"}, {Code: "007", Label: "Agent"}}

func TestCriterion(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	made := spec(t, contact.Spec{Type: contact.TypeCriterion, Codes: book})
	bare := &contact.Spec{Type: contact.TypeCriterion, Codes: book, Key: contact.NoKey} // no schema made it
	for _, s := range []*contact.Spec{made, bare} {
		check(t, []sample{
			{"A", "A", ""}, {" a ", "e", ""}, {"customer", "A", ""}, {"CUSTOMER", "A", ""}, {"müller & söhne", "B", ""}, {"MU\u0308LLER  & SÖHNE", "B", ""}, {"Müller &\u00a0Söhne", "B", finding.InvisibleCharacter}, {"b+", "B+", ""}, {"best, of all", "B+", ""}, {"Ｃ１", "C1", ""},
			{"old", "", finding.CodeRetired}, {"FORMER", "", finding.CodeRetired}, {"Lead", "D2", ""}, {"d1", "", finding.CodeRetired}, {"Twin", "", finding.CodeAmbiguous}, {"twin", "", finding.CodeAmbiguous},
			{"x", "", finding.CodeUnknown}, {"A+", "", finding.CodeUnknown}, {"A;B", "", finding.CodeUnknown}, {"\xff", "", finding.CodeUnknown}, {"7", "", finding.CodeUnknown},
		}, func(dst, cell []byte) ([]byte, contact.Code) { return n.AppendSpec(dst, s, cell, contact.Rules{}) })
		check(t, []sample{{"7", "007", finding.ZerosRestored}}, func(dst, cell []byte) ([]byte, contact.Code) {
			return n.AppendSpec(dst, s, cell, contact.Rules{Cell: contact.CellNumber})
		})
	}
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	s := spec(t, contact.Spec{Type: contact.TypeCriteria, Codes: book})
	check(t, []sample{
		{"A", "A", ""}, {"B;A", "A;B", ""}, {"b | customer", "A;B", ""}, {"A,B,A", "A;B", ""}, {"Best, of all", "B+", ""}, {"Best, of all;A", "A;B+", ""}, {"A\nB", "A;B", ""}, {"A;", "A", ""}, {";B;;", "B", ""},
		{"A;B,B+", "A;B;B+", ""}, {"A;x", "", finding.CodeUnknown}, {"A;old", "", finding.CodeRetired}, {"A|Twin", "", finding.CodeAmbiguous}, {";", "", finding.CodeUnknown}, {"A B", "", finding.CodeUnknown}, {"A/B", "", finding.CodeUnknown},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return n.AppendSpec(dst, s, cell, contact.Rules{}) })

	commas := spec(t, contact.Spec{Type: contact.TypeCriteria, Codes: []contact.CodeEntry{{Code: "a,b"}, {Code: "a"}, {Code: "b"}}})
	check(t, []sample{{"a,b", "a,b", ""}, {"a,b;a", "a,b;a", ""}, {"b,a", "", finding.CodeUnknown}, {"b|a", "a;b", ""}},
		func(dst, cell []byte) ([]byte, contact.Code) { return n.AppendSpec(dst, commas, cell, contact.Rules{}) })

	short := spec(t, contact.Spec{Type: contact.TypeCriteria, Codes: book, MaxBytes: 3})
	check(t, []sample{{"A;B", "A;B", ""}, {"A;B;B+", "", finding.TooLong}},
		func(dst, cell []byte) ([]byte, contact.Code) { return n.AppendSpec(dst, short, cell, contact.Rules{}) })
}

// Codes that look like what spreadsheets do are codes all the same.
func TestCodesThatLookLikeDamage(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	s := spec(t, contact.Spec{Type: contact.TypeCriterion, Codes: []contact.CodeEntry{{Code: "A"}, {Code: "'A"}, {Code: "1.0"}, {Code: "1"}, {Code: "#N/A"}, {Code: "2024-01-01"}, {Code: "5"}}})
	check(t, []sample{{"'A", "'A", ""}, {"1.0", "1.0", ""}, {"#N/A", "#N/A", ""}, {"'5", "5", finding.QuotesRemoved}, {"5.0", "5", finding.PointZeroRemoved}, {"#REF!", "", finding.SpreadsheetError}},
		func(dst, cell []byte) ([]byte, contact.Code) { return n.AppendSpec(dst, s, cell, contact.Rules{}) })
	check(t, []sample{{"2024-01-01", "2024-01-01", ""}, {"2024-01-02", "", finding.ValueWasDate}},
		func(dst, cell []byte) ([]byte, contact.Code) {
			return n.AppendSpec(dst, s, cell, contact.Rules{Cell: contact.CellDate})
		})
}

func TestBooksThatCannotBeTold(t *testing.T) {
	t.Parallel()
	for _, codes := range [][]contact.CodeEntry{{{Code: ""}}, {{Code: "a"}, {Code: "a"}}, {{Code: " a"}}, {{Code: "a;b"}}} {
		if _, err := contact.NewSchema([]contact.Spec{{Name: "own", Number: contact.FirstCustom, Key: contact.NoKey, Type: contact.TypeCriteria, Codes: codes}}); err == nil {
			t.Errorf("the book %+v was taken", codes)
		}
	}
}

func TestCodesAllocateNothing(t *testing.T) {
	n := contact.NewNormaliser()
	dst := make([]byte, 0, 64)
	for kind, cell := range map[contact.Type]string{contact.TypeCriterion: "Customer", contact.TypeCriteria: "A;B+", contact.TypeNumber: "1,234.50", contact.TypeBoolean: "Yes", contact.TypeAuthorisation: "TRUE", contact.TypeDate: "1958-10-13"} {
		s, in := spec(t, contact.Spec{Type: kind, Codes: book}), []byte(cell)
		if _, code := n.AppendSpec(dst, s, in, contact.Rules{}); code != "" {
			t.Errorf("%s: %s", cell, code)
		}
		if allocs := testing.AllocsPerRun(100, func() { n.AppendSpec(dst, s, in, contact.Rules{}) }); allocs != 0 {
			t.Errorf("%s: %v allocations, want 0", cell, allocs)
		}
	}
}
