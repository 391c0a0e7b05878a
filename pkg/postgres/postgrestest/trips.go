package postgrestest

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// CountTrips returns an address that leads to a database, and how often it was asked and answered that way: on each connection, how
// often the direction turned.
func CountTrips(t *testing.T, database string) (count *atomic.Int64, address string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &trips{listen: l, to: u.Host}
	p.conns.Go(p.accept)
	t.Cleanup(func() { _ = l.Close(); p.conns.Wait() })
	u.Host = l.Addr().String()
	return &p.turns, u.String()
}

// trips passes connections on and counts.
type trips struct {
	listen net.Listener
	to     string
	turns  atomic.Int64
	conns  sync.WaitGroup
}

func (p *trips) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		var asking atomic.Bool
		p.conns.Go(func() { p.pass(server, client, &asking, true) })
		p.conns.Go(func() { p.pass(client, server, &asking, false) })
	}
}

func (p *trips) pass(dst, src net.Conn, asking *atomic.Bool, asks bool) {
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
