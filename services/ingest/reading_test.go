package ingest_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/sweep"
)

// How a file is to be read, and what its values mean, is checked at the door, kept with the job, handed to the validator
// with the account's own fields, and added to by answers; what it finds is shown.
func TestAReadingGoesItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica()
	account := uuid.New()
	c, wk := r.client(account), r.worker(account)
	content := []byte("Mail;Colour\na@example.com;rot\n")
	h := header("one", content)
	h.Settings.Mapping = map[string]string{"Mail": "email", "Colour": "colour"}
	h.Settings.Reading = &ingestv1.Reading{Delimiter: ";", Encoding: "latin1"}
	h.Settings.Values = map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"rot": "r"}}}
	resp, err := c.upload(t.Context(), h, content)
	if err != nil {
		t.Fatal(err)
	}
	job := resp.GetJob()
	claim, err := wk.service.Claim(wk.ctx(), &ingestv1.ClaimRequest{JobId: job.GetId(), Stage: string(event.Validate), Instance: "worker-" + wk.life, Incarnation: wk.life})
	if err != nil || !claim.GetGranted() {
		t.Fatalf("claim: %v, %v", claim, err)
	}
	settings := claim.GetWork().GetJob().GetSettings()
	if d := cmp.Diff(&ingestv1.Reading{Delimiter: ";", Encoding: "windows-1252"}, settings.GetReading(), protocmp.Transform()); d != "" {
		t.Errorf("reading (-want +got):\n%s", d)
	}
	if d := cmp.Diff(h.Settings.Values, settings.GetValues(), protocmp.Transform()); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
	a := claim.GetWork().GetAccount()
	if len(a.GetFields()) != 2 || a.GetFields()[0].GetName() != "glove_size" || len(a.GetFields()[1].GetCodes()) != 1 || a.GetLegacyEncoding() != "windows-1250" {
		t.Errorf("the validator is told of the account: %v", a)
	}
	k := &ingestv1.Claimant{JobId: job.GetId(), Stage: string(event.Validate), Token: claim.GetToken()}
	asked := &ingestv1.ValidateResult{Question: &ingestv1.Question{Code: "sheet", Message: "which"}, File: &ingestv1.FileFacts{Format: "xlsx", Sheets: []*ingestv1.Sheet{{Name: "A", HasData: true}, {Name: "B\x00"}}}}
	wk.finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: asked}})
	shown, err := c.jobs.GetJob(t.Context(), &ingestv1.GetJobRequest{Job: "1"})
	if err != nil || shown.GetJob().GetFile().GetFormat() != "xlsx" || len(shown.GetJob().GetFile().GetSheets()) != 2 {
		t.Errorf("the job asks with %v, %v", shown, err)
	}

	_, err = c.jobs.AnswerJob(t.Context(), &ingestv1.AnswerJobRequest{Job: "1", Mapping: map[string]string{"Mail": "hat_size"}})
	wanted(t, "answer with a field that is none", err, fault.Invalid, "unknown-field")
	_, err = c.jobs.AnswerJob(t.Context(), &ingestv1.AnswerJobRequest{Job: "1", Reading: &ingestv1.Reading{Encoding: "nonsense"}})
	wanted(t, "answer with a charset that is none", err, fault.Invalid, "encoding-unknown")
	answered, err := c.jobs.AnswerJob(t.Context(), &ingestv1.AnswerJobRequest{Job: "1", Reading: &ingestv1.Reading{Sheet: "B"},
		Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"blau": "b"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&ingestv1.Reading{Delimiter: ";", Encoding: "windows-1252", Sheet: "B"}, answered.GetJob().GetSettings().GetReading(), protocmp.Transform()); d != "" {
		t.Errorf("reading after the answer (-want +got):\n%s", d)
	}
	if got := answered.GetJob().GetSettings().GetValues()["colour"].GetValues(); len(got) != 2 || got["rot"] != "r" || got["blau"] != "b" {
		t.Errorf("values after the answer: %v", got)
	}

	k = wk.claim(job, event.Validate)
	key := bytes.Repeat([]byte{7}, 32)
	done := &ingestv1.ValidateResult{
		Columns: []*ingestv1.Column{{Index: 1, Heading: "Mail", Field: "email", How: "said", DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY}}, HeadingsKey: key,
		UnknownValues: []*ingestv1.UnknownValue{{Field: "colour", Value: "grau", Rows: 3, Lines: []int64{2, 3, 4}}},
		File:          &ingestv1.FileFacts{Format: "csv", Samples: []*ingestv1.Sample{{Line: 2, Column: 1, Text: "Zo\u00eb"}}, Warnings: []*ingestv1.FileWarning{{Code: "x", Message: "y", Line: 3}}},
	}
	short := proto.Clone(done).(*ingestv1.ValidateResult)
	short.HeadingsKey = key[:3]
	_, err = wk.service.Finish(wk.ctx(), &ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: short}})
	wanted(t, "a short hash of the headings", err, fault.Invalid, "bad-headings-key")
	wk.finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: done}})
	shown, err = c.jobs.GetJob(t.Context(), &ingestv1.GetJobRequest{Job: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{
		cmp.Diff(done.File, shown.GetJob().GetFile(), protocmp.Transform()), cmp.Diff(done.UnknownValues, shown.GetJob().GetUnknownValues(), protocmp.Transform()),
		cmp.Diff(done.Columns, shown.GetJob().GetColumns(), protocmp.Transform()),
	} {
		if d != "" {
			t.Errorf("what was found (-want +got):\n%s", d)
		}
	}

	second := wk.claim(c.mustUpload("Mail;Colour\nb@example.com;rot\n"), event.Validate)
	recalled, err := wk.service.RecallMapping(wk.ctx(), &ingestv1.RecallMappingRequest{Claim: second, HeadingsKey: key})
	want := &ingestv1.RecallMappingResponse{Mapping: map[string]string{"mail": "email"}, Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"rot": "r", "blau": "b"}}}}
	if d := cmp.Diff(want, recalled, protocmp.Transform()); d != "" || err != nil {
		t.Errorf("recalled: %v (-want +got):\n%s", err, d)
	}
	_, err = wk.service.RecallMapping(wk.ctx(), &ingestv1.RecallMappingRequest{Claim: k, HeadingsKey: key})
	wanted(t, "recalled under an old token", err, fault.Stale, "stale")

	same := &ingestv1.GetMappingResponse{Mapping: want.Mapping, Values: want.Values}
	looked, err := c.jobs.GetMapping(t.Context(), &ingestv1.GetMappingRequest{HeadingsKey: key})
	if d := cmp.Diff(same, looked, protocmp.Transform()); d != "" || err != nil {
		t.Errorf("looked up by a submitter: %v (-want +got):\n%s", err, d)
	}
	conn, err := rpc.Dial(r.addr, rpc.DialOptions{ServiceKey: serviceKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	looked, err = ingestv1.NewJobsServiceClient(conn).GetMapping(wk.ctx(), &ingestv1.GetMappingRequest{HeadingsKey: key})
	if d := cmp.Diff(same, looked, protocmp.Transform()); d != "" || err != nil {
		t.Errorf("looked up by a service for the account: %v (-want +got):\n%s", err, d)
	}
	_, err = c.jobs.GetMapping(t.Context(), &ingestv1.GetMappingRequest{HeadingsKey: key[:3]})
	wanted(t, "looked up by a short hash", err, fault.Invalid, "bad-headings-key")
	looked, err = r.client(uuid.New()).jobs.GetMapping(t.Context(), &ingestv1.GetMappingRequest{HeadingsKey: key})
	if d := cmp.Diff(&ingestv1.GetMappingResponse{}, looked, protocmp.Transform()); d != "" || err != nil {
		t.Errorf("looked up by another account: %v (-want +got):\n%s", err, d)
	}
}

func TestSettingsAreCheckedAtTheDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	for name, tc := range map[string]struct {
		change func(*ingestv1.ImportSettings)
		code   string
	}{
		"delimiter of two":      {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Delimiter: ";;"} }, "delimiter-invalid"},
		"delimiter a letter":    {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Delimiter: "x"} }, "delimiter-invalid"},
		"delimiter a line end":  {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Delimiter: "\n"} }, "delimiter-invalid"},
		"quote of two":          {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Quote: `""`} }, "quote-invalid"},
		"quote like delimiter":  {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Quote: "|", Delimiter: "|"} }, "quote-invalid"},
		"escape unknown":        {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Escape: "^"} }, "escape-invalid"},
		"charset unknown":       {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Encoding: "utf-5"} }, "encoding-unknown"},
		"sheet with a control":  {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Sheet: "a\x00"} }, "sheet-invalid"},
		"heading line negative": {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{HeadingLine: -1} }, "heading-line-invalid"},
		"field unknown":         {func(s *ingestv1.ImportSettings) { s.Mapping = map[string]string{"a": "hat_size"} }, "unknown-field"},
		"values of none": {func(s *ingestv1.ImportSettings) {
			s.Values = map[string]*ingestv1.ValueMap{"hat_size": {Values: map[string]string{"a": "b"}}}
		}, "unknown-field"},
		"value of nothing": {func(s *ingestv1.ImportSettings) {
			s.Values = map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"": "b"}}}
		}, "value-invalid"},
		"own field":              {func(s *ingestv1.ImportSettings) { s.Mapping = map[string]string{"a": "glove_size"} }, ""},
		"tab by its escape":      {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Delimiter: `\t`, Quote: "none"} }, ""},
		"a charset's other name": {func(s *ingestv1.ImportSettings) { s.Reading = &ingestv1.Reading{Encoding: "SJIS"} }, ""},
	} {
		content := []byte("a\n1\n")
		h := header(name, content)
		tc.change(h.Settings)
		_, err := c.upload(t.Context(), h, content)
		if tc.code == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if tc.code != "" {
			wanted(t, name, err, fault.Invalid, tc.code)
			if fault.HintOf(err) == "" && tc.code != "quote-invalid" && tc.code != "sheet-invalid" && tc.code != "value-invalid" {
				t.Errorf("%s: nobody is told what to do", name)
			}
		}
	}
}

// Fields that a job went by are forgotten when it has ended.
func TestFrozenFieldsAreSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica()
	account := uuid.New()
	c, wk := r.client(account), r.worker(account)
	one, two := c.mustUpload("email\na@example.com\n"), c.mustUpload("email\nb@example.com\n")
	owner, err := pgx.Connect(t.Context(), w.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Close(context.Background()) })
	kept := func() (n int) {
		t.Helper()
		if err := owner.QueryRow(t.Context(), "SELECT count(*) FROM ingest.frozen_fields").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := w.sweeper(sweep.Config{})
	wk.reject(one)
	if err := s.Once(t.Context(), one.GetCreatedAt().AsTime()); err != nil || kept() != 1 {
		t.Errorf("%d kept, %v, want those of job 2", kept(), err)
	}
	wk.reject(two)
	if err := s.Once(t.Context(), one.GetCreatedAt().AsTime()); err != nil || kept() != 0 {
		t.Errorf("%d kept, %v, want none", kept(), err)
	}
}
