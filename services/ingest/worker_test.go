package ingest_test

import (
	"context"
	"encoding/hex"
	"io"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// worker does what the services behind do, as far as the ledger sees it.
type worker struct {
	w       *world
	account uuid.UUID
	service ingestv1.WorkServiceClient
	life    string
}

func (r *replica) worker(account uuid.UUID) *worker {
	r.w.t.Helper()
	conn, err := rpc.Dial(r.addr, rpc.DialOptions{ServiceKey: serviceKey})
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.w.t.Cleanup(func() { conn.Close() })
	wk := &worker{w: r.w, account: account, service: ingestv1.NewWorkServiceClient(conn), life: uuid.NewString()}
	if _, err := wk.service.StartInstance(wk.ctx(), &ingestv1.StartInstanceRequest{Instance: "worker-" + wk.life, Incarnation: wk.life}); err != nil {
		r.w.t.Fatal(err)
	}
	return wk
}

func (wk *worker) ctx() context.Context { return rpc.WithAccount(wk.w.t.Context(), wk.account) }

func (wk *worker) claim(job *ingestv1.Job, stage event.Stage) *ingestv1.Claimant {
	wk.w.t.Helper()
	resp, err := wk.service.Claim(wk.ctx(), &ingestv1.ClaimRequest{JobId: job.GetId(), Stage: string(stage), Instance: "worker-" + wk.life, Incarnation: wk.life})
	if err != nil || !resp.GetGranted() {
		wk.w.t.Fatalf("claim %s: %v, %v", stage, resp, err)
	}
	return &ingestv1.Claimant{JobId: job.GetId(), Stage: string(stage), Token: resp.GetToken()}
}

func (wk *worker) finish(req *ingestv1.FinishRequest) {
	wk.w.t.Helper()
	if _, err := wk.service.Finish(wk.ctx(), req); err != nil {
		wk.w.t.Fatalf("finish %s: %v", req.GetClaim().GetStage(), err)
	}
}

// reject ends a job at its validation.
func (wk *worker) reject(job *ingestv1.Job) {
	wk.w.t.Helper()
	wk.finish(&ingestv1.FinishRequest{Claim: wk.claim(job, event.Validate), Result: &ingestv1.FinishRequest_Validated{Validated: &ingestv1.ValidateResult{
		Rejected: &ingestv1.Problem{Code: "no-heading", Message: "the file has no heading"},
	}}})
}

// result is a file as validation and merge would leave it.
type result struct {
	headings []string
	fields   []string // that the columns are mapped to, where they are
	chunks   [][]*row.Cells
	ended    []*row.Ended // of all chunks
}

// complete takes a job to its end with a result, and returns the names of the objects that are its report.
func (wk *worker) complete(job *ingestv1.Job, res result) {
	wk.w.t.Helper()
	wk.validate(job, res, nil)
	wk.match(job, &ingestv1.MatchResult{})
	wk.merge(job, res.ended)
}

func (wk *worker) match(job *ingestv1.Job, m *ingestv1.MatchResult) {
	wk.w.t.Helper()
	wk.finish(&ingestv1.FinishRequest{Claim: wk.claim(job, event.Match), Result: &ingestv1.FinishRequest_Matched{Matched: m}})
}

// validate leaves a file as validation would, changed as a test wants.
func (wk *worker) validate(job *ingestv1.Job, res result, change func(*ingestv1.ValidateResult)) {
	wk.w.t.Helper()
	id := uuid.MustParse(job.GetId())
	v := wk.claim(job, event.Validate)
	validated := &ingestv1.ValidateResult{}
	var columns []row.Column
	for i, h := range res.headings {
		c := row.Column{Heading: h}
		if i < len(res.fields) {
			c.Field = res.fields[i]
		}
		columns = append(columns, c)
		validated.Columns = append(validated.Columns, &ingestv1.Column{Index: int32(i + 1), Heading: h, Field: c.Field})
	}
	mapped := len(row.Header{Columns: columns}.Mapped())
	for i, rows := range res.chunks {
		cells := wk.object(blob.WorkName(wk.account, id, v.GetStage(), v.GetToken(), "cells-"+string(rune('a'+i))), func(out io.Writer) error {
			cw, err := row.NewCellsWriter(out, row.Header{Columns: columns})
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r.Invalid {
					validated.Invalid++
				} else {
					r.Values = make([]row.Value, mapped)
				}
				if err := cw.Append(r); err != nil {
					return err
				}
			}
			return cw.Close()
		})
		validated.Chunks = append(validated.Chunks, &ingestv1.Chunk{FirstRow: validated.GetRows(), Rows: int64(len(rows)), Cells: cells})
		validated.Rows += int64(len(rows))
	}
	if change != nil {
		change(validated)
	}
	wk.finish(&ingestv1.FinishRequest{Claim: v, Result: &ingestv1.FinishRequest_Validated{Validated: validated}})
}

// merge ends a job with the outcomes of its rows.
func (wk *worker) merge(job *ingestv1.Job, ended []*row.Ended) {
	wk.w.t.Helper()
	m := wk.claim(job, event.Merge)
	if !job.GetSettings().GetCheck() {
		if _, err := wk.service.LeaveToCommit(wk.ctx(), &ingestv1.LeaveToCommitRequest{Claim: m}); err != nil {
			wk.w.t.Fatal(err)
		}
	}
	wk.merged(m, ended)
}

func (wk *worker) merged(m *ingestv1.Claimant, ended []*row.Ended) {
	wk.w.t.Helper()
	counts := &ingestv1.Counts{Rows: int64(len(ended))}
	of := map[row.Outcome]*int64{
		row.Added: &counts.Added, row.Updated: &counts.Updated, row.Unchanged: &counts.Unchanged, row.Duplicate: &counts.Duplicate, row.Invalid: &counts.Invalid, row.Held: &counts.Held,
	}
	name := blob.WorkName(wk.account, uuid.MustParse(m.GetJobId()), m.GetStage(), m.GetToken(), "outcomes")
	outcomes := wk.object(name, func(out io.Writer) error {
		ow := row.NewOutcomesWriter(out)
		for _, e := range ended {
			*of[e.Outcome]++
			if e.Reason == "removed" {
				counts.Removed++
			}
			if len(e.Kept) > 0 && e.Reason != "kept-by-rule" {
				counts.NewerHere++
			}
			if err := ow.Append(e); err != nil {
				return err
			}
		}
		return ow.Close()
	})
	wk.finish(&ingestv1.FinishRequest{Claim: m, Result: &ingestv1.FinishRequest_Merged{Merged: &ingestv1.MergeResult{Counts: counts, Outcomes: outcomes}}})
}

func (wk *worker) object(name string, write func(io.Writer) error) *ingestv1.Object {
	wk.w.t.Helper()
	out, err := wk.w.store.Writer(wk.w.t.Context(), name)
	if err != nil {
		wk.w.t.Fatal(err)
	}
	if err := write(out); err != nil {
		wk.w.t.Fatal(err)
	}
	o, err := out.Close()
	if err != nil {
		wk.w.t.Fatal(err)
	}
	return &ingestv1.Object{Name: o.Name, Size: o.Size, Sha256: hex.EncodeToString(o.SHA256[:])}
}

// simple is a result of one row that was added.
func simple() result {
	return result{headings: []string{"email"}, chunks: [][]*row.Cells{{{Line: 2, Cells: [][]byte{[]byte("a@example.com")}}}},
		ended: []*row.Ended{{Outcome: row.Added, Contact: uuid.New()}}}
}

// watching reads a watch into a slice until enough.
func watching(t *testing.T, s grpc.ServerStreamingClient[ingestv1.WatchEventsResponse], enough func([]*ingestv1.Event) bool) []*ingestv1.Event {
	t.Helper()
	var events []*ingestv1.Event
	for !enough(events) {
		m, err := s.Recv()
		if err != nil {
			t.Fatalf("watch ended after %d events: %v", len(events), err)
		}
		if e := m.GetEvent(); e != nil {
			events = append(events, e)
		}
	}
	return events
}
