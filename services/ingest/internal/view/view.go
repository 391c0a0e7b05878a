// Package view turns the ledger's jobs, events and settings into the contract's messages and back. It is the one place
// where the two vocabularies meet.
package view

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/event"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// Job is a job as users see it. Its counts are there from the beginning, with zeros.
func Job(j ledger.Job) *ingestv1.Job {
	out := &ingestv1.Job{
		Id:          j.ID.String(),
		Number:      j.Number,
		AccountId:   j.Account.String(),
		State:       State(j.State),
		Settings:    Settings(j.Settings),
		FileName:    j.FileName,
		FileSize:    j.File.Size,
		FileSha256:  j.File.SHA256,
		RequestId:   j.RequestID,
		SubmittedBy: j.SubmittedBy,
		CreatedAt:   at(j.Created),
		StartedAt:   at(j.Started),
		EndedAt:     at(j.Ended),
		Counts:      Counts(j.Counts),
		Problem:     Problem(j.Problem),
		Question:    Question(j.Question),
		Columns:     columns(j.Columns),
		RetryOf:     id(j.RetryOf),
		Policies:    policies(j),
		UndoOf:      id(j.UndoOf),
		LastEvent:   j.LastEvent,
		File:        facts(j.Facts),

		UndoOfNumber:      j.UndoOfNumber,
		BadCell:           BadCell(j.BadCell),
		UnknownToProvider: UnknownToProvider(j.UnknownToProvider),
		ProviderDown:      ProviderDown(j.ProviderDown),
		Forecast:          Forecast(j.Forecast),
		Cost:              cost(j.Cost),
		ApprovedBy:        j.ApprovedBy,
		Corrects:          id(j.Corrects),
		CorrectsNumber:    j.CorrectsNumber,
		ForecastOf:        id(j.ForecastOf),
		ForecastOfNumber:  j.ForecastOfNumber,
	}
	if j.Plan != nil {
		out.Plan = Counts(j.Plan.Counts)
	}
	for _, u := range j.Unknown {
		out.UnknownValues = append(out.UnknownValues, &ingestv1.UnknownValue{Field: u.Field, Value: u.Value, Rows: u.Rows, Lines: u.Lines})
	}
	if j.Queue != nil {
		out.Queue = &ingestv1.QueuePlace{Ahead: j.Queue.Ahead}
		if j.Queue.EstimatedStart != nil {
			out.Queue.EstimatedStart = at(*j.Queue.EstimatedStart)
		}
	}
	if p := j.Progress; p != nil {
		out.Progress = &ingestv1.Progress{Stage: string(p.Stage), Done: p.Done, Total: p.Total, Rate: p.Rate, SecondsLeft: p.SecondsLeft, At: at(p.At)}
	}
	return out
}

// Event is a numbered event.
func Event(e ledger.Event) *ingestv1.Event {
	out := &ingestv1.Event{
		Number: e.Number, Type: e.Type, JobId: id(e.Job), JobNumber: e.JobNumber, UndoOfNumber: e.UndoOf, Time: at(e.Time), State: State(e.State), Problem: Problem(e.Problem),
	}
	if e.Counts != nil {
		out.Counts = Counts(*e.Counts)
	}
	return out
}

// Progress is progress as the bus carries it.
func Progress(p event.Progress) *ingestv1.JobProgress {
	return &ingestv1.JobProgress{JobId: p.Job.String(), JobNumber: p.JobNumber, Progress: &ingestv1.Progress{
		Stage: string(p.Stage), Done: p.Done, Total: p.Total, Rate: p.RatePerSecond, SecondsLeft: p.SecondsLeft, At: at(p.At),
	}}
}

// Counts is the counts.
func Counts(c ledger.Counts) *ingestv1.Counts {
	return &ingestv1.Counts{
		Rows: c.Rows, Added: c.Added, Updated: c.Updated, Unchanged: c.Unchanged, Duplicate: c.Duplicate, Unmatched: c.Unmatched, Invalid: c.Invalid,
		Conflict: c.Conflict, Held: c.Held, Suppressed: c.Suppressed, Blank: c.Blank, SentToProvider: c.SentToProvider, KnownToProvider: c.KnownToProvider,
		NewerHere: c.NewerHere, Removed: c.Removed, EnrichedLater: c.EnrichedLater,
	}
}

// Forecast is nil for nil.
func Forecast(f *ledger.Forecast) *ingestv1.Forecast {
	if f == nil {
		return nil
	}
	return &ingestv1.Forecast{ToSend: f.ToSend, KnownAlready: f.KnownAlready, Cost: cost(f.Cost), JobsAhead: f.JobsAhead, Provider: f.Provider}
}

func cost(c *ledger.Cost) *ingestv1.Cost {
	if c == nil {
		return nil
	}
	return &ingestv1.Cost{Micros: c.Micros, Currency: c.Currency}
}

// Problem is nil for nil.
func Problem(p *ledger.Problem) *ingestv1.Problem {
	if p == nil {
		return nil
	}
	return &ingestv1.Problem{Code: p.Code, Message: p.Message, Hint: p.Hint}
}

// Question is nil for nil.
func Question(q *ledger.Question) *ingestv1.Question {
	if q == nil {
		return nil
	}
	return &ingestv1.Question{Code: q.Code, Message: q.Message, Hint: q.Hint, Columns: columns(q.Columns)}
}

func columns(cs []ledger.Column) []*ingestv1.Column {
	out := make([]*ingestv1.Column, len(cs))
	for i, c := range cs {
		out[i] = Column(c)
	}
	return out
}

// Column is a column of a file.
func Column(c ledger.Column) *ingestv1.Column {
	return &ingestv1.Column{Index: c.Index, Heading: c.Heading, Field: c.Field, Confidence: c.Confidence, Filled: c.Filled, How: c.How, DateOrder: DateOrder(c.DateOrder)}
}

func at(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func id(u uuid.UUID) string {
	if u == uuid.Nil {
		return ""
	}
	return u.String()
}
