package xlsx

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// events lists what a part holds, as tokens reads it.
func events(in io.Reader) ([]string, error) {
	t := newTokens(in)
	var all []string
	for {
		kind, err := t.next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch kind {
		case startElement:
			all = append(all, "<"+string(t.name))
			for _, a := range t.attrs {
				if len(a.prefix) > 0 || string(a.name) == "xmlns" {
					continue
				}
				value, err := appendDecoded(nil, a.value)
				if err != nil {
					return nil, err
				}
				all = append(all, fmt.Sprintf("%s=%q", a.name, value))
			}
		case endElement:
			all = append(all, ">")
		case text:
			piece, err := t.appendText(nil)
			if err != nil {
				return nil, err
			}
			all = addText(all, string(piece))
		}
	}
}

func addText(all []string, piece string) []string {
	if last := len(all) - 1; last >= 0 && strings.HasPrefix(all[last], "'") {
		all[last] += piece
		return all
	}
	if piece == "" {
		return all
	}
	return append(all, "'"+piece)
}

// oracleEvents is events as encoding/xml reads it.
func oracleEvents(in io.Reader) ([]string, error) {
	d := xml.NewDecoder(in)
	var all []string
	depth := 0
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			all = append(all, "<"+e.Name.Local)
			for _, a := range e.Attr {
				if a.Name.Space == "" && a.Name.Local != "xmlns" {
					all = append(all, fmt.Sprintf("%s=%q", a.Name.Local, a.Value))
				}
			}
		case xml.EndElement:
			depth--
			all = append(all, ">")
		case xml.CharData:
			if depth > 0 {
				all = addText(all, string(e))
			}
		}
	}
}

// FuzzTokens holds the tokens of a part against encoding/xml: what both read they read alike, and how the bytes come in
// does not matter.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{
		`<?xml version="1.0"?><a b="1" c='&lt;"'><d/>text &amp; more<![CDATA[<x>]]><!-- no --></a>`,
		"<x:a xmlns:x=\"urn:x\"><b  c = \"2\" />\r\n&#x41;&#66;</x:a>", `<a><b></c></a>`, `<!DOCTYPE a><a>&b;</a>`, `<a b="1"c="2"/>`, `<a :b="" c:d="" e:f:g="" h:=""/>`, `<:a/>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, part string) {
		got, err := events(strings.NewReader(part))
		slow, slowErr := events(iotest.OneByteReader(strings.NewReader(part)))
		if fmt.Sprint(got, err) != fmt.Sprint(slow, slowErr) {
			t.Fatalf("at once: %q, %v\nbyte by byte: %q, %v", got, err, slow, slowErr)
		}
		if err != nil {
			return
		}
		want, oracleErr := oracleEvents(strings.NewReader(strings.TrimPrefix(part, "\xef\xbb\xbf")))
		if oracleErr == nil && strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// TestNumbersAreExact shows that the text of a number is the stored value, in its shortest form.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64Range(-1e16, 1e16), func(n int64) float64 { return float64(n) / 100 })).Draw(t, "value")
		if math.IsInf(value, 0) || math.IsNaN(value) {
			return
		}
		written := strconv.FormatFloat(value, rapid.SampledFrom([]byte("efgEG")).Draw(t, "form"), rapid.SampledFrom([]int{-1, 16, 20}).Draw(t, "digits"), 64)
		stored, err := strconv.ParseFloat(written, 64)
		if err != nil {
			return
		}
		want := strconv.FormatFloat(stored, 'f', -1, 64)
		if stored == 0 {
			want = "0"
		}
		got, kind := appendNumber(nil, []byte(written))
		if string(got) != want {
			t.Fatalf("%s became %s, want %s", written, got, want)
		}
		if wantKind := kind == Rounded; wantKind != (math.Abs(stored) >= 1e15) {
			t.Fatalf("%s is %v", written, kind)
		}
	})
}

// TestDatesAreInOrder shows that days follow one another, and that times of day come back.
func TestDatesAreInOrder(t *testing.T) {
	t.Parallel()
	for _, date1904 := range []bool{false, true} {
		last := ""
		for day := 0; day <= 120_000; day++ {
			m, ok := toMoment(float64(day), date1904)
			text := string(m.appendDate(nil))
			if !ok || text <= last {
				t.Fatalf("day %d is %s after %s", day, text, last)
			}
			last = text
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		second := rapid.IntRange(0, 86_399).Draw(t, "second")
		day := rapid.IntRange(61, lastDay).Draw(t, "day")
		want := fmt.Sprintf("%02d:%02d:%02d", second/3600, second/60%60, second%60)
		stored, err := strconv.ParseFloat(strconv.FormatFloat(float64(day)+float64(second)/86_400, 'g', 15, 64), 64)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := toMoment(stored, false)
		if got := string(m.appendClock(nil)); !ok || got != want {
			t.Fatalf("%v is %s, want %s", stored, got, want)
		}
	})
}

// FuzzFormat shows numbers and text in whatever format.
func FuzzFormat(f *testing.F) {
	for _, code := range builtin {
		f.Add(code, 1234.5, "text")
	}
	f.Add(`[<=9999999]###-####;(###) ###-####`, -5551234567.0, "")
	f.Add(`# ??/??;[h]:mm:ss.000;;"x"@`, 0.333, "a")
	f.Fuzz(func(t *testing.T, code string, value float64, s string) {
		if len(code) > 300 || math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		c := compile(code)
		shown := c.appendShown(nil, value, len(s)%2 == 0)
		if len(shown) > 100*len(code)+1000 {
			t.Fatalf("%q shows %v in %d bytes", code, value, len(shown))
		}
		c.appendShownText(nil, []byte(s))
	})
}
