package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// client hands files in as an application would.
type client struct {
	conn    *grpc.ClientConn
	uploads ingestv1.UploadServiceClient
	events  ingestv1.EventsServiceClient
	jobs    ingestv1.JobsServiceClient
	sql     *statements // that PostgreSQL was slow at; nil where nobody asks
}

func dial(addr, key string) (*client, error) {
	conn, err := rpc.Dial(addr, rpc.DialOptions{Key: config.Secret(key)})
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, uploads: ingestv1.NewUploadServiceClient(conn), events: ingestv1.NewEventsServiceClient(conn), jobs: ingestv1.NewJobsServiceClient(conn)}, nil
}

// run is one job as its submitter saw it.
type run struct {
	job    *ingestv1.Job
	whole  time.Duration // from the first byte sent to the final event seen
	upload time.Duration
	stages []stageTime

	statements []statementTime // the longest
}

type stageTime struct {
	name string
	took time.Duration
}

// job hands a file in and waits for its end by the events.
func (c *client) job(ctx context.Context, r io.Reader, s *ingestv1.ImportSettings) (*run, error) {
	begun := time.Now()
	stream, err := c.uploads.Upload(ctx)
	if err != nil {
		return nil, err
	}
	send := func(m *ingestv1.UploadRequest) error {
		if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
	if err := send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: &ingestv1.UploadHeader{RequestId: uuid.NewString(), FileName: "bench.csv", Settings: s}}}); err != nil {
		return nil, err
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: buf[:n]}}); err != nil {
				return nil, err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	accepted, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fmt.Errorf("hand in: %w", err)
	}
	return c.ended(ctx, begun, accepted.Job)
}

// undo takes a job back and waits for the end of that.
func (c *client) undo(ctx context.Context, job *ingestv1.Job) (*run, error) {
	begun := time.Now()
	accepted, err := c.jobs.UndoJob(ctx, &ingestv1.UndoJobRequest{Job: job.Id})
	if err != nil {
		return nil, fmt.Errorf("undo job %d: %w", job.Number, err)
	}
	return c.ended(ctx, begun, accepted.Job)
}

// ended waits for the end of a job that has been accepted.
func (c *client) ended(ctx context.Context, begun time.Time, job *ingestv1.Job) (*run, error) {
	out := &run{job: job, upload: time.Since(begun)}
	if err := c.follow(ctx, out); err != nil {
		return nil, err
	}
	out.whole = time.Since(begun)
	got, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: out.job.Id})
	if err != nil {
		return nil, err
	}
	out.job = got.Job
	if c.sql != nil {
		if out.statements, err = c.sql.took(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// follow reads the job's events to its final one; the time between two events is the stage's that the first one named.
func (c *client) follow(ctx context.Context, out *run) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.events.WatchEvents(ctx, &ingestv1.WatchEventsRequest{Job: out.job.Id})
	if err != nil {
		return err
	}
	var last *ingestv1.Event
	for {
		m, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("follow job %d: %w", out.job.Number, err)
		}
		e := m.GetEvent()
		if e == nil {
			continue
		}
		if last != nil {
			out.stages = append(out.stages, stageTime{last.Type, e.Time.AsTime().Sub(last.Time.AsTime())})
		}
		last = e
		if e.State == ingestv1.JobState_JOB_STATE_NEEDS_ANSWER { // after files of known people one of new ones: it is meant so
			if _, err := c.jobs.AnswerJob(ctx, &ingestv1.AnswerJobRequest{Job: out.job.Id, Confirm: true}); err != nil {
				return fmt.Errorf("answer job %d: %w", out.job.Number, err)
			}
		}
		if e.State >= ingestv1.JobState_JOB_STATE_COMPLETED {
			if e.State > ingestv1.JobState_JOB_STATE_CHECKED {
				return fmt.Errorf("job %d ended %s: %v", out.job.Number, e.State, e.Problem)
			}
			return nil
		}
	}
}

// file hands a file of the disk in.
func (c *client) file(ctx context.Context, name string, s *ingestv1.ImportSettings) (*run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return c.job(ctx, f, s)
}
