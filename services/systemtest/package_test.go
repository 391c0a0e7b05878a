package systemtest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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

// packageCrowded lets eight clients add contacts, four by hand and four by files, all at once, until the package is full, and again
// whenever it has grown. Nobody who looks sees it exceeded, every refusal was true, and what was let in is there.
func packageCrowded(t *testing.T, s *target) {
	const hands, rounds, room, size = 4, 4, 400, 40
	a := s.tenant(t, room)
	operator := &tenant{s: s, key: s.operator}
	service := a.contacts(t)
	var limit, samples, byHand, byFiles, full atomic.Int64
	limit.Store(room)
	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			r, err := service.CountContacts(a.ctx(t.Context()), &contactsv1.CountContactsRequest{})
			switch {
			case err == nil && r.Count > limit.Load():
				t.Errorf("%d contacts in a package of %d", r.Count, limit.Load())
				return
			case err == nil:
				samples.Add(1)
			case !transient(err):
				t.Errorf("count contacts: %v", err)
				return
			}
		}
	})
	var made atomic.Int64
	byHands := func() {
		for refused := 0; refused < 3; {
			values := map[string]string{"external_id": fmt.Sprintf("HAND-%d", made.Add(1)), "last_name": "Hand"}
			switch _, err := service.AddContact(a.ctx(t.Context()), &contactsv1.AddContactRequest{Values: values}); {
			case err == nil:
				byHand.Add(1)
			case reason(err) == "package-too-small":
				refused++
			case !transient(err):
				t.Errorf("add a contact: %v", err)
				return
			}
		}
	}
	inFiles := func(client int) {
		app := a.app(t, client)
		for refused := 0; refused < 2; {
			n := made.Add(1)
			content := numbered(fmt.Sprintf("FILE-%d", n), size)
			handed, err := app.insist(t.Context(), headerOf(fmt.Sprintf("%s-%d", a.name, n), content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}), content)
			if err != nil {
				t.Errorf("hand in a file: %v", err)
				return
			}
			switch j := a.ended(t, handed.Id); {
			case j.State == "COMPLETED":
				byFiles.Add(int64(j.Counts.Added))
			case j.State == "REJECTED" && j.Problem.Code == "package-too-small":
				full.Add(1)
				refused++
			default:
				t.Errorf("job %d ended as %+v", j.Number, j)
				return
			}
		}
	}
	for round := range rounds {
		var busy sync.WaitGroup
		for c := range hands {
			busy.Go(byHands)
			busy.Go(func() { inFiles(c) })
		}
		busy.Wait()
		if held := int64(a.held(t)); held != limit.Load() || held != byHand.Load()+byFiles.Load() {
			t.Errorf("round %d: %d contacts in a package of %d, %d were added by hand and %d by files", round, held, limit.Load(), byHand.Load(), byFiles.Load())
		}
		limit.Add(room)
		var grown struct{ Package int64 }
		operator.ok(t, &grown, "accounts", "set", a.name, "--package", fmt.Sprint(limit.Load()))
	}
	close(over)
	looking.Wait()
	if full.Load() == 0 || byFiles.Load() == 0 || samples.Load() < 10 {
		t.Errorf("%d files did not fit, %d contacts came by files, %d samples: the test shows nothing", full.Load(), byFiles.Load(), samples.Load())
	}
	t.Logf("%d by hand, %d by files, %d files refused, %d samples", byHand.Load(), byFiles.Load(), full.Load(), samples.Load())
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
