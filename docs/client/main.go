// Client is an upstream application in its shortest form: it hands in a file of contacts, follows its job and writes the
// report to standard output. It needs nothing but gRPC and the generated code of the proto module.
//
//	set -a; . STATE/client.env; go run ./docs/client contacts.csv
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: client FILE")
	}
	file, err := os.ReadFile(os.Args[1])
	check(err)
	conn, err := grpc.NewClient(os.Getenv("CONTACTMILL_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("CONTACTMILL_API_KEY"))

	// The request id is made of the content: sent again, after a crash for example, it is the same job.
	sum := sha256.Sum256(file)
	digest := hex.EncodeToString(sum[:])
	upload, err := ingestv1.NewUploadServiceClient(conn).Upload(ctx)
	check(err)
	err = upload.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: &ingestv1.UploadHeader{
		RequestId: "client-" + digest, FileName: filepath.Base(os.Args[1]), Size: int64(len(file)), Sha256: digest,
		Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT},
	}}})
	for rest := bytes.NewBuffer(file); err == nil && rest.Len() > 0; {
		err = upload.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: rest.Next(256 << 10)}})
	}
	if !errors.Is(err, io.EOF) { // io.EOF: the server has answered already
		check(err)
	}
	accepted, err := upload.CloseAndRecv()
	check(err)

	events, err := ingestv1.NewEventsServiceClient(conn).WatchEvents(ctx, &ingestv1.WatchEventsRequest{Job: accepted.Job.Id})
	check(err)
	for final := false; !final; {
		m, err := events.Recv()
		check(err)
		log.Printf("job %d: %s %s", m.GetEvent().JobNumber, m.GetEvent().State, m.GetEvent().Problem.GetMessage())
		if m.GetEvent().State == ingestv1.JobState_JOB_STATE_NEEDS_ANSWER {
			log.Fatal("a person has to answer: ", m.GetEvent().Problem.GetHint())
		}
		final = m.GetEvent().State >= ingestv1.JobState_JOB_STATE_COMPLETED
	}

	report, err := ingestv1.NewJobsServiceClient(conn).DownloadReport(ctx, &ingestv1.DownloadReportRequest{Job: accepted.Job.Id})
	check(err)
	for {
		m, err := report.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		os.Stdout.Write(m.Chunk)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
