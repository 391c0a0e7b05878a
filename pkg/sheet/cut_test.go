package sheet

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What a record is told to be hangs on its bytes alone: it is that, or undecided yet, wherever the data end while they are
// read, and that in whatever block it comes.
func TestVerdictsDoNotHangOnCuts(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "bc", ",", ",", `"`, `"`, `""`, "\n", "\n", "\r\n", " ", `"x"`, `",`, "1,2\n", `\`, `\`, `\"`, "\\\n", "\\\n", `"\`}
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 40).Draw(t, "pieces"), ""))
		d := Dialect{Delimiter: ',', Quote: rapid.SampledFrom([]byte{'"', '"', NoQuote}).Draw(t, "quote"), Escape: rapid.SampledFrom([]byte{0, '\\', '\\'}).Draw(t, "escape")}
		splitter := newScanner(d, Limits{RecordBytes: rapid.SampledFrom([]int{4, 8, 9, 10, 11, 20, 1000}).Draw(t, "record"), Columns: 1000})
		parser := splitter
		parser.followed = true

		type told struct {
			Next       int
			Verdict    verdict
			Column, At int
		}
		tell := func(s *scanner, data []byte, start int, final bool) told {
			next, v, column, at := s.record(data, start, final, nil)
			return told{next, v, column, at}
		}
		var starts []int
		var all []told
		for start := 0; start < len(data); {
			want := tell(&splitter, data, start, true)
			for end := start; end <= len(data); end++ {
				if got := tell(&splitter, data[:end], start, false); got.Verdict != more && got != want {
					t.Fatalf("%q at %d: %+v when read to %d, %+v in the end", data, start, got, end, want)
				}
			}
			if want.Verdict == tooLong {
				break
			}
			starts, all = append(starts, start), append(all, want)
			start = want.Next
		}
		for i, want := range all {
			for _, end := range starts[i+1:] {
				if got := tell(&parser, data[:end], starts[i], true); got != want {
					t.Fatalf("%q at %d: %+v in a block that ends at %d, %+v in the file", data, starts[i], got, end, want)
				}
			}
		}
	})
}

// Lines that run into each other by escapes, good ones among those that break, are the same in blocks that end at any byte.
func TestEscapedLineEndsAtCuts(t *testing.T) {
	t.Parallel()
	const text = "1,C:\\\n\"x\",\"y\"\n2,a\\\n\\\nb\"c\n3,\"open\\\n4,e\\\r\nf\"g\n5,\"q\\\"\\\nr\"\n6,h\\\ni,\"j\"k\n\\\"7,\\\\\n\"8\",z\\\n"
	type record struct {
		Line int64
		Code Code
		Raw  string
	}
	want := []record{
		{3, finding.QuoteStray, `1,C:\`},
		{4, "", "x|y"},
		{5, finding.QuoteStray, "2,a\\\n\\"},
		{7, finding.QuoteStray, `b"c`},
		{8, finding.QuoteOpen, `3,"open\`},
		{9, "", `4|e\`},
		{10, finding.QuoteStray, `f"g`},
		{11, "", "5|q\"\nr"},
		{13, finding.QuoteStray, "6,h\\\ni,\"j\"k"},
		{15, "", `"7|\`},
		{16, "", "8|z\n"},
	}
	d := Dialect{Encoding: "utf-8", Delimiter: ',', Quote: '"', Escape: '\\', LineEnd: LF, HeadingLine: 1}
	const first = headBytes + beyondHead
	for at := range len(text) + 1 { // what is read at first ends there, and each block behind it as soon as one can
		in := "a,b\n" + strings.Repeat(" ", first-at-len("a,b\n\n")) + "\n" + text
		for _, clone := range []bool{false, true} {
			var got []record
			f, err := Open(io.MultiReader(strings.NewReader(in[:first-at]), iotest.OneByteReader(strings.NewReader(in[first-at:]))), Options{Dialect: d, Limits: Limits{BlockBytes: 1}})
			if err != nil {
				t.Fatal(err)
			}
			p := f.Parser()
			for b, err := range f.Blocks() {
				if err != nil {
					t.Fatal(err)
				}
				if clone {
					b = b.Clone()
				}
				p.Reset(b)
				for r := p.Next(); r != nil; r = p.Next() {
					raw := string(r.Raw)
					if r.Code == "" {
						raw = string(bytes.Join(r.Cells, []byte("|")))
					}
					got = append(got, record{r.Line, r.Code, raw})
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("the first read ends at byte %d of %q, copied: %v (-want +got):\n%s", at, text, clone, diff)
			}
		}
	}
}
