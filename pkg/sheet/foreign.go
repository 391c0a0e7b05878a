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
	{"\x1f\x8b", finding.FileIsGzip},
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
	{"\xff\xfe\x00\x00", finding.EncodingUTF32},
	{"\x00\x00\xfe\xff", finding.EncodingUTF32},
	{"\xff\xfe", finding.EncodingUTF16},
	{"\xfe\xff", finding.EncodingUTF16},
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

// foreign names what a file is when it is not a text table in UTF-8 or a legacy charset.
func foreign(head []byte, complete bool) Code {
	if len(head) == 0 && complete {
		return finding.FileEmpty
	}
	for _, prefix := range []string{"PK\x03\x04", "PK\x05\x06", "PK\x07\x08"} {
		if bytes.HasPrefix(head, []byte(prefix)) {
			if bytes.Contains(head, []byte("[Content_Types].xml")) || bytes.Contains(head, []byte("xl/workbook.xml")) {
				return finding.FileIsXLSX
			}
			return finding.FileIsZIP
		}
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.prefix)) {
			return s.code
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	start := bytes.ToLower(text[:min(len(text), 16)])
	for _, o := range openings {
		if bytes.HasPrefix(start, []byte(o)) {
			return finding.FileIsMarkup
		}
	}
	if bytes.HasPrefix(start, []byte(`{"`)) || bytes.HasPrefix(start, []byte(`[{"`)) {
		return finding.NotATable
	}
	return notText(head)
}

// notText tells text from other data by its control characters, and UTF-16 without a byte order mark by where its NUL
// bytes stand.
func notText(head []byte) Code {
	var even, odd, controls int
	for i, c := range head {
		switch {
		case c == 0 && i%2 == 0:
			even++
		case c == 0:
			odd++
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1a && c != 0x1b:
			controls++
		}
	}
	half := len(head) / 2
	if half > 1 {
		if odd > half*3/10 && even <= half/10 || even > half*3/10 && odd <= half/10 {
			return finding.EncodingUTF16
		}
		if even+odd > half {
			return finding.EncodingUTF32
		}
	}
	if even+odd+controls > 8+len(head)/20 {
		return finding.NotATable
	}
	return ""
}
