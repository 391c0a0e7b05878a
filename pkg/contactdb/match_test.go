package contactdb

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// hashes are those of a contact or a row, by key; zero where it has none.
type hashes [contact.Keys]uuid.UUID

// people is an account for matching in, and what is in it.
type people struct {
	account   uuid.UUID
	ids       []uuid.UUID
	hashes    []hashes
	byKey     map[uuid.UUID]int   // the contact of a unique key
	fallbacks map[uuid.UUID][]int // the contacts of a fallback key
	byID      map[uuid.UUID]int
}

// draw makes n contacts: of jobs, whose ids are one next to the other but for gaps, and some by hand.
func draw(rng *rand.Rand, n int) *people {
	p := &people{account: uuid.New(), byKey: map[uuid.UUID]int{}, fallbacks: map[uuid.UUID][]int{}, byID: map[uuid.UUID]int{}}
	var next uuid.UUID
	for len(p.ids) < n {
		id := next
		switch rng.IntN(40) {
		case 0:
			next = p.begin(rng)
			continue
		case 1:
			id = uuid.New()
		}
		high, low := halves(next)
		next = joined(high, low+1+uint64(rng.IntN(100)/95*rng.IntN(300)))
		if _, ok := p.byID[id]; ok || id == uuid.Nil {
			continue
		}
		p.add(rng, id)
	}
	return p
}

// begin is the first id of a job; rarely near the ends of what its lower half can be.
func (p *people) begin(rng *rand.Rand) uuid.UUID {
	high := rng.Uint64()
	if len(p.ids) > 0 && rng.IntN(2) == 0 {
		high, _ = halves(p.ids[0])
	}
	switch rng.IntN(4) {
	case 0:
		return joined(high, uint64(rng.IntN(4)))
	case 1:
		return joined(high, math.MaxUint64-uint64(rng.IntN(50)))
	}
	return joined(high, rng.Uint64())
}

func (p *people) add(rng *rand.Rand, id uuid.UUID) {
	var h hashes
	c := len(p.ids)
	for k := range contact.Key(contact.Keys) {
		switch {
		case k == contact.ContactID || rng.IntN(10) < 4 || k > contact.Phone && rng.IntN(10) < 6:
		case k == contact.NameBirthZip:
			h[k] = hashOf(k, rng.IntN(5))
			p.fallbacks[h[k]] = append(p.fallbacks[h[k]], c)
		default:
			h[k] = hashOf(k, c)
			p.byKey[h[k]] = c
		}
	}
	p.byID[id] = c
	p.ids, p.hashes = append(p.ids, id), append(p.hashes, h)
}

func hashOf(k contact.Key, n int) uuid.UUID {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte{byte(k)}, uint64(n)))
	return uuid.UUID(h[:16])
}

// save writes the account as the rules of the package say.
func (p *people) save(t *testing.T, owner *pgx.Conn) {
	t.Helper()
	columns := []string{"account_id", "contact_id"}
	keys := []contact.Key{}
	for k := range contact.Key(contact.Keys) {
		if k != contact.ContactID {
			keys, columns = append(keys, k), append(columns, k.String()+"_hash")
		}
	}
	columns = append(columns, "external_id", "email", "phone", "account_number", "vat_number", "ssn")
	var contacts, unique, fallbacks [][]any
	for c, h := range p.hashes {
		line := []any{p.account, p.ids[c]}
		for _, k := range keys {
			line = append(line, uuid.NullUUID{UUID: h[k], Valid: h[k] != uuid.Nil})
			switch {
			case h[k] == uuid.Nil:
			case k == contact.NameBirthZip:
				fallbacks = append(fallbacks, []any{p.account, h[k], p.ids[c]})
			default:
				unique = append(unique, []any{p.account, h[k], int16(k), p.ids[c]})
			}
		}
		for _, k := range []contact.Key{contact.ExternalID, contact.Email, contact.Phone, contact.AccountNumber, contact.VAT} {
			var text *string
			if h[k] != uuid.Nil {
				text = new(string)
			}
			line = append(line, text)
		}
		var ssn []byte
		if h[contact.SSN] != uuid.Nil {
			ssn = []byte{}
		}
		contacts = append(contacts, append(line, ssn))
	}
	into := func(table string, columns []string, rows [][]any) {
		t.Helper()
		if _, err := owner.CopyFrom(t.Context(), pgx.Identifier{"contacts", table}, columns, pgx.CopyFromRows(rows)); err != nil {
			t.Fatalf("fill %s: %v", table, err)
		}
	}
	into("contacts", columns, contacts)
	into("contact_keys", []string{"account_id", "hash", "key", "contact_id"}, unique)
	into("contact_fallbacks", []string{"account_id", "hash", "contact_id"}, fallbacks)
	into("holdings", []string{"account_id", "held"}, [][]any{{p.account, int64(len(p.ids))}})
}

// rows are those of a file: of contacts as they are, in their order or not, or changed, or of others.
func (p *people) rows(rng *rand.Rand, n int) *Batch {
	b := &Batch{Rows: n}
	from, shuffled, changed, fresh := rng.IntN(len(p.ids)), rng.IntN(3) == 0, rng.IntN(40), rng.IntN(60)
	has := rng.Uint32() | rng.Uint32() | 1<<contact.ExternalID // keys of the file
	ids := rng.IntN(4) == 0
	for row := range n {
		var h hashes
		c := (from + row) % len(p.ids)
		if shuffled {
			c = rng.IntN(len(p.ids))
		}
		switch {
		case rng.IntN(100) < fresh: // nobody's but for one key in some
			for k := range h {
				h[k] = hashOf(contact.Key(k), len(p.ids)+row)
			}
			if k := rng.IntN(contact.Keys); rng.IntN(2) == 0 {
				h[k] = p.hashes[c][k]
			}
		case rng.IntN(50) > 0: // else it has no key
			h = p.hashes[c]
			h[contact.ContactID] = p.ids[c]
		}
		for k := range h {
			if rng.IntN(100) < changed {
				switch rng.IntN(4) {
				case 0:
					h[k] = uuid.Nil
				case 1:
					h[k] = hashOf(contact.Key(k), 2*len(p.ids)+row)
				case 2:
					h[k] = p.hashes[rng.IntN(len(p.ids))][k]
				case 3:
					h[k] = p.hashes[0][k] // many rows share it
				}
			}
			if has>>k&1 == 0 || contact.Key(k) == contact.ContactID && (!ids || rng.IntN(3) == 0) {
				h[k] = uuid.Nil
			}
		}
		for k := range h {
			b.Keys[k] = append(b.Keys[k], h[k][:]...)
		}
	}
	for k := range b.Keys {
		if has>>k&1 == 0 && rng.IntN(2) == 0 {
			b.Keys[k] = nil
		}
	}
	return b
}

// look is the straightforward way: each key of each row by itself.
func (p *people) look(b *Batch) *Hits {
	all := &Hits{}
	for row := range b.Rows {
		found := map[int]uint32{}
		key := func(k contact.Key) uuid.UUID {
			if b.Keys[k] == nil {
				return uuid.Nil
			}
			return uuid.UUID(b.Keys[k][16*row:])
		}
		for k := range contact.Key(contact.Keys) {
			c, ok := p.byKey[key(k)]
			if k == contact.ContactID {
				c, ok = p.byID[key(k)]
			}
			if ok {
				found[c] |= 1 << k
			}
		}
		if len(found) == 0 {
			for _, c := range p.fallbacks[key(contact.NameBirthZip)] {
				found[c] = 1 << contact.NameBirthZip
			}
			found = p.firstOf(found, 20) // as the statement says
		}
		for _, c := range p.inOrder(found) {
			all.Rows = append(all.Rows, uint32(row))
			all.Contacts = append(all.Contacts, p.ids[c][:]...)
			all.Keys = append(all.Keys, found[c])
			all.ExternalIDs = append(all.ExternalIDs, p.hashes[c][contact.ExternalID][:]...)
		}
	}
	return all
}

func (p *people) inOrder(found map[int]uint32) []int {
	var all []int
	for c := range found {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Compare(p.ids[a].String(), p.ids[b].String()) })
	return all
}

func (p *people) firstOf(found map[int]uint32, most int) map[int]uint32 {
	for _, c := range p.inOrder(found)[min(most, len(found)):] {
		delete(found, c)
	}
	return found
}

// However few look-ups are made, they find what looking up every key of every row finds.
func TestMatchingFindsWhatEveryKeyFinds(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, Schema)
	owner, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.WithoutCancel(t.Context()))
	contacts, err := NewContacts(d.Open(t, "contacts", "contacts"), nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var seen struct{ hits, several, byNone int }
	try := func(seed uint64, held, batches, rows int, set func(*rand.Rand, *Matching)) {
		t.Helper()
		rng := rand.New(rand.NewPCG(seed, 1))
		p := draw(rng, 1+rng.IntN(held))
		p.save(t, owner)
		err := contacts.Match(t.Context(), p.account, func(ctx context.Context, m *Matching) error {
			set(rng, m)
			var got Hits
			for n := range batches {
				b := p.rows(rng, 1+rng.IntN(rows))
				if err := m.Find(ctx, b, &got); err != nil {
					return err
				}
				want := p.look(b)
				if d := gocmp.Diff(want.told(), got.told()); d != "" {
					return fmt.Errorf("batch %d (-every key +found):\n%s", n, d)
				}
				seen.hits += len(want.Rows)
				seen.byNone += b.Rows - len(slices.Compact(slices.Clone(want.Rows)))
				for i := 1; i < len(want.Rows); i++ {
					if want.Rows[i] == want.Rows[i-1] {
						seen.several++
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	for seed := range uint64(80) {
		try(seed, 80, 6, 100, func(rng *rand.Rand, m *Matching) { m.knownFrom, m.sampleStep = 1, 1+rng.IntN(6) })
	}
	for seed := range uint64(2) { // with two connections
		try(seed, 8000, 3, 6000, func(*rand.Rand, *Matching) {})
	}
	t.Logf("%+v", seen)
	if seen.hits < 10_000 || seen.several < 1000 || seen.byNone < 1000 {
		t.Errorf("little is shown: %+v", seen)
	}
}

// told is a line for each hit.
func (h *Hits) told() []string {
	var all []string
	for i, row := range h.Rows {
		all = append(all, fmt.Sprintf("row %d is %s by %b, external id %x", row, uuid.UUID(h.Contacts[16*i:]), h.Keys[i], h.ExternalIDs[16*i:][:16]))
	}
	return all
}
