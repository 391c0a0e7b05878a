package accounts

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// accountsEdge is AccountsService over the store.
type accountsEdge struct {
	accountsv1.UnimplementedAccountsServiceServer
	store  *store
	checks *contact.Normaliser // of a template's example
}

// authEdge is AuthService over Authenticate.
type authEdge struct {
	accountsv1.UnimplementedAuthServiceServer
	service *Service
}

func (e *accountsEdge) CreateAccount(ctx context.Context, req *accountsv1.CreateAccountRequest) (*accountsv1.CreateAccountResponse, error) {
	caller, err := operator(ctx)
	if err != nil {
		return nil, err
	}
	a, err := toAccount(req.GetAccount())
	if err != nil {
		return nil, err
	}
	a.ID = uuid.Must(uuid.NewV7())
	if err := e.store.insert(ctx, actorOf(caller), &a); err != nil {
		return nil, err
	}
	return &accountsv1.CreateAccountResponse{Account: fromAccount(a)}, nil
}

func (e *accountsEdge) GetAccount(ctx context.Context, req *accountsv1.GetAccountRequest) (*accountsv1.GetAccountResponse, error) {
	_, id, err := e.named(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	a, err := e.store.account(ctx, id)
	if err != nil {
		return nil, err
	}
	return &accountsv1.GetAccountResponse{Account: fromAccount(a)}, nil
}

func (e *accountsEdge) ListAccounts(ctx context.Context, _ *accountsv1.ListAccountsRequest) (*accountsv1.ListAccountsResponse, error) {
	if _, err := operator(ctx); err != nil {
		return nil, err
	}
	all, err := e.store.every(ctx)
	if err != nil {
		return nil, err
	}
	return &accountsv1.ListAccountsResponse{Accounts: each(all, fromAccount)}, nil
}

func (e *accountsEdge) UpdateAccount(ctx context.Context, req *accountsv1.UpdateAccountRequest) (*accountsv1.UpdateAccountResponse, error) {
	caller, id, err := e.named(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	if req.Package != nil && caller.Role != rpc.Operator {
		return nil, fault.New(fault.Denied, "operators-only", "only an operator changes the package")
	}
	c, err := toChange(req)
	if err != nil {
		return nil, err
	}
	a, err := e.store.update(ctx, actorOf(caller), id, c)
	if err != nil {
		return nil, err
	}
	return &accountsv1.UpdateAccountResponse{Account: fromAccount(a)}, nil
}

func (e *accountsEdge) CreateKey(ctx context.Context, req *accountsv1.CreateKeyRequest) (*accountsv1.CreateKeyResponse, error) {
	k, err := toKey(req)
	if err != nil {
		return nil, err
	}
	caller, id, err := e.keyOwner(ctx, req)
	if err != nil {
		return nil, err
	}
	k.AccountID, k.ID = id, uuid.Must(uuid.NewV7())
	secret, hash := newSecret(k.ID)
	if err := e.store.insertKey(ctx, actorOf(caller), &k, hash); err != nil {
		return nil, err
	}
	return &accountsv1.CreateKeyResponse{Key: fromKey(k), Secret: secret}, nil
}

// keyOwner is the account that a new key is to belong to.
func (e *accountsEdge) keyOwner(ctx context.Context, req *accountsv1.CreateKeyRequest) (rpc.Caller, uuid.UUID, error) {
	if req.GetRole() != accountsv1.Role_ROLE_OPERATOR {
		caller, id, err := e.named(ctx, req.GetAccount())
		if err != nil {
			return caller, id, err
		}
		_, err = e.store.account(ctx, id) // an operator may have named an id that nobody has
		return caller, id, err
	}
	caller, err := operator(ctx)
	if err != nil {
		return caller, uuid.Nil, err
	}
	if req.GetAccount() != "" {
		return caller, uuid.Nil, fault.New(fault.Invalid, "operator-with-account", "an operator's key belongs to no account").
			Hint("leave the account away, or choose the role admin or submitter")
	}
	return caller, operators, nil
}

func (e *accountsEdge) ListKeys(ctx context.Context, req *accountsv1.ListKeysRequest) (*accountsv1.ListKeysResponse, error) {
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return nil, err
	}
	id := operators // an operator's "own" keys are the operators'
	if caller.Role != rpc.Operator || req.GetAccount() != "" {
		if _, id, err = e.named(ctx, req.GetAccount()); err != nil {
			return nil, err
		}
		if _, err := e.store.account(ctx, id); err != nil {
			return nil, err
		}
	}
	keys, err := e.store.keys(ctx, id)
	if err != nil {
		return nil, err
	}
	return &accountsv1.ListKeysResponse{Keys: each(keys, fromKey)}, nil
}

func (e *accountsEdge) RevokeKey(ctx context.Context, req *accountsv1.RevokeKeyRequest) (*accountsv1.RevokeKeyResponse, error) {
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return nil, err
	}
	key, err := uuid.Parse(req.GetKeyId())
	if err != nil {
		return nil, fault.New(fault.Invalid, "bad-key-id", "the id of a key is a UUID")
	}
	id := caller.Account
	if caller.Role == rpc.Operator {
		var found bool
		if id, found, err = e.store.keyAccount(ctx, key); err != nil {
			return nil, err
		} else if !found {
			return nil, fault.New(fault.NotFound, "unknown-key", "there is no such key")
		}
	}
	k, err := e.store.revoke(ctx, actorOf(caller), id, key)
	if err != nil {
		return nil, err
	}
	return &accountsv1.RevokeKeyResponse{Key: fromKey(k)}, nil
}

func (e *accountsEdge) GetTemplate(ctx context.Context, req *accountsv1.GetTemplateRequest) (*accountsv1.GetTemplateResponse, error) {
	t, err := e.template(ctx)
	if err != nil {
		return nil, err
	}
	res := &accountsv1.GetTemplateResponse{FileName: templateName}
	switch req.GetFormat() {
	case accountsv1.TemplateFormat_TEMPLATE_FORMAT_UNSPECIFIED, accountsv1.TemplateFormat_TEMPLATE_FORMAT_CSV:
		res.Content, err = t.csv()
	case accountsv1.TemplateFormat_TEMPLATE_FORMAT_XLSX:
		res.FileName = templateNameXLSX
		res.Content, err = t.xlsx()
	default:
		return nil, fault.New(fault.Invalid, "bad-format", "a template is CSV or XLSX")
	}
	if err != nil {
		return nil, fmt.Errorf("write template: %w", err)
	}
	return res, nil
}

// template is that of the caller's account; operators, who belong to none, get the standard one.
func (e *accountsEdge) template(ctx context.Context) (template, error) {
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return template{}, err
	}
	if caller.Account == uuid.Nil {
		return newTemplate(plainCountry, nil, e.checks), nil
	}
	a, err := e.store.account(ctx, caller.Account)
	if err != nil {
		return template{}, err
	}
	own, err := e.store.fields(ctx, caller.Account)
	if err != nil {
		return template{}, err
	}
	return newTemplate(a.Country, own, e.checks), nil
}

func (e *authEdge) Authenticate(ctx context.Context, req *accountsv1.AuthenticateRequest) (*accountsv1.AuthenticateResponse, error) {
	c, err := e.service.Authenticate(ctx, req.GetKey())
	if err != nil {
		return nil, err
	}
	res := &accountsv1.AuthenticateResponse{KeyId: c.KeyID.String(), Role: fromRole(c.Role), Email: c.Email}
	if c.Account != uuid.Nil {
		res.AccountId = c.Account.String()
	}
	return res, nil
}

// named is the caller and the account it means by an id, a name, or nothing for its own. Operators may mean any
// account; all others only their own, and any other looks to them as if it did not exist.
func (e *accountsEdge) named(ctx context.Context, ref string) (rpc.Caller, uuid.UUID, error) {
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return caller, uuid.Nil, err
	}
	unknown := fault.New(fault.NotFound, "unknown-account", "there is no such account")
	id, parseErr := uuid.Parse(ref)
	switch {
	case ref == "" && caller.Account == uuid.Nil:
		return caller, uuid.Nil, fault.New(fault.Invalid, "no-account", "an operator belongs to no account").
			Hint("name the account by id or name")
	case ref == "":
		return caller, caller.Account, nil
	case caller.Role == rpc.Operator && parseErr == nil:
		if id == uuid.Nil || id == operators {
			return caller, uuid.Nil, unknown
		}
		return caller, id, nil
	case caller.Role == rpc.Operator:
		id, found, err := e.store.byName(ctx, ref)
		if err == nil && !found {
			err = unknown
		}
		return caller, id, err
	case parseErr == nil && id == caller.Account:
		return caller, id, nil
	case parseErr == nil:
		return caller, uuid.Nil, unknown
	}
	own, err := e.store.account(ctx, caller.Account)
	if err == nil && own.Name != ref {
		err = unknown
	}
	return caller, caller.Account, err
}

// operator is the caller, if it is an operator.
func operator(ctx context.Context) (rpc.Caller, error) {
	caller, err := rpc.CallerOf(ctx)
	if err == nil && caller.Role != rpc.Operator {
		err = fault.New(fault.Denied, "operators-only", "only an operator may do this")
	}
	return caller, err
}

func actorOf(c rpc.Caller) actor { return actor{Role: c.Role.String(), Key: c.KeyID} }

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for a := range slices.Values(in) {
		out = append(out, f(a))
	}
	return out
}
