package contacts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// matching opens a stream as enrichment does.
func (h *house) matching(account uuid.UUID) contactsv1.MatchService_MatchClient {
	h.t.Helper()
	conn, err := rpc.Dial(h.addr, rpc.DialOptions{ServiceKey: serviceKey})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	stream, err := contactsv1.NewMatchServiceClient(conn).Match(rpc.WithAccount(h.t.Context(), account))
	if err != nil {
		h.t.Fatal(err)
	}
	return stream
}

type keys = map[contact.Key]string

// batch packs rows as the contract says.
func (h *house) batch(account uuid.UUID, rows ...keys) *contactsv1.MatchRequest {
	req := &contactsv1.MatchRequest{Rows: uint32(len(rows))}
	for key := range contact.Key(contact.Keys) {
		var hashes []byte
		some := false
		for _, r := range rows {
			var hash [16]byte
			if text, ok := r[key]; ok && key == contact.ContactID {
				hash, some = uuid.MustParse(text), true
			} else if ok {
				hash, some = h.ring.Hash(account, uint8(key), []byte(text)), true
			}
			hashes = append(hashes, hash[:]...)
		}
		if some {
			req.Keys = append(req.Keys, &contactsv1.KeyColumn{Key: uint32(key), Hashes: hashes})
		}
	}
	return req
}

// told is an answer in words: for each hit row, contact, keys, and whether it has an external id.
func told(a *contactsv1.MatchResponse, names map[string]string) []string {
	var out []string
	for i, r := range a.GetRows() {
		id := uuid.UUID(a.GetContactIds()[16*i:][:16]).String()
		has := !bytes.Equal(a.GetExternalIds()[16*i:][:16], make([]byte, 16))
		out = append(out, fmt.Sprintf("row %d is %s by %b, external id %v", r, names[id], a.GetKeys()[i], has))
	}
	return out
}

func TestMatchFindsByEveryKey(t *testing.T) {
	h := newHouse(t)
	ann := h.add(t, values{"external_id": "1", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "birth_date": "1980-01-01", "zip": "20001"}).GetId()
	bob := h.add(t, values{"phone": "202-224-3121", "account_number": "A-7", "ssn": "536-22-8145"}).GetId()
	h.admin().add(t, values{"external_id": "9", "email": "zoe@example.com"})
	names := map[string]string{ann: "ann", bob: "bob"}
	birth, _ := contact.DateOf(1980, 1, 1)
	fallback, _ := contact.AppendNameBirthZip(nil, []byte("Ann"), []byte("Lee"), birth, []byte("20001"))
	stream := h.matching(h.account)
	ask := func(rows ...keys) *contactsv1.MatchResponse {
		t.Helper()
		if err := stream.Send(h.batch(h.account, rows...)); err != nil {
			t.Fatal(err)
		}
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}

	first := ask(
		keys{contact.Email: "nobody@example.com"},
		keys{contact.Email: "ann@example.com", contact.ExternalID: "1"},
		keys{contact.Email: "ann@example.com", contact.Phone: "+12022243121"},
		keys{},
		keys{contact.SSN: "536228145", contact.AccountNumber: "A-7"},
		keys{contact.ContactID: ann},
		keys{contact.ContactID: bob, contact.ExternalID: "1"},
		keys{contact.NameBirthZip: string(fallback)},
		keys{contact.NameBirthZip: string(fallback), contact.AccountNumber: "A-7"},
		keys{contact.ContactID: uuid.NewString(), contact.Email: "zoe@example.com", contact.ExternalID: "9"},
	)
	want := []string{
		"row 1 is ann by 110, external id true",
		"row 2 is ann by 100, external id true",
		"row 2 is bob by 1000, external id false",
		"row 4 is bob by 110000, external id false",
		"row 5 is ann by 1, external id true",
		"row 6 is ann by 10, external id true",
		"row 6 is bob by 1, external id false",
		"row 7 is ann by 10000000, external id true",
		"row 8 is bob by 10000, external id false",
	}
	if d := cmp.Diff(want, told(first, names)); d != "" {
		t.Errorf("hits (-want +got):\n%s", d)
	}
	if first.GetAccount().GetHeld() != 2 || first.GetAccount().GetKeyVersion() != 2 {
		t.Errorf("state: got %v, want 2 held at version 2", first.GetAccount())
	}
	external := h.ring.Hash(h.account, uint8(contact.ExternalID), []byte("1"))
	if !bytes.Equal(first.GetExternalIds()[16:32], external[:]) {
		t.Error("the external id's hash of a hit by email is not that of the contact")
	}

	// what several rows ask is asked once and answered to each
	same := ask(keys{contact.Email: "ann@example.com"}, keys{contact.NameBirthZip: string(fallback)}, keys{contact.ContactID: bob},
		keys{contact.Email: "ann@example.com"}, keys{contact.NameBirthZip: string(fallback)}, keys{contact.ContactID: bob})
	want = []string{"row 0 is ann by 100, external id true", "row 1 is ann by 10000000, external id true", "row 2 is bob by 1, external id false",
		"row 3 is ann by 100, external id true", "row 4 is ann by 10000000, external id true", "row 5 is bob by 1, external id false"}
	if d := cmp.Diff(want, told(same, names)); d != "" {
		t.Errorf("hits of rows alike (-want +got):\n%s", d)
	}

	// one snapshot for the whole stream: who comes later is not seen
	h.add(t, values{"email": "late@example.com"})
	second := ask(keys{contact.Email: "late@example.com"}, keys{contact.Email: "ann@example.com"})
	if d := cmp.Diff([]string{"row 1 is ann by 100, external id true"}, told(second, names)); d != "" {
		t.Errorf("hits of the second batch (-want +got):\n%s", d)
	}
	if second.GetAccount() != nil {
		t.Errorf("the second answer tells the state again: %v", second.GetAccount())
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last answer: got %v, want EOF", err)
	}
}

func TestMatchOfNothing(t *testing.T) {
	h := newHouse(t)
	stream := h.matching(h.account)
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	a, err := stream.Recv()
	if err != nil || a.GetAccount() == nil || a.GetAccount().GetHeld() != 0 {
		t.Errorf("no batch: got %v, %v, want the state", a, err)
	}

	stream = h.matching(h.account)
	if err := stream.Send(h.batch(h.account, keys{contact.Email: "a@example.com"})); err != nil {
		t.Fatal(err)
	}
	if a, err := stream.Recv(); err != nil || len(a.GetRows()) != 0 || a.GetAccount() == nil {
		t.Errorf("an empty account: got %v, %v, want the state and no hits", a, err)
	}
}

func TestBadBatchesAreRefused(t *testing.T) {
	h := newHouse(t)
	sixteen := make([]byte, 16)
	for name, req := range map[string]*contactsv1.MatchRequest{
		"too many rows": {Rows: mostRows + 1},
		"short array":   {Rows: 2, Keys: []*contactsv1.KeyColumn{{Key: 1, Hashes: sixteen}}},
		"unknown key":   {Rows: 1, Keys: []*contactsv1.KeyColumn{{Key: 16, Hashes: sixteen}}},
		"key twice":     {Rows: 1, Keys: []*contactsv1.KeyColumn{{Key: 1, Hashes: sixteen}, {Key: 1, Hashes: sixteen}}},
	} {
		stream := h.matching(h.account)
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
	_, err := h.contacts.GetContact(t.Context(), &contactsv1.GetContactRequest{Id: "x"})
	wantFault(t, "id that is none", err, fault.Invalid, "bad-contact-id")
}

// However batches are taken together, each is answered by itself.
func TestBatchesTogetherAreAnsweredApart(t *testing.T) {
	t.Parallel()
	id := func(n byte) []byte { return bytes.Repeat([]byte{n}, 16) }
	group := []*contactdb.Batch{{Rows: 2}, {Rows: 0}, {Rows: 3}, {Rows: 1}}
	group[0].Keys[contact.Email] = slices.Concat(id(1), id(2))
	group[2].Keys[contact.Phone] = slices.Concat(id(3), id(4), id(5))
	group[3].Keys[contact.Email] = id(6)
	all := joined(group)
	zero := id(0)
	want := &contactdb.Batch{Rows: 6}
	want.Keys[contact.Email] = slices.Concat(id(1), id(2), zero, zero, zero, id(6))
	want.Keys[contact.Phone] = slices.Concat(zero, zero, id(3), id(4), id(5))
	if d := cmp.Diff(want, all); d != "" {
		t.Errorf("joined (-want +got):\n%s", d)
	}
	hits := &contactdb.Hits{Rows: []uint32{1, 2, 2, 5}, Keys: []uint32{1, 2, 3, 4}}
	for n := range byte(4) {
		hits.Contacts, hits.ExternalIDs = append(hits.Contacts, id(n)...), append(hits.ExternalIDs, id(n+10)...)
	}
	var got []string
	for _, a := range split(hits, group) {
		got = append(got, fmt.Sprint(a.GetRows(), a.GetKeys(), len(a.GetContactIds()), len(a.GetExternalIds())))
	}
	if d := cmp.Diff([]string{"[1] [1] 16 16", "[] [] 0 0", "[0 0] [2 3] 32 32", "[0] [4] 16 16"}, got); d != "" {
		t.Errorf("split (-want +got):\n%s", d)
	}
}

// A large stream goes over two connections and in groups, and finds what a small one finds.
func TestLargeStream(t *testing.T) {
	h := newHouse(t)
	const contacts, size = 300, 5000
	ids := map[string]int{}
	for i := range contacts {
		ids[h.add(t, values{"external_id": fmt.Sprint(i), "email": fmt.Sprintf("p%d@example.com", i)}).GetId()] = i
	}
	stream := h.matching(h.account)
	var g errgroup.Group
	const batches = 6
	g.Go(func() error {
		for b := range batches {
			rows := make([]keys, size)
			for i := range rows {
				rows[i] = keys{contact.Email: fmt.Sprintf("p%d@example.com", i*(b+1)), contact.ExternalID: fmt.Sprint(i * (b + 1))}
			}
			if err := stream.Send(h.batch(h.account, rows...)); err != nil {
				return err
			}
		}
		return stream.CloseSend()
	})
	for b := range batches {
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if (a.GetAccount() != nil) != (b == 0) {
			t.Errorf("answer %d: state %v", b, a.GetAccount())
		}
		if want := (contacts + b) / (b + 1); len(a.GetRows()) != want {
			t.Errorf("answer %d: got %d hits, want %d", b, len(a.GetRows()), want)
		}
		for i, r := range a.GetRows() {
			id := uuid.UUID(a.GetContactIds()[16*i:][:16]).String()
			if ids[id] != int(r)*(b+1) || a.GetKeys()[i] != 0b110 {
				t.Fatalf("answer %d: row %d is contact %d by %b", b, r, ids[id], a.GetKeys()[i])
			}
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}
