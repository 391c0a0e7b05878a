package validator

import (
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/sheet"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// dialect is what a person said of the way a file is written.
func dialect(r *ingestv1.Reading) sheet.Dialect {
	d := sheet.Dialect{Encoding: r.GetEncoding(), Sheet: r.GetSheet(), HeadingLine: r.GetHeadingLine()}
	if s := r.GetDelimiter(); s == `\t` {
		d.Delimiter = '\t'
	} else if s != "" {
		d.Delimiter = s[0]
	}
	switch q := r.GetQuote(); q {
	case "":
	case "none":
		d.Quote = sheet.NoQuote
	default:
		d.Quote = q[0]
	}
	switch r.GetEscape() {
	case `\`:
		d.Escape = '\\'
	case "double":
		d.Escape = sheet.Doubled
	}
	return d
}

// textFormat is what facts say of a text with cells.
const textFormat = "csv"

// toFacts is what a file turned out to be. Samples of secret columns are covered.
func toFacts(f *sheet.File, columns []column, warnings []mapping.Warning) *ingestv1.FileFacts {
	d := f.Dialect
	out := &ingestv1.FileFacts{Format: string(d.Format), Container: string(d.Container), HeadingLine: d.HeadingLine, Sheet: valid(d.Sheet)}
	if d.Format == sheet.FormatText || d.Format == sheet.AnyFormat {
		out.Format = textFormat
		out.Encoding, out.Evidence, out.Bom, out.SeparatorLine = d.Encoding, string(f.Evidence), d.BOM, d.Separator
		out.Delimiter, out.LineEnd, out.Quote, out.Escape = string(rune(d.Delimiter)), d.LineEnd.String(), "none", "double"
		if d.Quote != sheet.NoQuote {
			out.Quote = string(rune(d.Quote))
		}
		if d.Escape == '\\' {
			out.Escape = `\`
		}
	}
	for _, s := range f.Samples {
		out.Samples = append(out.Samples, toSample(s, columns))
	}
	out.Sheets = toSheets(f.Sheets)
	for _, w := range f.Warnings {
		out.Warnings = append(out.Warnings, toWarning(w))
	}
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, headingWarning(w, columns))
	}
	return out
}

func toSheets(sheets []sheet.SheetInfo) []*ingestv1.Sheet {
	var out []*ingestv1.Sheet
	for _, s := range sheets {
		out = append(out, &ingestv1.Sheet{Name: valid(s.Name), Hidden: s.Hidden, HasData: s.Rows != 0})
	}
	return out
}

func toSample(s sheet.Sample, columns []column) *ingestv1.Sample {
	text := s.Text
	if i := s.Column - 1; i >= 0 && i < len(columns) && columns[i].spec.Secret {
		text = covered
	}
	return &ingestv1.Sample{Line: s.Line, Column: int32(s.Column), Text: shorten([]byte(text))}
}

func toWarning(w sheet.Warning) *ingestv1.FileWarning {
	out := &ingestv1.FileWarning{Code: string(w.Code), Message: string(w.Code), Line: w.Line}
	if e, ok := w.Code.Entry(); ok {
		out.Message, out.Hint = e.Text, e.Hint
	}
	if w.Shown != "" {
		out.Message += ": " + short(w.Shown)
	}
	return out
}

func headingWarning(w mapping.Warning, columns []column) *ingestv1.FileWarning {
	return toWarning(sheet.Warning{Code: w.Code, Shown: columns[w.Column].Heading})
}

// settledBy notes in the facts what a file's encoding was taken for after its head had been only ASCII.
func settledBy(facts *ingestv1.FileFacts, r *sheet.Reopen, columns []column) {
	if r == nil {
		return
	}
	facts.Evidence = string(sheet.EvidenceDefault)
	for _, s := range r.Samples {
		facts.Samples = append(facts.Samples, toSample(s, columns))
	}
	facts.Warnings = append(facts.Warnings, toWarning(r.Warning))
}

// sampled is the first rows of a file whose first block is given, nil for none.
func sampled(f *sheet.File, first *sheet.Block) ([][]string, error) {
	if first == nil {
		return nil, nil
	}
	return sampleOf(f.Parser(), first.Clone())
}

// sampleOf is the first rows of a block as text, for the mapping to see what is in the columns.
func sampleOf(p *sheet.Parser, b *sheet.Block) ([][]string, error) {
	var rows [][]string
	p.Reset(b)
	for r := p.Next(); r != nil && len(rows) < mapping.SampleRows; r = p.Next() {
		if r.Code != "" {
			continue
		}
		cells := make([]string, len(r.Cells))
		for i, c := range r.Cells {
			cells[i] = strings.ToValidUTF8(string(c), "\uFFFD")
		}
		rows = append(rows, cells)
	}
	return rows, p.Err()
}

// place names a column by its position, where its heading says nothing.
func place(i int) string { return "#" + strconv.Itoa(i+1) }
