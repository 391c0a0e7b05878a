package work

import (
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	// What a job shows of its file is for people: the first few tell what they need.
	maxSamples  = 10
	maxSheets   = 256
	maxWarnings = 100
	maxUnknown  = 1000
	maxLines    = 10
)

func fromFacts(f *ingestv1.FileFacts) *ledger.FileFacts {
	if f == nil {
		return nil
	}
	out := &ledger.FileFacts{
		Format: text(f.GetFormat()), Container: text(f.GetContainer()), Encoding: text(f.GetEncoding()), Evidence: text(f.GetEvidence()),
		Delimiter: text(f.GetDelimiter()), Quote: text(f.GetQuote()), Escape: text(f.GetEscape()), LineEnd: text(f.GetLineEnd()), BOM: f.GetBom(),
		Separator: f.GetSeparatorLine(), HeadingLine: f.GetHeadingLine(), Sheet: text(f.GetSheet()),
	}
	for _, s := range few(f.GetSamples(), maxSamples) {
		out.Samples = append(out.Samples, ledger.Sample{Line: s.GetLine(), Column: s.GetColumn(), Text: text(s.GetText())})
	}
	for _, s := range few(f.GetSheets(), maxSheets) {
		out.Sheets = append(out.Sheets, ledger.Sheet{Name: text(s.GetName()), Hidden: s.GetHidden(), HasData: s.GetHasData()})
	}
	for _, w := range few(f.GetWarnings(), maxWarnings) {
		out.Warnings = append(out.Warnings, ledger.FileWarning{Code: text(w.GetCode()), Message: text(w.GetMessage()), Hint: text(w.GetHint()), Line: w.GetLine()})
	}
	return out
}

func fromUnknown(us []*ingestv1.UnknownValue) []ledger.UnknownValue {
	var out []ledger.UnknownValue
	for _, u := range few(us, maxUnknown) {
		out = append(out, ledger.UnknownValue{Field: text(u.GetField()), Value: text(u.GetValue()), Rows: u.GetRows(), Lines: few(u.GetLines(), maxLines)})
	}
	return out
}

func few[T any](s []T, most int) []T { return s[:min(len(s), most)] }
