package contact_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"pgregory.net/rapid"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	bad, either := finding.NumberInvalid, finding.NumberAmbiguous
	for _, s := range []struct {
		cell    string
		decimal byte
		want    string
		code    contact.Code
	}{
		{"0", 0, "0", ""}, {"-0.00", 0, "0", ""}, {"+7", 0, "7", ""}, {"007", 0, "7", ""}, {" 12.50 ", 0, "12.5", ""}, {".5", 0, "0.5", ""}, {",5", 0, "0.5", ""}, {"-1234.5", 0, "-1234.5", ""},
		{"1.234", 0, "1.234", ""}, {"1,234", 0, "", either}, {"12,345", 0, "", either}, {"0,234", 0, "0.234", ""}, {"1234,567", 0, "1234.567", ""}, {"1,5", 0, "1.5", ""}, {"1,2345", 0, "1.2345", ""},
		{"1,234.5", 0, "1234.5", ""}, {"1.234,5", 0, "1234.5", ""}, {"1,234,567", 0, "1234567", ""}, {"1.234.567", 0, "1234567", ""}, {"1.234.567,89", 0, "1234567.89", ""}, {"12,34,567", 0, "1234567", ""}, {"12,34,567.5", 0, "1234567.5", ""},
		{"1 234", 0, "1234", ""}, {"1\u00a0234\u00a0567,5", 0, "1234567.5", ""}, {"1\u202f234,5", 0, "1234.5", ""}, {"1'234.50", 0, "1234.5", ""}, {"1’234’567", 0, "1234567", ""}, {"１２", 0, "12", ""},
		{"1,234", ',', "1.234", ""}, {"1.234", ',', "1234", ""}, {"1,234", '.', "1234", ""}, {"1,5", '.', "", bad}, {"1.5", ',', "", bad}, {"1,234.5", ',', "", bad},
		{"12.34,56", 0, "", bad}, {"1,23,456,7", 0, "", bad}, {"1.234.56", 0, "", bad}, {"1,234 567", 0, "", bad}, {"1.2.3", 0, "", bad}, {"1..2", 0, "", bad}, {"1 2", 0, "", bad}, {"0 234", 0, "", bad}, {"5.", 0, "", bad}, {".", 0, "", bad}, {"-", 0, "", bad},
		{"NaN", 0, "", bad}, {"Infinity", 0, "", bad}, {"inf", 0, "", bad}, {"1e400", 0, "", bad}, {"1_000", 0, "", bad}, {"0x1f", 0, "", bad}, {"\u22125", 0, "", bad}, {"--5", 0, "", bad}, {"5-", 0, "", bad}, {"(5)", 0, "", bad},
		{"5%", 0, "", bad}, {"€5", 0, "", bad}, {"1/2", 0, "", bad}, {"½", 0, "", bad}, {"5²", 0, "", bad}, {"٣", 0, "", bad}, {"\xff", 0, "", bad}, {"1\x002", 0, "", bad}, {strings.Repeat("1", 41), 0, "", finding.TooLong},
	} {
		got, code := contact.AppendNumber([]byte("kept"), []byte(s.cell), s.decimal)
		if string(got) != "kept"+s.want || code != s.code {
			t.Errorf("%q with %q before decimals: got %q, %q; want %q, %q", s.cell, s.decimal, got, code, "kept"+s.want, s.code)
		}
	}
}

// However people write a number, it comes out as the number, or is refused because it can be read in two ways.
func TestNumbersAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.StringMatching(`0|[1-9][0-9]{0,14}`).Draw(t, "whole")
		part := rapid.StringMatching(`([0-9]{0,5}[1-9])?`).Draw(t, "part")
		want := whole
		if part != "" {
			want += "." + part
		}
		way := rapid.SampledFrom([]struct{ group, decimal string }{{",", "."}, {".", ","}, {" ", ","}, {" ", "."}, {"'", "."}, {"\u00a0", ","}, {"", "."}, {"", ","}}).Draw(t, "way")
		cell := group(whole, way.group)
		if part != "" {
			cell += way.decimal + part
		}
		got, code := contact.AppendNumber(nil, []byte(cell), 0)
		point := way.group == "." && part == "" && strings.Count(cell, ".") == 1 // 1.234, which programs write for a bit more than one
		comma := strings.Count(cell, ",") == 1 && !strings.ContainsAny(cell, ". '\u00a0") && len(cell)-strings.Index(cell, ",") == 4
		if code == finding.NumberAmbiguous && comma || point {
			got, code = contact.AppendNumber(nil, []byte(cell), way.decimal[0])
		}
		if code != "" || string(got) != want {
			t.Fatalf("%q became %q with %q, want %q", cell, got, code, want)
		}
	})
}

func group(digits, sign string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + sign + digits[i:]
	}
	return digits
}

func TestNumberEvidence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cells []string
		want  byte
	}{
		"english": {[]string{"1,234.5", "12"}, '.'}, "german": {[]string{"1.234", "0,5", "1.234.567"}, ','}, "open": {[]string{"1,234", "1.234", "x", ""}, 0},
		"contradiction": {[]string{"1,5", "1.5"}, 0},
	} {
		var e, half contact.NumberEvidence
		for i, cell := range c.cells {
			if i%2 == 0 {
				e.Add([]byte(cell))
			} else {
				half.Add([]byte(cell))
			}
		}
		e.Merge(half)
		if got := e.Decimal(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, cell := range []string{"1,234.5", "1.234,5", "12,34,567", "1'234", "1\u202f234", "-0.10", "1e400", "NaN", "0x1f", "1_000"} {
		f.Add([]byte(cell), byte('.'))
		f.Add([]byte(cell), byte(0))
	}
	f.Fuzz(func(t *testing.T, cell []byte, decimal byte) {
		if decimal != '.' && decimal != ',' {
			decimal = 0
		}
		out, code := contact.AppendNumber(nil, cell, decimal)
		if code != "" {
			if len(out) > 0 {
				t.Fatalf("%q: %q with %q", cell, out, code)
			}
			return
		}
		if again, code := contact.AppendNumber(nil, out, 0); code != "" || string(again) != string(out) {
			t.Fatalf("%q became %q, and that %q with %q", cell, out, again, code)
		}
		digits := func(s []byte) (n int) {
			for _, r := range string(s) {
				if r >= '1' && r <= '9' || r >= '１' && r <= '９' {
					n++
				}
			}
			return n
		}
		if digits(out) != digits(cell) {
			t.Fatalf("%q became %q: a digit is lost", cell, out)
		}
	})
}
