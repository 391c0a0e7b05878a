package systemtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// app is an upstream application: it speaks plain gRPC to one replica of ingest.
type app struct {
	uploads ingestv1.UploadServiceClient
	jobs    ingestv1.JobsServiceClient
	events  ingestv1.EventsServiceClient
	key     string
}

// app connects to a replica, counted from 0 and around.
func (a *tenant) app(t *testing.T, replica int) *app {
	t.Helper()
	conn, err := grpc.NewClient(a.s.ingest[replica%len(a.s.ingest)], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &app{ingestv1.NewUploadServiceClient(conn), ingestv1.NewJobsServiceClient(conn), ingestv1.NewEventsServiceClient(conn), a.key}
}

// ctx carries the key.
func (c *app) ctx(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
}

// headerOf describes a file.
func headerOf(request string, content []byte, settings *ingestv1.ImportSettings) *ingestv1.UploadHeader {
	sum := sha256.Sum256(content)
	return &ingestv1.UploadHeader{RequestId: request, FileName: request + ".csv", Size: int64(len(content)), Sha256: hex.EncodeToString(sum[:]), Settings: settings}
}

// upload sends the header and what of the content comes after its offset.
func (c *app) upload(ctx context.Context, h *ingestv1.UploadHeader, content []byte) (*ingestv1.UploadResponse, error) {
	ctx, cancel := context.WithTimeout(c.ctx(ctx), patience)
	defer cancel()
	stream, err := c.uploads.Upload(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: h}})
	for rest := bytes.NewBuffer(content[h.Offset:]); err == nil && rest.Len() > 0; {
		err = stream.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: rest.Next(256 << 10)}})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream.CloseAndRecv()
}

// insist uploads until the job is acknowledged, as an application must that wants its file in.
func (c *app) insist(ctx context.Context, h *ingestv1.UploadHeader, content []byte) (*ingestv1.Job, error) {
	for {
		r, err := c.upload(ctx, h, content)
		if err == nil {
			return r.Job, nil
		}
		if !transient(err) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; the last answer was: %w", ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// transient tells whether a call may be made again: what gRPC's own contract says, and no more.
func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.DeadlineExceeded:
		return true
	}
	return false
}

// reason is the stable code in an error.
func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return ""
}

// watch calls f with each event after a number until it says no. The stream is not taken up again.
func (c *app) watch(ctx context.Context, r *ingestv1.WatchEventsRequest, f func(*ingestv1.Event) bool) error {
	ctx, cancel := context.WithTimeout(c.ctx(ctx), patience)
	defer cancel()
	stream, err := c.events.WatchEvents(ctx, r)
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if e := m.GetEvent(); e != nil && !f(e) {
			return nil
		}
	}
}

// job reads a job.
func (c *app) job(ctx context.Context, id string) (*ingestv1.Job, error) {
	ctx, cancel := context.WithTimeout(c.ctx(ctx), patience)
	defer cancel()
	r, err := c.jobs.GetJob(ctx, &ingestv1.GetJobRequest{Job: id})
	return r.GetJob(), err
}

// report downloads all rows of a job.
func (c *app) report(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx(ctx), patience)
	defer cancel()
	stream, err := c.jobs.DownloadReport(ctx, &ingestv1.DownloadReportRequest{Job: id})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return b.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		b.Write(m.Chunk)
	}
}
