package testprovider

import (
	"errors"
	"net"
	"sync"
	"time"
)

// listener hands out connections that can be spoiled, by the address of who is at their other end.
type listener struct {
	net.Listener
	conns sync.Map // string to *conn
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &conn{Conn: c, gone: make(chan struct{}), other: make(chan struct{}), left: -1}
	w.forget = func() { l.conns.Delete(c.RemoteAddr().String()) }
	l.conns.Store(c.RemoteAddr().String(), w)
	return w, nil
}

// of is the connection with an address at its other end; nil if it is gone.
func (l *listener) of(remote string) *conn {
	if c, ok := l.conns.Load(remote); ok {
		return c.(*conn)
	}
	return nil
}

// conn is a connection whose bytes may leave slowly, or only so many of them.
type conn struct {
	net.Conn
	once   sync.Once
	gone   chan struct{}
	forget func()

	mu    sync.Mutex
	drip  time.Duration // between two bytes; 0 is at once
	other chan struct{} // closed when drip changes
	left  int           // bytes that may still leave; negative: all
}

var errCut = errors.New("the connection was cut on command")

func (c *conn) Write(b []byte) (int, error) {
	for n := range b {
		c.mu.Lock()
		drip, left, other := c.drip, c.left, c.other
		c.mu.Unlock()
		switch {
		case left >= 0 && left < len(b)-n:
			m, err := c.Conn.Write(b[n : n+left])
			c.cut()
			return n + m, errors.Join(errCut, err)
		case left >= 0:
			c.mu.Lock()
			c.left -= len(b) - n
			c.mu.Unlock()
			fallthrough
		case drip == 0:
			m, err := c.Conn.Write(b[n:])
			return n + m, err
		}
		if _, err := c.Conn.Write(b[n : n+1]); err != nil {
			return n, err
		}
		next := time.NewTimer(drip)
		select {
		case <-next.C:
		case <-other:
			next.Stop()
		case <-c.gone:
			next.Stop()
			return n + 1, net.ErrClosed
		}
	}
	return len(b), nil
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.gone); c.forget() })
	return c.Conn.Close()
}

// slowly lets bytes leave one by one, so long apart; 0 is all at once again.
func (c *conn) slowly(apart time.Duration) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drip != apart {
		c.drip = apart
		close(c.other)
		c.other = make(chan struct{})
	}
}

// cutAfter ends the connection once so many bytes have left.
func (c *conn) cutAfter(bytes int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = bytes
}

// cut ends the connection at once and without a word, as a machine does that lost its power.
func (c *conn) cut() {
	if c == nil {
		return
	}
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it ends either way
	}
	_ = c.Close() // its end is what is wanted
}
