package mail

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	gomail "github.com/wneessen/go-mail"
)

// line is the connection of one dialogue, to be cut from outside at any time.
type line struct {
	mu   sync.Mutex
	conn net.Conn
	dead bool
}

// open returns the function that the client library dials with.
func (l *line) open(encrypted bool, config *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if !l.hold(conn) {
			return nil, net.ErrClosed
		}
		if !encrypted {
			return conn, nil
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			l.cut()
			return nil, err
		}
		return secure, nil
	}
}

func (l *line) hold(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		_ = conn.Close() // cut before it was there
		return false
	}
	l.conn = conn
	return true
}

// cut closes the connection, now or as soon as there is one.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	if l.conn != nil {
		_ = l.conn.Close() // given up, or done with
	}
}
