package contacts

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

const (
	usualPage = 100
	mostPage  = 1000
	mostLists = 100 // that one contact is put on at once
)

// contactsEdge is ContactsService over the contact database.
type contactsEdge struct {
	contactsv1.UnimplementedContactsServiceServer
	contacts *contactdb.Contacts
	cells    cells
	accounts accountsv1.AccountsServiceClient
	schemas  *schemas
	now      func() time.Time
}

func (e *contactsEdge) ListContacts(ctx context.Context, req *contactsv1.ListContactsRequest) (*contactsv1.ListContactsResponse, error) {
	account, filter, err := e.filter(ctx, req.GetFilter())
	if err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	switch {
	case size < 0:
		return nil, fault.New(fault.Invalid, "bad-page-size", "a page has 1 to %d contacts, not %d", mostPage, size)
	case size == 0:
		size = usualPage
	}
	after, err := readToken(req.GetPageToken(), filter)
	if err != nil {
		return nil, err
	}
	page, next, err := e.contacts.Page(ctx, account, filter, after, min(size, mostPage))
	if err != nil {
		return nil, err
	}
	res := &contactsv1.ListContactsResponse{NextPageToken: writeToken(next, filter)}
	res.Contacts, err = e.fromContacts(ctx, account, page)
	return res, err
}

func (e *contactsEdge) CountContacts(ctx context.Context, req *contactsv1.CountContactsRequest) (*contactsv1.CountContactsResponse, error) {
	account, filter, err := e.filter(ctx, req.GetFilter())
	if err != nil {
		return nil, err
	}
	n, err := e.contacts.Count(ctx, account, filter)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CountContactsResponse{Count: n}, nil
}

func (e *contactsEdge) GetContact(ctx context.Context, req *contactsv1.GetContactRequest) (*contactsv1.GetContactResponse, error) {
	account, err := rpc.AccountOf(ctx)
	if err != nil {
		return nil, err
	}
	id, err := toID(req.GetId())
	if err != nil {
		return nil, err
	}
	shown, err := e.show(ctx, account, id)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetContactResponse{Contact: shown}, nil
}

func (e *contactsEdge) AddContact(ctx context.Context, req *contactsv1.AddContactRequest) (*contactsv1.AddContactResponse, error) {
	caller, owner, err := e.owner(ctx)
	if err != nil {
		return nil, err
	}
	schema, err := e.schemas.with(ctx, caller.Account, req.GetValues())
	if err != nil {
		return nil, err
	}
	values, err := e.cells.read(schema, req.GetValues(), contact.CountryByCode(owner.GetCountry()), "", e.now())
	if err != nil {
		return nil, err
	}
	values = filled(values)
	if err := recognisable(schema, values); err != nil {
		return nil, err
	}
	if err := complete(schema, values); err != nil {
		return nil, err
	}
	if len(req.GetLists()) > mostLists {
		return nil, fault.New(fault.Invalid, "too-many-lists", "a contact is put on at most %d lists at once, not %d", mostLists, len(req.GetLists()))
	}
	lists := make([]string, len(req.GetLists()))
	for i, name := range req.GetLists() {
		if lists[i], err = toListName(name); err != nil {
			return nil, err
		}
	}
	edit := contactdb.Edit{By: caller.KeyID, At: e.now(), Schema: schema, Values: values}
	id, err := e.contacts.Add(ctx, caller.Account, edit, lists, owner.GetPackage())
	if err != nil {
		return nil, err
	}
	shown, err := e.show(ctx, caller.Account, id)
	if err != nil {
		return nil, err
	}
	return &contactsv1.AddContactResponse{Contact: shown}, nil
}

func (e *contactsEdge) SetContact(ctx context.Context, req *contactsv1.SetContactRequest) (*contactsv1.SetContactResponse, error) {
	id, err := toID(req.GetId())
	if err != nil {
		return nil, err
	}
	caller, owner, err := e.owner(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := e.contacts.Contact(ctx, caller.Account, id)
	if err != nil {
		return nil, err
	}
	var schema *contact.Schema // standard fields alone ask nobody
	if namesOwn(req.GetValues()) {
		if schema, err = e.schemas.with(ctx, caller.Account, req.GetValues()); err != nil {
			return nil, err
		}
	}
	values, err := e.cells.read(schema, req.GetValues(), contact.CountryByCode(owner.GetCountry()), stored.Values[contact.FieldCountry], e.now())
	if err != nil {
		return nil, err
	}
	if err := keepsRequired(schema, values); err != nil {
		return nil, err
	}
	if err := e.contacts.Set(ctx, caller.Account, id, contactdb.Edit{By: caller.KeyID, At: e.now(), Schema: schema, Values: values}); err != nil {
		return nil, err
	}
	shown, err := e.show(ctx, caller.Account, id)
	if err != nil {
		return nil, err
	}
	return &contactsv1.SetContactResponse{Contact: shown}, nil
}

// owner is the caller and the account that it acts for.
func (e *contactsEdge) owner(ctx context.Context) (rpc.Caller, *accountsv1.Account, error) {
	caller, err := rpc.CallerOf(ctx)
	if err != nil {
		return caller, nil, err
	}
	id, err := rpc.AccountOf(ctx)
	if err != nil {
		return caller, nil, err
	}
	res, err := e.accounts.GetAccount(rpc.WithAccount(ctx, id), &accountsv1.GetAccountRequest{})
	if err != nil {
		return caller, nil, fmt.Errorf("ask for account %s: %w", id, err)
	}
	return caller, res.GetAccount(), nil
}

// filter reads a filter; a key in it is looked for by its hash.
func (e *contactsEdge) filter(ctx context.Context, p *contactsv1.Filter) (account uuid.UUID, f contactdb.Filter, err error) {
	if account, err = rpc.AccountOf(ctx); err != nil {
		return account, f, err
	}
	if p.GetList() != "" {
		if f.List, err = toListName(p.GetList()); err != nil {
			return account, f, err
		}
	}
	if p.GetJobId() != "" {
		if f.Job.UUID, err = uuid.Parse(p.GetJobId()); err != nil {
			return account, f, fault.New(fault.Invalid, "bad-job-id", "the id of a job is a UUID")
		}
		f.Job.Valid = true
	}
	keys := map[contact.Field]string{
		contact.FieldExternalID: p.GetExternalId(), contact.FieldEmail: p.GetEmail(), contact.FieldPhone: p.GetPhone(),
	}
	if p.GetExternalId() == "" && p.GetEmail() == "" && p.GetPhone() == "" {
		return account, f, nil
	}
	country := contact.Country(0)
	if p.GetPhone() != "" { // may be written as at home
		_, owner, err := e.owner(ctx)
		if err != nil {
			return account, f, err
		}
		country = contact.CountryByCode(owner.GetCountry())
	}
	f.Keys, err = e.cells.hashes(account, keys, country)
	return account, f, err
}

func (e *contactsEdge) show(ctx context.Context, account, id uuid.UUID) (*contactsv1.Contact, error) {
	c, err := e.contacts.Contact(ctx, account, id)
	if err != nil {
		return nil, err
	}
	shown, err := e.fromContacts(ctx, account, []contactdb.Contact{c})
	if err != nil {
		return nil, err
	}
	return shown[0], nil
}

// fromContacts shows contacts. The account's own fields are asked for only if one of them has any.
func (e *contactsEdge) fromContacts(ctx context.Context, account uuid.UUID, page []contactdb.Contact) ([]*contactsv1.Contact, error) {
	var schema *contact.Schema
	if slices.ContainsFunc(page, contactdb.Contact.HasOwn) {
		var err error
		if schema, err = e.schemas.of(ctx, account); err != nil {
			return nil, err
		}
	}
	all := make([]*contactsv1.Contact, len(page))
	for i, c := range page {
		shown, err := fromContact(c, schema)
		if err != nil {
			return nil, err
		}
		all[i] = shown
	}
	return all, nil
}
