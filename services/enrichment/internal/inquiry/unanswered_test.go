package inquiry

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// How the next COMMIT fares on its way.
const (
	passes  = iota
	unheard // it is done, and its answer does not come
	undone  // it does not arrive
)

// wire is the way to PostgreSQL; fate is that of the next COMMIT.
type wire struct{ fate atomic.Int32 }

// through returns the address by which a database is reached over the wire.
func (w *wire) through(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host := u.Host
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
			all.Go(func() { w.carry(client, host) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	u.Host = l.Addr().String()
	return u.String()
}

func (w *wire) carry(client net.Conn, host string) {
	defer client.Close()
	server, err := net.Dial("tcp", host)
	if err != nil {
		return
	}
	defer server.Close()
	var swallow atomic.Bool
	var back sync.WaitGroup
	back.Go(func() {
		defer client.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := server.Read(b)
			if err != nil || swallow.Load() { // an answer that comes says that it is done
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	})
	defer back.Wait()
	b := make([]byte, 1<<16)
	for {
		n, err := client.Read(b)
		if err != nil {
			server.Close()
			return
		}
		if bytes.Contains(b[:n], []byte("commit\x00")) {
			switch w.fate.Swap(passes) {
			case undone:
				server.Close()
				return
			case unheard:
				swallow.Store(true)
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(b[:n])); err != nil {
			return
		}
	}
}

// A COMMIT whose answer is lost has been done or not. Either way the ledger ends up with the batch noted and the answer
// before it saved, once, and the caller notices nothing.
func TestCommitsThatGoUnanswered(t *testing.T) {
	t.Parallel()
	database := postgrestest.DB(t, schema)
	way := &wire{}
	db, err := postgres.Open(t.Context(), way.through(t, database.URL("enrichment")), postgres.Options{Schema: schema.Name, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	sql, err := postgres.Queries[statements](queries, "queries")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{db: db, sql: sql}
	account := uuid.New()
	for fate, name := range map[int32]string{unheard: "done", undone: "not done"} {
		t.Run(name, func(t *testing.T) {
			one := batchOf(account, name, "01")
			two := batchOf(account, name, "02")
			way.fate.Store(fate)
			if a, err := l.next(t.Context(), nil, one); a != nil || err != nil {
				t.Fatalf("note the first: %v, %v", a, err)
			}
			answer := &providerv1.EnrichResponse{BatchId: one.id, PhoneFacts: []uint32{0}, EmailFacts: []uint32{0}, SubjectChecks: []uint32{7}}
			way.fate.Store(fate)
			if a, err := l.next(t.Context(), &answered{*one, answer, 1}, two); a != nil || err != nil {
				t.Fatalf("save the first and note the second: %v, %v", a, err)
			}
			if way.fate.Load() != passes {
				t.Error("no COMMIT was seen")
			}
			if a, err := l.next(t.Context(), nil, one); err != nil || !proto.Equal(a, answer) {
				t.Errorf("the first's answer is %v, %v", a, err)
			}
			if a, err := l.next(t.Context(), nil, two); err != nil || a != nil {
				t.Errorf("the second's answer is %v, %v; want none", a, err)
			}
			way.fate.Store(fate)
			if err := l.giveUp(t.Context(), two, two.values, "test"); err != nil {
				t.Fatal(err)
			}
			three := batchOf(account, name, "03")
			three.values = two.values
			if _, err := l.next(t.Context(), nil, three); err != nil {
				t.Errorf("a value of a batch that was given up: %v", err)
			}
			if _, err := l.next(t.Context(), nil, two); !errors.Is(err, errHeld) {
				t.Errorf("a value that another batch has: %v", err)
			}
		})
	}
}

func batchOf(account uuid.UUID, provider, id string) *batch {
	return &batch{account: account, job: uuid.New(), provider: provider, id: strings.Repeat(id, 16), subjects: 1,
		question: []byte("sealed"), values: []uuid.UUID{uuid.New()}, kinds: []int16{phone}, at: []int32{0}}
}
