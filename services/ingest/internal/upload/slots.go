package upload

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
)

// slotWait is how long an upload waits for a place before it is told to come back.
const slotWait = 10 * time.Second

// slots bounds the uploads at work, each of which holds up to one part in memory, and keeps one account from taking more
// than half of them.
type slots struct {
	all  chan struct{}
	half int

	mu     sync.Mutex
	shares map[uuid.UUID]*share
}

// share is what one account takes; it is forgotten when nobody uses it.
type share struct {
	used  chan struct{}
	users int
}

func newSlots(n int) *slots {
	return &slots{all: make(chan struct{}, n), half: max(1, n/2), shares: map[uuid.UUID]*share{}}
}

// take waits for a slot; it is Exhausted if none comes free in time.
func (s *slots) take(ctx context.Context, account uuid.UUID) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, slotWait, fault.New(fault.Exhausted, "too-many-uploads", "too many uploads are under way").
		Hint("try again in a few seconds"))
	defer cancel()
	own := s.enter(account)
	select {
	case own.used <- struct{}{}:
	case <-ctx.Done():
		s.leave(account, own)
		return nil, context.Cause(ctx)
	}
	select {
	case s.all <- struct{}{}:
	case <-ctx.Done():
		<-own.used
		s.leave(account, own)
		return nil, context.Cause(ctx)
	}
	return func() {
		<-s.all
		<-own.used
		s.leave(account, own)
	}, nil
}

func (s *slots) enter(account uuid.UUID) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.shares[account]
	if own == nil {
		own = &share{used: make(chan struct{}, s.half)}
		s.shares[account] = own
	}
	own.users++
	return own
}

func (s *slots) leave(account uuid.UUID, own *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.shares, account)
	}
}
