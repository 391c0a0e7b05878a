package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// cut is a way to the server that breaks at the COMMIT: before it arrives, or after it was done and before its answer.
type cut struct {
	addr    string // of the server
	at      string // what goes with the COMMIT
	deliver bool   // let the COMMIT arrive
}

// url starts the proxy and returns the address by which to reach the database through it.
func (c cut) url(t *testing.T, through string) string {
	t.Helper()
	u, err := url.Parse(through)
	if err != nil {
		t.Fatal(err)
	}
	c.addr = u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.carry(client) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	u.Host = l.Addr().String()
	return u.String()
}

func (c cut) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.addr)
	if err != nil {
		return
	}
	defer server.Close()
	var answers sync.WaitGroup
	defer answers.Wait()
	var mute sync.Mutex // held while answers may not pass
	answers.Go(func() {
		defer client.Close()
		b := make([]byte, 4096)
		for {
			n, err := server.Read(b)
			mute.Lock()
			if err == nil {
				_, err = client.Write(b[:n])
			}
			mute.Unlock()
			if err != nil {
				return
			}
		}
	})
	b := make([]byte, 4096)
	for {
		n, err := client.Read(b)
		if err == nil && bytes.Contains(b[:n], []byte(c.at)) {
			mute.Lock()
			if c.deliver {
				_, _ = server.Write(b[:n])
				// the server ends its answers when we end our questions: then the COMMIT is done
				_ = server.(*net.TCPConn).CloseWrite()
			} else {
				_ = server.Close()
			}
			client.Close()
			mute.Unlock()
			answers.Wait()
			_, _ = io.Copy(io.Discard, server)
			return
		}
		if err == nil {
			_, err = server.Write(b[:n])
		}
		if err != nil {
			server.Close()
			return
		}
	}
}

func TestCommitWithoutAnAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	d := postgrestest.DB(t, mill())
	direct := d.Open(t, "mill", "mill")
	for at, put := range map[string]func(ctx context.Context, account uuid.UUID, tx pgx.Tx, name string) error{
		"commit": func(ctx context.Context, account uuid.UUID, tx pgx.Tx, name string) error {
			_, err := tx.Exec(ctx, insert, account, id(), name)
			return err
		},
		"at the end": func(ctx context.Context, account uuid.UUID, tx pgx.Tx, name string) error {
			return postgres.Last(ctx, tx, inserts(account, name))
		},
	} {
		for _, done := range []bool{true, false} {
			db, err := postgres.Open(t.Context(), cut{at: at, deliver: done}.url(t, d.URL("mill")), postgres.Options{Schema: "mill", MaxConns: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			account := id()
			in := func(name string) error {
				return db.InAccount(t.Context(), account, func(ctx context.Context, tx pgx.Tx) error { return put(ctx, account, tx, name) })
			}
			before := 0
			if at != "commit" { // its statements are known to the server, so that they travel together
				before = 1
				if err := in("first"); err != nil {
					t.Fatal(err)
				}
			}
			if err := in("at the end"); !errors.Is(err, postgres.ErrCommitUnknown) || fault.Of(err) != fault.Unavailable || fault.Code(err) != "commit-unknown" {
				t.Errorf("cut at %q, COMMIT done: %t: got %v", at, done, err)
			}
			n := before
			for n == before { // the server may be at it still
				if err := direct.InAccount(t.Context(), account, counted(&n)); err != nil {
					t.Fatal(err)
				}
				if !done {
					break
				}
			}
			if (n > before) != done {
				t.Errorf("cut at %q, COMMIT done: %t, but there are %d rows", at, done, n)
			}
		}
	}
}
