package systemtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// application is an upstream application in plain gRPC: upload, watch, report.
func application(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	c := a.app(t, 0)
	content := table(append(people(0, 90), entry{person: 90, bad: true}))
	got, err := c.upload(t.Context(), headerOf("app-1", content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}), content)
	if err != nil {
		t.Fatal(err)
	}
	if got.Existing || got.Job.Number != 1 || got.Job.RequestId != "app-1" {
		t.Errorf("accepted as %v", got)
	}
	var types []string
	var last *ingestv1.Event
	err = c.watch(t.Context(), &ingestv1.WatchEventsRequest{Job: got.Job.Id}, func(e *ingestv1.Event) bool {
		types, last = append(types, e.Type), e
		return e.State < ingestv1.JobState_JOB_STATE_COMPLETED
	})
	if err != nil {
		t.Fatal(err)
	}
	if types[0] != "job.accepted" || last.State != ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS {
		t.Errorf("events %q, the last in state %v", types, last.State)
	}
	if n := last.GetCounts(); n.GetRows() != 91 || n.GetAdded() != 90 || n.GetInvalid() != 1 {
		t.Errorf("counts of the last event: %v", n)
	}
	report, err := a.app(t, 1).report(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	rows := records(t, report)
	if diff := cmp.Diff(heading, rows[0][:len(heading)]); diff != "" {
		t.Errorf("the report does not begin with the file's columns (-want +got):\n%s", diff)
	}
	if len(rows) != 92 {
		t.Fatalf("%d lines in the report, want 92", len(rows))
	}
	if diff := cmp.Diff(people(0, 1)[0].cells(), rows[1][:len(heading)]); diff != "" {
		t.Errorf("the first row of the report (-want +got):\n%s", diff)
	}
	outcomes := map[string]int{}
	for _, o := range column(t, rows, "outcome") {
		outcomes[o]++
	}
	if diff := cmp.Diff(map[string]int{"ADDED": 90, "INVALID": 1}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// resume cuts an upload in the middle and goes on with it on the other replica.
func resume(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	const rows, filler = 400, 30 << 10
	var b bytes.Buffer
	b.WriteString("External id,Last name,Padding\n")
	for i := range rows {
		fmt.Fprintf(&b, "%s,Name%d,%s\n", person(i).id(), i, strings.Repeat(string(rune('a'+i%26)), filler))
	}
	content := b.Bytes()
	h := headerOf("cut", content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD})
	first, second := a.app(t, 0), a.app(t, len(s.ingest)-1)

	ctx, cut := context.WithCancel(first.ctx(t.Context()))
	stream, err := first.uploads.Upload(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: h}}); err != nil {
		t.Fatal(err)
	}
	for rest := bytes.NewBuffer(content[:11<<20]); rest.Len() > 0; {
		if err := stream.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: rest.Next(1 << 20)}}); err != nil {
			t.Fatal(err)
		}
	}
	var at *ingestv1.GetUploadResponse
	await(t, func() (bool, string) {
		var err error
		at, err = second.uploads.GetUpload(second.ctx(t.Context()), &ingestv1.GetUploadRequest{RequestId: "cut"})
		if err != nil && status.Code(err) != codes.NotFound {
			t.Fatal(err)
		}
		return at.GetOffset() >= 5<<20, fmt.Sprintf("%d bytes are durable, want a part of 5 MiB", at.GetOffset())
	})
	cut()
	for err == nil {
		err = stream.RecvMsg(new(ingestv1.UploadResponse))
	}
	if status.Code(err) != codes.Canceled {
		t.Errorf("the stream that was cut ended with %v", err)
	}

	// what was on its way may still be saved by the stream that was cut: ask again until the offset holds
	var got *ingestv1.UploadResponse
	await(t, func() (bool, string) {
		at, err := second.uploads.GetUpload(second.ctx(t.Context()), &ingestv1.GetUploadRequest{RequestId: "cut"})
		if err != nil {
			t.Fatal(err)
		}
		h.UploadId, h.Offset = at.UploadId, at.Offset
		got, err = second.upload(t.Context(), h, content)
		if err != nil && reason(err) != "wrong-offset" && !transient(err) {
			t.Fatal(err)
		}
		return err == nil, fmt.Sprintf("resume at %d: %v", h.Offset, err)
	})
	if h.Offset == 0 {
		t.Error("nothing was left of the upload that was cut")
	}
	j := a.ended(t, got.Job.Id)
	if j.State != "COMPLETED" || j.Counts.Added != rows || j.SHA256 != h.Sha256 {
		t.Errorf("the resumed file ended as %+v, want %d added and the checksum %s", j, rows, h.Sha256)
	}
}

// requestID sends the same submission many times at once, and then another under the same id.
func requestID(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	content := table(people(0, 20))
	settings := &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD}
	var apps []*app
	for i := range s.ingest {
		apps = append(apps, a.app(t, i))
	}
	const times = 50
	jobs, errs := make([]string, times), make([]error, times)
	fresh := make([]bool, times)
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			// over the limit of uploads at once the answer is to come again, which changes nothing of the promise
			h := headerOf("same", content, settings)
			for {
				r, err := apps[i%len(apps)].upload(t.Context(), h, content)
				if transient(err) {
					continue
				}
				jobs[i], fresh[i], errs[i] = r.GetJob().GetId(), err == nil && !r.GetExisting(), err
				return
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	made := 0
	for i, id := range jobs {
		if id != jobs[0] {
			t.Errorf("submission %d is job %s, another is %s", i, id, jobs[0])
		}
		if fresh[i] {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d submissions were told that theirs is new, want 1", made)
	}
	var all []job
	a.ok(t, &all, "jobs", "list")
	if len(all) != 1 {
		t.Errorf("%d jobs, want 1", len(all))
	}

	other := table(people(0, 21))
	if _, err := apps[0].upload(t.Context(), headerOf("same", other, settings), other); status.Code(err) != codes.AlreadyExists || reason(err) != "request-id-reused" {
		t.Errorf("other bytes under the same request id: %v (%s), want ALREADY_EXISTS request-id-reused", err, reason(err))
	}
	if _, err := apps[0].upload(t.Context(), headerOf("same", content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPDATE}), content); status.Code(err) != codes.AlreadyExists {
		t.Errorf("other settings under the same request id: %v, want ALREADY_EXISTS", err)
	}
	// without checksum and size the bytes themselves are compared
	h := headerOf("same", other, settings)
	h.Size, h.Sha256 = 0, ""
	if _, err := apps[0].upload(t.Context(), h, other); status.Code(err) != codes.AlreadyExists {
		t.Errorf("other bytes under the same request id, undeclared: %v, want ALREADY_EXISTS", err)
	}
	if j := a.ended(t, jobs[0]); j.State != "COMPLETED" || a.held(t) != 20 {
		t.Errorf("job ended as %+v with %d contacts, want COMPLETED with 20", j, a.held(t))
	}
}

// badUploads are refused before there is a job.
func badUploads(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	c := a.app(t, 0)
	content := table(people(0, 3))
	settings := &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD}
	for _, test := range []struct {
		name   string
		change func(*ingestv1.UploadHeader)
		bytes  []byte
		code   codes.Code
		reason string
	}{
		{"empty file", func(h *ingestv1.UploadHeader) { h.Size, h.Sha256 = 0, "" }, nil, codes.InvalidArgument, "empty-file"},
		{"another checksum", func(h *ingestv1.UploadHeader) { h.Sha256 = strings.Repeat("0", 64) }, content, codes.InvalidArgument, "checksum-mismatch"},
		{"no checksum", func(h *ingestv1.UploadHeader) { h.Sha256 = "sha" }, content, codes.InvalidArgument, "checksum-invalid"},
		{"more bytes than declared", func(h *ingestv1.UploadHeader) { h.Size-- }, content, codes.InvalidArgument, "size-mismatch"},
		{"fewer bytes than declared", func(h *ingestv1.UploadHeader) { h.Size++ }, content, codes.InvalidArgument, "size-mismatch"},
		{"a mode that is none", func(h *ingestv1.UploadHeader) { h.Settings = &ingestv1.ImportSettings{Mode: 99} }, content, codes.InvalidArgument, "mode-invalid"},
		{"no request id", func(h *ingestv1.UploadHeader) { h.RequestId = "" }, content, codes.InvalidArgument, "request-id-invalid"},
		{"an upload that is none", func(h *ingestv1.UploadHeader) { h.UploadId, h.Offset = "0190a000-0000-7000-8000-000000000000", 5 }, content, codes.NotFound, "unknown-upload"},
	} {
		h := headerOf("bad "+test.name, content, settings)
		test.change(h)
		_, err := c.upload(t.Context(), h, test.bytes)
		if status.Code(err) != test.code || reason(err) != test.reason {
			t.Errorf("%s: %v (%s), want %v %s", test.name, err, reason(err), test.code, test.reason)
		}
	}
	stream, err := c.uploads.Upload(c.ctx(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: content}}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.InvalidArgument || reason(err) != "header-missing" {
		t.Errorf("a chunk before the header: %v, want INVALID_ARGUMENT header-missing", err)
	}
	var all []job
	a.ok(t, &all, "jobs", "list")
	if len(all) != 0 {
		t.Errorf("refused uploads made %d jobs", len(all))
	}
	// a refused submission may be made good under the same id
	got, err := c.upload(t.Context(), headerOf("bad another checksum", content, settings), content)
	if err != nil {
		t.Fatal(err)
	}
	if j := a.ended(t, got.Job.Id); j.State != "COMPLETED" || j.Counts.Added != 3 {
		t.Errorf("ended as %+v, want 3 added", j)
	}
	// a corrected report needs no mode; any other file is refused once that is seen
	if got, err = c.upload(t.Context(), headerOf("no mode", content, &ingestv1.ImportSettings{}), content); err != nil {
		t.Fatal(err)
	}
	if j := a.ended(t, got.Job.Id); j.State != "REJECTED" || j.Problem == nil || j.Problem.Code != "mode-missing" || j.Problem.Hint == "" {
		t.Errorf("a file without a mode ended as %+v, want REJECTED mode-missing", j)
	}
}
