package merge

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/row"
)

// trips counts how often the database was asked and answered: on each connection, how often the direction turned.
type trips struct {
	net.Listener
	to    string
	turns atomic.Int64
	conns sync.WaitGroup
}

func newTrips(t *testing.T, to string) *trips {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &trips{Listener: l, to: to}
	p.conns.Go(p.accept)
	t.Cleanup(func() { _ = l.Close(); p.conns.Wait() })
	return p
}

func (p *trips) accept() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		var asking atomic.Bool
		pass := func(dst, src net.Conn, asks bool) {
			buf := make([]byte, 64<<10)
			for {
				n, err := src.Read(buf)
				if n > 0 {
					if was := asking.Swap(asks); asks && !was {
						p.turns.Add(1)
					}
					_, _ = dst.Write(buf[:n])
				}
				if err != nil {
					_, _ = dst.Close(), src.Close()
					return
				}
			}
		}
		p.conns.Go(func() { pass(server, client, true) })
		p.conns.Go(func() { pass(client, server, false) })
	}
}

// A small job is mostly waiting: for the database to be asked and for its disk.
func TestASmallJobTakesFewRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := url.Parse(w.databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	p := newTrips(t, u.Host)
	u.Host = p.Addr().String()
	db, err := open(t.Context(), u.String(), 1)
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
	// 9 for new contacts, 11 for changes; the pool asks a session first that was idle for a second, and the stream of a COPY may
	// turn once more. Each statement on its own would be 30.
	for _, c := range []struct {
		what string
		most int64
		edit func(i int, r []string)
	}{
		{"new contacts, on fresh sessions", 40, func(int, []string) {}},
		{"new contacts", 14, func(i int, r []string) { r[0], r[1] = fmt.Sprint("Y", i), fmt.Sprintf("y%d@x.io", i) }},
		{"new contacts again", 14, func(i int, r []string) { r[0], r[1] = fmt.Sprint("Z", i), fmt.Sprintf("z%d@x.io", i) }},
		{"no change, and statements not asked before", 20, func(int, []string) {}},
		{"no change", 15, func(int, []string) {}},
		{"cities, and statements not asked before", 20, func(_ int, r []string) { r[2] = "Oslo" }},
		{"cities", 16, func(_ int, r []string) { r[2] = "Bern" }},
	} {
		for i := range f.rows {
			c.edit(i, f.rows[i])
		}
		job := w.prepare(t, f)
		p.turns.Store(0)
		start := time.Now()
		if _, err := w.once(t, job, nil); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d round trips, %v", c.what, p.turns.Load(), time.Since(start))
		if n := p.turns.Load(); n > c.most {
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
