package accounts

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
)

// nobody is what a key that nobody has is compared with, so that it takes as long to refuse as a wrong secret.
var nobody [32]byte

// Authenticate tells whose API key it is. A bad, unknown or revoked one is Unauthenticated, always with the same text.
func (s *Service) Authenticate(ctx context.Context, key string) (rpc.Caller, error) {
	id, hash, ok := parseSecret(key)
	if !ok {
		return rpc.Caller{}, refused()
	}
	l, found, err := s.store.keyForLogin(ctx, id)
	if err != nil {
		return rpc.Caller{}, fmt.Errorf("authenticate: %w", err)
	}
	if !found {
		l.Hash = nobody[:]
	}
	if same := subtle.ConstantTimeCompare(hash[:], l.Hash) == 1; !same || !found || l.Revoked {
		return rpc.Caller{}, refused()
	}
	role, err := toRole(l.Role)
	if err != nil {
		return rpc.Caller{}, err
	}
	c := rpc.Caller{Account: l.Account, Role: role, KeyID: id, Email: l.Email}
	if c.Account == operators {
		c.Account = uuid.Nil
	}
	return c, nil
}

func refused() error {
	return fault.New(fault.Unauthenticated, "bad-api-key", "the API key is not valid").
		Hint("ask whoever manages your account for a key")
}
