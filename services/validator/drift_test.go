package validator

import (
	"strings"
	"testing"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// A file whose key column was renamed stops and asks, before its rows become contacts a second time.
func TestARenamedKeyColumnIsAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	earlier := &ingestv1.EarlierFile{JobNumber: 3, Headings: []string{"External id", "First name", "Last name", "Email", "City"},
		Keys: []*ingestv1.Column{{Index: 1, Heading: "External id", Field: "external_id"}, {Index: 4, Heading: "Email", Field: "email"}}}
	other := &ingestv1.EarlierFile{JobNumber: 2, Headings: []string{"Email", "Company"}, Keys: []*ingestv1.Column{{Index: 1, Heading: "Email", Field: "email"}}}
	w.ledger.Remembered = &ingestv1.RecallMappingResponse{Earlier: []*ingestv1.EarlierFile{other, earlier}}
	const renamed = "Ref,First name,Last name,Email,City\nA1,Ann,Lee,a@x.io,Rome\n"
	const same = "City,EMAIL,External id,First name,Last name\nRome,a@x.io,A1,Ann,Lee\n"
	for name, c := range map[string]struct {
		job  job
		asks bool
		like int64
	}{
		"upsert":           {job{file: renamed}, true, 3},
		"add":              {job{file: renamed, settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD}}, true, 3},
		"a check":          {job{file: renamed, settings: &ingestv1.ImportSettings{Check: true}}, true, 3},
		"update":           {job{file: renamed, settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPDATE}}, false, 3},
		"confirmed":        {job{file: renamed, confirmed: true}, false, 3},
		"answered":         {job{file: renamed, settings: &ingestv1.ImportSettings{Mapping: map[string]string{"Ref": "external_id"}}}, false, 3},
		"the same columns": {job{file: same}, false, 3},
		"another file":     {job{file: "Email,Zip,Company\na@x.io,02118,X\n"}, false, 2},
		"a new file":       {job{file: "Phone,Zip\n+12022243441,02118\n"}, false, 0},
	} {
		r, _ := w.validate(c.job)
		if r.GetLikeNumber() != c.like || (r.GetQuestion() != nil) != c.asks || r.GetRejected() != nil {
			t.Errorf("%s: question %v, rejected %v, like %d; want asked %t, like %d", name, r.GetQuestion(), r.GetRejected(), r.GetLikeNumber(), c.asks, c.like)
			continue
		}
		if q := r.GetQuestion(); c.asks && (q.GetCode() != "key-column-gone" || !strings.Contains(q.GetMessage(), `In job 3, a file like this one, the column "External id" was external_id`) ||
			!strings.Contains(q.GetHint(), `contactmill jobs answer 7 --map "Ref=external_id"`) || !strings.Contains(q.GetHint(), "contactmill jobs answer 7 --confirm") ||
			len(q.GetColumns()) != 1 || q.GetColumns()[0].GetHeading() != "Ref" || len(r.GetChunks()) != 0) {
			t.Errorf("%s: asked %v", name, r)
		}
	}
}
