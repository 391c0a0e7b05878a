package view

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	maxSheetName   = 255 // characters; spreadsheets have 31
	maxHeadingLine = 1_000_000
	maxValues      = 10_000 // in all fields together, as many as a code book has
	maxValue       = 1024   // bytes
	headingsKey    = 32     // bytes, of a SHA-256
)

// CheckHeadingsKey refuses what is no hash of column names.
func CheckHeadingsKey(key []byte) error {
	if len(key) != headingsKey {
		return fault.New(fault.Invalid, "bad-headings-key", "the hash of the column names has not %d bytes", headingsKey)
	}
	return nil
}

// FromReading checks how a file is to be read, as far as that can be told without the file.
func FromReading(r *ingestv1.Reading) (ledger.Reading, error) {
	out := ledger.Reading{Sheet: r.GetSheet(), HeadingLine: r.GetHeadingLine()}
	var err error
	if out.Delimiter, err = delimiter(r.GetDelimiter()); err != nil {
		return ledger.Reading{}, err
	}
	switch q := strings.ToLower(r.GetQuote()); {
	case q == "" || q == "none" || len(q) == 1 && separates(q[0]) && q != "\\":
		out.Quote = q
	default:
		return ledger.Reading{}, fault.New(fault.Invalid, "quote-invalid", "the quote is not one ASCII character that is no letter or digit").
			Hint(`say ", ' or none`)
	}
	switch e := strings.ToLower(r.GetEscape()); e {
	case "", "double", `\`:
		out.Escape = e
	default:
		return ledger.Reading{}, fault.New(fault.Invalid, "escape-invalid", "quotes within quotes are written in a way that is unknown").Hint(`say double or \`)
	}
	if out.Encoding, err = Charset(r.GetEncoding()); err != nil {
		return ledger.Reading{}, err
	}
	switch {
	case out.Delimiter != "" && out.Delimiter == out.Quote:
		return ledger.Reading{}, fault.New(fault.Invalid, "quote-invalid", "delimiter and quote are the same character")
	case out.Delimiter == `\` && out.Escape == `\`:
		return ledger.Reading{}, fault.New(fault.Invalid, "escape-invalid", "delimiter and escape are the same character")
	case utf8.RuneCountInString(out.Sheet) > maxSheetName || strings.ContainsFunc(out.Sheet, unicode.IsControl):
		return ledger.Reading{}, fault.New(fault.Invalid, "sheet-invalid", "the sheet's name is longer than %d characters or holds control characters", maxSheetName)
	case out.HeadingLine < 0 || out.HeadingLine > maxHeadingLine:
		return ledger.Reading{}, fault.New(fault.Invalid, "heading-line-invalid", "the line of the heading is not 1 to %d", maxHeadingLine).
			Hint("say 0, or nothing, to have it found")
	}
	return out, nil
}

// delimiter is one ASCII character, or nothing; a tab may be written \t.
func delimiter(s string) (string, error) {
	if s == `\t` || strings.EqualFold(s, "tab") {
		s = "\t"
	}
	if s == "" || len(s) == 1 && separates(s[0]) && s != `"` && s != "'" {
		return s, nil
	}
	return "", fault.New(fault.Invalid, "delimiter-invalid", "the delimiter is not one ASCII character that is no letter, digit or quote").
		Hint(`say , ; | or \t`)
}

// separates tells whether a character may stand between or around cells.
func separates(c byte) bool {
	return c == '\t' || c >= ' ' && c <= '~' && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z')
}

// Charset is a charset's one name, found by any name that the web has for it; empty for none.
func Charset(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	e, err := htmlindex.Get(name)
	if err == nil {
		name, err = htmlindex.Name(e)
	}
	if err != nil || name == "replacement" || name == "x-user-defined" {
		return "", fault.New(fault.Invalid, "encoding-unknown", "there is no charset %q", cut(name)).
			Hint("say utf-8, utf-16le, windows-1252, iso-8859-2, shift_jis, gb18030, big5 or another name that the web has for it")
	}
	return name, nil
}

func reading(r ledger.Reading) *ingestv1.Reading {
	if r == (ledger.Reading{}) {
		return nil
	}
	return &ingestv1.Reading{Delimiter: r.Delimiter, Quote: r.Quote, Escape: r.Escape, Encoding: r.Encoding, Sheet: r.Sheet, HeadingLine: r.HeadingLine}
}

// FromValues checks the shape of what values in the file mean; nil for none.
func FromValues(m map[string]*ingestv1.ValueMap) (ledger.Values, error) {
	n := 0
	out := ledger.Values{}
	for field, values := range m {
		if n += len(values.GetValues()); n > maxValues {
			return nil, fault.New(fault.Invalid, "too-many-values", "more values are mapped than the limit of %d", maxValues)
		}
		if len(values.GetValues()) == 0 {
			continue
		}
		to := make(map[string]string, len(values.GetValues()))
		for from, value := range values.GetValues() {
			if from == "" || max(len(from), len(value)) > maxValue {
				return nil, fault.New(fault.Invalid, "value-invalid", "a value mapped for field %q is empty or longer than %d bytes", cut(field), maxValue)
			}
			to[from] = value
		}
		out[field] = to
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// Values is nil for none.
func Values(v ledger.Values) map[string]*ingestv1.ValueMap {
	if len(v) == 0 {
		return nil
	}
	out := make(map[string]*ingestv1.ValueMap, len(v))
	for field, values := range v {
		out[field] = &ingestv1.ValueMap{Values: values}
	}
	return out
}
