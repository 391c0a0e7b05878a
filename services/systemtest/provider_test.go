package systemtest

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// TestProvider runs the platform with a provider that costs money and misbehaves. What one process shows, many show too: all
// topologies are left to the long version.
func TestProvider(t *testing.T) {
	all := topologies(t)
	if !long() && len(all) > 1 {
		all = all[len(all)-1:]
	}
	for _, o := range all {
		t.Run(o.name, func(t *testing.T) {
			p := startProvider(t)
			s := start(t, p.asks(o))
			s.client = append(s.client, "PROVIDER=http://"+p.http) // docs/recipes.md has it misbehave
			t.Run("cases", func(t *testing.T) {
				for _, c := range []struct {
					name string
					run  func(*testing.T, *target, *provider)
				}{{"Faults", providerFaults}, {"Later", enrichedLater}, {"Once", paidOnce},
					{"Recipes", func(t *testing.T, s *target, _ *provider) { page("recipes.md")(t, s) }}} {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						c.run(t, s, p)
					})
				}
			})
			t.Run("Killed", func(t *testing.T) { providerKilled(t, s, p) })
		})
	}
}

// providerFaults has the provider misbehave towards one account at a time. That account's job waits and is charged nothing, jobs
// of others go on, and once the provider behaves the job completes with its own facts, paid once.
func providerFaults(t *testing.T, s *target, p *provider) {
	for i, b := range []behaviour{
		{Mode: "fail"}, {Mode: "fail", Code: "INTERNAL"}, {Mode: "fail", Code: "UNAUTHENTICATED"}, {Mode: "quota"}, {Mode: "busy", DelayMS: 500}, {Mode: "hang"},
		{Mode: "drip", DelayMS: 200}, {Mode: "cut"}, {Mode: "reset-after-charge"}, {Mode: "end"}, {Mode: "lie"}, {Mode: "unchecked"}, {Mode: "wrong-batch"}, {Mode: "twice"}, {Mode: "short"},
		{Mode: "index"}, {Mode: "control"}, {Mode: "dear"}, {Mode: "garbage"}, {Mode: "huge"},
	} {
		block := 1 + i
		t.Run(b.Mode+b.Code, func(t *testing.T) {
			t.Parallel()
			size := 40
			if b.Mode == "twice" { // the second answer is taken for that to the second batch
				size += batch
			}
			b.Phones = prefix(block)
			p.behave(t, b)
			a := s.tenant(t, 1000)
			j := a.hands(t, file(t, "new.csv", table(people(10_000*block, size))), "upsert", "--list", b.Mode)
			code := waits(t, s, j.ID)
			// others go on meanwhile
			other := s.tenant(t, 1000)
			if j := other.imports(t, 0, file(t, "other.csv", table(people(10_000*block+5000, 5))), "upsert", "--ignore", "Phone number"); j.State != "COMPLETED" || j.Counts.Sent != 5 {
				t.Errorf("another account's job ended as %+v", j)
			}
			// so do jobs of this account that need no provider, as soon as it is their turn; until then they wait behind it
			behind := a.hands(t, file(t, "behind.csv", table(people(10_000*block, 5))), "update")
			if now := a.get(t, j.ID); now.State != "ENRICHING" || a.held(t) != 0 {
				t.Errorf("the job is %s (%s) and %d contacts are there, want it to wait", now.State, code, a.held(t))
			}
			p.behave(t, behaviour{Mode: "ok", Phones: b.Phones})
			j = a.ended(t, j.ID)
			if j.State != "COMPLETED" || j.Counts.Added != size || j.Counts.Sent != size {
				t.Fatalf("the job ended as %+v", j)
			}
			if j.Cost.Micros != size*price || j.Cost.Currency != "EUR" {
				t.Errorf("the job cost %+v, want %d millionths of EUR", j.Cost, size*price)
			}
			for _, c := range charges(t, s, j.ID) {
				if c.Faults > 0 || c.LeasesLost > 0 {
					t.Errorf("the job was charged: %v", c)
				}
			}
			known := 0
			for _, c := range a.all(t) {
				known += ownFacts(t, c)
			}
			if known != j.Counts.Known || known == 0 || known == size {
				t.Errorf("%d contacts have facts, the job counts %d of %d", known, j.Counts.Known, size)
			}
			if j := a.ended(t, behind.ID); j.State != "COMPLETED" || j.Counts.Unchanged != 5 {
				t.Errorf("the job behind ended as %+v", j)
			}
		})
	}
}

// ownFacts wants that what is said of a contact was said of its own values, and tells whether anything was.
func ownFacts(t *testing.T, c contact) int {
	t.Helper()
	want := map[string]string{}
	for _, about := range []string{"phone", "email"} {
		value := c.Values[about]
		last := value
		if about == "email" {
			last, _, _ = strings.Cut(value, "@")
		}
		if last != "" && (last[len(last)-1]-'0')%2 == 1 {
			want[about] = fmt.Sprintf("%08x", crc32.Checksum([]byte(value), crc32.MakeTable(crc32.Castagnoli)))
		}
	}
	if diff := cmp.Diff(want, marks(c)); diff != "" {
		t.Errorf("what is said of contact %s (-want +got):\n%s", c.ID, diff)
	}
	return min(1, len(want))
}

// enrichedLater lets jobs go on whose provider does not answer; their contacts are enriched by themselves once it does.
func enrichedLater(t *testing.T, s *target, p *provider) {
	const block, size = 30, 60
	a := s.tenant(t, 1000)
	var account struct {
		ProviderDown string `json:"provider_down"`
	}
	a.ok(t, &account, "accounts", "set", a.name, "--provider-down", "complete")
	p.behave(t, behaviour{Mode: "fail", Phones: prefix(block)})
	j := a.imports(t, 0, file(t, "new.csv", table(people(10_000*block, size))), "upsert")
	if j.State != "COMPLETED" || j.Counts.Added != size || j.Counts.EnrichedLater != size || j.Counts.Sent != 0 {
		t.Fatalf("the job ended as %+v, want all added and left for later", j)
	}
	for _, c := range a.all(t) {
		if len(c.Facts) != 0 {
			t.Fatalf("a contact that nobody asked about has facts: %+v", c)
		}
	}
	// meanwhile somebody changes a phone: what will be said of the old one is not for the new one
	changed := a.all(t)[1]
	var set contact
	a.ok(t, &set, "contacts", "set", changed.ID, "phone="+person(10_000*block+9001).e164())
	p.behave(t, behaviour{Mode: "ok", Phones: prefix(block)})
	await(t, func() (bool, string) {
		asked := rows[booked](t, s, "select batch_id, subjects, cost_micros, failed from enrichment.batches where account_id = $1 and answer is not null", a.id)
		left := rows[struct{ N int }](t, s, "select count(*) as n from enrichment.later where account_id = $1", a.id)
		return len(asked) > 0 && left[0].N == 0, fmt.Sprintf("%d batches answered, %d jobs left to be enriched", len(asked), left[0].N)
	})
	known := 0
	for _, c := range a.all(t) {
		if c.ID == changed.ID {
			if _, said := marks(c)["phone"]; said {
				t.Errorf("a phone that was given by hand has facts: %+v", c)
			}
			continue
		}
		known += ownFacts(t, c)
	}
	if known == 0 {
		t.Error("no contact was enriched")
	}
	// the file again asks nothing
	before := p.paid(t).Calls
	if j := a.imports(t, 0, file(t, "again.csv", table(people(10_000*block, size)[2:])), "upsert"); j.Counts.Unchanged != size-2 {
		t.Errorf("the file again: %+v", j.Counts)
	}
	if a.get(t, j.ID).State != "COMPLETED" {
		t.Error("the job did not stay COMPLETED")
	}
	_ = before // other cases call too: what was paid twice is looked at when all have ended
}

// paidOnce asks about nobody twice within the time that answers are kept: not for another job, not after an undo, not in other
// batches, and tells so in a forecast.
func paidOnce(t *testing.T, s *target, p *provider) {
	const block, size = 31, 50
	a := s.tenant(t, 10_000)
	first := file(t, "first.csv", table(people(10_000*block, size)))
	foreseen := a.imports(t, 0, first, "upsert", "--check")
	if f := foreseen.Forecast; f == nil || f.ToSend != size || f.KnownAlready != 0 || f.Cost.Micros != size*price || f.Cost.Currency != "EUR" {
		t.Fatalf("the check foresees %+v, want %d to be sent for %d", f, size, size*price)
	}
	if j := a.imports(t, 0, first, "upsert"); j.Cost.Micros != size*price || j.Counts.Sent != size {
		t.Fatalf("the job cost %+v for %d sent", j.Cost, j.Counts.Sent)
	}
	var undone job
	a.ok(t, &undone, "jobs", "undo", "2", "--wait")
	// the same people and as many others, in another order
	both := people(10_000*block, 2*size)
	rand.Shuffle(len(both), func(i, k int) { both[i], both[k] = both[k], both[i] })
	second := file(t, "second.csv", table(both))
	handed := a.hands(t, second, "upsert", "--review")
	await(t, func() (bool, string) {
		handed = a.get(t, handed.ID)
		return handed.State == "AWAITING_APPROVAL", handed.State
	})
	if f := handed.Forecast; f == nil || f.ToSend != size || f.KnownAlready != size || f.Cost.Micros != size*price {
		t.Errorf("under review it foresees %+v, want %d to be sent and %d known already", f, size, size)
	}
	var approved job
	a.ok(t, &approved, "jobs", "approve", handed.ID)
	j := a.ended(t, handed.ID)
	if j.State != "COMPLETED" || j.Counts.Added != 2*size || j.Cost.Micros != size*price {
		t.Errorf("the second file ended as %+v, cost %+v; want %d added for %d", j, j.Cost, 2*size, size*price)
	}
	for _, c := range a.all(t) {
		ownFacts(t, c)
	}
	// another account pays for itself
	b := s.tenant(t, 1000)
	if j := b.imports(t, 0, file(t, "other.csv", table(people(10_000*block+2*size, 10))), "upsert"); j.Cost.Micros != 10*price {
		t.Errorf("another account's job cost %+v", j.Cost)
	}
}

// providerKilled kills all that has a hand in asking the provider, and the provider, while accounts hand in files of partly the
// same people, some of which are cancelled. Afterwards what the provider was paid is what the ledger says, to the batch.
func providerKilled(t *testing.T, s *target, p *provider) {
	kills, jobs := 6, 3 // jobs of each account
	if long() {
		kills, jobs = 200, 20
	}
	const accounts = 5
	begun := p.paid(t)
	victims := []string{"provider", "provider"}
	if s.replicas == 0 {
		victims = append(victims, "standalone", "postgres")
	} else {
		victims = append(victims, append(s.replicasOf("enrichment"), append(s.replicasOf("enrichment"), "ingest-1", "merge-1", "contacts-1", "postgres", "nats", "s3")...)...)
	}
	p.behave(t, behaviour{Mode: "slow", DelayMS: 150})
	var done atomic.Int64 // kills
	var clients sync.WaitGroup
	ended := make(chan struct{})
	for k := range accounts {
		random := rand.New(rand.NewPCG(uint64(k), 1))
		a := s.tenant(t, 1_000_000)
		app := a.app(t, k)
		clients.Go(func() {
			var all []string
			for n := range jobs {
				await(t, func() (bool, string) { // the jobs are spread over the kills
					return done.Load() >= int64(n*kills/jobs), fmt.Sprintf("%d of %d kills", done.Load(), kills)
				})
				// half of them people of the file before; so many that a job asks in several batches
				entries := people(10_000*(40+k)+n*200, 400)
				random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
				content := table(entries)
				j, err := app.insist(t.Context(), headerOf(fmt.Sprintf("%s-%d", a.name, n), content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}), content)
				if err != nil {
					t.Errorf("hand in a file: %v", err)
					return
				}
				all = append(all, j.Id)
				if random.IntN(4) == 0 { // while it is with the provider, or before, or after
					_ = a.command(t, "jobs", "cancel", j.Id)
				}
			}
			// the last one asks for whatever was left open
			rest := table(people(10_000*(40+k), jobs*200+200))
			j, err := app.insist(t.Context(), headerOf(a.name+"-rest", rest, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}), rest)
			if err != nil {
				t.Errorf("hand in a file: %v", err)
				return
			}
			for _, id := range append(all, j.Id) {
				var got job
				await(t, func() (bool, string) {
					m, err := app.job(t.Context(), id)
					if err != nil {
						return false, err.Error()
					}
					got = job{Number: m.Number, State: strings.TrimPrefix(m.State.String(), "JOB_STATE_")}
					if got.State == "NEEDS_ANSWER" { // of a sudden nobody is known, as the jobs before were cancelled: it is meant so
						_ = a.command(t, "jobs", "answer", id, "--confirm") // asked again if it met a kill
					}
					return final(got.State), fmt.Sprintf("job %d is %s", got.Number, got.State)
				})
				if got.State != "COMPLETED" && got.State != "CANCELLED" {
					t.Errorf("job %d ended %s", got.Number, got.State)
				}
			}
		})
	}
	go func() { clients.Wait(); close(ended) }()
	modes := []behaviour{{Mode: "reset-after-charge", Times: 2}, {Mode: "fail", Times: 2}, {Mode: "cut", Times: 1}, {Mode: "hang", Times: 1}, {Mode: "slow", DelayMS: 100}, {Mode: "ok"}}
	for range kills {
		victim := victims[rand.IntN(len(victims))]
		if rand.IntN(2) == 0 {
			p.behave(t, modes[rand.IntN(len(modes))])
		}
		if victim == "provider" {
			p.kill(t)
		} else {
			pid := s.kill(t, victim, syscall.SIGKILL)
			s.replaced(t, victim, pid)
		}
		done.Add(1)
	}
	p.behave(t, behaviour{Mode: "ok"})
	<-ended
	books := p.settled(t, s, begun)
	if books.Batches-begun.Batches < accounts*jobs {
		t.Error("hardly anything was paid: the test shows nothing")
	}
	t.Logf("%d kills, %d jobs: %d batches paid; since it was killed last the provider was asked %d times, %d of them for a batch that was paid",
		done.Load(), accounts*(jobs+1), books.Batches-begun.Batches, books.Calls, books.Repeated)
}
