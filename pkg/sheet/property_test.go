package sheet_test

import (
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// pieces that make interesting files when strung together.
var pieces = []string{"a", "bc", ",", ",", "\"", "\"", "\"\"", "\n", "\n", "\r\n", "\r", " ", "é", "\xff", "\x00", "\"x\"", ",\"y\ny\",", "1,2\n", "\"q\",3\n", "long long text", "\" ", "\"\t,", "\\", "\\\""}

func drawFile(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 60).Draw(t, "pieces"), "")
}

// Whatever the size of the blocks and of the reads, the records are the same.
func TestAnyBlockGivesTheSameRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := "h1,h2\n" + drawFile(t)
		for range rapid.IntRange(0, 8).Draw(t, "more") { // past the limits at which the arithmetic takes over
			in += drawFile(t)
		}
		d := comma
		d.Escape = rapid.SampledFrom([]byte{0, 0, '\\'}).Draw(t, "escape")
		if rapid.Bool().Draw(t, "longer than the head") { // which is one block, however small blocks are
			d.Encoding = "utf-8"
			in += strings.Repeat("\n", 64<<10)
			for range rapid.IntRange(1, 30).Draw(t, "more") {
				in += drawFile(t)
			}
		}
		d.Quote = rapid.SampledFrom([]byte{'"', '"', sheet.NoQuote}).Draw(t, "quote")
		d.LineEnd = rapid.SampledFrom([]sheet.LineEnd{sheet.LF, sheet.Mixed}).Draw(t, "line end")
		record := rapid.SampledFrom([]int{8, 20, 50, 512, 600, 1 << 20}).Draw(t, "record")
		block := rapid.IntRange(1, 300).Draw(t, "block")
		if len(in) > 64<<10 {
			block += 16 // an open quote is looked for anew with each block
		}
		portable := rapid.Bool().Draw(t, "portable")
		want, wantErr := readWith(strings.NewReader(in), sheet.Options{Dialect: d, Limits: limitsOf(1<<20, record)}, false)
		got, gotErr := readWith(iotest.HalfReader(strings.NewReader(in)), sheet.Options{Dialect: d, Limits: limitsOf(block, record)}, portable)
		if wantErr != nil || gotErr != nil {
			a, _ := errors.AsType[*sheet.Refusal](wantErr)
			b, _ := errors.AsType[*sheet.Refusal](gotErr)
			if a == nil || b == nil || a.Code != b.Code {
				t.Fatalf("blocks of %d: %v, whole: %v", block, gotErr, wantErr)
			}
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("blocks of %d, records of %d, %q (-whole +blocks):\n%s", block, record, in, diff)
		}
		var covered int64
		for _, r := range got.Rows {
			if r.Line <= covered {
				t.Fatalf("line %d after line %d", r.Line, covered)
			}
			covered = r.Line
		}
	})
}

// oracle holds a file that encoding/csv reads without an error to what that reads.
func oracle(t interface{ Fatalf(string, ...any) }, in string, block int, portable bool) {
	r := csv.NewReader(strings.NewReader(in))
	r.FieldsPerRecord = -1
	want, err := r.ReadAll()
	if err != nil {
		return
	}
	got := [][]string{}
	f, err := sheet.Open(strings.NewReader(in), sheet.Options{Dialect: sheet.Dialect{Encoding: "utf-8", Delimiter: ',', Quote: '"', LineEnd: sheet.LF, HeadingLine: 1}, Limits: limitsOf(block, 1<<20)})
	if err != nil {
		if _, ok := errors.AsType[*sheet.Refusal](err); !ok {
			t.Fatalf("%q: %v", in, err)
		}
		return
	}
	got = append(got, f.Heading)
	p := sheet.NewParser(f.Dialect, limitsOf(block, 1<<20), nil)
	if portable {
		f.Portable()
		p.Portable()
	}
	for b, err := range f.Blocks() {
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		p.Reset(b)
		for rec := p.Next(); rec != nil; rec = p.Next() {
			if rec.Code != "" && rec.Code != finding.InvalidUTF8 && rec.Code != finding.NULByte {
				t.Fatalf("%q: %s where encoding/csv sees nothing wrong", in, rec.Code)
			}
			one := []string{}
			for _, c := range rec.Cells {
				one = append(one, string(c))
			}
			got = append(got, one)
		}
		if err := p.Err(); err != nil {
			wide := slices.ContainsFunc(want, func(r []string) bool { return len(r) > 256 })
			if refusal, ok := errors.AsType[*sheet.Refusal](err); !ok || refusal.Code != finding.TooManyColumns || !wide {
				t.Fatalf("%q: %v where encoding/csv sees nothing wrong", in, err)
			}
			return
		}
	}
	kept := [][]string{}
	for _, record := range want {
		if strings.Trim(strings.Join(record, ""), " \t") != "" {
			kept = append(kept, record)
		}
	}
	if f.Dialect.BOM || f.Dialect.Separator || strings.HasSuffix(in, "\x1a") {
		return
	}
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Fatalf("%q (-encoding/csv +sheet):\n%s", in, diff)
	}
}

func TestReadsWhatEncodingCSVReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		oracle(t, drawFile(t), rapid.IntRange(1, 80).Draw(t, "block"), rapid.Bool().Draw(t, "portable"))
	})
}

func FuzzAgainstEncodingCSV(f *testing.F) {
	f.Add("a,b\n1,\"2\"\"\r\n3\"\n", 7)
	f.Add("a\r\r\n\"\r\r\n\"\r", 1)
	f.Add("\v\n0", 1)
	f.Add("a,b\n"+strings.Repeat("\"1\",\"2\"\"\n,\"\r\n", 40), 128)
	f.Add("0\n\n"+strings.Repeat(",", 256)+"00", 1) // wider than what is let in
	f.Fuzz(func(t *testing.T, in string, block int) {
		oracle(t, in, 1+(block&127), block&128 != 0)
	})
}

func TestValidity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "eight ch", "ß", "日", "😀", "\xff", "\xc3", "\xe6\x97", "\xed\xa0\x80", "\xc0\x80", "thirty-two characters of ASCII. "}), 0, 20).Draw(t, "pieces"), ""))
		if got, want := sheet.Valid(text), utf8.Valid(text); got != want {
			t.Fatalf("%q is valid: %v, want %v", text, got, want)
		}
	})
}
