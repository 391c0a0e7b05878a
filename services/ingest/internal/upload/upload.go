// Package upload takes files. Bytes go to the object store in parts as they come; how far they came stands in the
// upload's row, with the state of the SHA-256 over them, so that any replica goes on where another stopped. Only when
// bytes, size and checksum are right does the ledger make a job of it, and only then is the client told so.
//
// A file of up to one part is a single durable put. Larger ones are a multipart upload. Of the streams that were ever
// opened on an upload only the last can save a part: the ledger refuses the others. The object comes into being by the
// completion of exactly the parts in the row, so that what a refused stream still sends does no harm.
//
// What is given up is never removed here but left to the sweeper, which knows under lock that no job needs it.
package upload

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/account"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

const (
	// acceptFor bounds what is done after the last byte, even if the client has gone: it comes back with its request id.
	acceptFor = 60 * time.Second
	// attempts to find out what became of a commit whose answer was lost.
	attempts = 3
)

// Limits bound uploads. Zero fields mean the defaults.
type Limits struct {
	FileSize int64         // bytes of a file; 2 GiB
	Idle     time.Duration // between two messages; 60 s
	Total    time.Duration // of one stream, which may be resumed; 1 h
	Keep     time.Duration // of an upload without progress; 24 h
	Slots    int           // uploads at work at once, each with two parts of 5 MiB at most; 32
}

func (l Limits) withDefaults() Limits {
	if l.FileSize <= 0 {
		l.FileSize = 2 << 30
	}
	if l.Idle <= 0 {
		l.Idle = time.Minute
	}
	if l.Total <= 0 {
		l.Total = time.Hour
	}
	if l.Keep <= 0 {
		l.Keep = 24 * time.Hour
	}
	if l.Slots <= 0 {
		l.Slots = 32
	}
	return l
}

// Service is the UploadService.
type Service struct {
	ingestv1.UnimplementedUploadServiceServer

	ledger   *ledger.Ledger
	store    *blob.Store
	accounts *account.Source
	sweep    func()
	limits   Limits
	log      *slog.Logger

	slots    *slots
	draining chan struct{}
	mu       sync.Mutex // between the end of Run and the start of a reader
	readers  sync.WaitGroup
}

// New returns the service. sweep is called when an upload was given up, to have its bytes removed soon.
func New(l *ledger.Ledger, store *blob.Store, accounts *account.Source, sweep func(), limits Limits, log *slog.Logger) *Service {
	limits = limits.withDefaults()
	return &Service{
		ledger: l, store: store, accounts: accounts, sweep: sweep, limits: limits, log: log,
		slots: newSlots(limits.Slots), draining: make(chan struct{}),
	}
}

// Run waits for ctx to end, then cuts the uploads under way with Unavailable (clients resume them on another replica) and
// waits for them.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	close(s.draining)
	s.mu.Unlock()
	s.readers.Wait()
	return nil
}

// enter counts a reader in, unless the service is stopping.
func (s *Service) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.draining:
		return draining()
	default:
		s.readers.Add(1)
		return nil
	}
}

// Upload implements the contract.
func (s *Service) Upload(in stream) error {
	ctx := in.Context()
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	r := receive(in, s.limits.Idle, s.limits.Total, s.draining, s.readers.Done)
	first, err := r.header(ctx)
	if err != nil {
		return err
	}
	h, err := fromHeader(first, s.limits.FileSize, time.Now())
	if err != nil {
		return err
	}
	release, err := s.slots.take(ctx, caller.Account)
	if err != nil {
		return err
	}
	defer release()
	job, existing, err := s.take(ctx, caller, h, r)
	if err != nil {
		return err
	}
	return in.SendAndClose(&ingestv1.UploadResponse{Job: view.Job(job), Existing: existing})
}

// take makes a job of a stream.
func (s *Service) take(ctx context.Context, caller rpc.Caller, h header, r *receiver) (ledger.Job, bool, error) {
	var settled ledger.Account
	var asking errgroup.Group // the submitter waits for both, but for the second only if there is no job yet
	needed, notNeeded := context.WithCancel(ctx)
	defer notNeeded()
	asking.Go(func() (err error) {
		settled, err = s.accounts.Settled(needed, caller.Account)
		return err
	})
	job, err := s.accepted(ctx, caller, h)
	if err == nil || fault.Of(err) != fault.NotFound {
		notNeeded()
		_ = asking.Wait() // what it said is of no use
		return job, true, err
	}
	if err := asking.Wait(); err != nil {
		return ledger.Job{}, false, err
	}
	if err := view.KnownFields(settled.Fields, h.settings.Mapping, h.settings.Values); err != nil {
		return ledger.Job{}, false, err
	}
	if err := view.KnownPolicies(settled.Fields, h.settings.Policies); err != nil {
		return ledger.Job{}, false, err
	}
	b, err := s.begin(ctx, caller.Account, h)
	if err != nil {
		return ledger.Job{}, false, err
	}
	defer b.wait()
	if err := b.receive(ctx, r); err != nil {
		return ledger.Job{}, false, err
	}

	// From here on the bytes are ours, and the client may go: it will find the job by its request id.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptFor)
	defer cancel()
	file, err := b.end(ctx)
	if err != nil {
		if fault.Of(err) == fault.Invalid || fault.Code(err) == "upload-damaged" {
			b.giveUp(ctx)
		}
		return ledger.Job{}, false, err
	}
	job, existing, err := s.accept(ctx, caller, ledger.Submission{
		RequestID: h.requestID, Upload: b.id(), FileName: h.fileName, File: file, Settings: h.settings, Account: settled,
	})
	if err != nil {
		if fault.Of(err) == fault.Exists {
			b.giveUp(ctx)
		}
		return ledger.Job{}, false, err
	}
	if job.Upload != b.id() {
		b.giveUp(ctx)
		return job, true, nil
	}
	// existing with this very upload: our own commit, whose answer was lost, or that of the stream this one resumed
	return job, existing && h.offset > 0, nil
}

// accepted looks for a job of the request id before the file is read. NotFound means that the file is needed: there is
// none, or only its bytes can tell whether it is the same submission.
func (s *Service) accepted(ctx context.Context, caller rpc.Caller, h header) (ledger.Job, error) {
	job, err := s.ledger.JobByRequest(ctx, caller.Account, h.requestID)
	if err != nil {
		return ledger.Job{}, err
	}
	file := ledger.Object{Size: h.size, SHA256: h.sha256}
	if file.Size == 0 {
		file.Size = job.File.Size
	}
	if file.SHA256 == "" {
		if h.upload != job.Upload {
			return ledger.Job{}, unknownUpload()
		}
		file.SHA256 = job.File.SHA256
	}
	// The ledger compares; it makes no job of a request id that has one.
	job, _, err = s.accept(ctx, caller, ledger.Submission{RequestID: h.requestID, File: file, Settings: h.settings})
	return job, err
}

// accept asks again while the answer of a commit is lost.
func (s *Service) accept(ctx context.Context, caller rpc.Caller, sub ledger.Submission) (job ledger.Job, existing bool, err error) {
	sub.SubmittedBy, sub.SubmitterEmail = caller.KeyID.String(), caller.Email
	err = again(ctx, func() error {
		job, existing, err = s.ledger.Accept(ctx, caller.Account, sub)
		return err
	})
	return job, existing, err
}

// GetUpload implements the contract.
func (s *Service) GetUpload(ctx context.Context, req *ingestv1.GetUploadRequest) (*ingestv1.GetUploadResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	requestID, err := view.FromRequestID(req.GetRequestId())
	if err != nil {
		return nil, err
	}
	job, err := s.ledger.JobByRequest(ctx, account, requestID)
	if err == nil {
		resp := &ingestv1.GetUploadResponse{Offset: job.File.Size, Job: view.Job(job)}
		if job.Upload != uuid.Nil { // the request of an undo has none
			resp.UploadId = job.Upload.String()
		}
		return resp, nil
	}
	if fault.Of(err) != fault.NotFound {
		return nil, err
	}
	u, err := s.ledger.FindUpload(ctx, account, requestID)
	if err != nil {
		return nil, err
	}
	if u.Offset == 0 {
		return nil, unknownUpload()
	}
	return &ingestv1.GetUploadResponse{UploadId: u.ID.String(), Offset: u.Offset, ExpiresAt: timestamppb.New(u.ExpiresAt)}, nil
}

// again calls fn again while it cannot be known whether its commit took place.
func again(ctx context.Context, fn func() error) error {
	var err error
	for range attempts {
		if err = fn(); err == nil || !errors.Is(err, postgres.ErrCommitUnknown) || ctx.Err() != nil {
			return err
		}
	}
	return err
}
