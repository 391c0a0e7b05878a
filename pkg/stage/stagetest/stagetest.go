// Package stagetest is a ledger of a few lines for tests of workers: it hands out what it was given, and tells what came
// of it. That the real ledger answers alike is shown by the real ledger's tests.
package stagetest

import (
	"context"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/pkg/telemetry"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// Key is the service key that a served Ledger knows.
const Key = config.Secret("the-service-key-of-a-test-ledger")

// Ledger hands out stages. Its fields are set before it is used.
type Ledger struct {
	ingestv1.UnimplementedWorkServiceServer
	ingestv1.UnimplementedJobsServiceServer
	Lease time.Duration
	// Remembered is what RecallMapping and GetMapping answer; nothing if nil.
	Remembered *ingestv1.RecallMappingResponse
	// Reported is what RecallJob and GetJob answer, by the job's number.
	Reported map[int64]*ingestv1.RecallJobResponse

	mu      sync.Mutex
	before  func(request proto.Message) error
	work    map[stage]*ingestv1.Work
	tokens  map[stage]int64 // of the claim that holds it; 0: nobody does
	last    int64
	renewed []*ingestv1.RenewRequest
	starts  []*ingestv1.StartInstanceRequest
	ended   chan Ended
}

type stage struct {
	job  string
	name string
}

// Ended is how a claim ended: one of the two is set.
type Ended struct {
	Finish  *ingestv1.FinishRequest
	Release *ingestv1.ReleaseRequest
}

// New makes a ledger that has nothing to do.
func New() *Ledger {
	return &Ledger{Lease: 30 * time.Second, work: map[stage]*ingestv1.Work{}, tokens: map[stage]int64{}, ended: make(chan Ended, 256)}
}

// Serve serves the ledger on an address of its own until the test ends.
func (l *Ledger) Serve(t testing.TB) (addr string) {
	t.Helper()
	s, err := rpc.NewServer(rpc.Options{Addr: "127.0.0.1:0", ServiceKey: Key, DrainLimit: time.Second, Telemetry: telemetry.New("ledger", "", io.Discard)})
	if err != nil {
		t.Fatal(err)
	}
	ingestv1.RegisterWorkServiceServer(s.Registrar(), l)
	ingestv1.RegisterJobsServiceServer(s.Registrar(), l)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve the ledger: %v", err)
		}
	})
	return s.Addr()
}

// Put makes a stage of a job runnable.
func (l *Ledger) Put(r event.Ring, w *ingestv1.Work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.work[stage{r.Job.String(), string(r.Stage)}] = w
}

// Before has each request looked at: an error of f is its answer. nil looks at nothing.
func (l *Ledger) Before(f func(request proto.Message) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = f
}

// Ended gives each finish and release that was taken, in their order.
func (l *Ledger) Ended() <-chan Ended { return l.ended }

// Renewed is every renewal so far.
func (l *Ledger) Renewed() []*ingestv1.RenewRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*ingestv1.RenewRequest(nil), l.renewed...)
}

// Starts is every start of an instance so far.
func (l *Ledger) Starts() []*ingestv1.StartInstanceRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*ingestv1.StartInstanceRequest(nil), l.starts...)
}

// Take gives a stage to somebody else: whoever held it is stale.
func (l *Ledger) Take(r event.Ring) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.tokens[stage{r.Job.String(), string(r.Stage)}] = l.last
}

// StartInstance is part of the contract.
func (l *Ledger) StartInstance(_ context.Context, r *ingestv1.StartInstanceRequest) (*ingestv1.StartInstanceResponse, error) {
	if err := l.look(r); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts = append(l.starts, r)
	return &ingestv1.StartInstanceResponse{}, nil
}

// Claim is part of the contract.
func (l *Ledger) Claim(_ context.Context, r *ingestv1.ClaimRequest) (*ingestv1.ClaimResponse, error) {
	if err := l.look(r); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := stage{r.JobId, r.Stage}
	w := l.work[s]
	switch {
	case w == nil:
		return &ingestv1.ClaimResponse{Reason: "done"}, nil
	case l.tokens[s] != 0:
		return &ingestv1.ClaimResponse{Reason: "held"}, nil
	}
	l.last++
	l.tokens[s] = l.last
	return &ingestv1.ClaimResponse{Granted: true, Token: l.last, Lease: durationpb.New(l.Lease), Work: w}, nil
}

// Renew is part of the contract.
func (l *Ledger) Renew(_ context.Context, r *ingestv1.RenewRequest) (*ingestv1.RenewResponse, error) {
	if err := l.look(r); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.holds(r.Claim); err != nil {
		return nil, err
	}
	l.renewed = append(l.renewed, r)
	return &ingestv1.RenewResponse{Lease: durationpb.New(l.Lease)}, nil
}

// Finish is part of the contract.
func (l *Ledger) Finish(_ context.Context, r *ingestv1.FinishRequest) (*ingestv1.FinishResponse, error) {
	if err := l.look(r); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.holds(r.Claim); err != nil {
		return nil, err
	}
	s := stage{r.Claim.JobId, r.Claim.Stage}
	delete(l.work, s)
	delete(l.tokens, s)
	l.ended <- Ended{Finish: r}
	return &ingestv1.FinishResponse{}, nil
}

// Release is part of the contract.
func (l *Ledger) Release(_ context.Context, r *ingestv1.ReleaseRequest) (*ingestv1.ReleaseResponse, error) {
	if err := l.look(r); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.holds(r.Claim); err != nil {
		return nil, err
	}
	delete(l.tokens, stage{r.Claim.JobId, r.Claim.Stage})
	l.ended <- Ended{Release: r}
	return &ingestv1.ReleaseResponse{}, nil
}

// RecallMapping is part of the contract.
func (l *Ledger) RecallMapping(_ context.Context, r *ingestv1.RecallMappingRequest) (*ingestv1.RecallMappingResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.holds(r.Claim); err != nil || l.Remembered == nil {
		return &ingestv1.RecallMappingResponse{}, err
	}
	return l.Remembered, nil
}

// RecallJob is part of the contract.
func (l *Ledger) RecallJob(_ context.Context, r *ingestv1.RecallJobRequest) (*ingestv1.RecallJobResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.holds(r.Claim); err != nil {
		return nil, err
	}
	if resp := l.Reported[r.GetNumber()]; resp != nil {
		return resp, nil
	}
	return nil, fault.New(fault.NotFound, "unknown-job", "no such job")
}

// GetJob is part of the contract: it finds reported jobs, by their numbers.
func (l *Ledger) GetJob(_ context.Context, r *ingestv1.GetJobRequest) (*ingestv1.GetJobResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for number, job := range l.Reported {
		if strconv.FormatInt(number, 10) == r.GetJob() {
			return &ingestv1.GetJobResponse{Job: job.GetJob()}, nil
		}
	}
	return nil, fault.New(fault.NotFound, "unknown-job", "no such job")
}

// GetMapping is part of the contract; of the jobs' service nothing else is here.
func (l *Ledger) GetMapping(context.Context, *ingestv1.GetMappingRequest) (*ingestv1.GetMappingResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.Remembered
	return &ingestv1.GetMappingResponse{Mapping: r.GetMapping(), DateOrder: r.GetDateOrder(), Values: r.GetValues()}, nil
}

// LeaveToCommit is part of the contract.
func (l *Ledger) LeaveToCommit(_ context.Context, r *ingestv1.LeaveToCommitRequest) (*ingestv1.LeaveToCommitResponse, error) {
	if err := l.look(r); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ingestv1.LeaveToCommitResponse{}, l.holds(r.Claim)
}

func (l *Ledger) look(r proto.Message) error {
	l.mu.Lock()
	f := l.before
	l.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(r)
}

func (l *Ledger) holds(c *ingestv1.Claimant) error {
	if l.tokens[stage{c.GetJobId(), c.GetStage()}] != c.GetToken() {
		return fault.New(fault.Stale, "stale", "the stage is no longer held under token %d", c.GetToken())
	}
	return nil
}

// Ring is a ring of a stage of a new job of a new account.
func Ring(s event.Stage) event.Ring {
	return event.Ring{Account: uuid.Must(uuid.NewV7()), Job: uuid.Must(uuid.NewV7()), Stage: s}
}
