package inquiry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// Where a worker may die on its way to the provider and back. What it has done in the database by then is done.
const (
	noted  = iota // its batch is in the ledger and was not sent
	sent          // the provider has the batch and is answering
	heard         // the answer is here and not in the ledger
	points        // it lives on
)

// fated is a provider's client that kills its worker at a point of its way, at the nth batch from now.
type fated struct {
	providerv1.ProviderServiceClient
	point, in atomic.Int64
	kill      atomic.Pointer[context.CancelFunc]
}

func (f *fated) Enrich(ctx context.Context, opts ...grpc.CallOption) (grpc.BidiStreamingClient[providerv1.EnrichRequest, providerv1.EnrichResponse], error) {
	s, err := f.ProviderServiceClient.Enrich(ctx, opts...)
	return &fatedStream{s, f}, err
}

func (f *fated) dies(at int64) error {
	if f.point.Load() != at || f.in.Load() > 0 {
		return nil
	}
	(*f.kill.Load())()
	return errKilled
}

type fatedStream struct {
	grpc.BidiStreamingClient[providerv1.EnrichRequest, providerv1.EnrichResponse]
	f *fated
}

func (s *fatedStream) Send(q *providerv1.EnrichRequest) error {
	s.f.in.Add(-1)
	if err := s.f.dies(noted); err != nil {
		return err
	}
	return errors.Join(s.BidiStreamingClient.Send(q), s.f.dies(sent))
}

func (s *fatedStream) Recv() (*providerv1.EnrichResponse, error) {
	a, err := s.BidiStreamingClient.Recv()
	if dead := s.f.dies(heard); dead != nil {
		return nil, dead
	}
	return a, err
}

// 100 jobs of three accounts, with people in common, whose workers are killed 200 times, wherever they are. In the end the
// provider has been paid once for each phone and email of an account, by batches that are all in the ledger at what they cost.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	const jobs, kills = 100, 200
	c := newCounter(t, inquirytest.Paid())
	c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 20 })
	f := &fated{ProviderServiceClient: c.Desk.provider}
	c.Desk.provider = f
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	accounts := []uuid.UUID{uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())}
	killed := 0
	for job := range jobs {
		a := random.IntN(len(accounts))
		c.account = accounts[a]
		rows := people(10_000*a+random.IntN(6000), 30+random.IntN(90)) // no two accounts share anybody, so that the provider can tell
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		cancelled := random.IntN(4) == 0
		for tries := 0; ; tries++ {
			ctx, kill := context.WithCancel(t.Context())
			f.kill.Store(&kill)
			f.point.Store(points)
			if tries < 8 && killed < kills {
				f.point.Store(int64(random.IntN(points)))
				f.in.Store(1 + int64(random.IntN(2)))
			}
			_, said, err := c.run(ctx, newCounterAt(c), nil, rows)
			dead := ctx.Err() != nil
			kill()
			if dead {
				if killed++; cancelled {
					break
				}
				continue
			}
			if err != nil {
				t.Fatalf("seed %d, job %d: %v", seed, job, err)
			}
			saidRight(t, rows, said)
			break
		}
	}
	f.point.Store(points)
	for _, c.account = range accounts {
		if err := c.Settle(t.Context(), c.account); err != nil {
			t.Fatal(err)
		}
	}
	if killed < kills {
		t.Errorf("only %d kills", killed)
	}
	t.Logf("seed %d: %d kills over %d jobs", seed, killed, jobs)
	c.whole(t)
	if n := count[int](t, c, "select count(*) from enrichment.breakers where failures > 0"); n != 0 {
		t.Error("that workers die is held against the provider")
	}
}

// While the provider answers one batch, all before it are saved, and each is noted, with its values, before it is sent.
func TestEachAnswerIsSavedBeforeTheNextBatchIsSent(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*inquirytest.Provider{"free": inquirytest.Free(), "paid": inquirytest.Paid()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, p)
			c.provider.Describes(func(d *providerv1.DescribeResponse) { d.MaxBatch = 10 })
			c.provider.Lapses(func(n int, q *providerv1.EnrichRequest, _ *providerv1.EnrichResponse) error {
				var open, answered, values, want int
				var me bool
				err := c.owner.QueryRow(context.Background(), `select count(*) filter (where answer is null), count(answer), bool_or(batch_id = $1 and answer is null and subjects = $2),
					(select count(*) from enrichment.answers where batch_id = $1) from enrichment.batches`, q.BatchId, len(q.Subjects)).Scan(&open, &answered, &me, &values)
				if name == "paid" {
					want = 2 * len(q.Subjects)
				}
				if err != nil || open != 1 || answered != n || !me || values != want {
					t.Errorf("batch %d: %d open, %d answered, noted itself: %t with %d values: %v", n, open, answered, me, values, err)
				}
				return nil
			})
			if _, _, err := c.run(t.Context(), c.Desk, nil, people(0, 35)); err != nil {
				t.Fatal(err)
			}
			c.whole(t)
		})
	}
}

// A worker that is stopped in the middle of noting a batch does not keep whoever takes over from asking it.
func TestFrozenWhileNotingABatch(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*inquirytest.Provider{"free": inquirytest.Free(), "paid": inquirytest.Paid()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, p)
			rows := people(0, 5)
			if _, _, err := c.run(t.Context(), c.Desk, nil, rows); err != nil { // the batch that it will be
				t.Fatal(err)
			}
			id := count[string](t, c, "select batch_id from enrichment.batches")
			c.exec(t, "delete from enrichment.batches")
			c.exec(t, "delete from enrichment.answers")

			frozen := c.database.Impatient(t, "enrichment", schema.Name, 200*time.Millisecond)
			begun, done, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- frozen.InAccount(t.Context(), c.account, func(ctx context.Context, tx pgx.Tx) error {
					_, err := tx.Exec(ctx, c.ledger.sql.InsertBatch, c.account, "test", id, uuid.New(), len(rows), nil, 0.0, "")
					close(begun)
					<-done
					return err
				})
			}()
			<-begun
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, said, err := c.run(ctx, c.Desk, nil, rows)
			close(done)
			if err != nil {
				t.Fatalf("who took over: %v", err)
			}
			saidRight(t, rows, said)
			if err := <-ended; fault.Of(err) != fault.Unavailable {
				t.Errorf("who stood still: %v", err)
			}
		})
	}
}

// What is told while the provider rests goes on at once when it has rested: nobody has to do anything.
func TestRestEndsByItself(t *testing.T) {
	t.Parallel()
	c := newCounter(t, inquirytest.Paid())
	c.cfg.Backoff = 20 * time.Millisecond
	c.provider.Lapses(failing(fault.Unavailable))
	if _, _, err := c.run(t.Context(), c.Desk, nil, people(0, 1)); !errors.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	c.provider.Lapses(nil)
	for deadline := time.Now().Add(time.Minute); ; {
		_, _, err := c.run(t.Context(), c.Desk, nil, people(0, 1))
		if err == nil {
			break
		}
		down, ok := errors.AsType[*Down](err)
		if !ok || time.Now().After(deadline) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(down.Left + time.Millisecond):
		}
	}
	c.whole(t)
}
