package sheet

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// signatures are the first bytes of files that are no text table.
var signatures = [...]struct {
	prefix string
	code   Code
}{
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", finding.FileIsOldExcel},
	{"%PDF-", finding.FileIsPDF},
	{"\x89PNG", finding.FileIsImage},
	{"GIF8", finding.FileIsImage},
	{"\xff\xd8\xff", finding.FileIsImage},
	{"RIFF", finding.FileIsImage},
	{"\x7fELF", finding.FileIsProgram},
	{"MZ\x90\x00", finding.FileIsProgram},
	{"\xcf\xfa\xed\xfe", finding.FileIsProgram},
	{"\xca\xfe\xba\xbe", finding.FileIsProgram},
	{"#!/", finding.FileIsProgram},
	{"7z\xbc\xaf\x27\x1c", finding.NotATable},
	{"Rar!\x1a\x07", finding.NotATable},
	{"BZh", finding.NotATable},
	{"\x28\xb5\x2f\xfd", finding.NotATable},
	{"\xfd7zXZ\x00", finding.NotATable},
	{"SQLite format 3\x00", finding.NotATable},
	{"PAR1", finding.NotATable},
	{`{\rtf`, finding.FileIsMarkup},
}

// openings are how documents in markup begin, in lower case, after a byte order mark and white space.
var openings = [...]string{"<!doctype", "<html", "<head", "<body", "<table", "<meta", "<script", "<?xml", "<!--"}

// foreign names what a file is by its first bytes, when it is no text.
func foreign(head []byte) Code {
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.prefix)) {
			return s.code
		}
	}
	return ""
}

// notTable names what a text is that is no table.
func notTable(head []byte) Code {
	text := bytes.TrimLeft(head, " \t\r\n")
	start := bytes.ToLower(text[:min(len(text), 16)])
	for _, o := range openings {
		if bytes.HasPrefix(start, []byte(o)) {
			return finding.FileIsMarkup
		}
	}
	if bytes.HasPrefix(start, []byte(`{"`)) || bytes.HasPrefix(start, []byte(`[{"`)) {
		return finding.NotATable
	}
	controls := 0
	for _, c := range head {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1a && c != 0x1b {
			controls++
		}
	}
	if controls > 8+len(head)/20 {
		return finding.NotATable
	}
	return ""
}
