package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"

	"github.com/contactmill/contactmill/pkg/fault"
)

// gate decides who comes in.
type gate struct {
	auth       Authenticator // nil: no users here
	serviceKey string        // empty: no services here
}

// admit finds out who calls a method and whether they may. key is the API key of a user, empty for others.
func (g gate) admit(ctx context.Context, method string) (c Caller, key string, err error) {
	p := permission(method)
	if p&public != 0 {
		return Caller{}, "", nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if key, err = credential(md); err != nil {
		return c, "", err
	}
	if service, ok := strings.CutPrefix(key, servicePrefix); ok {
		key = ""
		c, err = g.service(service, md)
	} else {
		c, err = g.user(ctx, key, md)
	}
	if err != nil {
		return c, "", err
	}
	if !p.has(c.Role) {
		return c, "", fault.New(fault.Denied, "not-permitted", "the role %s may not call this method", c.Role)
	}
	return c, key, nil
}

// credential is the one that was sent. None, two, or one of another kind are all the same to the caller.
func credential(md metadata.MD) (string, error) {
	sent := md.Get(authorization)
	if len(sent) != 1 || len(sent[0]) > len(bearer)+longestKey {
		return "", refused()
	}
	scheme, key, ok := strings.Cut(sent[0], " ")
	if !ok || !strings.EqualFold(scheme+" ", bearer) || key == "" {
		return "", refused()
	}
	return key, nil
}

func (g gate) service(key string, md metadata.MD) (Caller, error) {
	// hashed first, so that not even the length shows in the time it takes
	got, want := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(g.serviceKey))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || g.serviceKey == "" {
		return Caller{}, refused()
	}
	c := Caller{Role: Service}
	switch named := md.Get(accountKey); len(named) {
	case 0:
		return c, nil
	case 1:
		account, err := uuid.Parse(named[0])
		if err != nil || account == uuid.Nil {
			return c, fault.New(fault.Invalid, "bad-account", "the account in the metadata is no UUID")
		}
		c.Account = account
		return c, nil
	default:
		return c, fault.New(fault.Invalid, "bad-account", "the metadata names two accounts")
	}
}

func (g gate) user(ctx context.Context, key string, md metadata.MD) (Caller, error) {
	if g.auth == nil {
		return Caller{}, refused()
	}
	c, err := g.auth.Authenticate(ctx, key)
	switch kind := fault.Of(err); {
	case err == nil:
	case kind == fault.Unauthenticated || kind == fault.NotFound || kind == fault.Invalid:
		return Caller{}, refused()
	case kind.Transient() || kind == fault.Cancelled:
		return Caller{}, fault.Wrap(kind, "cannot-authenticate", err, "the credential cannot be looked up now")
	default:
		return Caller{}, fault.Wrap(fault.Internal, "cannot-authenticate", err, "the credential cannot be looked up")
	}
	if c.Role == Service || c.Role == 0 || c.Role != Operator && c.Account == uuid.Nil {
		return Caller{}, fault.New(fault.Internal, "bad-caller", "the key stands for nobody that could be")
	}
	if len(md.Get(accountKey)) > 0 {
		return c, fault.New(fault.Denied, "account-named", accountRefusal)
	}
	return c, nil
}
