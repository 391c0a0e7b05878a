package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// editors is how many people change contacts by hand at once.
const editors = 8

// editing lets people change contacts by hand while jobs change the same contacts, and others read. No change that was
// acknowledged is lost, nobody sees an error but that a job is being applied, and nobody sees half a job.
func editing(t *testing.T, s *target) {
	const size = 400
	rounds, samples := 12, int64(2_000)
	if long() {
		rounds, samples = 60, 100_000
	}
	a := s.tenant(t, size)
	a.imports(t, 0, file(t, "all.csv", table(people(0, size))), "add")
	a.imports(t, 0, file(t, "marker.csv", []byte(fmt.Sprintf("External id\n%s\n%s\n", person(0).id(), person(size-1).id()))), "update", "--list", "marker")
	ids := map[string]string{} // by external id
	for _, c := range a.all(t) {
		ids[c.Values["external_id"]] = c.ID
	}
	begun := a.all(t)

	client := a.contacts(t)
	var failed atomic.Bool
	fail := func(format string, args ...any) {
		failed.Store(true)
		t.Errorf(format, args...)
	}
	ended := make(chan struct{})
	var readers, hands sync.WaitGroup
	var seen atomic.Int64
	var cities sync.Map
	for range 2 {
		readers.Go(func() {
			for done := false; !(done && seen.Load() >= samples) && !failed.Load(); {
				select {
				case <-ended:
					done = true
				default:
				}
				r, err := client.ListContacts(a.ctx(t.Context()), &contactsv1.ListContactsRequest{Filter: &contactsv1.Filter{List: "marker"}})
				if err != nil {
					if !transient(err) {
						fail("read contacts: %v", err)
					}
					continue
				}
				seen.Add(1)
				if len(r.Contacts) != 2 || r.Contacts[0].Values["city"] != r.Contacts[1].Values["city"] {
					fail("a reader saw half a job: %v", r.Contacts)
				}
				cities.Store(r.Contacts[0].Values["city"], true)
			}
		})
	}
	acknowledged := make([]map[string][]string, editors) // by contact id, its addresses
	for e := range editors {
		acknowledged[e] = map[string][]string{}
		hands.Go(func() {
			for n := 0; !failed.Load(); n++ {
				select {
				case <-ended:
					return
				default:
				}
				who := 1 + e + n%40*editors // never one of the markers, and nobody else's
				id := ids[person(who).id()]
				address := fmt.Sprintf("%d Main Street %d", n, e)
				values := map[string]string{"address": address}
				if n%3 == 0 { // a key too
					values["phone"] = person(1_000 + who + n%2*size).phone()
				}
				if err := a.sets(t.Context(), client, id, values); err != nil {
					fail("a change by hand: %v", err)
					return
				}
				acknowledged[e][id] = append(acknowledged[e][id], address)
				r, err := client.GetContact(a.ctx(t.Context()), &contactsv1.GetContactRequest{Id: id})
				if err == nil && r.Contact.Values["address"] != address {
					fail("a change that was acknowledged is not there: %q, want %q", r.Contact.Values["address"], address)
				}
			}
		})
	}
	up := a.app(t, 0)
	var last *ingestv1.Job
	for round := range rounds {
		var content bytes.Buffer
		content.WriteString("External id,City\n")
		for _, c := range begun {
			fmt.Fprintf(&content, "%s,Round %d\n", c.Values["external_id"], round)
		}
		job, err := up.insist(t.Context(), headerOf(fmt.Sprintf("%s-%d", a.name, round), content.Bytes(), &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPDATE}), content.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		last = job
		if round%4 == 3 { // some wait for their turn, some do not
			a.ended(t, job.Id)
		}
	}
	if j := a.ended(t, last.Id); j.State != "COMPLETED" || j.Counts.Updated != size {
		t.Errorf("the last job ended %s: %+v", j.State, j.Counts)
	}
	close(ended)
	hands.Wait()
	readers.Wait()

	edits := 0
	for _, c := range a.all(t) {
		if want := fmt.Sprintf("Round %d", rounds-1); c.Values["city"] != want {
			t.Errorf("contact %s has the city %q, want %q", c.ID, c.Values["city"], want)
		}
		for _, of := range acknowledged {
			if all := of[c.ID]; len(all) > 0 {
				edits += len(all)
				a.remembers(t, client, c.ID, all)
			}
		}
	}
	different := 0
	cities.Range(func(any, any) bool { different++; return true })
	if edits < editors || different < 3 {
		t.Errorf("%d changes by hand and %d states seen: the test shows nothing", edits, different)
	}
	t.Logf("%d changes by hand in %d jobs, %d samples of %d states", edits, rounds, seen.Load(), different)
}

// contacts connects to the contacts service.
func (a *tenant) contacts(t *testing.T) contactsv1.ContactsServiceClient {
	t.Helper()
	return contactsv1.NewContactsServiceClient(a.contactsConn(t))
}

func (a *tenant) contactsConn(t *testing.T) *grpc.ClientConn {
	t.Helper()
	addr := a.s.ingest[0]
	for _, line := range a.s.client {
		if v, ok := strings.CutPrefix(line, "CONTACTMILL_CONTACTS_ADDR="); ok {
			addr, _, _ = strings.Cut(v, ",")
		}
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (a *tenant) ctx(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+a.key)
}

// sets changes a contact as an application does: again while a job is being applied.
func (a *tenant) sets(ctx context.Context, client contactsv1.ContactsServiceClient, id string, values map[string]string) error {
	for limit := time.Now().Add(patience); ; {
		_, err := client.SetContact(a.ctx(ctx), &contactsv1.SetContactRequest{Id: id, Values: values})
		if err == nil || !transient(err) || time.Now().After(limit) {
			return err
		}
		if code := reason(err); code != "job-being-applied" && code != "contacts-being-changed" {
			return err // nothing else may be in the way of a hand
		}
	}
}

// remembers wants every address that a contact was given, in the order in which it was.
func (a *tenant) remembers(t *testing.T, client contactsv1.ContactsServiceClient, id string, addresses []string) {
	t.Helper()
	r, err := client.GetContactHistory(a.ctx(t.Context()), &contactsv1.GetContactHistoryRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, change := range r.Changes { // newest first
		for _, v := range change.Values {
			if v.Field == "address" && change.Origin.GetKind() == "hand" {
				got = append([]string{v.After}, got...)
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(addresses, "\n") {
		t.Errorf("contact %s remembers %d addresses, want %d: %q, want %q", id, len(got), len(addresses), got, addresses)
	}
}
