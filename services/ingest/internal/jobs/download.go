package jobs

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
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
	write := report.Write
	switch req.GetReport() {
	case ingestv1.Report_REPORT_UNSPECIFIED, ingestv1.Report_REPORT_ROWS:
	case ingestv1.Report_REPORT_RETURN_TO_SENDER:
		write = report.ReturnToSender
	default:
		return fault.New(fault.Invalid, "unknown-report", "report %d is unknown", req.GetReport())
	}
	job, err := s.ledger.Job(ctx, caller.Account, ref)
	if err != nil {
		return err
	}
	source, err := s.source(ctx, job)
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
	var validated ingestv1.ValidateResult
	var merged ingestv1.MergeResult
	if err := proto.Unmarshal(results.Validated, &validated); err != nil {
		return report.Source{}, fmt.Errorf("read validate's result of job %s: %w", job.ID, err)
	}
	if err := proto.Unmarshal(results.Merged, &merged); err != nil {
		return report.Source{}, fmt.Errorf("read merge's result of job %s: %w", job.ID, err)
	}
	if merged.GetOutcomes() == nil {
		return report.Source{}, fault.New(fault.Precondition, "no-report", "job %d is %s: its rows have no outcomes", job.Number, job.State).
			Hint("the job itself says why")
	}
	out := report.Source{NoFile: job.Kind == ledger.Undo}
	for _, c := range validated.GetColumns() {
		out.Headings = append(out.Headings, c.GetHeading())
	}
	prefix := blob.JobPrefix(job.Account, job.ID)
	if out.Outcomes, err = stage.FromObject(prefix, merged.GetOutcomes()); err != nil {
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
