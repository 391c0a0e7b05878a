package work

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// told keeps the progress it is given.
type told []event.Progress

func (p *told) Progress(_ context.Context, e event.Progress) error {
	*p = append(*p, e)
	return nil
}

func TestWorkersSeeWhatTheyNeed(t *testing.T) {
	t.Parallel()
	l, err := ledger.New(postgrestest.DB(t, ledger.Schema).Open(t, "ingest", "ingest"), ledger.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var progress told
	s := New(l, &progress, slog.New(slog.DiscardHandler))
	account, upload := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	ctx := rpc.WithCaller(t.Context(), rpc.Caller{Account: account, Role: rpc.Service})
	file := ledger.Object{Name: "raw/" + account.String() + "/" + upload.String(), Size: 7, SHA256: strings.Repeat("0f", 32)}
	settings := ledger.Settings{Mode: ledger.Upsert, Mapping: map[string]string{"Mail": "email"}, Recipients: []string{"b@example.com"}}
	if _, err := l.OpenUpload(ctx, account, ledger.Upload{ID: upload, RequestID: "r", Settings: settings, Object: file.Name}, time.Hour); err != nil {
		t.Fatal(err)
	}
	job, _, err := l.Accept(ctx, account, ledger.Submission{
		RequestID: "r", Upload: upload, FileName: "people.csv", File: file, Settings: settings,
		Account: ledger.Account{Name: "Demo", Country: "US", KeepOutUnknown: true, Recipients: []string{"a@example.com", "b@example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	life := uuid.Must(uuid.NewV7()).String()
	if _, err := s.StartInstance(t.Context(), &ingestv1.StartInstanceRequest{Instance: "w", Incarnation: life}); err != nil {
		t.Fatal(err)
	}
	claim := func(stage string) (*ingestv1.Work, *ingestv1.Claimant) {
		t.Helper()
		g, err := s.Claim(ctx, &ingestv1.ClaimRequest{JobId: job.ID.String(), Stage: stage, Instance: "w", Incarnation: life})
		if err != nil || !g.GetGranted() || g.GetLease().AsDuration() != event.DefaultLease {
			t.Fatalf("claim %s: %v, %v", stage, g, err)
		}
		return g.GetWork(), &ingestv1.Claimant{JobId: job.ID.String(), Stage: stage, Token: g.GetToken()}
	}
	finish := func(req *ingestv1.FinishRequest, want string) {
		t.Helper()
		res, err := s.Finish(ctx, req)
		if err != nil || res.GetNextStage() != want {
			t.Fatalf("finish %s: %v, %v, want next stage %q", req.GetClaim().GetStage(), res, err, want)
		}
	}
	object := func(k *ingestv1.Claimant, what string) *ingestv1.Object {
		return &ingestv1.Object{Name: blob.WorkName(account, job.ID, k.GetStage(), k.GetToken(), what), Size: 1, Sha256: strings.Repeat("00", 32)}
	}

	w, k := claim("validate")
	if w.GetFile().GetName() != file.Name || w.GetAccount().GetCountry() != "US" || !w.GetAccount().GetKeepOutUnknown() ||
		w.GetJob().GetSettings().GetMapping()["Mail"] != "email" || w.GetValidated() != nil {
		t.Fatalf("validate was given %v", w)
	}
	if _, err := s.Renew(ctx, &ingestv1.RenewRequest{Claim: k, Done: 1, Total: 2}); err != nil {
		t.Fatal(err)
	}
	if len(progress) != 1 || progress[0].Job != job.ID || progress[0].Done != 1 || progress[0].JobNumber != 1 {
		t.Fatalf("progress was told as %+v", progress)
	}
	validated := &ingestv1.ValidateResult{
		Chunks:  []*ingestv1.Chunk{{Rows: 2, Cells: object(k, "cells-0"), Keys: object(k, "keys-0")}},
		Columns: []*ingestv1.Column{{Index: 1, Heading: "Mail\x00", Field: "email", Confidence: 1, Filled: 2}},
		Rows:    2, Blank: 1, Keys: 4,
	}
	_, err = s.Finish(ctx, &ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Matched{Matched: &ingestv1.MatchResult{}}})
	if fault.Code(err) != "result-of-another-stage" {
		t.Fatalf("result of another stage: %v", err)
	}
	foreign := proto.Clone(validated).(*ingestv1.ValidateResult)
	foreign.Chunks[0].Cells.Name = fmt.Sprintf("work/%s/%s/x", uuid.Must(uuid.NewV7()), job.ID)
	_, err = s.Finish(ctx, &ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: foreign}})
	if fault.Code(err) != "foreign-object" {
		t.Fatalf("object of another account: %v", err)
	}
	finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Validated{Validated: validated}}, "match")

	w, k = claim("match")
	if d := cmp.Diff(validated, w.GetValidated(), protocmp.Transform()); d != "" {
		t.Fatalf("result of validate (-want +got):\n%s", d)
	}
	finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Matched{Matched: &ingestv1.MatchResult{Verdicts: object(k, "verdicts"), NewRows: 1}}}, "enrich")
	w, k = claim("enrich")
	if w.GetMatched().GetNewRows() != 1 {
		t.Fatalf("enrich was given %v", w.GetMatched())
	}
	finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Enriched{Enriched: &ingestv1.EnrichResult{}}}, "merge")
	w, k = claim("merge")
	if w.GetEnriched() == nil || w.GetCommitting() {
		t.Fatalf("merge was given %v", w)
	}
	if _, err := s.LeaveToCommit(ctx, &ingestv1.LeaveToCommitRequest{Claim: k}); err != nil {
		t.Fatal(err)
	}
	finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Merged{Merged: &ingestv1.MergeResult{
		Counts: &ingestv1.Counts{Rows: 2, Added: 1, Unchanged: 1}, Outcomes: object(k, "outcomes")}}}, "")
	_, err = s.Release(ctx, &ingestv1.ReleaseRequest{Claim: k, Reason: ingestv1.ReleaseReason_RELEASE_REASON_DRAIN})
	if fault.Of(err) != fault.Stale {
		t.Fatalf("release of an ended stage: %v", err)
	}
	w, k = claim("notify")
	if w.GetNotice() != "ended" || w.GetJob().GetState() != ingestv1.JobState_JOB_STATE_COMPLETED || w.GetJob().GetCounts().GetBlank() != 1 ||
		!cmp.Equal(w.GetRecipients(), []string{"a@example.com", "b@example.com"}) {
		t.Fatalf("notify was given %v", w)
	}
	finish(&ingestv1.FinishRequest{Claim: k, Result: &ingestv1.FinishRequest_Notified{Notified: &ingestv1.NotifyResult{Sent: 2}}}, "")

	for what, req := range map[string]*ingestv1.ClaimRequest{
		"job":      {JobId: "x", Stage: "match", Instance: "w", Incarnation: life},
		"stage":    {JobId: job.ID.String(), Stage: "milling", Instance: "w", Incarnation: life},
		"instance": {JobId: job.ID.String(), Stage: "match", Incarnation: life},
		"life":     {JobId: job.ID.String(), Stage: "match", Instance: "w", Incarnation: "x"},
	} {
		if _, err := s.Claim(ctx, req); fault.Of(err) != fault.Invalid {
			t.Errorf("claim with a bad %s: %v", what, err)
		}
	}
	g, err := s.Claim(ctx, &ingestv1.ClaimRequest{JobId: uuid.Must(uuid.NewV7()).String(), Stage: "match", Instance: "w", Incarnation: life})
	if err != nil || g.GetReason() != "unknown-job" {
		t.Errorf("claim of no job: %v, %v", g, err)
	}
	if _, err := s.Renew(t.Context(), &ingestv1.RenewRequest{Claim: k}); fault.Of(err) != fault.Unauthenticated {
		t.Errorf("renewal by nobody: %v", err)
	}
}
