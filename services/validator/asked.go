package validator

import (
	"context"
	"fmt"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/mapping"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

var modeMissing = &ingestv1.Problem{Code: "mode-missing", Message: "The job does not say what the file may do, and the file is no corrected report that would.",
	Hint: "Say --mode add, update or upsert."}

// asked is what is asked of a file: by its own job and, for a corrected report, by the one that it is a report of.
type asked struct {
	mode       ingestv1.Mode
	said       map[string]string
	remembered map[string]string
	order      ingestv1.DateOrder
	values     map[string]*ingestv1.ValueMap
	policies   fields.Policies
	drop       bool
}

// askedOf is what is asked of an ordinary file; whether bad cells are dropped is the caller's to say.
func askedOf(s *ingestv1.ImportSettings, policies *accountsv1.Policies, schema *contact.Schema) (a asked, err error) {
	a = asked{mode: s.GetMode(), said: s.GetMapping(), order: s.GetDateOrder(), values: s.GetValues()}
	a.policies, err = fields.PoliciesOf(policies, schema)
	return a, err
}

// ask settles what is asked of the file, which is a corrected report or not.
func (j *reading) ask(ctx context.Context, headings []string, sample [][]string) (rejected *ingestv1.Problem, err error) {
	s := j.c.Work.Job.GetSettings()
	c, rejected, err := j.corrects(ctx, headings, sample)
	switch {
	case err != nil || rejected != nil:
		return rejected, err
	case c != nil:
		j.asked, err = c.over(s, j.schema)
	case s.GetMode() == ingestv1.Mode_MODE_UNSPECIFIED:
		return modeMissing, nil
	default:
		j.asked, err = askedOf(s, j.c.Work.Job.GetPolicies(), j.schema)
		j.drop = j.c.Work.Account.GetDropBadCells()
	}
	return nil, err
}

// mapped finds the fields of the columns, and what was said of such files before; of a corrected report, what was said of the
// file that it corrects.
func (j *reading) mapped(ctx context.Context, req mapping.Request) (mapping.Result, *ingestv1.RecallMappingResponse, error) {
	recall := func(key []byte) (*ingestv1.RecallMappingResponse, error) { return j.c.RecallMapping(ctx, key) }
	if j.correction == nil {
		return mapped(req, recall)
	}
	before := &ingestv1.RecallMappingResponse{}
	if len(j.before) > 0 {
		var err error
		if before, err = recall(j.before); err != nil {
			return mapping.Result{}, nil, fmt.Errorf("recall the mapping: %w", err)
		}
	}
	return mapping.Map(req), before, nil
}

// remembered is what was said earlier of files with the same columns.
type remembered interface {
	GetMapping() map[string]string
	GetDateOrder() ingestv1.DateOrder
	GetValues() map[string]*ingestv1.ValueMap
}

// mapped finds the fields of a file's columns: by their headings, what their first rows hold, what is said of them, and what
// was said of such files before.
func mapped[R remembered](req mapping.Request, recall func(headingsKey []byte) (R, error)) (mapping.Result, R, error) {
	found := mapping.Map(req)
	before, err := recall(found.HeadingsKey[:])
	if err != nil {
		return mapping.Result{}, before, fmt.Errorf("recall the mapping: %w", err)
	}
	if len(before.GetMapping()) > 0 {
		req.Remembered = before.GetMapping()
		found = mapping.Map(req)
	}
	return found, before, nil
}

// drift asks about a file that has lost a key column, and finds the number of the job whose file was most like it.
func (j *reading) drift(req mapping.Request, found mapping.Result, files []*ingestv1.EarlierFile, columns []column) (*ingestv1.Question, int64) {
	earlier := make([]mapping.Earlier, len(files))
	for i, f := range files {
		earlier[i] = mapping.Earlier{Job: f.GetJobNumber(), Headings: f.GetHeadings()}
		for _, k := range f.GetKeys() {
			earlier[i].Keys = append(earlier[i].Keys, mapping.EarlierKey{Heading: k.GetHeading(), Field: k.GetField()})
		}
	}
	var like int64
	if i, _ := mapping.Like(req.Headings, earlier); i >= 0 && !found.HeadingIsData {
		like = earlier[i].Job
	}
	if j.mode == ingestv1.Mode_MODE_UPDATE || j.c.Work.GetConfirmed() {
		return nil, like
	}
	return toQuestion(mapping.Drift(req, found, earlier), columns), like
}

// values are what was said before and, over it, what is said now.
func values(before, now map[string]*ingestv1.ValueMap) map[string]*ingestv1.ValueMap {
	out := map[string]*ingestv1.ValueMap{}
	for _, m := range []map[string]*ingestv1.ValueMap{before, now} {
		for field, v := range m {
			if out[field] == nil {
				out[field] = &ingestv1.ValueMap{Values: map[string]string{}}
			}
			for from, to := range v.GetValues() {
				out[field].Values[comparedValue([]byte(from))] = to
			}
		}
	}
	return out
}
