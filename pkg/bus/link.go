package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// link is what is known of the connection.
type link struct {
	mu        sync.Mutex
	connected bool
	changed   chan struct{} // closed and replaced at each change of connected
	err       error         // reported by the server, not yet followed by a good answer
	sticky    bool          // err goes only with the connection: one subject may be forbidden while others answer well
}

func newLink() *link { return &link{changed: make(chan struct{})} }

func (l *link) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.sticky = nil, false
	l.set(true)
}

func (l *link) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(false)
}

func (l *link) set(connected bool) {
	if l.connected == connected {
		return
	}
	l.connected = connected
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *link) trouble(err error, sticky bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sticky {
		l.err, l.sticky = err, sticky
	}
}

// well says that the server has answered as it should.
func (l *link) well() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sticky {
		l.err = nil
	}
}

func (l *link) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.connected {
		return errors.New("not connected")
	}
	return l.err
}

// state returns whether the connection stands and a channel that closes when that changes.
func (l *link) state() (connected bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected, l.changed
}

// wait blocks until the connection stands; when ctx has ended it returns an error even if it does.
func (l *link) wait(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for the connection: %w", err)
		}
		connected, changed := l.state()
		if connected {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// whileUp returns a context that ends with ctx or as soon as the connection is lost. release must be called.
func (l *link) whileUp(ctx context.Context) (up context.Context, release func()) {
	up, cancel := context.WithCancel(ctx)
	connected, changed := l.state()
	if !connected {
		cancel()
		return up, cancel
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-changed:
			cancel()
		case <-up.Done():
		}
	}()
	return up, func() {
		cancel()
		<-done
	}
}
