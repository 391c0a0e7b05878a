package inquiry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

const (
	// maxAnswer bounds what a provider may send at once: 3 KiB for each subject of a batch.
	maxAnswer = 16 << 20

	// maxDescribe bounds how long it may take to say what it is.
	maxDescribe = 5 * time.Second

	// leastMemory is how long batch ids are remembered at least where anything costs, and mostPrice what a subject costs at most, in
	// millionths: with that no batch's cost leaves 64 bits.
	leastMemory = 7 * 24 * time.Hour
	mostPrice   = 1e12
)

// Description is what a provider is.
type Description struct {
	Name      string
	Currency  string // empty where nothing costs anything
	Price     int64  // of a subject, at most, in millionths
	MaxBatch  int
	Remembers time.Duration // batch ids
}

// Paid tells whether it costs anything.
func (d *Description) Paid() bool { return d.Currency != "" }

// Describe asks the provider what it is, and keeps the answer for when it is away.
func (d *Desk) Describe(ctx context.Context) (*Description, error) {
	ctx, cancel := context.WithTimeout(bare(ctx), min(d.cfg.Timeout, maxDescribe))
	defer cancel()
	r, err := d.provider.Describe(ctx, &providerv1.DescribeRequest{})
	if err != nil {
		return nil, ours(err)
	}
	about, err := toDescription(r)
	if err != nil {
		return nil, err
	}
	if last := d.last.Load(); last == nil || *last != *about {
		if err := d.keep(ctx, r); err != nil {
			return nil, err
		}
		d.last.Store(about)
	}
	return about, nil
}

// Described is what the provider is, or said last if it does not answer; nil if it never did.
func (d *Desk) Described(ctx context.Context) (*Description, error) {
	about, err := d.Describe(ctx)
	if err == nil {
		return about, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	d.log.InfoContext(ctx, "provider does not say what it is", "error", err)
	if _, err := d.name(ctx); err != nil {
		return nil, err
	}
	return d.last.Load(), nil
}

// name is what the provider was called last: its address where it never said.
func (d *Desk) name(ctx context.Context) (string, error) {
	if last := d.last.Load(); last != nil {
		return last.Name, nil
	}
	var kept []byte
	err := postgres.Map(d.ledger.db.Pool().QueryRow(ctx, d.ledger.sql.Description, d.cfg.Address).Scan(&kept))
	if errors.Is(err, pgx.ErrNoRows) {
		return d.cfg.Address, nil
	}
	if err != nil {
		return "", fmt.Errorf("read what provider %s said last: %w", d.cfg.Address, err)
	}
	r := &providerv1.DescribeResponse{}
	if err := proto.Unmarshal(kept, r); err != nil {
		return "", fmt.Errorf("read what provider %s said last: %w", d.cfg.Address, err)
	}
	about, err := toDescription(r)
	if err != nil {
		return "", err
	}
	d.last.CompareAndSwap(nil, about)
	return about.Name, nil
}

func (d *Desk) keep(ctx context.Context, r *providerv1.DescribeResponse) error {
	b, err := proto.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep what provider %s says: %w", r.Name, err)
	}
	if _, err := d.ledger.db.Pool().Exec(ctx, d.ledger.sql.KeepDescription, d.cfg.Address, b); err != nil {
		return fmt.Errorf("keep what provider %s says: %w", r.Name, postgres.Map(err))
	}
	return nil
}

func toDescription(r *providerv1.DescribeResponse) (*Description, error) {
	about := &Description{Name: r.Name, Currency: r.Currency, Price: r.PriceMicros, MaxBatch: int(r.MaxBatch), Remembers: r.Remembers.AsDuration()}
	if about.MaxBatch == 0 {
		about.MaxBatch = 10_000
	}
	switch {
	case !providerName(about.Name):
		return nil, bad("a name that is not 1 to 64 of a-z, 0-9 and hyphens")
	case about.Currency != "" && !currency(about.Currency):
		return nil, bad("a currency that is none")
	case about.Price < 0 || about.Price > mostPrice || about.Price > 0 && !about.Paid():
		return nil, bad("a price of %d", about.Price)
	case about.MaxBatch < 1 || about.MaxBatch > 10_000:
		return nil, bad("batches of %d", about.MaxBatch)
	case about.Paid() && about.Remembers < leastMemory:
		return nil, bad("batch ids that are forgotten after %s", about.Remembers)
	}
	return about, nil
}

func providerName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

func currency(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) == 3
}

// bare is a context without the metadata of our own calls: which account asks is nobody's business.
func bare(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.MD{})
}

// line is a stream to the provider, opened when it is first needed and given up after any failure.
type line struct {
	desk   *Desk
	stream grpc.BidiStreamingClient[providerv1.EnrichRequest, providerv1.EnrichResponse]
	cancel context.CancelFunc
}

// ask sends a batch and waits for what comes back, for the provider's time at most.
func (l *line) ask(ctx context.Context, q *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	if l.stream == nil {
		open, cancel := context.WithCancel(bare(ctx))
		stream, err := l.desk.provider.Enrich(open, grpc.MaxCallRecvMsgSize(maxAnswer))
		if err != nil {
			cancel()
			return nil, ours(err)
		}
		l.stream, l.cancel = stream, cancel
	}
	timeout := l.desk.cfg.Timeout
	deadline, cancel := context.WithTimeoutCause(ctx, timeout, fault.New(fault.Unavailable, "provider-slow", "no answer in %s", timeout))
	defer cancel()
	type reply struct {
		a   *providerv1.EnrichResponse
		err error
	}
	replies := make(chan reply, 1)
	stream := l.stream
	go func() { // ends with the stream at the latest
		if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) { // EOF: the answer tells why
			replies <- reply{nil, err}
			return
		}
		a, err := stream.Recv()
		replies <- reply{a, err}
	}()
	select {
	case got := <-replies:
		if got.err != nil {
			l.hangUp()
			return nil, ours(got.err)
		}
		return got.a, nil
	case <-deadline.Done():
		l.hangUp()
		<-replies
		return nil, context.Cause(deadline)
	}
}

// hangUp ends the stream.
func (l *line) hangUp() {
	if l.stream != nil {
		l.cancel()
		l.stream = nil
	}
}

// ours tells a provider that does not serve us from one that refuses this batch: only the batch is the job's doing.
func ours(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Unavailable, "provider-ended", "it ended the stream before it answered")
	}
	switch kind := fault.Of(err); kind {
	case fault.Invalid:
		return err
	case fault.Unauthenticated, fault.Denied, fault.Unimplemented, fault.NotFound:
		return fault.Wrap(fault.Unavailable, "provider-refuses", err, "it does not serve us: %s", kind).Hint("check the provider's address and credential")
	case fault.Exhausted:
		return fault.Wrap(fault.Unavailable, "provider-quota", err, "it is over quota, or its answer is too large")
	case fault.Deadline:
		return fault.Wrap(fault.Unavailable, "provider-slow", err, "it does not answer in time")
	default:
		return fault.Wrap(fault.Unavailable, "provider-fails", err, "it fails: %s", kind)
	}
}
