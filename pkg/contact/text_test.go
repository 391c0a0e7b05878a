package contact_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

func TestText(t *testing.T) {
	t.Parallel()
	check(t, []sample{
		{"  Ann  Lee ", "Ann  Lee", ""}, {"e\u0301", "é", ""}, {"\ufeffAnn\u00a0", "Ann", ""}, {"Ann\r\n", "Ann", ""},
		{"\u0301x", "\u0301x", ""}, {"👩‍👩‍👧", "👩‍👩‍👧", ""}, {"=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0", ""}, {"", "", ""},
		{"a\nb", "", finding.ControlCharacter}, {"a\tb", "", finding.ControlCharacter}, {"a\u0085b", "", finding.ControlCharacter}, {"a\x00b", "", finding.NULByte},
		{"a\x1b[31mb\u0081", "a\x1b[31mb\u0081", finding.ControlKept}, {"\x7fa", "\x7fa", finding.ControlKept},
		{"a\x00b", "", finding.NULByte}, {"é\x00b", "", finding.NULByte}, {"a\xffb", "", finding.InvalidUTF8}, {"\xed\xa0\x80", "", finding.InvalidUTF8},
		{"\xc0\x80", "", finding.InvalidUTF8}, {"abcdefghijklmnopqrstu", "", finding.TooLong}, {strings.Repeat("é", 20), strings.Repeat("é", 20), ""}, {strings.Repeat("é", 21), "", finding.TooLong},
		{strings.Repeat("日", 14), "", finding.TooLong},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return contact.AppendText(dst, cell, 20, 40) })
	check(t, []sample{
		{"1 A St\r\nApt 2\rX\tY\n", "1 A St\nApt 2\nX Y", ""}, {"é\r\nb\tc\rd", "é\nb c\nd", ""}, {"a\x0bb", "", finding.ControlCharacter},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return contact.AppendLines(dst, cell, 100, 200) })
	check(t, []sample{
		{" Ab-01 ", "Ab-01", ""}, {"A\u200bb\u00ad1", "Ab1", finding.InvisibleCharacter}, {"e\u0301", "é", ""}, {"a\nb", "", finding.ControlCharacter}, {"a\x1bb", "", finding.ControlCharacter},
		{"\u200b", "", ""}, {"a\u200b\u0301", "á", finding.InvisibleCharacter}, {"\u00ad a", "a", finding.InvisibleCharacter}, {"12345678901", "", finding.TooLong},
	}, func(dst, cell []byte) ([]byte, contact.Code) { return contact.AppendID(dst, cell, 10, 40) })
	const id = "0198c1de-7a3b-7cde-8f00-0123456789ab"
	check(t, []sample{
		{id, id, ""}, {strings.ToUpper(id), id, ""}, {strings.ReplaceAll(id, "-", ""), id, ""}, {"{" + id + "}", "", finding.ContactIDInvalid},
		{id[:35] + "g", "", finding.ContactIDInvalid}, {strings.ReplaceAll(id, "-", "x"), "", finding.ContactIDInvalid}, {"12", "", finding.ContactIDInvalid},
	}, contact.AppendContactID)
}

// Text is looked at eight bytes at a time: wherever a control character stands, it is seen, and nothing else is.
func TestControlsAreSeenAnywhere(t *testing.T) {
	t.Parallel()
	for at := range 19 {
		for c := range 256 {
			cell := []byte("abcdefghijklmnopqrs")
			cell[at] = byte(c)
			got, code := contact.AppendText(nil, cell, 0, 0)
			edge := (at == 0 || at == len(cell)-1) && (c == ' ' || c >= '\t' && c <= '\r')
			if printable := c >= ' ' && c < 0x7f; (code == "") != (printable || edge) || code == "" && !edge && string(got) != string(cell) {
				t.Errorf("byte %#x at %d: %q, %q", c, at, got, code)
			}
		}
	}
}
