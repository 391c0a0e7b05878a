// Package rpc is gRPC as we use it: a server that knows who calls and what they may, bounded in every direction; a
// client that speaks to any number of replicas and gets faults back.
//
// A user's credential is an API key, "authorization: Bearer cm_...", and belongs to one account (an operator's to
// none). A service's credential is "authorization: Bearer svc_..." and names the account it acts for in the metadata
// "contactmill-account", which a user's never may. Who may call which method is one table, in access.go.
package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"

	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	authorization  = "authorization"
	accountKey     = "contactmill-account"
	bearer         = "Bearer "
	servicePrefix  = "svc_"
	longestKey     = 256 // bytes of a credential
	refusal        = "the credential is missing or not good"
	refusalHint    = "send one header \"authorization: Bearer <API key>\" with a key that was not revoked"
	refusalCode    = "no-credential"
	accountRefusal = "a user's credential names no account"
)

// Role is what a caller is.
type Role uint8

// The roles. The zero value is none.
const (
	Submitter Role = iota + 1 // hands in files and follows its account's jobs
	Admin                     // also manages contacts, lists and the account
	Operator                  // makes accounts and keys; belongs to no account
	Service                   // one of ours; acts for the account that it names
)

// String is the role's name, in lower case.
func (r Role) String() string {
	switch r {
	case Submitter:
		return "submitter"
	case Admin:
		return "admin"
	case Operator:
		return "operator"
	case Service:
		return "service"
	}
	return "none"
}

// Caller is who calls.
type Caller struct {
	Account uuid.UUID // whose things are meant; none for an operator, and for a service that named none
	Role    Role
	KeyID   uuid.UUID // none for a service
	Email   string    // where the key's holder gets mail; may be empty. Never log it
}

// Authenticator tells who holds an API key. A bad, unknown or revoked key is Unauthenticated; any other error means
// that it could not be found out.
type Authenticator interface {
	Authenticate(ctx context.Context, key string) (Caller, error)
}

type callerKey struct{}

// CallerOf is the caller of the method that ctx belongs to; Unauthenticated if there is none.
func CallerOf(ctx context.Context) (Caller, error) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		return Caller{}, refused()
	}
	return c, nil
}

// AccountOf is the account that the caller acts for; Invalid if its credential names none.
func AccountOf(ctx context.Context) (uuid.UUID, error) {
	c, err := CallerOf(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	if c.Account == uuid.Nil {
		return uuid.Nil, fault.New(fault.Invalid, "no-account", "the credential names no account, and this method is about one")
	}
	return c.Account, nil
}

// WithCaller is a context as the server gives it to methods, for calling a method without a server.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// WithAccount names the account that calls with a service's credential act for.
func WithAccount(ctx context.Context, account uuid.UUID) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	if md == nil {
		md = metadata.MD{}
	}
	md.Set(accountKey, account.String())
	return metadata.NewOutgoingContext(ctx, md)
}

// refused is the one answer to every credential that is not good, whatever is wrong with it.
func refused() error {
	return fault.New(fault.Unauthenticated, refusalCode, "%s", refusal).Hint("%s", refusalHint)
}
