package systemtest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// packageShared hands in files at once that together exceed the package by their rows: what counts is who is new when their
// turn has come.
func packageShared(t *testing.T, s *target) {
	a := s.tenant(t, 150)
	first := a.hands(t, file(t, "first.csv", table(people(0, 100))), "upsert")
	fits := a.hands(t, file(t, "fits.csv", table(people(50, 100))), "upsert")       // 50 of them are the first file's
	exceeds := a.hands(t, file(t, "exceeds.csv", table(people(100, 51))), "upsert") // one is new to both
	known := a.hands(t, file(t, "known.csv", table(people(0, 150))), "upsert")
	if j := a.ended(t, first.ID); j.State != "COMPLETED" || j.Counts.Added != 100 {
		t.Errorf("the first file ended %s: %+v", j.State, j.Counts)
	}
	if j := a.ended(t, fits.ID); j.State != "COMPLETED" || j.Counts.Added != 50 || j.Counts.Unchanged != 50 {
		t.Errorf("the file that shares people with the first ended %s: %+v, want 50 added and 50 unchanged", j.State, j.Counts)
	}
	j := a.ended(t, exceeds.ID)
	if j.State != "REJECTED" || j.Problem == nil || j.Problem.Code != "package-too-small" || j.Counts.Sent != 0 {
		t.Fatalf("the file with one too many ended as %+v, want REJECTED, and nobody asked about", j)
	}
	for _, number := range []string{"150 contacts", "holds 150", "brings 1 "} {
		if !strings.Contains(j.Problem.Message, number) {
			t.Errorf("%q does not say %q", j.Problem.Message, number)
		}
	}
	if j := a.ended(t, known.ID); j.State != "COMPLETED" || j.Counts.Unchanged != 150 {
		t.Errorf("a file of those held already ended %s: %+v, want 150 unchanged in a full package", j.State, j.Counts)
	}
	if n := a.held(t); n != 150 {
		t.Errorf("%d contacts, want 150", n)
	}
}

// packageCrowded lets eight clients add contacts by hand and by files, all at once, until the package is full: nobody who looks
// sees it exceeded, every refusal was true, and what was let in is there.
func packageCrowded(t *testing.T, s *target) {
	const clients, most, pool = 8, 300, 900
	a := s.tenant(t, most)
	service := a.contacts(t)
	var running sync.WaitGroup
	var highest, samples atomic.Int64
	over := make(chan struct{})
	running.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			r, err := service.CountContacts(a.ctx(t.Context()), &contactsv1.CountContactsRequest{})
			if err != nil {
				if !transient(err) {
					t.Errorf("count contacts: %v", err)
					return
				}
				continue
			}
			samples.Add(1)
			highest.Store(max(highest.Load(), r.Count))
		}
	})
	var jobs sync.Map // ids
	var added, refused atomic.Int64
	var busy sync.WaitGroup
	for c := range clients {
		random := rand.New(rand.NewPCG(uint64(c), 7))
		app := a.app(t, c)
		busy.Go(func() {
			for n := range 12 {
				if n%3 == 2 {
					entries := people(random.IntN(pool), 5+random.IntN(25))
					content := table(entries)
					j, err := app.insist(t.Context(), headerOf(fmt.Sprintf("%s-%d-%d", a.name, c, n), content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}), content)
					if err != nil {
						t.Errorf("hand in a file: %v", err)
						return
					}
					jobs.Store(j.Id, true)
					continue
				}
				values := map[string]string{"external_id": fmt.Sprintf("HAND-%d-%d", c, n), "last_name": "Hand"}
				for {
					_, err := service.AddContact(a.ctx(t.Context()), &contactsv1.AddContactRequest{Values: values})
					if status.Code(err) == codes.ResourceExhausted && strings.Contains(reason(err), "package") {
						refused.Add(1)
						break
					}
					if err == nil || status.Code(err) == codes.AlreadyExists { // a try whose answer was lost
						added.Add(1)
						break
					}
					if !transient(err) {
						t.Errorf("add a contact: %v", err)
						return
					}
				}
			}
		})
	}
	busy.Wait()
	var byFiles, full int
	jobs.Range(func(id, _ any) bool {
		switch j := a.ended(t, id.(string)); {
		case j.State == "COMPLETED":
			byFiles += j.Counts.Added
		case j.State == "REJECTED" && j.Problem.Code == "package-too-small":
			full++
		default:
			t.Errorf("job %d ended as %+v", j.Number, j)
		}
		return true
	})
	close(over)
	running.Wait()
	held := a.held(t)
	if int64(held) != added.Load()+int64(byFiles) {
		t.Errorf("%d contacts, but %d were added by hand and %d by files", held, added.Load(), byFiles)
	}
	if held > most || highest.Load() > most {
		t.Errorf("%d contacts, %d at most, in a package of %d", held, highest.Load(), most)
	}
	if full == 0 || samples.Load() < 10 {
		t.Errorf("%d files did not fit, %d samples: the test shows nothing", full, samples.Load())
	}
	t.Logf("%d by hand, %d by files, %d files and %d by hand refused, %d samples, %d at most", added.Load(), byFiles, full, refused.Load(), samples.Load(), highest.Load())
	// to the last place, and no further
	rest := most - held
	if rest > 0 {
		a.imports(t, 0, file(t, "rest.csv", numbered("REST", rest)), "add")
	}
	if r := a.command(t, "contacts", "add", "external_id=ONE-TOO-MANY"); r.code != 1 || !strings.Contains(r.err, fmt.Sprint(most)) {
		t.Errorf("one more by hand: %v, want exit code 1 and the package", r)
	}
}

// numbered is a file of people with nothing but an id.
func numbered(prefix string, n int) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"External id", "Last name"}}
	for i := range n {
		rows = append(rows, []string{fmt.Sprintf("%s-%d", prefix, i), "Numbered"})
	}
	if err := w.WriteAll(rows); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}
