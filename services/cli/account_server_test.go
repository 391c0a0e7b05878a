package cli_test

import (
	"context"
	"slices"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// The part of the server by hand that has fields and code books.

func (s *server) ListFields(context.Context, *accountsv1.ListFieldsRequest) (*accountsv1.ListFieldsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &accountsv1.ListFieldsResponse{Fields: s.fields}, nil
}

func (s *server) CreateField(_ context.Context, r *accountsv1.CreateFieldRequest) (*accountsv1.CreateFieldResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fields = append(s.fields, r.Field)
	return &accountsv1.CreateFieldResponse{Field: r.Field}, nil
}

func (s *server) UpdateField(_ context.Context, r *accountsv1.UpdateFieldRequest) (*accountsv1.UpdateFieldResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updated = r
	f, err := s.field(r.Name)
	return &accountsv1.UpdateFieldResponse{Field: f}, err
}

func (s *server) DeleteField(_ context.Context, r *accountsv1.DeleteFieldRequest) (*accountsv1.DeleteFieldResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.field(r.Name)
	s.fields = slices.DeleteFunc(s.fields, func(f *accountsv1.Field) bool { return f.Name == r.Name })
	return &accountsv1.DeleteFieldResponse{}, err
}

func (s *server) SetCodes(_ context.Context, r *accountsv1.SetCodesRequest) (*accountsv1.SetCodesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uncoded != nil {
		return nil, s.uncoded
	}
	s.coded = r
	f, err := s.field(r.Field)
	return &accountsv1.SetCodesResponse{Field: f}, err
}

func (s *server) GetCodeBook(context.Context, *accountsv1.GetCodeBookRequest) (*accountsv1.GetCodeBookResponse, error) {
	return &accountsv1.GetCodeBookResponse{FileName: "codes.csv", Content: []byte("field,code,label,retired\r\n")}, nil
}

func (s *server) GetTemplate(_ context.Context, r *accountsv1.GetTemplateRequest) (*accountsv1.GetTemplateResponse, error) {
	return &accountsv1.GetTemplateResponse{FileName: "t", Content: []byte(r.Format.String())}, nil
}

func (s *server) UpdateAccount(_ context.Context, r *accountsv1.UpdateAccountRequest) (*accountsv1.UpdateAccountResponse, error) {
	s.set = r
	return &accountsv1.UpdateAccountResponse{Account: &accountsv1.Account{Id: "a1", Name: "demo", Country: "US", LegacyEncoding: r.GetLegacyEncoding(), Policies: r.GetPolicies(),
		BadCell: accountsv1.BadCell_BAD_CELL_REJECT_ROW, UnknownToProvider: accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD, ProviderDays: 90}}, nil
}

func (s *server) field(name string) (*accountsv1.Field, error) {
	for _, f := range s.fields {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, fault.New(fault.NotFound, "unknown-field", "there is no field %s", name)
}
