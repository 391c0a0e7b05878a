package jobs

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/report"
)

// DownloadReport implements the contract.
func (s *Service) DownloadReport(req *ingestv1.DownloadReportRequest, out reportStream) error {
	ctx := out.Context()
	caller, ref, err := named(ctx, req.GetJob())
	if err != nil {
		return err
	}
	only := row.Outcome(req.GetOutcome())
	if _, ok := ingestv1.Outcome_name[int32(req.GetOutcome())]; !ok {
		return fault.New(fault.Invalid, "unknown-outcome", "outcome %d is unknown", req.GetOutcome())
	}
	write, find := report.Write, s.source
	switch req.GetReport() {
	case ingestv1.Report_REPORT_UNSPECIFIED, ingestv1.Report_REPORT_ROWS:
	case ingestv1.Report_REPORT_PLAN:
		find = s.plan
	case ingestv1.Report_REPORT_RETURN_TO_SENDER:
		write = report.ReturnToSender
	default:
		return fault.New(fault.Invalid, "unknown-report", "report %d is unknown", req.GetReport())
	}
	job, err := s.ledger.Job(ctx, caller.Account, ref)
	if err != nil {
		return err
	}
	source, err := find(ctx, job)
	if err != nil {
		return err
	}
	if err := write(ctx, chunks{out}, s.store, source, only); err != nil {
		if fault.Of(err) == fault.DataLoss {
			s.log.Error("report is damaged", "account", job.Account, "job", job.ID, "error", err)
		}
		return fmt.Errorf("report of job %s: %w", job.ID, err)
	}
	return nil
}

// source finds what the report of a job is made of.
func (s *Service) source(ctx context.Context, job ledger.Job) (report.Source, error) {
	switch {
	case !job.State.Final():
		return report.Source{}, fault.New(fault.Precondition, "job-not-final", "job %d is %s; its report is there once it has ended", job.Number, job.State).
			Hint("wait for the job to end")
	case job.WorkSwept:
		return report.Source{}, fault.New(fault.NotFound, "report-swept", "the report of job %d was removed by age", job.Number)
	}
	results, err := s.ledger.Results(ctx, job.Account, job.ID)
	if err != nil {
		return report.Source{}, err
	}
	var merged ingestv1.MergeResult
	if err := proto.Unmarshal(results.Merged, &merged); err != nil {
		return report.Source{}, fmt.Errorf("read merge's result of job %s: %w", job.ID, err)
	}
	if merged.GetOutcomes() == nil {
		return report.Source{}, fault.New(fault.Precondition, "no-report", "job %d is %s: its rows have no outcomes", job.Number, job.State).
			Hint("the job itself says why")
	}
	return rows(job, results, merged.GetOutcomes(), job.Settings.Check)
}

// plan finds what the plan of a job under review is made of.
func (s *Service) plan(ctx context.Context, job ledger.Job) (report.Source, error) {
	switch {
	case job.Plan == nil && job.Settings.Review && !job.State.Final():
		return report.Source{}, fault.New(fault.Precondition, "no-plan", "job %d is %s; its plan is there once it awaits approval", job.Number, job.State)
	case job.Plan == nil:
		return report.Source{}, fault.New(fault.Precondition, "no-plan", "job %d is %s and has no plan", job.Number, job.State).
			Hint("a plan is made of an import under review")
	case job.WorkSwept:
		return report.Source{}, fault.New(fault.NotFound, "report-swept", "the plan of job %d was removed by age", job.Number)
	}
	results, err := s.ledger.Results(ctx, job.Account, job.ID)
	if err != nil {
		return report.Source{}, err
	}
	o := job.Plan.Object
	return rows(job, results, &ingestv1.Object{Name: o.Name, Size: o.Size, Sha256: o.SHA256}, true)
}

// rows is the rows of a job's file with some outcomes of them, which came to be or were only foreseen.
func rows(job ledger.Job, results ledger.Results, outcomes *ingestv1.Object, foreseen bool) (_ report.Source, err error) {
	var validated ingestv1.ValidateResult
	if err := proto.Unmarshal(results.Validated, &validated); err != nil {
		return report.Source{}, fmt.Errorf("read validate's result of job %s: %w", job.ID, err)
	}
	out := report.Source{Number: job.Number, Foreseen: foreseen, NoFile: job.Kind == ledger.Undo}
	for _, c := range validated.GetColumns() {
		out.Headings = append(out.Headings, c.GetHeading())
		out.Omit = append(out.Omit, c.GetHow() == string(mapping.OfReport))
	}
	prefix := blob.JobPrefix(job.Account, job.ID)
	if out.Outcomes, err = stage.FromObject(prefix, outcomes); err != nil {
		return report.Source{}, err
	}
	for _, c := range validated.GetChunks() {
		cells, err := stage.FromObject(prefix, c.GetCells())
		if err != nil {
			return report.Source{}, err
		}
		out.Chunks = append(out.Chunks, report.Chunk{Rows: c.GetRows(), Cells: cells})
	}
	return out, nil
}

// chunks sends what is written to it; report.Write gathers before.
type chunks struct{ out reportStream }

// maxPiece keeps a message with one enormous row below what clients receive at most.
const maxPiece = 256 << 10

func (c chunks) Write(p []byte) (int, error) {
	n := 0
	for piece := range slices.Chunk(p, maxPiece) {
		if err := c.out.Send(&ingestv1.DownloadReportResponse{Chunk: piece}); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}
