package work

import (
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fields"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

// toEarlier is files that were imported, with those of their columns whose fields are unique keys by the account's own fields
// as they are frozen for the job that asks.
func toEarlier(files []ledger.Earlier, frozen []byte) ([]*ingestv1.EarlierFile, error) {
	if len(files) == 0 {
		return nil, nil
	}
	own, err := view.Fields(frozen)
	if err != nil {
		return nil, err
	}
	schema, err := fields.SchemaOf(own)
	if err != nil {
		return nil, err
	}
	out := make([]*ingestv1.EarlierFile, len(files))
	for i, f := range files {
		e := &ingestv1.EarlierFile{JobNumber: f.JobNumber}
		for _, c := range f.Columns {
			e.Headings = append(e.Headings, c.Heading)
			if unique(schema, c.Field) {
				e.Keys = append(e.Keys, view.Column(c))
			}
		}
		out[i] = e
	}
	return out, nil
}

func unique(s *contact.Schema, field string) bool {
	f, ok := s.Field(field)
	if !ok || field == "" {
		return false
	}
	spec, ok := s.Spec(f)
	return ok && spec.Key.Unique()
}
