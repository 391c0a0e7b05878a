package cli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	enrichmentv1 "github.com/contactmill/contactmill/proto/gen/contactmill/enrichment/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
	"github.com/contactmill/contactmill/services/cli"
)

const apiKey = "cm_the-key-of-a-test"

var update = flag.Bool("update", false, "write the golden files anew")

// server is the platform by hand, over real gRPC: it has one account, the jobs and contacts it is given, and lets down as
// it is told.
type server struct {
	ingestv1.UnimplementedUploadServiceServer
	ingestv1.UnimplementedJobsServiceServer
	ingestv1.UnimplementedEventsServiceServer
	contactsv1.UnimplementedContactsServiceServer
	accountsv1.UnimplementedAccountsServiceServer
	accountsv1.UnimplementedFieldsServiceServer
	validatorv1.UnimplementedInspectServiceServer
	enrichmentv1.UnimplementedLedgerServiceServer
	addr string

	mu       sync.Mutex
	jobs     map[string]*ingestv1.Job // by number
	contacts []*contactsv1.Contact
	account  *accountsv1.Account
	breaks   []int64 // offsets at which uploads break, one each time
	lag      int64   // bytes received and not durable when it breaks
	file     []byte  // durable
	header   *ingestv1.UploadHeader
	offsets  []int64 // that uploads began at
	watches  []*ingestv1.WatchEventsRequest
	events   [][]*ingestv1.WatchEventsResponse // of each watch; then the stream breaks, after the last one it stays
	becomes  *ingestv1.Job                     // what the last watch tells of: the job is so before it is told
	answered *ingestv1.AnswerJobRequest
	undone   *ingestv1.UndoJobRequest
	history  *contactsv1.GetContactHistoryResponse
	set      *accountsv1.UpdateAccountRequest
	fields   []*accountsv1.Field
	updated  *accountsv1.UpdateFieldRequest
	coded    *accountsv1.SetCodesRequest
	uncoded  error // why codes are refused

	wishes     []*validatorv1.Wish // of an inspection
	pieces     []*validatorv1.Piece
	inspected  *validatorv1.InspectHeader
	inspection *validatorv1.Inspection
	busy       int   // times that an inspection is put off
	cannot     error // why nothing can be inspected, or no books be read

	asked proto.Message // the last question about a plan or the books

	sums    []*enrichmentv1.BatchSum
	batches []*enrichmentv1.Batch

	watching chan struct{} // told when a watch has sent all it has and stays
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{jobs: map[string]*ingestv1.Job{}, watching: make(chan struct{}, 8)}
	g, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", Auth: s, DrainLimit: time.Second, Telemetry: telemetry.New("server", "", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = g.Addr()
	ingestv1.RegisterUploadServiceServer(g.Registrar(), s)
	ingestv1.RegisterJobsServiceServer(g.Registrar(), s)
	ingestv1.RegisterEventsServiceServer(g.Registrar(), s)
	contactsv1.RegisterContactsServiceServer(g.Registrar(), s)
	accountsv1.RegisterAccountsServiceServer(g.Registrar(), s)
	accountsv1.RegisterFieldsServiceServer(g.Registrar(), s)
	validatorv1.RegisterInspectServiceServer(g.Registrar(), s)
	enrichmentv1.RegisterLedgerServiceServer(g.Registrar(), s)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server ended with %v", err)
		}
	})
	return s
}

// result is what a run of the command line left.
type result struct {
	code     int
	out, err string
}

func (s *server) run(t *testing.T, in string, args ...string) result {
	t.Helper()
	return s.runIn(t.Context(), in, args...)
}

func (s *server) runIn(ctx context.Context, in string, args ...string) result {
	var out, errs bytes.Buffer
	code := cli.Run(ctx, args, []string{"CONTACTMILL_ADDR=" + s.addr, "CONTACTMILL_API_KEY=" + apiKey}, strings.NewReader(in), &out, &errs)
	return result{code, out.String(), strings.ReplaceAll(errs.String(), s.addr, "SERVER")}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func (s *server) Authenticate(_ context.Context, key string) (rpc.Caller, error) {
	if key != apiKey {
		return rpc.Caller{}, fault.New(fault.Unauthenticated, "no-credential", "no")
	}
	return rpc.Caller{Account: uuid.UUID{1}, Role: rpc.Admin, KeyID: uuid.UUID{2}}, nil
}

func (s *server) put(jobs ...*ingestv1.Job) {
	for _, j := range jobs {
		s.jobs[strings.TrimPrefix(j.Id, "job-")] = j
	}
}

// job is one with all that a job can have, in a state.
func job(number string, state ingestv1.JobState, counts *ingestv1.Counts) *ingestv1.Job {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	n := int64(0)
	for _, d := range number {
		n = n*10 + int64(d-'0')
	}
	j := &ingestv1.Job{Id: "job-" + number, Number: n, State: state, FileName: "leads.csv", Counts: counts, CreatedAt: timestamppb.New(at), Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD}}
	if state >= ingestv1.JobState_JOB_STATE_COMPLETED {
		j.EndedAt = timestamppb.New(at.Add(2500 * time.Millisecond))
	}
	return j
}

func (s *server) GetJob(_ context.Context, r *ingestv1.GetJobRequest) (*ingestv1.GetJobResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[strings.TrimPrefix(r.Job, "job-")]
	if j == nil {
		return nil, fault.New(fault.NotFound, "unknown-job", "no such job")
	}
	return &ingestv1.GetJobResponse{Job: j}, nil
}

func (s *server) ListJobs(_ context.Context, r *ingestv1.ListJobsRequest) (*ingestv1.ListJobsResponse, error) {
	a := &ingestv1.ListJobsResponse{}
	for _, n := range []string{"7", "6", "5", "3", "2", "1"} {
		if j := s.jobs[n]; j != nil && len(a.Jobs) < int(r.PageSize) {
			a.Jobs = append(a.Jobs, j)
		}
	}
	return a, nil
}

func (s *server) AnswerJob(_ context.Context, r *ingestv1.AnswerJobRequest) (*ingestv1.AnswerJobResponse, error) {
	s.answered = r
	return &ingestv1.AnswerJobResponse{Job: s.jobs[r.Job]}, nil
}

func (s *server) CancelJob(context.Context, *ingestv1.CancelJobRequest) (*ingestv1.CancelJobResponse, error) {
	return nil, fault.New(fault.Precondition, "too-late", "job 1 is COMPLETED").Hint("undo it instead")
}

func (s *server) UndoJob(_ context.Context, r *ingestv1.UndoJobRequest) (*ingestv1.UndoJobResponse, error) {
	s.undone = r
	j := s.jobs[r.Job]
	if j == nil {
		return nil, fault.New(fault.Precondition, "not-undoable", "job %s is REJECTED and has changed nothing", r.Job)
	}
	return &ingestv1.UndoJobResponse{Job: j}, nil
}

func (s *server) GetContactHistory(context.Context, *contactsv1.GetContactHistoryRequest) (*contactsv1.GetContactHistoryResponse, error) {
	return s.history, nil
}

func (s *server) DownloadReport(r *ingestv1.DownloadReportRequest, stream grpc.ServerStreamingServer[ingestv1.DownloadReportResponse]) error {
	if r.Report == ingestv1.Report_REPORT_RETURN_TO_SENDER {
		return stream.Send(&ingestv1.DownloadReportResponse{Chunk: []byte("line,contact_id,field\r\n")})
	}
	if r.Report == ingestv1.Report_REPORT_PLAN {
		return stream.Send(&ingestv1.DownloadReportResponse{Chunk: []byte("plan of " + r.Outcome.String() + "\r\n")})
	}
	for _, part := range []string{"Email,line\r\n", r.Outcome.String(), "\r\n"} {
		if err := stream.Send(&ingestv1.DownloadReportResponse{Chunk: []byte(part)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) ListContacts(context.Context, *contactsv1.ListContactsRequest) (*contactsv1.ListContactsResponse, error) {
	return &contactsv1.ListContactsResponse{Contacts: s.contacts}, nil
}

func (s *server) GetContact(context.Context, *contactsv1.GetContactRequest) (*contactsv1.GetContactResponse, error) {
	return &contactsv1.GetContactResponse{Contact: s.contacts[0]}, nil
}

func (s *server) GetAccount(context.Context, *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	return &accountsv1.GetAccountResponse{Account: s.account}, nil
}

func (s *server) WatchEvents(r *ingestv1.WatchEventsRequest, stream grpc.ServerStreamingServer[ingestv1.WatchEventsResponse]) error {
	s.mu.Lock()
	n := len(s.watches)
	s.watches = append(s.watches, r)
	var send []*ingestv1.WatchEventsResponse
	if n < len(s.events) {
		send = s.events[n]
	}
	last := n >= len(s.events)-1
	if last && s.becomes != nil {
		s.put(s.becomes)
	}
	s.mu.Unlock()
	for _, e := range send {
		if err := stream.Send(e); err != nil {
			return err
		}
	}
	if !last {
		return fault.New(fault.Unavailable, "away", "the server goes")
	}
	s.watching <- struct{}{}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (s *server) Upload(stream grpc.ClientStreamingServer[ingestv1.UploadRequest, ingestv1.UploadResponse]) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	h := m.GetHeader()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offsets = append(s.offsets, h.GetOffset())
	if h == nil || h.Offset > int64(len(s.file)) || h.Offset > 0 && h.UploadId != "up-1" || s.header != nil && s.header.RequestId != h.RequestId {
		return fault.New(fault.Invalid, "bad-header", "a header that cannot be: %v", h)
	}
	s.header, s.file = h, s.file[:h.Offset]
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		s.file = append(s.file, m.GetChunk()...)
		if len(s.breaks) > 0 && int64(len(s.file)) >= s.breaks[0] {
			s.file = s.file[:max(0, s.breaks[0]-s.lag)]
			s.breaks = s.breaks[1:]
			return fault.New(fault.Unavailable, "away", "the server goes")
		}
	}
	if sum := sha256.Sum256(s.file); h.Sha256 != "" && (hex.EncodeToString(sum[:]) != h.Sha256 || h.Size != int64(len(s.file))) {
		return fault.New(fault.DataLoss, "bad-sum", "other bytes than were said")
	}
	return stream.SendAndClose(&ingestv1.UploadResponse{Job: job("1", ingestv1.JobState_JOB_STATE_QUEUED, nil)})
}

func (s *server) GetUpload(_ context.Context, r *ingestv1.GetUploadRequest) (*ingestv1.GetUploadResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.header == nil || s.header.RequestId != r.RequestId || len(s.file) == 0 {
		return nil, fault.New(fault.NotFound, "unknown-upload", "no such upload")
	}
	return &ingestv1.GetUploadResponse{UploadId: "up-1", Offset: int64(len(s.file))}, nil
}
