package rpc

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	remembered = 30 * time.Second // how long a revoked key may still be taken
	cacheLimit = 10_000           // keys
)

// RemoteAuth asks the accounts service and remembers what it said of a good key for 30 seconds. conn carries a
// service's credential.
func RemoteAuth(conn grpc.ClientConnInterface) Authenticator {
	return Remember(remote{accountsv1.NewAuthServiceClient(conn)})
}

type remote struct{ client accountsv1.AuthServiceClient }

func (r remote) Authenticate(ctx context.Context, key string) (Caller, error) {
	a, err := r.client.Authenticate(ctx, &accountsv1.AuthenticateRequest{Key: key})
	if err != nil {
		err = fault.FromStatus(err)
		if fault.Code(err) == refusalCode { // it was not the user's key that accounts refused, but ours
			return Caller{}, fault.Wrap(fault.Internal, "service-key-refused", err, "accounts refuses this service's own credential").
				Hint("give every service the same service key")
		}
		return Caller{}, err
	}
	c := Caller{Role: roles[a.GetRole()], Email: a.GetEmail()}
	if c.KeyID, err = uuid.Parse(a.GetKeyId()); err != nil {
		return Caller{}, fault.New(fault.Internal, "bad-caller", "accounts answered with a key id that is no UUID")
	}
	if a.GetAccountId() != "" {
		if c.Account, err = uuid.Parse(a.GetAccountId()); err != nil {
			return Caller{}, fault.New(fault.Internal, "bad-caller", "accounts answered with an account id that is no UUID")
		}
	}
	return c, nil
}

var roles = map[accountsv1.Role]Role{
	accountsv1.Role_ROLE_SUBMITTER: Submitter,
	accountsv1.Role_ROLE_ADMIN:     Admin,
	accountsv1.Role_ROLE_OPERATOR:  Operator,
}

// Remember answers from memory for 30 seconds what a said of a good key. Refusals are not remembered: a key works from
// the moment it is made.
func Remember(a Authenticator) Authenticator {
	return &memory{ask: a, known: map[[sha256.Size]byte]known{}}
}

type memory struct {
	ask   Authenticator
	mu    sync.Mutex
	known map[[sha256.Size]byte]known // by hash: a dump of memory shows no keys
}

type known struct {
	caller Caller
	until  time.Time
}

func (m *memory) Authenticate(ctx context.Context, key string) (Caller, error) {
	hash, now := sha256.Sum256([]byte(key)), time.Now()
	m.mu.Lock()
	k, ok := m.known[hash]
	m.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.caller, nil
	}
	c, err := m.ask.Authenticate(ctx, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if fault.Of(err) == fault.Unauthenticated {
			delete(m.known, hash)
		}
		return c, err
	}
	if len(m.known) >= cacheLimit {
		m.forget(now)
	}
	m.known[hash] = known{c, now.Add(remembered)} // from before it was asked
	return c, nil
}

// forget drops what is too old, and everything if that is not enough: the next call asks again.
func (m *memory) forget(now time.Time) {
	for h, k := range m.known {
		if !now.Before(k.until) {
			delete(m.known, h)
		}
	}
	if len(m.known) >= cacheLimit {
		clear(m.known)
	}
}
