package accounts

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// fieldsEdge is FieldsService over the store. All of it is about the caller's own account; a service names it.
type fieldsEdge struct {
	accountsv1.UnimplementedFieldsServiceServer
	store *store
}

func (e *fieldsEdge) ListFields(ctx context.Context, _ *accountsv1.ListFieldsRequest) (*accountsv1.ListFieldsResponse, error) {
	_, id, err := ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	own, err := e.store.fields(ctx, id)
	if err != nil {
		return nil, err
	}
	return &accountsv1.ListFieldsResponse{Fields: append(standardFields(), each(own, fromField)...)}, nil
}

func (e *fieldsEdge) CreateField(ctx context.Context, req *accountsv1.CreateFieldRequest) (*accountsv1.CreateFieldResponse, error) {
	caller, id, err := ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	f, unique, err := toField(req.GetField())
	if err != nil {
		return nil, err
	}
	if codes := req.GetField().GetCodes(); len(codes) > 0 {
		book, err := toCodes(codes)
		if err != nil {
			return nil, err
		}
		if _, err := f.put(book); err != nil {
			return nil, err
		}
	}
	if err := e.store.createField(ctx, actorOf(caller), id, &f, unique); err != nil {
		return nil, err
	}
	return &accountsv1.CreateFieldResponse{Field: fromField(f)}, nil
}

func (e *fieldsEdge) UpdateField(ctx context.Context, req *accountsv1.UpdateFieldRequest) (*accountsv1.UpdateFieldResponse, error) {
	caller, id, err := ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	if err := notStandard(req.GetName()); err != nil {
		return nil, err
	}
	c, err := toFieldChange(req)
	if err != nil {
		return nil, err
	}
	f, err := e.store.updateField(ctx, actorOf(caller), id, req.GetName(), c)
	if err != nil {
		return nil, err
	}
	return &accountsv1.UpdateFieldResponse{Field: fromField(f)}, nil
}

func (e *fieldsEdge) DeleteField(ctx context.Context, req *accountsv1.DeleteFieldRequest) (*accountsv1.DeleteFieldResponse, error) {
	caller, id, err := ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	if err := notStandard(req.GetName()); err != nil {
		return nil, err
	}
	if err := e.store.retireField(ctx, actorOf(caller), id, req.GetName()); err != nil {
		return nil, err
	}
	return &accountsv1.DeleteFieldResponse{}, nil
}

func (e *fieldsEdge) SetCodes(ctx context.Context, req *accountsv1.SetCodesRequest) (*accountsv1.SetCodesResponse, error) {
	caller, id, err := ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	if err := notStandard(req.GetField()); err != nil {
		return nil, err
	}
	codes, err := toCodes(req.GetCodes())
	if err != nil {
		return nil, err
	}
	if len(codes) == 0 {
		return nil, fault.New(fault.Invalid, "no-codes", "no codes are given")
	}
	f, err := e.store.setCodes(ctx, actorOf(caller), id, req.GetField(), codes)
	if err != nil {
		return nil, err
	}
	return &accountsv1.SetCodesResponse{Field: fromField(f)}, nil
}

func (e *fieldsEdge) GetCodeBook(ctx context.Context, _ *accountsv1.GetCodeBookRequest) (*accountsv1.GetCodeBookResponse, error) {
	_, id, err := ownAccount(ctx)
	if err != nil {
		return nil, err
	}
	own, err := e.store.fields(ctx, id)
	if err != nil {
		return nil, err
	}
	content, err := codeBook(own)
	if err != nil {
		return nil, fmt.Errorf("write code book: %w", err)
	}
	return &accountsv1.GetCodeBookResponse{FileName: codeBookName, Content: content}, nil
}

// ownAccount is the caller and its account, or the one that a service acts for.
func ownAccount(ctx context.Context) (rpc.Caller, uuid.UUID, error) {
	caller, err := rpc.CallerOf(ctx)
	if err == nil && caller.Account == uuid.Nil {
		err = fault.New(fault.Invalid, "no-account", "fields belong to an account").Hint("use a key of the account")
	}
	return caller, caller.Account, err
}

// notStandard refuses to change what every account has.
func notStandard(name string) error {
	for _, f := range standardFields() {
		if f.GetName() == name {
			return fault.New(fault.Precondition, "standard-field", "%s is a standard field, which no account changes", name)
		}
	}
	return nil
}
