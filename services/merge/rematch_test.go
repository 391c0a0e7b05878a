package merge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// TestMatchedAgainIsMatchedAlike matches rows, changes keys of contacts by hand, and holds what the merge then takes the rows for
// against what the match stage would say now: for random contacts, rows, changes and keys to match by.
func TestMatchedAgainIsMatchedAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const rounds = 40
	again, relations := 0, map[row.Relation]int{}
	for seed := range uint64(rounds) {
		r := &rounding{world: w, rng: rand.New(rand.NewPCG(seed, 4))}
		w.account = uuid.New()
		r.edit(t, 8)
		names, chosen := r.choose()
		c := w.prepare(t, r.file())
		c.Work.Job.Policies = &accountsv1.Policies{Keys: names}
		keys := r.keys(t, c)
		before := w.matchStage(t, keys, chosen)
		c.Work.Matched.Verdicts = w.verdicts(t, c, before)
		r.edit(t, 6)

		overrides := w.again(t, c)
		after := w.matchStage(t, keys, chosen)
		again += len(overrides)
		for n := range before {
			got, ok := overrides[int64(n)]
			if !ok {
				got = before[n]
			}
			relations[got.Relation]++
			if d := cmp.Diff(after[n], got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("seed %d, row %d, matched by %v: the match stage says otherwise than the merge (-match +merge):\n%s", seed, n, names, d)
			}
		}
	}
	t.Logf("%d rows were matched again; relations %v", again, relations)
	for _, r := range []row.Relation{row.None, row.One, row.Several, row.Other, row.Repeat} {
		if relations[r] < 10 {
			t.Errorf("only %d rows had the relation %d: nothing is shown", relations[r], r)
		}
	}
	if again < 50 {
		t.Errorf("only %d rows were matched again", again)
	}
}

// again are the verdicts that a merge puts in the place of those of the match stage.
func (w *world) again(t testing.TB, c *stage.Claim) (found map[int64]row.Verdict) {
	t.Helper()
	j, err := toJob(&stage.Claim{Account: c.Account, Job: c.Job, Token: w.token.Add(1), Work: c.Work})
	if err != nil {
		t.Fatal(err)
	}
	err = w.contacts.InAccount(t.Context(), w.account, func(ctx context.Context, tx pgx.Tx) error {
		_, h, err := w.contacts.Begin(ctx, tx, w.account)
		if err == nil {
			found, err = w.rematch(ctx, tx, j, h)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// matchStage matches as the stage before does: all rows in one snapshot, repeats of earlier rows first.
func (w *world) matchStage(t testing.TB, keys []row.Keys, chosen uint16) []row.Verdict {
	t.Helper()
	all := repeats(keys)
	var b contactdb.Batch
	b.Rows = len(keys)
	for k := range b.Keys {
		for n := range keys {
			var hash [16]byte
			if keys[n].Mask>>k&1 == 1 {
				hash = keys[n].Hash[k]
			}
			b.Keys[k] = append(b.Keys[k], hash[:]...)
		}
	}
	err := w.edits.Match(t.Context(), w.account, func(ctx context.Context, m *contactdb.Matching) error {
		var h contactdb.Hits
		if err := m.Find(ctx, &b, &h); err != nil {
			return err
		}
		hits := make([][]row.Hit, len(keys))
		for i, n := range h.Rows {
			hits[n] = append(hits[n], row.Hit{Contact: uuid.UUID(h.Contacts[i*16:]), Keys: uint16(h.Keys[i]), ExternalID: [16]byte(h.ExternalIDs[i*16:])})
		}
		for n := range keys {
			if all[n].Relation == 0 {
				all[n] = row.Relate(hits[n], [16]byte(b.Keys[contact.ExternalID][n*16:]), chosen, nil)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// repeats are the verdicts on rows that repeat a unique key of an earlier row that is none; the others have no relation yet.
func repeats(keys []row.Keys) []row.Verdict {
	all := make([]row.Verdict, len(keys))
	first := map[[16]byte]int{}
	for n := range keys {
		for k := range contact.Key(contact.Keys) {
			if earlier, ok := first[keys[n].Hash[k]]; ok && k.Unique() && keys[n].Mask>>k&1 == 1 && all[n].Relation == 0 {
				all[n] = row.Verdict{Relation: row.Repeat, Keys: 1 << k, First: int64(earlier), FirstLine: keys[earlier].Line}
			}
		}
		for k := range contact.Key(contact.Keys) {
			if k.Unique() && keys[n].Mask>>k&1 == 1 && all[n].Relation == 0 {
				first[keys[n].Hash[k]] = n
			}
		}
	}
	return all
}

// rounding draws contacts, rows and edits of few values, so that they meet.
type rounding struct {
	*world
	rng  *rand.Rand
	made []uuid.UUID
}

// meeting are the values that contacts and rows are made of.
var meeting = map[contact.Field][]string{
	contact.FieldExternalID: {"A", "B", "C"}, contact.FieldEmail: {"a@x.io", "b@x.io", "c@x.io"}, contact.FieldPhone: {"+12015550101", "+12015550102", "+12015550103"},
	contact.FieldFirstName: {"Ann", "Bob"}, contact.FieldLastName: {"Ash"}, contact.FieldBirthDate: {"1980-01-02"}, contact.FieldZip: {"10001"},
}

// meetingFields are their fields in a fixed order.
var meetingFields = []contact.Field{contact.FieldExternalID, contact.FieldEmail, contact.FieldPhone, contact.FieldFirstName, contact.FieldLastName, contact.FieldBirthDate, contact.FieldZip}

// value is one of a field's, or none.
func (r *rounding) value(f contact.Field, share float64) string {
	if r.rng.Float64() > share {
		return ""
	}
	return meeting[f][r.rng.IntN(len(meeting[f]))]
}

// edit adds and changes contacts by hand. What is refused changes nothing.
func (r *rounding) edit(t testing.TB, times int) {
	t.Helper()
	for range times {
		e := contactdb.Edit{By: uuid.New(), At: time.Unix(1_700_000_000, 0), Values: map[contact.Field]*string{}}
		add := len(r.made) == 0 || r.rng.IntN(3) > 0 && len(r.made) < 6
		for _, f := range meetingFields {
			share := .7
			if f == contact.FieldExternalID || f == contact.FieldEmail || f == contact.FieldPhone {
				share = .4
			}
			if v := r.value(f, share); v != "" {
				e.Values[f] = &v
			} else if !add && r.rng.IntN(3) == 0 {
				e.Values[f] = nil
			}
		}
		var err error
		if add {
			var id uuid.UUID
			if id, err = r.edits.Add(t.Context(), r.account, e, nil, 1000); err == nil {
				r.made = append(r.made, id)
			}
		} else {
			err = r.edits.Set(t.Context(), r.account, r.made[r.rng.IntN(len(r.made))], e)
		}
		if err != nil && fault.Of(err) != fault.Exists {
			t.Fatal(err)
		}
	}
}

// choose draws the keys that rows are matched by.
func (r *rounding) choose() (names []string, mask uint16) {
	for _, k := range []contact.Key{contact.ExternalID, contact.Email, contact.Phone, contact.ContactID, contact.NameBirthZip} {
		if r.rng.IntN(3) == 0 {
			names, mask = append(names, k.String()), mask|1<<k
		}
	}
	if r.rng.IntN(3) == 0 {
		return nil, 0
	}
	return names, mask
}

func (r *rounding) file() file {
	f := file{mode: row.Upsert, head: []string{"contact_id"}}
	for _, field := range meetingFields {
		f.head = append(f.head, field.String())
	}
	for n := range 12 {
		cells := []string{""}
		if len(r.made) > 0 && r.rng.IntN(6) == 0 {
			cells[0] = r.made[r.rng.IntN(len(r.made))].String()
		}
		for _, field := range meetingFields {
			v := ""
			switch field {
			case contact.FieldExternalID, contact.FieldEmail, contact.FieldPhone:
				if v = r.value(field, .25); v == "" && r.rng.IntN(4) == 0 && field != contact.FieldPhone {
					v = fmt.Sprintf("%d@y.io", n) // of nobody
				}
			default:
				v = r.value(field, .8)
			}
			cells = append(cells, v)
		}
		f.rows = append(f.rows, cells)
	}
	return f
}

// keys are those of a prepared job's rows.
func (r *rounding) keys(t testing.TB, c *stage.Claim) (all []row.Keys) {
	t.Helper()
	j, err := toJob(c)
	if err != nil {
		t.Fatal(err)
	}
	src, err := r.read(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	var rec record
	for range j.rows {
		if err := src.nextKeys(&rec); err != nil {
			t.Fatal(err)
		}
		all = append(all, *rec.keys)
	}
	return slices.Clip(all)
}
