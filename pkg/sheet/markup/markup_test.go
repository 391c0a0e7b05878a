package markup_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/contactmill/contactmill/pkg/sheet/markup"
)

// events lists what a part holds, as tokens reads it.
func events(in io.Reader) ([]string, error) {
	r := markup.NewReader(in, nil)
	var all []string
	for {
		kind, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch kind {
		case markup.Start:
			all = append(all, "<"+string(r.Name))
			for _, a := range r.Attributes {
				if len(a.Prefix) > 0 || string(a.Name) == "xmlns" {
					continue
				}
				value, err := markup.AppendDecoded(nil, a.Value)
				if err != nil {
					return nil, err
				}
				all = append(all, fmt.Sprintf("%s=%q", a.Name, value))
			}
		case markup.End:
			all = append(all, ">")
		case markup.Text:
			piece, err := r.AppendText(nil)
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
