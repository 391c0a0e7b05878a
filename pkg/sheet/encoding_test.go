package sheet_test

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
)

func TestEncodings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in       string
		legacy   string
		encoding string
		evidence sheet.Evidence
		mark     bool
		heading  string
		cell     string
	}{
		"ascii":                 {in: "a,b\n1,2\n", encoding: "utf-8", evidence: sheet.EvidenceASCII, heading: "a", cell: "2"},
		"utf-8":                 {in: "ä,b\n1,é\n", encoding: "utf-8", evidence: sheet.EvidenceUTF8, heading: "ä", cell: "é"},
		"utf-8 with mark":       {in: "\ufeffa,b\n1,é\n", encoding: "utf-8", evidence: sheet.EvidenceBOM, mark: true, heading: "a", cell: "é"},
		"utf-16le with mark":    {in: "\xff\xfea\x00,\x00b\x00\n\x001\x00,\x00\xe9\x00\n\x00", encoding: "utf-16le", evidence: sheet.EvidenceBOM, mark: true, heading: "a", cell: "é"},
		"utf-16be with mark":    {in: "\xfe\xff\x00a\x00,\x00b\x00\n\x001\x00,\x00\xe9\x00\n", encoding: "utf-16be", evidence: sheet.EvidenceBOM, mark: true, heading: "a", cell: "é"},
		"utf-16le without mark": {in: "a\x00,\x00b\x00\n\x001\x00,\x00\x2c\x67\n\x00", encoding: "utf-16le", evidence: sheet.EvidenceUTF16, heading: "a", cell: "本"},
		"utf-16be without mark": {in: "\x00a\x00,\x00b\x00\n\x001\x00,\x67\x2c\x00\n", encoding: "utf-16be", evidence: sheet.EvidenceUTF16, heading: "a", cell: "本"},
		"utf-32le with mark":    {in: "\xff\xfe\x00\x00a\x00\x00\x00,\x00\x00\x00b\x00\x00\x00\n\x00\x00\x001\x00\x00\x00,\x00\x00\x00\x00\xf6\x01\x00", encoding: "utf-32le", evidence: sheet.EvidenceBOM, mark: true, heading: "a", cell: "😀"},
		"iso-2022-jp":           {in: "a,b\n1,\x1b$BF|\x1b(B\n", encoding: "iso-2022-jp", evidence: sheet.EvidenceEscapes, heading: "a", cell: "日"},
		"windows-1252":          {in: "a,b\n1,\x80\n", encoding: "windows-1252", evidence: sheet.EvidenceDefault, heading: "a", cell: "€"},
		"the account's":         {in: "\xd0,b\n1,\xcf\xf0\n", legacy: "Windows-1251", encoding: "windows-1251", evidence: sheet.EvidenceDefault, heading: "Р", cell: "Пр"},
	} {
		f, err := sheet.Open(strings.NewReader(c.in), sheet.Options{Legacy: c.legacy})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := f.Dialect
		if d.Encoding != c.encoding || f.Evidence != c.evidence || d.BOM != c.mark || f.Heading[0] != c.heading {
			t.Errorf("%s: %s by %s, mark %v, heading %q", name, d.Encoding, f.Evidence, d.BOM, f.Heading)
		}
		if guess := c.evidence == sheet.EvidenceDefault; guess != (len(f.Warnings) == 1 && f.Warnings[0].Code == finding.EncodingAssumed && f.Warnings[0].Shown == c.encoding && len(f.Samples) > 0) {
			t.Errorf("%s: warnings %+v, samples %+v", name, f.Warnings, f.Samples)
		}
		got, err := read(strings.NewReader(c.in), d, sheet.Limits{})
		if err != nil || len(got.Rows) != 1 || got.Rows[0].Cells[1] != c.cell || got.Rows[0].Code != "" {
			t.Errorf("%s: %+v, %v; want %q", name, got.Rows, err, c.cell)
		}
	}
	if _, err := sheet.Open(strings.NewReader("a\n"), sheet.Options{Dialect: sheet.Dialect{Encoding: "no-such"}}); !refusedWith(err, finding.EncodingNotRead) {
		t.Errorf("an unknown encoding: %v", err)
	}
}

func refusedWith(err error, code sheet.Code) bool {
	r, ok := errors.AsType[*sheet.Refusal](err)
	return ok && r.Code == code
}

// What an encoding does not have is a finding on its row, whatever the encoding.
func TestLostCharactersAreFindings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, encoding string
		code         sheet.Code
	}{
		"a gap of windows-1252":       {"a,b\n1,\x81\n2,x\n", "windows-1252", finding.NotInEncoding},
		"a gap of iso-8859-7":         {"a,b\n1,\xae\n2,x\n", "iso-8859-7", finding.NotInEncoding},
		"half a pair of shift_jis":    {"a,b\n1,\x93\n2,x\n", "shift_jis", finding.NotInEncoding},
		"a wrong pair of euc-jp":      {"a,b\n1,\xa4\x20\n2,x\n", "euc-jp", finding.NotInEncoding},
		"a gap of gb18030":            {"a,b\n1,\xff\n2,x\n", "gb18030", finding.NotInEncoding},
		"half a surrogate":            {"a\x00,\x00b\x00\n\x001\x00,\x00\x00\xd8\n\x002\x00,\x00x\x00\n\x00", "utf-16le", finding.NotInEncoding},
		"a cell that is not UTF-8":    {"a,b\n1,\xe9\n2,x\n", "utf-8", finding.InvalidUTF8},
		"an overlong form":            {"a,b\n1,\xc0\xaf\n2,x\n", "utf-8", finding.InvalidUTF8},
		"a surrogate in UTF-8":        {"a,b\n1,\xed\xa0\x80\n2,x\n", "utf-8", finding.InvalidUTF8},
		"a NUL in UTF-16":             {"a\x00,\x00b\x00\n\x001\x00,\x00\x00\x00\n\x002\x00,\x00x\x00\n\x00", "utf-16le", finding.NULByte},
		"a number beyond Unicode":     {"a\x00\x00\x00,\x00\x00\x00b\x00\x00\x00\n\x00\x00\x001\x00\x00\x00,\x00\x00\x00\x00\x00\x11\x00\n\x00\x00\x002\x00\x00\x00,\x00\x00\x00x\x00\x00\x00", "utf-32le", finding.NotInEncoding},
		"a replacement that is there": {"a,b\n1,\ufffd\n2,x\n", "utf-8", ""},
	} {
		got, err := read(strings.NewReader(c.in), sheet.Dialect{Encoding: c.encoding, Delimiter: ','}, sheet.Limits{})
		if err != nil || len(got.Rows) != 2 || got.Rows[0].Code != c.code || got.Rows[1].Code != "" || got.Rows[1].Cells[1] != "x" {
			t.Errorf("%s: %+v, %v; want %s in the first of two rows", name, got.Rows, err, c.code)
		} else if c.code == "" && got.Rows[0].Warning != finding.CharacterLost {
			t.Errorf("%s: no warning", name)
		}
	}
}

// A damaged row of a file in UTF-8 does not make it a legacy file, nor the other way round.
func TestMixedEncodings(t *testing.T) {
	t.Parallel()
	in := "a,b\n1,é\n2,ü\n3,\xe9\n4,ö\n"
	got, err := read(strings.NewReader(in), sheet.Dialect{}, sheet.Limits{})
	if err != nil || len(got.Rows) != 4 || got.Rows[2].Code != finding.InvalidUTF8 || got.Rows[3].Cells[1] != "ö" {
		t.Errorf("%+v, %v", got.Rows, err)
	}
}

// A head of ASCII says nothing about what follows.
func TestReopen(t *testing.T) {
	t.Parallel()
	head := "a,b\n" + strings.Repeat("1,2\n", 40_000)
	_, err := read(strings.NewReader(head+"x,M\xfcller\n"), sheet.Dialect{}, sheet.Limits{})
	again, ok := errors.AsType[*sheet.Reopen](err)
	if !ok || !errors.Is(err, sheet.ErrReopen) || again.Encoding != "windows-1252" {
		t.Fatalf("got %v, want to open again", err)
	}
	if diff := cmp.Diff([]sheet.Sample{{Line: 40_002, Column: 2, Text: "Müller"}}, again.Samples); diff != "" {
		t.Error(diff)
	}
	got, err := read(strings.NewReader(head+"x,M\xfcller\n"), sheet.Dialect{Encoding: again.Encoding}, sheet.Limits{})
	if err != nil || got.Rows[len(got.Rows)-1].Cells[1] != "Müller" {
		t.Errorf("opened again: %v", err)
	}
	got, err = read(strings.NewReader(head+"x,Müller\ny,\xfc\n"), sheet.Dialect{}, sheet.Limits{})
	if n := len(got.Rows); err != nil || got.Rows[n-2].Cells[1] != "Müller" || got.Rows[n-1].Code != finding.InvalidUTF8 {
		t.Errorf("UTF-8 behind ASCII: %v", err)
	}
}

// The corpus of texts: whatever is given is decoded right, and what is found by itself is right or says that it is a guess.
func TestUchardetCorpus(t *testing.T) {
	t.Parallel()
	manifest := corpora(t, "uchardet/manifest.csv")[0]
	r, err := os.Open(manifest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	given, found := 0, 0
	for _, file := range files[1:] {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(manifest), file[0]))
		if err != nil {
			t.Fatal(err)
		}
		want, bad := sheet.Decode(text, file[2])
		if bad != 0 || want == "" {
			t.Errorf("%s: %d bytes are not in %s", file[0], bad, file[2])
			continue
		}
		if file[1] == "pl" { // the same text in all its charsets
			if twin, err := os.ReadFile(filepath.Join(filepath.Dir(manifest), "pl", "utf-8.txt")); err != nil || string(twin) != want {
				t.Errorf("%s: %q, its twin is %q (%v)", file[0], want, twin, err)
				continue
			}
		}
		given++
		name, evidence := sheet.Recognise(text)
		got, _ := sheet.Decode(text, name)
		switch {
		case got == want:
			found++
		case evidence != sheet.EvidenceDefault:
			t.Errorf("%s: taken for %s by %s without a warning", file[0], name, evidence)
		default:
			t.Logf("%s: read as %s, with a warning and samples", file[0], name)
		}
	}
	t.Logf("decoded when given: %d of 35, found by themselves: %d", given, found)
	if given != 35 || found < 17 {
		t.Errorf("decoded %d of 35, found %d, want 17 at least", given, found)
	}
}
