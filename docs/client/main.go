// Client hands a file in, follows its job and prints the report: set -a; . STATE/client.env; go run ./docs/client FILE REQUEST-ID
package main

import (
	"context"
	pb "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"io"
	"log"
	"os"
	"slices"
)

func main() {
	conn := must(grpc.NewClient(os.Getenv("CONTACTMILL_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials())))
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("CONTACTMILL_API_KEY"))
	upload := must(pb.NewUploadServiceClient(conn).Upload(ctx))
	_ = upload.Send(&pb.UploadRequest{Part: &pb.UploadRequest_Header{Header: &pb.UploadHeader{FileName: os.Args[1], RequestId: os.Args[2], Settings: &pb.ImportSettings{Mode: pb.Mode_MODE_UPSERT}}}}) // CloseAndRecv tells what went wrong
	for chunk := range slices.Chunk(must(os.ReadFile(os.Args[1])), 256<<10) {
		_ = upload.Send(&pb.UploadRequest{Part: &pb.UploadRequest_Chunk{Chunk: chunk}})
	}
	job := must(upload.CloseAndRecv()).Job.Id
	events := must(pb.NewEventsServiceClient(conn).WatchEvents(ctx, &pb.WatchEventsRequest{Job: job}))
	for state := pb.JobState(0); state < pb.JobState_JOB_STATE_COMPLETED && state != pb.JobState_JOB_STATE_NEEDS_ANSWER; log.Println(job, state) {
		state = must(events.Recv()).GetEvent().State
	}
	report := must(pb.NewJobsServiceClient(conn).DownloadReport(ctx, &pb.DownloadReportRequest{Job: job}))
	for part, err := report.Recv(); err != io.EOF; part, err = report.Recv() { //nolint:errorlint // gRPC returns io.EOF itself
		os.Stdout.Write(must(part, err).Chunk)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
