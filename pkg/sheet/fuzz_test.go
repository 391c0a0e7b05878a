package sheet_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
)

// Whatever the bytes, a file is refused by name or read: the same in blocks of any size, line after line, each row as
// wide as the heading and in UTF-8, or with a finding.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("sep=;\na;b\n1;2\n"), byte(0), 7)
	f.Add([]byte("\ufeffa\tb\r1\t2\r"), byte(1), 64)
	f.Add([]byte("Title\n\na,b\n1,\"2\\\"\"\n'3',4\r5,6\n"), byte(2), 1)
	f.Add([]byte("a\x00,\x00b\x00\n\x001\x00,\x002\x00"), byte(3), 3)
	f.Add([]byte("a|b\n\xe9|\x1b$BF|\x1b(B\n"), byte(4), 9)
	f.Add([]byte(gzipped("a,b\n1,2\n")), byte(0), 9)
	f.Add([]byte("a,b\n1,\""+string(bytes.Repeat([]byte("x\n"), 400))), byte(8), 90)
	f.Add([]byte("a,b\n"+string(bytes.Repeat([]byte("\"1\",\"2\"\"\n\"\r\n\"3\",4\n"), 40))), byte(64), 200)
	f.Add([]byte("a,b\n"+string(bytes.Repeat([]byte("\"1\",\"2\"\"\n\"\r\n3\",4\n"), 9))), byte(192), 70)
	f.Add([]byte("a,b\n1,C:\\\n\"x\",\"y\"\n2,\\\n\\\nb\"c\n3,\"\\\n"), byte(144), 1)
	f.Add([]byte("\ufeff,0\r0"), byte(157), 64)
	f.Fuzz(func(t *testing.T, in []byte, choice byte, block int) {
		o := sheet.Options{Legacy: []string{"", "shift_jis", "gb18030", "ibm852"}[choice&3]}
		record := []int{256, 1 << 20, 600, 100}[choice>>2&3]
		if choice&16 != 0 {
			o.Dialect.Escape = '\\'
		}
		if choice&128 != 0 { // the head is one block, however small blocks are
			in = slices.Concat(in, bytes.Repeat([]byte("\n"), 64<<10), in)
			block |= 128 // an open quote is looked for anew with each block
		}
		if choice&32 != 0 {
			o.Dialect.Delimiter = ':'
		}
		o.Limits = limitsOf(32<<10, record)
		whole, wholeErr := readWith(bytes.NewReader(in), o, false)
		o.Limits.BlockBytes = 1 + block&1023
		got, err := readWith(iotest.HalfReader(bytes.NewReader(in)), o, choice&64 != 0)
		if err != nil || wholeErr != nil {
			a, okA := errors.AsType[*sheet.Refusal](err)
			b, okB := errors.AsType[*sheet.Refusal](wholeErr)
			if errors.Is(err, sheet.ErrReopen) || errors.Is(wholeErr, sheet.ErrReopen) {
				return // a small block may be decided by fewer letters
			}
			if !okA || !okB || a.Code != b.Code {
				t.Fatalf("blocks of %d: %v, whole: %v", o.Limits.BlockBytes, err, wholeErr)
			}
			return
		}
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Fatalf("blocks of %d (-whole +blocks):\n%s", o.Limits.BlockBytes, diff)
		}
		if len(got.Heading) == 0 {
			t.Fatal("no heading and no refusal")
		}
		var line int64
		for _, r := range got.Rows {
			if r.Line <= line {
				t.Fatalf("line %d after line %d", r.Line, line)
			}
			line = r.Line
			if r.Code != "" {
				continue
			}
			if len(r.Cells) != len(got.Heading) {
				t.Fatalf("line %d has %d cells, the heading %d", line, len(r.Cells), len(got.Heading))
			}
			for _, c := range r.Cells {
				if !utf8.ValidString(c) {
					t.Fatalf("line %d: %q without a finding", line, c)
				}
			}
		}
	})
}

func readWith(r interface{ Read([]byte) (int, error) }, o sheet.Options, portable bool) (table, error) {
	f, err := sheet.Open(r, o)
	if err != nil {
		return table{}, err
	}
	p := f.Parser()
	if portable {
		f.Portable()
		p.Portable()
	}
	got, err := readBy(f, p)
	return got, errors.Join(err, f.Close())
}

// Bytes decode to UTF-8 or to marks of what was lost, the same however they arrive.
func FuzzDecode(f *testing.F) {
	names := []string{"utf-16le", "utf-16be", "utf-32le", "utf-32be", "windows-1252", "iso-8859-7", "ibm852", "mac-centraleurope", "shift_jis", "euc-jp",
		"iso-2022-jp", "gbk", "gb18030", "big5", "euc-kr", "hz-gb-2312"}
	for i := range names {
		f.Add([]byte("a,\xe9\xa4\x1b$BF|\x1b(B\xd8\x00\n"), byte(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, name byte) {
		encoding := names[int(name)%len(names)]
		whole, _ := sheet.Decode(in, encoding)
		if pieces := sheet.DecodePieces(in, encoding); pieces != whole {
			t.Fatalf("%s: %q in pieces is %q, whole %q", encoding, in, pieces, whole)
		}
		if len(in) > 8 && whole == "" && encoding != "iso-2022-jp" && encoding != "hz-gb-2312" {
			t.Fatalf("%s: %q came to nothing", encoding, in)
		}
		if len(whole) > 4*len(in) {
			t.Fatalf("%s: %d bytes came to %d", encoding, len(in), len(whole))
		}
	})
}
