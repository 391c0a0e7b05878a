package ledger

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/google/uuid"
)

// swallower passes a connection to PostgreSQL on; when armed it lets the next COMMIT through, swallows its answer and
// cuts the connection.
type swallower struct {
	listen net.Listener
	server string
	armed  atomic.Bool
}

func newSwallower(t *testing.T, server string) *swallower {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &swallower{listen: l, server: server}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go s.pass(client)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return s
}

func (s *swallower) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.server)
	if err != nil {
		return
	}
	defer server.Close()
	var swallow atomic.Bool
	back := make(chan struct{})
	go func() {
		defer close(back)
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 {
				if swallow.Load() {
					return // the answer has come: the transaction is committed
				}
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	var commits commits
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if n > 0 {
			if commits.in(buf[:n]) && s.armed.CompareAndSwap(true, false) {
				swallow.Store(true)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	if swallow.Load() {
		<-back
	}
}

// commits finds the COMMITs of a session: the text, or the statement that was prepared of it.
type commits struct {
	prepared []byte // how a Bind names it; nil before it is prepared
}

func (c *commits) in(asked []byte) bool {
	const text, kept = "commit\x00", "stmtcache_"
	for {
		before, after, found := bytes.Cut(asked, []byte(text))
		if c.prepared != nil && bytes.Contains(before, c.prepared) {
			return true
		}
		if !found {
			return false
		}
		name := before[max(0, bytes.LastIndex(before, []byte(kept))):]
		if !bytes.HasPrefix(name, []byte(kept)) || bytes.IndexByte(name, 0) != len(name)-1 {
			return true
		}
		c.prepared, asked = append([]byte{0}, name...), after // a Bind has the name behind that of no portal
	}
}

func TestUnansweredCommits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, a := t.Context(), newAccount()
	address, err := url.Parse(r.data.URL("ingest"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSwallower(t, address.Host)
	address.Host = s.listen.Addr().String()
	db, err := postgres.Open(ctx, address.String(), postgres.Options{Schema: "ingest", MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	l := newLedger(t, db, Config{Log: slog.New(slog.DiscardHandler)})

	// unanswered calls once with the answer swallowed, then again.
	unanswered := func(what string, call func() error) {
		t.Helper()
		s.armed.Store(true)
		if err := call(); !errors.Is(err, postgres.ErrCommitUnknown) {
			t.Fatalf("%s with the answer swallowed: %v", what, err)
		}
		if err := call(); err != nil {
			t.Fatalf("%s again: %v", what, err)
		}
	}
	sub := r.upload(a, "one")
	var j Job
	unanswered("accept", func() (err error) {
		j, _, err = l.Accept(ctx, a, sub)
		return err
	})
	if j.Number != 1 {
		t.Fatalf("job has number %d, want 1", j.Number)
	}
	claim := func(stage event.Stage, left ...string) Claim { // finds out by itself, and what earlier stages left
		t.Helper()
		s.armed.Store(true)
		g, err := l.Claim(ctx, a, j.ID, stage, r.life)
		if err != nil || !g.Granted {
			t.Fatalf("claim %s with the answer swallowed: granted %t, %v", stage, g.Granted, err)
		}
		var got []string
		for _, result := range [][]byte{g.Work.Results.Validated, g.Work.Results.Matched} {
			if result != nil {
				got = append(got, string(result))
			}
		}
		if s.armed.Load() || !slices.Equal(got, left) {
			t.Fatalf("claim %s with the answer swallowed (%t): earlier stages left %q, want %q", stage, !s.armed.Load(), got, left)
		}
		return Claim{Job: j.ID, Stage: stage, Token: g.Token}
	}
	finish := func(k Claim, res Result, want event.Stage) {
		t.Helper()
		var next event.Stage
		unanswered("finish "+string(k.Stage), func() (err error) {
			next, err = l.Finish(ctx, a, k, res)
			return err
		})
		if next != want {
			t.Fatalf("next stage is %q, want %q", next, want)
		}
	}
	k := claim(event.Validate)
	unanswered("renew", func() error {
		_, err := l.Renew(ctx, a, k, 1, 2)
		return err
	})
	finish(k, Result{Body: []byte("v"), Rows: 2}, event.Match)
	finish(claim(event.Match, "v"), Result{Body: []byte("m")}, event.Merge)
	k = claim(event.Merge, "v", "m")
	unanswered("leave to commit", func() error { return l.LeaveToCommit(ctx, a, k) })
	finish(k, Result{Body: []byte("o"), Counts: Counts{Rows: 2, Added: 2}}, "")
	r.is(j, Completed)

	j = r.accept(a, "two")
	unanswered("cancel", func() error {
		_, err := l.Cancel(ctx, a, Ref{ID: j.ID})
		return err
	})
	unanswered("retry", func() error {
		n, _, err := l.Retry(ctx, a, Ref{ID: j.ID}, Resubmission{RequestID: "again"})
		if err == nil && n.Number != 3 {
			t.Errorf("retry is job %d, want 3", n.Number)
		}
		return err
	})
	b := newAccount()
	approved, rejected := r.accept(b, "1", reviewed), r.accept(b, "2", reviewed)
	for _, j := range []Job{approved, rejected} {
		r.validate(j)
		r.complete(j, r.take(j, event.Match), Result{Body: []byte("m")})
		k := r.take(j, event.Merge)
		unanswered("finish the plan", func() error {
			_, err := l.Finish(ctx, b, k, Result{Outcomes: planObject, Counts: Counts{Rows: 10, Added: 9, Invalid: 1}})
			return err
		})
	}
	unanswered("approve", func() error {
		_, err := l.Approve(ctx, b, Ref{ID: approved.ID}, "admin")
		return err
	})
	unanswered("reject", func() error {
		_, err := l.Reject(ctx, b, Ref{ID: rejected.ID}, "no")
		return err
	})
	unanswered("forecast", func() error {
		n, _, err := l.Forecast(ctx, b, Ref{ID: rejected.ID}, Resubmission{RequestID: "look"})
		if err == nil && n.Number != 3 {
			t.Errorf("forecast is job %d, want 3", n.Number)
		}
		return err
	})
	if got, _ := r.types(approved); got[len(got)-1] != event.JobApproved || got[len(got)-2] != event.JobAwaitingApproval {
		t.Errorf("events of the approved job are %v", got)
	}
	events, err := r.Events(ctx, a, uuid.Nil, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]int{}
	for i, e := range events {
		types[e.Type]++
		if e.Number != int64(i+1) {
			t.Fatalf("event %d at place %d", e.Number, i+1)
		}
	}
	if types["job.accepted"] != 3 || types["job.completed"] != 1 || types["job.cancelled"] != 1 || types["job.committing"] != 1 {
		t.Fatalf("events are %v", types)
	}
}
