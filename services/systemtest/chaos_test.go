package systemtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// TestChaos kills everything at random, with SIGKILL, while five accounts hand in files, and once loses all of NATS. Then a
// checker compares what the clients were told with what there is.
func TestChaos(t *testing.T) {
	all := topologies(t)
	if !long() && os.Getenv("CONTACTMILL_TOPOLOGY") == "" {
		all = all[len(all)-1:] // the one with most to kill
	}
	for _, o := range all {
		t.Run(o.name, func(t *testing.T) {
			kills, jobs := 5, 10 // jobs of each account
			if long() {
				kills = 20
			}
			seed := rand.Uint64()
			if s := os.Getenv("CONTACTMILL_TEST_SEED"); s != "" {
				var err error
				if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
					t.Fatalf("CONTACTMILL_TEST_SEED: %v", err)
				}
			}
			t.Logf("CONTACTMILL_TEST_SEED=%d", seed)
			chaos(t, start(t, o), rand.New(rand.NewPCG(seed, 0)), kills, jobs)
		})
	}
}

// submission is a file as its client remembers it.
type submission struct {
	request string
	entries []entry
	content []byte
	job     string // id and number, once acknowledged
	number  int64
}

// client is an upstream application that hands in files for an account, one after the other.
type client struct {
	*tenant
	apps  []*app
	files []*submission
}

func newClient(t *testing.T, s *target, number, jobs int, random *rand.Rand) *client {
	c := &client{tenant: s.tenant(t, 100_000)}
	for i := range s.ingest {
		c.apps = append(c.apps, c.app(t, i))
	}
	for i := range jobs {
		// people that other files of the account also have, under another last name each time: the order shows. Some are in all of
		// them, as a file in which nobody is known of a sudden is asked about
		const always = 300
		entries := append(people(10_000*number, always), people(10_000*number+always+random.IntN(1700), 200+random.IntN(1500))...)
		for k := range entries {
			entries[k].last = fmt.Sprintf("Name%d", i)
			if random.IntN(50) == 0 {
				entries[k].bad = true
			}
		}
		c.files = append(c.files, &submission{request: fmt.Sprintf("chaos-%d-%d", number, i), entries: entries, content: table(entries)})
	}
	return c
}

// handIn hands in all files, no more than three ahead of the last that has ended.
func (c *client) handIn(ctx context.Context, ended func(job string)) error {
	const ahead = 3
	for i, f := range c.files {
		app := c.apps[i%len(c.apps)]
		h := headerOf(f.request, f.content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, List: "All"})
		j, err := app.insist(ctx, h, f.content)
		if err != nil {
			return fmt.Errorf("hand in %s: %w", f.request, err)
		}
		f.job, f.number = j.Id, j.Number
		if i >= ahead {
			if err := c.follow(ctx, c.files[i-ahead], ended); err != nil {
				return err
			}
		}
	}
	for _, f := range c.files[max(0, len(c.files)-ahead):] {
		if err := c.follow(ctx, f, ended); err != nil {
			return err
		}
	}
	return nil
}

// follow watches a job to its end, from the last event seen, on another replica each time the watch breaks.
func (c *client) follow(ctx context.Context, f *submission, ended func(string)) error {
	after := int64(0)
	for try := 0; ; try++ {
		over, asks := false, false
		err := c.apps[try%len(c.apps)].watch(ctx, &ingestv1.WatchEventsRequest{Job: f.job, After: after}, func(e *ingestv1.Event) bool {
			if e.Number <= after {
				panic(fmt.Sprintf("event %d comes after event %d", e.Number, after))
			}
			after, asks = e.Number, e.State == ingestv1.JobState_JOB_STATE_NEEDS_ANSWER
			over = e.State >= ingestv1.JobState_JOB_STATE_COMPLETED
			return !over && !asks
		})
		if asks {
			return fmt.Errorf("job %d asks, and nobody answers here", f.number)
		}
		if over {
			ended(f.job)
			return nil
		}
		if err != nil && !transient(err) {
			return fmt.Errorf("watch job %d: %w", f.number, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("watch job %d: %w", f.number, errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func chaos(t *testing.T, s *target, random *rand.Rand, kills, jobs int) {
	const accounts = 5
	var clients []*client
	for i := range accounts {
		clients = append(clients, newClient(t, s, i, jobs, random))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var done atomic.Int64
	progress := make(chan struct{}, accounts*jobs)
	var group sync.WaitGroup
	errs := make([]error, accounts)
	for i, c := range clients {
		group.Go(func() {
			errs[i] = c.handIn(ctx, func(string) {
				done.Add(1)
				progress <- struct{}{}
			})
			if errs[i] != nil {
				cancel() // nothing can become of the whole
			}
		})
	}

	// the kills are spread over the jobs: one when so many have ended, or when nothing ends any more
	victims := append(s.services(), "postgres", "s3", "nats")
	wipe := random.IntN(kills)
	senders := 0 // of mail that were killed or stood still
	for i := range kills {
		for patient := true; patient && ctx.Err() == nil && done.Load() < int64(i*accounts*jobs/(kills+1)); {
			select {
			case <-progress:
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
				patient = false
			}
		}
		if ctx.Err() != nil {
			break
		}
		if workers := s.workers(); long() && len(workers) > 0 && random.IntN(3) == 0 {
			// in between one stands still for longer than its lease, and then goes on as if nothing had been
			still := workers[random.IntN(len(workers))]
			t.Logf("after %d jobs %s stands still", done.Load(), still)
			resume := s.pause(t, still)
			group.Go(func() {
				<-time.After(lease + lease/5)
				resume()
			})
			if strings.HasPrefix(still, "email") {
				senders++
			}
		}
		victim := victims[random.IntN(len(victims))]
		if i == wipe {
			t.Logf("kill %d, after %d jobs: NATS, and all it has", i+1, done.Load())
			s.wipe(t)
			continue
		}
		t.Logf("kill %d, after %d jobs: %s", i+1, done.Load(), victim)
		pid := s.kill(t, victim, syscall.SIGKILL)
		s.replaced(t, victim, pid)
		if victim == "standalone" || strings.HasPrefix(victim, "email") {
			senders++
		}
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	checker{t: t, s: s, repeats: senders}.check(clients)
}
