package view

import (
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// facts is nil for nil.
func facts(f *ledger.FileFacts) *ingestv1.FileFacts {
	if f == nil {
		return nil
	}
	out := &ingestv1.FileFacts{
		Format: f.Format, Container: f.Container, Encoding: f.Encoding, Evidence: f.Evidence, Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape,
		LineEnd: f.LineEnd, Bom: f.BOM, SeparatorLine: f.Separator, HeadingLine: f.HeadingLine, Sheet: f.Sheet,
	}
	for _, s := range f.Samples {
		out.Samples = append(out.Samples, &ingestv1.Sample{Line: s.Line, Column: s.Column, Text: s.Text})
	}
	for _, s := range f.Sheets {
		out.Sheets = append(out.Sheets, &ingestv1.Sheet{Name: s.Name, Hidden: s.Hidden, HasData: s.HasData})
	}
	for _, w := range f.Warnings {
		out.Warnings = append(out.Warnings, &ingestv1.FileWarning{Code: w.Code, Message: w.Message, Hint: w.Hint, Line: w.Line})
	}
	return out
}
