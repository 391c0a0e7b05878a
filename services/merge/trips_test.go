package merge

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/row"
)

// A small job is mostly waiting: for the database to be asked and for its disk.
func TestASmallJobTakesFewRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trips, address := postgrestest.CountTrips(t, w.databaseURL)
	db, err := open(t.Context(), address, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if w.contacts, err = contactdb.NewMerges(db); err != nil {
		t.Fatal(err)
	}
	f := file{mode: row.Upsert, head: []string{"external_id", "email", "city"}}
	for i := range 100 {
		f.rows = append(f.rows, []string{fmt.Sprint("X", i), fmt.Sprintf("x%d@x.io", i), "Rome"})
	}
	// 8 for new contacts, 11 for changes; the pool asks a session first that was idle for a second, and the stream of a COPY may
	// turn once more. Each statement on its own would be 30.
	for _, c := range []struct {
		what string
		most int64
		edit func(i int, r []string)
	}{
		{"new contacts, on fresh sessions", 30, func(int, []string) {}},
		{"new contacts", 12, func(i int, r []string) { r[0], r[1] = fmt.Sprint("Y", i), fmt.Sprintf("y%d@x.io", i) }},
		{"new contacts again", 12, func(i int, r []string) { r[0], r[1] = fmt.Sprint("Z", i), fmt.Sprintf("z%d@x.io", i) }},
		{"no change, and statements not asked before", 18, func(int, []string) {}},
		{"no change", 14, func(int, []string) {}},
		{"cities, and statements not asked before", 18, func(_ int, r []string) { r[2] = "Oslo" }},
		{"cities", 15, func(_ int, r []string) { r[2] = "Bern" }},
	} {
		for i := range f.rows {
			c.edit(i, f.rows[i])
		}
		job := w.prepare(t, f)
		trips.Store(0)
		start := time.Now()
		if _, err := w.once(t, job, nil); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d round trips, %v", c.what, trips.Load(), time.Since(start))
		if n := trips.Load(); n > c.most {
			t.Errorf("%s: %d round trips, want at most %d", c.what, n, c.most)
		}
	}
}

// The session of a job that is done works for other accounts: who finds it in an old fence must not end it there.
func TestAFenceEndsNoMergeOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db, err := open(t.Context(), w.databaseURL, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	own := w.worker.contacts
	second := *w.worker
	other := &world{worker: &second, account: uuid.New(), owner: w.owner, edits: w.edits, most: w.most, token: w.token}
	if other.contacts, err = contactdb.NewMerges(db); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"committed", "given up"} {
		c := other.prepare(t, three)
		if how == "given up" {
			other.failAt("held", errKilled)
		}
		// the other account's job, on a session that the pool keeps
		if _, err := other.under(t.Context(), t, c, other.token.Add(1), nil); err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		// this account's job, on the same session; meanwhile the other account's next
		w.contacts = other.contacts
		w.fail = func(at string) error {
			if at != "applied" {
				return nil
			}
			w.fail, other.fail = nil, nil
			other.contacts = own
			_, err := other.once(t, other.prepare(t, three), nil)
			return err
		}
		g := three
		g.mode = row.Upsert
		if _, err := w.once(t, w.prepare(t, g), nil); err != nil {
			t.Errorf("while the other account's fence names its session, whose job was %s: %v", how, err)
		}
		other.contacts = w.contacts
	}
}
